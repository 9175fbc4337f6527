import { describe, expect, test } from "vitest";
import { World } from "./world.js";

describe("texts", () => {
  test("wait for the channel and then go through it alone", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    world.client.send("one");
    world.client.send("two");
    await world.pass(2_000);
    world.connection(1).channel.open();
    await world.pass(5_000);
    const { sent } = world.connection(1).channel;
    expect(sent.map(({ type, text }) => text ?? type)).toEqual(["hello", "devices", "one", "two"]);
    expect(world.server.of("message")).toEqual([]);
  });

  test("go through the server to a client that opens the channel and says nothing there", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    const { channel } = world.connection(1);
    channel.open("foreign");
    world.client.send("one");
    await world.pass(3_000);
    world.client.typing(true);
    world.client.send("two");
    expect(channel.sent.map(({ type }) => type)).toEqual(["hello", "devices"]);
    expect(world.server.of("message").map(({ text }) => text)).toEqual(["one", "two"]);
    expect(world.server.of("typing")).toHaveLength(1);
  });

  test("of another language on the same channel are not taken for ours", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    const { channel } = world.connection(1);
    channel.open("foreign");
    for (const word of ["ready", { type: "chat", text: "hi" }, "7"]) channel.hear(word);
    world.client.send("one");
    await world.pass(3_000);
    expect(world.server.of("message")).toMatchObject([{ text: "one" }]);
  });

  test("a foreign client that closes its channels has not left", async () => {
    const world = new World();
    const connection = await world.call();
    await world.flow(connection, 500);
    world.client.next();
    await world.pass(100);
    await world.find({ match_id: "m2" });
    const next = world.connection(2);
    expect(next.channel.onclose).not.toBeNull();
    next.channel.open("foreign");
    next.become("connected");
    await world.pass(0);
    next.channel.closeByStranger();
    await world.flow(next, 5_000);
    expect(world.events("left")).toEqual([]);
    world.client.send("still here?");
    expect(world.server.of("message")).toMatchObject([{ match_id: "m2" }]);
  });

  test("go through the server where no channel opens in 3 s", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    world.client.send("one");
    await world.pass(3_000);
    world.client.send("two");
    expect(world.server.of("message").map(({ text }) => text)).toEqual(["one", "two"]);
    world.server.say({ type: "message", match_id: "m1", text: "three" });
    expect(world.events("message")).toMatchObject([
      { id: 1, from: "you", text: "one" },
      { id: 2, from: "you", text: "two" },
      { id: 3, from: "stranger", text: "three" },
    ]);
  });

  test("typing is told through the channel only, where there will be one", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    world.client.typing(true);
    expect(world.server.of("typing")).toEqual([]);
    world.connection(1).channel.open();
    world.client.typing(false);
    expect(world.connection(1).channel.sent.slice(2)).toEqual([{ type: "typing", on: false }]);
  });

  test("that are typed in a text chat go through the server", async () => {
    const world = new World();
    await world.wait({ kind: "text" });
    await world.find({ mode: "text" });
    world.client.typing(true);
    world.client.typing(true);
    world.client.send("<b>hi</b>");
    world.client.typing(false);
    expect(world.server.sent.slice(-2)).toEqual([
      { type: "typing", match_id: "m1", on: true },
      { type: "message", match_id: "m1", text: "<b>hi</b>" },
    ]);
    world.server.say({ type: "typing", match_id: "m1", on: true });
    world.server.say({ type: "message", match_id: "m1", text: "hello" });
    expect(world.events("typing")).toEqual([true, false]);
  });

  test("have at most 2,000 characters, counted as the server counts them", async () => {
    const world = new World();
    const connection = await world.call();
    world.client.send("🙂".repeat(2_000));
    const tooLong = expect.objectContaining({ reason: "invalid_argument" });
    expect(() => world.client.send("x".repeat(2_001))).toThrow(tooLong);
    connection.channel.hear({ type: "message", text: "x".repeat(2_001) });
    expect(world.events("message")).toHaveLength(1);
  });

  test("need somebody who reads them", async () => {
    const world = new World();
    expect(() => world.client.send("?")).toThrow(expect.objectContaining({ reason: "invalid_argument" }));
    await world.wait();
    expect(() => world.client.send("?")).toThrow(expect.objectContaining({ reason: "invalid_argument" }));
  });

  test("are bounded while they wait", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    for (let n = 0; n < 100; n += 1) world.client.send(`${n}`);
    expect(() => world.client.send("one more")).toThrow(expect.objectContaining({ reason: "too_fast" }));
  });

  test("that are none of ours are dropped", async () => {
    const world = new World();
    const connection = await world.call();
    for (const word of [
      "not json",
      "null",
      "7",
      "[]",
      { type: "message", text: 7 },
      { type: "explode" },
      {},
    ]) {
      connection.channel.hear(word);
    }
    expect(world.events("message")).toEqual([]);
    expect(world.state.name).toBe("connected");
  });
});
