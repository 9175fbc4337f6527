import { expect, test } from "vitest";
import { recall, remember, type Shelf } from "./memory";

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
