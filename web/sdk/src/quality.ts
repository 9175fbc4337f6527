// How good a call is, from two readings of its traffic.

import type { CallQuality } from "./types.js";

export interface Traffic {
  /** Changes whenever anything arrives. A sum of counters that overlap: no measure of how much. */
  bytesReceived: number;
  packetsReceived: number;
  packetsLost: number;
  roundTripMs: number | null;
  videoPackets: number;
  /** Null where the browser does not say. */
  framesDecoded: number | null;
}

type Counts = Pick<Traffic, "packetsReceived" | "packetsLost" | "roundTripMs">;

/** The quality between two readings. */
export function quality(before: Counts, after: Counts): CallQuality {
  const received = after.packetsReceived - before.packetsReceived;
  // Late packets are taken back from the losses, so the difference may be negative.
  const lost = Math.max(0, after.packetsLost - before.packetsLost);
  const lossRatio = received + lost > 0 ? lost / (received + lost) : null;
  const { roundTripMs } = after;
  const worse = (loss: number, trip: number) => (lossRatio ?? 0) > loss || (roundTripMs ?? 0) > trip;
  return { level: worse(0.08, 500) ? "poor" : worse(0.03, 250) ? "fair" : "good", roundTripMs, lossRatio };
}
