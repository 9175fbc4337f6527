// Messages with elements in them: `Agree to the <rules>five rules</rules>.` Each language puts the tags where it needs
// them; what element each becomes is the page's affair (see Rich.svelte).

/** A message with these tags in it. */
export type Rich<Tag extends string> = string & { readonly tags?: Tag };

export interface RichPiece {
  text: string;
  /** Null: outside of any. */
  tag: string | null;
}

const TAGGED = /<(\w+)>(.*?)<\/\1>/;

export function piecesOf(message: string): RichPiece[] {
  // Text, tag, what it holds, text, tag, …
  const parts = message.split(TAGGED);
  return parts.flatMap((text, index) => {
    if (index % 3 === 1) return [];
    const tag = (index % 3 === 2 && parts[index - 1]) || null;
    return tag === null && text === "" ? [] : [{ text, tag }];
  });
}
