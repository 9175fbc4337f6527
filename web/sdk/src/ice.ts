// Where the browser may ask for its own address and for a relay: fetched once, shared, cached.
// Never rejects: without an answer in 5 s the call is tried with STUN alone, and asked again the next time.
// Cached for 6 hours, but never past `ttl_s`, because relay credentials expire with it: until shortly before it, so
// that a connection made from the answer finds its relay still open to it.
// The first entry is the nearest relay, for offers that wait; the others join at the match.

import type { Environment, Relays } from "./types.js";

const CACHE_MS = 6 * 3_600_000;
const TIMEOUT_MS = 5_000;
const MARGIN_MS = 60_000;

export const STUN_ONLY: RTCIceServer[] = [
  { urls: ["stun:stun.l.google.com:19302", "stun:stun.cloudflare.com:3478"] },
];

interface Answer {
  iceServers?: unknown;
  ttl_s?: unknown;
  policy?: unknown;
}

export class IceSource {
  #environment: Environment;
  #url: string;
  #cached: { servers: RTCIceServer[]; untilMs: number } | null = null;
  #fetching: Promise<RTCIceServer[]> | null = null;
  #token: string | undefined;
  /** The operator's policy: media goes through relays only. */
  relayOnly = false;

  constructor(environment: Environment, url: string) {
    this.#environment = environment;
    this.#url = url;
  }

  /** What the session's `welcome` brought, where the server gives relays only to sessions. */
  admit(token: string): "worth asking again" | "known" {
    this.#token = token;
    if (this.#fresh()) return "known";
    // What was asked for without it is refused.
    this.#fetching = null;
    return "worth asking again";
  }

  /** The same array as long as the configuration is the same one. */
  servers(): Promise<RTCIceServer[]> {
    const fresh = this.#fresh();
    if (fresh) return Promise.resolve(fresh);
    if (this.#fetching) return this.#fetching;
    const fetching = this.#fetch().finally(() => {
      if (this.#fetching === fetching) this.#fetching = null;
    });
    return (this.#fetching = fetching);
  }

  /** Null: the server does not say. */
  async relays(): Promise<Relays | null> {
    const servers = await this.servers();
    if (servers === STUN_ONLY) return null;
    return { enforced: this.relayOnly, offered: servers.some(({ credential }) => !!credential) };
  }

  #fresh(): RTCIceServer[] | null {
    return this.#cached && this.#environment.now() < this.#cached.untilMs ? this.#cached.servers : null;
  }

  async #fetch(): Promise<RTCIceServer[]> {
    const { now, setTimeout, clearTimeout } = this.#environment;
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
    try {
      const { iceServers, ttl_s, policy } = await this.#ask(abort.signal);
      if (!Array.isArray(iceServers)) return STUN_ONLY;
      this.relayOnly = policy === "relay";
      const ttlMs = typeof ttl_s === "number" ? ttl_s * 1000 : CACHE_MS;
      const untilMs = now() + Math.min(CACHE_MS, ttlMs - Math.min(MARGIN_MS, ttlMs / 2));
      this.#cached = { servers: iceServers as RTCIceServer[], untilMs };
      return this.#cached.servers;
    } catch {
      return STUN_ONLY;
    } finally {
      clearTimeout(timer);
    }
  }

  async #ask(signal: AbortSignal): Promise<Answer> {
    const headers: HeadersInit = this.#token ? { authorization: `Bearer ${this.#token}` } : {};
    const response = await this.#environment.fetch(this.#url, { signal, headers });
    return response.ok ? ((await response.json()) as Answer) : {};
  }
}
