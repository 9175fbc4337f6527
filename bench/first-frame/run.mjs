#!/usr/bin/env node
// How long after the match do two strangers see each other? One interleaved run of
//   floor     two RTCPeerConnections in one page, everything made in that moment (offer, answer, trickle)
//   ready     the same with connections, tracks and offer made before; for information
//   ticket    Visavis: the offer waits in the ticket, `partner_found` carries it
//   classic   Visavis with `offerOrder: "classic"`: connection and offer are made after the match
// on loopback, and the last two again with a server 50 ms away (each way; the two visitors stay direct).
//
// Match: `partner_found` comes out of the server, on the clock of this process, which is also the proxy that stands
// between server and visitors in every case (0 or 50 ms). First frame: requestVideoFrameCallback gives it, decoded, on
// the *later* of the two sides; its `presentationTime` counts. The visitors are two pages of one Chromium with the SDK as
// built and their cameras on; the first waits 1 s with its ticket, then the other comes. Each sample is a new visit.
//
//   bench/first-frame/run.mjs [--samples 30] [--no-write]      after `make build`; CHROMIUM, VISAVIS_BIN name other binaries

import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, getPriority, loadavg, release } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { inTurns, newPage, quantile, within, withFrame } from "../lib/browser.mjs";
import { root, visavis } from "../lib/servers.mjs";
import { plot } from "./plot.mjs";
import { startProxy } from "./proxy.mjs";

const WAIT_MS = 1_000;
const BETWEEN_MS = 300;
const GIVE_UP_MS = 15_000;
// Told of the match; the answer made, and come; checks passed; DTLS done; all packets of the first picture; the picture.
const MARKS = ["told", "answered", "answerCame", "ice", "connected", "received", "frame"];
const CASES = [
  { name: "floor" },
  { name: "ready" },
  { name: "ticket", offerOrder: "ticket", delayMs: 0 },
  { name: "classic", offerOrder: "classic", delayMs: 0 },
  { name: "ticket_50", offerOrder: "ticket", delayMs: 50 },
  { name: "classic_50", offerOrder: "classic", delayMs: 50 },
];

const { values: flags } = parseArgs({
  options: { samples: { type: "string", default: "30" }, "no-write": { type: "boolean", default: false } },
});
await withFrame(import.meta.url, (frame) => main(frame, Number(flags.samples)));

async function main(frame, samples) {
  const site = await frame.serveSite({ "ice.json": { iceServers: [], ttl_s: 21_600 } });
  const port = await frame.startServer(site);
  const matches = [];
  const onMatch = (atMs) => matches.push(atMs);
  const proxies = new Map();
  for (const delayMs of [0, 50]) {
    const proxy = await startProxy({ port, delayMs, onMatch });
    frame.later(() => proxy.close());
    proxies.set(delayMs, `ws://127.0.0.1:${proxy.port}/ws`);
  }
  const browser = await frame.startBrowser();
  const pages = [];
  for (let n = 0; n < 3; n += 1) pages.push(await newVisitor(browser, site));
  const [first, second, alone] = pages;

  const rows = await inTurns(CASES, samples, BETWEEN_MS, ({ name, offerOrder, delayMs }, round) => {
    matches.length = 0;
    const meet = { url: proxies.get(delayMs), offerOrder };
    return offerOrder
      ? measureVisit(round % 2 ? [first, second] : [second, first], meet, matches)
      : measureFloor(alone, name === "ready");
  });

  const result = report(rows, samples, browser.version());
  print(result);
  if (flags["no-write"]) return;
  for (const folder of ["bench/results", "docs/plots"]) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, "bench/results/first-frame.json"), `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(join(root, "docs/plots/first-frame.svg"), plot(result));
}

/** Milliseconds from the match to each mark, of the later side where both have it. */
async function measureVisit([waiting, coming], meet, matches) {
  const start = (page) => page.evaluate((given) => visitor.start(given), meet);
  await start(waiting);
  await pause(WAIT_MS);
  await start(coming);
  const seen = await within(GIVE_UP_MS, "picture", Promise.all([waiting, coming].map(seenBy)));
  await Promise.all([waiting, coming].map((page) => page.evaluate(() => visitor.end())));
  if (matches.length !== 2) throw new Error(`${matches.length} partner_found for one match`);
  const match = Math.min(...matches);
  const latest = (mark) => Math.max(...seen.flatMap((side) => side[mark] ?? [])) - match;
  return Object.fromEntries(MARKS.map((mark) => [mark, latest(mark)]));
}

async function seenBy(page) {
  const marks = await page.evaluate(() => visitor.seen());
  return Object.fromEntries(Object.entries(marks).map(([mark, atMs]) => [mark, atMs + page.clock]));
}

async function measureFloor(page, ready) {
  const measured = page.evaluate((given) => floor(given), { ready });
  const { match, seen } = await within(GIVE_UP_MS, "picture", measured);
  const latest = (mark) => Math.max(...seen.map((side) => side[mark])) - match;
  return { received: latest("received"), frame: latest("frame") };
}

/** `clock` is what turns the page's time into ours. */
async function newVisitor(browser, site) {
  const page = await newPage(browser, site);
  const camera = await page.evaluate(() => warmUp());
  if (!camera.visible || camera.width !== 640)
    throw new Error(`not a page to measure: ${JSON.stringify(camera)}`);
  let shortest = Infinity;
  for (let i = 0; i < 50; i += 1) {
    const asked = performance.now();
    const theirs = await page.evaluate(() => performance.now());
    const took = performance.now() - asked;
    if (took < shortest) [shortest, page.clock] = [took, asked + took / 2 - theirs];
  }
  return page;
}

// --- what comes of it -------------------------------------------------------------------------------

function report(rows, samples, chromium) {
  const cases = Object.fromEntries(
    Object.entries(rows).map(([name, row]) => [
      name,
      Object.fromEntries(
        Object.keys(row[0]).map((mark) => [mark, summary(row.map((sample) => sample[mark]))]),
      ),
    ]),
  );
  const rounds = (a, b) => rows[a].map(({ frame }, round) => frame / rows[b][round].frame);
  // Of the medians, and the median of each round's own ratio: what else the machine did then, both of a round met.
  const ratio = (a, b) => ({
    value: Number((cases[a].frame.median / cases[b].frame.median).toFixed(3)),
    of_each_round: Number(quantile(rounds(a, b), 0.5).toFixed(3)),
  });
  return {
    what: "milliseconds from the match to the first decoded frame of the later of the two sides",
    command: `bench/first-frame/run.mjs --samples ${samples}`,
    samples,
    versions: {
      visavis: execFileSync(visavis, ["--version"], { encoding: "utf8" }).trim(),
      commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root, encoding: "utf8" }).trim(),
      chromium,
      node: process.versions.node,
    },
    machine: {
      cores: cpus().length,
      kernel: release().split("-")[0],
      load: Number(loadavg()[0].toFixed(2)),
      priority: getPriority(),
    },
    ratios: {
      ticket_to_floor: { ...ratio("ticket", "floor"), aim: 0.9 },
      ticket_to_classic: ratio("ticket", "classic"),
      ticket_to_classic_50: { ...ratio("ticket_50", "classic_50"), aim: 0.75 },
    },
    cases,
  };
}

function summary(values) {
  const [median, p10, p90] = [0.5, 0.1, 0.9].map((share) => Math.round(quantile(values, share)));
  return { median, p10, p90 };
}

function print({ cases, ratios }) {
  for (const [name, marks] of Object.entries(cases)) {
    const all = Object.entries(marks).map(
      ([mark, { median, p10, p90 }]) => `${mark} ${median} (${p10}–${p90})`,
    );
    console.log(`${name.padEnd(11)} ${all.join("  ")}`);
  }
  for (const [name, { value, of_each_round, aim }] of Object.entries(ratios)) {
    console.log(`${name} ${value}, of each round ${of_each_round}${aim ? ` (aim ≤ ${aim})` : ""}`);
  }
}
