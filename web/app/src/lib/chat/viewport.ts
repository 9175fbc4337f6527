// The phone keyboard must cover nothing and push nothing away. Where the browser shrinks the page by itself
// (`interactive-widget=resizes-content`) CSS does it all; Safari only shrinks the *visual* viewport and pans
// it, so there the page follows that viewport by hand.

export function followKeyboard(frame: HTMLElement): () => void {
  const viewport = window.visualViewport;
  if (!viewport) return () => undefined;

  function follow(): void {
    if (!viewport) return;
    // Zoomed in by the visitor: that is not the keyboard, and the page must stay as it is.
    const covered = viewport.scale <= 1.01 && window.innerHeight - viewport.height > 80;
    frame.style.height = covered ? `${viewport.height}px` : "";
    frame.style.top = covered ? `${viewport.offsetTop}px` : "";
  }

  viewport.addEventListener("resize", follow);
  viewport.addEventListener("scroll", follow);
  return () => {
    viewport.removeEventListener("resize", follow);
    viewport.removeEventListener("scroll", follow);
  };
}
