// Reports: two presses, and what becomes of the two; what goes along, and what is kept when the server does not take it.

import { Decrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Locator, Request, Response } from "playwright-core";
import { findings } from "../kit/axe";
import { seesStranger } from "../kit/media";
import { Stage, useCrew, useStage } from "../kit/stage";
import { meet, partsThem, type Visitor } from "../kit/visitor";

const SCRIPT = "<img src=x onerror=\"document.title='run'\">";
const PAUSE = ["--lobby-recent-pause-ms", "100"];

function dialog({ page }: Visitor): Locator {
  return page.getByRole("dialog", { name: "Report this stranger", exact: true });
}

async function openReport(visitor: Visitor): Promise<void> {
  await visitor.button("Report").click();
  await dialog(visitor).waitFor();
  // A second press right behind the first is a slip, and no report.
  await visitor.page.waitForTimeout(600);
}

/** Presses Send, and tells what the server made of it. */
async function send(visitor: Visitor): Promise<Response> {
  const answered = visitor.page.waitForResponse(/\/api\/reports$/);
  await visitor.button("Send report").click();
  return answered;
}

async function report(visitor: Visitor): Promise<Response> {
  await openReport(visitor);
  return send(visitor);
}

function said(request: Request): Record<string, unknown> {
  return request.postDataJSON() as Record<string, unknown>;
}

describe("Report", () => {
  const stage = useStage(...PAUSE);
  const crew = useCrew(stage, "ben");

  test("in a call takes two presses, ends it for both, and keeps the two apart", async () => {
    const ann = await stage.visitor({ name: "ann" });
    const { ben } = crew;
    await meet(ann, ben);
    await seesStranger(ann);
    const answers: Response[] = [];
    await partsThem([ann, ben], async () => {
      answers.push(await report(ann));
    });
    const [answer] = answers;
    if (!answer) throw new Error("nothing was sent");
    expect(answer.status()).toBe(201);
    await ann.reads("Report sent. You two will not meet again.");
    expect(said(answer.request())).toEqual({ receipt: expect.any(String), category: "other" });
    expect(await dialog(ann).count()).toBe(0);
    expect(await findings(ann)).toEqual([]);
    // They are the only two here, and would be matched in a moment.
    await ann.page.waitForTimeout(1_000);
    expect(await Promise.all([ann.isConnected(), ben.isConnected()])).toEqual([false, false]);
    expect((await ben.history()).join()).not.toMatch(/report/i);

    const again = await ann.page.request.post(answer.url(), { data: said(answer.request()) });
    expect([again.status(), await again.json()]).toEqual([200, await answer.json()]);
  });

  test("is possible for the stranger who just left, with what was written, and runs nothing of it", async () => {
    // Ben is another visitor to Ann than the one whom she reported.
    const ann = await stage.visitor({ name: "ann-2" });
    const { ben } = crew;
    await meet(ann, ben, "Text");
    await ben.say(SCRIPT);
    await ann.hears(SCRIPT);
    await partsThem([ann], () => ben.stop());
    await openReport(ann);
    const form = dialog(ann);
    await form
      .getByRole("radiogroup", { name: "Reason", exact: true })
      .getByLabel("Insults, threats or hate")
      .check();
    await form.getByRole("textbox", { name: "What happened (optional)", exact: true }).fill(SCRIPT);
    await form.getByRole("checkbox", { name: "Attach the last messages", exact: true }).check();
    await form.getByRole("group", { name: "Messages that go along" }).getByText(SCRIPT).waitFor();
    expect(await form.getByRole("checkbox").count()).toBe(1);
    expect(await findings(ann)).toEqual([]);
    const answer = await send(ann);
    expect(answer.status()).toBe(201);
    expect(said(answer.request())).toMatchObject({
      category: "harassment",
      note: SCRIPT,
      lines: [{ from: "stranger", text: SCRIPT }],
    });
    await ann.reads("Report sent.");
    await ann.looking();
    expect(await ann.button("Report").count()).toBe(0);
    expect(await ann.page.title()).not.toBe("run");
  });

  test("that cannot be sent keeps what was written, also when the dialog was closed meanwhile", async () => {
    const ann = await stage.visitor({ name: "ann-3" });
    const { ben } = crew;
    await meet(ann, ben, "Text");
    await ann.page.context().setOffline(true);
    await openReport(ann);
    await dialog(ann).getByRole("textbox").fill("would not stop");
    await ann.button("Send report").click();
    await ann.reads(/^Not sent: you are offline/);
    expect(await findings(ann)).toEqual([]);
    await ann.page.keyboard.press("Escape");
    await ann.page.context().setOffline(false);
    ann.watch.take();
    await expect.poll(() => ann.button("Report").evaluate((it) => it === document.activeElement)).toBe(true);
    await openReport(ann);
    expect(await dialog(ann).getByRole("textbox").inputValue()).toBe("would not stop");
    expect((await send(ann)).status()).toBe(201);
    await ann.reads("Report sent.");
  });

  test("opens over the stranger's picture and sound, and a double click sends nothing", async () => {
    const ann = await stage.visitor({ name: "ann-4" });
    const { ben } = crew;
    await meet(ann, ben);
    await seesStranger(ann);
    await ann.button("Report").dblclick();
    await dialog(ann).waitFor();
    expect(await ann.stranger.evaluate((video: HTMLVideoElement) => video.volume)).toBe(0);
    expect(await ann.stranger.isVisible()).toBe(false);
    await ann.page.keyboard.press("Escape");
    await expect.poll(() => ann.stranger.isVisible()).toBe(true);
    expect(await ann.stranger.evaluate((video: HTMLVideoElement) => video.volume)).toBe(1);
    await ann.connected();
  });
});

describe("the picture", () => {
  const stage = new Stage();
  let identity = "";
  beforeAll(async () => {
    identity = await generateX25519Identity();
    await stage.open([...PAUSE, "--safety-evidence-recipient", await identityToRecipient(identity)]);
  });
  afterEach(({ task }) => stage.clear({ name: task.name, failed: task.result?.state === "fail" }));
  afterAll(() => stage.close());

  test("is what was seen at the press, and only the moderators can open it", async () => {
    const [ann, ben] = [await stage.visitor({ name: "ann" }), await stage.visitor({ name: "ben" })];
    await meet(ann, ben);
    await seesStranger(ann);
    await openReport(ann);
    await dialog(ann).getByRole("checkbox", { name: "Attach a picture of what I see", exact: true }).check();
    await dialog(ann).getByRole("img").waitFor();
    expect(await findings(ann)).toEqual([]);
    const answer = await send(ann);
    expect(answer.status()).toBe(201);
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    const sealed = Buffer.from(String(said(answer.request()).evidence), "base64");
    const jpeg = await decrypter.decrypt(sealed);
    expect([...jpeg.slice(0, 3)]).toEqual([0xff, 0xd8, 0xff]);
    expect(jpeg.length).toBeLessThanOrEqual(100_000);
    expect(jpeg.length).toBeGreaterThan(1_000);
    await ann.reads("Report sent.");
  });
});
