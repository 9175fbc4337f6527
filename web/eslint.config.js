import noLiterals from "./app/scripts/no-literals.js";
import svelte from "eslint-plugin-svelte";
import globals from "globals";
import ts from "typescript-eslint";

export default ts.config(
  {
    ignores: [
      "**/node_modules/",
      "**/dist/",
      "**/build/",
      "**/out/",
      "**/.svelte-kit/",
      "**/*.gen.ts",
      "app/messages/compiled/",
    ],
  },
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  {
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    rules: {
      eqeqeq: "error",
      "no-console": "error",
      "prefer-const": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
    },
  },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: ts.parser } },
    rules: {
      // Runes are declared with `let` whether or not this file writes to them.
      "prefer-const": "off",
      "svelte/no-at-html-tags": "error",
      "svelte/no-inline-styles": ["error", { allowTransitions: false }],
      // The site may lie below a path of its host.
      "svelte/no-navigation-without-resolve": ["error", { ignoreReplaceState: true }],
    },
  },
  {
    files: ["app/src/**/*.svelte", "app/src/**/*.ts"],
    ignores: ["**/*.test.ts"],
    plugins: { visavis: { rules: { "no-literals": noLiterals } } },
    rules: { "visavis/no-literals": "error" },
  },
  {
    // Programs for the terminal: printing is what they do.
    files: ["**/scripts/**", "e2e/**"],
    rules: { "no-console": "off" },
  },
);
