import { expect, test } from "vitest";
import { BLANK, path, report, type Check, type Findings, type Result } from "./verdict";

const WORKS: Result = { state: "works", detail: () => "" };
const FAILS: Result = { state: "fails", detail: () => "no answer" };
const REFUSES: Result = { state: "refuses", detail: () => "it is full" };
const NONE: Result = { state: "none" };

type Given = Partial<Record<Check, Result>> & Partial<Omit<Findings, "results">>;

function findings(given: Given): Findings {
  const { mapping = "same", hides = "nobody", refusal = null, webrtc = true, ...rest } = given;
  const { relayIsPrivate = false, ...results } = rest;
  const all = { ...BLANK, server: WORKS, udp: FAILS, tcp: FAILS, tls: FAILS, ...results };
  return { results: all, mapping, hides, refusal, webrtc, relayIsPrivate };
}

test.each([
  [
    "without the server nothing else counts",
    { server: FAILS, udp: WORKS, hides: null },
    /cannot reach the server/,
  ],
  [
    "a proxy that lets pages alone through is named",
    { server: FAILS, udp: WORKS },
    /Web pages get through.*WebSocket/,
  ],
  [
    "a server that refuses the page says why, and no firewall is blamed",
    { server: FAILS, udp: WORKS, refusal: "the proxy drops the port" },
    /^The server refuses.*the proxy drops the port.*Whoever runs/,
  ],
  [
    "a browser without WebRTC is named",
    { webrtc: false },
    /^This browser cannot make calls.*Text chats work/,
  ],
  [
    "a relay with a private address is no symmetric router",
    { udp: WORKS, relayIsPrivate: true, mapping: "unknown" },
    /^The relay gives out an address of its own private network.*Whoever runs/,
  ],
  ["a server that does not tell its relays proves nothing", { hides: null }, /did not say/],
  ["UDP makes calls direct", { udp: WORKS }, /Most of your calls will be direct/],
  [
    "a port for each destination makes some relayed",
    { udp: WORKS, mapping: "varies" },
    /many home routers go through a relay/,
  ],
  [
    "what is not known is not promised",
    { udp: WORKS, mapping: "unknown" },
    /direct where both networks allow it/,
  ],
  ["TCP alone means a relay", { tcp: WORKS }, /UDP does not get out.*All your calls go through a relay/],
  [
    "TLS alone means a relay",
    { tls: WORKS, tcp: NONE },
    /UDP does not get out.*All your calls go through a relay/,
  ],
  ["a relay without UDP does not tell whether UDP gets out", { udp: NONE, tcp: WORKS }, /could not be tried/],
  ["nothing means a firewall", {}, /A firewall is in the way/],
  ["no relay offered is said", { udp: NONE, tcp: NONE, tls: NONE }, /offers no relay/],
  [
    "a relay that refuses over UDP proves that UDP gets out",
    { udp: REFUSES },
    /UDP gets out.*refuses.*Whoever runs/,
  ],
  [
    "a relay that refuses over TCP is no firewall",
    { tcp: REFUSES, tls: NONE },
    /UDP does not get out.*refuses.*Whoever runs/,
  ],
  [
    "who hides is not promised direct calls",
    { udp: WORKS, hides: "you" },
    /^You hide your address: all.*over UDP/,
  ],
  ["nor where everybody is hidden", { tls: WORKS, hides: "everybody" }, /^This site hides.*over TLS/],
  [
    "hiding behind a firewall is hopeless",
    { hides: "you" },
    /no relay is reached: calls are not.*Turn that off/,
  ],
  [
    "hiding without a relay is hopeless",
    { udp: NONE, tcp: NONE, tls: NONE, hides: "everybody" },
    /there is no relay: calls are not.*Writing works.*Whoever runs/,
  ],
] as const)("%s", (_, given, expected) => {
  expect(path(findings(given))).toMatch(expected);
});

test("the report has a line for everything", () => {
  const text = report(
    findings({ udp: { state: "works", detail: () => "12 ms" }, tcp: REFUSES }),
    "Browser 1",
  );
  expect(text.split("\n")).toHaveLength(9);
  expect(text).toContain("Relay over UDP: works: 12 ms");
  expect(text).toContain("Relay over TCP: refuses: it is full");
  expect(text).toContain("Relay over TLS: does not work: no answer");
  expect(text).toContain("Camera: not tried");
});
