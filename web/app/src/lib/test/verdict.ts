// What the single results of the connection test mean together, and how they are told. Pure.

/** `none`: the server does not offer it, so there was nothing to try. */
export type Result =
  | { state: "waiting" }
  | { state: "running" }
  | { state: "works"; detail: string }
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

export const BLANK: Results = Object.fromEntries(
  CHECKS.map((check) => [check, { state: "waiting" }]),
) as Results;

/** What type of path a call from here would get. */
export function path(results: Results, mapping: Mapping): string {
  const works = (check: Check) => results[check].state === "works";
  if (!works("server")) return "This browser does not reach the server. Nobody can be found from here.";
  if (works("udp")) {
    return mapping === "varies"
      ? "UDP gets out, but your router uses another port for each destination. Calls with people behind a similar router go through a relay, the others are direct."
      : "UDP gets out. Most of your calls will be direct; where the other side’s network forbids it, a relay helps.";
  }
  if (works("tcp") || works("tls"))
    return "UDP does not get out of this network. All your calls go through a relay: they work, a little slower.";
  if (["udp", "tcp", "tls"].every((check) => results[check as Check].state === "none"))
    return "The server offers no relay. Calls connect only where both networks allow a direct path.";
  return "Neither UDP nor a relay is reached. Calls from here connect only with people on the same network. A firewall is in the way.";
}

const WORDS: Record<Result["state"], string> = {
  waiting: "not tried",
  running: "trying…",
  works: "works",
  fails: "does not work",
  none: "not offered",
};

export function tell(result: Result): string {
  const detail = "detail" in result && result.detail !== "" ? `: ${result.detail}` : "";
  return `${WORDS[result.state]}${detail}`;
}

/** To be copied to whoever helps. It holds no address, and nothing of who you are but the browser’s name. */
export function report(results: Results, mapping: Mapping, browser: string): string {
  const lines = CHECKS.map((check) => `${NAMES[check]}: ${tell(results[check])}`);
  return ["Visavis connection test", ...lines, `Path: ${path(results, mapping)}`, `Browser: ${browser}`].join(
    "\n",
  );
}
