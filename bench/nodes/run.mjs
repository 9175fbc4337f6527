#!/usr/bin/env node
// Several nodes as one place: what that costs a pair beside one node alone, and how soon people on two of them meet.
//
//   bench/nodes/run.mjs [--visitors 9002] [--rounds 3] [--few 900] [--meetings 15] [--repeat 3] [--out FILE]
//
// All nodes and nginx share core 0, Redis and the clients core 1: so what three nodes carry is read from the CPU time of a pair, and not
// from the clock. "Spread evenly": everybody looks for everybody, and only who is left over at a node meets somebody of another.
// "In twos": everybody looks for one other person, who is at another node. Behind nginx is as deploy/ has it, without TLS, which the
// load client does not speak; what TLS costs is measured by itself. Each run has fresh servers; they take turns, back and forth,
// so that a disturbance of the machine meets all of them.
import { parseArgs } from "node:util";
import { atMost, attempt, median, ratio, report, rounded } from "../lib/results.mjs";
import { requireBuilt } from "../lib/servers.mjs";
import { doors } from "./doors.mjs";
import { pings } from "./pings.mjs";
import { storm } from "./storm.mjs";

const { values: options } = parseArgs({
  options: {
    // Three nodes get 3,001, 3,001 and 3,000 of them: somebody is left over.
    visitors: { type: "string", default: "9002" },
    rounds: { type: "string", default: "3" },
    // All in one instant: with more, nodes that share a core are late for each other, and withdraw matches.
    few: { type: "string", default: "900" },
    meetings: { type: "string", default: "15" },
    repeat: { type: "string", default: "3" },
    out: { type: "string" },
  },
});
requireBuilt();

/** `overflow_after_ms`, as docs/settings.md has it: so long a visitor is shown to nobody else. */
const OVERFLOW_AFTER_MS = 300;

const crowd = ["--visitors", options.visitors, "--rounds", options.rounds, "--connect-rate", 5000, "--settle-ms", 1000];
const few = ["--visitors", options.few, "--rounds", options.rounds, "--pool-size", 2, "--connect-rate", 5000, "--settle-ms", 500];
// Two people only, who meet again and again, each time as strangers to their own node.
const two = ["--visitors", 2, "--rounds", options.meetings, "--settle-ms", 100];
const meetAgain = ["--lobby-recent-partners", "0"];
// Else the last two of a round, if they come from the same match, would make everybody wait.
const soonAgain = ["--lobby-recent-pause-ms", "500"];
const [ALONE, WITH_REDIS, THREE, BEHIND_NGINX] = ["one node alone", "one node, Redis configured", "three nodes", "three nodes behind nginx"];
const [TWOS_ALONE, TWOS] = ["in twos, one node alone", "in twos, three nodes"];
const [NEAR, FAR] = ["two people, one node", "two people, two nodes"];
const plan = [
  { name: ALONE, nodes: 1, args: crowd, settings: soonAgain },
  { name: WITH_REDIS, nodes: 1, redis: true, args: crowd, settings: soonAgain },
  { name: THREE, nodes: 3, redis: true, args: crowd, settings: soonAgain },
  { name: BEHIND_NGINX, nodes: 3, redis: true, nginx: true, args: crowd, settings: soonAgain },
  { name: TWOS_ALONE, nodes: 1, args: few, settings: meetAgain },
  { name: TWOS, nodes: 3, redis: true, args: few, settings: meetAgain },
  { name: NEAR, nodes: 1, redis: true, args: two, settings: meetAgain },
  { name: FAR, nodes: 2, redis: true, args: two, settings: meetAgain },
].map((row) => ({ ...row, results: [] }));

for (let turn = 0; turn < Number(options.repeat); turn += 1) {
  for (const row of turn % 2 ? plan.toReversed() : plan) {
    const result = await attempt(`${row.name} (${turn + 1})`, () => storm(row));
    if (result) row.results.push(result);
  }
}
const connections = {
  ping: await attempt("pings", () => pings(Number(options.visitors))),
  nginx: await attempt("connections through nginx", doors),
};

const table = plan.map(({ name, nodes, results }) => ({ name, nodes, ...summarise(results) }));
const find = (wanted) => table.find(({ name }) => name === wanted);
const across = (of, field) => find(of)[field];
const figures = {
  cpu_with_redis_to_alone: ratio(across(WITH_REDIS, "nodes_us"), across(ALONE, "nodes_us")),
  cpu_three_nodes_to_alone: ratio(across(THREE, "nodes_us"), across(ALONE, "nodes_us")),
  cpu_three_nodes_behind_nginx_to_alone: ratio(across(BEHIND_NGINX, "nodes_us"), across(ALONE, "nodes_us")),
  cpu_in_twos_three_nodes_to_alone: ratio(across(TWOS, "nodes_us"), across(TWOS_ALONE, "nodes_us")),
  across_added_ms: added(across(FAR, "found_ms"), across(NEAR, "found_ms")),
};
const broken = [THREE, BEHIND_NGINX].map((name) => find(name).violations);
const targets = [
  atMost("storms over three nodes: promises broken (each matched exactly once)", broken.includes(undefined) ? undefined : sum(broken), 0),
  atMost("CPU of the node per pair with Redis configured, of the same without", figures.cpu_with_redis_to_alone, 1.15, "×"),
  atMost(`a match across two nodes, beyond the ${OVERFLOW_AFTER_MS} ms alone and a match on one node, median`, figures.across_added_ms, 5, "ms"),
];
console.table(table);
console.log(connections);
const command = ["bench/run nodes", ...process.argv.slice(2)].join(" ");
report("nodes", { command, out: options.out, targets, figures, table, connections, runs: plan });

/** Medians over all rounds of all runs. Microseconds of CPU are those of a pair, from the press to the last handshake. */
function summarise(results) {
  const rounds = results.flatMap((result) => result.rounds);
  const of = (pick) => rounded(median(rounds.map(pick)));
  return {
    runs: results.length,
    violations: results.length ? sum(results.map((result) => result.violations.count)) : undefined,
    nodes_us: of(({ cpu_us }) => cpu_us.nodes),
    redis_us: of(({ cpu_us }) => cpu_us.redis),
    nginx_us: of(({ cpu_us }) => cpu_us.nginx),
    // Both sides have been told.
    found_ms: of((round) => round.found_ms?.p50 && (round.pairs === 1 ? round.found_ms.max : round.found_ms.p50)),
    last_found_ms: of((round) => round.found_ms?.max),
    relay_ms: of((round) => round.relay_ms?.p50),
    // One side was told of a match to which the other node came too late: how often, for each that was made.
    withdrawn: rounded(median(rounds.map(({ one_sided, pairs }) => one_sided / pairs))),
    across_share: rounded(median(results.map(({ across_share }) => across_share))),
    redis_requests: rounded(median(results.map(({ redis_requests }) => redis_requests))),
    frames: rounded(median(results.map(({ frames }) => frames))),
  };
}

function added(far, near) {
  return far === undefined || near === undefined ? undefined : rounded(far - near - OVERFLOW_AFTER_MS);
}

function sum(numbers) {
  return numbers.reduce((all, each) => all + each, 0);
}
