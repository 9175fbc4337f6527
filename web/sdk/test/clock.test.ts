import { describe, expect, test } from "vitest";
import { sleepAware } from "../src/clock.js";

function machine() {
  const at = { monotonic: 5_000, wall: 1_700_000_000_000 };
  const now = sleepAware(
    () => at.monotonic,
    () => at.wall,
  );
  const pass = (monotonicMs: number, wallMs = monotonicMs) => {
    at.monotonic += monotonicMs;
    at.wall += wallMs;
    return now();
  };
  return { now, pass };
}

describe("the clock", () => {
  test("is the monotonic one while the machine is awake", () => {
    const { now, pass } = machine();
    expect(now()).toBe(5_000);
    expect(pass(60_000)).toBe(65_000);
  });

  test("counts a night that the monotonic one slept through", () => {
    const { pass } = machine();
    expect(pass(10, 8 * 3_600_000)).toBe(5_000 + 8 * 3_600_000);
    expect(pass(1_000)).toBe(6_000 + 8 * 3_600_000);
  });

  test("never goes back when the wall clock is set back, and still counts the next night", () => {
    const { pass } = machine();
    expect(pass(1_000, -3_600_000)).toBe(6_000);
    expect(pass(1_000)).toBe(7_000);
    expect(pass(0, 3_600_000)).toBe(7_000 + 3_600_000);
  });

  test("does not add up the rounding of the wall clock", () => {
    const { now, pass } = machine();
    for (let n = 0; n < 10_000; n += 1) pass(0.3, n % 3 === 0 ? 1 : 0);
    expect(now()).toBeCloseTo(8_000, 3);
  });
});
