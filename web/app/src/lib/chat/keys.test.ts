import { expect, test } from "vitest";
import { meaningOf, meansSend } from "./keys";

const escape = { key: "Escape", keyCode: 27, isComposing: false, repeat: false, defaultPrevented: false };
const enter = {
  key: "Enter",
  keyCode: 13,
  isComposing: false,
  repeat: false,
  defaultPrevented: false,
  shiftKey: false,
};
const around = {
  dialogOpen: false,
  fullScreen: false,
  escapeIsNext: true,
  canGoNext: true,
  unsentDraft: false,
};

test("escape_is_next", () => {
  expect(meaningOf(escape, around)).toBe("next");
});

test("escape_first_closes_a_dialog_or_full_screen", () => {
  expect(meaningOf(escape, { ...around, dialogOpen: true })).toBe("nothing");
  expect(meaningOf(escape, { ...around, fullScreen: true })).toBe("nothing");
});

test("escape_inside_a_composition_belongs_to_the_input_method", () => {
  expect(meaningOf({ ...escape, isComposing: true }, around)).toBe("nothing");
  expect(meaningOf({ ...escape, keyCode: 229 }, around)).toBe("nothing");
});

test("escape_can_be_switched_off_and_does_nothing_without_a_stranger_or_a_search", () => {
  expect(meaningOf(escape, { ...around, escapeIsNext: false })).toBe("nothing");
  expect(meaningOf(escape, { ...around, canGoNext: false })).toBe("nothing");
});

test("escape_over_a_draft_keeps_it_first", () => {
  expect(meaningOf(escape, { ...around, unsentDraft: true })).toBe("keepDraft");
  expect(meaningOf(escape, { ...around, unsentDraft: true, dialogOpen: true })).toBe("nothing");
});

test("a_held_key_goes_next_once", () => {
  expect(meaningOf({ ...escape, repeat: true }, around)).toBe("nothing");
});

test("enter_sends_but_not_with_shift_or_inside_a_composition", () => {
  expect(meansSend(enter)).toBe(true);
  expect(meansSend({ ...enter, shiftKey: true })).toBe(false);
  expect(meansSend({ ...enter, isComposing: true })).toBe(false);
});
