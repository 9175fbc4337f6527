// Where the browser may ask for its own address and for a relay: fetched once, shared, cached.
// Never rejects: without an answer in 5 s the call is tried with STUN alone, and asked again the next time.
// Cached for 6 hours, but never past `ttl_s`, because relay credentials expire with it: until shortly before it, so
// that a connection made from the answer finds its relay still open to it. Sooner, if a relay refuses them: its secret
// may have changed, or they hold all the places that one answer is worth.
// The first entry is the nearest relay, for offers that wait; the others join at the match.

import type { Environment, Relays } from "./types.js";

const CACHE_MS = 6 * 3_600_000;
const TIMEOUT_MS = 5_000;
const MARGIN_MS = 60_000;
// A relay that refuses new credentials, too, must not have everybody ask again and again: 4 s, 16 s, then a minute. Those that gave a
// place count as good, and are replaced after 4 s.
const REFUSED_AGAIN_MS = 1_000;
const MAX_REFUSED_AGAIN_MS = 60_000;
const OUTDATED_MS = 5 * 60_000;

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
  #cached: { servers: RTCIceServer[]; sinceMs: number; untilMs: number } | null = null;
  #fetching: Promise<RTCIceServer[]> | null = null;
  #token: string | undefined;
  #refusals = 0;
  #notBeforeMs = 0;
  #renewing: Promise<RTCIceServer[] | null> | null = null;
  /** Of the last answer: null if it was one, its HTTP status if not, 0 if none came. */
  failed: number | null = null;
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

  /** Whatever was fetched may no longer hold: the next to ask gets what the server says by then. */
  forget(): void {
    this.#cached = null;
  }

  /** Whether relays that give nothing are a reason to ask again. */
  get mayBeOutdated(): boolean {
    const cached = this.#cached;
    if (!cached?.servers.some(({ credential }) => credential)) return false;
    return this.#environment.now() - cached.sinceMs >= OUTDATED_MS;
  }

  /** A relay has given a place for these. */
  gave(servers: RTCIceServer[]): void {
    if (this.#cached?.servers === servers) this.#refusals = 0;
  }

  /** Others than `refused`, with which a relay gave no place, when it is time to ask for them. Null: there are none. */
  instead(refused: RTCIceServer[]): Promise<RTCIceServer[] | null> {
    this.#renewing ??= this.#renew(refused).finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  async #renew(refused: RTCIceServer[]): Promise<RTCIceServer[] | null> {
    const { now, setTimeout } = this.#environment;
    if (this.#cached?.servers === refused) {
      const waitMs = this.#notBeforeMs - now();
      if (waitMs > 0) await new Promise<void>((resolve) => setTimeout(resolve, waitMs));
    }
    if (this.#cached?.servers === refused) {
      this.#notBeforeMs = now() + Math.min(MAX_REFUSED_AGAIN_MS, REFUSED_AGAIN_MS * 4 ** ++this.#refusals);
      this.forget();
    }
    const servers = await this.servers();
    return servers === refused || servers === STUN_ONLY ? null : servers;
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
    this.failed = 0;
    try {
      const { iceServers, ttl_s, policy } = await this.#ask(abort.signal);
      if (!Array.isArray(iceServers)) return STUN_ONLY;
      this.relayOnly = policy === "relay";
      const ttlMs = typeof ttl_s === "number" ? ttl_s * 1000 : CACHE_MS;
      const sinceMs = now();
      const untilMs = sinceMs + Math.min(CACHE_MS, ttlMs - Math.min(MARGIN_MS, ttlMs / 2));
      this.#cached = { servers: iceServers as RTCIceServer[], sinceMs, untilMs };
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
    this.failed = response.ok ? null : response.status;
    return response.ok ? ((await response.json()) as Answer) : {};
  }
}
