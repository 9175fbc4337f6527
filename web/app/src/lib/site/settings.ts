// The settings in force at this site, as far as sentences on the page depend on them (`GET /api/site`). Without an
// answer (offline, scripts off) they are unknown, and the sentences are true in general terms.

import { ofServer } from "$lib/server";

export interface Site {
  relay: { enabled: boolean; host_is_this_server: boolean };
  stun_servers: string[];
  ice_policy: "direct" | "relay";
  relax_interests_after_ms: number;
  relax_language_after_ms: number;
  safety: {
    cover: CoverPolicy;
    /** Whose keys open a picture that goes along with a report. Null: no picture goes along. */
    evidence_recipients: string[] | null;
  };
}

/** Whether strangers are covered until a face can be seen: always, never, or unless the visitor turns it off. */
export type CoverPolicy = "on" | "off" | "visitor";

/** The server's defaults, for the moment until it has said what it does. */
export const USUAL = { relax_interests_after_ms: 1_500, relax_language_after_ms: 3_000 } as const;

let asked: Promise<Site | null> | null = null;

/** Asked once a visit. */
export function askSite(): Promise<Site | null> {
  asked ??= ask().catch(() => {
    asked = null;
    return null;
  });
  return asked;
}

async function ask(): Promise<Site | null> {
  const answer = await fetch(ofServer("api/site"));
  return answer.ok ? readSite(await answer.json()) : null;
}

/** `stun:host:3478` is part of this site where it names its host. */
export function ownStun(url: string, host: string): boolean {
  const name = url.replace(/^stuns?:/, "").replace(/:\d+$/, "");
  return name.toLowerCase() === host.toLowerCase();
}

/** Another version of the server may leave out or add anything. */
export function readSite(answer: unknown): Site | null {
  const from = fieldsOf(answer);
  const relay = fieldsOf(from.relay);
  const stun = from.stun_servers;
  const { cover, evidence_recipients: recipients } = fieldsOf(from.safety);
  if (!Array.isArray(stun) || typeof relay.enabled !== "boolean") return null;
  return {
    relay: { enabled: relay.enabled, host_is_this_server: relay.host_is_this_server === true },
    stun_servers: strings(stun),
    ice_policy: from.ice_policy === "relay" ? "relay" : "direct",
    relax_interests_after_ms: number(from.relax_interests_after_ms, USUAL.relax_interests_after_ms),
    relax_language_after_ms: number(from.relax_language_after_ms, USUAL.relax_language_after_ms),
    safety: {
      cover: cover === "on" || cover === "off" ? cover : "visitor",
      evidence_recipients: Array.isArray(recipients) ? strings(recipients) : null,
    },
  };
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
}

function number(value: unknown, otherwise: number): number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : otherwise;
}
