// Phone, tablet, laptop, and twice the size: what one needs is in sight without opening anything.
// With LOOKS=1 every screen is kept as a picture, to be looked at.

import { mkdirSync } from "node:fs";
import type { Locator } from "playwright-core";
import { expect, test } from "vitest";
import { canPress, distance, scrollsSideways, SCREENS } from "../kit/layout";
import { seesStranger } from "../kit/media";
import { OUT, useCrew, useStage } from "../kit/stage";
import { meet, partsThem, together, type Visitor } from "../kit/visitor";

const stage = useStage("--lobby-recent-pause-ms", "100");
const crew = useCrew(stage, "ann", "ben");

test("every page fits every screen without scrolling sideways", async () => {
  const { ann } = crew;
  for (const path of ["/", "/rules", "/privacy", "/about", "/test", "/chat", "/chat?kind=text"]) {
    await ann.page.goto(ann.site + path);
    await onEveryScreen(ann, `page ${path}`, async (screen) => {
      expect(await scrollsSideways(ann), `${path}, ${screen}`).toEqual([]);
    });
  }
});

for (const kind of ["Video", "Audio", "Text"] as const) {
  test(`in a ${kind.toLowerCase()} chat Next, Message and Send are in reach on every screen`, async () => {
    const { ann, ben } = crew;
    await ann.begin(kind);
    await ann.looking();
    await onEveryScreen(ann, `${kind} waiting`, (screen) => nextIsInReach(ann, screen));
    await meet(ann, ben, kind);
    if (kind === "Video") await seesStranger(ann);
    await onEveryScreen(ann, `${kind} connected`, (screen) => everythingIsInReach(ann, screen));
    await talk(ann, ben);
    await onEveryScreen(ann, `${kind} talking`, (screen) => everythingIsInReach(ann, screen));
    await partsThem([ann], () => ben.stop());
    await onEveryScreen(ann, `${kind} after`, (screen) => nextIsInReach(ann, screen));
  });
}

test("Block is in reach in every call, in the corner that is farthest from Next", async () => {
  const { ann, ben } = crew;
  for (const kind of ["Video", "Text"] as const) {
    await meet(ann, ben, kind);
    for (const [screen, size] of Object.entries(SCREENS)) {
      await ann.page.setViewportSize(size);
      const block = await canPress(ann.button("Block"), `Block, ${screen}`);
      expect(Math.min(block.width, block.height), `size of Block, ${screen}`).toBeGreaterThanOrEqual(44);
      const next = await canPress(ann.button("Next"), `Next, ${screen}`);
      expect(distance(next, block), `from Next to Block, ${screen}`).toBeGreaterThan(size.height / 3);
      await ann.button("More").click();
      await keep(ann, "More", screen);
      expect(await scrollsSideways(ann), `More, ${screen}`).toEqual([]);
      await ann.button("Close").click();
    }
    await ann.stop();
    await ben.stop();
  }
});

test("my own picture moves from corner to corner by its button, on a phone", async () => {
  const { ann, ben } = crew;
  await meet(ann, ben);
  await ann.page.setViewportSize(SCREENS["phone upright"]);
  const own = ann.page.locator('video[aria-label="You"]');
  const places = new Set<string>();
  for (let press = 0; press < 4; press++) {
    const box = await own.boundingBox();
    places.add(`${Math.round(box?.x ?? 0)},${Math.round(box?.y ?? 0)}`);
    await everythingIsInReach(ann, "phone upright");
    await ann.button("Move my picture").click();
  }
  expect(places.size).toBe(4);
});

test("a word without end and a talk without end break nothing", async () => {
  const { ann, ben } = crew;
  await meet(ann, ben);
  await ben.say("Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft".repeat(4));
  for (let line = 0; line < 30; line++) await ben.say(`line ${line}`);
  await ann.hears("line 29");
  const last = ann.log.getByText("line 29", { exact: true });
  await onEveryScreen(ann, "Video long talk", async (screen) => {
    await everythingIsInReach(ann, screen);
    await expect.poll(() => inSight(last), { message: `the last words, ${screen}` }).toBe(true);
  });
});

async function talk(ann: Visitor, ben: Visitor): Promise<void> {
  await together(ann, ben);
  await ben.say("Hello, where are you?");
  await ann.hears("Hello, where are you?");
  await ann.say("At home. It rains, and you? I have been reading about bridges all day.");
}

async function nextIsInReach(visitor: Visitor, screen: string): Promise<void> {
  const next = await canPress(visitor.button("Next"), `Next, ${screen}`);
  expect(Math.min(next.width, next.height), `size of Next, ${screen}`).toBeGreaterThanOrEqual(44);
  const stop = await canPress(visitor.button("Stop"), `Stop, ${screen}`);
  expect(Math.min(stop.width, stop.height), `size of Stop, ${screen}`).toBeGreaterThanOrEqual(44);
  expect(next.width * next.height, `Next is the largest, ${screen}`).toBeGreaterThan(
    stop.width * stop.height,
  );
  expect(await scrollsSideways(visitor), screen).toEqual([]);
}

async function everythingIsInReach(visitor: Visitor, screen: string): Promise<void> {
  await nextIsInReach(visitor, screen);
  await canPress(visitor.line, `Message, ${screen}`);
  const send = await canPress(visitor.button("Send"), `Send, ${screen}`);
  expect(Math.min(send.width, send.height), `size of Send, ${screen}`).toBeGreaterThanOrEqual(44);
}

async function inSight(words: Locator): Promise<boolean> {
  return canPress(words, "the words").then(
    () => true,
    () => false,
  );
}

async function onEveryScreen(
  visitor: Visitor,
  what: string,
  check: (screen: string) => Promise<void>,
): Promise<void> {
  for (const [screen, size] of Object.entries(SCREENS)) {
    await visitor.page.setViewportSize(size);
    await keep(visitor, what, screen);
    await check(screen);
  }
}

async function keep({ page }: Visitor, what: string, screen: string): Promise<void> {
  if (process.env.LOOKS !== "1") return;
  mkdirSync(`${OUT}looks`, { recursive: true });
  const { width, height } = SCREENS[screen as keyof typeof SCREENS];
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    const name = `${what} ${width}x${height} ${colorScheme}`.replace(/[^a-z0-9]+/gi, "-").toLowerCase();
    await page.screenshot({ path: `${OUT}looks/${name}.png` });
  }
}
