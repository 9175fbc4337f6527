// The server dies under a call. The call does not need it; whatever needs it waits for it.

import { beforeEach, expect, test } from "vitest";
import { seesStranger } from "../kit/media";
import { useCrew, useStage } from "../kit/stage";
import { meet, partsThem, together } from "../kit/visitor";

const stage = useStage("--lobby-recent-pause-ms", "100");
const crew = useCrew(stage, "ann", "ben");
const AWAY = /server (is away|does not answer)/i;
const SOCKET = /WebSocket connection to|ERR_CONNECTION_REFUSED/;

beforeEach(() => {
  for (const { watch } of Object.values(crew)) watch.expect(SOCKET);
});

test("a call outlives the server, its socket comes back by itself, and Next works again", async () => {
  const { ann, ben } = crew;
  await meet(ann, ben);
  await seesStranger(ann);
  await stage.server.kill();
  await Promise.all([ann.says(AWAY), ben.says(AWAY)]);
  await together(ann, ben);
  await Promise.all([seesStranger(ann, 10), seesStranger(ben, 10)]);

  await stage.server.revive();
  const there = ({ status }: typeof ann) => status.innerText();
  await expect.poll(() => there(ann), { timeout: 30_000 }).not.toMatch(AWAY);
  await expect.poll(() => there(ben), { timeout: 30_000 }).not.toMatch(AWAY);
  await together(ann, ben);
  await Promise.all([seesStranger(ann), seesStranger(ben)]);

  await partsThem([ann, ben], () => ann.next());
  await together(ann, ben);
  await Promise.all([seesStranger(ann), seesStranger(ben)]);

  // As often as one likes, and also from the other side.
  await partsThem([ann, ben], () => ben.next());
  await together(ann, ben);
});

test("Next while the server is away reaches the stranger, and both meet others when it is back", async () => {
  const { ann, ben } = crew;
  const cat = await stage.visitor({ name: "cat" });
  await meet(ann, ben);
  await stage.server.kill();
  await Promise.all([ann.says(AWAY), ben.says(AWAY)]);
  await ann.next();
  await ben.reads(/stranger left/i);
  expect(await ann.isConnected()).toBe(false);
  expect(await ben.isConnected()).toBe(false);
  await Promise.all([ann.says(AWAY), ben.says(AWAY)]);
  await stage.server.revive();
  await Promise.all([ann.connected(), ben.connected()]);
  await together(ann, ben);
  await cat.begin();
  await cat.looking();
  await ann.next();
  await cat.connected();
});

test("Stop and Start while the server is away end in a sentence with a way on, or in a stranger", async () => {
  const { ann, ben } = crew;
  await meet(ann, ben, "Text");
  await stage.server.kill();
  await ann.says(AWAY);
  await ann.stop();
  await ann.button("Start").click();
  await ann.says(AWAY);
  await ann.button("Try again").waitFor();
  await ann.watch.expect(SOCKET);
  await stage.server.revive();
  await ann.button("Try again").click();
  await together(ann, ben);
});

test("someone who waits when the server dies waits on and is found when it is back", async () => {
  const { ann, ben } = crew;
  await ann.begin("Audio");
  await ann.looking();
  await stage.server.kill();
  await ann.says(AWAY);
  await stage.server.revive();
  await ann.looking();
  await ben.begin("Audio");
  await together(ann, ben);
});
