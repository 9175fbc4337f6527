// What getStats says, in the few words that we need: the path of the call, its quality, and how many
// bytes have arrived. Reads only; missing fields are left out, because browsers differ in what they report.

import type { CandidateType, Connected } from "./protocol.gen.js";
import type { CallQuality } from "./types.js";

type Stat = Record<string, unknown> & { type: string };

/** How the two are connected, as the message `connected` says it. */
export type CallPath = Omit<Connected, "match_id" | "elapsed_ms">;

export interface Traffic {
  /** Changes whenever anything arrives. A sum of counters that overlap: no measure of how much. */
  bytesReceived: number;
  packetsReceived: number;
  packetsLost: number;
  roundTripMs: number | null;
}

const ARRIVALS: ReadonlySet<string> = new Set(["transport", "candidate-pair", "inbound-rtp"]);

export function readPath(report: RTCStatsReport): CallPath {
  const pair = selectedPair(report);
  const local = stat(report, pair?.localCandidateId);
  const remote = stat(report, pair?.remoteCandidateId);
  const path: CallPath = {
    path: local?.candidateType === "relay" || remote?.candidateType === "relay" ? "relay" : "direct",
  };
  if (local) path.local_type = local.candidateType as CandidateType;
  if (remote) path.remote_type = remote.candidateType as CandidateType;
  // To a relay it is the way there that counts; the relay itself speaks UDP to the other side.
  const protocol = local?.relayProtocol ?? local?.protocol;
  if (protocol === "udp" || protocol === "tcp" || protocol === "tls") path.protocol = protocol;
  const address = [local?.address, local?.ip, remote?.address, remote?.ip].find(isAddress);
  if (address) path.family = address.includes(":") ? "ipv6" : "ipv4";
  return path;
}

export function readTraffic(report: RTCStatsReport): Traffic {
  const pair = selectedPair(report);
  const traffic: Traffic = { bytesReceived: 0, packetsReceived: 0, packetsLost: 0, roundTripMs: null };
  if (typeof pair?.currentRoundTripTime === "number") traffic.roundTripMs = pair.currentRoundTripTime * 1000;
  report.forEach((entry: Stat) => {
    // Each may stand still while something arrives: the pair's after a change of path, the transport's where there is none.
    if (ARRIVALS.has(entry.type)) traffic.bytesReceived += count(entry.bytesReceived);
    if (entry.type !== "inbound-rtp") return;
    traffic.packetsReceived += count(entry.packetsReceived);
    traffic.packetsLost += count(entry.packetsLost);
  });
  return traffic;
}

/** The quality between two readings. */
export function quality(before: Traffic, after: Traffic): CallQuality {
  const received = after.packetsReceived - before.packetsReceived;
  // Late packets are taken back from the losses, so the difference may be negative.
  const lost = Math.max(0, after.packetsLost - before.packetsLost);
  const lossRatio = received + lost > 0 ? lost / (received + lost) : null;
  const { roundTripMs } = after;
  const worse = (loss: number, trip: number) => (lossRatio ?? 0) > loss || (roundTripMs ?? 0) > trip;
  return { level: worse(0.08, 500) ? "poor" : worse(0.03, 250) ? "fair" : "good", roundTripMs, lossRatio };
}

function selectedPair(report: RTCStatsReport): Stat | undefined {
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

function stat(report: RTCStatsReport, id: unknown): Stat | undefined {
  return report.get(id as string) as Stat | undefined;
}

function count(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

// An address may be hidden behind a random `.local` name, which says nothing of the family.
function isAddress(value: unknown): value is string {
  return typeof value === "string" && value !== "" && !value.endsWith(".local");
}
