import { expect, test } from "vitest";
import { deviceToken, MAX_BLOCKS, recall, remember, type Shelf } from "./memory";

function shelf(start: string | null = null): Shelf & { value: string | null } {
  return {
    value: start,
    getItem() {
      return this.value;
    },
    setItem(_key, value) {
      this.value = value;
    },
  };
}

test("what_was_remembered_is_recalled_beside_the_rest", () => {
  const own = shelf();
  remember({ interests: ["jazz"] }, own);
  remember({ autoContinue: false }, own);
  expect(recall(own)).toMatchObject({ interests: ["jazz"], autoContinue: false, escapeIsNext: true });
});

test("nonsense_in_the_shelf_is_ignored", () => {
  expect(recall(shelf("{{{"))).toMatchObject({ interests: [], volume: 1, hideAddress: false });
  expect(recall(shelf('{"interests":[1,"a"],"volume":7,"autoContinue":"no"}'))).toMatchObject({
    interests: ["a"],
    volume: 1,
    autoContinue: true,
  });
});

test("a_forbidden_shelf_harms_nobody", () => {
  const forbidden: Shelf = {
    getItem: () => {
      throw new DOMException("no", "SecurityError");
    },
    setItem: () => {
      throw new DOMException("no", "SecurityError");
    },
  };
  remember({ volume: 0.5 }, forbidden);
  expect(recall(forbidden).volume).toBe(1);
});

test("one_bad_value_costs_itself_and_nothing_else", () => {
  const stored = {
    interests: ["\ud83d", "\u200b", "jazz\udfb7", "a".repeat(500), "jazz", 7, "one, two"],
    languages: ["de-AT", "../../etc", "\ud83d"],
    cameraId: "\ud83d",
    microphoneId: "x".repeat(10_000),
    volume: 0.5,
    autoContinue: "yes",
  };
  expect(recall(shelf(JSON.stringify(stored)))).toMatchObject({
    interests: ["jazz", "a".repeat(32), "one", "two"],
    languages: ["de"],
    cameraId: null,
    microphoneId: null,
    volume: 0.5,
    autoContinue: true,
  });
});

test("no_list_is_too_long_for_the_server", () => {
  const interests = Array.from({ length: 40 }, (_, index) => `interest ${index}`);
  const languages = ["de", "en", "fr", "es", "it", "pt", "nl"];
  const found = recall(shelf(JSON.stringify({ interests, languages })));
  expect(found.interests).toHaveLength(10);
  expect(found.languages).toHaveLength(5);
});

test("no_languages_at_all_is_a_wish_and_nonsense_is_none", () => {
  expect(recall(shelf('{"languages":[]}')).languages).toEqual([]);
  expect(recall(shelf('{"languages":["?"]}')).languages).toBeNull();
});

test("blocks_are_kept_up_to_a_bound_the_oldest_go_first", () => {
  const blocks = Array.from({ length: MAX_BLOCKS + 5 }, (_, index) => `block-${index}`);
  const found = recall(shelf(JSON.stringify({ blocks: ["\ud83d", 5, ...blocks] }))).blocks;
  expect(found).toHaveLength(MAX_BLOCKS);
  expect(found.at(-1)).toBe(`block-${MAX_BLOCKS + 4}`);
});

test("a_browser_keeps_its_token_and_a_bad_one_is_replaced", () => {
  const own = shelf();
  const made = deviceToken(own);
  expect(made).toMatch(/^[\w-]{32}$/);
  expect(deviceToken(own)).toBe(made);
  expect(deviceToken(shelf("\ud83d"))).toMatch(/^[\w-]{32}$/);
  expect(deviceToken(shelf())).not.toBe(made);
  expect(deviceToken(undefined)).toMatch(/^[\w-]{32}$/);
});
