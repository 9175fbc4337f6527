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

import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { cpus, getPriority, loadavg, release } from "node:os";
import { extname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { plot } from "./plot.mjs";
import { startProxy } from "./proxy.mjs";

const ROOT = new URL("../../", import.meta.url);
const HERE = new URL("./", import.meta.url);
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const VISAVIS = process.env.VISAVIS_BIN ?? fileURLToPath(new URL("target/release/visavis", ROOT));
const WAIT_MS = 1_000;
const BETWEEN_MS = 300;
const GIVE_UP_MS = 15_000;
const CHROMIUM_FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];
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
const undo = [];
try {
  await main(Number(flags.samples));
} finally {
  for (const step of undo.reverse()) await step();
}

async function main(samples) {
  for (const needed of [VISAVIS, fileURLToPath(new URL("web/sdk/dist/index.js", ROOT))]) {
    if (!existsSync(needed)) throw new Error(`${needed} is missing: run \`make build\` first`);
  }
  const site = await serveSite();
  const port = await startServer(site);
  const matches = [];
  const onMatch = (atMs) => matches.push(atMs);
  const proxies = new Map();
  for (const delayMs of [0, 50]) {
    const proxy = await startProxy({ port, delayMs, onMatch });
    undo.push(() => proxy.close());
    proxies.set(delayMs, `ws://127.0.0.1:${proxy.port}/ws`);
  }
  const browser = await startBrowser();
  const [first, second, alone] = [
    await newPage(browser, site),
    await newPage(browser, site),
    await newPage(browser, site),
  ];

  const rows = Object.fromEntries(CASES.map(({ name }) => [name, []]));
  // The first round only warms up: code is compiled, codecs are loaded.
  for (let round = 0; round <= samples; round += 1) {
    for (const { name, offerOrder, delayMs } of CASES) {
      matches.length = 0;
      const meet = { url: proxies.get(delayMs), offerOrder };
      const row = offerOrder
        ? await measureVisit(round % 2 ? [first, second] : [second, first], meet, matches)
        : await measureFloor(alone, name === "ready");
      if (round > 0) rows[name].push(row);
      await pause(BETWEEN_MS);
    }
    process.stderr.write(`\rround ${round} of ${samples}`);
  }
  process.stderr.write("\n");

  const result = report(rows, samples, browser.version());
  print(result);
  if (flags["no-write"]) return;
  mkdirSync(new URL("bench/results/", ROOT), { recursive: true });
  mkdirSync(new URL("docs/plots/", ROOT), { recursive: true });
  writeFileSync(new URL("bench/results/first-frame.json", ROOT), `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(new URL("docs/plots/first-frame.svg", ROOT), plot(result));
}

/** Milliseconds from the match to each mark, of the later side where both have it. */
async function measureVisit([waiting, coming], meet, matches) {
  const start = (page) => page.evaluate((given) => visitor.start(given), meet);
  await start(waiting);
  await pause(WAIT_MS);
  await start(coming);
  const seen = await within(GIVE_UP_MS, Promise.all([waiting, coming].map(seenBy)));
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
  const { match, seen } = await within(
    GIVE_UP_MS,
    page.evaluate((given) => floor(given), { ready }),
  );
  const latest = (mark) => Math.max(...seen.map((side) => side[mark])) - match;
  return { received: latest("received"), frame: latest("frame") };
}

function within(ms, promise) {
  const late = pause(ms, undefined, { ref: false }).then(() => {
    throw new Error(`no picture after ${ms} ms`);
  });
  return Promise.race([promise, late]);
}

// --- what is around it ------------------------------------------------------------------------------

/** The bench page and the SDK; the pages' origin is this one, so the server is told to allow it. */
async function serveSite() {
  const types = { ".html": "text/html", ".mjs": "text/javascript", ".js": "text/javascript" };
  const site = createServer((request, response) => {
    const path = new URL(request.url, "http://localhost").pathname.slice(1);
    const file = path.startsWith("sdk/")
      ? new URL(`web/sdk/dist/${path.slice(4)}`, ROOT)
      : new URL(path, HERE);
    const ice = path === "ice.json";
    if (!ice && !existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, {
      "content-type": ice ? "application/json" : (types[extname(path)] ?? "text/plain"),
    });
    response.end(ice ? '{"iceServers":[],"ttl_s":21600}' : readFileSync(file));
  });
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  undo.push(() => {
    site.close();
    site.closeAllConnections();
  });
  return `http://127.0.0.1:${site.address().port}`;
}

function startServer(site) {
  const rules = ["--allow-origin", site, "--limits-exempt", "127.0.0.0/8", "--log-level", "info"];
  const server = spawn(VISAVIS, ["--listen", "127.0.0.1:0", ...rules], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise((resolve) => server.on("exit", resolve));
  undo.push(async () => {
    server.kill();
    await ended;
  });
  return new Promise((resolve, reject) => {
    let said = "";
    server.stderr.on("data", (bytes) => {
      said += bytes;
      const port = /listening on \S+:(\d+)/.exec(said)?.[1];
      if (port) resolve(Number(port));
    });
    void ended.then(() => reject(new Error(`the server ended: ${said}`)));
  });
}

async function startBrowser() {
  const { chromium } = createRequire(new URL("web/e2e/package.json", ROOT))("playwright-core");
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_FLAGS });
  undo.push(() => browser.close());
  return browser;
}

/** Each page is a visitor of its own. `clock` is what turns its time into ours. */
async function newPage(browser, site) {
  const page = await (await browser.newContext()).newPage();
  page.on("pageerror", (error) => console.error(error));
  await page.goto(`${site}/page.html`);
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
      visavis: execFileSync(VISAVIS, ["--version"], { encoding: "utf8" }).trim(),
      commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: ROOT, encoding: "utf8" }).trim(),
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

function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return low + (high - low) * (place % 1);
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
