import { vitePreprocess } from "@sveltejs/vite-plugin-svelte";
import staticSite from "./scripts/static-site.js";

/** @type {import("@sveltejs/kit").Config} */
export default {
  preprocess: vitePreprocess(),
  compilerOptions: { runes: true },
  kit: {
    adapter: staticSite({ out: "build" }),
    alias: { "@visavis/client": "../sdk/src/index.ts" },
    // Scripts are moved out of the pages (see scripts/static-site.js), so what they import must not depend
    // on where they lie.
    paths: { relative: false },
    output: { preloadStrategy: "modulepreload" },
    typescript: {
      config: (config) => {
        config.extends = "../../tsconfig.base.json";
        return config;
      },
    },
  },
};
