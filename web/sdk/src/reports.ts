// Reports of strangers. `partner_found` brings a receipt; whoever holds one can report that match, also after it ended and
// after the session was lost. Receipts live in this page's memory alone, and no longer than the server heeds them.
// A report is one request. The same receipt brings the same id again, so what failed may simply be sent again.

import { ClientError } from "./errors.js";
import type { PartnerFound } from "./protocol.gen.js";
import { httpFinding } from "./reach.js";
import { wellFormed } from "./text.js";
import type { Environment, ErrorReason, Report } from "./types.js";

/** What the server sends of late. ASSUMES: older ones leave it out, and take no reports. */
export type Reportable = PartnerFound & { receipt?: string };

interface Receipt {
  receipt: string;
  sinceMs: number;
  /** The server was told to keep these two apart. */
  blocked: boolean;
}

const VALID_MS = 24 * 3_600_000;
// A dialog may stay open over a few strangers.
const MAX_RECEIPTS = 8;
const MAX_BYTES = 256 * 1024;
const TIMEOUT_MS = 15_000;

export class Reports {
  #environment: Environment;
  #url: string;
  #receipts = new Map<string, Receipt>();

  /** `url`: of the socket. */
  constructor(environment: Environment, url: string) {
    this.#environment = environment;
    this.#url = new URL("api/reports", url.replace(/^ws/, "http")).href;
  }

  /** Whether the match can be reported. */
  note({ match_id: matchId, receipt }: Reportable): boolean {
    if (typeof receipt !== "string") return false;
    this.#receipts.set(matchId, { receipt, sinceMs: this.#environment.now(), blocked: false });
    const [oldest] = this.#receipts.keys();
    if (this.#receipts.size > MAX_RECEIPTS && oldest !== undefined) this.#receipts.delete(oldest);
    return true;
  }

  /** `part` keeps the two apart: called once, and before the server is asked, which may be long in answering. */
  async file(matchId: string, report: Report, part: () => void): Promise<{ id: string }> {
    const known = this.#receipts.get(matchId);
    if (!known || this.#environment.now() - known.sinceMs >= VALID_MS) {
      this.#receipts.delete(matchId);
      throw new ClientError("refused", "There is no receipt for this match, or none that is still valid.");
    }
    const body = bodyOf(known.receipt, report);
    if (!known.blocked) {
      known.blocked = true;
      part();
    }
    return this.#send(body);
  }

  async #send(body: string): Promise<{ id: string }> {
    const { fetch, setTimeout, clearTimeout, window } = this.#environment;
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
    try {
      const headers = { "content-type": "application/json" };
      const response = await fetch(this.#url, { method: "POST", headers, body, signal: abort.signal });
      const answer = (await response.json().catch(() => null)) as Answer | null;
      if (response.ok && typeof answer?.id === "string") return { id: answer.id };
      throw refusal(response, answer);
    } catch (error) {
      if (error instanceof ClientError) throw error;
      if (window?.navigator?.onLine === false)
        throw new ClientError("offline", "This device has no network.");
      throw abort.signal.aborted
        ? new ClientError("server_timeout", "The server does not answer in time.")
        : new ClientError("server_unreachable", "The server cannot be reached.");
    } finally {
      clearTimeout(timer);
    }
  }
}

interface Answer {
  id?: unknown;
  error?: { code?: unknown; message?: unknown };
}

/** Checked before anything is done: a report that cannot be sent must not end a match. */
function bodyOf(receipt: string, { category, note, lines, evidence }: Report): string {
  const body = JSON.stringify({
    receipt,
    category,
    ...(note ? { note: storable(note) } : {}),
    ...(lines?.length ? { lines: lines.map(({ from, text }) => ({ from, text: storable(text) })) } : {}),
    ...(evidence ? { evidence: base64(evidence) } : {}),
  });
  if (new TextEncoder().encode(body).length > MAX_BYTES)
    throw new ClientError("invalid_argument", "A report has at most 256 KiB.");
  return body;
}

/** No database keeps U+0000; a stranger who writes one must not be safe from reports by it. */
function storable(text: string): string {
  return wellFormed(text).replaceAll("\0", "\ufffd");
}

function refusal({ status, headers }: Response, answer: Answer | null): ClientError {
  const { code, message } = answer?.error ?? {};
  const retryAfterMs = Number(headers?.get("retry-after")) * 1_000 || null;
  const said = typeof message === "string" ? message : `The server answers with ${status}.`;
  return new ClientError(reasonOf(status, String(code ?? "")), said, retryAfterMs);
}

function reasonOf(status: number, code: string): ErrorReason {
  if (code.startsWith("receipt_")) return "refused";
  if (status === 408) return "server_timeout";
  if (status === 400 || status === 413) return "invalid_argument";
  return httpFinding(status)?.reason ?? "refused";
}

function base64(bytes: Uint8Array): string {
  let binary = "";
  // In pieces: a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 8_192)
    binary += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  return btoa(binary);
}
