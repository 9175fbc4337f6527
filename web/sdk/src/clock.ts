// The clock of the SDK. It never runs backwards, and it counts the time asleep.
// `performance.now()` stands still while a laptop sleeps, so after a night everything would still look fresh. The
// wall clock goes on, but somebody may set it. So this one follows `performance.now()` and jumps ahead when the wall
// clock shows that more time went by.

/** A step this small is rounding, or a time server that corrects the wall clock. */
const SLEPT_MS = 1_000;

/** A clock over both of the machine's. */
export function sleepAware(monotonic: () => number, wall: () => number): () => number {
  let asleepMs = 0;
  /** How far the wall clock is ahead of the monotonic one. */
  let aheadMs = wall() - monotonic();
  return () => {
    const steady = monotonic();
    const gapMs = wall() - steady - aheadMs;
    if (Math.abs(gapMs) >= SLEPT_MS) aheadMs += gapMs;
    // A wall clock that was set back says nothing.
    if (gapMs >= SLEPT_MS) asleepMs += gapMs;
    return steady + asleepMs;
  };
}

/** What every `…Ms` that names a moment is measured by, unless the application brings a clock of its own. */
export const now: () => number = sleepAware(
  () => performance.now(),
  () => Date.now(),
);
