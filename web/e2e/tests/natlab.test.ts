// Four cells of the NAT laboratory; `make natlab` has all of them.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessOf, theory, type AccessName } from "../natlab/access";
import { call } from "../natlab/cell";
import { skipped } from "../natlab/laboratory";
import { World } from "../natlab/world";

const CELLS: [AccessName, AccessName][] = [
  ["open", "open"],
  ["symmetric", "symmetric"],
  ["UDP blocked", "UDP blocked"],
  ["443 only", "443 only"],
];

describe.skipIf(skipped("four cells of the NAT laboratory"))("through every firewall", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open();
  });
  afterAll(() => world?.close());

  test.each(CELLS)("%s × %s", async (a, b) => {
    const [ann, ben] = await Promise.all([world.guest(a, "a"), world.guest(b, "b")]);
    const cell = await call(ann, ben);
    expect(cell.path).toBe(theory(accessOf(a), accessOf(b)));
  });
});
