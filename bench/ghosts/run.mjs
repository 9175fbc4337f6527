#!/usr/bin/env node
// People who stopped reading and people who are not there any more, among ten thousand: does anybody else notice?
//
//   bench/ghosts/run.mjs [--visitors 10000] [--stalled 1000] [--ghosts 1000] [--seconds 44] [--stay-ms 2500] [--repeat 2] [--out FILE]
//
// A busy evening: everybody stays some seconds with a stranger and presses Next. With and without the deviants in turn;
// without them the others are as many as with them. Stalled readers are connected and then read no more, while their
// partners write as much as the server lets them; ghosts search and are gone without closing.
import { parseArgs } from "node:util";
import { atLeast, atMost, attempt, median, ratio, report } from "../lib/results.mjs";
import { requireBuilt, runLoad, startVisavis, stop, withDirectory } from "../lib/servers.mjs";

const { values: options } = parseArgs({
  options: {
    visitors: { type: "string", default: "10000" },
    stalled: { type: "string", default: "1000" },
    ghosts: { type: "string", default: "1000" },
    seconds: { type: "string", default: "44" },
    "stay-ms": { type: "string", default: "2500" },
    repeat: { type: "string", default: "2" },
    out: { type: "string" },
  },
});
requireBuilt();

// As docs/settings.md says: lobby.sign_of_life_ms; limits.write_stall_ms and then lobby.grace_ms.
const GHOST_DEADLINE_MS = 10_000;
const STALL_DEADLINE_MS = 20_000;
/** The writer's burst until its reader's line is full, timers' grain, and the load client's own delay. */
const SLACK_MS = 1_000;

const deviants = Number(options.stalled) + Number(options.ghosts);
const evening = ["--scenario", "churn", "--seconds", options.seconds, "--stay-ms", options["stay-ms"]];
const fast = ["--connect-rate", 5000, "--settle-ms", 500];
const plan = [
  { name: "without", args: ["--visitors", Number(options.visitors) - deviants] },
  { name: "with", args: ["--visitors", options.visitors, "--stalled", options.stalled, "--ghosts", options.ghosts] },
];

const rows = plan.map((row) => ({ ...row, results: [] }));
for (let turn = 0; turn < Number(options.repeat); turn++) {
  for (const row of rows) {
    const result = await attempt(`${row.name} deviants (${turn + 1})`, () => measure(row.args));
    if (result) row.results.push(result);
  }
}

const table = rows.map(({ name, results }) => ({ name, ...summarise(results) }));
const [without, withThem] = table;
const ratios = {
  search_p99: ratio(withThem.search_p99_ms, without.search_p99_ms),
  relay_p99: ratio(withThem.relay_p99_ms, without.relay_p99_ms),
  handshake_p99: ratio(withThem.handshake_p99_ms, without.handshake_p99_ms),
};
const targets = [
  atMost("p99 of a search among the others, of the same without deviants", ratios.search_p99, 1.2, "×"),
  atMost("p99 of a relayed signal", ratios.relay_p99, 1.2, "×"),
  atMost("p99 of a handshake", ratios.handshake_p99, 1.2, "×"),
  atMost("the last survivor of a ghost is back in line", withThem.ghost_survivor_last_ms, GHOST_DEADLINE_MS + SLACK_MS, "ms"),
  atMost("the last partner of a stalled reader is back in line", withThem.stall_survivor_last_ms, STALL_DEADLINE_MS + SLACK_MS, "ms"),
  atLeast("survivors of ghosts and stalled readers, of the deviants", ratio(withThem.survivors, deviants), 0.8, "×"),
  // At any moment a few are in the middle of a handshake.
  atMost("visitors left with a ghost or a stalled reader at the end", withThem.left_with_deviants, 5),
  atMost("promises broken", withThem.violations, 0),
];
console.table(table);
const command = ["bench/run ghosts", ...process.argv.slice(2)].join(" ");
report("ghosts", { command, out: options.out, targets, ratios, table, runs: rows });

function measure(args) {
  return withDirectory(async (stateDir) => {
    const server = await startVisavis({ stateDir });
    try {
      return await runLoad(server.url, ["--server-pid", server.child.pid, ...fast, ...evening, ...args]);
    } finally {
      await stop(server);
    }
  });
}

/** Medians over the runs; the worst where a deadline is at stake. */
function summarise(results) {
  const rounds = results.map((result) => result.rounds[0]);
  const of = (pick) => median(rounds.map(pick));
  const worst = (pick) => (results.length ? Math.max(...rounds.map((round) => pick(round) ?? 0)) : undefined);
  const survivors = (round) => (round.partner_lost_ms?.count ?? 0) + (round.partner_freed_ms?.count ?? 0);
  return {
    runs: results.length,
    violations: results.length ? results.reduce((sum, result) => sum + result.violations.count, 0) : undefined,
    pairs: of((round) => round.pairs),
    search_p50_ms: of((round) => round.found_again_ms?.p50),
    search_p99_ms: of((round) => round.found_again_ms?.p99),
    relay_p50_ms: of((round) => round.relay_ms?.p50),
    relay_p99_ms: of((round) => round.relay_ms?.p99),
    handshake_p99_ms: of((round) => round.connected_ms?.p99),
    survivors: of(survivors),
    ghost_survivor_last_ms: worst((round) => round.partner_lost_ms?.max),
    stall_survivor_last_ms: worst((round) => round.partner_freed_ms?.max),
    left_with_deviants: worst((round) => round.unfinished),
    server_busy: of((round) => round.server_busy),
    client_busy: of((round) => round.client_busy),
  };
}
