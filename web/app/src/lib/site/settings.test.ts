import { expect, test } from "vitest";
import { ownStun, readSite } from "./settings";

const answer = {
  version: "0.1.0",
  relay: { enabled: true, host_is_this_server: true },
  stun_servers: ["stun:stun.example.org:3478", 5],
  ice_policy: "relay",
  relax_interests_after_ms: 200,
  safety: { evidence_recipients: ["age1abc", null] },
};

test("the_settings_in_force_are_read_and_what_is_missing_is_as_usual", () => {
  expect(readSite(answer)).toEqual({
    relay: { enabled: true, host_is_this_server: true },
    stun_servers: ["stun:stun.example.org:3478"],
    ice_policy: "relay",
    relax_interests_after_ms: 200,
    relax_language_after_ms: 3_000,
    safety: { cover: "visitor", evidence_recipients: ["age1abc"] },
  });
  const none = { cover: "visitor", evidence_recipients: null };
  expect(readSite({ ...answer, safety: {} })?.safety).toEqual(none);
  expect(readSite({ ...answer, safety: undefined })?.safety).toEqual(none);
  expect(readSite({ ...answer, safety: { evidence_recipients: [] } })?.safety.evidence_recipients).toEqual(
    [],
  );
});

test.each([
  ["on", "on"],
  ["off", "off"],
  ["visitor", "visitor"],
  ["sometimes", "visitor"],
  [undefined, "visitor"],
])("a_cover_of_%s_is_read_as_%s", (given, read) => {
  expect(readSite({ ...answer, safety: { cover: given } })?.safety.cover).toBe(read);
});

test.each([null, 5, "no", {}, { relay: {} }, { ...answer, stun_servers: "none" }])(
  "%j says nothing",
  (given) => {
    expect(readSite(given)).toBeNull();
  },
);

test("a_stun_server_on_the_sites_own_host_is_nobody_elses", () => {
  expect(ownStun("stun:Chat.example:3478", "chat.example")).toBe(true);
  expect(ownStun("stun:stun.example:3478", "chat.example")).toBe(false);
  expect(ownStun("stun:[2001:db8::1]:3478", "[2001:db8::1]")).toBe(true);
});
