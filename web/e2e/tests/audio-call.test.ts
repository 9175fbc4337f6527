// A call without pictures: one hears, and sees who speaks.

import { expect, test } from "vitest";
import { canPress } from "../kit/layout";
import { useCrew, useStage } from "../kit/stage";
import { meet, type Visitor } from "../kit/visitor";

const stage = useStage("--lobby-recent-pause-ms", "100");
const crew = useCrew(stage, "ann", "ben");

test("both see who speaks, and that a microphone is muted", async () => {
  const { ann, ben } = crew;
  await meet(ann, ben, "Audio");
  const speaks = ({ page }: Visitor, name: string) =>
    page.getByRole("meter", { name }).getAttribute("data-speaking");
  // The pretended microphone beeps once a second.
  for (const each of [ann, ben]) {
    await expect.poll(() => speaks(each, "The stranger’s voice")).toBe("true");
    await expect.poll(() => speaks(each, "Your voice")).toBe("true");
  }
  await ann.button("Mute microphone").click();
  await expect.poll(() => speaks(ann, "Your voice")).toBe("false");
  await expect.poll(() => speaks(ben, "The stranger’s voice"), { timeout: 10_000 }).toBe("false");
  await ann.button("Mute microphone").click();
});

for (const kind of ["Audio", "Video"] as const) {
  test(`where the browser refuses to play, Play sound can be seen and pressed, ${kind}`, async () => {
    const shy = await stage.visitor({
      name: "shy",
      before: () => {
        const own = HTMLMediaElement.prototype.play;
        HTMLMediaElement.prototype.play = function () {
          const pressed = (window as unknown as { pressed?: boolean }).pressed === true;
          return pressed || this.muted
            ? own.call(this)
            : Promise.reject(new DOMException("no", "NotAllowedError"));
        };
      },
    });
    await meet(shy, crew.ben, kind);
    const play = shy.button("Play sound");
    await play.waitFor();
    for (const size of [
      { width: 390, height: 844 },
      { width: 1366, height: 768 },
    ]) {
      await shy.page.setViewportSize(size);
      const box = await canPress(play, `Play sound, ${size.width}`);
      expect(Math.min(box.width, box.height)).toBeGreaterThanOrEqual(44);
    }
    await shy.page.evaluate(() => Object.assign(window, { pressed: true }));
    await play.click();
    await play.waitFor({ state: "detached" });
    const paused = shy.page
      .locator('video[aria-label="Stranger"]')
      .evaluate((video: HTMLVideoElement) => video.paused);
    expect(await paused).toBe(false);
  });
}
