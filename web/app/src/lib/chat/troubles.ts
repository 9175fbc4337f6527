// What went wrong, why, and the way on: in words. They load behind the form (see the page).
import type { ChatKind, ErrorReason, VisavisError } from "@visavis/client";
import { m } from "$lib/messages.svelte";
import type { Cause } from "./cause";
import { durationWords } from "./words";

/** What a visitor can do about a trouble. Each has a button, see Notice.svelte. */
export type WayOn = "retry" | "audio" | "text" | "setup" | "reveal" | "test";

export interface Trouble {
  /** What happened, one sentence. */
  title: string;
  /** Why, and what helps, with its tags (see Rich.svelte). */
  why: string;
  /** The first is the one to press. Never empty. */
  waysOn: WayOn[];
}

interface Circumstances {
  kind: ChatKind;
  retryAfterMs: number | null;
  /** Of the error: the server's own words, where it gave any. */
  message: string;
  /** What the page found out by itself of a site that answers while its socket does not open. */
  cause: Cause | null;
}

/** The words for an error, given what the visitor was trying to do. `enforced`: the site hides every address. */
export function troubleOf(
  error: Pick<VisavisError, "reason" | "retryAfterMs" | "message">,
  kind: ChatKind,
  enforced = false,
  cause: Cause | null = null,
): Trouble {
  const trouble = (cause === null ? TROUBLES[error.reason] : CAUSES[cause])({
    kind,
    retryAfterMs: error.retryAfterMs,
    message: error.message,
    cause,
  });
  return {
    ...trouble,
    waysOn: trouble.waysOn.filter((way) => way !== kind && !(enforced && way === "reveal")),
  };
}

const TROUBLES: Record<ErrorReason, (circumstances: Circumstances) => Trouble> = {
  camera_denied: ({ kind }) => ({
    title: m.talk.camera_denied({ kind }),
    why: m.talk.camera_denied_why({ kind }),
    waysOn: ["retry", "text"],
  }),
  camera_missing: ({ kind }) => ({
    title: m.talk.camera_missing({ kind }),
    why: m.talk.camera_missing_why({ kind }),
    waysOn: kind === "audio" ? ["text", "retry"] : ["audio", "text", "retry"],
  }),
  camera_in_use: ({ kind }) => ({
    title: m.talk.camera_in_use({ kind }),
    why: m.talk.camera_in_use_why(),
    waysOn: ["retry", "audio", "text"],
  }),
  insecure_context: ({ kind }) => ({
    title: m.talk.insecure({ kind }),
    why: m.talk.insecure_why(),
    waysOn: ["text", "setup"],
  }),
  media_failed: ({ kind }) => ({
    title: m.talk.media_failed({ kind }),
    why: m.talk.media_failed_why(),
    waysOn: ["retry", "audio", "text"],
  }),
  unsupported_browser: () => ({
    title: m.talk.unsupported(),
    why: m.talk.unsupported_why(),
    waysOn: ["text", "test"],
  }),
  offline: () => ({
    title: m.talk.offline(),
    why: m.talk.offline_why(),
    waysOn: ["retry", "setup"],
  }),
  server_unreachable: () => ({
    title: m.talk.unreachable(),
    why: m.talk.unreachable_why(),
    waysOn: ["retry", "test"],
  }),
  server_timeout: () => ({
    title: m.talk.timeout(),
    why: m.talk.timeout_why(),
    waysOn: ["retry", "test"],
  }),
  server_failed: () => ({
    title: m.talk.server_failed(),
    why: m.talk.server_failed_why(),
    waysOn: ["retry", "setup"],
  }),
  socket_refused: () => ({
    title: m.talk.socket_refused(),
    why: m.talk.socket_refused_why(),
    waysOn: ["retry", "test"],
  }),
  forbidden: ({ message }) => ({
    title: m.talk.forbidden(),
    why: m.talk.forbidden_why({ said: sentence(message) }),
    waysOn: ["retry", "test"],
  }),
  too_many: ({ retryAfterMs }) => ({
    title: m.talk.too_many(),
    why:
      retryAfterMs === null
        ? m.talk.too_many_why()
        : m.talk.too_many_why_time({ duration: durationWords(retryAfterMs) }),
    waysOn: ["retry", "setup"],
  }),
  webrtc_failed: () => ({
    title: m.talk.webrtc_failed(),
    why: m.talk.webrtc_failed_why(),
    waysOn: ["retry", "test", "text"],
  }),
  no_connectivity: () => ({
    title: m.talk.no_connectivity(),
    why: m.talk.no_connectivity_why(),
    waysOn: ["test", "retry", "text"],
  }),
  relay_unreachable: () => ({
    title: m.talk.no_relay(),
    why: m.talk.no_relay_why(),
    waysOn: ["retry", "test", "text", "reveal"],
  }),
  refused: () => ({
    title: m.talk.refused(),
    why: m.talk.refused_why(),
    waysOn: ["retry", "setup"],
  }),
  too_fast: ({ retryAfterMs }) => ({
    title: m.talk.too_fast(),
    why:
      retryAfterMs === null
        ? m.talk.too_fast_why()
        : m.talk.too_fast_why_time({ seconds: Math.ceil(retryAfterMs / 1000) }),
    waysOn: ["retry", "setup"],
  }),
  invalid_argument: () => ({
    title: m.talk.invalid(),
    why: m.talk.invalid_why(),
    waysOn: ["setup", "retry"],
  }),
  destroyed: () => ({
    title: m.talk.destroyed(),
    why: m.talk.destroyed_why(),
    waysOn: ["setup"],
  }),
};

const CAUSES: Record<Cause, (circumstances: Circumstances) => Trouble> = {
  full: () => ({
    title: m.talk.full(),
    why: m.talk.full_why(),
    waysOn: ["retry", "setup"],
  }),
  tooMany: TROUBLES.too_many,
  failed: TROUBLES.server_failed,
  forbidden: () => ({
    title: m.talk.proxy(),
    why: m.talk.proxy_why(),
    waysOn: ["retry", "test"],
  }),
};

/** The server's own words, as a sentence, and no longer than fits. */
function sentence(message: string): string {
  const cut = message.slice(0, 500).trim();
  return /[.!?]$/.test(cut) ? cut : `${cut}.`;
}
