import { expect, test } from "vitest";
import { directionOf, languageFor } from "./language";

const OFFERED = ["de", "en"];

test("the_first_language_that_there_is_wins_whatever_its_region", () => {
  expect(languageFor([null, "fr-FR", "de-AT", "en"], OFFERED)).toBe("de");
  expect(languageFor([null, "en-US", "de"], OFFERED)).toBe("en");
});

test("what_was_chosen_here_goes_before_what_the_browser_says", () => {
  expect(languageFor(["en", "de-DE"], OFFERED)).toBe("en");
  expect(languageFor(["gone", "de-DE"], OFFERED)).toBe("de");
});

test("english_where_nothing_fits", () => {
  expect(languageFor([null, "ja"], OFFERED)).toBe("en");
  expect(languageFor([], OFFERED)).toBe("en");
});

test("languages_written_from_right_to_left_are_known", () => {
  expect(["ar", "fa", "he", "ur-PK"].map(directionOf)).toEqual(Array(4).fill("rtl"));
  expect(["en", "de", "arn", "ja"].map(directionOf)).toEqual(Array(4).fill("ltr"));
});
