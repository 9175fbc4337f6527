import { describe, expect, test } from "vitest";
import { FakeConnection, FakeTrack, World } from "./world.js";

const LEFT = { type: "partner_left", match_id: "m1", reason: "next", requeued: true } as const;

describe("the stranger leaves", () => {
  test("the search goes on by itself, with a new offer for the ticket", async () => {
    const world = new World();
    const connection = await world.call();
    world.server.say(LEFT);
    await world.pass(60);
    expect(world.events("left")).toMatchObject([{ match: { id: "m1" }, reason: "next", searching: true }]);
    expect(world.state.name).toBe("waiting");
    expect(world.client.remoteStream).toBeNull();
    expect(world.server.types().slice(-1)).toEqual(["ticket_offer"]);
    expect(world.server.of("find_partner")).toHaveLength(1);
    await world.pass(100);
    expect(connection.closed).toBe(true);
  });

  test("bye and partner_left are one departure and one search", async () => {
    const world = new World();
    const connection = await world.call();
    connection.channel.hear({ type: "bye", reason: "next" });
    await world.pass(100);
    world.server.say(LEFT);
    await world.pass(2_000);
    expect(world.events("left")).toHaveLength(1);
    expect(world.server.of("next")).toEqual([]);
    expect(world.server.of("find_partner")).toHaveLength(1);
    expect(world.server.of("ticket_offer").length).toBeGreaterThan(0);
  });

  test("bye without the server's word: after a second the match is left", async () => {
    const world = new World();
    const connection = await world.call();
    connection.channel.hear({ type: "bye", reason: "next" });
    await world.pass(1_060);
    expect(world.server.of("next")).toMatchObject([{ match_id: "m1" }]);
    expect(world.events("left")).toHaveLength(1);
  });

  test("a server that did not requeue is asked", async () => {
    const world = new World({ autoContinue: false });
    await world.call();
    world.client.autoContinue = true;
    world.server.say({ ...LEFT, requeued: false });
    await world.pass(60);
    expect(world.server.types().at(-1)).toBe("find_partner");
  });

  test("autoContinue off: the search ends, and a server that requeued is told to stop", async () => {
    const world = new World({ autoContinue: false });
    await world.call();
    expect(world.server.of("find_partner")[0]?.requeue).toBe(false);
    world.server.say(LEFT);
    await world.pass(60);
    expect(world.state).toMatchObject({ name: "ended", match: { id: "m1" }, reason: "next" });
    expect(world.events("left")).toMatchObject([{ searching: false }]);
    expect(world.server.types().at(-1)).toBe("stop");
    await world.find({ match_id: "m2" });
    expect(world.state.name).toBe("ended");
    world.server.say({ type: "stopped" });
    world.client.next();
    await world.pass(60);
    expect(world.state.name).toBe("waiting");
    expect(world.server.types().at(-1)).toBe("find_partner");
  });

  test("autoContinue off while the server is away: nobody is called again", async () => {
    const world = new World({ autoContinue: false });
    world.random = 0.9;
    const connection = await world.call("token-1");
    world.server.drop();
    connection.channel.hear({ type: "bye", reason: "next" });
    expect(world.state.name).toBe("ended");
    await world.pass(60_000);
    expect(world.sockets).toHaveLength(1);
    world.client.next();
    await world.pass(0);
    world.server.accept();
    world.server.say({ type: "welcome", version: 1, online: 2, resumed: false, resume_token: "token-2" });
    await world.pass(60);
    expect(world.state.name).toBe("waiting");
    expect(world.server.types()).toEqual(["hello", "find_partner"]);
  });

  test("a late partner_left of another match changes nothing", async () => {
    const world = new World();
    await world.call();
    world.server.say({ ...LEFT, match_id: "m0" });
    expect(world.state.name).toBe("connected");
    expect(world.events("left")).toEqual([]);
  });

  test("a closed channel is given a moment for the server's word, then the match is lost", async () => {
    const world = new World();
    const connection = await world.call();
    connection.channel.closeByStranger();
    await world.flow(connection, 1_500);
    expect(world.events("left")).toEqual([]);
    await world.flow(connection, 600);
    expect(world.events("left")).toMatchObject([{ reason: "lost" }]);
    await world.pass(60);
    expect(world.server.of("next")).toMatchObject([{ match_id: "m1" }]);
  });
});

describe("Next", () => {
  test("leaves at once and asks with the same wishes", async () => {
    const world = new World();
    const connection = await world.call();
    world.client.next();
    expect(world.state.name).toBe("waiting");
    await world.pass(60);
    expect(connection.channel.sent.at(-1)).toEqual({ type: "bye", reason: "next" });
    expect(world.server.of("next")).toEqual([
      { type: "next", match_id: "m1", offer: { sdp: expect.stringContaining("offer-of") } },
    ]);
    expect(world.events("left")).toEqual([]);
  });

  test("while waiting changes nothing", async () => {
    const world = new World();
    await world.wait();
    const said = world.server.types();
    world.client.next();
    world.client.next();
    await world.pass(100);
    expect(world.server.types()).toEqual(said);
  });

  test("that crosses partner_left keeps the place that the server gave", async () => {
    const world = new World();
    await world.call();
    world.client.next();
    await world.pass(60);
    world.server.say(LEFT);
    await world.find({ match_id: "m2" });
    expect(world.state).toMatchObject({ name: "connecting", match: { id: "m2" } });
    expect(world.events("left")).toEqual([]);
  });

  test("that crosses a partner_left without requeue asks again", async () => {
    const world = new World();
    await world.call();
    world.client.next();
    await world.pass(60);
    world.server.say({ ...LEFT, requeued: false });
    await world.pass(60);
    expect(world.server.types().slice(-2)).toEqual(["next", "find_partner"]);
  });

  test("too fast: the page is told, and it is carried out after the pause", async () => {
    const world = new World();
    world.random = 0.5;
    await world.call();
    world.client.next();
    await world.pass(60);
    world.server.say({
      type: "error",
      code: "too_fast",
      message: "Slow down.",
      retry: true,
      retry_after_ms: 2_000,
    });
    expect(world.events("paused")).toEqual([{ retryAfterMs: 2_500 }]);
    expect(world.state.name).toBe("waiting");
    await world.pass(2_400);
    expect(world.server.of("next")).toHaveLength(1);
    await world.pass(160);
    expect(world.server.of("next")).toMatchObject([{ match_id: "m1" }, { match_id: "m1" }]);
  });

  test("a refusal of something else does not end the search, and does not delay it", async () => {
    for (const of of ["typing", "connected", "ticket_offer", "ice_candidate"] as const) {
      const world = new World();
      await world.call();
      world.client.next();
      await world.pass(60);
      for (const [code, retry] of [["too_fast", true] as const, ["bad_field", false] as const])
        world.server.say({ type: "error", code, message: "", retry, of });
      expect(world.events("paused"), of).toEqual([]);
      expect(world.state.name, of).toBe("waiting");
    }
  });

  test("a long pause is not cut short by the renewal of the ticket", async () => {
    const world = new World();
    await world.call();
    world.client.next();
    await world.pass(60);
    world.server.say({
      type: "error",
      code: "too_fast",
      message: "Slow down.",
      retry: true,
      retry_after_ms: 40_000,
    });
    await world.pass(39_000);
    expect(world.server.of("next")).toHaveLength(1);
    await world.pass(2_000);
    expect(world.server.of("next")).toHaveLength(2);
  });

  test("too fast, but the stranger left meanwhile: there is nothing left to ask", async () => {
    const world = new World();
    await world.call();
    world.client.next();
    await world.pass(60);
    world.server.say({
      type: "error",
      code: "too_fast",
      message: "Slow down.",
      retry: true,
      retry_after_ms: 2_000,
    });
    world.server.say(LEFT);
    world.server.say({ type: "waiting", online: 3 });
    await world.pass(5_000);
    expect(world.server.of("next")).toHaveLength(1);
    expect(world.server.of("find_partner")).toHaveLength(1);
  });
});

describe("Stop", () => {
  test("tells both, releases the devices and every connection", async () => {
    const world = new World();
    const connection = await world.call();
    world.client.stop();
    expect(connection.channel.sent.at(-1)).toEqual({ type: "bye", reason: "stop" });
    expect(world.server.types().at(-1)).toBe("stop");
    expect(world.state.name).toBe("idle");
    expect(FakeTrack.live.size).toBe(0);
    await world.pass(100);
    expect(FakeConnection.live.size).toBe(0);
  });

  test("can keep the camera on", async () => {
    const world = new World();
    await world.call();
    world.client.stop({ releaseMedia: false });
    expect(FakeTrack.live.size).toBe(2);
    expect(world.client.localStream).not.toBeNull();
  });

  test("what was under way belongs to the past until the server says so", async () => {
    const world = new World();
    await world.wait();
    world.client.stop({ releaseMedia: false });
    void world.client.start({ kind: "video" });
    await world.pass(60);
    await world.find({ match_id: "too-late" });
    expect(world.state.name).toBe("waiting");
    world.server.say({ type: "stopped" });
    await world.find({ match_id: "m2" });
    expect(world.state).toMatchObject({ name: "connecting", match: { id: "m2" } });
  });

  test("the socket waits a while for another Start, then closes", async () => {
    const world = new World();
    await world.wait({ kind: "text" });
    world.client.stop();
    await world.pass(119_000);
    expect(world.server.closedWith).toBeNull();
    await world.pass(1_000);
    expect(world.server.closedWith).toBe(1000);
    expect(world.sockets).toHaveLength(1);
  });

  test("destroy leaves nothing behind", async () => {
    const world = new World();
    await world.call();
    world.client.destroy();
    await world.pass(100);
    expect([FakeConnection.live.size, FakeTrack.live.size, world.server.closedWith]).toEqual([0, 0, 1000]);
    expect(() => world.client.send("?")).toThrow(expect.objectContaining({ reason: "destroyed" }));
    await world.client.start({ kind: "text" });
    expect(world.state).toMatchObject({ name: "error", error: { reason: "destroyed" } });
  });
});

describe("Block", () => {
  test("is told to the server, ends the match and goes on with somebody else", async () => {
    const world = new World();
    await world.call();
    world.client.block();
    await world.pass(60);
    expect(world.server.types().slice(-2)).toEqual(["block", "find_partner"]);
    expect(world.server.of("block")).toEqual([{ type: "block", match_id: "m1" }]);
    expect(world.state.name).toBe("waiting");
  });

  test("works for the one who just left", async () => {
    const world = new World();
    await world.call();
    world.server.say(LEFT);
    await world.pass(60);
    world.client.block();
    expect(world.server.of("block")).toEqual([{ type: "block", match_id: "m1" }]);
    expect(world.state.name).toBe("waiting");
  });
});

describe("the page", () => {
  test("that goes away leaves at once", async () => {
    const world = new World();
    const connection = await world.call();
    world.page.happens("pagehide", { persisted: false });
    expect(connection.channel.sent.at(-1)).toEqual({ type: "bye", reason: "closed" });
    expect(world.server.types().at(-1)).toBe("stop");
    expect(world.server.closedWith).toBe(1000);
  });

  test("that is kept in the page cache leaves just the same, and says so when it comes back", async () => {
    for (const kind of ["text", "video"] as const) {
      const world = new World();
      await world.wait({ kind }, "token-1");
      await world.find(kind === "text" ? { mode: "text" } : {});
      world.page.happens("pagehide", { persisted: true });
      expect(world.server.types().at(-1)).toBe("stop");
      expect(world.server.closedWith).toBe(1000);
      expect(FakeTrack.live.size).toBe(0);
      world.page.happens("pageshow", { persisted: true });
      expect(world.state).toMatchObject({ name: "ended", match: { id: "m1" }, reason: "page_left" });
      expect(world.sockets).toHaveLength(1);
      world.client.next();
      await world.pass(0);
      world.server.accept();
      await world.pass(60);
      expect(world.server.types()).toEqual(["hello", "find_partner"]);
      expect(world.events("left")).toEqual([]);
    }
  });

  test("that comes back from the page cache searches on if it searched", async () => {
    const world = new World();
    await world.wait({ kind: "video", interests: ["jazz"] }, "token-1");
    world.page.happens("pagehide", { persisted: true });
    expect(world.server.closedWith).toBe(1000);
    world.page.happens("pageshow", { persisted: true });
    await world.pass(0);
    world.server.accept();
    await world.pass(60);
    expect(world.server.of("find_partner")).toMatchObject([{ kind: "video", interests: ["jazz"] }]);
    expect(world.state.name).toBe("waiting");
    expect(FakeTrack.live.size).toBe(2);
  });

  test("that comes back from the page cache is where it was if it was at nothing", async () => {
    const idle = new World();
    idle.page.happens("pagehide", { persisted: true });
    idle.page.happens("pageshow", { persisted: true });
    expect([idle.state.name, idle.sockets.length]).toEqual(["idle", 0]);

    const ended = new World({ autoContinue: false });
    await ended.wait({ kind: "text" });
    await ended.find({ mode: "text" });
    ended.server.say({ ...LEFT, requeued: false });
    ended.page.happens("pagehide", { persisted: true });
    ended.page.happens("pageshow", { persisted: true });
    expect(ended.state).toMatchObject({ name: "ended", reason: "next" });
  });

  test("that is frozen while waiting leaves the line, and is back in it when it wakes", async () => {
    const world = new World();
    await world.wait({ kind: "text", interests: ["jazz"] }, "token-1");
    await world.pass(5_000);
    world.page.freezes();
    expect(world.server.types().at(-1)).toBe("stop");
    expect(world.server.closedWith).toBe(1000);
    await world.clock.sleep(600_000);
    expect(world.sockets).toHaveLength(1);
    world.page.thaws();
    expect(world.state).toMatchObject({ name: "waiting", sinceMs: 1_000 });
    await world.pass(0);
    world.server.accept();
    await world.pass(0);
    expect(world.server.of("find_partner")).toMatchObject([{ interests: ["jazz"] }]);
  });

  test("that is frozen in a text chat is shown as gone for a while, and resumes", async () => {
    const world = new World();
    await world.wait({ kind: "text" }, "token-1");
    await world.find({ mode: "text" });
    world.page.freezes();
    expect(world.server.closedWith).toBe(4000);
    world.page.thaws();
    expect(world.state).toMatchObject({ name: "reconnecting", cause: "server" });
    world.server.accept();
    expect(world.server.sent).toMatchObject([{ type: "hello", resume: "token-1" }]);
    const welcome = { type: "welcome", version: 1, online: 1, resumed: true, match_id: "m1" } as const;
    world.server.say({ ...welcome, resume_token: "token-2" });
    expect(world.state.name).toBe("connected");
  });

  test("that is frozen in a call keeps it", async () => {
    const world = new World();
    const connection = await world.call("token-1");
    world.page.freezes();
    world.page.thaws();
    expect([connection.closed, world.server.closedWith]).toEqual([false, null]);
  });

  test("that becomes visible does not sit out a pause", async () => {
    const world = new World();
    world.random = 0.9;
    await world.wait({ kind: "text" });
    world.server.drop();
    expect(world.sockets).toHaveLength(1);
    world.page.becomesVisible();
    expect(world.sockets).toHaveLength(2);
  });

  test("a phone that slept while waiting gets a new socket, if the old one died", async () => {
    const world = new World();
    await world.wait({ kind: "text" });
    world.server.dead = true;
    await world.clock.sleep(600_000);
    await world.pass(5_000);
    expect(world.sockets).toHaveLength(2);
    world.server.accept();
    await world.pass(0);
    expect(world.server.types()).toEqual(["hello", "find_partner"]);
  });

  test("that waits hidden, where timers come once a minute, keeps the socket that answers", async () => {
    const world = new World();
    await world.wait({ kind: "text" }, "token-1");
    for (let minute = 0; minute < 5; minute += 1) await world.clock.sleep(60_000);
    expect(world.sockets).toHaveLength(1);
    expect(world.names).not.toContain("reconnecting:server");
    expect(world.events("signaling")).toEqual(["open"]);
  });

  test("another network: a call that could not be resumed keeps its socket", async () => {
    const world = new World();
    await world.call();
    world.page.happens("online");
    expect(world.sockets).toHaveLength(1);

    const resumable = new World();
    await resumable.call("token-1");
    resumable.page.happens("online");
    expect(resumable.sockets).toHaveLength(2);
    expect(resumable.state).toMatchObject({ name: "connected", signaling: "open" });
  });
});

describe("new wishes", () => {
  test("while waiting keep the time waited if the kind is the same", async () => {
    const world = new World();
    await world.wait({ kind: "text" });
    await world.pass(5_000);
    void world.client.start({ kind: "text", interests: ["chess"] });
    await world.pass(0);
    expect(world.state).toMatchObject({ name: "waiting", sinceMs: 1_000 });
    expect(world.server.of("find_partner")[1]).toEqual({
      type: "find_partner",
      kind: "text",
      requeue: true,
      interests: ["chess"],
    });
  });

  test("that the server answers with a place in line end a match that crossed them", async () => {
    const world = new World();
    await world.wait({ kind: "text" });
    void world.client.start({ kind: "text", interests: ["chess"] });
    await world.pass(0);
    await world.find({ mode: "text" });
    world.server.say({ type: "waiting", online: 2 });
    expect(world.state.name).toBe("waiting");
    expect(world.events("left")).toHaveLength(1);
  });

  test("that make no sense are said to be the caller's fault", async () => {
    const world = new World();
    await world.client.start({ kind: "smell" as never });
    expect(world.state).toMatchObject({ name: "error", error: { reason: "invalid_argument" } });
    expect(world.sockets).toHaveLength(0);
  });
});
