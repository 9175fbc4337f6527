// What getStats says of the traffic, in the few words that we need. Reads only; missing fields are left out, because browsers
// differ in what they report.

import type { Traffic } from "./quality.js";

export type Stat = Record<string, unknown> & { type: string };

const ARRIVALS: ReadonlySet<string> = new Set(["transport", "candidate-pair", "inbound-rtp"]);

export function readTraffic(report: RTCStatsReport): Traffic {
  const pair = selectedPair(report);
  const traffic: Traffic = {
    bytesReceived: 0,
    packetsReceived: 0,
    packetsLost: 0,
    roundTripMs: null,
    videoPackets: 0,
    framesDecoded: null,
  };
  if (typeof pair?.currentRoundTripTime === "number") traffic.roundTripMs = pair.currentRoundTripTime * 1000;
  report.forEach((entry: Stat) => {
    // Each may stand still while something arrives: the pair's after a change of path, the transport's where there is none.
    if (ARRIVALS.has(entry.type)) traffic.bytesReceived += count(entry.bytesReceived);
    if (entry.type !== "inbound-rtp") return;
    traffic.packetsReceived += count(entry.packetsReceived);
    traffic.packetsLost += count(entry.packetsLost);
    if (entry.kind !== "video") return;
    traffic.videoPackets += count(entry.packetsReceived);
    if (typeof entry.framesDecoded === "number")
      traffic.framesDecoded = (traffic.framesDecoded ?? 0) + entry.framesDecoded;
  });
  return traffic;
}

export function selectedPair(report: RTCStatsReport): Stat | undefined {
  let selected: Stat | undefined;
  let nominated: Stat | undefined;
  report.forEach((entry: Stat) => {
    if (entry.type === "transport") selected ??= stat(report, entry.selectedCandidatePairId);
    if (
      entry.type === "candidate-pair" &&
      (entry.selected || (entry.nominated && entry.state === "succeeded"))
    )
      nominated ??= entry;
  });
  // Firefox has no transport entry: there the nominated pair that succeeded is the one.
  return selected ?? nominated;
}

export function stat(report: RTCStatsReport, id: unknown): Stat | undefined {
  return report.get(id as string) as Stat | undefined;
}

function count(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
