// One bad wish, remembered for years, must not keep a visitor out.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isBlank } from "../src/text.js";
import type { Wishes } from "../src/types.js";
import { readWishes } from "../src/wishes.js";
import { World } from "./world.js";

const interests = (...given: unknown[]) =>
  readWishes({ kind: "text", interests: given as string[] }).interests;
const languages = (...given: unknown[]) =>
  readWishes({ kind: "text", languages: given as string[] }).languages;

describe("an interest that the server would refuse", () => {
  test("is left out, and the others are kept", () => {
    expect(interests("jazz", "x".repeat(33), "", " \u200b ", "\u3164", null, 7, "chess")).toEqual([
      "jazz",
      "chess",
    ]);
  });

  test("is repaired where that can be done: half an emoji, a line break, a tabulator", () => {
    expect(interests("half \ud83d", "\ude00", "one\ntwo", "three\t\u0000four ")).toEqual([
      "half \ufffd",
      "\ufffd",
      "one two",
      "three four",
    ]);
  });

  test("is measured as the server measures it: in code points, composed, in lower case", () => {
    expect(interests("\u{1f600}".repeat(32), "e\u0301".repeat(32))).toHaveLength(2);
    // Two code points each in lower case.
    expect(interests("\u0130".repeat(17))).toEqual([]);
  });

  test("is left out beyond the tenth", () => {
    expect(interests(...Array.from({ length: 12 }, (_, n) => `i${n}`))).toHaveLength(10);
  });
});

test("a language that is none is left out", () => {
  expect(languages("de", "!", "", "x", "en-GB", "de_AT", `en-${"abcdefgh-".repeat(5)}a`, null)).toEqual([
    "de",
    "en-GB",
  ]);
  expect(languages("aa", "bb", "cc", "dd", "ee", "ff")).toHaveLength(5);
});

test("what was not wished is not invented, and the caller's object stays as it was", () => {
  const wishes: Wishes = { kind: "text", interests: ["half \ud83d"] };
  expect(readWishes({ kind: "audio", pool: "club" })).toEqual({ kind: "audio", pool: "club" });
  readWishes(wishes);
  expect(wishes.interests).toEqual(["half \ud83d"]);
});

describe("a text", () => {
  async function written(text: string): Promise<(string | undefined)[]> {
    const world = new World();
    await world.wait({ kind: "text" });
    await world.find({ mode: "text" });
    world.client.send(text);
    const own = world.events("message").map((message) => message.text);
    expect(world.server.of("message").map((message) => message.text)).toEqual(own);
    return own;
  }

  test("with half an emoji goes out with the sign for what cannot be read", async () => {
    expect(await written("half \ud83d of it")).toEqual(["half \ufffd of it"]);
    expect(await written("\ude00\ud83d")).toEqual(["\ufffd\ufffd"]);
    expect(await written("whole \u{1f600}")).toEqual(["whole \u{1f600}"]);
  });

  test("with nothing to see is none", async () => {
    for (const blank of [
      "",
      " \n\t",
      "\u200b",
      "\u200d\ufe0f",
      "\u3164",
      "\u2800 \u00ad",
      "\u0301",
      "\u{e0020}",
      "\u202e",
    ]) {
      expect(await written(blank), JSON.stringify(blank)).toEqual([]);
    }
    for (const seen of [".", "\u4f60", "\u0e01\u0e33", "\u{1f468}\u200d\u{1f469}", "\ufffd"]) {
      expect(await written(seen)).toEqual([seen]);
    }
  });
});

test("what can be seen is seen as the server sees it", () => {
  const corpus = JSON.parse(
    readFileSync(new URL("../../../docs/plain-text.json", import.meta.url), "utf8"),
  ) as Record<"nothing_to_see" | "something_to_see", string[]>;
  for (const text of corpus.nothing_to_see) expect(isBlank(text), JSON.stringify(text)).toBe(true);
  for (const text of corpus.something_to_see) expect(isBlank(text), JSON.stringify(text)).toBe(false);
});
