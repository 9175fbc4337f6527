import { expect, test } from "vitest";
import { addInterests, interestName, languageName, languagesFrom } from "./wishes";

test("interests_are_split_at_commas_trimmed_and_lower_cased", () => {
  expect(addInterests([], " Jazz,  board   games , #Chess")).toEqual(["jazz", "board games", "chess"]);
});

test("an_interest_is_taken_once", () => {
  expect(addInterests(["jazz"], "JAZZ, jazz")).toEqual(["jazz"]);
});

test("composed_and_decomposed_letters_are_the_same_interest", () => {
  expect(addInterests(["caf\u00e9"], "cafe\u0301")).toEqual(["caf\u00e9"]);
});

test("at_most_ten_interests_of_at_most_32_characters", () => {
  const many = Array.from({ length: 12 }, (_, i) => `interest ${i}`).join(",");
  expect(addInterests([], many)).toHaveLength(10);
  expect([...(addInterests([], "\u{1F3B7}".repeat(40))[0] ?? "")]).toHaveLength(32);
});

test("empty_pieces_are_no_interests", () => {
  expect(addInterests([], " , ,, # ")).toEqual([]);
});

test("languages_lose_their_region_and_stay_in_order", () => {
  expect(languagesFrom(["de-AT", "de", "en-US", "en"])).toEqual(["de", "en"]);
});

test("at_most_five_languages_and_no_nonsense", () => {
  expect(languagesFrom(["de", "en", "fr", "it", "es", "pt"])).toHaveLength(5);
  expect(languagesFrom(["*", "", "x-klingon"])).toEqual([]);
});

test("a_language_has_a_name_and_an_unknown_one_its_tag", () => {
  expect(languageName("de")).toBe("German");
  expect(languageName("not a tag")).toBe("not a tag");
});

test("capital_and_small_greek_letters_are_the_same_interest_and_are_shown_as_they_are_written", () => {
  expect(addInterests([], "ΟΔΟΣ, οδος, οδοσ")).toEqual(["οδοσ"]);
  expect(interestName("οδοσ και σ")).toBe("οδος και σ");
});

test("half_an_emoji_and_what_cannot_be_seen_are_no_interests", () => {
  expect(addInterests([], "\ud83d, \u200b, \u202e, jazz\udfb7")).toEqual(["jazz"]);
});
