// One cell of the table: two visitors meet, and this is how they are connected.

import { expect } from "vitest";
import { seesStranger } from "../kit/media";
import { meet, type Visitor } from "../kit/visitor";
import type { Guest } from "./world";

export interface Side {
  path: "direct" | "relay";
  /** Candidate types of the selected pair, as this side sees them. */
  local: string;
  remote: string;
  family: string;
  /** How the relay is reached, where `local` is one: `udp`, `tcp` or `tls`. */
  relayBy?: string;
}

export interface Cell {
  a: Side;
  b: Side;
  path: "direct" | "relay";
  /** From the message that tells of the stranger to the connection; of the slower side. */
  elapsedMs: number;
}

/** Brings the two into a video call, waits until both see the other's picture move, and ends it. */
export async function call(a: Guest, b: Guest): Promise<Cell> {
  a.tap.clear();
  b.tap.clear();
  await meet(a.visitor, b.visitor);
  await Promise.all([seesStranger(a.visitor), seesStranger(b.visitor)]);
  const cell = await look(a, b);
  await Promise.all([leave(a), leave(b)]);
  return cell;
}

/** Ends the call and the page: the camera of a browser that only stands by would take the time of the others. */
async function leave({ visitor }: Guest): Promise<void> {
  await visitor.stop();
  await visitor.page.goto("about:blank");
}

/** How the two are connected now. */
export async function look(a: Guest, b: Guest): Promise<Cell> {
  const [ofA, ofB] = await Promise.all([side(a.visitor), side(b.visitor)]);
  expect(ofB.path, "both sides tell the same of the path").toBe(ofA.path);
  const elapsed = [a, b].map(({ tap }) => Number(tap.last("connected")?.elapsed_ms));
  return { a: ofA, b: ofB, path: ofA.path, elapsedMs: Math.max(...elapsed) };
}

async function side({ page }: Visitor): Promise<Side> {
  return page.evaluate(async () => {
    const { all } = window as unknown as { all: RTCPeerConnection[] };
    const connection = all.find(({ connectionState }) => connectionState === "connected");
    const entries = new Map<string, Record<string, string>>();
    (await connection?.getStats())?.forEach((entry) => entries.set(entry.id, entry));
    const transport = [...entries.values()].find(({ type }) => type === "transport");
    const pair = entries.get(transport?.selectedCandidatePairId ?? "");
    const local = entries.get(pair?.localCandidateId ?? "");
    const remote = entries.get(pair?.remoteCandidateId ?? "");
    if (!local || !remote) throw new Error("There is no selected pair.");
    const relayed = local.candidateType === "relay" || remote.candidateType === "relay";
    return {
      path: relayed ? "relay" : "direct",
      local: local.candidateType ?? "",
      remote: remote.candidateType ?? "",
      family: (local.address ?? "").includes(":") ? "ipv6" : "ipv4",
      ...(local.relayProtocol && local.candidateType === "relay" ? { relayBy: local.relayProtocol } : {}),
    };
  });
}
