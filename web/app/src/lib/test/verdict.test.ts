import { expect, test } from "vitest";
import { BLANK, path, report, type Check, type Result, type Results } from "./verdict";

const WORKS: Result = { state: "works", detail: "" };
const FAILS: Result = { state: "fails", detail: "no answer" };
const NONE: Result = { state: "none", detail: "" };

function results(given: Partial<Record<Check, Result>>): Results {
  return { ...BLANK, server: WORKS, udp: FAILS, tcp: FAILS, tls: FAILS, ...given };
}

test.each([
  [
    "without the server nothing else counts",
    { server: FAILS, udp: WORKS },
    "same",
    /does not reach the server/,
  ],
  ["UDP makes calls direct", { udp: WORKS }, "same", /Most of your calls will be direct/],
  [
    "a port for each destination makes some relayed",
    { udp: WORKS },
    "varies",
    /similar router go through a relay/,
  ],
  ["TCP alone means a relay", { tcp: WORKS }, "unknown", /All your calls go through a relay/],
  ["TLS alone means a relay", { tls: WORKS, tcp: NONE }, "unknown", /All your calls go through a relay/],
  ["nothing means a firewall", {}, "unknown", /A firewall is in the way/],
  ["no relay offered is said", { udp: NONE, tcp: NONE, tls: NONE }, "unknown", /offers no relay/],
] as const)("%s", (_, given, mapping, expected) => {
  expect(path(results(given), mapping)).toMatch(expected);
});

test("the report has a line for everything", () => {
  const text = report(results({ udp: { state: "works", detail: "12 ms" } }), "same", "Browser 1");
  expect(text.split("\n")).toHaveLength(9);
  expect(text).toContain("Relay over UDP: works: 12 ms");
  expect(text).toContain("Relay over TLS: does not work: no answer");
  expect(text).toContain("Camera: not tried");
});
