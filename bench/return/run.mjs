#!/usr/bin/env node
// Nine thousand people in calls lose their sockets in the same instant: is everybody back in the match of before?
//
//   bench/return/run.mjs [--visitors 9000] [--addresses 200] [--out FILE]
//
// Twice: the sockets are cut and the server lives on (10 s of grace), and the server is killed and started again (30 s for
// half a pair). The server has its default limits, all of them; visitors come from 200 addresses and come back as the SDK
// does, by token. Then everybody says something that the stranger of before must hear.
import { parseArgs } from "node:util";
import { atLeast, atMost, report } from "../lib/results.mjs";
import { ending, requireBuilt, runLoad, startVisavis, stop, withDirectory } from "../lib/servers.mjs";

const { values: options } = parseArgs({
  options: {
    visitors: { type: "string", default: "9000" },
    addresses: { type: "string", default: "200" },
    out: { type: "string" },
  },
});
requireBuilt();

const crowd = ["--visitors", options.visitors, "--source-addresses", options.addresses, "--connect-rate", 10_000];
const herd = ["--scenario", "herd", "--seconds", 60];

const cut = await withDirectory(async (stateDir) => {
  const server = await startVisavis({ stateDir, exempt: false });
  try {
    return await runLoad(server.url, [...crowd, ...herd]);
  } finally {
    await stop(server);
  }
});

const restarted = await withDirectory(async (stateDir) => {
  const first = await startVisavis({ stateDir, exempt: false });
  let second;
  const again = ending(first.child).then(async () => {
    second = await startVisavis({ stateDir, exempt: false, listen: first.address });
  });
  try {
    const loaded = await runLoad(first.url, [...crowd, ...herd, "--herd-command", `kill -9 ${first.child.pid}`]);
    await again;
    return loaded;
  } finally {
    await stop(first);
    if (second) await stop(second);
  }
});

const of = (what, result, graceS) => [
  atLeast(`${what}: resumed`, result.herd?.resumed_share, 1),
  atLeast(`${what}: heard by the stranger of before`, result.herd?.heard_by_partner_share, 1),
  atMost(`${what}: the last one is back`, result.herd?.back_s, graceS, "s"),
  atMost(`${what}: promises broken`, result.violations.count, 0),
];
const targets = [
  ...of(`${options.visitors} in calls from ${options.addresses} addresses, all sockets cut`, cut, 10),
  ...of("the same, server killed and started again", restarted, 30),
];
const command = ["bench/run return", ...process.argv.slice(2)].join(" ");
report("return", { command, out: options.out, targets, cut, restarted });
