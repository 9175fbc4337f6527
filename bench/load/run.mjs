#!/usr/bin/env node
// Storms and connections: what a pair and a connection cost the server, and how soon the last one is matched.
//
//   bench/load/run.mjs [--visitors 10000] [--rounds 3] [--connected 15000] [--repeat 2] [--trickle-ms 400] [--no-peers] [--out FILE]
//
// In the classic order a side's candidates come right behind its description, as one goes; once more with the candidates
// spread over a time, as a browser finds them, which no server can batch. Each run has a fresh server; the servers take turns, so that a disturbance of the machine meets all of them. Trust the
// ratios, which are of one run, and not the microseconds.
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { atLeast, atMost, attempt, median, ratio, report } from "../lib/results.mjs";
import { requireBuilt, residentKib, runLoad, startNodePeer, startRedis, startVisavis, stop, withDirectory } from "../lib/servers.mjs";

const { values: options } = parseArgs({
  options: {
    visitors: { type: "string", default: "10000" },
    rounds: { type: "string", default: "3" },
    connected: { type: "string", default: "15000" },
    repeat: { type: "string", default: "2" },
    "trickle-ms": { type: "string", default: "400" },
    "no-peers": { type: "boolean", default: false },
    out: { type: "string" },
  },
});
requireBuilt({ peer: !options["no-peers"] });

/** Two looks of the server at its sockets, with some to spare: by then what nobody uses is given back. */
const GIVEN_BACK_MS = 40_000;
const cpu = "server_cpu_us_per_pair";
const [US, NODE, NODE_BARE] = ["visavis", "node-socketio-redis", "node-socketio"];
const storm = ["--scenario", "storm", "--visitors", options.visitors, "--rounds", options.rounds, "--settle-ms", 1000];
const classic = [...storm, "--order", "classic"];
const trickled = [...classic, "--trickle-ms", options["trickle-ms"]];
const matchOnly = [...storm, "--order", "classic", "--no-handshake"];
// One storm after all are connected: memory of idle connections, and of the same after a handshake.
const crowd = ["--scenario", "storm", "--visitors", options.connected, "--source-addresses", 4, "--settle-ms", 4000];
const plan = [
  { name: "classic", server: US, args: classic, repeated: true },
  { name: "classic", server: NODE, args: classic, repeated: true },
  { name: "ticket", server: US, args: [...storm, "--order", "ticket"], repeated: true },
  { name: "match only", server: US, args: matchOnly, repeated: true },
  { name: "match only", server: NODE, args: matchOnly, repeated: true },
  { name: "classic", server: NODE_BARE, args: classic },
  { name: "trickled", server: US, args: trickled },
  { name: "trickled", server: NODE, args: trickled },
  { name: "memory", server: US, args: [...crowd, "--order", "ticket"], leaves: true },
  { name: "memory", server: NODE, args: [...crowd, "--order", "classic"] },
];

const clients = { [US]: ["--connect-rate", 5000], [NODE]: ["--protocol", "socketio"], [NODE_BARE]: ["--protocol", "socketio"] };

const rows = plan
  .filter(({ server }) => server === US || !options["no-peers"])
  .map((row) => ({ ...row, results: [] }));
for (let turn = 0; turn < Number(options.repeat); turn++) {
  for (const row of rows.filter(({ repeated }) => repeated || turn === 0)) {
    const result = await attempt(`${row.server}: ${row.name} (${turn + 1})`, () => measure(row));
    if (result) row.results.push(result);
  }
}

const table = rows.map(({ name, server, results }) => ({ name, server, ...summarise(results) }));
const find = (name, server) => table.find((row) => row.name === name && row.server === server) ?? {};
const ratios = {
  cpu_classic_to_node: ratio(find("classic", US)[cpu], find("classic", NODE)[cpu]),
  cpu_ticket_to_node: ratio(find("ticket", US)[cpu], find("classic", NODE)[cpu]),
  cpu_classic_to_node_without_redis: ratio(find("classic", US)[cpu], find("classic", NODE_BARE)[cpu]),
  cpu_ticket_to_node_without_redis: ratio(find("ticket", US)[cpu], find("classic", NODE_BARE)[cpu]),
  cpu_trickled_to_node: ratio(find("trickled", US)[cpu], find("trickled", NODE)[cpu]),
  cpu_ticket_to_classic: ratio(find("ticket", US)[cpu], find("classic", US)[cpu]),
  node_last_matched_to_ours: ratio(find("match only", NODE).found_last_ms, find("match only", US).found_last_ms),
  node_idle_memory_to_ours: ratio(find("memory", NODE).idle_kib, find("memory", US).idle_kib),
};
const memory = find("memory", US);
const violations = table.filter(({ server }) => server === US).reduce((sum, row) => sum + row.violations, 0);
const ran = rows.filter(({ server }) => server === US).every(({ results }) => results.length > 0);
const targets = [
  atMost(`storm of ${options.visitors} × ${options.rounds}: promises broken (each matched exactly once)`, ran ? violations : undefined, 0),
  atMost("CPU per pair, classic order, of the Node stack's", ratios.cpu_classic_to_node, 0.25, "×"),
  atMost("CPU per pair, offer in the ticket, of the Node stack's", ratios.cpu_ticket_to_node, 0.2, "×"),
  atLeast("the last one matched sooner than by the Node stack", ratios.node_last_matched_to_ours, 3, "×"),
  atMost(`memory of an idle connection, ${options.connected} connected`, memory.idle_kib, 5, "KiB"),
  atMost(`the same after each has exchanged a handshake`, memory.after_handshake_kib, 10, "KiB"),
  atMost("of that memory, still held 40 s after all have gone", memory.kept_share, 0.25, "×"),
];
console.table(table);
const command = ["bench/run load", ...process.argv.slice(2)].join(" ");
report("load", { command, out: options.out, targets, ratios, table, runs: rows });

function measure({ server, args, leaves }) {
  return withDirectory(async (directory) => {
    const started = [];
    try {
      const target = await start(server, directory, started);
      const { now: before } = residentKib(target.child.pid);
      const result = await runLoad(target.url, ["--server-pid", target.child.pid, ...clients[server], ...args]);
      if (!leaves) return result;
      await pause(GIVEN_BACK_MS);
      const { now, most } = residentKib(target.child.pid);
      return { ...result, kept_share: (now - before) / (most - before) };
    } finally {
      for (const process of started.reverse()) await stop(process);
    }
  });
}

async function start(server, directory, started) {
  const note = (process) => (started.push(process), process);
  if (server === US) return note(await startVisavis({ stateDir: directory }));
  if (server === NODE_BARE) return note(await startNodePeer());
  const redis = note(await startRedis(directory));
  return note(await startNodePeer({ redisUrl: redis.url }));
}

/** The figures of one row: medians over all rounds of all its runs. */
function summarise(results) {
  const rounds = results.flatMap((result) => result.rounds);
  const of = (pick) => median(rounds.map(pick));
  const memory = (field) => median(results.map((result) => result.memory?.[field]));
  return {
    runs: results.length,
    violations: results.reduce((sum, result) => sum + result.violations.count, 0),
    [cpu]: of((round) => round[cpu]),
    client_cpu_us_per_pair: of((round) => round.client_cpu_us_per_pair),
    client_busy: of((round) => round.client_busy),
    found_p50_ms: of((round) => round.found_ms?.p50),
    found_last_ms: of((round) => round.found_ms?.max),
    relay_p99_ms: of((round) => round.relay_ms?.p99),
    press_spread_ms: of((round) => round.press_spread_ms),
    idle_kib: memory("idle_kib_per_connection"),
    after_handshake_kib: memory("after_handshake_kib_per_connection"),
    kept_share: median(results.map((result) => result.kept_share)),
  };
}
