#!/usr/bin/env node
// One address attacks, in every way that we know: are the others served as before?
//
//   bench/attack/run.mjs [--seconds 10] [--out FILE]
//
// The server has its default limits. Visitors come one pair after the other, each from an address of its own: page settings,
// credentials, a place on the relay, a match, a text. The network between them and the server is 20 ms wide, as pauses: on
// one machine nothing else is as slow as the world. The attacker is a process of its own, of the lowest priority, so that
// what is measured is the server's time and not that of the machine.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { atLeast, atMost, report } from "../lib/results.mjs";
import { cpuUs, ending, requireBuilt, root, startVisavis, stop, withDirectory } from "../lib/servers.mjs";
import { allocate, fetchIce, openSocket } from "./wire.mjs";

const { values: options } = parseArgs({ options: { seconds: { type: "string", default: "10" }, out: { type: "string" } } });
requireBuilt();

const WAYS = ["sockets", "hellos", "detached", "credentials", "allocations"];
const ROUND_TRIP_MS = 20;

let visitors = 0;
/** An address that nobody had before. */
const nextAddress = () => `127.1.${1 + Math.floor(visitors / 250)}.${1 + (visitors++ % 250)}`;

const way = () => pause(ROUND_TRIP_MS);

/** One visitor up to where it searches; null if it was not served. */
async function arrive(at, address) {
  await way();
  const ice = await fetchIce(at, address);
  const server = ice?.iceServers.find((server) => server.credential);
  if (!server) return null;
  await way();
  const release = await allocate(at, address, server);
  if (!release) return null;
  await way();
  const socket = await openSocket(at, address);
  if (!socket) return release(), null;
  await way();
  for (;;) {
    socket.say({ type: "hello", version: 1 });
    const answer = await socket.hear("welcome", "error");
    if (answer?.type === "welcome") return { socket, release };
    if (answer === null) return release(), null;
    await pause(answer.retry_after_ms);
  }
}

/** Two visitors from the first byte to the first text, in milliseconds; null if one of them was not served. */
async function pairUp(at) {
  const began = performance.now();
  const both = await Promise.all([arrive(at, nextAddress()), arrive(at, nextAddress())]);
  const served = both.every((visitor) => visitor !== null);
  let heard = null;
  if (served) {
    const [one, other] = both;
    for (const { socket } of both) socket.say({ type: "find_partner", kind: "text", pool: `pair ${visitors}` });
    const [found] = await Promise.all([one.socket.hear("partner_found"), other.socket.hear("partner_found")]);
    await way();
    if (found) one.socket.say({ type: "message", match_id: found.match_id, text: "hello" });
    heard = await other.socket.hear("message");
  }
  const took = performance.now() - began;
  for (const visitor of both) {
    visitor?.socket.leave();
    visitor?.release();
  }
  return heard && took;
}

/** What visitors saw for so long. */
async function observe(server, seconds) {
  const times = [];
  let failed = 0;
  const spent = cpuUs(server.child.pid);
  const end = performance.now() + seconds * 1_000;
  while (performance.now() < end) {
    const took = await pairUp(at(server));
    if (took === null) failed += 1;
    else times.push(took);
  }
  times.sort((a, b) => a - b);
  const quantile = (part) => times[Math.min(times.length - 1, Math.floor(part * times.length))];
  return {
    pairs: times.length,
    failed,
    p50_ms: quantile(0.5),
    p95_ms: quantile(0.95),
    max_ms: times.at(-1),
    server_core_share: (cpuUs(server.child.pid) - spent) / (seconds * 1e6),
  };
}

const at = ({ address }) => ({ host: "127.0.0.1", port: Number(address.split(":")[1]) });

async function attack(server, name) {
  const { host, port } = at(server);
  const attacker = spawn("nice", ["-n", "19", process.execPath, join(root, "bench/attack/attacker.mjs"), name, host, port, port], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let done = { tried: 0, granted: 0 };
  createInterface({ input: attacker.stdout }).on("line", (line) => (done = JSON.parse(line)));
  try {
    await pause(2_000);
    return { ...(await observe(server, Number(options.seconds))), attacker: done };
  } finally {
    const gone = ending(attacker);
    attacker.kill("SIGKILL");
    await gone;
  }
}

const rounds = [];
for (const name of WAYS) {
  // A server of its own for each: what one attack leaves behind is not the next one's.
  await withDirectory(async (stateDir) => {
    const server = await startVisavis({ stateDir, exempt: false, core: null });
    try {
      await observe(server, 2);
      const before = await observe(server, Number(options.seconds));
      rounds.push({ name, before, during: await attack(server, name) });
    } finally {
      await stop(server);
    }
  });
}

const targets = rounds.flatMap(({ name, before, during }) => [
  atMost(`${name}: served within so many times of before, median`, during.p50_ms / before.p50_ms, 1.2, "×"),
  atMost(`${name}: the slowest twentieth`, during.p95_ms / before.p95_ms, 1.2, "×"),
  atMost(`${name}: pairs that were not served`, during.failed, 0),
  atLeast(`${name}: attempts of the attacker`, during.attacker.tried, 1),
]);
const command = ["bench/run attack", ...process.argv.slice(2)].join(" ");
report("attack", { command, out: options.out, targets, rounds });
