// `make natlab`: every kind of access with every other, and the table in docs/nat.md. `NATLAB_ONLY="symmetric,443 only"`
// takes these kinds alone, `NATLAB_RELAY=coturn` takes coturn in place of our own relay; both then write nothing.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ACCESSES, accessOf, theory, type AccessName } from "./access";
import { call } from "./cell";
import { skipped } from "./laboratory";
import { write, type Row } from "./report";
import { World } from "./world";

const all = [...ACCESSES.keys()];
const only = process.env.NATLAB_ONLY?.split(",").map((name) => accessOf(name.trim() as AccessName).name);
const names = only ?? all;
const pairs = names.flatMap((a, index) => names.slice(index).map((b): [AccessName, AccessName] => [a, b]));

describe.skipIf(skipped("the NAT laboratory"))("who connects how", () => {
  let world: World;
  const rows: Row[] = [];
  beforeAll(async () => {
    world = await World.open();
  });
  afterAll(async () => {
    const { browser, relay } = world;
    await world.close();
    if (rows.length === pairs.length && !only && !process.env.NATLAB_RELAY)
      write(rows, { command: "make natlab", relay, browser });
  });

  test.each(pairs)("%s × %s", { timeout: 90_000 }, async (a, b) => {
    const [one, other] = await Promise.all([world.guest(a, "a"), world.guest(b, "b")]);
    const cell = await call(one, other);
    const expected = theory(accessOf(a), accessOf(b));
    rows.push({ between: [a, b], theory: expected, ...cell });
    expect(cell.path).toBe(expected);
    for (const [side, { relayBy }] of [
      [cell.a, accessOf(a)],
      [cell.b, accessOf(b)],
    ] as const) {
      // A better way to the relay than the firewall lets through would be a hole in the laboratory.
      const possible = { udp: ["udp", "tcp", "tls"], tcp: ["tcp", "tls"], tls: ["tls"] }[relayBy];
      if (side.relayBy) expect(possible).toContain(side.relayBy);
    }
  });
});
