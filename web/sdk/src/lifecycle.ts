// What happens to the page as a whole: it goes, comes back from the page cache, freezes, wakes, changes network.

export interface PageListener {
  /** For good, or into the page cache, where a socket may live on: nobody can tell which it will be. */
  onGone(): void;
  /** Back from the page cache. */
  onBack(): void;
  /** The browser stops the scripts of a page that nobody looks at; its socket stays open without them. */
  onFrozen(): void;
  onThawed(): void;
  /** Back in view. */
  onAwake(): void;
  /** The machine is on a network again, probably another one. */
  onNetwork(): void;
}

export function watchPage(window: Window, listener: PageListener): () => void {
  const stop = new AbortController();
  const { signal } = stop;
  const on = (target: EventTarget | undefined, event: string, run: (event: PageTransitionEvent) => void) =>
    target?.addEventListener(event, run as (event: Event) => void, { signal });
  const { document } = window;
  on(window, "pagehide", () => listener.onGone());
  on(window, "pageshow", ({ persisted }) => persisted && listener.onBack());
  // https://wicg.github.io/page-lifecycle/: Chromium alone has them.
  on(document, "freeze", () => listener.onFrozen());
  on(document, "resume", () => listener.onThawed());
  on(window, "online", () => listener.onNetwork());
  // Chromium alone has it. Its estimates of speed change all the time; another kind of network is news.
  const { connection } = (window.navigator ?? {}) as { connection?: EventTarget & { type?: string } };
  let type = connection?.type;
  on(connection, "change", () => {
    if (type !== (type = connection?.type)) listener.onNetwork();
  });
  on(document, "visibilitychange", () => document.visibilityState === "visible" && listener.onAwake());
  return () => stop.abort();
}
