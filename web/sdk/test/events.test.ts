import { afterEach, expect, test, vi } from "vitest";
import { Emitter } from "../src/events.js";

afterEach(() => vi.unstubAllGlobals());

test("a listener that throws harms nobody, and is not hidden either", () => {
  const late: (() => void)[] = [];
  vi.stubGlobal("queueMicrotask", (run: () => void) => late.push(run));
  const emitter = new Emitter<{ tick: number }>();
  const heard: number[] = [];
  emitter.on("tick", () => {
    throw new Error("theirs");
  });
  const off = emitter.on("tick", (n) => heard.push(n));
  emitter.emit("tick", 1);
  off();
  emitter.emit("tick", 2);
  expect(heard).toEqual([1]);
  expect(late).toHaveLength(2);
  expect(late[0]).toThrow("theirs");
});
