// What a visitor may wish for, in the form the server takes it: interests plain, NFC, folded; languages
// as bare language tags, because "de-AT" and "de-DE" understand each other.

import { locale } from "$lib/messages.svelte";
import { folded, harmless } from "./plain";

export const MAX_INTERESTS = 10;
export const MAX_INTEREST_LENGTH = 32;
export const MAX_LANGUAGES = 5;

/** The interests after `typed` was added: split at commas, cleaned, without doubles, bounded. */
export function addInterests(present: readonly string[], typed: string): string[] {
  const all = [...present];
  for (const piece of typed.split(/[,;\n]/)) {
    const interest = cleanInterest(piece);
    if (interest !== "" && !all.includes(interest) && all.length < MAX_INTERESTS) all.push(interest);
  }
  return all;
}

function cleanInterest(typed: string): string {
  const cleaned = folded(harmless(typed).replace(/^#+/, ""));
  // By code points: cutting a surrogate pair in half would send an unreadable character.
  const cut = [...cleaned].slice(0, MAX_INTEREST_LENGTH).join("").trim();
  return harmless(cut);
}

/** An interest as people write it, and fit to stand in a sentence of ours. */
export function interestName(interest: string): string {
  return harmless(interest).replace(/(?<=\p{L})σ(?!\p{L})/gu, "ς");
}

/** From what a browser says (`navigator.languages`), the most wanted first. */
export function languagesFrom(tags: readonly string[]): string[] {
  const languages: string[] = [];
  for (const tag of tags) {
    const language = tag.split("-")[0]?.toLowerCase() ?? "";
    if (/^[a-z]{2,3}$/.test(language) && !languages.includes(language)) languages.push(language);
  }
  return languages.slice(0, MAX_LANGUAGES);
}

/** Offered for adding; any other comes in through the browser's own settings. */
export const OFFERED_LANGUAGES = (
  "ar bg bn ca cs da de el en es et fa fi fr he hi hr hu id it ja ko lt lv ms nl no pl pt ro ru sk sl sr sv " +
  "sw ta te th tl tr uk ur vi zh"
).split(" ");

let names: Intl.DisplayNames | undefined;

/** `de` → `German`, in the page's language; the tag itself where the browser has no name for it. */
export function languageName(tag: string): string {
  try {
    if (names?.resolvedOptions().locale !== locale())
      names = new Intl.DisplayNames(locale(), { type: "language" });
    return names.of(tag) ?? tag;
  } catch {
    return tag;
  }
}
