// A stranger arrives, or leaves, while the visitor does not look: who is there to notice?

import { describe, expect, test } from "vitest";
import { useCrew, useStage } from "../kit/stage";
import { meet, type Visitor } from "../kit/visitor";

const stage = useStage("--lobby-recent-pause-ms", "100");
const crew = useCrew(stage, "ben");

/** Runs in the page before its own scripts: a tab that the test can hide, and ears for what it does meanwhile. */
function hiddenTab(): void {
  const world = window as unknown as { away: boolean; shown: string[]; tones: number; asked: number };
  Object.assign(world, { away: false, shown: [], tones: 0, asked: 0 });
  Object.defineProperty(document, "hidden", { get: () => world.away });
  Object.defineProperty(document, "visibilityState", { get: () => (world.away ? "hidden" : "visible") });
  class Notice {
    static permission = "default";
    static requestPermission() {
      world.asked += 1;
      return Promise.resolve((Notice.permission = "granted"));
    }
    onclick = null;
    constructor(title: string) {
      world.shown.push(title);
    }
    close(): void {
      world.shown.push("closed");
    }
  }
  Object.assign(window, { Notification: Notice });
  const own = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (when) {
    world.tones += 1;
    own.call(this, when);
  };
}

const look = ({ page }: Visitor, away: boolean) =>
  page.evaluate((now) => {
    (window as unknown as { away: boolean }).away = now;
    document.dispatchEvent(new Event("visibilitychange"));
  }, away);

const heard = ({ page }: Visitor) =>
  page.evaluate(() => {
    const { shown, tones, asked } = window as unknown as { shown: string[]; tones: number; asked: number };
    return { shown, tones, asked };
  });

test("the title of a hidden tab says that someone is here, until one looks; nothing sounds unasked", async () => {
  const ann = await stage.visitor({ name: "ann", before: hiddenTab });
  await ann.begin("Text");
  await ann.looking();
  await look(ann, true);
  await crew.ben.begin("Text");
  await expect.poll(() => ann.page.title()).toContain("Someone is here!");
  expect(await heard(ann)).toEqual({ shown: [], tones: 0, asked: 0 });
  await look(ann, false);
  await expect.poll(() => ann.page.title()).toBe("Chat · Visavis");
  await look(ann, true);
  await crew.ben.say("hello?");
  await expect.poll(() => ann.page.title()).toContain("New message");
});

test("sound and notification come when they were asked for, and the browser is asked only then", async () => {
  const ann = await stage.visitor({ name: "ann", before: hiddenTab });
  await ann.begin("Text");
  await ann.looking();
  await ann.button("More").click();
  await ann.page.getByRole("checkbox", { name: "Play a sound" }).check();
  await ann.page.getByRole("checkbox", { name: "Show a notification" }).check();
  await ann.button("Close").click();
  const before = await heard(ann);
  expect(before.asked).toBe(1);
  expect(before.tones, "one hears what it will be").toBeGreaterThan(0);
  await look(ann, true);
  await crew.ben.begin("Text");
  await expect.poll(async () => (await heard(ann)).shown).toEqual(["Someone is here"]);
  expect((await heard(ann)).tones).toBeGreaterThan(before.tones);
});

test("why a stranger left is read aloud, once, and is not in the way later", async () => {
  const ann = await stage.visitor({ name: "ann" });
  await meet(ann, crew.ben, "Text");
  await crew.ben.stop();
  const spoken = ann.page.locator('[aria-live="polite"]', { hasText: "The stranger left." });
  await spoken.waitFor({ state: "attached" });
  await spoken.waitFor({ state: "detached", timeout: 15_000 });
});

describe("where nobody was before", () => {
  const quiet = useStage();
  const others = useCrew(quiet, "ann", "ben");

  test("the count is of the others, read aloud once a search; alone, no time is promised", async () => {
    const { ann, ben } = others;
    await ann.begin("Text");
    await ann.reads("You are the only one here right now.");
    await ann.reads("You will meet the next person who comes.");
    // They do not meet: another kind. They are counted all the same.
    await ben.begin("Audio");
    await ann.page.getByText("1 other here now.").waitFor({ timeout: 15_000 });
    const counts = new Set((await ann.history()).filter((words) => /here/.test(words)));
    expect(counts.size, [...counts].join(" | ")).toBe(1);
  });
});
