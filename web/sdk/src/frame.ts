// How what comes in over a line is read: from the server or from the stranger, and trusted from neither.

import { LIMITS } from "./protocol.gen.js";

/** What somebody said, or null if it is no object with a `type`. */
export function parsed(data: unknown): (Record<string, unknown> & { type: string }) | null {
  try {
    const message = JSON.parse(String(data)) as ReturnType<typeof parsed>;
    return typeof message?.type === "string" ? message : null;
  } catch {
    return null;
  }
}

/** Characters as the server counts them: code points. */
export function isText(text: unknown): text is string {
  return (
    typeof text === "string" &&
    text.length <= 2 * LIMITS.maxTextChars &&
    [...text].length <= LIMITS.maxTextChars
  );
}
