import { expect, test } from "vitest";
import { isPrivate, isThisSite, judge, type Addresses } from "./addresses";

const PUBLIC = "82.65.37.10";

test.each<[string, string[], Addresses, string, string, boolean]>([
  ["a public relay, our packets from another port", ["prflx"], { srflx: [PUBLIC] }, PUBLIC, "varies", false],
  ["a public relay, our packets as STUN saw them", ["srflx"], { srflx: [PUBLIC] }, PUBLIC, "same", false],
  ["a container's address", ["prflx"], { srflx: ["172.17.0.1"] }, "172.17.0.2", "unknown", false],
  ["the same, with nothing told of us", ["prflx"], { host: ["ab-12.local"] }, "172.18.0.5", "unknown", false],
  [
    "a private address for the internet",
    [],
    { srflx: [PUBLIC], host: ["10.0.0.2"] },
    "10.0.3.7",
    "unknown",
    true,
  ],
  ["the same, for one without a router", [], { host: ["172.17.0.1", PUBLIC] }, "10.0.3.7", "unknown", true],
  ["the same, though a packet came", ["prflx"], { srflx: ["2a01:e0a::1"] }, "fd00::7", "unknown", true],
  ["a house", ["host"], { host: ["192.168.1.9", "2a01:e0a::1"] }, "192.168.1.2", "same", false],
  ["nothing came through", [], { srflx: [PUBLIC] }, PUBLIC, "unknown", false],
])("%s", (_, reached, ours, relay, mapping, relayIsPrivate) => {
  expect(judge(reached, ours, { relay: [relay] })).toEqual({ mapping, relayIsPrivate });
});

test("private addresses are told from public ones", () => {
  for (const address of ["10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1", "169.254.1.1", "127.0.0.1"])
    expect(isPrivate(address), address).toBe(true);
  for (const address of ["fd12::1", "fe80::1", "[fd12::1]", "::1", "::ffff:10.0.0.1"])
    expect(isPrivate(address), address).toBe(true);
  for (const address of ["172.32.0.1", "100.128.0.1", "11.0.0.1", "2a01:e0a:1::10", "8.8.8.8", "192.169.0.1"])
    expect(isPrivate(address), address).toBe(false);
});

test("a relay at the address of the page is recognised", () => {
  const page = { protocol: "https:", host: "chat.example" };
  expect(isThisSite("turns:chat.example:443?transport=tcp", page)).toBe(true);
  expect(isThisSite("turns:chat.example?transport=tcp", page)).toBe(false);
  expect(isThisSite("turns:chat.example:8443", { ...page, host: "chat.example:8443" })).toBe(true);
  expect(isThisSite("turns:relay.example:443", page)).toBe(false);
  expect(isThisSite("turns:chat.example:443", { ...page, protocol: "http:" })).toBe(false);
});
