// Lines that die and tell nobody: another interface, a router that forgot, a black hole.

import { describe, expect, test } from "vitest";
import { World } from "./world.js";

const WELCOME = { type: "welcome", version: 1, online: 1 } as const;

async function textChat(world: World): Promise<void> {
  await world.wait({ kind: "text" }, "token-1");
  await world.find({ mode: "text" });
}

describe("a socket that is dead without knowing it", () => {
  test("is replaced within seconds in a text chat, and the chat goes on", async () => {
    const world = new World();
    await textChat(world);
    await world.pass(60_000);
    expect(world.sockets).toHaveLength(1);
    world.server.dead = true;
    await world.pass(9_000);
    expect(world.sockets).toHaveLength(2);
    expect(world.state).toMatchObject({ name: "reconnecting", cause: "server", match: { id: "m1" } });
    world.server.accept();
    expect(world.server.of("hello")).toMatchObject([{ resume: "token-1", received: 2 }]);
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true, match_id: "m1" });
    expect(world.state.name).toBe("connected");
    expect(world.events("left")).toEqual([]);
  });

  test("is replaced while waiting, with an offer of the network as it is now", async () => {
    const world = new World();
    await world.wait({ kind: "video" }, "token-1");
    world.server.dead = true;
    await world.pass(9_000);
    expect(world.sockets).toHaveLength(2);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true });
    await world.pass(60);
    expect(world.state.name).toBe("waiting");
    expect(world.server.of("ticket_offer")).toMatchObject([
      { sdp: expect.not.stringContaining("offer-of-1") },
    ]);
  });

  test("is found out at once when the picture stops, and the path is sought anew", async () => {
    const world = new World();
    const connection = await world.call("token-1");
    await world.flow(connection, 3_000);
    world.server.dead = true;
    await world.pass(6_500);
    expect(world.sockets).toHaveLength(2);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true, match_id: "m1" });
    expect(world.server.of("offer")).toHaveLength(1);
  });

  test("is found out in a call that goes well, in its time", async () => {
    const world = new World();
    const connection = await world.call("token-1");
    world.server.dead = true;
    await world.flow(connection, 25_000);
    expect(world.sockets).toHaveLength(2);
    expect(world.state).toMatchObject({ name: "connected", signaling: "away" });
  });
});

describe("asking the server", () => {
  test("costs little: nothing while others speak, seldom in a call, never when idle", async () => {
    const chat = new World();
    await textChat(chat);
    for (let n = 0; n < 20; n += 1) {
      await chat.pass(3_000);
      chat.server.say({ type: "typing", match_id: "m1", on: n % 2 === 0 });
    }
    expect(chat.server.pings).toBe(0);
    await chat.pass(60_000);
    expect(chat.server.pings).toBe(12);

    const call = new World();
    const connection = await call.call("token-1");
    await call.flow(connection, 60_000);
    expect(call.server.pings).toBeGreaterThanOrEqual(2);
    expect(call.server.pings).toBeLessThanOrEqual(4);

    const idle = new World();
    await idle.wait({ kind: "text" });
    idle.client.stop();
    idle.server.say({ type: "stopped" });
    await idle.pass(29_000);
    expect(idle.server.pings).toBe(0);
  });

  test("believes a slow line: a round trip of three seconds, growing to seven, is no death", async () => {
    const world = new World();
    await textChat(world);
    const { server } = world;
    server.dead = true;
    for (const tripMs of [3_000, 3_000, 5_000, 7_000]) {
      const before = server.pings;
      await world.pass(5_000);
      expect(server.pings).toBe(before + 1);
      await world.pass(tripMs);
      server.say({ type: "pong", received: server.frames });
      await world.pass(0);
    }
    expect(world.sockets).toHaveLength(1);
    expect(world.names).not.toContain("reconnecting:server");
  });

  test("in a hidden tab, where timers come once a minute, the answer counts that came before them", async () => {
    const world = new World();
    await textChat(world);
    for (let minute = 0; minute < 5; minute += 1) await world.clock.sleep(60_000);
    expect(world.sockets).toHaveLength(1);
    world.server.dead = true;
    for (let minute = 0; minute < 2; minute += 1) await world.clock.sleep(60_000);
    expect(world.sockets).toHaveLength(2);
  });

  test("the server asks as well, is answered at once, and neither counts as a message", async () => {
    const world = new World();
    await textChat(world);
    world.server.say({ type: "ping" });
    world.server.say({ type: "ping" });
    expect(world.server.pongs).toBe(2);
    await world.pass(6_000);
    expect(world.server.pings).toBe(1);
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    expect(world.server.of("hello")).toMatchObject([{ received: 2, answers_ping: true }]);
  });
});
