#!/usr/bin/env -S node --experimental-websocket --no-warnings
// What breaks when several nodes act as one place, broken on purpose: `make chaos`.
//
//   bench/chaos/run.mjs [--only storm,kill,redis,empty,partition,pause,rolling] [--visitors 1500] [--short] [--out FILE]
//
// Three nodes, Redis, nginx, the load client; every pairing is checked from outside, as in a storm. What is played replaces what
// the result knew of the same scenario, and leaves the others. --short makes outages of 3 s and small crowds, and is written
// only where --out says.
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { atMost, attempt, report, rounded } from "../lib/results.mjs";
import { requireBuilt, root, withDirectory } from "../lib/servers.mjs";
import { Place } from "./place.mjs";
import { scenarios, targetsOf } from "./scenarios.mjs";

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    visitors: { type: "string", default: "1500" },
    short: { type: "boolean", default: false },
    out: { type: "string" },
  },
});
requireBuilt();

const all = scenarios({ brief: options.short, visitors: Number(options.visitors) });
const wanted = options.only?.split(",") ?? Object.keys(all);
const unknown = wanted.find((key) => !all[key]);
if (unknown) {
  console.error(`chaos: --only: no scenario is called ${unknown}; there are ${Object.keys(all).join(", ")}`);
  process.exit(2);
}
const out = options.out ?? (options.short ? null : "bench/results/chaos.json");
const command = ["bench/chaos/run.mjs", ...process.argv.slice(2)].join(" ");

const played = {};
for (const [index, key] of wanted.entries()) {
  const { name, seconds } = all[key];
  const began = Date.now();
  const figures = await attempt(`${index + 1} of ${wanted.length}: ${name} (about ${seconds + 5} s)`, () =>
    withDirectory(async (directory) => {
      const place = await Place.open(directory);
      try {
        return await all[key].play(place);
      } finally {
        await place.close();
      }
    }),
  );
  for (const each of figures?.listed ?? []) console.error(`chaos: ${key}: ${each}`);
  const targets = figures ? targetsOf(name, figures) : [atMost(`${name}: could not be played`, undefined, 0)];
  for (const { met, name: what, value } of targets) if (!met) console.error(`chaos: MISSED ${what}: ${value ?? "not measured"}`);
  const took = Math.round((Date.now() - began) / 1_000);
  played[key] = { name, command, made: new Date().toISOString().slice(0, 10), seconds: took, targets, figures };
}

const before = out && existsSync(resolve(root, out)) ? JSON.parse(readFileSync(resolve(root, out), "utf8")).scenarios : {};
const known = { ...before, ...played };
const shown = Object.fromEntries(Object.keys(all).filter((key) => known[key]).map((key) => [key, known[key]]));
const table = Object.values(shown).map(row);
console.table(table);
const targets = Object.values(shown).flatMap((scenario) => scenario.targets);
const commands = [...new Set(Object.values(shown).map((scenario) => scenario.command))];
if (out) report("chaos", { command: commands.join("; "), out, targets, table, scenarios: shown });
process.exitCode = Object.values(played).some((scenario) => scenario.targets.some(({ met }) => !met)) ? 1 : 0;

/** One line of the table; what is empty has no meaning there. */
function row({ name, seconds, targets, figures }) {
  const cell = (value) => (value === undefined || value === null ? "" : rounded(value));
  const { broken, local, noticed_s, requeued_s, back_s, converged_s, stranded_s, calls_dropped } = figures ?? {};
  return {
    what: name,
    broken: cell(broken),
    "local: met": cell(local?.met),
    "local: failed": cell(local?.failed),
    "local: worst ms": cell(local?.worst_ms),
    "noticed s": cell(noticed_s),
    "requeued s": cell(requeued_s),
    "back s": cell(back_s),
    "all meet s": cell(converged_s),
    "stranded met s": cell(stranded_s),
    "calls dropped": cell(calls_dropped),
    seconds,
    met: targets.every(({ met }) => met) ? "yes" : "NO",
  };
}
