// The one error class of the SDK, and how the browser's own failures are read.
// Every error that leaves the SDK has a stable reason and says whether trying again can help.

import type { ErrorReason, VisavisError } from "./types.js";

export class ClientError extends Error implements VisavisError {
  readonly reason: ErrorReason;
  readonly retry: boolean;
  readonly retryAfterMs: number | null;

  constructor(reason: ErrorReason, message: string, retryAfterMs: number | null = null) {
    super(message);
    this.name = "VisavisError";
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
    this.retry = RETRIABLE.has(reason);
  }
}

// What lies with the visitor's devices, the network or the moment.
const RETRIABLE: ReadonlySet<ErrorReason> = new Set([
  "camera_denied",
  "camera_missing",
  "camera_in_use",
  "media_failed",
  "offline",
  "server_unreachable",
  "server_timeout",
  "server_failed",
  "socket_refused",
  "too_many",
  "relay_unreachable",
  "webrtc_failed",
  "no_connectivity",
  "too_fast",
]);

/** What getUserMedia rejected with, in our vocabulary. */
export function mediaError(cause: unknown): ClientError {
  const { name, message } = cause as Partial<Error>;
  return new ClientError(
    MEDIA_REASONS[name ?? ""] ?? "media_failed",
    message || name || "The media devices failed.",
  );
}

// Names of https://w3c.github.io/mediacapture-main/#dom-mediadevices-getusermedia
const MEDIA_REASONS: Record<string, ErrorReason> = {
  NotAllowedError: "camera_denied",
  SecurityError: "camera_denied",
  NotFoundError: "camera_missing",
  OverconstrainedError: "camera_missing",
  NotReadableError: "camera_in_use",
  AbortError: "camera_in_use",
};
