// One press on the first page starts at once: the visitor has said what kind of chat, and need not say it again. A link
// on any other page of the world must not: it could put somebody before a stranger who only pressed a link.

import type { ChatKind } from "@visavis/client";

/** Behind the kind, in an address of ours. */
export const STARTS = "&start";

const KINDS: readonly ChatKind[] = ["video", "audio", "text"];

export interface Arrival {
  url: URL;
  /** The page that the visitor was on before in this tab, as far as it is one of ours. */
  from: URL | null;
  /** By a link, and not by Back or a reload. */
  byLink: boolean;
}

export function kindOf(url: URL): ChatKind | null {
  return KINDS.find((kind) => kind === url.searchParams.get("kind")) ?? null;
}

export function asksToStart(url: URL): boolean {
  return url.searchParams.has("start");
}

/** The kind to start with at once, or null: then the visitor sees the form first. */
export function startsWith({ url, from, byLink }: Arrival): ChatKind | null {
  return byLink && asksToStart(url) && from?.origin === url.origin ? kindOf(url) : null;
}

/** A visitor may be faster than the first page's script: then the browser itself follows the link. */
export function arrivalOfPage(): Arrival {
  const activation = (window as { navigation?: { activation?: Activation | null } }).navigation?.activation;
  const from = activation?.from?.url;
  return {
    url: new URL(location.href),
    from: from ? new URL(from) : null,
    byLink: activation?.navigationType === "push",
  };
}

/** https://html.spec.whatwg.org/#navigationactivation; `from` is null where that page was of another origin. */
interface Activation {
  from: { url: string | null } | null;
  navigationType: string;
}
