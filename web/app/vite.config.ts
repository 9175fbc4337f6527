import { sveltekit } from "@sveltejs/kit/vite";
import { defineConfig } from "vitest/config";
import { announcerByClass } from "./scripts/announcer.js";
import { messages } from "./scripts/messages.js";

const SERVER = "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [messages(), announcerByClass(), sveltekit()],
  server: {
    // The Host header stays as the browser sent it: the server compares it with Origin.
    fs: { allow: [".."] },
    proxy: { "/api": SERVER, "/ws": { target: SERVER, ws: true } },
  },
  build: {
    rolldownOptions: {
      output: {
        codeSplitting: {
          // A file for each few lines that two pages share costs more than the lines. One for what every page loads, one
          // for what the form and the talk behind it share.
          groups: [
            {
              name: "every-page",
              test: /\/src\/lib\/[^/]+$|@messageformat|rolldown\/runtime|chat\/entrance/,
            },
            {
              name: "form",
              test: /\/lib\/chat\/(HideAddress|keys|memory|plain|slips|staging|wishes)\.|\/sdk\/src\/(clock|errors|frame|reach|text)\./,
            },
          ],
        },
      },
    },
  },
  test: { include: ["src/**/*.test.ts", "scripts/**/*.test.ts"], setupFiles: ["scripts/english.ts"] },
});
