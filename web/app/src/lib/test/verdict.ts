// What the single results of the connection test mean together, and how they are told. Pure.

/** `none`: the server does not offer it, so there was nothing to try. `refuses`: it answers, and says no. */
export type Result =
  | { state: "waiting" }
  | { state: "running" }
  | { state: "works"; detail: string }
  | { state: "refuses"; detail: string }
  | { state: "fails"; detail: string }
  | { state: "none"; detail: string };

export const CHECKS = ["camera", "microphone", "server", "udp", "tcp", "tls"] as const;
export type Check = (typeof CHECKS)[number];
export type Results = Record<Check, Result>;

export const NAMES: Record<Check, string> = {
  camera: "Camera",
  microphone: "Microphone",
  server: "Server (WebSocket)",
  udp: "Relay over UDP",
  tcp: "Relay over TCP",
  tls: "Relay over TLS",
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
    if (refusal !== null)
      return `The server refuses the live line from this page (${refusal}). Nobody can be found from here. ${TELL}`;
    return hides === null
      ? "This browser does not reach the server. Nobody can be found from here."
      : "Web pages get through, but not the live line to the server (WebSocket). Nobody can be found from here. A proxy or firewall is in the way: try another network.";
  }
  if (!webrtc)
    return "This browser cannot make calls: it has no WebRTC, or a setting or an extension turns it off. Text chats work.";
  if (hides === null) return "The server did not say which relays it has. Try again in a minute.";
  if (hides !== "nobody") return hiddenPath(results, hides);
  if (relayIsPrivate && is("works", ...RELAYS)) return `${PRIVATE} ${TELL}`;
  if (is("works", "udp")) return UDP[mapping];
  if (RELAYS.every((check) => is("none", check)))
    return "The server offers no relay. Calls connect only where both networks allow a direct path.";
  if (is("refuses", "udp"))
    return `UDP gets out. Most of your calls will be direct, but the relay refuses to help with the others. ${TELL}`;
  if (is("works", "tcp", "tls"))
    return is("none", "udp")
      ? "A relay helps where networks allow no direct path. Whether UDP gets out could not be tried."
      : "UDP does not get out of this network. All your calls go through a relay: they work, a little slower.";
  if (is("refuses", "tcp", "tls"))
    return `UDP does not get out of this network, and the relay refuses to help. Calls from here connect only with people on the same network. ${TELL}`;
  return "Neither UDP nor a relay can be reached. Calls from here connect only with people on the same network. A firewall is in the way.";
}

const UDP: Record<Mapping, string> = {
  same: "UDP gets out. Most of your calls will be direct; where the other side’s network forbids it, a relay helps.",
  varies:
    "UDP gets out, but your router uses another port for each destination. Calls with people behind many home routers go through a relay, the others are direct.",
  unknown: "UDP gets out. Calls are direct where both networks allow it; elsewhere a relay helps.",
};

const PRIVATE =
  "The relay gives out an address of its own private network, which nobody outside reaches. Calls connect only where both networks allow a direct path.";

const TELL = "Whoever runs this site can fix that: send them the report.";

function hiddenPath(results: Results, hides: Exclude<Hides, "nobody">): string {
  const who = hides === "you" ? "You hide your address" : "This site hides everybody’s address";
  const by = RELAYS.find((check) => results[check].state === "works");
  if (by) return `${who}: all your calls go through the relay, which is reached over ${by.toUpperCase()}.`;
  const otherwise = hides === "you" ? " Turn that off in the chat, or write." : " Writing works.";
  const refused = RELAYS.some((check) => results[check].state === "refuses");
  const none = RELAYS.every((check) => results[check].state === "none");
  const why = refused ? "the relay refuses to help" : none ? "there is no relay" : "no relay is reached";
  return `${who}, but ${why}: calls are not possible.${otherwise}${refused || none ? ` ${TELL}` : ""}`;
}

const WORDS: Record<Result["state"], string> = {
  waiting: "not tried",
  running: "trying…",
  works: "works",
  refuses: "refuses",
  fails: "does not work",
  none: "not offered",
};

export function tell(result: Result): string {
  const detail = "detail" in result && result.detail !== "" ? `: ${result.detail}` : "";
  return `${WORDS[result.state]}${detail}`;
}

/** To be copied to whoever helps. It holds no address, and nothing of who you are but the browser’s name. */
export function report(findings: Findings, browser: string): string {
  const lines = CHECKS.map((check) => `${NAMES[check]}: ${tell(findings.results[check])}`);
  return ["Visavis connection test", ...lines, `Path: ${path(findings)}`, `Browser: ${browser}`].join("\n");
}
