// Lines that die without a word, and no event of the browser's that tells: the page finds out by itself, the chat goes on,
// and what was written into the dead line arrives once.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { seesStranger } from "../kit/media";
import { Proxy } from "../kit/proxy";
import { useCrew, useStage } from "../kit/stage";
import { meet, together, type Visitor } from "../kit/visitor";

const stage = useStage("--lobby-recent-pause-ms", "100");
const crew = useCrew(stage, "ben");
// Two asks that stay open and one new socket, with time to spare on a busy machine.
const FOUND_OUT_MS = 20_000;

let proxy: Proxy;
let ann: Visitor;

beforeAll(async () => {
  proxy = await Proxy.to(stage.server.port);
});
afterAll(() => proxy.close());
beforeEach(async () => {
  ann = await stage.visitor({ name: "ann", site: proxy.url });
});

async function anotherSocket({ page }: Visitor, withinMs = FOUND_OUT_MS): Promise<void> {
  await page.waitForEvent("websocket", { timeout: withinMs });
}

async function timesInLog(visitor: Visitor, text: string): Promise<number> {
  return ((await visitor.log.textContent()) ?? "").split(text).length - 1;
}

test("a text chat over a line that died goes on within seconds, and every text arrives once and in order", async () => {
  const { ben } = crew;
  await meet(ann, ben, "Text");
  await ann.say("(before)");
  await ben.hears("(before)");
  const found = anotherSocket(ann);
  proxy.freeze();
  await ann.say("(into the dark)");
  await ann.say("(and one more)");
  await ben.say("(from the other side)");
  await found;
  await ann.say("(after)");
  await ben.hears("(after)");
  await ann.hears("(from the other side)");
  for (const text of ["(before)", "(into the dark)", "(and one more)", "(after)"]) {
    expect(await timesInLog(ben, text), text).toBe(1);
  }
  expect(await ben.log.textContent()).toMatch(/into the dark.*and one more.*after/s);
  expect(await timesInLog(ann, "(from the other side)")).toBe(1);
  expect(await ann.page.getByText("Not sent").count()).toBe(0);
  await together(ann, ben);
});

test("an idle text chat notices as well, though nobody writes", async () => {
  const { ben } = crew;
  await meet(ann, ben, "Text");
  const found = anotherSocket(ann);
  proxy.freeze();
  await found;
  await together(ann, ben);
});

test("whoever waits on a line that died is in line again, and is met", async () => {
  const { ben } = crew;
  await ann.begin("Text");
  await ann.looking();
  const found = anotherSocket(ann);
  proxy.freeze();
  await found;
  await ben.begin("Text");
  await together(ann, ben);
});

test("texts that are lost with the line for good are shown as not sent", async () => {
  const { ben } = crew;
  await meet(ann, ben, "Text");
  await ann.button("More").click();
  await ann.page.getByRole("checkbox", { name: /by itself/ }).uncheck();
  await ann.button("Close").click();
  const found = anotherSocket(ann);
  proxy.freeze();
  await ann.say("(lost)");
  await ben.stop();
  await found;
  await ann.page.getByText("Not sent").first().waitFor();
  await ann.says(/stranger left/);
});

test("a video call on a dead line is undisturbed, and Next works when the line is found dead", async () => {
  const { ben } = crew;
  await meet(ann, ben);
  await seesStranger(ann);
  const found = anotherSocket(ann, 40_000);
  proxy.freeze();
  await Promise.all([seesStranger(ann, 20), seesStranger(ben, 20)]);
  await found;
  await together(ann, ben);
  await ben.next();
  await ann.reads(/stranger left/i);
});

test("a slow line is no dead one: with a round trip of three seconds nothing is replaced", async () => {
  const { ben } = crew;
  await meet(ann, ben, "Text");
  let sockets = 0;
  ann.page.on("websocket", () => (sockets += 1));
  proxy.delay(1_500);
  await ann.say("(slowly)");
  await ben.hears("(slowly)");
  await ann.page.waitForTimeout(25_000);
  expect(sockets).toBe(0);
  expect(await ann.isConnected()).toBe(true);
  proxy.delay(0);
});
