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
  window.addEventListener("pagehide", ({ persisted }) => !persisted && listener.onGone(), { signal });
  window.addEventListener("pageshow", ({ persisted }) => persisted && listener.onAwake(), { signal });
  window.addEventListener("online", () => listener.onNetwork(), { signal });
  // Chromium alone has it. Its estimates of speed change all the time; another kind of network is news.
  const { connection } = (window.navigator ?? {}) as { connection?: EventTarget & { type?: string } };
  let type = connection?.type;
  connection?.addEventListener(
    "change",
    () => {
      if (type === (type = connection.type)) listener.onAwake();
      else listener.onNetwork();
    },
    { signal },
  );
  const { document } = window;
  document.addEventListener(
    "visibilitychange",
    () => document.visibilityState === "visible" && listener.onAwake(),
    { signal },
  );
  return () => stop.abort();
}
