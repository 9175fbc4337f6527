import { expect, test } from "vitest";
import { meansNext, meansSend } from "./keys";

const escape = { key: "Escape", keyCode: 27, isComposing: false, repeat: false, defaultPrevented: false };
const enter = {
  key: "Enter",
  keyCode: 13,
  isComposing: false,
  repeat: false,
  defaultPrevented: false,
  shiftKey: false,
};
const around = { dialogOpen: false, fullScreen: false, escapeIsNext: true, canGoNext: true };

test("escape_is_next", () => {
  expect(meansNext(escape, around)).toBe(true);
});

test("escape_first_closes_a_dialog_or_full_screen", () => {
  expect(meansNext(escape, { ...around, dialogOpen: true })).toBe(false);
  expect(meansNext(escape, { ...around, fullScreen: true })).toBe(false);
});

test("escape_inside_a_composition_belongs_to_the_input_method", () => {
  expect(meansNext({ ...escape, isComposing: true }, around)).toBe(false);
  expect(meansNext({ ...escape, keyCode: 229 }, around)).toBe(false);
});

test("escape_can_be_switched_off_and_does_nothing_without_a_stranger_or_a_search", () => {
  expect(meansNext(escape, { ...around, escapeIsNext: false })).toBe(false);
  expect(meansNext(escape, { ...around, canGoNext: false })).toBe(false);
});

test("a_held_key_goes_next_once", () => {
  expect(meansNext({ ...escape, repeat: true }, around)).toBe(false);
});

test("enter_sends_but_not_with_shift_or_inside_a_composition", () => {
  expect(meansSend(enter)).toBe(true);
  expect(meansSend({ ...enter, shiftKey: true })).toBe(false);
  expect(meansSend({ ...enter, isComposing: true })).toBe(false);
});
