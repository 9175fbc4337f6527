import { expect, test } from "vitest";
import { eased, levelOf } from "./levels";

const tone = (amplitude: number) =>
  Float32Array.from({ length: 1024 }, (_, index) => amplitude * Math.sin(index / 5));

test("silence_is_nothing_and_a_voice_is_in_between", () => {
  expect(levelOf(new Float32Array(1024))).toBe(0);
  expect(levelOf(new Float32Array(0))).toBe(0);
  expect(levelOf(tone(0.05))).toBeGreaterThan(0.3);
  expect(levelOf(tone(0.05))).toBeLessThan(levelOf(tone(0.2)));
  expect(levelOf(tone(1))).toBe(1);
});

test("a_meter_rises_at_once_and_falls_slowly", () => {
  expect(eased(0.1, 0.9)).toBe(0.9);
  expect(eased(0.9, 0)).toBeCloseTo(0.63);
});
