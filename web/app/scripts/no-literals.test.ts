import { Linter } from "eslint";
import parser from "svelte-eslint-parser";
import { expect, test } from "vitest";
import noLiterals from "./no-literals.js";

function found(code: string): string[] {
  const config: Linter.Config = {
    files: ["**/*.svelte"],
    languageOptions: { parser: parser as unknown as Linter.Parser },
    plugins: { visavis: { rules: { "no-literals": noLiterals } } },
    rules: { "visavis/no-literals": "error" },
  };
  return new Linter().verify(code, config, "x.svelte").map(({ message }) => message);
}

test.each([
  "<p>Hello</p>",
  '<button aria-label="Close">x</button>',
  '<input placeholder="jazz, board games" />',
  '<img alt="a cat" />',
  '<p title="why">{"x"}</p>',
  "<p>{ok ? 'Yes' : 'no'}</p>",
  "<p title={ok ? `Yes, ${n}` : ''}></p>",
  '<script>const left = "The stranger left.";</script>',
  '<script>const why = "something went wrong.";</script>',
])("%s is a text that belongs in the catalogue", (code) => {
  expect(found(code)).not.toEqual([]);
});

test.each([
  "<p>{m.chat.start()} · 1</p>",
  '<p class="Hello there" id="x">Visavis</p>',
  '<button type="button" aria-label={m.chat.start()}><kbd>Esc</kbd></button>',
  '<script>const key = "Escape"; throw new Error("Nobody reads this.");</script>',
  "<style>p { color: red }</style>",
])("%s is none", (code) => {
  expect(found(code)).toEqual([]);
});
