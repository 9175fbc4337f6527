// Next: who meets whom afterwards. Nobody has two strangers, nobody is left over who could have one.

import { expect, test } from "vitest";
import { countConnections, openConnections } from "../kit/census";
import { seesStranger } from "../kit/media";
import { useCrew, useStage } from "../kit/stage";
import { meet, partners, partsThem, together, type Visitor } from "../kit/visitor";

// Partners who parted stay apart for a moment here, not for three seconds: the tests need not wait.
const stage = useStage("--lobby-recent-pause-ms", "100");
const crew = useCrew(stage, "ann", "ben", "cat", "dan");

test("with three, whoever waits gets one of two who part, and the other is free for the next who comes", async () => {
  const { ann, ben, cat, dan } = crew;
  await meet(ann, ben);
  await cat.begin();
  await cat.looking();
  await ann.next();
  await cat.connected();
  const left = await theOneWithoutStranger([ann, ben, cat]);
  const met = left === ann ? ben : ann;
  await together(met, cat);
  await seesStranger(met);
  await seesStranger(cat);
  expect(await left.status.innerText()).toMatch(/Looking/);

  await dan.begin();
  await together(left, dan);
  await together(met, cat);
});

test("with four in two calls, one Next after the other leaves everybody with exactly one stranger", async () => {
  const visitors = [crew.ann, crew.ben, crew.cat, crew.dan];
  await Promise.all(visitors.map((visitor) => visitor.begin("Audio")));
  await Promise.all(visitors.map((visitor) => visitor.connected()));
  let before = await mutual(visitors);
  for (const presser of visitors.slice(0, 2)) {
    // One call ends: these two are the only ones free, and meet again after the pause.
    const other = visitors.find(({ name }) => name === before[presser.name]) ?? presser;
    await partsThem([presser, other], () => presser.next());
    await Promise.all(visitors.map((visitor) => visitor.connected()));
    expect(await mutual(visitors)).toEqual(before);
  }
  // Both calls end: whoever is free first meets whoever is free first, but not the one just left.
  const [first, second] = [
    visitors[0],
    visitors.find(({ name }) => before[visitors[0]?.name ?? ""] !== name),
  ];
  await Promise.all([first?.next(), second?.next()]);
  await Promise.all(visitors.map((visitor) => visitor.says(/Connected/)));
  before = await mutual(visitors);
  expect(Object.keys(before)).toHaveLength(4);
});

test("Next pressed by both at once finds each of them somebody", async () => {
  const { ann, ben, cat, dan } = crew;
  await meet(ann, ben, "Text");
  await meet(cat, dan, "Text");
  await Promise.all([ann, ben, cat, dan].map((visitor) => visitor.next()));
  await Promise.all([ann, ben, cat, dan].map((visitor) => visitor.connected()));
  expect(Object.keys(await mutual([ann, ben, cat, dan]))).toHaveLength(4);
});

test("a shared interest is found and named, in front of one who waited longer", async () => {
  const { ann, ben, cat } = crew;
  const begin = async (visitor: Visitor, interest: string) => {
    // Where the form is not scrolled, what appears in it moves Start; the first press must count all the same.
    await visitor.page.setViewportSize({ width: 1280, height: 900 });
    await visitor.openChat("Text");
    const field = visitor.page.getByRole("textbox", { name: /Interests/ });
    await field.fill(interest);
    await visitor.button("Start").click();
  };
  await begin(ann, "Chess");
  await ann.looking();
  await begin(ben, " JAZZ, board games");
  await ben.looking();
  await begin(cat, "jazz");
  await together(ben, cat);
  await ben.reads(/both like jazz/);
  await cat.reads(/both like jazz/);
  expect(await ann.status.innerText()).toMatch(/Looking/);
  for (const { page } of [ann, ben, cat]) await page.evaluate(() => localStorage.clear());
});

test("a dozen strangers in a row leave no connections behind, and the last is seen as well as the first", async () => {
  const ann = await stage.visitor({ name: "ann", before: countConnections });
  const ben = await stage.visitor({ name: "ben", before: countConnections });
  await Promise.all([ann.begin(), ben.begin()]);
  for (let round = 0; round < 12; round++) {
    await Promise.all([ann.connected(), ben.connected()]);
    const presser = round % 2 === 0 ? ann : ben;
    // A press nearer than this to a stranger's arrival is taken for one that was not meant.
    await presser.page.waitForTimeout(600);
    await partsThem([ann, ben], () => presser.next());
  }
  await together(ann, ben);
  await Promise.all([seesStranger(ann), seesStranger(ben)]);
  for (const { page } of [ann, ben]) {
    // The call, and one or two for the next stranger.
    await expect.poll(() => page.evaluate(openConnections)).toBeLessThanOrEqual(3);
  }
});

async function theOneWithoutStranger(visitors: Visitor[]): Promise<Visitor> {
  const alone = async () => {
    const connected = await Promise.all(visitors.map((visitor) => visitor.isConnected()));
    return visitors.filter((_, index) => !connected[index]);
  };
  await expect.poll(async () => (await alone()).length).toBe(1);
  const [one] = await alone();
  if (!one) throw new Error("everybody has a stranger");
  return one;
}

async function mutual(visitors: Visitor[]): Promise<Record<string, string>> {
  const pairs = await partners(visitors);
  for (const [name, other] of Object.entries(pairs))
    expect(pairs[other], `whom ${other} talks to`).toBe(name);
  return pairs;
}
