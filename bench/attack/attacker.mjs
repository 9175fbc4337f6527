#!/usr/bin/env node
// One address that attacks, in one way, as fast as it can or as it is told: started by run.mjs, and ended by it.
//
//   bench/attack/attacker.mjs sockets|hellos|detached|credentials|allocations HOST PORT RELAY_PORT
//
// Prints once a second, as JSON, what it did and what it got.
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { allocate, fetchIce, openSocket } from "./wire.mjs";

const [way, host, port, relayPort] = process.argv.slice(2);
const at = { host, port: Number(port) };
const relay = { host, port: Number(relayPort) };
const SOURCE = "127.0.9.9";
const done = { tried: 0, granted: 0 };
setInterval(() => console.log(JSON.stringify(done)), 1_000);

/** Runs `act` so often a second, at most so many at a time. */
async function keepUp(perSecond, atOnce, act) {
  let running = 0;
  for (let began = performance.now(), due = 0; ; due += 1) {
    const ahead = (due / perSecond) * 1_000 - (performance.now() - began);
    if (ahead > 1) await pause(ahead);
    while (running >= atOnce) await pause(1);
    running += 1;
    done.tried += 1;
    act()
      .then((granted) => (done.granted += Number(granted)))
      .finally(() => (running -= 1));
  }
}

const ways = {
  /** As many sockets as are let in, held, and tried again and again. */
  sockets: () =>
    keepUp(1_000, 1_500, () =>
      new Promise((resolve) => {
        const socket = connect({ ...at, localAddress: SOURCE });
        socket.on("error", () => {});
        socket.once("close", () => resolve(false));
        socket.once("connect", () => socket.write("GET /ws HT"));
      }),
    ),
  /** 2,600 sockets a second that say `hello`, and go. */
  hellos: () =>
    keepUp(2_600, 400, async () => {
      const socket = await openSocket(at, SOURCE);
      if (!socket) return false;
      socket.say({ type: "hello", version: 1 });
      const answer = await socket.hear("welcome", "error");
      socket.leave();
      return answer?.type === "welcome";
    }),
  /** Sessions that lose their socket at once, over and over. */
  detached: () =>
    keepUp(1_000, 5, async () => {
      const socket = await openSocket(at, SOURCE);
      if (!socket) return false;
      socket.say({ type: "hello", version: 1 });
      const answer = await socket.hear("welcome", "error");
      socket.lose();
      return answer?.type === "welcome";
    }),
  credentials: () => keepUp(1_000, 50, async () => (await fetchIce(at, SOURCE)) !== null),
  /** 24 allocations for each of as many credentials as can be had. */
  allocations: async () => {
    const held = [];
    await keepUp(20, 4, async () => {
      const server = (await fetchIce(at, SOURCE))?.iceServers.find((server) => server.credential);
      if (!server) return false;
      for (let count = 0; count < 24; count += 1) held.push(await allocate(relay, SOURCE, server));
      return held.at(-1) !== null;
    });
  },
};
await ways[way]();
