import { expect, test } from "vitest";
import { loudness } from "./loudness";

test("silence_is_nothing_and_a_voice_is_in_between", () => {
  expect(loudness(null)).toBe(0);
  expect(loudness(0)).toBe(0);
  expect(loudness(0.001)).toBe(0);
  expect(loudness(0.03)).toBeGreaterThan(0.3);
  expect(loudness(0.03)).toBeLessThan(loudness(0.2));
  expect(loudness(1)).toBe(1);
});
