// What the visitor reads in every state: the one place where states become sentences. Tests of other people
// rely on the status: "Looking" while searching, "Connected" in a call, and those letters in no other state,
// which is why nothing that a stranger or a server wrote is ever put into it outside a call.
import type {
  CallQuality,
  ChatKind,
  ChatState,
  LeftReason,
  MatchInfo,
  StrangerDevices,
  UnsentReason,
  Wishes,
} from "@visavis/client";
import type { Site } from "$lib/site/settings";
import { interestName, languageName } from "./wishes";

/** The text of the status line; of an error, until the words for it have come (see troubles.ts). Short: it is read aloud at every change. */
export function statusWords(state: ChatState): string {
  switch (state.name) {
    case "idle":
      return "Ready when you are.";
    case "permission":
      return state.wishes.kind === "audio"
        ? "Your browser is asking for your microphone. Please allow it."
        : "Your browser is asking for your camera and microphone. Please allow both.";
    case "waiting":
      return "Looking for someone…";
    case "connecting":
      return "Found someone. Starting the call…";
    case "connected":
      if (state.signaling === "away") return "Connected. The server is away, but your call goes on.";
      return state.partner === "away"
        ? "Connected. The stranger is reconnecting, but your call goes on."
        : "Connected.";
    case "reconnecting":
      return RECONNECTING[state.cause];
    case "ended":
      return leftWords(state.reason);
    case "error":
      return "Something went wrong.";
  }
}

const RECONNECTING = {
  media: "The connection dropped. Reconnecting…",
  server: "The server does not answer. Trying again…",
  partner: "The stranger’s line broke. Giving them a moment…",
} as const;

/**
 * What follows the status, heard once: how many others there are while waiting, what is shared in a call. A count that
 * goes up and down must not be read aloud each time: the page hands in the first of a search.
 */
export function statusDetail(state: ChatState, firstOnline: number | null = null): string {
  if (state.name === "waiting") return firstOnline === null ? "" : othersWords(firstOnline);
  return state.name === "connected" ? sharedWords(state.match) : "";
}

/** The server counts everybody who is here; that includes the one who reads this. */
export function othersWords(online: number): string {
  const others = Math.max(0, online - 1);
  if (others === 0) return "You are the only one here right now.";
  return `${others.toLocaleString("en")} ${others === 1 ? "other" : "others"} here now.`;
}

/** How long it will take, or nothing where that would be made up: alone, one waits for somebody to come. */
export function estimateWords(online: number | null, estimateMs: number | null): string {
  if (online !== null && online <= 1) return "You will meet the next person who comes.";
  return estimateMs === null ? "" : `It should take about ${durationWords(estimateMs)}.`;
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
      return "Nobody sees or hears you until you are with a stranger.";
    case "ended":
      return "Press Next to meet someone else.";
    case "reconnecting":
      return state.match === null ? "Your search goes on as soon as the server is back." : null;
    default:
      return null;
  }
}

/** What a talk without a picture begins with; a picture needs no words. */
export function openingWords(kind: ChatKind): string | null {
  return { video: null, audio: "You can hear each other. Say hello!", text: "Someone is here. Say hello!" }[
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
  blocked: "You blocked this stranger.",
  server: "The server ended this chat.",
  silent: "The connection to the stranger could not be made.",
  page_left: "You left this page, and that ended your chat.",
};

export function leftWords(reason: LeftReason): string {
  return LEFT[reason];
}

const QUIET_MS = 4_000;

/** What is being relaxed after waiting this long, or null while nothing is. */
export function relaxingWords(
  wishes: Wishes,
  waitedMs: number,
  /** When the server stops insisting on shared wishes. */
  after: Pick<Site, "relax_interests_after_ms" | "relax_language_after_ms">,
): string | null {
  const interests = (wishes.interests?.length ?? 0) > 0 && !wishes.pin?.includes("interests");
  const languages = (wishes.languages?.length ?? 0) > 0 && !wishes.pin?.includes("language");
  if (languages && waitedMs >= after.relax_language_after_ms)
    return "No match for your wishes yet, so now it can be anyone.";
  if (interests && waitedMs >= after.relax_interests_after_ms) {
    return languages
      ? "Nobody with your interests is free, so now a shared language is enough."
      : "Nobody with your interests is free, so now it can be anyone.";
  }
  const nothingWished = !wishes.interests?.length && !wishes.languages?.length;
  return nothingWished && waitedMs >= QUIET_MS ? "It is quiet right now. This may take a moment." : null;
}

/** `0.3 s`, to a tenth; never `0.0 s`, which nobody would believe. */
export function secondsWords(elapsedMs: number): string {
  return `${Math.max(0.1, elapsedMs / 1000).toFixed(1)} s`;
}

export function pathWords(path: "direct" | "relay"): string {
  return path === "direct" ? "direct" : "relayed";
}

/** The numbers of a call, in sentences. */
export function callWords(
  { elapsedMs, path }: Pick<Extract<ChatState, { name: "connected" }>, "elapsedMs" | "path">,
  quality: CallQuality | null,
): string {
  const said = [`This chat was ready ${secondsWords(elapsedMs)} after you two were matched.`];
  if (path === "direct") said.push("It goes straight from your browser to the stranger’s.");
  if (path === "relay") said.push("It goes through a relay, which passes it on encrypted.");
  if (quality !== null) {
    const there = quality.roundTripMs;
    const time = there === null ? "" : `: ${Math.round(there)} ms to the stranger and back`;
    said.push(`Its quality is ${quality.level}${time}.`);
  }
  return said.join(" ");
}

const UNSENT: Partial<Record<UnsentReason, string>> = {
  too_fast: "Not sent: too fast.",
  too_large: "Not sent: too long.",
  lost: "Not sent: the connection broke.",
  bad_json: "Not sent: the server cannot read it.",
  bad_field: "Not sent: the server cannot read it.",
  not_matched: "Not sent: the stranger is gone.",
};

export function unsentWords(reason: UnsentReason): string {
  return UNSENT[reason] ?? "Not sent: the server refused it.";
}

const STRANGERS_MICROPHONE: Partial<Record<StrangerDevices["microphone"], string>> = {
  off: "Their microphone is muted.",
  lost: "Their microphone does not work right now.",
  unsupported: "Your two browsers share no sound format, so you cannot hear them.",
};
const STRANGERS_CAMERA: Partial<Record<StrangerDevices["camera"], string>> = {
  off: "Their camera is off.",
  lost: "Their camera does not work right now.",
  unsupported: "Your two browsers share no video format, so you cannot see them.",
};

/** Why the stranger cannot be heard, or seen; null where they can, or where nothing was told. */
export function strangerDeviceWords(devices: StrangerDevices | null): {
  microphone: string | null;
  camera: string | null;
} {
  return {
    microphone: (devices && STRANGERS_MICROPHONE[devices.microphone]) ?? null,
    camera: (devices && STRANGERS_CAMERA[devices.camera]) ?? null,
  };
}
