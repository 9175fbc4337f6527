import { describe, expect, test } from "vitest";
import { FakeConnection, FakePage, World, host, relay } from "./world.js";

const NEAREST = { urls: ["turn:near.example:3478"], username: "u", credential: "c" };
const OTHERS = { urls: ["turns:near.example:443", "turn:far.example:3478"], username: "u", credential: "c" };

const answer = (iceServers: RTCIceServer[], more = {}) =>
  Promise.resolve({ ok: true, json: () => Promise.resolve({ iceServers, ttl_s: 86_400, ...more }) });

function worldWithRelays(): World {
  const world = new World();
  world.ice = () => answer([NEAREST, OTHERS]);
  return world;
}

const serversOf = (connection: FakeConnection) => connection.configuration.iceServers;

describe("relays", () => {
  test("whoever waits holds a place on the nearest one only, and all join at the match", async () => {
    const world = worldWithRelays();
    await world.wait();
    world.connection(1).gather(relay(1));
    await world.pass(60_000);
    expect(FakeConnection.made.map(serversOf)).toEqual([[NEAREST], [NEAREST]]);
    await world.find();
    expect(serversOf(world.connection(1))).toEqual([NEAREST, OTHERS]);
    expect(serversOf(world.connection(2))).toEqual([NEAREST]);
  });

  test("the answerer gathers with all of them from the start", async () => {
    const world = worldWithRelays();
    await world.wait();
    let servers: RTCIceServer[] | undefined;
    const { setLocalDescription } = FakeConnection.prototype;
    world.connection(2).setLocalDescription = function (description) {
      servers = serversOf(this);
      return setLocalDescription.call(this, description);
    };
    await world.find({ initiator: false, offer: { sdp: "their-offer" } });
    expect(servers).toEqual([NEAREST, OTHERS]);
  });

  test("where the nearest gives nothing over UDP, the waiting offer is made anew with all", async () => {
    const world = worldWithRelays();
    await world.wait();
    world.connection(1).gather(host(1));
    await world.pass(2_100);
    expect(world.connection(1).closed).toBe(true);
    expect(world.server.of("ticket_offer").at(-1)?.sdp).toBe("offer-of-2");
    expect(serversOf(world.connection(2))).toEqual([NEAREST, OTHERS]);
    await world.pass(60_000);
    expect(FakeConnection.made).toHaveLength(3);
    // On another network the nearest is worth a try again.
    world.page.happens("online");
    await world.pass(0);
    world.server.accept();
    await world.pass(100);
    expect(serversOf(FakeConnection.made.at(-1) as FakeConnection)).toEqual([NEAREST]);
  });

  test("an offer that was taken before its relay answered gathers again after a second", async () => {
    const world = worldWithRelays();
    await world.wait();
    world.connection(1).gather(host(1));
    await world.find();
    await world.pass(1_200);
    expect(world.server.of("offer"), "their answer is not there yet").toEqual([]);
    world.server.say({ type: "answer", match_id: "m1", sdp: "their-answer" });
    await world.pass(600);
    expect(world.server.of("offer")).toMatchObject([{ sdp: expect.stringContaining("restart1") }]);
    await world.pass(5_000);
    expect(world.server.of("offer")).toHaveLength(1);
    // What it found out holds for the next offer, too.
    world.client.next();
    await world.pass(100);
    const offering = FakeConnection.made.filter(
      ({ localDescription, closed }) => localDescription && !closed,
    );
    expect(offering.map(serversOf)).toEqual([[NEAREST, OTHERS]]);
  });

  test("a waiting offer that gave no relay costs nobody the stranger who was met meanwhile", async () => {
    const world = worldWithRelays();
    await world.wait();
    world.connection(1).gather(host(1));
    await world.find({ initiator: false, offer: { sdp: "their-offer" } });
    await world.pass(2_000);
    expect(world.connection(1).closed).toBe(true);
    expect(world.server.of("next")).toEqual([]);
    expect(world.server.of("find_partner")).toHaveLength(1);
    // The next offer is made with all of them.
    world.client.next();
    await world.pass(100);
    expect(world.server.of("next")).toHaveLength(1);
    expect(FakeConnection.made.map(serversOf).at(-2)).toEqual([NEAREST, OTHERS]);
  });

  test("a welcome that brings a token in a call does not end it", async () => {
    const world = new World();
    world.ice = () => Promise.resolve({ ok: false, status: 401 });
    await world.call("token-1");
    world.server.say({ type: "welcome", version: 1, online: 2, ice_token: "t0ken", match_id: "m1" });
    await world.pass(100);
    expect(world.server.of("next")).toEqual([]);
    expect(world.state.name).toBe("connected");
  });

  test("a call that connects in time, or holds a relay, gathers only once", async () => {
    for (const candidate of [host(1), relay(1)]) {
      const world = worldWithRelays();
      await world.wait();
      world.connection(1).gather(candidate);
      await world.find();
      world.server.say({ type: "answer", match_id: "m1", sdp: "their-answer" });
      await world.pass(900);
      if (candidate === host(1)) world.connection(1).connect();
      await world.pass(5_000);
      expect(world.server.of("offer")).toEqual([]);
    }
  });

  test("a restart late in a call takes the relays of today", async () => {
    const world = worldWithRelays();
    world.ice = () => answer([NEAREST, OTHERS], { ttl_s: 120 });
    const connection = await world.call();
    await world.flow(connection, 1_000);
    const fresh = [{ ...NEAREST, credential: "fresh" }, OTHERS];
    world.ice = () => answer(fresh);
    await world.flow(connection, 120_000);
    connection.become("failed");
    await world.pass(100);
    expect(world.server.of("offer")).toHaveLength(1);
    expect(serversOf(connection)).toEqual(fresh);
  });

  test("the operator's policy binds every connection", async () => {
    const world = new World();
    world.ice = () => answer([NEAREST], { policy: "relay" });
    await world.wait();
    expect(world.connection(1).configuration.iceTransportPolicy).toBe("relay");
  });

  test("given only to sessions are asked for again with the token of the welcome", async () => {
    const asked: (string | undefined)[] = [];
    const world: World = new World({
      environment: {
        fetch: ((_: string, { headers }: { headers: { authorization?: string } }) => {
          asked.push(headers.authorization);
          return headers.authorization
            ? answer([NEAREST, OTHERS])
            : Promise.resolve({ ok: false, status: 401 });
        }) as never,
      },
    });
    void world.client.start({ kind: "video" });
    await world.pass(0);
    world.server.accept();
    await world.pass(40);
    expect(world.connection(1).configuration.iceServers?.[0]?.urls).toContainEqual(
      expect.stringMatching(/^stun:/),
    );
    world.server.say({ type: "welcome", version: 1, online: 2, ice_token: "t0ken" });
    await world.pass(100);
    expect(asked.at(-1)).toBe("Bearer t0ken");
    expect(world.connection(1).closed).toBe(true);
    expect(serversOf(world.connection(3))).toEqual([NEAREST]);
    expect(world.server.of("ticket_offer").at(-1)?.sdp).toBe("offer-of-3");
  });
});

describe("relays whose credentials count for nothing any more", () => {
  const fresh = [{ ...NEAREST, credential: "fresh" }, OTHERS];

  test("after a night asleep are asked for again, before anybody is sought with them", async () => {
    const world = worldWithRelays();
    await world.wait();
    world.connection(1).gather(relay(1));
    world.ice = () => answer(fresh);
    await world.clock.sleep(8 * 3_600_000);
    await world.pass(100);
    expect([...FakeConnection.live].map(serversOf)).toEqual([[fresh[0]], [fresh[0]]]);
  });

  test("are fetched again as soon as one refuses them, and the waiting offer is made with the new", async () => {
    const world = worldWithRelays();
    await world.wait();
    world.ice = () => answer(fresh);
    world.connection(1).onicecandidateerror?.({ errorCode: 401 });
    await world.pass(100);
    expect(world.iceFetches).toBe(2);
    expect(world.connection(1).closed).toBe(true);
    expect([...FakeConnection.live].map(serversOf)).toEqual([[fresh[0]], [fresh[0]]]);
    expect(world.server.of("ticket_offer")).toHaveLength(1);
  });

  test("that are refused again and again are not asked for all the time", async () => {
    const world = worldWithRelays();
    await world.wait();
    world.ice = () => answer([{ ...NEAREST }]);
    for (let n = 0; n < 60; n += 1) {
      for (const connection of FakeConnection.live) connection.onicecandidateerror?.({ errorCode: 401 });
      await world.pass(1_000);
    }
    expect(world.iceFetches).toBeLessThanOrEqual(5);
  });

  test("that have all the places they may have are fetched again, if this gathering got none of them", async () => {
    const world = worldWithRelays();
    const connection = await world.call("token-1");
    connection.gather(relay(1));
    connection.onicecandidateerror?.({ errorCode: 486 });
    await world.pass(100);
    expect(world.iceFetches, "there is one").toBe(1);
    world.ice = () => answer(fresh);
    connection.become("failed");
    await world.pass(0);
    connection.onicecandidateerror?.({ errorCode: 486 });
    await world.pass(100);
    expect(world.iceFetches).toBe(2);
    world.server.say({ type: "answer", match_id: "m1", sdp: "second-answer" });
    await world.pass(600);
    expect(serversOf(connection)).toEqual(fresh);
    expect(world.server.of("offer")).toHaveLength(2);
  });

  test("that are used up four times in a minute keep a call that moves, each time with others", async () => {
    const world = worldWithRelays();
    let answers = 0;
    world.ice = () => answer([{ ...NEAREST, credential: `fresh-${(answers += 1)}` }, OTHERS]);
    const connection = await world.call("token-1");
    for (let move = 1; move <= 4; move += 1) {
      connection.become("failed");
      await world.pass(100);
      connection.onicecandidateerror?.({ errorCode: 486 });
      await world.pass(100);
      world.server.say({ type: "answer", match_id: "m1", sdp: `answer-${move}` });
      await world.pass(4_000);
      world.server.say({ type: "answer", match_id: "m1", sdp: `answer-${move}b` });
      connection.gather(relay(move));
      connection.become("connected");
      await world.flow(connection, 2_000);
      expect(world.state.name, `after move ${move}`).toBe("connected");
      expect(serversOf(connection)?.[0]?.credential).toBe(`fresh-${move + 1}`);
    }
    expect(world.events("left")).toEqual([]);
  });

  test("that give no place are not replaced all the time where the address has too many", async () => {
    const world = worldWithRelays();
    await world.wait();
    world.ice = () => answer([{ ...NEAREST }]);
    for (let n = 0; n < 60; n += 1) {
      for (const connection of FakeConnection.live) connection.onicecandidateerror?.({ errorCode: 486 });
      await world.pass(1_000);
    }
    expect(world.iceFetches).toBeLessThanOrEqual(5);
  });

  test("a relay that has no room at all, or is far, is no reason to ask", async () => {
    const world = worldWithRelays();
    await world.wait();
    for (const errorCode of [508, 701]) world.connection(1).onicecandidateerror?.({ errorCode });
    await world.pass(100);
    expect(world.iceFetches).toBe(1);
  });

  for (const initiator of [true, false]) {
    test(`in a match lead to another gathering at once, by who ${initiator ? "initiates" : "answers"}`, async () => {
      const world = worldWithRelays();
      await world.wait();
      world.connection(1).gather(host(1));
      await world.find(initiator ? {} : { initiator: false, offer: { sdp: "their-offer" } });
      const connection = world.connection(initiator ? 1 : 2);
      if (initiator) world.server.say({ type: "answer", match_id: "m1", sdp: "their-answer" });
      await world.pass(100);
      world.ice = () => answer(fresh);
      connection.onicecandidateerror?.({ errorCode: 401 });
      connection.onicecandidateerror?.({ errorCode: 401 });
      await world.pass(100);
      expect(world.iceFetches).toBe(2);
      expect(serversOf(connection)).toEqual(fresh);
      expect(world.server.of("offer")).toMatchObject([{ sdp: expect.stringContaining("restart1") }]);
    });
  }

  test("in a call that looks for another path, too", async () => {
    const world = worldWithRelays();
    const connection = await world.call();
    connection.become("failed");
    await world.pass(100);
    expect(world.server.of("offer")).toHaveLength(1);
    world.ice = () => answer(fresh);
    connection.onicecandidateerror?.({ errorCode: 401 });
    await world.pass(100);
    world.server.say({ type: "answer", match_id: "m1", sdp: "second-answer" });
    await world.pass(600);
    expect(serversOf(connection)).toEqual(fresh);
    expect(world.server.of("offer")).toHaveLength(2);
  });

  test("are fetched again where a new server did not know the session", async () => {
    const world = worldWithRelays();
    await world.wait({ kind: "video" }, "token-1");
    world.connection(1).gather(relay(1));
    world.ice = () => answer(fresh);
    world.server.drop();
    await world.pass(1_000);
    world.server.accept();
    world.server.say({ type: "welcome", version: 1, online: 1, resumed: false, resume_token: "token-2" });
    await world.pass(100);
    expect([...FakeConnection.live].map(serversOf)).toEqual([[fresh[0]], [fresh[0]]]);
  });

  test("that give nothing for minutes are asked for again where the browser does not say why", async () => {
    const world = worldWithRelays();
    await world.wait();
    world.connection(1).gather(relay(1));
    world.ice = () => answer(fresh);
    // The offer made after five minutes gets no place.
    for (let minute = 0; minute < 6; minute += 1) await world.pass(60_000);
    expect(world.iceFetches).toBe(2);
    expect([...FakeConnection.live].map(({ configuration }) => configuration.iceServers?.[0])).toEqual([
      fresh[0],
      fresh[0],
    ]);
  });
});

describe("hiding one's address", () => {
  test("is asked of the server, and of the browser, from the next connection on", async () => {
    const world = new World();
    await world.wait();
    expect(world.server.of("find_partner")[0]).not.toHaveProperty("relay_only");
    world.client.relayOnly = true;
    expect(world.server.of("stop"), "the offer that waits tells the address").toHaveLength(1);
    await world.pass(60);
    world.connection(3).gather(relay(1));
    await world.pass(5);
    expect(world.server.of("find_partner").at(-1)).toMatchObject({ relay_only: true });
    expect(world.server.of("find_partner").at(-1)?.offer).toEqual({
      sdp: expect.stringContaining("typ relay"),
    });
    expect([...FakeConnection.live].map(({ configuration }) => configuration.iceTransportPolicy)).toEqual([
      "relay",
      "relay",
    ]);
    world.client.relayOnly = false;
    await world.pass(60);
    expect(world.server.of("find_partner").at(-1)).not.toHaveProperty("relay_only");
  });

  test("in a call it begins with the next stranger, even if that one comes before the server was told", async () => {
    const world = new World();
    await world.call();
    world.client.relayOnly = true;
    await world.pass(1_000);
    expect(world.server.of("find_partner")).toHaveLength(1);
    expect(world.state.name).toBe("connected");
    world.server.say({ type: "partner_left", match_id: "m1", reason: "next", requeued: true });
    world.server.say({
      type: "partner_found",
      match_id: "m2",
      initiator: false,
      mode: "answer_offer",
      shared_interests: [],
      language: null,
      offer: { sdp: "their-offer" },
    });
    await world.pass(0);
    const answering = FakeConnection.made.find(({ applied }) => applied.includes("their-offer"));
    expect(answering?.configuration.iceTransportPolicy).toBe("relay");
  });

  test("is a choice from the start", async () => {
    const world = new World({ relayOnly: true });
    await world.wait();
    expect(world.client.relayOnly).toBe(true);
    await world.pass(500);
    expect(world.server.of("find_partner"), "nobody could reach them yet").toEqual([]);
    world.connection(1).gather(relay(1));
    await world.pass(5);
    expect(world.server.of("find_partner")).toMatchObject([{ relay_only: true, offer: {} }]);
  });

  test("without a relay is said as soon as gathering shows it, and tried anew", async () => {
    const world = new World({ relayOnly: true });
    await world.wait();
    world.connection(1).gathered();
    expect(world.state).toMatchObject({ name: "error", error: { reason: "relay_unreachable", retry: true } });
    expect(world.server.of("find_partner")).toEqual([]);
    void world.client.start({ kind: "video" });
    await world.pass(0);
    FakeConnection.made.at(-2)?.gather(relay(1));
    await world.pass(5);
    expect(world.server.of("find_partner")).toMatchObject([{ relay_only: true, offer: {} }]);
    expect(world.state.name).toBe("waiting");
  });

  test("behind a relay that never answers is given up when all ways to it were tried", async () => {
    const world = worldWithRelays();
    world.client.relayOnly = true;
    await world.wait();
    await world.pass(1_000);
    expect(serversOf(world.connection(2))).toEqual([NEAREST, OTHERS]);
    await world.pass(5_900);
    expect(world.state.name).toBe("waiting");
    await world.pass(200);
    expect(world.state).toMatchObject({ name: "error", error: { reason: "relay_unreachable" } });
    expect([...FakeConnection.live].filter(({ localDescription }) => localDescription)).toEqual([]);
  });

  test("is as impossible by the operator's policy", async () => {
    const world = new World();
    world.ice = () => answer([], { policy: "relay" });
    await world.wait();
    world.connection(1).gathered();
    expect(world.state).toMatchObject({ name: "error", error: { reason: "relay_unreachable" } });
  });

  test("is not judged while the server, which knows the relays, is away", async () => {
    const world = new World({ relayOnly: true });
    world.ice = () => Promise.reject(new Error("offline"));
    void world.client.start({ kind: "video" });
    await world.pass(0);
    world.connection(1).gathered();
    await world.pass(3_000);
    expect(world.state.name).not.toBe("error");
  });

  test("who does not hide needs no relay", async () => {
    const world = new World();
    await world.wait();
    world.connection(1).gather(host(1));
    world.connection(1).gathered();
    await world.pass(10_000);
    expect(world.state.name).toBe("waiting");
  });
});

describe("what the operator has", () => {
  test.each([
    ["relays", [NEAREST], {}, { enforced: false, offered: true }],
    ["relays for everybody", [NEAREST], { policy: "relay" }, { enforced: true, offered: true }],
    ["none", [{ urls: ["stun:stun.example"] }], {}, { enforced: false, offered: false }],
  ] as const)("can be asked before the start: %s", async (_, servers, more, expected) => {
    const world = new World();
    world.ice = () => answer([...servers] as RTCIceServer[], more);
    expect(await world.client.relays()).toEqual(expected);
    await world.wait();
    expect(world.iceFetches).toBe(1);
  });

  test("is not known where the server does not say", async () => {
    const world = new World();
    world.ice = () => Promise.resolve({ ok: false, status: 401 });
    expect(await world.client.relays()).toBeNull();
  });
});

describe("another network in a call", () => {
  for (const initiator of [true, false]) {
    test(`is answered by a new search for a path at once, ${initiator ? "by" : "also by"} who ${initiator ? "initiates" : "answers"}`, async () => {
      const world = new World();
      await world.wait({ kind: "video" }, "token-1");
      await world.find(initiator ? {} : { initiator: false, offer: { sdp: "their-offer" } });
      if (initiator) world.server.say({ type: "answer", match_id: "m1", sdp: "their-answer" });
      await world.pass(60);
      const connection = FakeConnection.made.find(({ applied }) => applied.length > 0);
      connection?.connect();
      await world.pass(0);
      expect(world.state.name).toBe("connected");
      world.page.happens("online");
      await world.pass(0);
      world.server.accept();
      world.server.say({ type: "welcome", version: 1, online: 2, resumed: true, match_id: "m1" });
      await world.pass(0);
      expect(world.server.of("offer")).toHaveLength(1);
      expect(connection?.closed).toBe(false);
    });
  }

  test("with another kind of connection counts as one, another estimate of its speed does not", async () => {
    const connection = Object.assign(new EventTarget(), { type: "wifi" });
    const page = new FakePage();
    const window = Object.assign(page, { navigator: { connection } }) as unknown as Window;
    const world = new World({ environment: { window } });
    await world.call("token-1");
    connection.dispatchEvent(new Event("change"));
    expect(world.sockets).toHaveLength(1);
    connection.type = "cellular";
    connection.dispatchEvent(new Event("change"));
    expect(world.sockets).toHaveLength(2);
  });
});
