import type { ChatKind, ChatState, ErrorReason, LeftReason, MatchInfo, VisavisError } from "@visavis/client";
import { describe, expect, test } from "vitest";
import { m } from "$lib/messages.svelte";
import type { Cause } from "./cause";
import { troubleOf } from "./troubles";
import {
  estimateWords,
  leftWords,
  list,
  othersWords,
  relaxingWords,
  sharedWords,
  shownSeconds,
  statusDetail,
  statusWords,
  strangerDeviceWords,
  unsentWords,
} from "./words";

const KINDS: ChatKind[] = ["video", "audio", "text"];
const LEFT_REASONS: LeftReason[] = [
  "next",
  "stop",
  "closed",
  "lost",
  "blocked",
  "server",
  "silent",
  "page_left",
];
const ERROR_REASONS: ErrorReason[] = [
  "camera_denied",
  "camera_missing",
  "camera_in_use",
  "insecure_context",
  "media_failed",
  "unsupported_browser",
  "server_unreachable",
  "server_timeout",
  "server_failed",
  "socket_refused",
  "forbidden",
  "too_many",
  "webrtc_failed",
  "no_connectivity",
  "relay_unreachable",
  "refused",
  "too_fast",
  "invalid_argument",
  "destroyed",
];

function error(reason: ErrorReason, retryAfterMs: number | null = null): VisavisError {
  return Object.assign(new Error("connected"), { reason, retry: true, retryAfterMs });
}

/** Every state there is, with an interest chosen to trip the rule about the letters. */
function statesOf(kind: ChatKind): ChatState[] {
  const wishes = { kind, interests: ["connected"], languages: ["en"] };
  const match: MatchInfo = {
    id: "m1",
    kind,
    sharedInterests: ["connected"],
    language: "en",
    reportable: true,
  };
  return [
    { name: "idle" },
    { name: "permission", wishes },
    { name: "waiting", wishes, sinceMs: 0, online: null, estimateMs: null },
    { name: "waiting", wishes, sinceMs: 0, online: 312, estimateMs: 900 },
    { name: "connecting", wishes, match },
    { name: "connected", wishes, match, path: "direct", elapsedMs: 300, signaling: "open", partner: "open" },
    { name: "connected", wishes, match, path: "relay", elapsedMs: 300, signaling: "open", partner: "away" },
    { name: "connected", wishes, match, path: null, elapsedMs: 300, signaling: "away", partner: "away" },
    ...(["media", "server", "partner"] as const).flatMap((cause): ChatState[] => [
      { name: "reconnecting", wishes, cause, match, retryAtMs: null },
      { name: "reconnecting", wishes, cause, match: null, retryAtMs: 5_000 },
    ]),
    ...LEFT_REASONS.map((reason): ChatState => ({ name: "ended", wishes, match, reason })),
    ...ERROR_REASONS.flatMap((reason): ChatState[] => [
      { name: "error", wishes, error: error(reason) },
      { name: "error", wishes: null, error: error(reason, 1_500) },
    ]),
  ];
}

describe.each(KINDS)("status of a %s chat", (kind) => {
  test.each(statesOf(kind).map((state) => [state.name, state] as const))(
    "%s has a sentence",
    (_name, state) => {
      expect(statusWords(state)).toMatch(/^[A-Z].*(\.|…)$/);
    },
  );

  test("says_connected_in_a_call_and_has_these_letters_nowhere_else", () => {
    for (const state of statesOf(kind)) {
      const status = `${statusWords(state)} ${statusDetail(state)}`;
      expect(/connected/i.test(status), status).toBe(state.name === "connected");
    }
  });

  test("says_looking_while_searching_and_nowhere_else", () => {
    for (const state of statesOf(kind)) {
      const status = `${statusWords(state)} ${statusDetail(state)}`;
      expect(status.includes("Looking"), status).toBe(state.name === "waiting");
    }
  });

  test.each(ERROR_REASONS)("%s says why and has a way on that differs from what failed", (reason) => {
    const trouble = troubleOf(error(reason, 1_500), kind);
    expect(trouble.title).toMatch(/\.$/);
    expect(trouble.why).toMatch(/\.$/);
    expect(trouble.waysOn.length).toBeGreaterThan(0);
    expect(trouble.waysOn).not.toContain(kind);
    expect(trouble.title).not.toMatch(/looking|connected/i);
    expect(troubleOf(error(reason), kind, true).waysOn).not.toContain("reveal");
  });
});

test("the_others_are_counted_without_the_one_who_reads_it", () => {
  const wishes = { kind: "video" as const };
  const state: ChatState = { name: "waiting", wishes, sinceMs: 0, online: 1312, estimateMs: null };
  expect(statusWords(state)).toBe("Looking for someone…");
  expect(statusDetail(state)).toBe("");
  expect(statusDetail(state, 1312)).toBe("1,311 others here now.");
  expect(othersWords(2)).toBe("1 other here now.");
  expect(othersWords(1)).toBe("You are the only one here right now.");
});

test("nobody_is_promised_a_time_that_was_made_up", () => {
  expect(estimateWords(312, 2_100)).toBe("It should take about 3 s.");
  expect(estimateWords(312, 10)).toBe("It should take about 1 s.");
  expect(estimateWords(312, 150_000)).toBe("It should take about 3 min.");
  expect(estimateWords(312, null)).toBe("");
  expect(estimateWords(1, 2_100)).toBe("You will meet the next person who comes.");
});

test("a_match_names_what_is_shared", () => {
  const match: MatchInfo = {
    id: "m",
    kind: "video",
    sharedInterests: ["jazz", "chess"],
    language: "de",
    reportable: true,
  };
  expect(sharedWords(match)).toBe("You both like jazz and chess. You both speak German.");
  expect(sharedWords({ ...match, sharedInterests: [], language: null })).toBe("");
});

test("every_way_of_leaving_has_a_sentence", () => {
  for (const reason of LEFT_REASONS) expect(leftWords(reason)).toMatch(/\.$/);
});

test("relaxing_is_told_step_by_step_and_pinned_wishes_are_never_relaxed", () => {
  const wishes = { kind: "video" as const, interests: ["jazz"], languages: ["de"] };
  const relaxing = { relax_interests_after_ms: 1_500, relax_language_after_ms: 3_000 };
  expect(relaxingWords(wishes, 1_400, relaxing)).toBeNull();
  expect(relaxingWords(wishes, 1_500, relaxing)).toContain("language is enough");
  expect(relaxingWords(wishes, 3_000, relaxing)).toContain("anyone");
  expect(relaxingWords({ ...wishes, pin: ["interests", "language"] }, 60_000, relaxing)).toBeNull();
  expect(relaxingWords({ ...wishes, languages: [] }, 5_000, relaxing)).toContain("anyone");
  const patient = { relax_interests_after_ms: 20_000, relax_language_after_ms: 60_000 };
  expect(relaxingWords(wishes, 19_000, patient)).toBeNull();
  expect(relaxingWords(wishes, 20_000, patient)).toContain("language is enough");
  expect(relaxingWords(wishes, 60_000, patient)).toContain("anyone");
});

test("lists_read_like_sentences", () => {
  expect(list([])).toBe("");
  expect(list(["a"])).toBe("a");
  expect(list(["a", "b", "c"])).toBe("a, b or c");
});

test("seconds_are_rounded_to_a_tenth", () => {
  expect(m.talk.ready_in({ seconds: shownSeconds(312) })).toBe("Ready in 0.3 s");
  expect(m.talk.ready_in({ seconds: shownSeconds(4) })).toBe("Ready in 0.1 s");
});

test("where_no_relay_can_be_reached_the_first_way_on_keeps_the_address_hidden", () => {
  const { waysOn } = troubleOf(error("relay_unreachable"), "video");
  expect(waysOn[0]).toBe("retry");
  expect(waysOn).toContain("test");
  expect(waysOn.at(-1)).toBe("reveal");
});

test("each_way_in_which_the_server_cannot_be_reached_reads_differently", () => {
  const causes: Cause[] = ["full", "forbidden"];
  const reasons: ErrorReason[] = [
    "offline",
    "server_unreachable",
    "server_timeout",
    "server_failed",
    "socket_refused",
    "forbidden",
    "too_many",
    "refused",
    "too_fast",
  ];
  const troubles = [
    ...reasons.map((reason) => troubleOf(error(reason), "video")),
    ...causes.map((cause) => troubleOf(error("socket_refused"), "video", false, cause)),
  ];
  expect(new Set(troubles.map(({ title }) => title)).size).toBe(troubles.length);
  for (const { title, why, waysOn } of troubles) {
    expect(title).toMatch(/\.$/);
    expect(why).toMatch(/\.$/);
    expect(waysOn[0]).toBe("retry");
  }
});

test("what_the_server_says_of_a_page_that_it_refuses_is_passed_on", () => {
  const refused = Object.assign(error("forbidden"), { message: "the Host lacks the port 8443" });
  expect(troubleOf(refused, "text").why).toContain("the Host lacks the port 8443.");
});

test("a_text_that_did_not_arrive_names_its_true_reason", () => {
  expect(unsentWords("too_fast")).toBe("Not sent: too fast.");
  expect(unsentWords("lost")).toBe("Not sent: the connection broke.");
  expect(unsentWords("bad_field")).not.toContain("fast");
  expect(unsentWords("unknown_type")).toBe("Not sent: the server refused it.");
});

test("what_the_stranger_cannot_send_is_said_and_nothing_else", () => {
  expect(strangerDeviceWords(null)).toEqual({ microphone: null, camera: null });
  expect(strangerDeviceWords({ microphone: "on", camera: "none" })).toEqual({
    microphone: null,
    camera: null,
  });
  expect(strangerDeviceWords({ microphone: "off", camera: "off" })).toEqual({
    microphone: "Their microphone is muted.",
    camera: "Their camera is off.",
  });
  expect(strangerDeviceWords({ microphone: "lost", camera: "unsupported" }).camera).toContain(
    "no video format",
  );
});
