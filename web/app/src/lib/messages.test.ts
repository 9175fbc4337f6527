import { afterEach, expect, test } from "vitest";
import { languageName } from "./chat/wishes";
import { list, othersWords, sharedWords } from "./chat/words";
import { LANGUAGES, m, ready, speak } from "./messages.svelte";

afterEach(() => speak("en"));

test("another_language_takes_the_place_of_english_in_all_that_is_said", async () => {
  expect(m.chat.start()).toBe("Start");
  expect(m.talk.ready_in({ seconds: 0.3 })).toBe("Ready in 0.3 s");
  await speak("de");
  expect(m.talk.next()).toBe("Weiter");
  expect(m.talk.ready_in({ seconds: 0.3 })).toBe("Da in 0,3 s");
  expect(languageName("fr")).toBe("Französisch");
  expect(list(["a", "b", "c"])).toBe("a, b oder c");
});

test("a_part_that_is_asked_for_while_the_language_changes_comes_in_the_new_one", async () => {
  await Promise.all([speak("de"), ready("talk")]);
  expect(m.talk.stop()).toBe("Stopp");
  await Promise.all([ready("talk"), speak("en")]);
  expect(m.talk.stop()).toBe("Stop");
});

test("a_language_that_does_not_load_leaves_the_present_one", async () => {
  await expect(speak("xx")).rejects.toThrow();
  expect(m.language).toBe("en");
  expect(m.chat.start()).toBe("Start");
});

test("plurals_and_numbers_follow_the_language", async () => {
  await speak("de");
  expect(othersWords(1)).toBe("Außer dir ist gerade niemand da.");
  expect(othersWords(2)).toBe("Außer dir ist 1 Person da.");
  expect(othersWords(1_312)).toBe("Außer dir sind 1.311 Leute da.");
  const match = {
    id: "m",
    kind: "video" as const,
    sharedInterests: ["jazz", "chess"],
    language: "de",
    reportable: true,
  };
  expect(sharedWords(match)).toBe("Ihr mögt beide jazz und chess. Ihr sprecht beide Deutsch.");
});

test("english_and_german_are_offered", () => {
  expect(LANGUAGES).toEqual(expect.arrayContaining(["de", "en"]));
});
