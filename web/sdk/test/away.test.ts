import { describe, expect, test } from "vitest";
import { backoffMs } from "../src/socket.js";
import { FakeConnection, World } from "./world.js";

const WELCOME = { type: "welcome", version: 1, online: 1 } as const;

function seeded(seed: number): () => number {
  let state = seed * 2_654_435_761;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 0x9e3779b9) >>> 0;
    return state / 2 ** 32;
  };
}

/** Every attempt of this time hangs, is refused, or opens and is never greeted. */
async function failFor(ms: number, world: World, random: () => number): Promise<void> {
  let seen = world.server;
  let dueMs = Infinity;
  let fate: "hangs" | "is refused" | "is let in and not greeted" = "hangs";
  for (const endMs = world.clock.nowMs + ms; world.clock.nowMs < endMs;) {
    await world.pass(Math.min(100, endMs - world.clock.nowMs));
    if (world.server !== seen) {
      seen = world.server;
      fate =
        (["hangs", "is refused", "is let in and not greeted"] as const)[Math.floor(random() * 3)] ?? "hangs";
      dueMs = world.clock.nowMs + random() * 5_000;
    }
    if (world.clock.nowMs < dueMs || seen.closedWith !== null) continue;
    dueMs = Infinity;
    if (fate === "is refused") seen.drop();
    if (fate === "is let in and not greeted") seen.accept();
  }
}

describe("the socket", () => {
  test("comes back after 0 to 1 s, 1.5, 3, then 7 s, each with jitter", () => {
    expect([0, 1, 2, 3, 9].map((failures) => backoffMs(failures, 0.5))).toEqual([
      500, 1_500, 3_000, 7_000, 7_000,
    ]);
    expect([backoffMs(0, 0), backoffMs(3, 0), backoffMs(3, 1)]).toEqual([0, 3_500, 10_500]);
  });

  test("is tried at least twice while the server keeps the session, however the attempts fail", async () => {
    for (let seed = 1; seed <= 200; seed += 1) {
      const random = seeded(seed);
      const world = new World({ environment: { random } });
      await world.wait({ kind: "text" }, "token-1");
      // The second and third time the session is lost as soon as it was there again.
      for (let loss = 1; loss <= 3; loss += 1) {
        world.server.drop();
        const [lostAtMs, before] = [world.clock.nowMs, world.sockets.length];
        await failFor(10_000, world, random);
        const attempts = world.sockets.length - before;
        expect(attempts, `seed ${seed}, loss ${loss}`).toBeGreaterThanOrEqual(2);
        for (let tries = 0; world.server.closedWith !== null && tries < 100; tries += 1)
          await world.pass(200);
        expect(world.clock.nowMs - lostAtMs, `seed ${seed}`).toBeLessThan(25_000);
        world.server.accept();
        world.server.say({ ...WELCOME, resume_token: `token-${loss + 1}`, resumed: true });
        await world.pass(0);
      }
    }
  });

  test("leaves a server that is away for long alone for longer", async () => {
    const world = new World();
    world.random = 0.5;
    await world.wait({ kind: "text" }, "token-1");
    world.server.drop();
    for (let n = 0; n < 120; n += 1) {
      await world.pass(500);
      if (world.server.closedWith === null) world.server.drop();
    }
    // The first minute: 0.5, 1.5, 3, 3 s while the session is kept, then every 7 s.
    expect(world.sockets.length).toBeLessThanOrEqual(14);
  });

  test("that never reached the server is tried twice and then given up", async () => {
    const world = new World();
    void world.client.start({ kind: "text" });
    await world.pass(0);
    world.server.drop();
    await world.pass(1_000);
    expect(world.sockets).toHaveLength(2);
    world.server.drop();
    await world.pass(60_000);
    expect(world.sockets).toHaveLength(2);
    expect(world.state).toMatchObject({
      name: "error",
      error: { reason: "server_unreachable", retry: true },
    });
    void world.client.start({ kind: "text" });
    await world.pass(0);
    world.server.accept();
    await world.pass(60);
    expect(world.state.name).toBe("waiting");
  });

  test("given up while the browser still asks for the camera: the answer does not undo the error", async () => {
    const world = new World();
    let allow = () => {};
    world.devices.prompt = new Promise((resolve) => (allow = resolve));
    void world.client.start({ kind: "video" });
    await world.pass(0);
    world.server.drop();
    await world.pass(1_000);
    world.server.drop();
    allow();
    await world.pass(100);
    expect(world.state).toMatchObject({ name: "error", error: { reason: "server_unreachable" } });
    expect(world.sockets).toHaveLength(2);
  });

  test("that hangs while connecting counts as lost", async () => {
    const world = new World();
    void world.client.start({ kind: "text" });
    await world.pass(10_000);
    expect(world.sockets[0]?.closedWith).not.toBeNull();
    expect(world.sockets).toHaveLength(2);
  });

  test("lost while waiting: shown with the next attempt, and asked again", async () => {
    const world = new World();
    world.random = 0.5;
    await world.wait({ kind: "text" });
    world.server.drop();
    expect(world.state).toMatchObject({ name: "reconnecting", cause: "server", match: null });
    expect(world.state).toHaveProperty("retryAtMs", world.clock.nowMs + 500);
    await world.pass(500);
    expect(world.state).toMatchObject({ name: "reconnecting", retryAtMs: null });
    world.server.accept();
    await world.pass(0);
    expect(world.state.name).toBe("waiting");
    expect(world.server.types()).toEqual(["hello", "find_partner"]);
    expect(world.events("signaling")).toEqual(["open", "away", "open"]);
  });

  test("begins the schedule anew only after a connection that lasted", async () => {
    const world = new World();
    await world.wait({ kind: "text" });
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    world.server.drop();
    await world.pass(1_124);
    expect(world.sockets).toHaveLength(2);
    await world.pass(1);
    expect(world.sockets).toHaveLength(3);
    world.server.accept();
    await world.pass(10_000);
    world.server.drop();
    await world.pass(0);
    expect(world.sockets).toHaveLength(4);
  });

  test("refused by policy is not tried again", async () => {
    const world = new World();
    await world.wait({ kind: "text" });
    world.server.drop(1008);
    await world.pass(60_000);
    expect(world.state).toMatchObject({ name: "error", error: { reason: "refused", retry: false } });
    expect(world.sockets).toHaveLength(1);
  });

  test("a request that a retry does not mend ends in an error", async () => {
    const world = new World();
    void world.client.start({ kind: "text", languages: ["!"] });
    await world.pass(0);
    world.server.accept();
    await world.pass(0);
    world.server.say({
      type: "error",
      code: "bad_field",
      message: "languages: not a BCP 47 tag",
      retry: false,
    });
    expect(world.state).toMatchObject({
      name: "error",
      error: { reason: "refused", message: expect.stringContaining("BCP 47") },
    });
  });

  test("a draining server is left in time, without saying good-bye for good", async () => {
    const world = new World();
    await world.call("token-1");
    world.server.say({ type: "draining", reconnect_after_ms: 2_000 });
    await world.pass(1_999);
    expect(world.sockets).toHaveLength(1);
    await world.pass(1);
    expect(world.sockets).toHaveLength(2);
    world.server.accept();
    expect(world.server.sent).toEqual([
      { type: "hello", version: 1, answers_ping: true, resume: "token-1", received: 4 },
    ]);
    expect(world.sockets[0]?.closedWith).toBeNull();
    world.server.say({ ...WELCOME, resumed: true });
    expect(world.sockets[0]?.closedWith).toBe(4000);
  });

  test("a server that drained is not called before the time it named", async () => {
    const world = new World();
    await world.wait({ kind: "text" });
    world.server.say({ type: "draining", reconnect_after_ms: 5_000 });
    world.server.drop(1012);
    await world.pass(4_999);
    expect(world.sockets).toHaveLength(1);
    await world.pass(1);
    expect(world.sockets).toHaveLength(2);
  });
});

describe("a server lost under a call", () => {
  test("the call goes on, text included, and the socket comes back by itself", async () => {
    const world = new World();
    const connection = await world.call();
    world.server.drop();
    expect(world.state).toMatchObject({ name: "connected", signaling: "away" });
    world.client.send("still here?");
    connection.channel.hear({ type: "message", text: "yes" });
    expect(connection.channel.sent.at(-1)).toMatchObject({ type: "message", text: "still here?" });
    expect(world.events("message").map(({ text }) => text)).toEqual(["still here?", "yes"]);
    await world.flow(connection, 1_000);
    world.server.accept();
    world.server.say(WELCOME);
    expect(world.state).toMatchObject({ name: "connected", signaling: "open" });
    expect(world.server.types()).toEqual(["hello"]);
    expect(connection.closed).toBe(false);
  });

  test("Next works again when it is back, with a server that does not know the match", async () => {
    const world = new World();
    const connection = await world.call();
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    world.server.say(WELCOME);
    world.client.next();
    await world.pass(60);
    expect(connection.channel.sent.at(-1)).toEqual({ type: "bye", reason: "next" });
    expect(world.server.types()).toEqual(["hello", "find_partner"]);
  });

  test("Next while it is away tells the stranger and searches as soon as it is back", async () => {
    const world = new World();
    world.random = 0.9;
    const connection = await world.call();
    world.server.drop();
    world.client.next();
    expect(connection.channel.sent.at(-1)).toEqual({ type: "bye", reason: "next" });
    expect(world.state).toMatchObject({ name: "reconnecting", cause: "server", match: null });
    await world.pass(900);
    expect(connection.closed).toBe(true);
    world.server.accept();
    world.server.say(WELCOME);
    await world.pass(60);
    expect(world.server.types()).toEqual(["hello", "find_partner"]);
    expect(world.state.name).toBe("waiting");
    expect(world.events("left")).toEqual([]);
  });

  test("the stranger's bye is enough to go on searching", async () => {
    const world = new World();
    world.random = 0.9;
    const connection = await world.call();
    world.server.drop();
    connection.channel.hear({ type: "bye", reason: "stop" });
    expect(world.events("left")).toMatchObject([{ reason: "stop", searching: true }]);
    expect(world.state).toMatchObject({ name: "reconnecting", cause: "server" });
  });

  test("a connection that breaks for good with a server that knows nothing of it is lost", async () => {
    const world = new World();
    const connection = await world.call();
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    world.server.say(WELCOME);
    connection.become("failed");
    expect(world.events("left")).toMatchObject([{ reason: "lost", searching: true }]);
  });

  test("a channel that closes without a word is a stranger who is gone", async () => {
    const world = new World();
    const connection = await world.call();
    world.server.drop();
    connection.channel.closeByStranger();
    expect(world.events("left")).toMatchObject([{ reason: "lost" }]);
  });

  test("a half-made connection cannot do without it: lost, and the search goes on", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    world.server.drop();
    await world.pass(0);
    expect(world.state.name).toBe("connecting");
    world.server.accept();
    await world.pass(60);
    expect(world.events("left")).toMatchObject([{ reason: "lost", searching: true }]);
    expect(world.server.types()).toEqual(["hello", "find_partner"]);
  });
});

describe("a session that is resumed", () => {
  test("waits for the answer before it says anything else", async () => {
    const world = new World();
    await world.wait({ kind: "text" }, "token-1");
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    await world.pass(100);
    expect(world.server.sent).toEqual([
      { type: "hello", version: 1, answers_ping: true, resume: "token-1", received: 1 },
    ]);
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true });
    await world.pass(100);
    expect(world.server.types()).toEqual(["hello"]);
    expect(world.state.name).toBe("waiting");
    world.server.drop();
    await world.pass(4_000);
    world.server.accept();
    expect(world.server.sent[0]).toMatchObject({ resume: "token-2" });
  });

  test("goes on in its match: signals of the meantime are delivered, Next names the match", async () => {
    const world = new World();
    const connection = await world.call("token-1");
    world.server.drop();
    connection.gather("candidate:9 1 udp 1 192.0.2.9 9 typ host");
    await world.pass(20);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true, match_id: "m1" });
    expect(world.server.types()).toEqual(["hello", "ice_candidate"]);
    expect(world.state).toMatchObject({ name: "connected", signaling: "open" });
    world.client.next();
    await world.pass(60);
    expect(world.server.of("next")).toMatchObject([{ match_id: "m1" }]);
  });

  test("Next pressed while away leaves the resumed match", async () => {
    const world = new World();
    await world.call("token-1");
    world.server.drop();
    world.client.next();
    await world.pass(0);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true, match_id: "m1" });
    await world.pass(60);
    expect(world.server.of("next")).toMatchObject([{ match_id: "m1" }]);
  });

  test("a search that was not answered is asked for again", async () => {
    const world = new World();
    await world.wait({ kind: "text" }, "token-1");
    await world.find({ mode: "text" });
    world.client.next();
    await world.pass(0);
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true, match_id: "m1" });
    await world.pass(0);
    expect(world.server.of("next")).toMatchObject([{ match_id: "m1" }]);
  });

  test("so is one that had not even begun", async () => {
    const world = new World();
    void world.client.start({ kind: "text" });
    await world.pass(0);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-1" });
    await world.pass(0);
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true });
    await world.pass(0);
    expect(world.server.types()).toEqual(["hello", "find_partner"]);
  });

  test("gives up its place while the visitor is asked for the camera", async () => {
    const world = new World();
    await world.wait({ kind: "text" }, "token-1");
    world.server.drop();
    world.devices.prompt = new Promise(() => {});
    void world.client.start({ kind: "video" });
    await world.pass(0);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true });
    expect(world.server.types()).toEqual(["hello", "stop"]);
    expect(world.state.name).toBe("permission");
  });

  test("a visitor who stopped meanwhile comes back only to start again, and first says that it stopped", async () => {
    const world = new World();
    await world.call("token-1");
    world.server.drop();
    world.client.stop();
    await world.pass(60_000);
    expect(world.sockets).toHaveLength(1);
    void world.client.start({ kind: "text" });
    await world.pass(0);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true, match_id: "m1" });
    await world.pass(0);
    expect(world.server.types()).toEqual(["hello", "stop", "find_partner"]);
  });

  test("a Stop that was said is the end of the session", async () => {
    const world = new World();
    await world.call("token-1");
    world.client.stop();
    world.server.say({ type: "stopped", resume_token: "token-2" });
    await world.pass(120_000);
    expect(world.sockets[0]?.closedWith).toBe(1000);
    void world.client.start({ kind: "text" });
    await world.pass(0);
    world.server.accept();
    expect(world.server.sent[0]).toEqual({ type: "hello", version: 1, answers_ping: true });
  });

  test("admission is obeyed: the same hello again after the pause", async () => {
    const world = new World();
    await world.call("token-1");
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    world.server.say({
      type: "error",
      code: "too_fast",
      message: "Later.",
      retry: true,
      retry_after_ms: 4_000,
    });
    await world.pass(3_999);
    expect(world.server.types()).toEqual(["hello"]);
    await world.pass(1);
    expect(world.server.of("hello").map(({ resume }) => resume)).toEqual(["token-1", "token-1"]);
  });

  test("the stranger's own reconnection shows only where it is felt", async () => {
    const world = new World();
    await world.call();
    world.server.say({ type: "partner_reconnecting", match_id: "m1", grace_ms: 10_000 });
    expect(world.state).toMatchObject({ name: "connected", partner: "away" });
    world.connection(1).become("disconnected");
    expect(world.state).toMatchObject({ name: "reconnecting", cause: "partner" });

    const text = new World();
    await text.wait({ kind: "text" });
    await text.find({ mode: "text" });
    text.server.say({ type: "partner_reconnecting", match_id: "m1", grace_ms: 10_000 });
    expect(text.state).toMatchObject({ name: "reconnecting", cause: "partner" });
    text.server.say({ type: "partner_back", match_id: "m1", grace_ms: 0 });
    expect(text.state.name).toBe("connected");
  });

  test("a stranger who went to the next server first is there when this side comes, too", async () => {
    const world = new World();
    await world.wait({ kind: "text" }, "token-1");
    await world.find({ mode: "text" });
    world.server.say({ type: "partner_reconnecting", match_id: "m1", grace_ms: 10_000 });
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true, match_id: "m1" });
    expect(world.state).toMatchObject({ name: "connected", partner: "open" });
    world.server.say({ type: "partner_reconnecting", match_id: "m1", grace_ms: 30_000 });
    expect(world.state).toMatchObject({ name: "reconnecting", cause: "partner" });
  });

  test("a text chat waits for the server, and is lost if it forgot", async () => {
    const world = new World();
    await world.wait({ kind: "text" }, "token-1");
    await world.find({ mode: "text" });
    world.server.drop();
    expect(world.state).toMatchObject({ name: "reconnecting", cause: "server", match: { id: "m1" } });
    world.client.send("kept");
    await world.pass(0);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true, match_id: "m1" });
    expect(world.server.of("message")).toEqual([{ type: "message", match_id: "m1", text: "kept" }]);
    world.server.drop();
    await world.pass(4_000);
    world.server.accept();
    world.server.say({ ...WELCOME, resumed: false });
    expect(world.events("left")).toMatchObject([{ reason: "lost", searching: true }]);
    expect(FakeConnection.live.size).toBe(0);
  });

  test("presents the newest token and says how much has arrived since the last welcome", async () => {
    const world = new World();
    await world.wait({ kind: "text" }, "token-1");
    await world.find({ mode: "text", resume_token: "token-2" });
    world.server.say({ type: "message", match_id: "m1", text: "one" });
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    expect(world.server.sent).toEqual([
      { type: "hello", version: 1, answers_ping: true, resume: "token-2", received: 3 },
    ]);
    world.server.say({ ...WELCOME, resume_token: "token-3", resumed: true, match_id: "m1" });
    world.server.say({ type: "message", match_id: "m1", text: "two" });
    world.server.drop();
    await world.pass(4_000);
    world.server.accept();
    expect(world.server.sent).toEqual([
      { type: "hello", version: 1, answers_ping: true, resume: "token-3", received: 1 },
    ]);
    expect(world.events("message").map(({ text }) => text)).toEqual(["one", "two"]);
  });

  test("counts the same when it is asked to say hello once more", async () => {
    const world = new World();
    await world.call("token-1");
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    world.server.say({ type: "error", code: "too_fast", message: "", retry: true, retry_after_ms: 50 });
    await world.pass(50);
    expect(world.server.of("hello").map(({ received }) => received)).toEqual([3, 3]);
  });

  test("a match that is over by then is left, by the word that ended it if that follows", async () => {
    const world = new World();
    await world.call("token-1");
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true });
    world.server.say({ type: "partner_left", match_id: "m1", reason: "next", requeued: true });
    world.server.say({ type: "waiting", online: 2 });
    expect(world.events("left")).toMatchObject([{ reason: "next", searching: true }]);
    await world.pass(2_000);
    expect(world.server.of("find_partner")).toEqual([]);
    expect(world.state.name).toBe("waiting");
  });

  test("and if no word follows, after a second all the same", async () => {
    const world = new World();
    await world.call("token-1");
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true });
    await world.pass(999);
    expect(world.events("left")).toEqual([]);
    await world.pass(100);
    expect(world.events("left")).toMatchObject([{ reason: "closed", searching: true }]);
    expect(world.server.of("find_partner")).toHaveLength(1);
  });

  test("a stranger who was found meanwhile is met, not asked for again", async () => {
    const world = new World();
    await world.wait({ kind: "text" }, "token-1");
    await world.find({ mode: "text" });
    world.client.next();
    await world.pass(0);
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true, match_id: "m2" });
    await world.pass(0);
    world.server.say({ type: "waiting", online: 2 });
    await world.find({ mode: "text", match_id: "m2" });
    expect(world.server.types()).toEqual(["hello"]);
    expect(world.state).toMatchObject({ name: "connected", match: { id: "m2" } });
  });

  test("a Stop that was not answered is said again", async () => {
    const world = new World();
    await world.wait({ kind: "text" }, "token-1");
    world.client.stop();
    void world.client.start({ kind: "text" });
    await world.pass(0);
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    world.server.say({ ...WELCOME, resume_token: "token-2", resumed: true, match_id: "m9" });
    await world.pass(0);
    expect(world.server.types()).toEqual(["hello", "stop", "find_partner"]);
    await world.find({ mode: "text", match_id: "m9" });
    expect(world.state.name).toBe("waiting");
    world.server.say({ type: "stopped" });
    await world.find({ mode: "text", match_id: "m10" });
    expect(world.state).toMatchObject({ name: "connected", match: { id: "m10" } });
  });

  test("the socket that is replaced is heard until the new one has said hello", async () => {
    const world = new World();
    await world.wait({ kind: "text" }, "token-1");
    await world.find({ mode: "text" });
    world.server.say({ type: "draining", reconnect_after_ms: 0 });
    await world.pass(0);
    const [old, fresh] = world.sockets;
    old?.say({ type: "message", match_id: "m1", text: "in time" });
    fresh?.accept();
    old?.say({ type: "message", match_id: "m1", text: "too late, it comes again" });
    expect(fresh?.sent).toEqual([
      { type: "hello", version: 1, answers_ping: true, resume: "token-1", received: 4 },
    ]);
    expect(world.events("message").map(({ text }) => text)).toEqual(["in time"]);
    expect(world.names).not.toContain("reconnecting:server");
    world.client.send("kept");
    fresh?.say({ ...WELCOME, resume_token: "token-2", resumed: true, match_id: "m1" });
    expect(fresh?.of("message")).toEqual([{ type: "message", match_id: "m1", text: "kept" }]);
    expect(old?.closedWith).toBe(4000);
    old?.drop(1008);
    await world.pass(60_000);
    expect(world.sockets).toHaveLength(2);
  });
});

describe("a server that lets in slowly", () => {
  const later = { type: "error", code: "too_fast", message: "", retry: true } as const;

  test("is greeted again after the pause it named, and the search is asked for once", async () => {
    const world = new World();
    void world.client.start({ kind: "text" });
    await world.pass(0);
    world.server.accept();
    await world.pass(0);
    expect(world.server.types()).toEqual(["hello", "find_partner"]);
    world.server.say({ ...later, retry_after_ms: 2_000, of: "hello", nth: 1 });
    world.server.say({ ...later, retry_after_ms: 2_001, of: "find_partner", nth: 2 });
    expect(world.state.name).toBe("waiting");
    await world.pass(1_999);
    expect(world.server.sent).toHaveLength(2);
    await world.pass(1);
    expect(world.server.types()).toEqual(["hello", "find_partner", "hello", "find_partner"]);
    world.server.say({ ...WELCOME, resume_token: "token-1" });
    world.server.drop();
    await world.pass(0);
    world.server.accept();
    expect(world.server.sent).toMatchObject([{ type: "hello", resume: "token-1" }]);
  });

  test("is not taken for dead while it keeps one at the door, and is asked again behind it", async () => {
    const world = new World();
    void world.client.start({ kind: "text" });
    await world.pass(0);
    world.server.accept();
    world.server.dead = true;
    world.server.say({ ...later, retry_after_ms: 30_000, of: "hello", nth: 1 });
    await world.pass(29_000);
    expect(world.sockets).toHaveLength(1);
    expect(world.state.name).toBe("waiting");
    await world.pass(1_500);
    expect(world.server.of("hello")).toHaveLength(2);
    await world.pass(9_000);
    expect(world.sockets).toHaveLength(2);
  });

  test("never keeps anyone longer than a minute and a half", async () => {
    const world = new World();
    world.random = 1;
    void world.client.start({ kind: "text" });
    await world.pass(0);
    world.server.accept();
    world.server.say({ ...later, retry_after_ms: 1e9 });
    await world.pass(90_000);
    expect(world.server.of("hello")).toHaveLength(2);
  });

  test("may let in the search though it refused the hello: that is said once more, and nothing is lost", async () => {
    const world = new World();
    void world.client.start({ kind: "text" });
    await world.pass(0);
    world.server.accept();
    await world.pass(0);
    world.server.say({ ...later, retry_after_ms: 500, of: "hello", nth: 1 });
    await world.find({ mode: "text" });
    expect(world.state).toMatchObject({ name: "connected", match: { id: "m1" } });
    expect(world.server.types()).toEqual(["hello", "find_partner", "hello"]);
    await world.pass(1_000);
    expect(world.server.types()).toEqual(["hello", "find_partner", "hello"]);
  });
});

describe("a text that the server refuses", () => {
  test("is named, and may be sent again", async () => {
    const world = new World();
    await world.wait({ kind: "text" });
    await world.find({ mode: "text" });
    world.client.send("one");
    world.client.send("two");
    const nth =
      world.server.sent.findIndex((message) => message.type === "message" && message.text === "two") + 1;
    world.server.say({
      type: "error",
      code: "too_fast",
      message: "",
      retry: true,
      retry_after_ms: 700,
      of: "message",
      nth,
    });
    const [, two] = world.events("message");
    expect(world.events("unsent")).toEqual([{ id: two?.id, reason: "too_fast", retryAfterMs: 700 }]);
    expect(world.events("paused")).toEqual([]);
  });

  test("does not undo a search that is under way", async () => {
    const world = new World();
    await world.wait({ kind: "text" });
    await world.find({ mode: "text" });
    world.client.send("one");
    world.client.next();
    await world.pass(0);
    world.server.say({ type: "error", code: "too_fast", message: "", retry: true, of: "message", nth: 3 });
    await world.pass(5_000);
    expect(world.server.of("next")).toHaveLength(1);
  });
});
