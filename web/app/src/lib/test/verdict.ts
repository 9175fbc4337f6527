// What the single results of the connection test mean together, and how they are told.

import { m } from "$lib/messages.svelte";

/** Told in whatever language the page speaks by then. */
export type Told = () => string;

/** `none`: the server does not offer it, so there was nothing to try. `refuses`: it answers, and says no. */
export type Result =
  | { state: "waiting" }
  | { state: "running" }
  | { state: "works"; detail: Told }
  | { state: "refuses"; detail: Told }
  | { state: "fails"; detail: Told }
  | { state: "none" };

export const CHECKS = ["camera", "microphone", "server", "udp", "tcp", "tls"] as const;
export type Check = (typeof CHECKS)[number];
export type Results = Record<Check, Result>;

export const NAMES: Record<Check, Told> = {
  camera: () => m.test.camera(),
  microphone: () => m.test.microphone(),
  server: () => m.test.server(),
  udp: () => m.test.udp(),
  tcp: () => m.test.tcp(),
  tls: () => m.test.tls(),
};

/** What the outside sees of this network: how UDP leaves it. `varies`: another port for each destination. */
export type Mapping = "same" | "varies" | "unknown";

/** Whose address is kept from strangers: by the operator, by the visitor's own switch. */
export type Hides = "everybody" | "you" | "nobody";

export interface Findings {
  results: Results;
  mapping: Mapping;
  /** Null: the server did not say which relays there are. */
  hides: Hides | null;
  /** Why the server takes no live line from this page, in its own words; null if it would, or did not say. */
  refusal: string | null;
  /** Whether the browser can make calls at all. */
  webrtc: boolean;
  /** The relay gives out an address that only its own network reaches. */
  relayIsPrivate: boolean;
}

export const BLANK: Results = Object.fromEntries(
  CHECKS.map((check) => [check, { state: "waiting" }]),
) as Results;

const RELAYS = ["udp", "tcp", "tls"] as const;

/** What type of path a call from here would get. */
export function path(findings: Findings): string {
  const { results, mapping, hides, refusal, webrtc, relayIsPrivate } = findings;
  const is = (state: Result["state"], ...checks: Check[]) =>
    checks.some((check) => results[check].state === state);
  if (!is("works", "server")) {
    if (refusal !== null) return withTell(m.test.path_origin({ said: refusal }));
    return hides === null ? m.test.path_no_server() : m.test.path_no_socket();
  }
  if (!webrtc) return m.test.path_no_webrtc();
  if (hides === null) return m.test.path_unknown();
  if (hides !== "nobody") return hiddenPath(results, hides);
  if (relayIsPrivate && is("works", ...RELAYS)) return withTell(m.test.path_private());
  if (is("works", "udp")) return UDP[mapping]();
  if (RELAYS.every((check) => is("none", check))) return m.test.path_no_relay();
  if (is("refuses", "udp")) return withTell(m.test.path_refuses());
  if (is("works", "tcp", "tls")) return is("none", "udp") ? m.test.path_untried() : m.test.path_no_udp();
  if (is("refuses", "tcp", "tls")) return withTell(m.test.path_no_udp_refuses());
  return m.test.path_nothing();
}

const UDP: Record<Mapping, Told> = {
  same: () => m.test.path_same(),
  varies: () => m.test.path_varies(),
  unknown: () => m.test.path_udp(),
};

/** Who can fix it. */
function withTell(what: string): string {
  return `${what} ${m.test.tell()}`;
}

function hiddenPath(results: Results, hides: Exclude<Hides, "nobody">): string {
  const by = RELAYS.find((check) => results[check].state === "works");
  if (by) return m.test.hidden({ who: hides, transport: by.toUpperCase() });
  const refused = RELAYS.some((check) => results[check].state === "refuses");
  const none = RELAYS.every((check) => results[check].state === "none");
  const why = refused ? "refused" : none ? "none" : "unreached";
  const what = m.test.hidden_no_call({ who: hides, why });
  return refused || none ? withTell(what) : what;
}

const STATES: Record<Result["state"], Told> = {
  waiting: () => m.test.is_waiting(),
  running: () => m.test.is_running(),
  works: () => m.test.works(),
  refuses: () => m.test.refuses(),
  fails: () => m.test.fails(),
  none: () => m.test.none(),
};

export function tell(result: Result): string {
  const detail = "detail" in result ? result.detail() : "";
  return `${STATES[result.state]()}${detail === "" ? "" : `: ${detail}`}`;
}

/** To be copied to whoever helps. It holds no address, and nothing of who you are but the browser’s name. */
export function report(findings: Findings, browser: string): string {
  const lines = CHECKS.map((check) => `${NAMES[check]()}: ${tell(findings.results[check])}`);
  const told = m.test.report_path({ path: path(findings) });
  return [m.test.report_title(), ...lines, told, m.test.report_browser({ browser })].join("\n");
}
