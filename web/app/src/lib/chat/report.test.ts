import { expect, test } from "vitest";
import type { ErrorReason } from "@visavis/client";
import { linesToAttach, sendTrouble } from "./report";

const said = (text: string) => ({ from: "stranger" as const, text });

test("the_last_twenty_lines_go_along_oldest_first", () => {
  const talk = Array.from({ length: 25 }, (_, index) => said(`${index}`));
  expect(linesToAttach(talk).map(({ text }) => Number(text))).toEqual(
    Array.from({ length: 20 }, (_, index) => index + 5),
  );
  expect(linesToAttach([])).toEqual([]);
});

test("lines_that_would_not_fit_are_left_out_from_the_oldest_on", () => {
  const talk = [said("oldest"), ...Array.from({ length: 12 }, () => said("\u0001".repeat(2_000)))];
  const attached = linesToAttach(talk);
  expect(attached.length).toBeGreaterThan(3);
  expect(new TextEncoder().encode(JSON.stringify(attached)).length).toBeLessThan(70_000);
  expect(attached.some(({ text }) => text === "oldest")).toBe(false);
});

test("every_failure_says_that_nothing_was_sent_and_when_to_try_again", () => {
  const reasons: (ErrorReason | null)[] = [
    "offline",
    "server_failed",
    "too_many",
    "server_timeout",
    "server_unreachable",
    "invalid_argument",
    "refused",
    "forbidden",
    null,
  ];
  for (const reason of reasons) {
    const error = reason === null ? null : { reason, retryAfterMs: null };
    expect(sendTrouble(error), String(reason)).toMatch(/^Not sent: .*\.$/);
  }
  expect(sendTrouble({ reason: "server_failed", retryAfterMs: 7_000 })).toContain("in 7 s");
});
