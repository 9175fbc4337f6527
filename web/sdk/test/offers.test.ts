import { describe, expect, test } from "vitest";
import { FakeConnection, host, World } from "./world.js";

describe("the offer in the ticket", () => {
  test("travels with the request, with the candidates known by then", async () => {
    const world = new World();
    void world.client.start({ kind: "video" });
    await world.pass(0);
    world.connection(1).gather(host(1));
    world.server.accept();
    await world.pass(10);
    expect(world.server.sent).toEqual([
      { type: "hello", version: 1, answers_ping: true },
      {
        type: "find_partner",
        kind: "video",
        requeue: true,
        offer: { sdp: `offer-of-1\r\na=${host(1)}` },
      },
    ]);
  });

  test("does not hold up the request: one that is made later follows as ticket_offer", async () => {
    const world = new World();
    let go = () => {};
    FakeConnection.pace = new Promise((resolve) => (go = resolve));
    void world.client.start({ kind: "video" });
    world.server.accept();
    await world.pass(60);
    expect(world.server.of("find_partner")).toEqual([{ type: "find_partner", kind: "video", requeue: true }]);
    go();
    await world.pass(100);
    expect(world.server.of("ticket_offer")).toEqual([{ type: "ticket_offer", sdp: "offer-of-1" }]);
  });

  test("is renewed at half its time, from the same connection and with the newest candidates", async () => {
    const world = new World();
    await world.wait();
    world.connection(1).gather(host(4));
    await world.pass(30_000);
    expect(world.server.of("ticket_offer")).toEqual([
      { type: "ticket_offer", sdp: `offer-of-1\r\na=${host(4)}` },
    ]);
    await world.pass(30_000);
    expect(world.server.of("ticket_offer")).toHaveLength(2);
    expect(FakeConnection.live.size).toBe(2);
  });

  test("is made anew when the network changed", async () => {
    const world = new World();
    await world.wait();
    world.page.happens("online");
    await world.pass(0);
    world.server.accept();
    await world.pass(100);
    expect(world.connection(1).closed).toBe(true);
    expect(world.server.of("find_partner").at(-1)?.offer?.sdp).toBe("offer-of-2");
    expect(FakeConnection.live.size).toBe(2);
  });

  test("classic order makes nothing before the match", async () => {
    const world = new World({ offerOrder: "classic" });
    await world.wait();
    expect(FakeConnection.made).toHaveLength(0);
    expect(world.server.of("find_partner")[0]).not.toHaveProperty("offer");
    await world.find({ mode: "negotiate" });
    await world.pass(100);
    expect(world.server.of("offer")).toEqual([{ type: "offer", match_id: "m1", sdp: "offer-of-1" }]);
  });

  test("text needs no connection at all", async () => {
    const world = new World();
    await world.wait({ kind: "text" });
    await world.find({ mode: "text" });
    expect(world.state).toMatchObject({ name: "connected", path: null });
    expect(FakeConnection.made).toHaveLength(0);
    expect(world.devices.asked).toHaveLength(0);
  });
});

describe("the beginning of a match", () => {
  test("the initiator uses the waiting offer and sends no other", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    world.server.say({ type: "answer", match_id: "m1", sdp: "their-answer" });
    await world.pass(100);
    expect(world.server.of("offer")).toEqual([]);
    expect(world.connection(1).applied).toEqual(["their-answer"]);
  });

  test("the answerer uses the blank connection at once and keeps its own offer for the next stranger", async () => {
    const world = new World();
    await world.wait();
    await world.find({ initiator: false, offer: { sdp: "their-offer" } });
    expect(world.connection(2).applied).toEqual(["their-offer"]);
    expect(world.server.of("answer")).toEqual([{ type: "answer", match_id: "m1", sdp: "answer-of-2" }]);
    world.connection(2).connect();
    await world.pass(0);
    world.client.next();
    await world.pass(0);
    expect(world.server.of("next")).toEqual([{ type: "next", match_id: "m1", offer: { sdp: "offer-of-1" } }]);
  });

  test("negotiate: the initiator sends the offer that was not in the ticket", async () => {
    const world = new World();
    await world.wait();
    await world.find({ mode: "negotiate" });
    await world.pass(50);
    expect(world.server.of("offer")).toEqual([{ type: "offer", match_id: "m1", sdp: "offer-of-1" }]);
  });

  test("negotiate: the other side waits for the offer and answers", async () => {
    const world = new World();
    await world.wait();
    await world.find({ mode: "negotiate", initiator: false });
    world.server.say({ type: "offer", match_id: "m1", sdp: "their-offer" });
    await world.pass(0);
    expect(world.server.of("answer")).toEqual([{ type: "answer", match_id: "m1", sdp: "answer-of-2" }]);
  });

  test("a mode of the future without an offer is negotiated", async () => {
    const world = new World();
    await world.wait();
    await world.find({ mode: "telepathy" as never });
    await world.pass(50);
    expect(world.server.of("offer")).toHaveLength(1);
  });

  test("video starts at a higher bitrate than the browser would dare", async () => {
    const world = new World();
    await world.wait();
    const sdp = "a=rtpmap:96 VP8/90000\r\na=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=0\r\n";
    await world.find({ initiator: false, offer: { sdp } });
    expect(world.connection(2).applied[0]).toBe(
      "a=rtpmap:96 VP8/90000\r\na=fmtp:96 x-google-start-bitrate=1000\r\n" +
        "a=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=0;x-google-start-bitrate=1000\r\n",
    );
  });

  test("a browser that refuses another connection costs one match, not the client", async () => {
    const world = new World({ offerOrder: "classic" });
    await world.wait();
    FakeConnection.refuse = true;
    await world.find({ mode: "negotiate" });
    expect(world.state.name).toBe("waiting");
    expect(world.server.types().at(-1)).toBe("next");
  });
});

describe("candidates", () => {
  test("gathered while waiting go out as one batch after the match, without those of the ticket", async () => {
    const world = new World();
    void world.client.start({ kind: "video" });
    await world.pass(0);
    world.connection(1).gather(host(1));
    world.server.accept();
    await world.pass(10);
    world.connection(1).gather(host(2));
    world.connection(1).gather(host(3));
    await world.pass(1_000);
    expect(world.server.of("ice_candidate")).toEqual([]);
    await world.find();
    const batches = world.server.of("ice_candidate");
    expect(batches).toHaveLength(1);
    expect(batches[0]).toMatchObject({
      match_id: "m1",
      candidate: [
        { candidate: expect.stringContaining(host(2)) },
        { candidate: expect.stringContaining(host(3)) },
      ],
    });
  });

  test("found during the match go out in small batches, and never before their description", async () => {
    const world = new World();
    await world.wait();
    await world.find({ initiator: false, offer: { sdp: "their-offer" } });
    world.connection(2).gather(host(1));
    world.connection(2).gather(host(2));
    await world.pass(10);
    expect(world.server.types().slice(-2)).toEqual(["answer", "ice_candidate"]);
    expect(world.server.of("ice_candidate")[0]?.candidate).toHaveLength(2);
  });

  test("that arrive before the description wait for it", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    world.server.say({
      type: "ice_candidate",
      match_id: "m1",
      candidate: [{ candidate: "c1" }, { candidate: "c2" }],
    });
    world.server.say({ type: "ice_candidate", match_id: "m1", candidate: { candidate: "c3" } });
    world.server.say({ type: "ice_candidate", match_id: "m1", candidate: null });
    await world.pass(0);
    expect(world.connection(1).applied).toEqual([]);
    world.server.say({ type: "answer", match_id: "m1", sdp: "their-answer" });
    await world.pass(0);
    expect(world.connection(1).applied).toEqual(["their-answer", "c1", "c2", "c3"]);
  });

  test("of an earlier match never reach the next stranger", async () => {
    const world = new World();
    await world.call();
    world.client.next();
    await world.pass(100);
    await world.find({ match_id: "m2" });
    world.server.say({ type: "answer", match_id: "m1", sdp: "late-answer" });
    world.server.say({ type: "ice_candidate", match_id: "m1", candidate: { candidate: "late" } });
    world.server.say({ type: "message", match_id: "m1", text: "late" });
    await world.pass(100);
    expect(FakeConnection.made.flatMap(({ applied }) => applied)).toEqual(["their-answer"]);
    expect(world.events("message")).toEqual([]);
  });

  test("are never more than the server forwards", async () => {
    const world = new World();
    await world.wait();
    await world.find();
    for (let n = 0; n < 200; n += 1) world.connection(1).gather(host(n));
    await world.pass(100);
    expect(world.server.of("ice_candidate").flatMap(({ candidate }) => candidate)).toHaveLength(60);
  });
});

describe("peer connections", () => {
  test("are never more than three, and none outlives a stop", async () => {
    const world = new World();
    await world.wait();
    for (let n = 1; n <= 12; n += 1) {
      const initiator = n % 2 === 0;
      await world.find({
        match_id: `m${n}`,
        initiator,
        ...(initiator ? {} : { offer: { sdp: "their-offer" } }),
      });
      [...FakeConnection.live].find(({ signalingState }) => signalingState === "stable")?.connect();
      await world.pass(300);
      world.client.next();
      await world.pass(150);
      expect(FakeConnection.live.size).toBeLessThanOrEqual(2);
    }
    expect(FakeConnection.mostLive).toBeLessThanOrEqual(4);
    await world.find({ match_id: "last" });
    world.client.stop();
    await world.pass(200);
    expect(FakeConnection.live.size).toBe(0);
  });

  test("an unused offer is not kept through a long call", async () => {
    const world = new World();
    await world.wait();
    await world.find({ initiator: false, offer: { sdp: "their-offer" } });
    world.connection(2).connect();
    await world.pass(0);
    expect(FakeConnection.live.size, "nothing is made while the first picture is on its way").toBe(2);
    await world.flow(world.connection(2), 1_000);
    expect(FakeConnection.live.size).toBe(3);
    await world.flow(world.connection(2), 31_000);
    expect(FakeConnection.live.size).toBe(2);
  });
});
