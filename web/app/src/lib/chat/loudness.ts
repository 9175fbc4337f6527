// Browsers give the level of a voice as an amplitude; the ear counts in decibels.

/** Below this it is the room, not a voice. */
const QUIET_DB = -50;
const LOUD_DB = -10;

/** 0 (silence) to 1 (loud). */
export function loudness(amplitude: number | null): number {
  if (amplitude === null || amplitude <= 0) return 0;
  return Math.min(1, Math.max(0, (20 * Math.log10(amplitude) - QUIET_DB) / (LOUD_DB - QUIET_DB)));
}
