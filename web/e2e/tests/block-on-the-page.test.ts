// What the page does around Block: where the focus goes, and a browser that keeps nothing.

import { expect, test } from "vitest";
import { findings } from "../kit/axe";
import { useCrew, useStage } from "../kit/stage";
import { meet } from "../kit/visitor";

const stage = useStage("--lobby-recent-pause-ms", "100");
const crew = useCrew(stage, "ben");

test("after Block the focus is on Undo, not nowhere, and a second press right behind does not undo it", async () => {
  const ann = await stage.visitor({ name: "ann" });
  await meet(ann, crew.ben, "Text");
  await ann.button("Block").focus();
  await ann.page.keyboard.press("Enter");
  await ann.page.keyboard.press("Enter");
  const undo = ann.button("Undo");
  await expect.poll(() => undo.evaluate((element) => element === document.activeElement)).toBe(true);
  await ann.reads("Blocked. You will not meet again.");
  expect(await findings(ann)).toEqual([]);
});

test("where nothing can be stored a chat works all the same, and so does Block", async () => {
  const ann = await stage.visitor({
    name: "ann",
    before: () =>
      Object.defineProperty(window, "localStorage", {
        get: () => {
          throw new DOMException("no", "SecurityError");
        },
      }),
  });
  await meet(ann, crew.ben, "Text");
  await ann.button("Block").click();
  await ann.reads("Blocked. You will not meet again.");
  await ann.looking();
});
