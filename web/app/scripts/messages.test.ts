// The catalogue of messages is whole, and nothing in it is dead.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { gaps, needsOf, readCatalogue, unused } from "./messages.js";

const SOURCES = fileURLToPath(new URL("../src", import.meta.url));

function sources(): string {
  return readdirSync(SOURCES, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(svelte|ts)$/.test(path) && !path.endsWith(".test.ts"))
    .map((path) => readFileSync(join(SOURCES, path), "utf8"))
    .join("\n");
}

describe("the catalogue", () => {
  test("every_language_says_all_that_english_says", () => {
    expect(gaps(readCatalogue())).toEqual([]);
  });

  test("every_message_is_read_somewhere", () => {
    expect(unused(readCatalogue().en ?? {}, sources())).toEqual([]);
  });
});

test("a_message_with_tags_is_shown_as_elements_and_not_as_it_stands", () => {
  const tagged = Object.entries(readCatalogue().en ?? {}).flatMap(([part, messages]) =>
    Object.entries(messages).flatMap(([key, message]) =>
      needsOf(message, "en").tags.length > 0 ? [`${part}.${key}`] : [],
    ),
  );
  const plain = [...sources().matchAll(/(?<!text=)\{m\.(\w+\.\w+)\(/g)].map(([, name]) => name ?? "");
  expect(tagged.length).toBeGreaterThan(10);
  expect(plain.length).toBeGreaterThan(100);
  expect(tagged.filter((name) => plain.includes(name))).toEqual([]);
});

describe("what is wrong with a catalogue is named", () => {
  const en = { chat: { hi: "Hi {name}", rules: "The <rules>rules</rules>" } };
  const gapsOf = (de: Record<string, string>) => gaps({ en, de: { chat: de } });

  test("a_message_that_a_language_lacks", () => {
    expect(gapsOf({ hi: "Hallo {name}" })).toEqual(["de lacks chat.rules."]);
    expect(gaps({ en, de: {} })).toHaveLength(2);
  });

  test("a_message_that_english_has_not", () => {
    expect(gapsOf({ ...en.chat, old: "Alt" })).toEqual(["de has chat.old, which en has not."]);
  });

  test("another_argument_and_another_tag", () => {
    expect(gapsOf({ ...en.chat, hi: "Hallo {nome}" })).toHaveLength(1);
    expect(gapsOf({ ...en.chat, rules: "Die Regeln" })).toHaveLength(1);
  });

  test("a_message_that_nobody_reads", () => {
    expect(unused(en, "{m.chat.hi({ name })}")).toEqual(["chat.rules"]);
  });
});

test("what_a_message_is_given_is_known_with_its_type", () => {
  const { args, tags } = needsOf(
    "{n, plural, one {# <b>a</b>} other {{who}}} {s, number, ::.0} {k, select, x {y} other {}}",
    "en",
  );
  expect(Object.fromEntries(args)).toEqual({ k: "string", n: "number", s: "number", who: "number | string" });
  expect(tags).toEqual(["b"]);
});

test("a_plural_form_that_the_language_does_not_have_is_refused", () => {
  expect(() => needsOf("{n, plural, few {#} other {#}}", "de")).toThrow(/few/);
});
