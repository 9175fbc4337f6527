import { expect, test } from "vitest";
import corpus from "../../../../../docs/plain-text.json";
import { folded, harmless, isUnseen, wellFormed } from "./plain";

test("interests_are_folded_as_the_server_folds_them", () => {
  for (const [given = "", wanted] of corpus.interests) {
    expect(folded(given), JSON.stringify(given)).toBe(wanted);
    expect(folded(wanted ?? "")).toBe(wanted);
  }
});

test("what_cannot_be_seen_is_nothing_here_and_at_the_server", () => {
  for (const text of corpus.nothing_to_see) expect(isUnseen(text), JSON.stringify(text)).toBe(true);
  for (const text of corpus.something_to_see) expect(isUnseen(text), JSON.stringify(text)).toBe(false);
});

test("what_turns_the_order_of_letters_is_taken_out", () => {
  expect(harmless("\u202ejazz\u202c")).toBe("jazz");
  expect(harmless("\u2067ja\u200fzz\u2069\u061c")).toBe("jazz");
  expect(harmless("ja\u0000z\u2028z")).toBe("ja z z");
});

test("piled_up_marks_are_cut_to_what_scripts_need", () => {
  const zalgo = "j" + "\u0335\u0322\u034d\u0316\u0321".repeat(6) + "azz";
  expect([...harmless(zalgo)].length).toBeLessThanOrEqual(8);
  for (const word of ["Tiếng Việt", "हिन्दी", "ภาษาไทย", "שָׁלוֹם", "العَرَبِيَّة"]) {
    expect(harmless(word)).toBe(word.normalize("NFC"));
  }
});

test("half_an_emoji_is_no_text", () => {
  expect(harmless("\ud83d jazz")).toBe("jazz");
  expect(wellFormed("a\ud83d")).toBe("a\ufffd");
  expect(wellFormed("a\u{1F3B7}")).toBe("a\u{1F3B7}");
  expect(harmless("\u{1F469}\u200d\u{1F680}")).toBe("\u{1F469}\u200d\u{1F680}");
});

test("what_cannot_be_seen_is_nothing", () => {
  for (const text of [
    "",
    "  ",
    "\u200b\u200d\u2060",
    "\u3164",
    "\u2800\u2800",
    "\u{e0041}",
    "\u202e",
    "\u0301",
  ]) {
    expect(isUnseen(text), JSON.stringify(text)).toBe(true);
    expect(harmless(text)).toBe("");
  }
  expect(isUnseen("\u{1F600}")).toBe(false);
});
