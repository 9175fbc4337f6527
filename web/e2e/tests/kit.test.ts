// The kit itself: its browsers do what visitors' browsers do, and test browsers like to leave out.

import { expect, test } from "vitest";
import { useStage } from "../kit/stage";

const stage = useStage();

test("a page that is left is kept for Back", async () => {
  const ann = await stage.visitor({ name: "ann" });
  await ann.page.goto(`${ann.site}/privacy`);
  await ann.page.evaluate(() => Object.assign(window, { wasHere: true }));
  await ann.page.goto(`${ann.site}/rules`);
  await ann.back();
  // The page that goes may still be the one that is asked.
  const wasHere = () => ann.page.evaluate(() => "wasHere" in window).catch(() => false);
  await expect.poll(wasHere).toBe(true);
});

test("a page behind another tab is hidden and slow, and can be frozen", async () => {
  const ann = await stage.visitor({ name: "ann", tabs: true });
  await ann.page.goto(`${ann.site}/privacy`);
  await ann.page.evaluate(() => {
    const seen = Object.assign(window, { ticks: 0 });
    setInterval(() => (seen.ticks += 1), 20);
  });
  const ticksIn = async (ms: number) => {
    const ticks = () => ann.page.evaluate(() => (window as unknown as { ticks: number }).ticks);
    const before = await ticks();
    await new Promise((resolve) => setTimeout(resolve, ms));
    return (await ticks()) - before;
  };
  const shown = await ticksIn(2_000);
  await ann.hide();
  expect(await ticksIn(2_000)).toBeLessThan(shown / 4);
  await ann.freeze();
  expect(await ticksIn(2_000)).toBe(0);
  await ann.thaw();
  await ann.show();
  expect(await ticksIn(2_000)).toBeGreaterThan(0);
});
