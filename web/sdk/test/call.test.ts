import { describe, expect, test } from "vitest";
import { FakeConnection, FakePage, FakeTrack, host, World } from "./world.js";

/** The server takes the session up on a new socket, in the match it was in. */
function welcomeBack(world: World, token: string): void {
  world.server.accept();
  world.server.say({
    type: "welcome",
    version: 1,
    online: 1,
    resumed: true,
    resume_token: token,
    match_id: "m1",
  });
}

describe("a call", () => {
  test("tells the server how it came about, once", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    world.server.say({ type: "answer", match_id: "m1", sdp: "their-answer" });
    await world.pass(120);
    world.connection(1).connect("relay");
    await world.pass(0);
    expect(world.state).toMatchObject({
      name: "connected",
      path: "relay",
      elapsedMs: 120,
      signaling: "open",
    });
    world.connection(1).become("disconnected");
    world.connection(1).become("connected");
    await world.pass(0);
    expect(world.server.of("connected")).toEqual([
      {
        type: "connected",
        match_id: "m1",
        path: "relay",
        elapsed_ms: 120,
        local_type: "relay",
        remote_type: "srflx",
        protocol: "udp",
        family: "ipv4",
      },
    ]);
  });

  test("without a signal for 15 s is given up as silent", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    await world.pass(14_900);
    expect(world.state.name).toBe("connecting");
    await world.pass(600);
    expect(world.events("left")).toMatchObject([{ reason: "silent", searching: true }]);
    await world.pass(60);
    expect(world.server.of("next")).toMatchObject([{ match_id: "m1" }]);
  });

  test("with signals gets more time, but not for ever", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    for (let n = 0; n < 29; n += 1) {
      world.server.say({ type: "ice_candidate", match_id: "m1", candidate: { candidate: `c${n}` } });
      await world.pass(1_000);
    }
    expect(world.state.name).toBe("connecting");
    await world.pass(1_500);
    expect(world.events("left")).toMatchObject([{ reason: "silent" }]);
  });

  test("without bytes for 1.5 s is shown as interrupted, and heals by itself", async () => {
    const world = new World();
    const connection = await world.call();
    await world.flow(connection, 3_000);
    expect(world.state.name).toBe("connected");
    await world.pass(2_500);
    expect(world.state).toMatchObject({ name: "reconnecting", cause: "media", match: { id: "m1" } });
    await world.flow(connection, 1_000);
    expect(world.state.name).toBe("connected");
    expect(connection.applied).toEqual(["their-answer"]);
  });

  test("asks a stranger who sends nothing for a sign of life", async () => {
    const world = new World();
    const connection = await world.call();
    await world.pass(1_400);
    expect(connection.channel.sent.map(({ type }) => type)).toContain("ping");
    connection.channel.hear({ type: "ping" });
    expect(connection.channel.sent.at(-1)).toEqual({ type: "pong" });
  });

  test("that failed is restarted by the initiator alone", async () => {
    const world = new World();
    const connection = await world.call();
    connection.become("failed");
    await world.pass(0);
    expect(world.state).toMatchObject({ name: "reconnecting", cause: "media" });
    expect(world.server.of("offer")).toEqual([
      { type: "offer", match_id: "m1", sdp: expect.stringContaining("restart1") },
    ]);
    world.server.say({ type: "answer", match_id: "m1", sdp: "second-answer" });
    connection.become("connected");
    await world.pass(0);
    expect(world.state.name).toBe("connected");
    expect(connection.applied).toEqual(["their-answer", "second-answer"]);
  });

  test("that failed is not restarted by the other side, which answers the new offer", async () => {
    const world = new World();
    await world.wait();
    await world.find({ initiator: false, offer: { sdp: "their-offer" } });
    const connection = world.connection(2);
    connection.connect();
    await world.pass(0);
    connection.become("failed");
    await world.pass(1_000);
    expect(world.server.of("offer")).toEqual([]);
    world.server.say({ type: "offer", match_id: "m1", sdp: "new-offer" });
    await world.pass(0);
    expect(connection.applied).toEqual(["their-offer", "new-offer"]);
    expect(world.server.of("answer")).toHaveLength(2);
  });

  test("ignores an offer that crosses its own, where it is the initiator", async () => {
    const world = new World();
    const connection = await world.call();
    connection.become("failed");
    await world.pass(0);
    expect(world.server.of("offer")).toHaveLength(1);
    world.server.say({ type: "offer", match_id: "m1", sdp: "glare" });
    await world.pass(0);
    expect(connection.applied).toEqual(["their-answer"]);
  });

  test("tells its candidates again after a restart, because the credentials are new", async () => {
    const world = new World();
    const connection = await world.call();
    connection.gather(host(1));
    await world.pass(10);
    connection.become("failed");
    await world.pass(0);
    const before = world.server.of("ice_candidate").length;
    connection.onicecandidate?.({
      candidate: { candidate: host(7), toJSON: () => ({ candidate: host(7) }) },
    });
    await world.pass(10);
    expect(world.server.of("ice_candidate")).toHaveLength(before + 1);
    connection.onicecandidate?.({
      candidate: { candidate: host(7), toJSON: () => ({ candidate: host(7) }) },
    });
    await world.pass(10);
    expect(world.server.of("ice_candidate")).toHaveLength(before + 1);
  });

  test("that was asleep is restarted without waiting for the browser to notice", async () => {
    const world = new World();
    const connection = await world.call();
    connection.become("disconnected");
    await world.pass(400);
    await world.clock.sleep(60_000);
    expect(world.server.of("offer")).toHaveLength(1);
    expect(world.events("left")).toEqual([]);
  });

  test("that stays broken is given up in its time, however often the visitor looks or the network is estimated", async () => {
    const estimates = Object.assign(new EventTarget(), { type: "wifi" });
    const page = new FakePage();
    const window = Object.assign(page, { navigator: { connection: estimates } }) as unknown as Window;
    const world = new World({ environment: { window } });
    const connection = await world.call("token-1");
    connection.become("disconnected");
    for (let n = 0; n < 7; n += 1) {
      await world.pass(3_000);
      page.becomesVisible();
      estimates.dispatchEvent(new Event("change"));
    }
    expect(world.events("left")).toMatchObject([{ reason: "lost" }]);
  });

  test.each(["and the browser never finds a path", "though the browser calls each new path sound"])(
    "over which nothing comes is given up after 20 s, however often this side moves, %s",
    async (how) => {
      const world = new World();
      const connection = await world.call("token-1");
      await world.flow(connection, 1_000);
      connection.become("disconnected");
      for (let n = 1; n <= 7; n += 1) {
        await world.pass(3_000);
        world.page.happens("online");
        await world.pass(0);
        welcomeBack(world, `token-${n + 1}`);
        world.server.say({ type: "answer", match_id: "m1", sdp: `answer-${n}` });
        await world.pass(0);
        if (how.startsWith("though")) connection.become("connected");
      }
      expect(world.events("left")).toMatchObject([{ reason: "lost" }]);
    },
  );

  test("that was asleep is not given up by the look that wakes it", async () => {
    const world = new World();
    const connection = await world.call("token-1");
    connection.become("disconnected");
    await world.pass(1_000);
    world.clock.nowMs += 60_000;
    world.page.becomesVisible();
    await world.pass(5_000);
    expect(world.events("left")).toEqual([]);
  });

  test("that is disconnected gets a few seconds to heal before it is restarted", async () => {
    const world = new World();
    const connection = await world.call();
    connection.become("disconnected");
    await world.pass(3_500);
    expect(world.server.of("offer")).toEqual([]);
    await world.pass(1_000);
    expect(world.server.of("offer")).toHaveLength(1);
  });

  test("that the browser holds for sound, though nothing comes, is restarted by whoever hears nothing", async () => {
    const world = new World();
    const connection = await world.call();
    for (let n = 1; n <= 4; n += 1) {
      connection.report({ bytes: n * 1_000, received: n * 90, lost: 0, trip: 0.1 });
      await world.pass(500);
    }
    await world.pass(3_000);
    expect(world.state).toMatchObject({ name: "reconnecting", cause: "media" });
    expect(world.server.of("offer")).toEqual([]);
    await world.pass(8_000);
    expect(world.server.of("offer")).toHaveLength(1);
  });

  test("that cannot be mended in 20 s is lost", async () => {
    const world = new World();
    const connection = await world.call();
    connection.become("failed");
    await world.pass(19_000);
    expect(world.events("left")).toEqual([]);
    await world.pass(1_500);
    expect(world.events("left")).toMatchObject([{ reason: "lost", searching: true }]);
  });

  test("is mended as soon as the server is back", async () => {
    const world = new World();
    world.random = 0.9;
    const connection = await world.call("token-1");
    world.server.drop();
    connection.become("failed");
    await world.pass(900);
    expect(world.state).toMatchObject({ name: "reconnecting", cause: "media" });
    world.server.accept();
    world.server.say({ type: "welcome", version: 1, online: 1, resumed: true, match_id: "m1" });
    await world.pass(0);
    expect(world.server.of("offer")).toHaveLength(1);
  });

  test("reports its quality about once a second", async () => {
    const world = new World();
    const connection = await world.call();
    for (let n = 1; n <= 8; n += 1) {
      connection.report({ bytes: n * 1_000, received: n * 90, lost: n * 10, trip: 0.1 });
      await world.pass(500);
    }
    expect(world.events("quality").length).toBeGreaterThanOrEqual(3);
    expect(world.events("quality").at(-1)).toEqual({ level: "poor", roundTripMs: 100, lossRatio: 0.1 });
  });

  test("shows only real changes of state", async () => {
    const world = new World();
    const connection = await world.call();
    const shown = world.states.length;
    connection.become("connected");
    connection.become("connected");
    await world.flow(connection, 5_000);
    expect(world.states.length).toBe(shown);
  });

  test("hands over the stranger's stream, and takes it back at the end", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    const connection = world.connection(1);
    const track = new FakeTrack("video");
    connection.ontrack?.({ streams: [], track });
    connection.ontrack?.({ streams: [], track: new FakeTrack("audio") });
    expect(world.client.remoteStream?.getTracks()).toHaveLength(2);
    world.client.next();
    expect(world.events("remoteStream")).toHaveLength(2);
    expect(world.client.remoteStream).toBeNull();
  });

  test("an operation that never settles on a closed connection does not hold up the next match", async () => {
    const world = new World();
    await world.wait();
    let go = () => {};
    FakeConnection.pace = new Promise((resolve) => (go = resolve));
    await world.find({ initiator: false, offer: { sdp: "their-offer" } });
    world.client.next();
    go();
    FakeConnection.pace = Promise.resolve();
    await world.pass(100);
    await world.find({ match_id: "m2", initiator: false, offer: { sdp: "second-offer" } });
    expect(world.server.of("answer")).toMatchObject([{ match_id: "m2" }]);
  });

  test("a description that the browser refuses in our wording is tried in the stranger's", async () => {
    const world = new World();
    await world.wait();
    const sdp = "a=rtpmap:96 VP8/90000\r\n";
    const set = FakeConnection.prototype.setRemoteDescription;
    FakeConnection.prototype.setRemoteDescription = function (description) {
      if (description.sdp.includes("x-google")) return Promise.reject(new Error("no such parameter"));
      return set.call(this, description);
    };
    await world.find({ initiator: false, offer: { sdp } });
    FakeConnection.prototype.setRemoteDescription = set;
    expect(world.connection(2).applied).toEqual([sdp]);
  });
});

describe("a call whose path is to be found again", () => {
  /** Both sides speak of the path only through the server, and this one's socket died unnoticed. */
  async function resumed(world: World): Promise<void> {
    world.server.drop();
    await world.pass(1_000);
    welcomeBack(world, "t2");
    await world.pass(0);
  }

  test("says its offer again when the first went into a dead socket", async () => {
    const world = new World();
    const connection = await world.call("token-1");
    connection.become("failed");
    await world.pass(100);
    const lost = world.server.of("offer");
    connection.gather(host(4));
    await world.pass(50);
    await resumed(world);
    expect(lost).toHaveLength(1);
    expect(world.server.of("offer")).toEqual([
      { ...lost[0], sdp: expect.stringMatching(/restart1[\s\S]*192\.0\.2\.4/) },
    ]);
  });

  test("says its answer and its candidates again, too", async () => {
    const world = new World();
    await world.wait({ kind: "video" }, "token-1");
    await world.find({ initiator: false, offer: { sdp: "their-offer" } });
    world.connection(2).gather(host(4));
    await world.pass(50);
    await resumed(world);
    expect(world.server.of("answer")).toMatchObject([{ sdp: expect.stringContaining("192.0.2.4") }]);
  });

  test("says it again when no answer comes, whosever socket it was", async () => {
    const world = new World();
    const connection = await world.call();
    connection.become("failed");
    await world.pass(8_000);
    const offers = world.server.of("offer");
    expect(offers).toHaveLength(2);
    expect(offers[1]).toEqual(offers[0]);
  });

  test("is restarted by the other side as well, a little later", async () => {
    const world = new World();
    await world.wait();
    await world.find({ initiator: false, offer: { sdp: "their-offer" } });
    const connection = world.connection(2);
    connection.connect();
    await world.pass(0);
    connection.become("failed");
    await world.pass(1_500);
    expect(world.server.of("offer")).toEqual([]);
    await world.pass(1_500);
    expect(world.server.of("offer")).toHaveLength(1);
  });

  test("yields to the initiator's offer where two cross, and insists on its own as the initiator", async () => {
    const world = new World();
    await world.wait();
    await world.find({ initiator: false, offer: { sdp: "their-offer" } });
    const connection = world.connection(2);
    connection.connect();
    await world.pass(0);
    connection.become("failed");
    await world.pass(3_000);
    world.server.say({ type: "offer", match_id: "m1", sdp: "crossing" });
    await world.pass(0);
    expect(connection.applied).toEqual(["their-offer", "crossing"]);
    expect(world.server.of("answer")).toHaveLength(2);
  });

  test("an offer that comes while the own one is being made does not take it back", async () => {
    const world = new World();
    const connection = await world.call();
    let go = () => {};
    FakeConnection.pace = new Promise((resolve) => (go = resolve));
    connection.become("failed");
    world.server.say({ type: "offer", match_id: "m1", sdp: "crossing" });
    go();
    await world.pass(100);
    expect(connection.applied).toEqual(["their-answer"]);
    expect(world.server.of("offer")).toHaveLength(1);
  });

  test("keeps the roles of its DTLS connection, whatever the stranger's browser says", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    world.server.say({ type: "answer", match_id: "m1", sdp: "a=setup:active\r\nfirst" });
    await world.pass(0);
    const connection = world.connection(1);
    connection.connect();
    await world.pass(0);
    connection.become("failed");
    await world.pass(0);
    world.server.say({ type: "answer", match_id: "m1", sdp: "a=setup:passive\r\nsecond" });
    await world.pass(0);
    expect(connection.applied).toEqual(["a=setup:active\r\nfirst", "a=setup:active\r\nsecond"]);
  });

  test("is given up after 20 s without a byte, though the browser calls it connected", async () => {
    const world = new World();
    const connection = await world.call();
    await world.flow(connection, 2_000);
    await world.pass(19_000);
    expect(world.state).toMatchObject({ name: "reconnecting", cause: "media" });
    await world.pass(4_000);
    expect(world.events("left")).toMatchObject([{ reason: "lost" }]);
  });

  test("is shown as it is while pictures move over another pair than the one that is named", async () => {
    const world = new World();
    const connection = await world.call();
    const received = (bytes: number) => {
      connection.report({ bytes: 5_000 });
      connection.stats.set("I", { type: "inbound-rtp", bytesReceived: bytes });
    };
    for (let n = 1; n <= 20; n += 1) {
      received(n * 1_000);
      await world.pass(250);
    }
    expect(world.names).not.toContain("reconnecting:media");
    connection.become("disconnected");
    for (let n = 21; n <= 30; n += 1) {
      received(n * 1_000);
      await world.pass(250);
    }
    expect(world.state.name).toBe("connected");
  });
});

describe("what the two can show each other", () => {
  test("is told when the channel opens and at every change", async () => {
    const world = new World();
    const connection = await world.call();
    world.client.setMicrophone(false);
    world.client.setCamera(false);
    await world.pass(0);
    world.client.setCamera(true);
    await world.pass(0);
    const told = connection.channel.sent.filter(({ type }) => type === "devices");
    expect(told).toEqual([
      { type: "devices", microphone: "on", camera: "on" },
      { type: "devices", microphone: "off", camera: "on" },
      { type: "devices", microphone: "off", camera: "off" },
      { type: "devices", microphone: "off", camera: "on" },
    ]);
  });

  test("is heard, and forgotten with the match", async () => {
    const world = new World();
    const { channel } = await world.call();
    expect(world.client.strangerDevices).toBeNull();
    channel.hear({ type: "devices", microphone: "lost", camera: "off" });
    expect(world.client.strangerDevices).toEqual({ microphone: "lost", camera: "off" });
    channel.hear({ type: "devices", microphone: "glowing" });
    expect(world.client.strangerDevices).toEqual({ microphone: "on", camera: "on" });
    world.client.next();
    expect(world.events("strangerDevices").at(-1)).toBeNull();
  });

  test("is nothing where the two browsers left the video out: it is said", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    const connection = world.connection(1);
    Object.assign(connection.transceivers[1] ?? {}, { currentDirection: "inactive" });
    connection.connect();
    await world.pass(0);
    expect(world.client.strangerDevices).toEqual({ microphone: "on", camera: "unsupported" });
    connection.channel.hear({ type: "devices", microphone: "off", camera: "on" });
    expect(world.client.strangerDevices).toEqual({ microphone: "off", camera: "unsupported" });
  });

  test("is nothing where video arrives and no picture comes of it: it is said, until one does", async () => {
    const world = new World();
    const connection = await world.call();
    const arrive = async (seconds: number, framesDecoded: number) => {
      for (let n = 0; n < seconds * 2; n += 1) {
        connection.report({ bytes: world.clock.nowMs });
        connection.stats.set("V", {
          type: "inbound-rtp",
          kind: "video",
          packetsReceived: 500,
          framesDecoded,
        });
        await world.pass(500);
      }
    };
    await arrive(4, 0);
    expect(world.client.strangerDevices).toBeNull();
    await arrive(3, 0);
    expect(world.client.strangerDevices).toMatchObject({ camera: "unsupported" });
    await arrive(1, 5);
    expect(world.client.strangerDevices).toMatchObject({ camera: "on" });
  });

  test("in an audio call is how loud each side is", async () => {
    const world = new World();
    await world.wait({ kind: "audio" });
    await world.find();
    const connection = world.connection(1);
    connection.connect();
    connection.stats.set("M", { type: "media-source", kind: "audio", audioLevel: 0.5 });
    connection.stats.set("I", { type: "inbound-rtp", kind: "audio", audioLevel: 0.25 });
    await world.pass(0);
    await import("../src/level.js");
    await world.pass(1_000);
    expect(world.events("level").length).toBeGreaterThanOrEqual(4);
    expect(world.events("level").at(-1)).toEqual({ you: 0.5, stranger: 0.25 });
    world.client.next();
    const heard = world.events("level").length;
    await world.pass(1_000);
    expect(world.events("level")).toHaveLength(heard);
  });
});
