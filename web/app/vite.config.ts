import { sveltekit } from "@sveltejs/kit/vite";
import { defineConfig } from "vitest/config";
import { announcerByClass } from "./scripts/announcer.js";

const SERVER = "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [announcerByClass(), sveltekit()],
  server: {
    // The Host header stays as the browser sent it: the server compares it with Origin.
    fs: { allow: [".."] },
    proxy: { "/api": SERVER, "/ws": { target: SERVER, ws: true } },
  },
  test: { include: ["src/**/*.test.ts", "scripts/**/*.test.ts"] },
});
