import { describe, expect, test } from "vitest";
import { FakeConnection, host, World } from "./world.js";

describe("a browser that throws", () => {
  const thrower = () => {
    throw new DOMException("not here", "InvalidModificationError");
  };

  test("at another configuration, as Chromium with SNAP does, costs the call nothing", async () => {
    const world = new World();
    world.ice = () =>
      Promise.resolve({
        ok: true,
        json: () =>
          Promise.resolve({
            iceServers: [
              { urls: "turn:a", credential: "c" },
              { urls: "turn:b", credential: "c" },
            ],
            ttl_s: 600,
          }),
      });
    await world.wait();
    world.connection(1).setConfiguration = thrower;
    world.connection(2).setConfiguration = thrower;
    await world.find();
    world.server.say({ type: "answer", match_id: "m1", sdp: "their-answer" });
    await world.pass(0);
    world.connection(1).connect();
    await world.pass(0);
    expect(world.state.name).toBe("connected");
    world.connection(1).become("failed");
    await world.pass(100);
    expect(world.server.of("offer")).toHaveLength(1);
  });

  test.each([
    ["at a data channel", "createDataChannel"],
    ["at its figures", "getStats"],
    ["at its transceivers", "getTransceivers"],
  ] as const)("%s, neither", async (_, method) => {
    const before = FakeConnection.prototype[method];
    FakeConnection.prototype[method] = thrower;
    try {
      const world = new World();
      await world.call();
      expect(world.state.name).toBe("connected");
      await world.client.switchDevices({ cameraId: "camera-2" });
      await world.pass(1_000);
      expect(world.events("left")).toEqual([]);
      world.client.next();
    } finally {
      FakeConnection.prototype[method] = before as never;
    }
  });

  test("at a candidate loses that one alone", async () => {
    const world = new World();
    const connection = await world.call();
    const { addIceCandidate } = FakeConnection.prototype;
    connection.addIceCandidate = function (candidate) {
      if (candidate.candidate === "bad") thrower();
      return addIceCandidate.call(this, candidate);
    };
    const candidates = ["one", "bad", "two"].map((candidate) => ({ candidate }));
    world.server.say({ type: "ice_candidate", match_id: "m1", candidate: candidates });
    await world.pass(0);
    expect(connection.applied).toEqual(["their-answer", "one", "two"]);
  });

  test("at every new connection is said in words, and draws nobody in", async () => {
    const world = new World();
    FakeConnection.refuse = true;
    void world.client.start({ kind: "video" });
    await world.pass(0);
    world.server.accept();
    await world.pass(5_000);
    expect(world.state).toMatchObject({ name: "error", error: { reason: "webrtc_failed" } });
    expect(world.server.of("find_partner")).toEqual([]);
    FakeConnection.refuse = false;
    void world.client.start({ kind: "video" });
    await world.pass(100);
    expect(world.server.of("find_partner")).toHaveLength(1);
  });

  test("at every offer, likewise", async () => {
    const { createOffer } = FakeConnection.prototype;
    FakeConnection.prototype.createOffer = () => Promise.reject(new Error("switched off"));
    const world = new World();
    void world.client.start({ kind: "video" });
    await world.pass(0);
    world.server.accept();
    await world.pass(5_000);
    FakeConnection.prototype.createOffer = createOffer;
    expect(world.state).toMatchObject({ name: "error", error: { reason: "webrtc_failed" } });
    expect(world.server.of("find_partner")).toEqual([]);
  });

  test("at a new connection for a moment only is in line again after it", async () => {
    const world = new World();
    FakeConnection.refuse = true;
    void world.client.start({ kind: "video" });
    await world.pass(0);
    world.server.accept();
    await world.pass(500);
    FakeConnection.refuse = false;
    await world.pass(1_000);
    expect(world.server.of("find_partner")).toHaveLength(1);
    await world.pass(10_000);
    expect(world.state.name).toBe("waiting");
  });

  test("at what the stranger sent leaves them at once", async () => {
    const world = new World();
    await world.wait();
    await world.find({ initiator: false, offer: { sdp: "broken" } });
    await world.pass(100);
    expect(world.events("left")).toMatchObject([{ reason: "silent" }]);
  });
});

describe("strangers who cannot be reached", () => {
  async function meet(world: World, match_id: string): Promise<FakeConnection> {
    await world.find({ match_id, initiator: false, offer: { sdp: "their-offer" } });
    const connection = [...FakeConnection.live].find(({ applied }) => applied.includes("their-offer"));
    if (!connection) throw new Error("nobody answers");
    return connection;
  }

  test("two in a row without a sign are enough: it is said in words, and nobody is drawn in any more", async () => {
    const world = new World();
    await world.wait();
    await world.find({ match_id: "m1" });
    await world.pass(15_500);
    expect(world.events("left")).toMatchObject([{ reason: "silent", searching: true }]);
    await world.find({ match_id: "m2" });
    await world.pass(15_500);
    expect(world.events("left").at(-1)).toMatchObject({ reason: "silent", searching: false });
    expect(world.state).toMatchObject({ name: "error", error: { reason: "no_connectivity", retry: true } });
    expect(world.server.types().at(-1)).toBe("stop");
  });

  test("are named to the server, which does not bring them again", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    await world.pass(15_600);
    expect(world.server.of("next")).toMatchObject([{ match_id: "m1", failed: true }]);
    await world.find({ match_id: "m2" });
    world.client.next();
    await world.pass(100);
    expect(world.server.of("next")[1]).not.toHaveProperty("failed");
  });

  test("are named as well where Next was pressed after a while", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    await world.pass(8_500);
    world.client.next();
    await world.pass(100);
    expect(world.server.of("next")).toMatchObject([{ match_id: "m1", failed: true }]);
  });

  test("one who is reached in between sets the count back", async () => {
    const world = new World();
    await world.wait();
    await world.find({ match_id: "m1" });
    await world.pass(15_500);
    const connection = await meet(world, "m2");
    connection.connect();
    await world.pass(0);
    world.client.next();
    await world.pass(100);
    await world.find({ match_id: "m3" });
    await world.pass(15_500);
    expect(world.events("left").at(-1)).toMatchObject({ searching: true });
  });

  test("who give up a moment sooner count as well", async () => {
    const world = new World();
    await world.wait();
    for (const match_id of ["m1", "m2"]) {
      await world.find({ match_id });
      await world.pass(14_500);
      world.server.say({ type: "partner_left", match_id, reason: "next", requeued: true });
      await world.pass(0);
    }
    expect(world.state).toMatchObject({ name: "error", error: { reason: "no_connectivity" } });
  });

  test("though each side hears of the other: after three", async () => {
    const world = new World();
    await world.wait();
    for (const match_id of ["m1", "m2", "m3"]) {
      expect(world.state.name).toBe("waiting");
      const connection = await meet(world, match_id);
      connection.gather(host(1));
      await world.pass(1_000);
      world.server.say({ type: "ice_candidate", match_id, candidate: { candidate: "theirs" } });
      await world.pass(15_500);
    }
    expect(world.state).toMatchObject({ name: "error", error: { reason: "no_connectivity" } });
  });

  test("by a browser that found no address of its own are free again after seconds", async () => {
    const world = new World();
    await world.wait();
    (await meet(world, "m1")).gathered();
    await world.pass(5_500);
    expect(world.events("left")).toMatchObject([{ reason: "silent" }]);
  });

  test("an answer without any address is no sign", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    world.connection(1).gather(host(1));
    await world.pass(5_000);
    world.server.say({ type: "answer", match_id: "m1", sdp: "their-answer" });
    await world.pass(5_000);
    world.server.say({ type: "ice_candidate", match_id: "m1", candidate: null });
    await world.pass(5_500);
    expect(world.events("left")).toMatchObject([{ reason: "silent" }]);
  });
});
