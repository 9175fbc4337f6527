import type { ChatKind, ChatState, ErrorReason, LeftReason, MatchInfo, VisavisError } from "@visavis/client";
import { describe, expect, test } from "vitest";
import {
  leftWords,
  list,
  relaxingWords,
  secondsWords,
  sharedWords,
  statusDetail,
  statusWords,
  troubleOf,
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
  const match: MatchInfo = { id: "m1", kind, sharedInterests: ["connected"], language: "en" };
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
    expect(troubleOf(error(reason), kind, true).waysOn).not.toContain("reveal");
  });
});

test("the_online_count_is_in_the_wait", () => {
  const wishes = { kind: "video" as const };
  const state: ChatState = { name: "waiting", wishes, sinceMs: 0, online: 1312, estimateMs: null };
  expect(statusWords(state)).toBe("Looking for someone…");
  expect(statusDetail(state)).toBe("1,312 here now");
  expect(statusDetail({ ...state, estimateMs: 2_100 })).toBe("1,312 here now, about 3 s to wait");
  expect(statusDetail({ ...state, estimateMs: 10 })).toBe("1,312 here now, about 1 s to wait");
  expect(statusDetail({ ...state, estimateMs: 150_000 })).toBe("1,312 here now, about 3 min to wait");
});

test("a_match_names_what_is_shared", () => {
  const match: MatchInfo = { id: "m", kind: "video", sharedInterests: ["jazz", "chess"], language: "de" };
  expect(sharedWords(match)).toBe("You both like jazz and chess. You both speak German.");
  expect(sharedWords({ ...match, sharedInterests: [], language: null })).toBe("");
});

test("every_way_of_leaving_has_a_sentence", () => {
  for (const reason of LEFT_REASONS) expect(leftWords(reason)).toMatch(/\.$/);
});

test("relaxing_is_told_step_by_step_and_pinned_wishes_are_never_relaxed", () => {
  const wishes = { kind: "video" as const, interests: ["jazz"], languages: ["de"] };
  expect(relaxingWords(wishes, 1_400)).toBeNull();
  expect(relaxingWords(wishes, 1_500)).toContain("language will do");
  expect(relaxingWords(wishes, 3_000)).toContain("Whoever comes first");
  expect(relaxingWords({ ...wishes, pin: ["interests", "language"] }, 60_000)).toBeNull();
  expect(relaxingWords({ ...wishes, languages: [] }, 5_000)).toContain("Whoever comes first");
});

test("lists_read_like_sentences", () => {
  expect(list([], "or")).toBe("");
  expect(list(["a"], "or")).toBe("a");
  expect(list(["a", "b", "c"], "or")).toBe("a, b or c");
});

test("seconds_are_rounded_to_a_tenth", () => {
  expect(secondsWords(312)).toBe("0.3 s");
  expect(secondsWords(4)).toBe("0.1 s");
});
