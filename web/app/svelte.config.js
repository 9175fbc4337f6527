import { vitePreprocess } from "@sveltejs/vite-plugin-svelte";
import staticSite from "./scripts/static-site.js";

/** @type {import("@sveltejs/kit").Config} */
export default {
  preprocess: vitePreprocess(),
  compilerOptions: { runes: true },
  kit: {
    adapter: staticSite({ out: "build" }),
    alias: {
      "@visavis/client/safety": "../sdk/src/safety.ts",
      "@visavis/client": "../sdk/src/index.ts",
    },
    // Pages name what lies beside them, so that a proxy may put the site below any path.
    paths: { relative: true },
    output: { preloadStrategy: "modulepreload" },
    typescript: {
      config: (config) => {
        config.extends = "../../tsconfig.base.json";
        return config;
      },
    },
  },
};
