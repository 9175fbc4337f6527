// The main job: two strangers see, hear and write to each other.

import { describe, expect, test } from "vitest";
import { hearsStranger, seesStranger } from "../kit/media";
import { useCrew, useStage } from "../kit/stage";
import { meet, partsThem, together } from "../kit/visitor";

const stage = useStage("--lobby-recent-pause-ms", "100");
const crew = useCrew(stage, "ann", "ben");

describe("a video call", () => {
  test("two windows of one browser see, hear and write to each other", async () => {
    const ann = await stage.visitor({ name: "ann" });
    const ben = await stage.visitor({ name: "ben", beside: ann });
    await ann.begin();
    await ann.looking();
    await ben.begin();
    await Promise.all([ann.connected(), ben.connected()]);
    await Promise.all([seesStranger(ann), seesStranger(ben)]);
    await Promise.all([hearsStranger(ann), hearsStranger(ben)]);
    await together(ann, ben);
  });

  test("words arrive exactly as they were typed", async () => {
    const { ann, ben } = crew;
    await meet(ann, ben);
    const lines = [
      `<b>bold</b> & &amp; "quotes" 'and' <script>alert(1)</script>`,
      "\\n is not a line break, {{neither}} is $this, nor %s",
      "Grüße, 你好, שלום, 👩‍👩‍👧‍👦 and   three spaces",
    ];
    for (const line of lines) {
      await ann.say(line);
      await ben.hears(line);
      await ann.hears(line);
    }
    await ben.line.fill("two\nlines");
    await ben.line.press("Enter");
    await ann.hears("two\nlines");
    expect(await ben.log.locator("b, script").count()).toBe(0);
  });

  test("the other sees that something is being written, until it is sent or deleted", async () => {
    const { ann, ben } = crew;
    await meet(ann, ben);
    const writing = ben.page.getByText(/is writing/);
    await ann.line.pressSequentially("hel");
    await writing.waitFor();
    await ann.line.fill("");
    await writing.waitFor({ state: "hidden" });
    await ann.line.pressSequentially("hello");
    await writing.waitFor();
    await ann.line.press("Enter");
    await ben.hears("hello");
    await writing.waitFor({ state: "hidden" });
  });

  test("the log is emptied when the next stranger comes", async () => {
    const { ann, ben } = crew;
    await meet(ann, ben);
    await ann.say("for ben only");
    await ben.hears("for ben only");
    await ann.line.fill("half a sentence");
    const cat = await stage.visitor({ name: "cat" });
    await cat.begin();
    await cat.looking();
    await ben.next();
    await cat.connected();
    await expect.poll(async () => (await ann.isConnected()) !== (await ben.isConnected())).toBe(true);
    const met = (await ann.isConnected()) ? ann : ben;
    expect(await met.log.textContent()).toBe("");
    expect(await cat.log.textContent()).toBe("");
    expect(await met.line.inputValue()).toBe("");
  });

  test("a muted microphone and a camera turned off reach the stranger, and come back", async () => {
    const { ann, ben } = crew;
    await meet(ann, ben);
    await seesStranger(ben);
    await ann.button("Turn camera off").click();
    // Over the picture, which stands still: a camera that is off sends nothing.
    const covered = ben.page.getByText("Their camera is off.");
    await covered.waitFor();
    const over = () =>
      ben.stranger.evaluate((video) => {
        const { x, y, width, height } = video.getBoundingClientRect();
        return document.elementFromPoint(x + width / 2, y + height / 2)?.closest("p")?.textContent ?? "";
      });
    expect(await over()).toBe("Their camera is off.");
    await ann.button("Turn camera off").click();
    await covered.waitFor({ state: "detached" });
    await seesStranger(ben);
    await ann.button("Mute microphone").click();
    const muted = () => ann.button("Mute microphone").getAttribute("aria-pressed");
    expect(await muted()).toBe("true");
    await ann.button("Mute microphone").click();
    expect(await muted()).toBe("false");
    await hearsStranger(ben);
  });
});

test("an audio chat carries voices and words, and asks for no camera", async () => {
  const { ann, ben } = crew;
  await meet(ann, ben, "Audio");
  await Promise.all([hearsStranger(ann), hearsStranger(ben)]);
  const kinds = await ann.stranger.evaluate((element) =>
    ((element as HTMLVideoElement).srcObject as MediaStream).getTracks().map(({ kind }) => kind),
  );
  expect(kinds).toEqual(["audio"]);
  expect(await ann.button("Turn camera off").count()).toBe(0);
  expect(await ann.button("Mute microphone").count()).toBe(1);
  await together(ann, ben);
});

test("a text chat asks for no device and makes no connection between the browsers", async () => {
  const before = () => {
    const asked: string[] = [];
    Object.assign(window, { asked });
    navigator.mediaDevices.getUserMedia = () => {
      asked.push("getUserMedia");
      return Promise.reject(new Error("not in a text chat"));
    };
    window.RTCPeerConnection = function () {
      asked.push("RTCPeerConnection");
      throw new Error("not in a text chat");
    } as never;
  };
  const ann = await stage.visitor({ name: "ann", before });
  const ben = await stage.visitor({ name: "ben", before });
  await Promise.all([ann.begin("Text"), ben.begin("Text")]);
  await together(ann, ben);
  await ann.line.pressSequentially("x");
  await ben.reads(/is writing/);
  expect(await ann.page.evaluate(() => (window as never as { asked: string[] }).asked)).toEqual([]);
  expect(await ann.button("Mute microphone").count()).toBe(0);
});

test("only visitors of the same kind meet", async () => {
  const { ann, ben } = crew;
  const cat = await stage.visitor({ name: "cat" });
  await ann.begin("Audio");
  await ann.looking();
  await ben.begin("Text");
  await ben.looking();
  await cat.begin("Text");
  await together(ben, cat);
  expect(await ann.status.innerText()).toMatch(/Looking/);
});

test("the status says Connected in a call, Looking while searching, and neither anywhere else", async () => {
  const { ann, ben } = crew;
  await ann.begin();
  await ann.looking();
  await ben.begin();
  await together(ann, ben);
  await partsThem([ann, ben], () => ben.next());
  await together(ann, ben);
  await ann.stop();
  await ann.says(/Ready/);
  await ben.looking();
  await ben.stop();
  for (const visitor of [ann, ben]) {
    const said = await visitor.history();
    for (const text of said) {
      expect(text).not.toMatch(/elements with the role status/);
      if (/connected/i.test(text)) expect(text).toMatch(/^Connected/);
      expect(/Connected/.test(text) && /Looking/.test(text)).toBe(false);
    }
    expect(said.filter((text) => /^Connected/.test(text)).length, said.join(" → ")).toBeGreaterThanOrEqual(2);
  }
});
