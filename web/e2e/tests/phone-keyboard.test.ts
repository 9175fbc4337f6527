// A phone's keyboard over the page: what one writes, and Next, stay in sight. The figures are those that phones
// gave; Chromium is told to give them too.

import { expect, test } from "vitest";
import { canPress } from "../kit/layout";
import { useCrew, useStage } from "../kit/stage";
import { meet, type Visitor } from "../kit/visitor";

const stage = useStage("--lobby-recent-pause-ms", "100");
const crew = useCrew(stage, "ann", "ben");

const PHONES = {
  "Safari 17": { layout: 664, inner: 664, visual: 336 },
  "Safari 26 and Firefox for iOS": { layout: 647, inner: 319, visual: 319 },
  "Safari 26, lying": { layout: 390, inner: 190, visual: 190, width: 844 },
};

for (const [phone, { layout, inner, visual, ...rest }] of Object.entries(PHONES)) {
  const width = "width" in rest ? rest.width : 390;
  for (const kind of ["Video", "Text"] as const) {
    test(`Message, Send and Next stay above the keyboard, ${phone}, ${kind}`, async () => {
      const { ann, ben } = crew;
      await meet(ann, ben, kind);
      await ann.page.setViewportSize({ width, height: layout });
      await ben.say("Hello there");
      await ann.hears("Hello there");
      for (const offsetTop of [0, Math.round((layout - visual) / 2), layout - visual]) {
        await keyboard(ann, { inner, visual, offsetTop });
        for (const [name, control] of Object.entries({
          Message: ann.line,
          Send: ann.button("Send"),
          Next: ann.button("Next"),
        })) {
          const box = await canPress(control, `${name}, panned by ${offsetTop}`);
          expect(box.y, name).toBeGreaterThanOrEqual(offsetTop);
          expect(box.y + box.height, name).toBeLessThanOrEqual(offsetTop + visual + 1);
        }
      }
      await keyboard(ann, null);
      const next = await canPress(ann.button("Next"), "Next, after the keyboard");
      expect(next.y).toBeGreaterThan(layout / 2);
    });
  }
}

/** The keyboard comes up, as the browser of that phone tells it; with null it goes. */
async function keyboard(
  { page }: Visitor,
  figures: { inner: number; visual: number; offsetTop: number } | null,
): Promise<void> {
  await page.evaluate((given) => {
    const viewport = window.visualViewport;
    if (!viewport) throw new Error("no visual viewport");
    const set = (target: object, name: string, value: number | undefined) => {
      if (value === undefined) Reflect.deleteProperty(target, name);
      else Object.defineProperty(target, name, { value, configurable: true });
    };
    set(window, "innerHeight", given?.inner);
    set(viewport, "height", given?.visual);
    set(viewport, "offsetTop", given?.offsetTop);
    viewport.dispatchEvent(new Event("resize"));
  }, figures);
}
