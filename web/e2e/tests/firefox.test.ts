// The visitor's story between Firefox and Chromium. Which of the two waits decides who makes the offer, so every
// chapter that needs a call is told in both orders.

import type { Browser } from "puppeteer-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { FirefoxVisitor, launchFirefox } from "../kit/firefox";
import { hearsStranger, seesStranger } from "../kit/media";
import { useStage } from "../kit/stage";
import type { Kind, Visitor } from "../kit/visitor";
import { Wiretap } from "../natlab/wiretap";

type Person = FirefoxVisitor | Visitor;

const stage = useStage("--lobby-recent-pause-ms", "100");
let browser: Browser;
let fox: FirefoxVisitor;
let cat: Visitor;
let tap: Wiretap;

beforeAll(async () => {
  browser = await launchFirefox();
  fox = await FirefoxVisitor.in(browser, "fox", stage.server.url);
  cat = await stage.visitor({ name: "cat", stays: true });
  tap = new Wiretap(cat.page);
}, 60_000);
afterEach(async () => {
  await fox.page.goto("about:blank");
  expect(fox.troubles(), "what the visit left behind").toEqual([]);
});
afterAll(() => browser?.close());

describe.each(["Firefox", "Chromium"])("where %s waits and the other comes", (first) => {
  const people = (): [Person, Person] => (first === "Firefox" ? [fox, cat] : [cat, fox]);

  async function met(kind: Kind = "Video", [waits, comes] = people()): Promise<[Person, Person]> {
    await waits.begin(kind);
    await waits.looking();
    await comes.begin(kind);
    await Promise.all([waits.connected(), comes.connected()]);
    return [waits, comes];
  }

  test("they see, hear and write to each other, go on, and stop", async () => {
    const [waits, comes] = await met();
    await Promise.all([seesStranger(waits), seesStranger(comes)]);
    await Promise.all([hearsStranger(waits), hearsStranger(comes)]);
    await write(waits, comes);

    await comes.next();
    await Promise.all([again(waits), again(comes)]);
    await Promise.all([seesStranger(waits), seesStranger(comes)]);
    await write(comes, waits);

    await waits.stop();
    await waits.says(/Ready/);
    await comes.looking();
  });

  test("whoever comes turns camera and microphone off, and on again", async () => {
    const [waits, comes] = await met();
    await seesStranger(waits);
    for (const device of ["Turn camera off", "Mute microphone"]) await comes.press(device);
    for (const device of ["Turn camera off", "Mute microphone"]) await comes.press(device);
    await Promise.all([seesStranger(waits), hearsStranger(waits)]);
    await write(comes, waits);
  });

  test("Firefox sleeps until Chromium makes a new offer, and the call comes back", async () => {
    await met();
    await Promise.all([seesStranger(fox), seesStranger(cat)]);
    tap.clear();
    fox.sleep();
    try {
      await cat.says(/Reconnecting/);
      await expect.poll(() => tap.last("offer"), { message: "an offer", timeout: 20_000 }).toBeTruthy();
    } finally {
      fox.wake();
    }
    await Promise.all([fox.connected(), cat.connected()]);
    await Promise.all([seesStranger(fox, 10), seesStranger(cat, 10)]);
    await write(fox, cat);
  });

  test("voices alone are heard", async () => {
    const [waits, comes] = await met("Audio");
    await Promise.all([hearsStranger(waits), hearsStranger(comes)]);
    await write(waits, comes);
  });

  test("in a text chat they write, and Block parts them for good", async () => {
    // Of their own: nobody meets them again.
    const once = await FirefoxVisitor.in(browser, "fox, once", stage.server.url);
    const pair: [Person, Person] = [once, await stage.visitor({ name: "cat, once" })];
    const [waits, comes] = await met("Text", first === "Firefox" ? pair : [pair[1], pair[0]]);
    await write(waits, comes);
    await waits.press("Block");
    await comes.looking();
    await expect.poll(() => waits.isConnected()).toBe(false);
    // The pause after which others would meet again is a tenth of a second here.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await comes.isConnected()).toBe(false);
    await once.leave();
  });
});

async function write(a: Person, b: Person): Promise<void> {
  await a.say(`hello from ${a.name}`);
  await b.hears(`hello from ${a.name}`);
  await b.say(`and from ${b.name}`);
  await a.hears(`and from ${b.name}`);
}

/** In a call, and it is not the first. */
async function again(person: Person): Promise<void> {
  const calls = async () => (await person.history()).filter((said) => /^Connected/.test(said)).length;
  await expect.poll(calls, { message: `calls of ${person.name}`, timeout: 20_000 }).toBeGreaterThan(1);
  await person.connected();
}
