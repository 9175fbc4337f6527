// Where the browser may ask for its own address and for a relay: fetched once, shared, cached.
// Never rejects: without an answer in 5 s the call is tried with STUN alone, and asked again the next time.
// Cached for 6 hours, but never past `ttl_s`, because relay credentials expire with it.

import type { Environment } from "./types.js";

const CACHE_MS = 6 * 3_600_000;
const TIMEOUT_MS = 5_000;

export const STUN_ONLY: RTCIceServer[] = [
  { urls: ["stun:stun.l.google.com:19302", "stun:stun.cloudflare.com:3478"] },
];

export class IceSource {
  #environment: Environment;
  #url: string;
  #cached: { servers: RTCIceServer[]; untilMs: number } | null = null;
  #fetching: Promise<RTCIceServer[]> | null = null;

  constructor(environment: Environment, url: string) {
    this.#environment = environment;
    this.#url = url;
  }

  /** The same array as long as the configuration is the same one. */
  servers(): Promise<RTCIceServer[]> {
    if (this.#cached && this.#environment.now() < this.#cached.untilMs) {
      return Promise.resolve(this.#cached.servers);
    }
    this.#fetching ??= this.#fetch().finally(() => (this.#fetching = null));
    return this.#fetching;
  }

  async #fetch(): Promise<RTCIceServer[]> {
    const { now, setTimeout, clearTimeout } = this.#environment;
    const abort = new AbortController();
    let timer = 0;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        abort.abort();
        reject(new Error("timeout"));
      }, TIMEOUT_MS);
    });
    try {
      const { iceServers, ttl_s } = await Promise.race([this.#ask(abort.signal), timeout]);
      if (!Array.isArray(iceServers)) return STUN_ONLY;
      const ttlMs = typeof ttl_s === "number" ? ttl_s * 1000 : CACHE_MS;
      this.#cached = { servers: iceServers as RTCIceServer[], untilMs: now() + Math.min(CACHE_MS, ttlMs) };
      return this.#cached.servers;
    } catch {
      return STUN_ONLY;
    } finally {
      clearTimeout(timer);
    }
  }

  async #ask(signal: AbortSignal): Promise<{ iceServers?: unknown; ttl_s?: unknown }> {
    const response = await this.#environment.fetch(this.#url, { signal });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return (await response.json()) as { iceServers?: unknown; ttl_s?: unknown };
  }
}
