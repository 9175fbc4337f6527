// The configuration that connections gather with, as the page asks for it: once, not beyond its life, and without it
// a call is tried all the same.

import { describe, expect, test } from "vitest";
import { countConnections } from "../kit/census";
import { useCrew, useStage } from "../kit/stage";
import { together, type Visitor } from "../kit/visitor";

/** How often the page has asked so far. */
function asked({ page }: Visitor): () => number {
  let times = 0;
  page.on("request", (request) => (times += request.url().endsWith("/api/ice") ? 1 : 0));
  return () => times;
}

/** Of all connections that the page has made and not closed, in the order they were made. */
function urlsOf({ page }: Visitor): Promise<string[]> {
  return page.evaluate(() => {
    const { all } = window as unknown as { all: RTCPeerConnection[] };
    const open = all.filter(({ signalingState }) => signalingState !== "closed");
    return open
      .flatMap((connection) => connection.getConfiguration().iceServers ?? [])
      .flatMap(({ urls }) => urls);
  });
}

describe("the ICE configuration", () => {
  const stage = useStage("--lobby-recent-pause-ms", "100");
  const crew = useCrew(stage, "ben");

  test("is asked for once for a whole visit, and before Start", async () => {
    const ann = await stage.visitor({ name: "ann" });
    const times = asked(ann);
    await Promise.all([ann.openChat(), crew.ben.begin()]);
    await expect.poll(times).toBe(1);
    await ann.begin();
    for (let round = 0; round < 3; round += 1) {
      await together(ann, crew.ben);
      await ann.next();
    }
    await together(ann, crew.ben);
    expect(times()).toBe(1);
  });

  test("that does not come is gone without, and asked for again", { timeout: 30_000 }, async () => {
    const ann = await stage.visitor({ name: "ann", before: countConnections });
    const times = asked(ann);
    await ann.page.route("**/api/ice", () => undefined);
    await Promise.all([ann.begin(), crew.ben.begin()]);
    await together(ann, crew.ben);
    await ann.reads(/^direct$/);
    expect((await urlsOf(ann)).filter((url) => !url.startsWith("stun:"))).toEqual([]);
    await ann.page.unroute("**/api/ice");
    const before = times();
    await ann.next();
    await together(ann, crew.ben);
    expect(times()).toBeGreaterThan(before);
    expect((await urlsOf(ann)).join(" ")).toContain("turn:");
  });
});

describe("credentials of a short life", () => {
  const stage = useStage("--ice-policy", "relay", "--ice-ttl-s", "4");

  test("are fetched anew by whoever starts when those of the page are over", async () => {
    const [ann, ben] = [await stage.visitor({ name: "ann" }), await stage.visitor({ name: "ben" })];
    const times = asked(ann);
    await Promise.all([ann.openChat(), ben.openChat()]);
    await expect.poll(times).toBe(1);
    await ann.page.waitForTimeout(4_500);
    await Promise.all([ann.begin(), ben.begin()]);
    await together(ann, ben);
    await ann.reads("relayed");
    expect(times()).toBeGreaterThan(1);
  });
});
