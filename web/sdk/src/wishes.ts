// The caller's mistakes, said before the server has to.

import { ClientError } from "./errors.js";
import { LIMITS } from "./protocol.gen.js";
import type { ChatKind, Wishes } from "./types.js";

const KINDS: ChatKind[] = ["video", "audio", "text"];

/** Throws `invalid_argument`. */
export function checkWishes({ kind, interests = [], languages = [] }: Wishes): void {
  const wrong = (what: string) => new ClientError("invalid_argument", what);
  if (!KINDS.includes(kind)) throw wrong(`The kind is one of ${KINDS.join(", ")}.`);
  if (interests.length > LIMITS.maxInterests) throw wrong(`At most ${LIMITS.maxInterests} interests.`);
  if (interests.some((interest) => [...interest.trim()].length > LIMITS.maxInterestChars)) {
    throw wrong(`An interest has at most ${LIMITS.maxInterestChars} characters.`);
  }
  if (languages.length > LIMITS.maxLanguages) throw wrong(`At most ${LIMITS.maxLanguages} languages.`);
}
