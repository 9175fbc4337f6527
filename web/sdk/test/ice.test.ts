import { describe, expect, test } from "vitest";
import { IceSource, STUN_ONLY } from "../src/ice.js";
import type { Environment } from "../src/types.js";
import { FakeClock } from "./world/clock.js";
import { World } from "./world.js";

const HOUR = 3_600_000;
const SERVERS = [{ urls: "turn:relay.example", username: "u", credential: "c" }];

function source(answer: (call: number) => Promise<unknown>) {
  const clock = new FakeClock();
  let calls = 0;
  const environment = {
    now: clock.now,
    setTimeout: clock.setTimeout,
    clearTimeout: clock.clearTimeout,
    fetch: (_: string, { signal }: RequestInit) =>
      Promise.race([
        answer(++calls),
        new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new Error("aborted")))),
      ]),
  } as unknown as Environment;
  return { ice: new IceSource(environment, "/api/ice"), clock, calls: () => calls };
}

const ok = (ttl_s: number) =>
  Promise.resolve({ ok: true, json: () => Promise.resolve({ iceServers: [...SERVERS], ttl_s }) });

describe("the ICE configuration", () => {
  test("is cached for 6 hours", async () => {
    const { ice, clock, calls } = source(() => ok(86_400));
    expect(await ice.servers()).toEqual(SERVERS);
    await clock.advance(6 * HOUR - 1);
    await ice.servers();
    expect(calls()).toBe(1);
    await clock.advance(1);
    await ice.servers();
    expect(calls()).toBe(2);
  });

  test("is never used past its ttl", async () => {
    const { ice, clock, calls } = source(() => ok(600));
    await ice.servers();
    await clock.advance(600_000 - 60_001);
    await ice.servers();
    expect(calls()).toBe(1);
    // A minute before it ends: what is made from it now would find closed doors.
    await clock.advance(1);
    await ice.servers();
    expect(calls()).toBe(2);
  });

  test("is fetched once for all who ask at the same time", async () => {
    const { ice, calls } = source(() => ok(600));
    const [a, b] = await Promise.all([ice.servers(), ice.servers()]);
    expect(a).toBe(b);
    expect(calls()).toBe(1);
  });

  test("falls back to STUN after 5 s, and asks again the next time", async () => {
    const { ice, clock, calls } = source((call) => (call === 1 ? new Promise(() => {}) : ok(600)));
    const first = ice.servers();
    await clock.advance(5_000);
    expect(await first).toBe(STUN_ONLY);
    expect(await ice.servers()).toEqual(SERVERS);
    expect(calls()).toBe(2);
  });

  test.each([
    ["an error of the network", () => Promise.reject(new Error("offline"))],
    ["an error of the server", () => Promise.resolve({ ok: false, status: 500 })],
    ["an answer of another shape", () => Promise.resolve({ ok: true, json: () => Promise.resolve({}) })],
  ])("falls back to STUN on %s", async (_, answer) => {
    expect(await source(answer).ice.servers()).toBe(STUN_ONLY);
  });

  test("reaches the connections, with the policy of the options", async () => {
    const world = new World({ relayOnly: true });
    world.ice = () => ok(600);
    await world.wait();
    expect(world.connection(1).configuration).toMatchObject({
      iceServers: SERVERS,
      iceTransportPolicy: "relay",
    });
  });

  test("that expired takes the connections made from it along", async () => {
    const world = new World();
    world.ice = () => ok(60);
    await world.wait();
    await world.pass(90_000);
    expect(world.connection(1).closed).toBe(true);
    expect(world.iceFetches).toBeGreaterThanOrEqual(2);
  });
});
