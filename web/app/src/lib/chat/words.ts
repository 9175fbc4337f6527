// What the visitor reads in every state: the one place where states become sentences. Tests of other people
// rely on the status: "Looking" while searching, "Connected" in a call, and those letters in no other state,
// which is why nothing that a stranger or a server wrote is ever put into it outside a call.
import type {
  ChatKind,
  ChatState,
  ErrorReason,
  LeftReason,
  MatchInfo,
  VisavisError,
  Wishes,
} from "@visavis/client";
import { interestName, languageName } from "./wishes";

/** The text of the status line. Short: it is read aloud at every change. */
export function statusWords(state: ChatState): string {
  switch (state.name) {
    case "idle":
      return "Ready when you are.";
    case "permission":
      return state.wishes.kind === "audio"
        ? "Your browser asks for the microphone. Please allow it."
        : "Your browser asks for camera and microphone. Please allow them.";
    case "waiting":
      return "Looking for someone…";
    case "connecting":
      return "Found someone. Saying hello…";
    case "connected":
      if (state.signaling === "away") return "Connected. The server is away, the call goes on.";
      return state.partner === "away"
        ? "Connected. The stranger is reconnecting, the call goes on."
        : "Connected.";
    case "reconnecting":
      return RECONNECTING[state.cause];
    case "ended":
      return leftWords(state.reason);
    case "error":
      return troubleOf(state.error, state.wishes?.kind ?? "video").title;
  }
}

const RECONNECTING = {
  media: "The line to the stranger broke. Reconnecting…",
  server: "The server does not answer. Trying again…",
  partner: "The stranger’s line broke. Waiting a moment for them…",
} as const;

/** What follows the status in smaller type: how things stand while waiting, what is shared in a call. */
export function statusDetail(state: ChatState): string {
  if (state.name === "waiting" && state.online !== null) {
    const here = `${state.online.toLocaleString("en")} here now`;
    return state.estimateMs === null ? here : `${here}, about ${durationWords(state.estimateMs)} to wait`;
  }
  return state.name === "connected" ? sharedWords(state.match) : "";
}

/** `3 s`, `2 min`: rounded up, so that nobody is promised too much. */
export function durationWords(ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  return seconds < 100 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}

/** A piece of a sentence. What people wrote stands by itself: it must not change the order of our words. */
export interface Piece {
  text: string;
  written: boolean;
}

/** `You both like jazz. You both speak German.`, or nothing. */
export function sharedPieces(match: MatchInfo): Piece[] {
  const pieces: Piece[] = [];
  const ours = (text: string) => pieces.push({ text, written: false });
  const interests = match.sharedInterests.map(interestName).filter((name) => name !== "");
  interests.forEach((text, index) => {
    ours(index === 0 ? "You both like " : index < interests.length - 1 ? ", " : " and ");
    pieces.push({ text, written: true });
  });
  if (interests.length > 0) ours(".");
  if (match.language !== null) {
    ours(`${pieces.length > 0 ? " " : ""}You both speak ${languageName(match.language)}.`);
  }
  return pieces;
}

export function sharedWords(match: MatchInfo): string {
  return sharedPieces(match)
    .map(({ text }) => text)
    .join("");
}

/** What stands below the status where there is no picture yet, or no longer; null where nothing need be said. */
export function hintWords(state: ChatState): string | null {
  switch (state.name) {
    case "permission":
      return "Nothing is sent before you are with someone.";
    case "ended":
      return "Next finds somebody else.";
    case "reconnecting":
      return state.match === null ? "Your wishes are kept, the search goes on by itself." : null;
    default:
      return null;
  }
}

/** Whether the status is the main thing to see, and not a line above a picture or a talk. */
export function statusOnStage(state: ChatState): boolean {
  switch (state.name) {
    case "permission":
    case "waiting":
      return true;
    case "connecting":
    case "ended":
      return state.wishes.kind === "video";
    case "reconnecting":
      return state.match === null;
    default:
      return false;
  }
}

/** What a talk without a picture begins with; a picture needs no words. */
export function openingWords(kind: ChatKind): string | null {
  return { video: null, audio: "You hear each other. Say hello.", text: "Someone is there. Say hello." }[
    kind
  ];
}

/** `a`, `a and b`, `a, b and c`. */
export function list(items: readonly string[], word: "and" | "or"): string {
  if (items.length < 2) return items[0] ?? "";
  return `${items.slice(0, -1).join(", ")} ${word} ${items[items.length - 1]}`;
}

const LEFT: Record<LeftReason, string> = {
  next: "The stranger left for someone else.",
  stop: "The stranger left.",
  closed: "The stranger left.",
  lost: "The stranger’s line broke off.",
  blocked: "This stranger is gone for good: you two will not meet again.",
  server: "The server ended this talk.",
  silent: "The stranger could not be reached.",
  page_left: "You left this page, and that ended the talk.",
};

export function leftWords(reason: LeftReason): string {
  return LEFT[reason];
}

/** ASSUMES: the server's defaults for `lobby.relax_interests_after_ms` and `lobby.relax_language_after_ms`. */
const INTERESTS_RELAXED_MS = 1_500;
const LANGUAGE_RELAXED_MS = 3_000;
const QUIET_MS = 4_000;

/** What is being relaxed after waiting this long, or null while nothing is. */
export function relaxingWords(wishes: Wishes, waitedMs: number): string | null {
  const interests = (wishes.interests?.length ?? 0) > 0 && !wishes.pin?.includes("interests");
  const languages = (wishes.languages?.length ?? 0) > 0 && !wishes.pin?.includes("language");
  if (languages && waitedMs >= LANGUAGE_RELAXED_MS)
    return "Nobody like that is free. Whoever comes first will do.";
  if (interests && waitedMs >= INTERESTS_RELAXED_MS) {
    return languages
      ? "Nobody with these interests is free. A shared language will do."
      : "Nobody with these interests is free. Whoever comes first will do.";
  }
  const nothingWished = !wishes.interests?.length && !wishes.languages?.length;
  return nothingWished && waitedMs >= QUIET_MS ? "It is quiet just now. Whoever comes next will do." : null;
}

/** `0.3 s`, to a tenth; never `0.0 s`, which nobody would believe. */
export function secondsWords(elapsedMs: number): string {
  return `${Math.max(0.1, elapsedMs / 1000).toFixed(1)} s`;
}

export function pathWords(path: "direct" | "relay"): string {
  return path === "direct" ? "direct" : "relayed";
}

/** What a visitor can do about a trouble. Each has a button, see Notice.svelte. */
export type WayOn = "retry" | "audio" | "text" | "setup" | "reveal";

export interface Trouble {
  /** What happened, one sentence. */
  title: string;
  /** Why, and what mends it. What is to be typed as it stands is between backticks. */
  why: string;
  /** The first is the one to press. Never empty. */
  waysOn: WayOn[];
}

/** The words for an error, given what the visitor was trying to do. `enforced`: the site hides every address. */
export function troubleOf(
  error: Pick<VisavisError, "reason" | "retryAfterMs">,
  kind: ChatKind,
  enforced = false,
): Trouble {
  const trouble = TROUBLES[error.reason](kind, error.retryAfterMs);
  return {
    ...trouble,
    waysOn: trouble.waysOn.filter((way) => way !== kind && !(enforced && way === "reveal")),
  };
}

const TROUBLES: Record<ErrorReason, (kind: ChatKind, retryAfterMs: number | null) => Trouble> = {
  camera_denied: (kind) => ({
    title: `The browser may not use your ${devicesOf(kind)}.`,
    why:
      "Either you said no, or the system did. To change it, press the sign beside the address of this page, " +
      `allow ${devicesOf(kind)}, then try again. Nothing is sent before you are with someone.`,
    waysOn: ["retry", "text"],
  }),
  camera_missing: (kind) => ({
    title: `There is no ${kind === "audio" ? "microphone" : "camera or no microphone"} on this device.`,
    why:
      kind === "audio"
        ? "Plug one in and try again, or write instead."
        : "Plug one in and try again. With a microphone alone you can talk, with none you can write.",
    waysOn: kind === "audio" ? ["text", "retry"] : ["audio", "text", "retry"],
  }),
  camera_in_use: (kind) => ({
    title: `Another program is using your ${devicesOf(kind, "or")}.`,
    why: "A video meeting or another tab may hold it. Close that, then try again.",
    waysOn: ["retry", "audio", "text"],
  }),
  insecure_context: (kind) => ({
    title: `Over plain HTTP there is no ${devicesOf(kind, "or")}.`,
    why:
      "Browsers give camera and microphone only to pages that came over HTTPS, or from this very machine. " +
      "If you run this server, start it with `--tls-listen`, or with `make run-lan` to try it on a phone. " +
      "Text works as it is.",
    waysOn: ["text", "setup"],
  }),
  media_failed: (kind) => ({
    title: `The ${devicesOf(kind, "or")} did not start.`,
    why: "The browser gave no reason. Unplugging and plugging in, or closing other programs, often helps.",
    waysOn: ["retry", "audio", "text"],
  }),
  unsupported_browser: () => ({
    title: "This browser cannot make calls.",
    why: "It lacks WebRTC, or it is switched off. A recent Firefox, Chrome, Edge or Safari has it. Text works here too.",
    waysOn: ["text", "setup"],
  }),
  server_unreachable: () => ({
    title: "The server does not answer.",
    why: "Your network may be down, or the server is being restarted. That usually takes a few seconds.",
    waysOn: ["retry", "setup"],
  }),
  server_timeout: () => ({
    title: "The server takes too long.",
    why: "Your network may be very slow, or the server is busy. Try again in a moment.",
    waysOn: ["retry", "setup"],
  }),
  server_failed: () => ({
    title: "The site is there, but its chat server is not.",
    why: "It is probably being restarted, which takes a few seconds. If it stays away, tell whoever runs this site.",
    waysOn: ["retry", "setup"],
  }),
  socket_refused: () => ({
    title: "The site answers, but no connection opens.",
    why:
      "The server may be full, too many visits may come from your network, or something between you and the server lets no " +
      "WebSocket through. The page `/test` tells which.",
    waysOn: ["retry", "setup"],
  }),
  forbidden: () => ({
    title: "The server does not serve this page’s address.",
    why:
      "If you run this site: list the address with `--allow-origin`, and have the proxy pass `Host` on with its port. " +
      "The page `/api/origin` says what is missing.",
    waysOn: ["setup", "retry"],
  }),
  too_many: (_kind, retryAfterMs) => ({
    title: "Too many visits come from your network.",
    why:
      "The server admits only so many from one address. " +
      (retryAfterMs === null
        ? "Close other tabs of this site, or try again later."
        : `Close other tabs of this site, or try again in ${Math.ceil(retryAfterMs / 1000)} s.`),
    waysOn: ["retry", "setup"],
  }),
  webrtc_failed: () => ({
    title: "This browser does not start a call.",
    why:
      "It refuses the connection that a call needs. An extension or a setting may switch WebRTC off, or too many pages hold " +
      "calls: close some, or restart the browser. The page `/test` tells more. Text works as it is.",
    waysOn: ["retry", "text"],
  }),
  no_connectivity: () => ({
    title: "No stranger could be reached from here.",
    why:
      "Several in a row did not connect, so it is probably your network: a firewall or a VPN may block calls. " +
      "The page `/test` tells what is in the way. Text works as it is.",
    waysOn: ["retry", "text"],
  }),
  relay_unreachable: () => ({
    title: "No relay can be reached.",
    why:
      "Your address is to be hidden, which takes a relay; without one no call can come about. A firewall may be in " +
      "the way, or this site has none: the page `/test` tells which. If you run the site, turn on `turn.enabled`.",
    waysOn: ["reveal", "text", "retry"],
  }),
  refused: () => ({
    title: "The server turned this visit away.",
    why:
      "Too many visits may come from your network, or the operator closed the door. A later try may work; " +
      "if it never does, ask whoever runs this site.",
    waysOn: ["retry", "setup"],
  }),
  too_fast: (_kind, retryAfterMs) => ({
    title: "That was too fast.",
    why:
      retryAfterMs === null
        ? "The server keeps everybody to a human pace. Wait a moment, then go on."
        : `The server keeps everybody to a human pace. Go on in ${Math.ceil(retryAfterMs / 1000)} s.`,
    waysOn: ["retry", "setup"],
  }),
  invalid_argument: () => ({
    title: "Something in these wishes cannot be used.",
    why: "Shorter or fewer interests may do.",
    waysOn: ["setup", "retry"],
  }),
  destroyed: () => ({
    title: "This visit is over.",
    why: "Begin a new one.",
    waysOn: ["setup"],
  }),
};

function devicesOf(kind: ChatKind, word: "and" | "or" = "and"): string {
  return kind === "audio" ? "microphone" : `camera ${word} microphone`;
}
