// What of a talk goes along with a report, and what is said when it could not be sent.

import type { ChatMessage, Report, VisavisError } from "@visavis/client";
import { m } from "$lib/messages.svelte";
import { durationWords } from "./words";

type Lines = NonNullable<Report["lines"]>;

const MAX_LINES = 20;
// In JSON. With the picture and the note they stay below what the server takes.
const MAX_LINES_BYTES = 64_000;

/** The last that were said, oldest first. */
export function linesToAttach(messages: readonly Pick<ChatMessage, "from" | "text">[]): Lines {
  const attached: Lines = [];
  let bytes = 0;
  for (const { from, text } of messages.slice(-MAX_LINES).reverse()) {
    bytes += new TextEncoder().encode(JSON.stringify(text)).length;
    if (bytes > MAX_LINES_BYTES) break;
    attached.unshift({ from, text });
  }
  return attached;
}

/** A sentence that says what to do now. Null: something on the page itself failed. */
export function sendTrouble(error: Pick<VisavisError, "reason" | "retryAfterMs"> | null): string {
  const after = error?.retryAfterMs ?? null;
  switch (error?.reason) {
    case "offline":
      return m.talk.report_offline();
    case "server_failed":
    case "too_many":
      return after === null
        ? m.talk.report_busy()
        : m.talk.report_busy_time({ duration: durationWords(after) });
    case "invalid_argument":
      return m.talk.report_too_large();
    case "refused":
    case "forbidden":
      return m.talk.report_refused();
    default:
      return m.talk.report_unanswered();
  }
}
