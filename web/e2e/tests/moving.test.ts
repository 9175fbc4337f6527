// The network of a visitor changes in mid-call, as a phone's does when its owner leaves the house: another router,
// another address, nothing of the old path left. The call comes back.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seesStranger } from "../kit/media";
import { meet } from "../kit/visitor";
import type { AccessName } from "../natlab/access";
import { look } from "../natlab/cell";
import { skipped } from "../natlab/laboratory";
import { World } from "../natlab/world";

const MOVES: { from: AccessName; to: AccessName; then: "direct" | "relay" }[] = [
  { from: "port-restricted", to: "open", then: "direct" },
  { from: "open", to: "UDP blocked", then: "relay" },
];

describe.skipIf(skipped("calls whose network changes"))("a call comes back", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open();
  });
  afterAll(() => world?.close());

  test.each(MOVES)(
    "when a visitor moves from $from to $to",
    { timeout: 90_000 },
    async ({ from, to, then }) => {
      const [ann, ben] = await Promise.all([world.guest(from, "moves"), world.guest("open", "stays")]);
      await meet(ann.visitor, ben.visitor);
      await Promise.all([seesStranger(ann.visitor), seesStranger(ben.visitor)]);
      await ann.visitor.say("before the move");
      await ben.visitor.hears("before the move");
      world.internet.move(ann.home, to, "new");
      await Promise.all([seesStranger(ann.visitor, 10, 45_000), seesStranger(ben.visitor, 10, 45_000)]);
      await Promise.all([ann.visitor.connected(), ben.visitor.connected()]);
      expect((await look(ann, ben)).path).toBe(then);
      // It is this call, and not another one with the same stranger: then the log would have been emptied.
      await ben.visitor.say("after the move");
      await ann.visitor.hears("after the move");
      for (const { visitor } of [ann, ben])
        expect(await visitor.log.textContent()).toContain("before the move");
      for (const { visitor } of [ann, ben]) await visitor.stop();
    },
  );

  test(
    "when the path between two is cut, by another one, and says so meanwhile",
    { timeout: 60_000 },
    async () => {
      const [ann, ben] = await Promise.all([world.guest("open", "cut"), world.guest("open", "whole")]);
      await meet(ann.visitor, ben.visitor);
      await Promise.all([seesStranger(ann.visitor), seesStranger(ben.visitor)]);
      expect((await look(ann, ben)).path).toBe("direct");
      world.internet.cut(ann.home, ben.home);
      await Promise.all([ann, ben].map(({ visitor }) => visitor.says(/Reconnecting/)));
      await Promise.all([seesStranger(ann.visitor, 10, 45_000), seesStranger(ben.visitor, 10, 45_000)]);
      await Promise.all([ann.visitor.connected(), ben.visitor.connected()]);
      expect((await look(ann, ben)).path).toBe("relay");
      world.internet.mend();
      for (const { visitor } of [ann, ben]) await visitor.stop();
    },
  );
});
