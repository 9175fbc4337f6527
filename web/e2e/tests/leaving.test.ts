// However somebody goes, and whatever they were at: the other is told, and goes on to the next.

import { describe, expect, test } from "vitest";
import { useCrew, useStage } from "../kit/stage";
import { meet, together, type Visitor } from "../kit/visitor";

const stage = useStage("--lobby-recent-pause-ms", "100");
const crew = useCrew(stage, "ben", "cat");

const TOLD = /stranger left|line broke off/i;

const WAYS: Record<string, (visitor: Visitor) => Promise<void>> = {
  "closes the tab": ({ page }) => page.close({ runBeforeUnload: true }),
  "has the tab crash": async ({ page }) => {
    const session = await page.context().newCDPSession(page);
    const gone = page.waitForEvent("crash");
    // Nobody is left to answer this.
    session.send("Page.crash").catch(() => undefined);
    await gone;
  },
};

for (const [way, leave] of Object.entries(WAYS)) {
  describe(`someone who ${way}`, () => {
    const alone: Record<string, (ann: Visitor) => Promise<void>> = {
      "before Start": (ann) => ann.openChat(),
      "while the browser asks for the camera": async (ann) => {
        await ann.begin();
        await ann.says(/asking for/);
      },
      "while waiting": async (ann) => {
        await ann.begin();
        await ann.looking();
      },
    };
    for (const [state, reach] of Object.entries(alone)) {
      test(`${state} is given to nobody`, async () => {
        const { ben, cat } = crew;
        const before = state.includes("asks") ? { before: neverAnswerTheCamera } : {};
        const ann = await stage.visitor({ name: "ann", ...before });
        await reach(ann);
        await leave(ann);
        await ben.begin();
        await ben.looking();
        await cat.begin();
        await together(ben, cat);
      });
    }

    test("while connecting frees the other, who is told and goes on", async () => {
      const ann = await stage.visitor({ name: "ann", before: neverConnect });
      const { ben } = crew;
      await Promise.all([ann.begin(), ben.begin()]);
      await Promise.all([ann.says(/Found/), ben.says(/Found/)]);
      await leave(ann);
      await goesOn();
    });

    for (const kind of ["Video", "Text"] as const) {
      test(`in a ${kind.toLowerCase()} chat frees the other, who is told and goes on`, async () => {
        const ann = await stage.visitor({ name: "ann" });
        await meet(ann, crew.ben, kind);
        await leave(ann);
        await goesOn(kind);
      });
    }
  });
}

test("someone who goes to another page of this site, or to another site, frees the other", async () => {
  const { ben } = crew;
  const ann = await stage.visitor({ name: "ann" });
  await meet(ann, ben);
  await ann.page.getByRole("link", { name: /home page/ }).click();
  await ann.page.waitForURL(ann.site + "/");
  await ben.looking();
  await ben.reads(TOLD);
  await ann.begin();
  await together(ann, ben);
  await ann.page.goto("about:blank");
  await goesOn();
});

describe("Stop", () => {
  test("in a call tells the other, who goes on; the camera is released and Start works again", async () => {
    const { ben: ann, cat: ben } = crew;
    await meet(ann, ben);
    const own = await ann.page
      .locator('video[aria-label="You"]')
      .evaluateHandle((element) => (element as HTMLVideoElement).srcObject as MediaStream);
    await ann.stop();
    await ann.button("Start").waitFor();
    expect(await own.evaluate((stream) => stream.getTracks().map(({ readyState }) => readyState))).toEqual([
      "ended",
      "ended",
    ]);
    await ben.looking();
    await ben.reads(TOLD);
    await ann.button("Start").click();
    await together(ann, ben);
  });

  test("while waiting takes the visitor out of the line", async () => {
    const { ben, cat } = crew;
    const ann = await stage.visitor({ name: "ann" });
    await ann.begin("Text");
    await ann.looking();
    await ann.stop();
    await ann.button("Start").waitFor();
    await ben.begin("Text");
    await ben.looking();
    await cat.begin("Text");
    await together(ben, cat);
    await ann.button("Start").waitFor();
  });
});

test("whoever does not want to go on by itself stays, is told, and has a way on", async () => {
  const { ben } = crew;
  const ann = await stage.visitor({ name: "ann" });
  await meet(ann, ben);
  await ann.button("More").click();
  await ann.page.getByRole("checkbox", { name: /by itself/ }).uncheck();
  await ann.button("Close").click();
  await ben.stop();
  await ann.says(TOLD);
  expect(await ann.status.innerText()).not.toMatch(/Looking|connected/i);
  await ben.button("Start").click();
  await ben.looking();
  await ann.says(TOLD);
  await ann.next();
  await together(ann, ben);
});

test("the switch is remembered for the next visit", async () => {
  const { ben } = crew;
  const ann = await stage.visitor({ name: "ann" });
  await meet(ann, ben, "Text");
  await ann.button("More").click();
  await ann.page.getByRole("checkbox", { name: /by itself/ }).uncheck();
  await ann.page.reload();
  await ben.looking();
  await ann.button("Start").waitFor();
  await ann.begin("Text");
  await together(ann, ben);
  await ben.stop();
  await ann.says(TOLD);
  await ann.next();
  await ann.looking();
});

test("Block ends the talk, tells the other only that it ended, and these two do not meet again", async () => {
  const { ben } = crew;
  const ann = await stage.visitor({ name: "ann" });
  await meet(ann, ben, "Text");
  await ann.button("Block").click();
  await ann.looking();
  await ben.looking();
  await crew.cat.begin("Text");
  await crew.cat.connected();
  await ann.says(/Looking|Connected/);
});

/** Ben is back in line and was told why; then comes the next stranger. */
async function goesOn(kind: "Video" | "Text" = "Video"): Promise<void> {
  const { ben, cat } = crew;
  await ben.looking();
  await ben.reads(TOLD);
  await cat.begin(kind);
  await together(ben, cat);
}

function neverAnswerTheCamera(): void {
  // `about:blank` has none.
  if (navigator.mediaDevices) navigator.mediaDevices.getUserMedia = () => new Promise(() => undefined);
}

function neverConnect(): void {
  RTCPeerConnection.prototype.setRemoteDescription = () => new Promise(() => undefined);
}
