// SvelteKit reads the title of a new page aloud through an element that it hides by an inline style, which our
// content security policy forbids (and every browser's console would report). Hidden by a class it does the same.

const INLINE_STYLE = /(<div id="svelte-announcer"[^>]*) style="[^"]*"/;

/** @returns {import("vite").Plugin} */
export function announcerByClass() {
  return {
    name: "visavis-announcer",
    enforce: "pre",
    transform(code, id) {
      if (!id.endsWith("/generated/root.svelte")) return undefined;
      if (!INLINE_STYLE.test(code))
        throw new Error("SvelteKit's announcer has changed: see scripts/announcer.js");
      return { code: code.replace(INLINE_STYLE, '$1 class="unseen"'), map: null };
    },
  };
}
