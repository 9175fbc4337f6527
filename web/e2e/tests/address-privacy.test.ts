// Who goes through the relay only is not seen by the stranger: no packet on either line goes between the two, and no
// description or candidate that reaches the stranger's page names an address of theirs. The same eyes do see it where
// nobody asked for that, or they would be no witnesses.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seesStranger } from "../kit/media";
import { meet } from "../kit/visitor";
import { Capture } from "../natlab/capture";
import { look, type Cell } from "../natlab/cell";
import type { Addresses, Home } from "../natlab/internet";
import { skipped } from "../natlab/laboratory";
import { World, type Guest } from "../natlab/world";

interface Seen {
  cell: Cell;
  /** Packets between the two, on the one's line and on the other's. */
  packets: [number, number];
  /** Packets between each and the relay: the capture captures. */
  relayed: [number, number];
  /** What each page heard of the other's addresses. */
  heard: [string[], string[]];
}

describe.skipIf(skipped("captures of relay-only calls"))("addresses", () => {
  let world: World | null = null;
  const open = (flags: string[]) => {
    beforeAll(async () => {
      world = await World.open(flags);
    });
    afterAll(() => world?.close());
  };

  describe("where everyone may connect directly", () => {
    open([]);
    test("the two see each other", async () => {
      const { cell, packets, heard } = await spy(world);
      expect(cell.path).toBe("direct");
      expect(Math.min(...packets)).toBeGreaterThan(10);
      expect(heard[0]).not.toEqual([]);
      expect(heard[1]).not.toEqual([]);
    });
  });

  describe("where the operator lets media go through relays only", () => {
    open(["--ice-policy", "relay"]);
    test("neither sees the other", async () => {
      const { cell, packets, relayed, heard } = await spy(world);
      expect(cell.path).toBe("relay");
      expect(Math.min(...relayed)).toBeGreaterThan(10);
      expect(packets).toEqual([0, 0]);
      expect(heard).toEqual([[], []]);
    });
  });
});

/** Two who could easily reach each other are in a call, under the eyes of a capture on both lines. */
async function spy(world: World | null): Promise<Seen> {
  if (!world) throw new Error("There is no world.");
  const { folder } = world.laboratory;
  const guests = await Promise.all([world.guest("open", "a"), world.guest("full cone", "b")]);
  const [ann, ben] = guests;
  const captures = await Promise.all(guests.map(({ home }) => Capture.start(home.machine, folder)));
  await meet(ann.visitor, ben.visitor);
  await Promise.all([seesStranger(ann.visitor, 20), seesStranger(ben.visitor, 20)]);
  const cell = await look(ann, ben);
  await Promise.all(guests.map(({ visitor }) => visitor.stop()));
  await Promise.all(captures.map((capture) => capture.end()));
  const count = (of: (index: number) => Addresses[]): [number, number] => {
    const [a = 0, b = 0] = captures.map((capture, index) =>
      of(index).reduce((sum, addresses) => sum + capture.packetsWith(addresses), 0),
    );
    return [a, b];
  };
  const homes: [Home, Home] = [ann.home, ben.home];
  return {
    cell,
    packets: count((index) => [homes[1 - index]?.own ?? {}, homes[1 - index]?.seen ?? {}]),
    relayed: count(() => [world.relayHost.addresses]),
    heard: [heardBy(ann, ben.home), heardBy(ben, ann.home)],
  };
}

/** Which addresses of the other stood in what the server told this page. */
function heardBy({ tap }: Guest, other: Home): string[] {
  const all = [other.own, other.seen].flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
  const addresses = [...new Set(all.filter((address) => address !== undefined))];
  const told = tap.frames.filter(({ by }) => by === "server").map(({ text }) => text);
  return addresses.filter((address) => told.some((text) => text.includes(address)));
}
