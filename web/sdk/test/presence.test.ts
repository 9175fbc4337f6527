import { expect, test } from "vitest";
import { OWN, Presence, STRANGER } from "../src/safety/presence.js";

const FACE = 0.9;
const WALL = 0.2;

/** Looks every `everyMs`, and returns what was so after each. */
function looks(presence: Presence, scores: number[], everyMs = 200, fromMs = 0): boolean[] {
  return scores.map((score, index) => {
    const nowMs = fromMs + index * everyMs;
    presence.look(score, nowMs);
    return presence.at(nowMs);
  });
}

test("nobody_is_there_before_the_first_look_and_in_front_of_a_wall", () => {
  const presence = new Presence(STRANGER, 0);
  expect(presence.at(0)).toBe(false);
  expect(looks(presence, Array(20).fill(WALL))).not.toContain(true);
});

test("a_face_is_there_after_three_looks_in_a_row_and_not_before", () => {
  expect(looks(new Presence(STRANGER, 0), [WALL, FACE, FACE, FACE, FACE])).toEqual([
    ...[false, false, false],
    ...[true, true],
  ]);
});

test("looks_that_come_quickly_take_as_long", () => {
  expect(looks(new Presence(STRANGER, 0), Array(6).fill(FACE), 100)).toEqual([
    ...[false, false, false, false],
    ...[true, true],
  ]);
});

test("a_face_that_flickers_up_uncovers_nothing_however_often", () => {
  const flicker = [FACE, FACE, WALL, FACE, WALL, WALL, FACE, FACE, WALL];
  expect(looks(new Presence(STRANGER, 0), Array(20).fill(flicker).flat())).not.toContain(true);
});

test("looks_far_apart_are_none_in_a_row", () => {
  expect(looks(new Presence(STRANGER, 0), Array(6).fill(FACE), 2_600)).not.toContain(true);
});

test("a_face_that_is_missed_now_and_then_stays_and_is_gone_after_three_seconds_without_it", () => {
  const presence = new Presence(STRANGER, 0);
  looks(presence, [FACE, FACE, FACE]);
  expect(looks(presence, [WALL, WALL, FACE, WALL, WALL, WALL, WALL, FACE], 500, 600)).not.toContain(false);
  // The last look with a face was at 4,100 ms.
  expect(looks(presence, Array(7).fill(WALL), 500, 4_600)).toEqual([
    ...[true, true, true, true, true],
    ...[false, false],
  ]);
  presence.look(FACE, 8_000);
  expect(presence.at(8_000)).toBe(false);
});

test("less_certainty_keeps_a_face_than_finds_one", () => {
  const between = (STRANGER.finds + STRANGER.keeps) / 2;
  expect(looks(new Presence(STRANGER, 0), Array(20).fill(between))).not.toContain(true);
  const presence = new Presence(STRANGER, 0);
  looks(presence, [FACE, FACE, FACE]);
  expect(looks(presence, Array(20).fill(between), 500, 600)).not.toContain(false);
});

test("where_nobody_looks_any_more_nobody_is_there", () => {
  const presence = new Presence(STRANGER, 0);
  looks(presence, [FACE, FACE, FACE]);
  expect([presence.at(3_399), presence.at(3_400)]).toEqual([true, false]);
});

test("ones_own_face_is_missed_late_and_found_at_once", () => {
  const presence = new Presence(OWN, 0);
  expect([presence.at(5_999), presence.at(6_000)]).toEqual([true, false]);
  presence.look(FACE, 6_100);
  expect(presence.at(6_100)).toBe(true);
});
