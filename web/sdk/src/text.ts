// Text as it may leave the page: whole characters, and something to see.

/** Half of a surrogate pair, as cutting an emoji in two leaves it, becomes the sign for what cannot be read. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

/** Whether nothing of it can be seen: spaces, joiners, fillers, marks without a letter. */
export function isBlank(text: string): boolean {
  return /^[\s\p{Cc}\p{M}\p{Default_Ignorable_Code_Point}\u2800\ufff9-\ufffb]*$/u.test(text);
}
