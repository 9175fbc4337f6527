// What the client is at, and how the page is told. Pure.

import type { Call } from "./call.js";
import type { ClientError } from "./errors.js";
import type { ChatState, LeftReason, MatchInfo, Signaling, Wishes } from "./types.js";

export type Activity =
  | { name: "idle" }
  | { name: "permission" }
  | { name: "searching"; sinceMs: number; online: number | null; estimateMs: number | null }
  | { name: "call"; call: Call; health: CallHealth; partner: Signaling }
  | { name: "ended"; match: MatchInfo; reason: LeftReason }
  | { name: "error"; error: ClientError };

export type CallHealth =
  | { name: "connecting" }
  | { name: "connected"; path: "direct" | "relay" | null; elapsedMs: number }
  | { name: "interrupted" };

export function chatState(
  activity: Activity,
  wishes: Wishes | null,
  away: { retryAtMs: number | null } | null,
): ChatState {
  if (activity.name === "error") return { ...activity, wishes };
  if (activity.name === "idle" || !wishes) return { name: "idle" };
  switch (activity.name) {
    case "searching":
      if (away) return { name: "reconnecting", wishes, cause: "server", match: null, ...away };
      return { ...activity, name: "waiting", wishes };
    case "call":
      return callState(activity, wishes, away);
    case "permission":
    case "ended":
      return { ...activity, wishes };
  }
}

function callState(
  { call, health, partner }: Extract<Activity, { name: "call" }>,
  wishes: Wishes,
  away: { retryAtMs: number | null } | null,
): ChatState {
  const { match } = call;
  const broken = (cause: "media" | "partner"): ChatState => {
    return { name: "reconnecting", wishes, cause, match, retryAtMs: null };
  };
  const byServer = match.kind === "text";
  if (byServer && away) return { name: "reconnecting", wishes, cause: "server", match, ...away };
  // A stranger whose picture still moves is there, whatever became of their socket.
  if (partner === "away" && (byServer || health.name !== "connected")) return broken("partner");
  switch (health.name) {
    case "connecting":
      return { ...health, wishes, match };
    case "connected":
      return { ...health, wishes, match, signaling: away ? "away" : "open", partner };
    case "interrupted":
      return broken("media");
  }
}

/** By value at the first level: wishes and matches are compared by identity. */
export function sameState(a: ChatState, b: ChatState): boolean {
  const entries = Object.entries(a);
  const other = b as unknown as Record<string, unknown>;
  return entries.length === Object.keys(b).length && entries.every(([key, value]) => value === other[key]);
}
