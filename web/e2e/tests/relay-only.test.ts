// The server's own relay, as it starts by default: two browsers whose operator lets media go through relays only.
// The allowance for local peers is not given: from relay to relay nobody is a local peer.

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { hearsStranger, seesStranger } from "../kit/media";
import { useStage } from "../kit/stage";

const stage = useStage("--ice-policy", "relay");

type Frame = { type: string; sdp?: string; offer?: { sdp: string }; candidate?: { candidate: string }[] };

/** What this page tells the server, from now on. */
function told(page: Page): Frame[] {
  const frames: Frame[] = [];
  page.on("websocket", (socket) =>
    socket.on("framesent", ({ payload }) => frames.push(JSON.parse(String(payload)) as Frame)),
  );
  return frames;
}

test("two strangers see and hear each other through the relay, and name no other path", async () => {
  const ann = await stage.visitor({ name: "ann" });
  const ben = await stage.visitor({ name: "ben" });
  const said = [told(ann.page), told(ben.page)];
  await ann.begin();
  await ann.looking();
  await ben.begin();
  await Promise.all([ann.connected(), ben.connected()]);
  await Promise.all([seesStranger(ann), seesStranger(ben)]);
  await Promise.all([hearsStranger(ann), hearsStranger(ben)]);
  for (const frames of said) {
    const reports = frames.filter(({ type }) => type === "connected");
    // A check may be here before the candidate that it comes from: such a remote one is peer-reflexive (RFC 8445, 7.3.1.3).
    expect(reports).toMatchObject([
      { path: "relay", local_type: "relay", remote_type: expect.stringMatching(/^(relay|prflx)$/) },
    ]);
    const candidates = frames
      .flatMap(({ sdp, offer, candidate }) => [
        ...`${sdp ?? ""}\n${offer?.sdp ?? ""}`.split("\n").filter((line) => line.startsWith("a=candidate:")),
        ...(Array.isArray(candidate) ? candidate : []).map((one) => one.candidate),
      ])
      .filter((line) => line !== "");
    expect(candidates.length).toBeGreaterThan(0);
    expect(candidates.filter((line) => !line.includes(" typ relay"))).toEqual([]);
  }
});
