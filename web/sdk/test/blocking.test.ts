// Blocks: confirmed, taken back, kept; and the stranger sees no more than that somebody left.

import { describe, expect, test } from "vitest";
import type { ClientOptions } from "../src/types.js";
import { World } from "./world.js";

const LEFT = { type: "partner_left", match_id: "m1", reason: "next", requeued: true } as const;
const WELCOME = { type: "welcome", version: 1, online: 1 } as const;

async function chat(options: ClientOptions = {}): Promise<World> {
  const world = new World(options);
  await world.wait({ kind: "text" }, "token-1");
  await world.find({ mode: "text" });
  return world;
}

function confirm(world: World, block = "handle-1", match_id = "m1"): void {
  world.server.say({ type: "blocked", match_id, block, resume_token: "token-b" });
}

describe("Block", () => {
  test("is confirmed, also when the search does not go on", async () => {
    for (const autoContinue of [true, false]) {
      const world = await chat({ autoContinue });
      expect(world.client.block()).toBe(true);
      confirm(world);
      expect(world.events("blocked")).toEqual([{ matchId: "m1", block: "handle-1" }]);
      expect(world.state.name).toBe(autoContinue ? "waiting" : "ended");
    }
  });

  test("is not told to the stranger", async () => {
    const world = new World();
    const connection = await world.call();
    world.client.block();
    expect(connection.channel.sent.at(-1)).toEqual({ type: "bye", reason: "next" });
  });

  test("names the stranger that it was pressed for, though another has come meanwhile", async () => {
    const world = await chat();
    world.server.say(LEFT);
    await world.find({ mode: "text", match_id: "m2" });
    world.client.block("m1");
    expect(world.server.of("block")).toEqual([{ type: "block", match_id: "m1" }]);
    expect(world.state).toMatchObject({ name: "connected", match: { id: "m2" } });
  });

  test("is possible for a while after the stranger left, and says so when it is not", async () => {
    const world = await chat({ autoContinue: false });
    world.server.say({ ...LEFT, requeued: false });
    await world.pass(60_000);
    expect(world.client.block()).toBe(true);
    await world.pass(120_000);
    expect(world.client.block()).toBe(false);
    expect(new World().client.block()).toBe(false);
  });

  test("that was said into a dead line is said again, and confirmed once", async () => {
    const world = await chat();
    world.client.block();
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true });
    expect(world.server.of("block")).toEqual([{ type: "block", match_id: "m1" }]);
    confirm(world, "handle-1");
    confirm(world, "another-handle-of-the-same");
    expect(world.events("blocked")).toEqual([{ matchId: "m1", block: "handle-1" }]);
    world.server.drop();
    await world.pass(4_000);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-3", resumed: true });
    expect(world.server.of("block")).toEqual([]);
  });

  test("says so when the session that it needs is forgotten", async () => {
    const world = await chat();
    world.server.drop();
    expect(world.client.block()).toBe(true);
    await world.pass(0);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2" });
    expect(world.events("blockFailed")).toEqual([{ matchId: "m1" }]);
    expect(world.server.of("block")).toEqual([]);
  });

  test("of a stranger who left is told on a new socket, when the line broke since", async () => {
    const world = await chat({ autoContinue: false });
    world.server.say({ ...LEFT, requeued: false });
    world.server.drop();
    await world.pass(2_000);
    expect(world.sockets).toHaveLength(1);
    expect(world.client.block()).toBe(true);
    expect(world.sockets).toHaveLength(2);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true });
    expect(world.server.of("block")).toEqual([{ type: "block", match_id: "m1" }]);
    confirm(world);
    expect(world.events("blocked")).toHaveLength(1);
    await world.pass(130_000);
    expect(world.server.closedWith).not.toBeNull();
    expect(world.events("blockFailed")).toEqual([]);
    expect(world.state.name).toBe("ended");
  });

  test("is still told when the line breaks before it is confirmed, or Stop follows", async () => {
    for (const stop of [false, true]) {
      const world = await chat({ autoContinue: false });
      if (stop) world.server.drop();
      world.client.block();
      if (stop) world.client.stop();
      else world.server.drop();
      await world.pass(1_000);
      world.server.accept();
      world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true });
      expect(world.server.of("block")).toEqual([{ type: "block", match_id: "m1" }]);
      expect(world.state.name).toBe(stop ? "idle" : "ended");
    }
  });

  test("fails without an error on the page when the server stays away", async () => {
    const world = await chat({ autoContinue: false });
    world.server.drop();
    world.client.block();
    await world.pass(130_000);
    expect(world.events("blockFailed")).toEqual([{ matchId: "m1" }]);
    expect(world.state.name).toBe("ended");
    const count = world.sockets.length;
    await world.pass(60_000);
    expect(world.sockets).toHaveLength(count);
  });

  test("that the server refuses is said to have failed, and is not said again", async () => {
    for (const error of [
      { code: "too_fast", retry: true, retry_after_ms: 200, of: "block" },
      { code: "not_matched", retry: false, of: "block" },
      // What it was could not be read; its number tells.
      { code: "too_fast", retry: true, retry_after_ms: 200 },
    ] as const) {
      const world = await chat();
      world.client.block();
      const nth = world.server.frames;
      await world.pass(60);
      world.server.say({ type: "error", message: "", ...error, nth });
      expect(world.events("blockFailed"), error.code).toEqual([{ matchId: "m1" }]);
      // The search that began with it was not meant.
      expect(world.events("paused")).toEqual([]);
      expect(world.state.name).toBe("waiting");
      world.server.drop();
      await world.pass(1_500);
      world.server.accept();
      world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true });
      expect(world.server.of("block")).toEqual([]);
    }
  });

  test("is not taken for the one that was refused", async () => {
    const world = await chat();
    world.server.say(LEFT);
    await world.find({ mode: "text", match_id: "m2" });
    world.client.block("m1");
    const first = world.server.frames;
    world.client.block("m2");
    const refusal = { type: "error", code: "too_fast", message: "", retry: true, of: "block" } as const;
    world.server.say({ ...refusal, nth: first });
    confirm(world, "handle-2", "m2");
    expect(world.events("blockFailed")).toEqual([{ matchId: "m1" }]);
    expect(world.events("blocked")).toEqual([{ matchId: "m2", block: "handle-2" }]);
  });

  test("said again after a resume waits for its own answer", async () => {
    const world = await chat();
    world.client.block();
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true });
    world.server.say({ type: "error", code: "too_fast", message: "", retry: true, of: "block" });
    expect(world.events("blockFailed")).toEqual([]);
    confirm(world);
    expect(world.events("blocked")).toHaveLength(1);
  });

  test("is not promised by a session that never knew of the match", async () => {
    const world = await chat();
    world.server.say(LEFT);
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2" });
    expect(world.client.block("m1")).toBe(false);
    expect(world.client.block()).toBe(false);
    expect(world.server.of("block")).toEqual([]);
    await world.find({ mode: "text", match_id: "m2" });
    expect(world.client.block()).toBe(true);
  });

  test("brings the newest token, also between Stop and its answer", async () => {
    const world = await chat();
    world.client.block();
    world.client.stop({ releaseMedia: false });
    confirm(world);
    void world.client.start({ kind: "text" });
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    expect(world.server.of("hello")).toMatchObject([{ resume: "token-b" }]);
  });
});

describe("Undo", () => {
  test("takes it back: from the next hello, and from the server", async () => {
    const world = await chat();
    world.client.block();
    confirm(world);
    world.client.unblock("handle-1");
    expect(world.server.of("unblock")).toEqual([{ type: "unblock", block: "handle-1" }]);
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    expect(world.server.of("hello")[0]).not.toHaveProperty("blocks");
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true });
    expect(world.server.of("unblock")).toHaveLength(1);
    world.server.say({ type: "unblocked", block: "handle-1", resume_token: "token-u" });
    expect(world.events("unblocked")).toEqual([{ block: "handle-1" }]);
  });
});

describe("An unblock", () => {
  test("that the server has no time for is said again, and one that it cannot read is not", async () => {
    for (const retry of [true, false]) {
      const world = await chat();
      world.client.block();
      confirm(world);
      world.client.unblock("handle-1");
      const [nth, code] = [world.server.frames, retry ? "too_fast" : "bad_field"] as const;
      world.server.say({ type: "error", code, message: "", retry, of: "unblock", nth });
      expect(world.state.name).toBe("waiting");
      world.server.drop();
      await world.pass(1_500);
      world.server.accept();
      world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true });
      expect(world.server.of("unblock")).toHaveLength(retry ? 1 : 0);
    }
  });
});

describe("what the application has kept", () => {
  const device = "ab".repeat(16);

  test("is said in every hello, with what was blocked since", async () => {
    let blocks = ["of-last-year"];
    const world = await chat({ device, blocks: () => blocks });
    expect(world.server.of("hello")).toMatchObject([{ device, blocks }]);
    world.client.block();
    confirm(world);
    blocks = ["of-last-year", "from-another-tab"];
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    expect(world.server.of("hello")).toMatchObject([
      { device, blocks: ["of-last-year", "from-another-tab", "handle-1"], resume: "token-b" },
    ]);
  });

  test("is not told twice", async () => {
    const kept: string[] = [];
    const world = await chat({ blocks: () => kept });
    world.client.on("blocked", ({ block }) => kept.push(block));
    world.client.block();
    confirm(world);
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    expect(world.server.of("hello")).toMatchObject([{ blocks: ["handle-1"] }]);
  });

  test("keeps nobody out, whatever it is", async () => {
    const many = Array.from({ length: 300 }, (_, n) => `handle-${n}`);
    const odd = [7, null, "x".repeat(5_000), ...many] as string[];
    const world = await chat({ device: "<script>", blocks: () => odd });
    const [hello] = world.server.of("hello");
    expect(hello).not.toHaveProperty("device");
    expect(hello?.blocks).toEqual(many.slice(-256));
  });
});
