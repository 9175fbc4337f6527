// Who goes through the relay only is not seen by the stranger: no packet on either line goes between the two, and no
// description or candidate, on either socket and in either direction, names an address of whoever is hidden. The same
// eyes do see it where nobody asked for that, or they would be no witnesses.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seesStranger } from "../kit/media";
import { together } from "../kit/visitor";
import type { AccessName } from "../natlab/access";
import { Capture } from "../natlab/capture";
import { look } from "../natlab/cell";
import type { Addresses, Home } from "../natlab/internet";
import { skipped } from "../natlab/laboratory";
import type { Frame } from "../natlab/wiretap";
import { World, type Guest } from "../natlab/world";

/** Somebody in a call, everywhere they have been meanwhile, and what went over their line. */
interface Party {
  guest: Guest;
  homes: Home[];
  capture: Capture;
}

/** Two in a call, by their part in it. The caller waits first, so that it is their offer that is answered. */
type Scene = Record<"caller" | "callee", Party>;

describe.skipIf(skipped("captures of relay-only calls"))("addresses", () => {
  let world: World;
  const open = (flags: string[]) => {
    beforeAll(async () => {
      world = await World.open(flags);
    });
    afterAll(() => world?.close());
  };

  describe("where everyone may connect directly", () => {
    // With the limits that ship: the places which a hidden call leaves behind count for its credential, so it asks for another.
    open([]);

    test("the two see each other", async () => {
      const scene = await enter(world);
      await meet(scene);
      expect(await pathOf(scene)).toBe("direct");
      await leave(scene);
      expect(Math.min(...packetsBetween(scene))).toBeGreaterThan(10);
      for (const { homes, guest } of [scene.caller, scene.callee]) {
        expect(namedIn(guest.tap.frames, homes)).not.toEqual([]);
      }
    });

    test.each(["caller", "callee"] as const)(
      "a %s who hides is not seen, nor while waiting, after a restart or on another network",
      { timeout: 90_000 },
      async (part) => {
        const scene = await enter(world);
        const hidden = scene[part];
        const other = scene[part === "caller" ? "callee" : "caller"];
        await hidden.guest.visitor.openChat();
        await hidden.guest.visitor.page
          .getByRole("checkbox", { name: "Hide my address", exact: true })
          .check();
        await meet(scene);
        expect(hidden.guest.tap.last("partner_found")?.initiator).toBe(part === "caller");
        expect(await pathOf(scene)).toBe("relay");
        for (const party of [hidden, other]) await restart(scene, party);
        move(world, hidden, "port-restricted");
        await recovered(scene);
        expect(await pathOf(scene)).toBe("relay");
        move(world, other, "open");
        await recovered(scene);
        expect(await pathOf(scene)).toBe("relay");
        await leave(scene);

        expect(packetsBetween(scene)).toEqual([0, 0]);
        for (const { capture } of [hidden, other])
          expect(capture.packetsWith(world.relayHost.addresses)).toBeGreaterThan(10);
        const frames = [hidden, other].flatMap(({ guest }) => guest.tap.frames);
        // All that can name an address was said, and read here.
        const types = frames.filter(({ text }) => /sdp|candidate/.test(text)).map(({ type }) => type);
        expect([...new Set(types)].sort()).toEqual([
          "answer",
          "find_partner",
          "ice_candidate",
          "offer",
          "partner_found",
          "ticket_offer",
        ]);
        expect(namedIn(frames, hidden.homes)).toEqual([]);
        // Their own address is the other's affair: it may be told, and yet only the relay sends there.
        expect(namedIn(hidden.guest.tap.frames, other.homes)).not.toEqual([]);
      },
    );
  });

  describe("where the operator lets media go through relays only", () => {
    open(["--ice-policy", "relay"]);

    test("neither sees the other", async () => {
      const scene = await enter(world);
      await meet(scene);
      expect(await pathOf(scene)).toBe("relay");
      await leave(scene);
      expect(packetsBetween(scene)).toEqual([0, 0]);
      const { caller, callee } = scene;
      for (const { capture } of [caller, callee])
        expect(capture.packetsWith(world.relayHost.addresses)).toBeGreaterThan(10);
      const frames = [caller, callee].flatMap(({ guest }) => guest.tap.frames);
      expect(namedIn(frames, [...caller.homes, ...callee.homes])).toEqual([]);
    });
  });
});

let scenes = 0;

/** Two who could easily reach each other, each with a capture on the line. */
async function enter(world: World): Promise<Scene> {
  scenes += 1;
  const party = async (access: AccessName, name: string): Promise<Party> => {
    const guest = await world.guest(access, `${name}${scenes}`);
    const capture = await Capture.start(guest.home.machine, world.laboratory.folder);
    return { guest, homes: [guest.home], capture };
  };
  const [caller, callee] = await Promise.all([party("open", "a"), party("full cone", "b")]);
  return { caller, callee };
}

async function meet({ caller, callee }: Scene): Promise<void> {
  const [first, second] = [caller.guest, callee.guest];
  await first.visitor.begin();
  await expect.poll(() => first.tap.last("waiting"), { timeout: 10_000 }).toBeDefined();
  // As on another network: what waits with the ticket is made anew.
  await first.visitor.page.evaluate(() => window.dispatchEvent(new Event("online")));
  await expect.poll(() => first.tap.last("ticket_offer"), { timeout: 10_000 }).toBeDefined();
  await second.visitor.begin();
  await together(first.visitor, second.visitor);
  await see([caller, callee]);
}

async function see(parties: Party[]): Promise<void> {
  await Promise.all(parties.map(({ guest }) => seesStranger(guest.visitor, 10)));
}

/** New credentials, new candidates, on the network that is. */
async function restart(scene: Scene, { guest }: Party): Promise<void> {
  const answers = () =>
    guest.tap.frames.filter(({ by, type }) => by === "server" && type === "answer").length;
  const before = answers();
  await guest.visitor.page.evaluate(() => window.dispatchEvent(new Event("online")));
  await expect.poll(answers, { timeout: 10_000 }).toBeGreaterThan(before);
  await recovered(scene);
}

function move(world: World, party: Party, access: AccessName): void {
  party.homes.push(world.internet.move(party.guest.home, access, `${scenes}-${party.homes.length}`));
}

async function recovered({ caller, callee }: Scene): Promise<void> {
  const parties = [caller, callee];
  await Promise.all(parties.map(({ guest }) => seesStranger(guest.visitor, 10, 45_000)));
  await together(caller.guest.visitor, callee.guest.visitor);
}

async function pathOf({ caller, callee }: Scene): Promise<"direct" | "relay"> {
  return (await look(caller.guest, callee.guest)).path;
}

async function leave({ caller, callee }: Scene): Promise<void> {
  for (const { guest, capture } of [caller, callee]) {
    await guest.visitor.stop();
    await capture.end();
    await guest.visitor.page.context().close();
  }
}

/** On the line of each: packets from or to any address that the other had. */
function packetsBetween({ caller, callee }: Scene): [number, number] {
  const count = ({ capture }: Party, { homes }: Party) =>
    homes.flatMap(({ own, seen }) => [own, seen]).reduce((sum, one) => sum + capture.packetsWith(one), 0);
  return [count(caller, callee), count(callee, caller)];
}

/** Which of these addresses stand anywhere in what was said. */
function namedIn(frames: Frame[], homes: Home[]): string[] {
  const all = homes
    .flatMap(({ own, seen }) => [own, seen])
    .flatMap(({ ipv4, ipv6 }: Addresses) => [ipv4, ipv6]);
  const addresses = [...new Set(all.filter((address) => address !== undefined))];
  return addresses.filter((address) => frames.some(({ text }) => text.includes(address)));
}
