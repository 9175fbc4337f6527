// A visitor's network is taken away and another is given, in an order in which no browser tells its pages: a laptop
// that is plugged in and leaves the Wi-Fi. Whatever a visitor is doing goes on, and nobody becomes a ghost.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seesStranger } from "../kit/media";
import type { Kind } from "../kit/visitor";
import { look } from "../natlab/cell";
import { skipped } from "../natlab/laboratory";
import { World, type Guest } from "../natlab/world";

const WITHIN_MS = 45_000;

describe.skipIf(skipped("networks that change without a word"))("where the interface is another one", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open();
  });
  afterAll(() => world?.close());

  async function guests(...labels: string[]): Promise<Guest[]> {
    const all = await Promise.all(labels.map((label) => world.guest("open", label)));
    for (const { visitor } of all) await visitor.page.addInitScript(noteNetwork);
    return all;
  }

  async function met(first: Guest, second: Guest, kind: Kind): Promise<void> {
    await first.visitor.begin(kind);
    await first.visitor.looking();
    await second.visitor.begin(kind);
    await Promise.all([first.visitor.connected(), second.visitor.connected()]);
  }

  function swap(guest: Guest): void {
    Object.assign(guest.home, world.internet.swap(guest.home, "open", `${guest.visitor.name}-2`));
  }

  test.each(["waited", "came"])("a call goes on, for whoever %s", { timeout: 90_000 }, async (who) => {
    const [ann, ben] = (await guests(`${who}-a`, `${who}-b`)) as [Guest, Guest];
    await met(ann, ben, "Video");
    await Promise.all([seesStranger(ann.visitor), seesStranger(ben.visitor)]);
    await ann.visitor.say("before");
    await ben.visitor.hears("before");
    swap(who === "waited" ? ann : ben);
    await Promise.all([seesStranger(ann.visitor, 10, WITHIN_MS), seesStranger(ben.visitor, 10, WITHIN_MS)]);
    await Promise.all([ann.visitor.connected(), ben.visitor.connected()]);
    await ben.visitor.say("after");
    await ann.visitor.hears("after");
    // This call, not another with the same stranger: then the log would have been emptied.
    for (const { visitor } of [ann, ben]) expect(await visitor.log.textContent()).toContain("before");
    expect((await look(ann, ben)).path).toBe("direct");
    expect(await Promise.all([ann, ben].map(toldOfNetwork))).toEqual([[], []]);
    await Promise.all([ann.visitor.stop(), ben.visitor.stop()]);
  });

  test("a text chat goes on, and no text is lost or doubled", { timeout: 90_000 }, async () => {
    const [ann, ben] = (await guests("text-a", "text-b")) as [Guest, Guest];
    await met(ann, ben, "Text");
    swap(ann);
    for (const [from, to] of [
      [ann, ben],
      [ben, ann],
    ] as const) {
      await from.visitor.say(`written blindly by ${from.visitor.name}`);
      await expect
        .poll(() => to.visitor.log.textContent(), { timeout: WITHIN_MS })
        .toContain(`written blindly by ${from.visitor.name}`);
    }
    for (const { visitor } of [ann, ben]) {
      const words = (await visitor.log.textContent()) ?? "";
      expect(words.split("written blindly by").length - 1, `texts in the log of ${visitor.name}`).toBe(2);
    }
    expect(await toldOfNetwork(ann)).toEqual([]);
    await Promise.all([ann.visitor.stop(), ben.visitor.stop()]);
  });

  test("whoever waits is found", { timeout: 90_000 }, async () => {
    const [ann, ben] = (await guests("waits", "comes")) as [Guest, Guest];
    await ann.visitor.begin("Text");
    await ann.visitor.looking();
    swap(ann);
    await ben.visitor.begin("Text");
    const both = () => Promise.all([ann.visitor.isConnected(), ben.visitor.isConnected()]);
    await expect.poll(both, { timeout: WITHIN_MS }).toEqual([true, true]);
    await ben.visitor.say("there you are");
    await ann.visitor.hears("there you are");
    expect(await toldOfNetwork(ann)).toEqual([]);
    await Promise.all([ann.visitor.stop(), ben.visitor.stop()]);
  });
});

/** Runs in the page: what the browser tells of the network. */
function noteNetwork(): void {
  const told: string[] = [];
  Object.assign(window, { told });
  for (const type of ["online", "offline"]) addEventListener(type, () => told.push(type));
}

function toldOfNetwork({ visitor }: Guest): Promise<string[]> {
  return visitor.page.evaluate(() => (window as unknown as { told: string[] }).told);
}
