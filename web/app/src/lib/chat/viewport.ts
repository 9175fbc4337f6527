// The phone keyboard must cover nothing and push nothing away. Where the browser shrinks the page by itself
// (`interactive-widget=resizes-content`) CSS does it all. Elsewhere the page stays as high as it was and the
// keyboard lies over it, so the page follows what can be seen by hand.

/** What a browser says of its window, in CSS pixels. */
export interface WindowFigures {
  innerHeight: number;
  /** What `position: fixed` and `dvh` count in: the root element's height. */
  layoutHeight: number;
  visual: { height: number; offsetTop: number; scale: number } | null;
}

export interface Room {
  top: number;
  height: number;
}

/**
 * Keyboards are far higher, and so is the bar of shortcuts above a keyboard on a desk (about 55). iOS 26 leaves 24
 * behind when the keyboard goes.
 */
const NO_KEYBOARD_PX = 40;

/** What is left of the page above a keyboard, or null where the page as it is can be seen. */
export function roomAboveKeyboard({ innerHeight, layoutHeight, visual }: WindowFigures): Room | null {
  // Zoomed in by the visitor: that is not the keyboard, and the page must stay as it is.
  if (visual && visual.scale > 1.01) return null;
  // iOS 26 and Firefox for iOS shrink `innerHeight` with the visual viewport, Safari before it did not; the layout
  // keeps its height in all of them.
  const page = Math.max(innerHeight, layoutHeight);
  const seen = Math.min(innerHeight, visual?.height ?? innerHeight);
  if (seen <= 0 || page - seen < NO_KEYBOARD_PX) return null;
  // Never below the page, whatever a browser in the middle of its animation says.
  return { top: Math.min(Math.max(0, visual?.offsetTop ?? 0), page - seen), height: seen };
}

/** Where there is less than this, the picture gives way to the words. */
const LITTLE_PX = 320;

export function followKeyboard(frame: HTMLElement): () => void {
  const viewport = window.visualViewport;

  function follow(): void {
    const room = roomAboveKeyboard({
      innerHeight: window.innerHeight,
      layoutHeight: document.documentElement.clientHeight,
      visual: viewport,
    });
    frame.style.height = room ? `${room.height}px` : "";
    frame.style.top = room ? `${room.top}px` : "";
    frame.classList.toggle("cramped", room !== null && room.height < LITTLE_PX);
  }

  const stop = new AbortController();
  const { signal } = stop;
  viewport?.addEventListener("resize", follow, { signal });
  viewport?.addEventListener("scroll", follow, { signal });
  window.addEventListener("resize", follow, { signal });
  follow();
  return () => stop.abort();
}
