// Words of a stranger that stand in a sentence of ours must not turn its order round, cover what is beside it or
// be nothing to see. What a visitor writes as a text is left as it is and kept in a box of its own.
//
// The server does the same (crates/protocol/src/plain.rs); docs/plain-text.json is the test of both.

/** Half an emoji: no text at all. */
const LONE_SURROGATES = /\p{Surrogate}/gu;
/** White space, control characters, and the Braille pattern without a dot. */
const BLANKS = /[\p{White_Space}\p{Cc}\u2800]/gu;
/** Drawn as nothing, or the sign for what could not be read. Joiners are needed inside a word or an emoji. */
const INVISIBLE = /(?![\u200c\u200d])[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb\ufffd]/gu;
const MARK = /^\p{M}$/u;
const JOINER = /^[\u200c\u200d]$/;
/** Marks on one letter. Burmese needs four; more are there to cover what stands above and below. */
const MAX_MARKS = 4;

/** Half of a surrogate pair becomes the sign for what cannot be read. */
export function wellFormed(text: string): string {
  return text.replace(LONE_SURROGATES, "\ufffd");
}

/** Fit to stand in the middle of somebody else's sentence. */
export function harmless(text: string): string {
  const kept: string[] = [];
  let marks = 0;
  const nothingBefore = () => (kept.at(-1) ?? " ") === " ";
  for (const letter of text
    .replace(LONE_SURROGATES, "")
    .replace(BLANKS, " ")
    .replace(INVISIBLE, "")
    .normalize("NFC")) {
    if (letter === " ") {
      if (JOINER.test(kept.at(-1) ?? "")) kept.pop();
      if (!nothingBefore()) kept.push(letter);
    } else if (JOINER.test(letter)) {
      if (!nothingBefore() && !JOINER.test(kept.at(-1) ?? "")) kept.push(letter);
    } else if (MARK.test(letter)) {
      marks += 1;
      if (!nothingBefore() && marks <= MAX_MARKS) kept.push(letter);
    } else {
      marks = 0;
      kept.push(letter);
    }
  }
  if (JOINER.test(kept.at(-1) ?? "")) kept.pop();
  return kept.join("").trimEnd();
}

/** The same for upper and lower case, final sigma and ß. `İ` is an i to everybody but the table that says what it folds to. */
export function folded(text: string): string {
  const cased = harmless(text).toLowerCase().toUpperCase().toLowerCase();
  return harmless(cased.replaceAll("ς", "σ").replaceAll("i\u0307", "i"));
}

/** Whether nothing of it can be seen. */
export function isUnseen(text: string): boolean {
  return harmless(wellFormed(text).replaceAll("\ufffd", "?")) === "";
}
