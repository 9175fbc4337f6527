// Words of a stranger that stand in a sentence of ours must not turn its order round, cover what is beside it or
// be nothing to see. What a visitor writes as a text is left as it is and kept in a box of its own.

/** Letters that order the text around them (Unicode's bidirectional controls), and control characters. */
const CONTROLS = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]/gu;
/** Half an emoji: no text at all, and no server takes it. */
const LONE_SURROGATES = /\p{Surrogate}/gu;
/** Vietnamese and Hebrew put up to three marks on a letter; more pile up over the lines above and below. */
const PILED_MARKS = /(\p{Mn}{3})[\p{Mn}\p{Me}]+/gu;
/** Drawn as nothing. Joiners inside a word or an emoji are needed. */
const NOTHING_TO_SEE = /^[\p{Cf}\p{Zs}\p{Mn}\p{Me}\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]*$/u;

/** Half of a surrogate pair becomes the sign for what cannot be read. */
export function wellFormed(text: string): string {
  return text.replace(LONE_SURROGATES, "\ufffd");
}

/** Fit to stand in the middle of somebody else's sentence. */
export function harmless(text: string): string {
  const cleaned = text
    .replace(LONE_SURROGATES, "")
    .replace(/\s+/g, " ")
    .replace(CONTROLS, "")
    .normalize("NFC")
    .replace(PILED_MARKS, "$1")
    .trim();
  return isUnseen(cleaned) ? "" : cleaned;
}

/** Whether nothing of it can be seen. */
export function isUnseen(text: string): boolean {
  return NOTHING_TO_SEE.test(text.replace(/\s+/g, ""));
}
