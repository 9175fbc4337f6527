// What a visitor wishes, as the server takes it. A wish that it would refuse is left out: it may have been remembered
// for years, and must not keep the visitor out. What cannot be left out is the caller's fault, said before the server has to.

import { ClientError } from "./errors.js";
import { LIMITS } from "./protocol.gen.js";
import { isBlank, wellFormed } from "./text.js";
import type { ChatKind, Wishes } from "./types.js";

const KINDS: ChatKind[] = ["video", "audio", "text"];
const LANGUAGE = /^[a-z]{2,8}(-[a-z0-9]{1,8})*$/i;
const MAX_LANGUAGE_CHARS = 35;

/** Throws `invalid_argument`. */
export function readWishes(wishes: Wishes): Wishes {
  const { kind, interests, languages } = wishes;
  if (!KINDS.includes(kind)) {
    throw new ClientError("invalid_argument", `The kind is one of ${KINDS.join(", ")}.`);
  }
  const read: Wishes = { ...wishes };
  if (interests) read.interests = strings(interests).flatMap(readInterest).slice(0, LIMITS.maxInterests);
  if (languages) read.languages = strings(languages).flatMap(readLanguage).slice(0, LIMITS.maxLanguages);
  return read;
}

function readInterest(given: string): string[] {
  const interest = wellFormed(given)
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim();
  // Folded it may be longer (ß is two letters): the server counts after that.
  const { length } = [
    ...interest.normalize("NFC").toLowerCase().toUpperCase().toLowerCase().normalize("NFC"),
  ];
  return isBlank(interest) || length > LIMITS.maxInterestChars ? [] : [interest];
}

function readLanguage(given: string): string[] {
  const tag = given.trim();
  return LANGUAGE.test(tag) && tag.length <= MAX_LANGUAGE_CHARS ? [tag] : [];
}

function strings(given: unknown[]): string[] {
  return given.filter((each) => typeof each === "string");
}
