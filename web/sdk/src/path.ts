// What getStats says of the path of a call, as the message `connected` tells it. Missing fields are left out, because browsers
// differ in what they report.

import type { CandidateType, Connected } from "./protocol.gen.js";
import { selectedPair, stat } from "./stats.js";

export type CallPath = Omit<Connected, "match_id" | "elapsed_ms">;

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

// An address may be hidden behind a random `.local` name, which says nothing of the family.
function isAddress(value: unknown): value is string {
  return typeof value === "string" && value !== "" && !value.endsWith(".local");
}
