// What was written arrives once and in order, or is shown as unsent.

import { describe, expect, test } from "vitest";
import { World, type FakeConnection } from "./world.js";

const WELCOME = { type: "welcome", version: 1, online: 1, resume_token: "token-2", resumed: true } as const;

async function textChat(): Promise<World> {
  const world = new World();
  await world.wait({ kind: "text" }, "token-1");
  await world.find({ mode: "text" });
  return world;
}

/** The line dies, is found dead, and another one stands. */
async function anotherLine(world: World): Promise<void> {
  world.server.drop();
  await world.pass(0);
  world.server.accept();
}

const written = (world: World) => world.server.of("message").map(({ text }) => text);
const shown = (world: World) => world.events("message").map(({ text }) => text);
const unsent = (world: World) =>
  world.events("unsent").map(({ id, reason }) => {
    const message = world.events("message").find((each) => each.id === id);
    return [message?.text, reason];
  });

describe("texts that went into a dead line", () => {
  test("are said again where the server did not take them, in their order, and only those", async () => {
    const world = await textChat();
    world.client.send("taken");
    const taken = world.server.frames;
    world.server.dead = true;
    world.client.send("lost");
    world.client.typing(true);
    world.client.send("lost, too");
    await anotherLine(world);
    world.client.send("written meanwhile");
    world.server.say({ ...WELCOME, match_id: "m1", received: taken });
    expect(written(world)).toEqual(["lost", "lost, too", "written meanwhile"]);
    expect(world.server.of("typing")).toEqual([]);
    expect(world.events("unsent")).toEqual([]);
  });

  test("are confirmed within a second or two, and not said again then", async () => {
    const world = await textChat();
    world.client.send("taken");
    await world.pass(1_500);
    expect(world.server.pings).toBe(1);
    world.server.dead = true;
    world.client.send("lost");
    await anotherLine(world);
    world.server.say({ ...WELCOME, match_id: "m1" });
    expect(written(world)).toEqual([]);
    expect(unsent(world)).toEqual([["lost", "lost"]]);
  });

  test("make the line's death known sooner than silence would", async () => {
    const world = await textChat();
    await world.pass(4_000);
    world.server.dead = true;
    world.client.send("anyone?");
    await world.pass(5_000);
    expect(world.sockets).toHaveLength(2);
  });

  test("are unsent if the session is gone, if the match is over, or if there is no coming back", async () => {
    const gone = await textChat();
    gone.client.send("lost");
    await anotherLine(gone);
    gone.server.say({ ...WELCOME, resumed: false });
    expect(unsent(gone)).toEqual([["lost", "lost"]]);

    const over = await textChat();
    over.client.send("taken");
    const taken = over.server.frames;
    over.client.send("lost");
    await anotherLine(over);
    over.server.say({ ...WELCOME, received: taken });
    expect(unsent(over)).toEqual([["lost", "lost"]]);

    const refused = await textChat();
    refused.client.send("lost");
    refused.server.drop(1008);
    expect(unsent(refused)).toEqual([["lost", "lost"]]);
  });

  test("are not called lost where the stranger leaves over a line that works", async () => {
    const world = await textChat();
    world.client.send("bye");
    world.server.say({ type: "partner_left", match_id: "m1", reason: "next", requeued: true });
    expect(world.events("unsent")).toEqual([]);
  });
});

describe("a text that the server refuses", () => {
  test("names the true reason", async () => {
    const world = await textChat();
    world.client.send("odd");
    world.server.say({
      type: "error",
      code: "bad_field",
      message: "text: …",
      retry: false,
      of: "message",
      nth: world.server.frames,
    });
    expect(unsent(world)).toEqual([["odd", "bad_field"]]);
  });
});

describe("a channel that opens when texts already go through the server", () => {
  async function fallenBack(): Promise<[World, FakeConnection]> {
    const world = new World();
    await world.wait({ kind: "video" }, "token-1");
    await world.find();
    await world.pass(3_000);
    return [world, world.connection(1)];
  }

  test("is used only when the server has them all", async () => {
    const [world, { channel }] = await fallenBack();
    world.client.send("one");
    channel.open();
    world.client.send("two");
    expect(written(world)).toEqual(["one", "two"]);
    await world.pass(1_500);
    world.client.send("three");
    expect(channel.sent.at(-1)).toEqual({ type: "message", text: "three", n: 1, after: 2 });
    expect(written(world)).toEqual(["one", "two"]);
  });

  test("does not count what the server refused", async () => {
    const [world, { channel }] = await fallenBack();
    world.client.send("one");
    const refusal = { type: "error", code: "too_fast", message: "", retry: true, of: "message" } as const;
    world.server.say({ ...refusal, nth: world.server.frames });
    channel.open();
    world.client.send("two");
    expect(channel.sent.at(-1)).toMatchObject({ text: "two", after: 0 });
  });

  test("waits with what it brings for what is still on its way through the server", async () => {
    const [world, { channel }] = await fallenBack();
    channel.open();
    channel.hear({ type: "message", text: "three", n: 1, after: 2 });
    channel.hear({ type: "message", text: "four", n: 2, after: 2 });
    world.server.say({ type: "message", match_id: "m1", text: "one" });
    expect(shown(world)).toEqual(["one"]);
    world.server.say({ type: "message", match_id: "m1", text: "two" });
    expect(shown(world)).toEqual(["one", "two", "three", "four"]);
    channel.hear({ type: "message", text: "five", n: 3, after: 2 });
    expect(shown(world).at(-1)).toBe("five");
  });

  test("does not wait for ever, nor beyond the end", async () => {
    const [world, connection] = await fallenBack();
    connection.connect();
    connection.channel.hear({ type: "message", text: "two", n: 1, after: 1 });
    await world.flow(connection, 9_000);
    expect(shown(world)).toEqual([]);
    await world.flow(connection, 1_500);
    expect(shown(world)).toEqual(["two"]);
    connection.channel.hear({ type: "message", text: "four", n: 2, after: 2 });
    connection.channel.hear({ type: "bye", reason: "next" });
    expect(shown(world)).toEqual(["two", "four"]);
  });
});

describe("texts over the channel", () => {
  test("are acknowledged", async () => {
    const world = new World();
    const { channel } = await world.call();
    channel.hear({ type: "message", text: "hi", n: 1, after: 0 });
    expect(channel.sent.at(-1)).toEqual({ type: "received", n: 1 });
    channel.hear({ type: "message", text: "of an older client" });
    expect(channel.sent).toHaveLength(3);
    expect(shown(world)).toEqual(["hi", "of an older client"]);
  });

  test("that nobody read are unsent when the stranger is lost", async () => {
    const world = new World();
    const connection = await world.call();
    world.client.send("read");
    world.client.send("unread");
    connection.channel.hear({ type: "received", n: 1 });
    connection.become("failed");
    await world.pass(25_000);
    expect(world.events("left")).toMatchObject([{ reason: "lost" }]);
    expect(unsent(world)).toEqual([["unread", "lost"]]);
  });

  test("of a stranger who never acknowledges are not called lost", async () => {
    const world = new World();
    const connection = await world.call();
    world.client.send("who knows");
    connection.become("failed");
    await world.pass(25_000);
    expect(world.events("left")).toHaveLength(1);
    expect(unsent(world)).toEqual([]);
  });

  test("that still wait for a way when the stranger goes are unsent", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    world.client.send("too early");
    world.server.say({ type: "partner_left", match_id: "m1", reason: "next", requeued: true });
    expect(unsent(world)).toEqual([["too early", "lost"]]);
  });
});
