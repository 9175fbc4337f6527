import { expect, test } from "vitest";
import { Slips, SLIP_MS } from "./slips";

const key = (atMs: number) => ({ atMs, point: null });
const click = (atMs: number, x = 100, y = 800) => ({ atMs, point: { x, y } });

test("the_second_half_of_a_double_click_is_not_meant", () => {
  const slips = new Slips();
  expect(slips.next(click(0))).toBe(true);
  slips.found(60);
  expect(slips.next(click(180))).toBe(false);
  expect(slips.next(click(SLIP_MS - 1))).toBe(false);
  expect(slips.next(click(60 + SLIP_MS))).toBe(true);
});

test("nor_is_the_second_of_two_escapes_wherever_the_mouse_was", () => {
  const slips = new Slips();
  expect(slips.next(click(0))).toBe(true);
  expect(slips.next(key(300))).toBe(false);
});

test("a_press_made_for_the_wait_does_not_hit_the_stranger_who_comes_just_then", () => {
  const slips = new Slips();
  expect(slips.next(key(0))).toBe(true);
  slips.found(3_000);
  expect(slips.next(key(3_100))).toBe(false);
  expect(slips.next(key(3_000 + SLIP_MS))).toBe(true);
});

test("the_first_press_after_start_or_after_a_stranger_who_left_is_meant_at_once", () => {
  const slips = new Slips();
  slips.start(key(0));
  slips.found(50);
  expect(slips.next(key(60))).toBe(true);
  slips.wrote();
  slips.found(5_000);
  expect(slips.next(key(5_010))).toBe(true);
});

test("a_stranger_who_came_because_the_last_one_left_can_be_passed_over_at_once", () => {
  for (const ask of ["next", "block"] as const) {
    const slips = new Slips();
    expect(slips[ask](key(0))).toBe(true);
    slips.found(1_000);
    // Nothing is pressed; that stranger leaves, and another comes.
    slips.found(60_000);
    expect(slips.next(key(60_050))).toBe(true);
  }
  const slips = new Slips();
  slips.block(key(0));
  slips.found(1_000);
  slips.found(60_000);
  expect(slips.block(key(60_050))).toBe(true);
});

test("a_next_that_was_only_asked_about_brings_nobody", () => {
  const slips = new Slips();
  slips.held(key(0));
  expect(slips.next(key(200))).toBe(false);
  slips.found(60_000);
  expect(slips.next(key(60_050))).toBe(true);
});

test("a_double_click_on_start_does_not_press_what_takes_its_place", () => {
  const slips = new Slips();
  slips.start(click(0));
  slips.found(50);
  expect(slips.next(click(200, 104, 803))).toBe(false);
  expect(slips.next(click(250, 400, 803))).toBe(true);
});

test("who_has_written_to_the_stranger_means_it", () => {
  const slips = new Slips();
  expect(slips.next(key(0))).toBe(true);
  slips.found(100);
  slips.wrote();
  expect(slips.next(key(300))).toBe(true);
});

test("nor_does_it_stop_what_it_started_or_turn_a_device_off", () => {
  const slips = new Slips();
  expect(slips.start(click(0))).toBe(true);
  expect(slips.stop(click(180))).toBe(false);
  expect(slips.other(click(180))).toBe(false);
  expect(slips.stop(click(180, 400))).toBe(true);
});

test("a_double_click_on_stop_does_not_start_again", () => {
  const slips = new Slips();
  slips.start(click(0));
  expect(slips.stop(click(5_000))).toBe(true);
  expect(slips.start(click(5_180))).toBe(false);
  expect(slips.start(click(5_000 + SLIP_MS))).toBe(true);
});

test("a_key_is_always_meant_where_another_button_was", () => {
  const slips = new Slips();
  slips.start(key(0));
  expect(slips.stop(key(50))).toBe(true);
  expect(slips.start(key(100))).toBe(true);
});

test("a_double_click_on_block_does_not_block_the_next_stranger", () => {
  const slips = new Slips();
  expect(slips.block(click(5_000))).toBe(true);
  slips.found(5_100);
  expect(slips.block(click(5_200))).toBe(false);
  expect(slips.next(key(5_300))).toBe(false);
  expect(slips.block(click(5_100 + SLIP_MS))).toBe(true);
});

test("block_is_meant_at_once_for_a_stranger_whom_next_brought", () => {
  const slips = new Slips();
  slips.next(key(0));
  slips.found(50);
  expect(slips.block(click(100))).toBe(true);
});
