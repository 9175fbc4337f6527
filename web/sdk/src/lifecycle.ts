// What happens to the page as a whole: it goes, comes back from the page cache, wakes, changes network.

export interface PageListener {
  /** For good: not into the page cache. */
  onGone(): void;
  /** Back in view, or back from the page cache. */
  onAwake(): void;
  /** The machine is on a network again, probably another one. */
  onNetwork(): void;
}

export function watchPage(window: Window, listener: PageListener): () => void {
  const stop = new AbortController();
  const { signal } = stop;
  const on = (target: EventTarget | undefined, event: string, run: (event: PageTransitionEvent) => void) =>
    target?.addEventListener(event, run as (event: Event) => void, { signal });
  on(window, "pagehide", ({ persisted }) => persisted || listener.onGone());
  on(window, "pageshow", ({ persisted }) => persisted && listener.onAwake());
  on(window, "online", () => listener.onNetwork());
  // Chromium alone has it. Its estimates of speed change all the time; another kind of network is news.
  const { connection } = (window.navigator ?? {}) as { connection?: EventTarget & { type?: string } };
  let type = connection?.type;
  on(connection, "change", () => {
    if (type === (type = connection?.type)) listener.onAwake();
    else listener.onNetwork();
  });
  const { document } = window;
  on(document, "visibilitychange", () => document.visibilityState === "visible" && listener.onAwake());
  return () => stop.abort();
}
