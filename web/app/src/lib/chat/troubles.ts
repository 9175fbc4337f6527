// What went wrong, why, and the way on: in words. They load behind the form (see the page).
import type { ChatKind, ErrorReason, VisavisError } from "@visavis/client";
import type { Cause } from "./cause";
import { durationWords } from "./words";

/** What a visitor can do about a trouble. Each has a button, see Notice.svelte. */
export type WayOn = "retry" | "audio" | "text" | "setup" | "reveal" | "test";

export interface Trouble {
  /** What happened, one sentence. */
  title: string;
  /** Why, and what helps. What is to be typed as it stands is between backticks. */
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
    title: `The browser may not use your ${devicesOf(kind)}.`,
    why:
      "Either you or your system said no. To change that, click the icon next to this page’s address, allow " +
      `${devicesOf(kind)}, and try again. If they are allowed there, look at your system’s privacy settings.`,
    waysOn: ["retry", "text"],
  }),
  camera_missing: ({ kind }) => ({
    title: `There is no ${kind === "audio" ? "microphone" : "camera or no microphone"} on this device.`,
    why:
      kind === "audio"
        ? "Plug one in and try again, or write instead."
        : "Plug one in and try again. With just a microphone you can talk, and you can always write.",
    waysOn: kind === "audio" ? ["text", "retry"] : ["audio", "text", "retry"],
  }),
  camera_in_use: ({ kind }) => ({
    title: `Another program is using your ${devicesOf(kind, "or")}.`,
    why: "It may be a video meeting or another tab. Close that, then try again.",
    waysOn: ["retry", "audio", "text"],
  }),
  insecure_context: ({ kind }) => ({
    title: `Over plain HTTP there is no ${devicesOf(kind, "or")}.`,
    why:
      "Browsers allow camera and microphone only on pages that came over HTTPS, or from this very machine. " +
      "If you run this server, start it with `--tls-listen`, or with `make run-lan` to try it on a phone. " +
      "Text works as it is.",
    waysOn: ["text", "setup"],
  }),
  media_failed: ({ kind }) => ({
    title: `Your ${devicesOf(kind, "or")} did not start.`,
    why: "The browser did not say why. Unplug it and plug it in again, or close other programs, and try again.",
    waysOn: ["retry", "audio", "text"],
  }),
  unsupported_browser: () => ({
    title: "This browser cannot make calls.",
    why:
      "WebRTC is missing or switched off, perhaps by an extension. A recent Firefox, Chrome, Edge or Safari has it. " +
      "You can still write.",
    waysOn: ["text", "test"],
  }),
  server_unreachable: () => ({
    title: "The server does not answer.",
    why: "It may be restarting, which takes a few seconds, or your network may be down.",
    waysOn: ["retry", "test"],
  }),
  server_timeout: () => ({
    title: "The server takes too long to answer.",
    why: "It may be very busy, or your connection very slow. Try again in a moment.",
    waysOn: ["retry", "test"],
  }),
  server_failed: () => ({
    title: "The chat server is down right now.",
    why:
      "The site itself answers, but the chat server behind it does not. It is probably being restarted, which takes a few " +
      "seconds. If this lasts, tell whoever runs this site.",
    waysOn: ["retry", "setup"],
  }),
  socket_refused: () => ({
    title: "Something blocks the chat connection.",
    why:
      "The site answers, but the connection that a chat needs does not open. The server may be full, or a firewall, a proxy " +
      "or a VPN may be in the way: the connection test shows more.",
    waysOn: ["retry", "test"],
  }),
  forbidden: ({ message }) => ({
    title: "The server does not accept this page.",
    why:
      "It takes the page for one of another site, most likely because a proxy in front of it changes the address. Only " +
      `whoever runs this site can fix that. What the server says: ${sentence(message)}`,
    waysOn: ["retry", "test"],
  }),
  too_many: ({ retryAfterMs }) => ({
    title: "Too many visitors are coming from your network.",
    why:
      "The server takes only so many from one network at a time. Close other tabs of this site, or try again " +
      `${retryAfterMs === null ? "in a minute" : `in ${durationWords(retryAfterMs)}`}.`,
    waysOn: ["retry", "setup"],
  }),
  webrtc_failed: () => ({
    title: "This browser cannot start a call.",
    why:
      "It refuses the connection that a call needs. WebRTC may be switched off, perhaps by an extension, or too many tabs " +
      "hold calls: close some, or restart the browser. You can still write.",
    waysOn: ["retry", "test", "text"],
  }),
  no_connectivity: () => ({
    title: "No stranger could be reached from here.",
    why:
      "Several calls in a row did not connect, so it is probably your network: a firewall or a VPN may block calls. The " +
      "connection test shows what is in the way. You can still write.",
    waysOn: ["test", "retry", "text"],
  }),
  relay_unreachable: () => ({
    title: "No relay can be reached.",
    why:
      "Hiding your address takes a relay, and none answers. Your network may block it, or this site may have none: the " +
      "connection test shows which. If you run this site, turn its relay on with `turn.enabled`.",
    waysOn: ["retry", "test", "text", "reveal"],
  }),
  refused: () => ({
    title: "The server turned you away.",
    why:
      "There may be too many visitors from your network, or the operator closed the door. Try again later. " +
      "If that never helps, ask whoever runs this site.",
    waysOn: ["retry", "setup"],
  }),
  too_fast: ({ retryAfterMs }) => ({
    title: "That was too fast.",
    why:
      retryAfterMs === null
        ? "The server limits how fast anyone can go. Wait a moment, then go on."
        : `The server limits how fast anyone can go. You can go on in ${Math.ceil(retryAfterMs / 1000)} s.`,
    waysOn: ["retry", "setup"],
  }),
  invalid_argument: () => ({
    title: "The server does not take these wishes.",
    why: "Go back and try shorter interests, or fewer of them.",
    waysOn: ["setup", "retry"],
  }),
  destroyed: () => ({
    title: "This visit is over.",
    why: "Something ended it from inside the page. You can start a new one.",
    waysOn: ["setup"],
  }),
};

const CAUSES: Record<Cause, (circumstances: Circumstances) => Trouble> = {
  offline: () => ({
    title: "You are offline.",
    why: "This device has no network right now. Check your Wi-Fi or mobile data, then try again.",
    waysOn: ["retry", "setup"],
  }),
  full: () => ({
    title: "There is no room right now.",
    why: "The server has taken as many visitors as it can, or is about to restart. Try again in a minute.",
    waysOn: ["retry", "setup"],
  }),
  tooMany: TROUBLES.too_many,
  failed: TROUBLES.server_failed,
  forbidden: () => ({
    title: "The chat connection is refused.",
    why:
      "The site answers, but a firewall or a proxy on the way forbids the connection that a chat needs (error 403). Another " +
      "network may help.",
    waysOn: ["retry", "test"],
  }),
};

/** The server's own words, as a sentence, and no longer than fits. */
function sentence(message: string): string {
  const cut = message.slice(0, 500).trim();
  return /[.!?]$/.test(cut) ? cut : `${cut}.`;
}

function devicesOf(kind: ChatKind, word: "and" | "or" = "and"): string {
  return kind === "audio" ? "microphone" : `camera ${word} microphone`;
}
