#!/usr/bin/env node
// What a relayed packet costs: the embedded relay beside coturn, the same load in the same run.
//
//   bench/relay/run.mjs [--seconds 3] [--repeat 5] [--bytes 1000] [--out FILE]
//
// Under each load the relays take turns, back and forth, so that a disturbance of the machine meets both; each run has a fresh
// relay and is warmed up. Every ratio is of two runs that followed each other; what counts is the median of the rounds, and the lowest
// and highest are in the data, too. "Paced": packet after packet, and eight packets of one flow at a time (as those of a
// video frame); nothing may be lost there. "Saturated": 64 packets under way all the time. Takes about five minutes.
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { atMost, attempt, median, ratio, report, rounded } from "../lib/results.mjs";
import { withDirectory } from "../lib/servers.mjs";
import { coturnVersion, measure, RELAYS, requireRelays } from "./relays.mjs";

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    repeat: { type: "string", default: "5" },
    bytes: { type: "string", default: "1000" },
    out: { type: "string" },
  },
});
requireRelays();
const [loadBefore] = loadavg().map(rounded);

const [FEW, MANY] = [20, 400];
const LOADS = [
  { load: "paced, packet after packet", paced: true, args: ["--rate", "50000"] },
  { load: "paced, eight at a time", paced: true, args: ["--rate", "80000", "--burst", "8"] },
  { load: "saturated", paced: false, args: ["--rate", "0"] },
];
const rows = LOADS.flatMap((how) =>
  [FEW, MANY].flatMap((clients) => RELAYS.map((relay) => ({ relay, clients, ...how, results: [] }))),
);
const common = ["--bytes", options.bytes, "--seconds", options.seconds, "--warmup-seconds", "0.5"];

await withDirectory(async (directory) => {
  // The first run on a machine that has slept is like no other.
  await attempt("to warm up", () => measure("visavis", directory, ["--clients", FEW, "--seconds", "1"]));
  for (let round = 0; round < Number(options.repeat); round += 1) {
    for (const row of round % 2 ? rows.toReversed() : rows) {
      const { relay, clients, load, args, results } = row;
      const run = () => measure(relay, directory, ["--clients", clients, ...common, ...args]);
      // A run that failed leaves a hole, so that rounds stay side by side.
      results[round] = await attempt(`${relay}: ${clients} clients, ${load} (${round + 1})`, run);
    }
  }
});

const CPU = "relay_cpu_us_per_packet";
const done = ({ results }) => results.filter((result) => result !== undefined);
const sum = (row, field) => done(row).reduce((total, result) => total + result[field], 0);
const middle = (row, field) => rounded(median(done(row).map((result) => result[field])));
const find = (relay, clients, load) => rows.find((row) => row.relay === relay && row.clients === clients && row.load === load);

const table = rows.map((row) => ({
  relay: row.relay,
  clients: row.clients,
  load: row.load,
  [CPU]: middle(row, CPU),
  spread: spread(done(row).map((result) => result[CPU])),
  packets_per_s: middle(row, "packets_per_s"),
  loss_percent: rounded((100 * sum(row, "lost")) / Math.max(1, sum(row, "sent"))),
  wrong: sum(row, "wrong"),
  delay_us_p50: middle(row, "delay_us_p50"),
  delay_us_p99: middle(row, "delay_us_p99"),
  relay_busy_percent: middle(row, "relay_busy_percent"),
  load_busy_percent: middle(row, "load_busy_percent"),
  relay_waited_percent: middle(row, "relay_waited_percent"),
  load_waited_percent: middle(row, "load_waited_percent"),
}));
const toCoturn = LOADS.flatMap(({ load }) =>
  [FEW, MANY].map((clients) => ({ clients, load, ...ofRounds(find("visavis", clients, load), find("coturn", clients, load)) })),
);
const growth = LOADS.flatMap(({ load }) =>
  RELAYS.map((relay) => ({ relay, load, ...ofRounds(find(relay, MANY, load), find(relay, FEW, load)) })),
);

/** The ratio of what a packet costs, round by round. */
function ofRounds(ours, theirs) {
  const ratios = ours.results.map((result, round) => ratio(result?.[CPU], theirs.results[round]?.[CPU]));
  const known = ratios.filter((value) => value !== undefined);
  return { ratio: rounded(median(known)), spread: spread(known) };
}

/** The lowest and the highest. */
function spread(values) {
  return values.length > 0 ? [Math.min(...values), Math.max(...values)] : null;
}

const ours = rows.filter(({ relay }) => relay === "visavis");
const paced = ours.filter((row) => row.paced);
const lost =
  (100 * paced.reduce((total, row) => total + sum(row, "lost"), 0)) / paced.reduce((total, row) => total + sum(row, "sent"), 0);
const targets = [
  ...toCoturn.map((of) => atMost(`CPU of a relayed packet, ${of.clients} clients, ${of.load}, of coturn's`, of.ratio, 0.9, "×")),
  ...growth
    .filter(({ relay }) => relay === "visavis")
    .map((of) => atMost(`the same with ${MANY} clients, ${of.load}, of that with ${FEW}`, of.ratio, 1.1, "×")),
  atMost("lost of the paced packets", Number.isNaN(lost) ? undefined : lost, 0, "%"),
  atMost(
    "packets that came out elsewhere or damaged",
    ours.reduce((total, row) => total + sum(row, "wrong"), 0),
    0,
  ),
];
console.table(
  table.map((row) => ({
    relay: row.relay,
    clients: row.clients,
    load: row.load,
    "µs/packet": row[CPU],
    "packets/s": row.packets_per_s,
    "loss %": row.loss_percent,
    "delay µs": row.delay_us_p50,
    "busy %": row.relay_busy_percent,
    "waited %": row.relay_waited_percent,
  })),
);
console.log(`the machine's load before: ${loadBefore}; more than about 0.3, and it was not quiet`);
report("relay", {
  command: ["bench/run relay", ...process.argv.slice(2)].join(" "),
  out: options.out,
  coturn: coturnVersion(),
  load_average_before: loadBefore,
  targets,
  cpu_to_coturn: toCoturn,
  cpu_of_400_to_20_clients: growth,
  table,
  runs: rows.map(({ relay, clients, load, args, results }) => ({ relay, clients, load, args, results })),
});
