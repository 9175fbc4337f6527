// A press that was not meant must not cost the stranger who was found in that moment.

import { expect, test } from "vitest";
import { useCrew, useStage } from "../kit/stage";
import { meet, partsThem, together, type Visitor } from "../kit/visitor";

const stage = useStage("--lobby-recent-pause-ms", "100");
const crew = useCrew(stage, "ann", "ben");

for (const [name, press] of [
  ["click", (ann: Visitor, at: { x: number; y: number }) => ann.page.mouse.click(at.x, at.y)],
  ["Esc", (ann: Visitor) => ann.page.keyboard.press("Escape")],
] as const) {
  test(`a second ${name} right behind the first keeps the stranger who was found meanwhile`, async () => {
    const { ann, ben } = crew;
    await meet(ann, ben, "Text");
    const box = await ann.button("Next").boundingBox();
    const at = { x: (box?.x ?? 0) + 20, y: (box?.y ?? 0) + 20 };
    const before = (await ann.history()).length;
    // They meet again as soon as the pause of recent partners allows.
    await partsThem([ann, ben], () => press(ann, at));
    await ann.connected();
    await press(ann, at);
    await together(ann, ben);
    const said = (await ann.history()).slice(before);
    const searches = said.filter(
      (words, index) => /Looking/.test(words) && !/Looking/.test(said[index - 1] ?? ""),
    );
    expect(searches, said.join(" | ")).toHaveLength(1);
    // Who has written to a stranger means it.
    await partsThem([ann, ben], () => press(ann, at));
  });
}

test("while waiting there is nobody to leave: Stop is the one to press, and Next keeps the focus", async () => {
  const { ann } = crew;
  await ann.begin("Text");
  await ann.looking();
  const next = ann.button("Next");
  expect(await next.getAttribute("aria-disabled")).toBe("true");
  const colour = (name: string) =>
    ann.button(name).evaluate((element) => getComputedStyle(element).backgroundColor);
  expect(await colour("Stop")).not.toBe(await colour("Next"));
  await next.focus();
  await crew.ben.begin("Text");
  await together(ann, crew.ben);
  expect(await next.getAttribute("aria-disabled")).toBe("false");
  expect(await colour("Next")).not.toBe(await colour("Stop"));
});

test("a double click on Start starts and does not stop, and one on Stop does not start again", async () => {
  const { ann } = crew;
  await ann.openChat();
  // Where they lie over each other, each is pressed where the other will be.
  await ann.begin("Text");
  const stop = await ann.button("Stop").boundingBox();
  await ann.stop();
  const start = await ann.button("Start").boundingBox();
  const at = {
    x: Math.max(start?.x ?? 0, stop?.x ?? 0) + 8,
    y: Math.max(start?.y ?? 0, stop?.y ?? 0) + 8,
  };
  await ann.page.waitForTimeout(600);
  await ann.page.mouse.dblclick(at.x, at.y, { delay: 20 });
  await ann.looking();
  await ann.page.waitForTimeout(600);
  expect(await ann.status.innerText()).toMatch(/Looking/);
  await ann.page.mouse.dblclick(at.x, at.y, { delay: 20 });
  await ann.says(/Ready/);
  await ann.page.waitForTimeout(600);
  expect(await ann.button("Start").isVisible()).toBe(true);
});
