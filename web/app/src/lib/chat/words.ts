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
import { locale, m } from "$lib/messages.svelte";
import { piecesOf } from "$lib/rich";
import type { Site } from "$lib/site/settings";
import { interestName, languageName } from "./wishes";

/** The text of the status line; of an error, until the words for it have come (see troubles.ts). Short: it is read aloud at every change. */
export function statusWords(state: ChatState): string {
  switch (state.name) {
    case "idle":
      return m.chat.ready();
    case "permission":
      return m.talk.permission({ kind: state.wishes.kind });
    case "waiting":
      return m.talk.looking();
    case "connecting":
      return m.talk.found();
    case "connected":
      if (state.signaling === "away") return m.talk.connected_server_away();
      return state.partner === "away" ? m.talk.connected_stranger_away() : m.talk.connected();
    case "reconnecting":
      return RECONNECTING[state.cause]();
    case "ended":
      return leftWords(state.reason);
    case "error":
      return m.talk.wrong();
  }
}

const RECONNECTING = {
  media: () => m.talk.reconnecting_media(),
  server: () => m.talk.reconnecting_server(),
  partner: () => m.talk.reconnecting_partner(),
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
  return m.talk.others({ others: Math.max(0, online - 1) });
}

/** How long it will take, or nothing where that would be made up: alone, one waits for somebody to come. */
export function estimateWords(online: number | null, estimateMs: number | null): string {
  if (online !== null && online <= 1) return m.talk.estimate_alone();
  return estimateMs === null ? "" : m.talk.estimate({ duration: durationWords(estimateMs) });
}

/** `3 s`, `2 min`: rounded up, so that nobody is promised too much. */
export function durationWords(ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  return seconds < 100
    ? m.talk.seconds({ count: seconds })
    : m.talk.minutes({ count: Math.ceil(seconds / 60) });
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
  if (interests.length > 0) {
    for (const { text, tag } of piecesOf(m.talk.both_like())) {
      if (tag === null) ours(text);
      else
        for (const { type, value } of listOf("conjunction").formatToParts(interests))
          pieces.push({ text: value, written: type === "element" });
    }
  }
  if (match.language !== null) {
    if (pieces.length > 0) ours(" ");
    ours(m.talk.both_speak({ language: languageName(match.language) }));
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
      return m.talk.hint_permission();
    case "ended":
      return m.talk.hint_ended();
    case "reconnecting":
      return state.match === null ? m.talk.hint_reconnecting() : null;
    default:
      return null;
  }
}

/** What a talk without a picture begins with; a picture needs no words. */
export function openingWords(kind: ChatKind): string | null {
  if (kind === "video") return null;
  return kind === "audio" ? m.talk.opening_audio() : m.talk.opening_text();
}

/** `a`, `a or b`, `a, b or c`. */
export function list(items: readonly string[]): string {
  return listOf("disjunction").format(items);
}

function listOf(type: Intl.ListFormatType): Intl.ListFormat {
  return new Intl.ListFormat(locale(), { type });
}

const LEFT: Record<LeftReason, () => string> = {
  next: () => m.talk.left_next(),
  stop: () => m.talk.left_stop(),
  closed: () => m.talk.left_stop(),
  lost: () => m.talk.left_lost(),
  blocked: () => m.talk.left_blocked(),
  server: () => m.talk.left_server(),
  silent: () => m.talk.left_silent(),
  page_left: () => m.talk.left_page(),
};

export function leftWords(reason: LeftReason): string {
  return LEFT[reason]();
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
  if (languages && waitedMs >= after.relax_language_after_ms) return m.talk.relaxing_all();
  if (interests && waitedMs >= after.relax_interests_after_ms)
    return languages ? m.talk.relaxing_to_language() : m.talk.relaxing_interests();
  const nothingWished = !wishes.interests?.length && !wishes.languages?.length;
  return nothingWished && waitedMs >= QUIET_MS ? m.talk.quiet() : null;
}

/** Shown to a tenth; never as 0.0, which nobody would believe. */
export function shownSeconds(elapsedMs: number): number {
  return Math.max(0.1, elapsedMs / 1000);
}

/** The numbers of a call, in sentences. */
export function callWords(
  { elapsedMs, path }: Pick<Extract<ChatState, { name: "connected" }>, "elapsedMs" | "path">,
  quality: CallQuality | null,
): string {
  const said = [m.talk.ready_after({ seconds: shownSeconds(elapsedMs) })];
  if (path === "direct") said.push(m.talk.way_direct());
  if (path === "relay") said.push(m.talk.way_relay());
  if (quality !== null) {
    const { level, roundTripMs: ms } = quality;
    said.push(ms === null ? m.talk.call_quality({ level }) : m.talk.call_quality_time({ level, ms }));
  }
  return said.join(" ");
}

const UNSENT: Partial<Record<UnsentReason, () => string>> = {
  too_fast: () => m.talk.unsent_fast(),
  too_large: () => m.talk.unsent_long(),
  lost: () => m.talk.unsent_lost(),
  bad_json: () => m.talk.unsent_unreadable(),
  bad_field: () => m.talk.unsent_unreadable(),
  not_matched: () => m.talk.unsent_gone(),
};

export function unsentWords(reason: UnsentReason): string {
  return UNSENT[reason]?.() ?? m.talk.unsent();
}

const THEIR_MICROPHONE: Partial<Record<StrangerDevices["microphone"], () => string>> = {
  off: () => m.talk.their_microphone_off(),
  lost: () => m.talk.their_microphone_lost(),
  unsupported: () => m.talk.their_microphone_unsupported(),
};
const THEIR_CAMERA: Partial<Record<StrangerDevices["camera"], () => string>> = {
  off: () => m.talk.their_camera_off(),
  lost: () => m.talk.their_camera_lost(),
  unsupported: () => m.talk.their_camera_unsupported(),
};

/** Why the stranger cannot be heard, or seen; null where they can, or where nothing was told. */
export function strangerDeviceWords(devices: StrangerDevices | null): {
  microphone: string | null;
  camera: string | null;
} {
  return {
    microphone: (devices && THEIR_MICROPHONE[devices.microphone]?.()) ?? null,
    camera: (devices && THEIR_CAMERA[devices.camera]?.()) ?? null,
  };
}
