// Block: confirmed to the one who blocks, told to nobody else, kept through reloads and restarts, and taken back by Undo.

import { expect, test } from "vitest";
import { useCrew, useStage } from "../kit/stage";
import { meet, together, type Visitor } from "../kit/visitor";

const stage = useStage("--lobby-recent-pause-ms", "100");
const crew = useCrew(stage, "ben", "cat");
const LEFT = /stranger left/i;
// Much longer than two who fit wait for each other.
const APART_MS = 3_000;
const SOCKET = /WebSocket connection to|ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET/;

async function stayApart(...visitors: Visitor[]): Promise<void> {
  await Promise.all(visitors.map((visitor) => visitor.looking()));
  await visitors[0]?.page.waitForTimeout(APART_MS);
  for (const visitor of visitors) expect(await visitor.status.innerText()).toMatch(/Looking/);
}

async function again(visitor: Visitor): Promise<void> {
  await visitor.page.reload();
  await visitor.begin("Text");
}

test("Block is confirmed to the blocker, looks like any departure to the other, and outlives reloads and a restart", async () => {
  const { ben, cat } = crew;
  const ann = await stage.visitor({ name: "ann" });
  await meet(ann, ben, "Text");
  await ann.button("Block").click();
  await ann.reads("Blocked. You will not meet again.");
  await ann.button("Undo").waitFor();
  await ben.reads(LEFT);
  await stayApart(ann, ben);
  expect((await ben.history()).join("\n")).not.toMatch(/block|not meet again|for good/i);
  await again(ann);
  await stayApart(ann, ben);
  await again(ben);
  await stayApart(ann, ben);
  for (const { watch } of [ann, ben]) watch.expect(SOCKET);
  await stage.server.kill();
  await stage.server.revive();
  await again(ben);
  await again(ann);
  await stayApart(ann, ben);
  await cat.begin("Text");
  await cat.connected();
});

test("Undo takes it back, also from what the browser keeps", async () => {
  const { ben } = crew;
  const ann = await stage.visitor({ name: "ann" });
  await meet(ann, ben, "Text");
  await ann.button("Block").click();
  await ann.button("Undo").click();
  await ann.reads("No longer blocked.");
  await together(ann, ben);
  await again(ann);
  await together(ann, ben);
});

test("a stranger who left first can still be blocked", async () => {
  const { ben } = crew;
  const ann = await stage.visitor({ name: "ann" });
  await meet(ann, ben, "Text");
  await ben.stop();
  await ann.looking();
  await ann.button("Block").click();
  await ann.button("Undo").waitFor();
  await ben.button("Start").click();
  await stayApart(ann, ben);
  await again(ann);
  await stayApart(ann, ben);
});
