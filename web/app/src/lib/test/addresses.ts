// What addresses and URLs say about a relay. Pure.

import type { Mapping } from "./verdict";

/** By candidate type, as the browser named them. */
export type Addresses = Partial<Record<RTCIceCandidateType, string[]>>;

/** `reached`: the candidate types of ours from which the relay got something. */
export function judge(
  reached: string[],
  ours: Addresses,
  theirs: Addresses,
): { mapping: Mapping; relayIsPrivate: boolean } {
  const [relay] = theirs.relay ?? [];
  const behind = relay !== undefined && isPrivate(relay);
  // The relay sees us come from the internet, and would have the internet come to a private address. A browser that
  // names its own address, which is the one seen, tells it as `host` alone.
  const seen = [ours.srflx, ours.host].map((all = []) => all.filter((each) => isLike(each, relay ?? "")));
  const relayIsPrivate =
    behind && (seen.find(({ length }) => length > 0) ?? []).some((each) => !isPrivate(each));
  if (reached.length === 0) return { mapping: "unknown", relayIsPrivate };
  const varies = reached.every((type) => type === "prflx");
  return { mapping: varies ? (behind ? "unknown" : "varies") : "same", relayIsPrivate };
}

// RFC 1918, 6598, 3927, 4193, 4291.
const PRIVATE =
  /^(10\.|127\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd]|fe[89ab]|::1$)/i;

export function isPrivate(address: string): boolean {
  return PRIVATE.test(address.replace(/^\[|\]$/g, "").replace(/^::ffff:(?=\d+\.)/i, ""));
}

/** Whether both are addresses, of one family. Where no camera may be used, browsers tell a made-up name. */
function isLike(a: string, b: string): boolean {
  const family = (address: string) =>
    address.includes(":") ? 6 : /^\d+\.\d+\.\d+\.\d+$/.test(address) ? 4 : null;
  return family(a) !== null && family(a) === family(b);
}

/** Whether a `turns:` URL leads to the very host and port that this page came from. */
export function isThisSite(turns: string, page: { protocol: string; host: string }): boolean {
  const [, host = ""] = /^turns:([^?]+)/.exec(turns) ?? [];
  const withPort = (name: string, port: number) => (/:\d+$/.test(name) ? name : `${name}:${port}`);
  return page.protocol === "https:" && withPort(host, 5349) === withPort(page.host, 443);
}
