// Keeps the screen awake during a talk. Browsers let go of the lock whenever the page is hidden, so it is asked
// for again when the page comes back; a refusal (battery saver) is no reason for words.

export function keepAwake(): () => void {
  let lock: WakeLockSentinel | null = null;
  let over = false;

  async function ask(): Promise<void> {
    if (over || document.visibilityState !== "visible" || !("wakeLock" in navigator)) return;
    try {
      lock = await navigator.wakeLock.request("screen");
      if (over) release();
    } catch {
      lock = null;
    }
  }

  function release(): void {
    lock?.release().catch(() => undefined);
    lock = null;
  }

  document.addEventListener("visibilitychange", ask);
  void ask();
  return () => {
    over = true;
    document.removeEventListener("visibilitychange", ask);
    release();
  };
}
