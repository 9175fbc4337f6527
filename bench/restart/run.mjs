#!/usr/bin/env node
// Ten thousand people in calls, and the server is killed: who is back, how soon, and with the same stranger?
//
//   bench/restart/run.mjs [--visitors 10000] [--away-ms 1000] [--out FILE]
//
// The server has its default bounds; who comes back by a token does not wait at the door. Visitors come from 40 addresses, 250 of each. They
// come back as the SDK does, by token, and then everybody says something that the stranger of before must hear.
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { atLeast, atMost, report } from "../lib/results.mjs";
import { ending, requireBuilt, runLoad, startVisavis, stop, withDirectory } from "../lib/servers.mjs";

const { values: options } = parseArgs({
  options: {
    visitors: { type: "string", default: "10000" },
    "away-ms": { type: "string", default: "1000" },
    out: { type: "string" },
  },
});
requireBuilt();

const result = await withDirectory(async (stateDir) => {
  const first = await startVisavis({ stateDir, exempt: false });
  let second;
  const restarted = ending(first.child).then(async () => {
    await pause(Number(options["away-ms"]));
    second = await startVisavis({ stateDir, exempt: false, listen: first.address });
  });
  try {
    const crowd = ["--visitors", options.visitors, "--source-addresses", 40, "--connect-rate", 10_000];
    const kill = ["--scenario", "herd", "--seconds", 60, "--herd-command", `kill -9 ${first.child.pid}`];
    const loaded = await runLoad(first.url, [...crowd, ...kill]);
    await restarted;
    return loaded;
  } finally {
    await stop(first);
    if (second) await stop(second);
  }
});

const targets = [
  atMost(`${options.visitors} in calls, kill -9: the last one is back`, result.herd?.back_s, 30, "s"),
  atLeast("of them resumed and heard by the stranger of before", result.herd?.heard_by_partner_share, 0.999),
  atMost("promises broken", result.violations.count, 0),
];
const command = ["bench/run restart", ...process.argv.slice(2)].join(" ");
report("restart", { command, out: options.out, targets, result });
