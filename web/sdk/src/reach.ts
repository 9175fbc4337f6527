// Why the server's socket does not open. Browsers do not tell a page, so the site is asked over HTTP.

import type { Environment, ErrorReason } from "./types.js";

export interface Finding {
  reason: ErrorReason;
  message: string;
  retryAfterMs: number | null;
  /** The server is away and may be back in a moment: worth asking again. */
  outage: boolean;
}

const TIMEOUT_MS = 5_000;

/** `url`: of the socket. */
export async function whyUnreachable(
  { fetch, setTimeout, clearTimeout, window }: Environment,
  url: string,
): Promise<Finding> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
  try {
    const ask = new URL("api/origin", url.replace(/^ws/, "http"));
    if (window) ask.searchParams.set("origin", new URL(window.location.href).origin);
    const response = await fetch(ask.href, { signal: abort.signal });
    const byStatus = httpFinding(response.status, response.headers?.get("retry-after"));
    if (byStatus) return byStatus;
    const { allowed, message } = (await response.json()) as { allowed?: unknown; message?: unknown };
    if (allowed === false) return found("forbidden", String(message ?? "This page may not connect here."));
    if (allowed === true) return found("socket_refused", "The site answers, but lets no connection in.");
    return found("server_unreachable", "The server cannot be reached.");
  } catch {
    if (window?.navigator?.onLine === false)
      return { ...found("offline", "This device has no network."), outage: true };
    return abort.signal.aborted
      ? { ...found("server_timeout", "The server does not answer in time."), outage: true }
      : { ...found("server_unreachable", "The server cannot be reached."), outage: true };
  } finally {
    clearTimeout(timer);
  }
}

/** What the status of an answer says; null where it says nothing. 0: there was none. */
export function httpFinding(status: number, retryAfter: string | null = null): Finding | null {
  if (status === 403) return found("forbidden", "The server lets nobody in from this page's address.");
  if (status === 429) {
    const retryAfterMs = Number(retryAfter) * 1_000 || null;
    return { ...found("too_many", "Too many come from this network."), retryAfterMs };
  }
  if (status >= 500) return { ...found("server_failed", `The server answers with ${status}.`), outage: true };
  return null;
}

function found(reason: ErrorReason, message: string): Finding {
  return { reason, message, retryAfterMs: null, outage: false };
}
