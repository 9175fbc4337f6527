// Whoever is faster than the server allows is told so kindly, and loses nothing.

import { expect, test } from "vitest";
import { useCrew, useStage } from "../kit/stage";
import { meet, together } from "../kit/visitor";

const stage = useStage(
  ...["--lobby-recent-pause-ms", "100", "--limits-text-burst", "2", "--limits-text-interval-ms", "1000"],
  ...["--limits-next-burst", "1", "--limits-next-interval-ms", "2000"],
);
const crew = useCrew(stage, "ann", "ben");

test("a text that is refused is marked, and one press sends it again", async () => {
  const { ann, ben } = crew;
  await meet(ann, ben, "Text");
  for (const text of ["one", "two", "three"]) await ann.say(text);
  await ann.reads("Not sent: too fast.");
  await ben.hears("two");
  expect(await ben.log.textContent()).not.toContain("three");
  await ann.page.waitForTimeout(1_100);
  await ann.button("Send again").click();
  await ben.hears("three");
  await ann.page.getByText("Not sent").waitFor({ state: "detached" });
  expect((await ann.log.textContent())?.split("three")).toHaveLength(2);
});

test("Next pressed too often counts down, and is carried out then", async () => {
  const { ann, ben } = crew;
  await meet(ann, ben, "Text");
  for (let pressed = 0; pressed < 2; pressed += 1) {
    await ann.next();
    if (pressed === 0) await together(ann, ben);
  }
  await ann.reads(/Not so fast: the next stranger in \d s\./);
  await ann.button("Next").waitFor();
  await together(ann, ben);
});
