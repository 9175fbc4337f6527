// A stranger's picture stays covered until a face was seen in it: with a real face before the camera, and with a wall.

import { mkdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { findings } from "../kit/axe";
import { astronautAsCamera, becomes, coverOf, film, isCovered, noteCover, paintCamera } from "../kit/camera";
import { canPress, SCREENS, scrollsSideways } from "../kit/layout";
import { seesStranger } from "../kit/media";
import { OUT, useCrew, useStage } from "../kit/stage";
import { meet, partsThem, together, type Visitor } from "../kit/visitor";

const MODEL = /blazeface/;

/** What of the check was asked for, and whether that was in a call. */
async function noteRequests(visitor: Visitor): Promise<string[]> {
  const asked: string[] = [];
  await visitor.page.context().route(MODEL, async (route) => {
    asked.push((await visitor.isConnected()) ? "in a call" : "before");
    await route.continue();
  });
  return asked;
}

describe("where visitors choose", () => {
  const stage = useStage("--safety-cover", "visitor", "--lobby-recent-pause-ms", "100");

  test("a face before a real camera is covered from the first picture, then seen, and the model waits for a call", async () => {
    const ann = await stage.visitor({ name: "ann" });
    const ben = await stage.visitor({ name: "ben", flags: astronautAsCamera(OUT) });
    const asked = await noteRequests(ann);
    await noteCover(ann);
    await meet(ann, ben);
    await becomes(ann, "seen");
    expect(await coverOf(ann)).toEqual(["nothing", "covered", "seen"]);
    expect(await ann.button("Show anyway").count()).toBe(0);
    expect(asked).toEqual(["in a call", "in a call"]);
    // The browser's own fake camera draws no face: the other side stays covered, and is told why.
    expect(await isCovered(ben)).toBe(true);
    await ben.reads("Covered until a face can be seen.");
    await together(ann, ben);
  });

  test("a wall stays covered, so does a face that flickers, and a face that goes is covered again", async () => {
    const ann = await stage.visitor({ name: "ann" });
    const ben = await stage.visitor({ name: "ben" });
    await noteCover(ann);
    await paintCamera(ben);
    await meet(ann, ben);
    await seesStranger(ann);
    await film(ben, "flicker");
    await seesStranger(ann, 30);
    expect(await coverOf(ann)).toEqual(["nothing", "covered"]);
    await film(ben, "face");
    await becomes(ann, "seen");
    await film(ben, "wall");
    await becomes(ann, "covered");
    // Their own page says it to them, and the stranger's camera shows nobody either.
    await ben.reads("No face is visible");
    // A camera that is off has nothing to uncover.
    await ben.button("Turn camera off").click();
    await ann.reads("Their camera is off.");
    expect(await ann.button("Show anyway").count()).toBe(0);
    await film(ben, "face");
    await ben.button("Turn camera off").click();
    await becomes(ann, "seen");
    expect((await coverOf(ann)).slice(-2)).toEqual(["covered", "seen"]);
    await ben.page.getByText("No face is visible").waitFor({ state: "detached" });
    // Each time a stranger like any other, covered anew.
    for (const scene of ["small", "dark", "turned"] as const) {
      await film(ben, scene);
      await partsThem([ann, ben], () => ben.next());
      await becomes(ann, "seen");
      expect((await coverOf(ann)).slice(-3), scene).toEqual(["nothing", "covered", "seen"]);
    }
  });
});

describe("the cover", () => {
  const stage = useStage("--safety-cover", "visitor", "--lobby-recent-pause-ms", "100");
  const crew = useCrew(stage, "ann", "ben");

  test("can be pressed on every screen, by keyboard too, and is for one stranger only", async () => {
    const { ann, ben } = crew;
    await meet(ann, ben);
    await seesStranger(ann);
    for (const [screen, size] of Object.entries(SCREENS)) {
      await ann.page.setViewportSize(size);
      await keep(ann, `cover ${size.width}x${size.height}`);
      const { width, height } = await canPress(ann.button("Show anyway"), `Show anyway, ${screen}`);
      expect(Math.min(width, height), screen).toBeGreaterThanOrEqual(44);
      expect(await scrollsSideways(ann), screen).toEqual([]);
    }
    expect(await findings(ann)).toEqual([]);
    await ann.page.setViewportSize({ width: 1024, height: 640 });
    await ann.button("Show anyway").focus();
    await ann.page.keyboard.press("Enter");
    await expect.poll(() => isCovered(ann)).toBe(false);
    await seesStranger(ann);
    await partsThem([ann, ben], () => ann.next());
    await together(ann, ben);
    expect(await isCovered(ann)).toBe(true);
  });

  test("is turned off under More, and stays off", async () => {
    const { ann, ben } = crew;
    await meet(ann, ben);
    const setting = ann.page.getByRole("checkbox", { name: "Cover strangers until a face can be seen" });
    await ann.button("More").click();
    expect(await ann.button("Picture in picture").isDisabled()).toBe(true);
    await setting.uncheck();
    await ann.button("Close").click();
    expect(await isCovered(ann)).toBe(false);
    await ann.page.reload();
    await meet(ann, ben);
    await seesStranger(ann);
    expect(await isCovered(ann)).toBe(false);
    await ann.page.evaluate(() => localStorage.clear());
  });

  test("stays where the model is not there, and says so; the chat goes on", async () => {
    const { ann, ben } = crew;
    await ann.page.context().route(MODEL, (route) => route.fulfill({ status: 404 }));
    ann.watch.expect(/404/);
    ann.watch.expect(/404/);
    await meet(ann, ben);
    await ann.reads("The check for faces did not load, so this picture stays covered.");
    expect(await isCovered(ann)).toBe(true);
    await together(ann, ben);
    await ann.button("Show anyway").click();
    await expect.poll(() => isCovered(ann)).toBe(false);
    await ann.page.context().unroute(MODEL);
  });

  test("is not there where nothing is to be seen", async () => {
    const { ann, ben } = crew;
    for (const kind of ["Audio", "Text"] as const) {
      await meet(ann, ben, kind);
      expect(await ann.page.locator("[data-covered]").count(), kind).toBe(0);
      expect(await ann.button("Show anyway").count(), kind).toBe(0);
      await ann.stop();
      await ben.stop();
    }
  });
});

describe.each([
  { policy: "off", covered: false },
  { policy: "on", covered: true },
])("where the operator says $policy", ({ policy, covered }) => {
  const stage = useStage("--safety-cover", policy);
  const crew = useCrew(stage, "ann", "ben");

  test("there is nothing to choose", async () => {
    const { ann, ben } = crew;
    const asked = await noteRequests(ann);
    await meet(ann, ben);
    await seesStranger(ann);
    expect(await isCovered(ann)).toBe(covered);
    await ann.button("More").click();
    expect(await ann.page.getByRole("checkbox", { name: /until a face can be seen/ }).count()).toBe(0);
    await ann.button("Close").click();
    if (!covered) expect(asked).toEqual([]);
  });
});

async function keep({ page }: Visitor, name: string): Promise<void> {
  if (process.env.LOOKS !== "1") return;
  mkdirSync(`${OUT}looks`, { recursive: true });
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: `${OUT}looks/${name} ${colorScheme}.png` });
  }
}
