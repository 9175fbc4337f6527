// Four cells of the NAT laboratory (`make natlab` has all of them), and what the page `/test` says there.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectionTest } from "../kit/connection-test";
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

  const WORKS = expect.stringMatching(/^works: \d+ ms$/);
  const SILENT = "does not work: no answer in 8 s";
  const VERDICTS: [AccessName, Record<string, unknown>][] = [
    ["open", { UDP: WORKS, TCP: WORKS, TLS: WORKS, says: /Most of your calls will be direct/ }],
    ["symmetric", { UDP: WORKS, TCP: WORKS, TLS: WORKS, says: /another port for each destination/ }],
    ["UDP blocked", { UDP: SILENT, TCP: WORKS, TLS: WORKS, says: /UDP does not get out.*through a relay/ }],
    ["443 only", { UDP: SILENT, TCP: SILENT, TLS: WORKS, says: /UDP does not get out.*through a relay/ }],
  ];

  test("the connection test says what is true, and no address", async () => {
    await Promise.all(
      VERDICTS.map(async ([access, { says, ...ways }]) => {
        const { visitor, home } = await world.guest(access, "a");
        const report = await connectionTest(visitor);
        for (const [way, expected] of Object.entries(ways))
          expect(report[`Relay over ${way}`], `${access}: ${way}`).toEqual(expected);
        expect(report.Path, access).toMatch(says as RegExp);
        const addresses = [home.own, home.seen, world.relayHost.addresses].flatMap(Object.values);
        for (const address of addresses) expect(Object.values(report).join("\n")).not.toContain(address);
      }),
    );
  });
});
