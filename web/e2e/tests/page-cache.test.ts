// Pages that nobody looks at: put away in the browser's page cache, or frozen. Their sockets would live on without
// them, so they leave, and the stranger and the line know it.

import { expect, test } from "vitest";
import { useCrew, useStage } from "../kit/stage";
import { meet, together, type Visitor } from "../kit/visitor";

const stage = useStage("--lobby-recent-pause-ms", "100");
const crew = useCrew(stage, "ben", "cat");
const TOLD = /stranger left|line broke off/i;

/** By the address bar, to a page of another site. */
async function goAway({ page, site }: Visitor): Promise<void> {
  await page.evaluate(() => Object.assign(window, { wasHere: true }));
  await page.goto(site.replace("127.0.0.1", "localhost") + "/rules");
}

/** The page must come out of the cache: one that loads anew proves nothing here. */
async function comeBack(visitor: Visitor): Promise<void> {
  await visitor.back();
  expect(await visitor.page.evaluate(() => "wasHere" in window)).toBe(true);
}

test("leaving a text chat by the address bar frees the stranger at once; Back says that it is over", async () => {
  const { ben } = crew;
  const ann = await stage.visitor({ name: "ann" });
  await meet(ann, ben, "Text");
  await goAway(ann);
  await ben.looking();
  await ben.reads(TOLD);
  await comeBack(ann);
  await ann.says(/You left this page/);
  await ann.next();
  await together(ann, ben);
});

test("a visitor who goes away while waiting is given to nobody; Back searches on", async () => {
  const { ben, cat } = crew;
  const ann = await stage.visitor({ name: "ann" });
  await ann.begin("Text");
  await ann.looking();
  await goAway(ann);
  await ben.begin("Text");
  await ben.looking();
  await cat.begin("Text");
  await together(ben, cat);
  await ben.stop();
  await cat.looking();
  await comeBack(ann);
  await together(ann, cat);
});

test("Back from a video chat is a departure like any other", async () => {
  const { ben } = crew;
  const ann = await stage.visitor({ name: "ann" });
  await ann.page.goto(ann.site);
  await meet(ann, ben);
  await ann.back();
  await ben.looking();
  await ben.reads(TOLD);
});

async function putAway(visitor: Visitor): Promise<void> {
  await visitor.hide();
  await visitor.freeze();
}

async function takeUp(visitor: Visitor): Promise<void> {
  await visitor.thaw();
  await visitor.show();
}

test("a page that is frozen while waiting is given to nobody, and is back in line when it wakes", async () => {
  const { ben, cat } = crew;
  const ann = await stage.visitor({ name: "ann", tabs: true });
  await ann.begin("Text");
  await ann.looking();
  await putAway(ann);
  await ben.begin("Text");
  await ben.looking();
  await cat.begin("Text");
  await together(ben, cat);
  await ben.stop();
  await cat.looking();
  await takeUp(ann);
  await together(ann, cat);
});

test("a page that is frozen in a text chat does not keep the stranger for ever", async () => {
  const { ben } = crew;
  const ann = await stage.visitor({ name: "ann", tabs: true });
  await meet(ann, ben, "Text");
  await putAway(ann);
  await ben.says(/line broke/);
  await takeUp(ann);
  await together(ann, ben);
  await putAway(ann);
  await ben.looking();
  await ben.reads(TOLD);
  await takeUp(ann);
  await together(ann, ben);
});
