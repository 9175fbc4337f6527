// A client that was written from docs/protocol.md alone (`raw/client.py`, with aiortc) against the page in Chromium.
// What the document says must be enough to call, to be called, to write and to go on.

import { afterEach, beforeAll, expect, test } from "vitest";
import { hearsStranger, seesStranger } from "../kit/media";
import { prepare, RawVisitor, type Settings } from "../kit/raw";
import { useStage } from "../kit/stage";
import type { Visitor } from "../kit/visitor";
import { Wiretap } from "../natlab/wiretap";

const stage = useStage("--lobby-recent-pause-ms", "100");
let cat: Visitor;
let tap: Wiretap;
const raws: RawVisitor[] = [];

beforeAll(async () => {
  prepare();
  cat = await stage.visitor({ name: "cat", stays: true });
  tap = new Wiretap(cat.page);
}, 180_000);

afterEach(async () => {
  const left = raws.splice(0);
  await Promise.all(left.map((raw) => raw.leave()));
  expect(
    left.flatMap((raw) => raw.troubles()),
    "what the raw clients complain about",
  ).toEqual([]);
});

function raw(settings: Settings = {}): RawVisitor {
  const visitor = new RawVisitor("raw", stage.server.url, settings);
  raws.push(visitor);
  return visitor;
}

async function bothSeeAndHear(ray: RawVisitor): Promise<void> {
  await Promise.all([ray.connected(), cat.connected()]);
  await Promise.all([seesStranger(ray), seesStranger(cat)]);
  await Promise.all([hearsStranger(ray), hearsStranger(cat)]);
}

async function bothWrite(ray: RawVisitor): Promise<void> {
  await ray.say("hello from raw");
  await cat.hears("hello from raw");
  await cat.say("hello from cat");
  await ray.hears("hello from cat");
}

test("its offer waits, and the page answers", async () => {
  const ray = raw();
  await ray.begin();
  await ray.looking();
  await cat.begin();
  await bothSeeAndHear(ray);
  expect(ray.last("matched")).toMatchObject({ mode: "answer_offer", initiator: true, offered: false });
  await bothWrite(ray);
});

test("the page's offer waits, and it answers", async () => {
  const ray = raw();
  await cat.begin();
  await cat.looking();
  await ray.begin();
  await bothSeeAndHear(ray);
  expect(ray.last("matched")).toMatchObject({ mode: "answer_offer", initiator: false, offered: true });
  await bothWrite(ray);
});

test("it brings no offer, says no hello, and meets all the same", async () => {
  const ray = raw({ hello: false });
  await ray.begin("Video", false);
  await ray.looking();
  await cat.begin();
  await bothSeeAndHear(ray);
  await bothWrite(ray);
});

test("while it waits it is asked whether it is there, and is found after it answered", async () => {
  const ray = raw({ greeting: { answers_ping: true } });
  await ray.begin();
  await ray.looking();
  ray.order({ do: "ping" });
  // Its hello, its search, and this.
  expect(await ray.tells("pong")).toMatchObject({ received: 3 });
  const asked = () => ray.events.some(({ event, type }) => event === "frame" && type === "ping");
  await expect.poll(asked, { message: "a ping", timeout: 25_000 }).toBe(true);
  await cat.begin();
  await Promise.all([ray.connected(), cat.connected()]);
});

test.each(["it", "the page"])(
  "with a data channel of its own no text is lost, where %s waits",
  async (who) => {
    const ray = raw({ own_channel: true });
    const [waits, comes] = who === "it" ? [ray, cat] : [cat, ray];
    await waits.begin();
    await waits.looking();
    await comes.begin();
    await bothSeeAndHear(ray);
    await bothWrite(ray);
  },
);

test("in a text chat they write", async () => {
  const ray = raw();
  await cat.begin("Text");
  await cat.looking();
  await ray.begin("Text");
  await Promise.all([ray.connected(), cat.connected()]);
  await bothWrite(ray);
});

test("either goes on, and both are found again, with offers of their own", async () => {
  const ray = raw();
  await ray.begin();
  await cat.begin();
  await bothSeeAndHear(ray);
  for (const who of [cat, ray]) {
    const [calls, since] = [await connections(cat), ray.events.length];
    await who.next();
    await ray.tells("connected", since);
    await expect.poll(() => connections(cat), { timeout: 20_000 }).toBeGreaterThan(calls);
    await Promise.all([seesStranger(ray), seesStranger(cat)]);
    await bothWrite(ray);
  }
  await cat.stop();
  await expect.poll(() => ray.last("left")).toMatchObject({ reason: "stop", requeued: true });
});

test("it sleeps until the page makes a new offer, and the call comes back by that", async () => {
  const ray = raw();
  await cat.begin();
  await cat.looking();
  await ray.begin();
  await bothSeeAndHear(ray);
  tap.clear();
  ray.sleep();
  await cat.says(/Reconnecting/);
  await expect.poll(() => tap.last("offer"), { message: "an offer", timeout: 20_000 }).toBeTruthy();
  ray.wake();
  await cat.connected();
  await Promise.all([seesStranger(ray), seesStranger(cat)]);
  await bothWrite(ray);
});

/** How often the page was connected so far. */
async function connections(visitor: Visitor): Promise<number> {
  return (await visitor.history()).filter((said) => /^Connected/.test(said)).length;
}
