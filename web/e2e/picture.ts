// Takes the README's picture: two drawn visitors in a call, on a laptop.

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { writeFaces } from "./kit/faces";
import { seesStranger } from "./kit/media";
import { OUT, useStage } from "./kit/stage";
import type { Visitor } from "./kit/visitor";

const stage = useStage();
const PICTURE = fileURLToPath(new URL("../../docs/picture.png", import.meta.url));

test("the picture for the README", async () => {
  const painter = await stage.visitor({ name: "painter" });
  const faces = await writeFaces(painter.page, `${OUT}faces`);
  const context = { viewport: { width: 1152, height: 720 }, colorScheme: "dark" } as const;
  const [ann, ben] = await Promise.all(
    (
      [
        ["ann", faces.day],
        ["ben", faces.night],
      ] as const
    ).map(([name, face]) =>
      stage.visitor({ name, context, flags: [`--use-file-for-fake-video-capture=${face}`] }),
    ),
  );
  if (!ann || !ben) throw new Error("nobody came");
  await Promise.all([begin(ann), begin(ben)]);
  await Promise.all([ann.connected(), ben.connected()]);
  await Promise.all([seesStranger(ann), seesStranger(ben)]);
  const talk: [Visitor, Visitor, string][] = [
    [ben, ann, "Good morning! Or is it evening where you are?"],
    [ann, ben, "Morning. There is coffee, and a window full of hills."],
    [ben, ann, "Here it is past midnight, and I should sleep."],
    [ann, ben, "Jazz, it says. Do you play?"],
    [ben, ann, "Double bass, badly but with love. You?"],
  ];
  for (const [from, to, words] of talk) {
    await from.say(words);
    await to.hears(words);
  }
  await ann.page.getByText("good", { exact: true }).waitFor();
  // The first seconds of a call are soft: the encoder starts small.
  await seesStranger(ann, 60);
  mkdirSync(fileURLToPath(new URL(".", `file://${PICTURE}`)), { recursive: true });
  const { length } = await ann.page.screenshot({ path: PICTURE });
  expect(length).toBeLessThan(200 * 1024);
});

async function begin(visitor: Visitor): Promise<void> {
  await visitor.openChat();
  await visitor.page.getByRole("textbox", { name: /Interests/ }).fill("jazz");
  await visitor.button("Start").click();
}
