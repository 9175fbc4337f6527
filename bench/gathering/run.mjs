#!/usr/bin/env node
// What it costs in time that a waiting offer gathers with the nearest relay only, and the others join at the match.
// From `partner_found` to the connection of the later side, with relays 25 ms away (each way), in one interleaved run:
//   direct, all | two steps          a direct path is there; all relays from the beginning, or as Visavis does it
//   relay, all | two steps           only relays may be used
//   blocked, waited | soon | at once only relays, and nothing comes back over UDP: after 4 s in line, 1.7 s, 0.2 s
// The visitors are two pages of one Chromium with the SDK as built, in audio chats. Each sample is a new visit.
//
//   bench/gathering/run.mjs [--samples 8] [--no-write]      after `make build`; CHROMIUM, VISAVIS_BIN name other binaries

import { createSocket } from "node:dgram";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { inTurns, newPage, quantile, within, withFrame } from "../lib/browser.mjs";
import { report, rounded } from "../lib/results.mjs";
import { farther } from "./delay.mjs";

const DELAY_MS = 25;
const BETWEEN_MS = 200;
const GIVE_UP_MS = 20_000;
const CASES = [
  { name: "direct_all", ice: "all", path: "direct", waitMs: 1_000 },
  { name: "direct_two_steps", ice: "steps", path: "direct", waitMs: 1_000 },
  { name: "relay_all", ice: "all", path: "relay", waitMs: 1_000 },
  { name: "relay_two_steps", ice: "steps", path: "relay", waitMs: 1_000 },
  { name: "blocked_waited", ice: "blocked", path: "relay", waitMs: 4_000 },
  { name: "blocked_soon", ice: "blocked", path: "relay", waitMs: 1_700 },
  { name: "blocked_at_once", ice: "blocked", path: "relay", waitMs: 200 },
];

const { values: flags } = parseArgs({
  options: { samples: { type: "string", default: "8" }, "no-write": { type: "boolean", default: false } },
});
await withFrame(import.meta.url, (frame) => main(frame, Number(flags.samples)));

async function main(frame, samples) {
  const answers = {};
  const site = await frame.serveSite(answers);
  // Both share a secret, so what one mints opens the relay of the other.
  const shared = ["--turn-secret", "bench"];
  const [near, far] = [await frame.startServer(site, shared), await frame.startServer(site, shared)];
  const relays = [await farther(near, DELAY_MS), await farther(far, DELAY_MS)];
  frame.later(() => relays.forEach((relay) => relay.close()));
  for (const [name, iceServers] of Object.entries(await configurations(frame, near, relays))) {
    answers[`ice/${name}`] = { iceServers, ttl_s: 3_600 };
  }
  const browser = await frame.startBrowser();
  const pages = [await newPage(browser, site), await newPage(browser, site)];
  const rows = await inTurns(CASES, samples, BETWEEN_MS, async ({ name, ice, path, waitMs }, round) => {
    const visit = { url: `ws://127.0.0.1:${near}/ws`, iceUrl: `${site}/ice/${ice}`, iceTransportPolicy: path === "relay" ? "relay" : "all" };
    const row = await measure(round % 2 ? pages : pages.toReversed(), visit, waitMs);
    if (row.path !== path) throw new Error(`${name}: the path was ${row.path}`);
    return row;
  });
  const cases = Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, summary(row)]));
  console.table(cases);
  if (flags["no-write"]) return;
  report("gathering", {
    command: `${process.env.VISAVIS_BIN ? "VISAVIS_BIN=target/checked/visavis " : ""}bench/gathering/run.mjs --samples ${samples}`,
    what: "milliseconds from the match to the connection of the later side; relays 25 ms away each way",
    targets: [],
    cases,
  });
}

/** Of two visitors, the first of whom waits for the other so long. */
async function measure([waiting, coming], visit, waitMs) {
  const start = (page) => page.evaluate((given) => visitor.start(given), visit);
  await start(waiting);
  await pause(waitMs);
  await start(coming);
  const connected = [waiting, coming].map((page) => page.evaluate(() => visitor.connected()));
  const sides = await within(GIVE_UP_MS, "connection", Promise.all(connected));
  await Promise.all([waiting, coming].map((page) => page.evaluate(() => visitor.end())));
  return {
    elapsedMs: Math.max(...sides.map(({ elapsedMs }) => elapsedMs)),
    setConfigurationMs: Math.max(...sides.map(({ setConfigurationMs }) => setConfigurationMs)),
    path: sides[0].path,
  };
}

function summary(row) {
  const of = (key, share) => rounded(quantile(row.map((sample) => sample[key]), share));
  return {
    samples: row.length,
    median: of("elapsedMs", 0.5),
    p10: of("elapsedMs", 0.1),
    p90: of("elapsedMs", 0.9),
    set_configuration_ms: of("setConfigurationMs", 0.5),
    paths: [...new Set(row.map(({ path }) => path))].join(", "),
  };
}

/** The same relays in three answers: in one entry, in two, and with a nearest one that never answers over UDP. */
async function configurations(frame, server, [near, far]) {
  const minted = await (await fetch(`http://127.0.0.1:${server}/api/ice`)).json();
  const { username, credential } = minted.iceServers[0];
  const silent = createSocket("udp4");
  await new Promise((resolve) => silent.bind(0, "127.0.0.1", resolve));
  frame.later(() => silent.close());
  const url = (port, transport) => `turn:127.0.0.1:${port}?transport=${transport}`;
  const entries = (...lists) => lists.map((urls) => ({ urls, username, credential }));
  const rest = [url(near.tcp, "tcp"), url(far.udp, "udp")];
  const dead = url(silent.address().port, "udp");
  return {
    all: entries([url(near.udp, "udp"), ...rest]),
    steps: entries([url(near.udp, "udp")], rest),
    blocked: entries([dead], [url(near.tcp, "tcp"), dead]),
  };
}
