#!/usr/bin/env node
// What it costs in time that a waiting offer gathers with the nearest relay only, and the others join at the match.
// From `partner_found` to the connection of the later side, with relays 25 ms away (each way), in one interleaved run:
//   direct, all | two steps          a direct path is there; all relays from the beginning, or as Visavis does it
//   relay, all | two steps           only relays may be used
//   blocked, waited | soon | at once only relays, and nothing comes back over UDP: after 4 s in line, 1.7 s, 0.2 s
// The visitors are two pages of one Chromium with the SDK as built, in audio chats. Each sample is a new visit.
//
//   bench/gathering/run.mjs [--samples 8] [--no-write]      after `make build`; CHROMIUM, VISAVIS_BIN name other binaries

import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { report } from "../lib/results.mjs";
import { farther } from "./delay.mjs";

const ROOT = new URL("../../", import.meta.url);
const VISAVIS = process.env.VISAVIS_BIN ?? fileURLToPath(new URL("target/release/visavis", ROOT));
const DELAY_MS = 25;
const GIVE_UP_MS = 20_000;
const CASES = [
  { name: "direct_all", ice: "all", policy: "all", waitMs: 1_000 },
  { name: "direct_two_steps", ice: "steps", policy: "all", waitMs: 1_000 },
  { name: "relay_all", ice: "all", policy: "relay", waitMs: 1_000 },
  { name: "relay_two_steps", ice: "steps", policy: "relay", waitMs: 1_000 },
  { name: "blocked_waited", ice: "blocked", policy: "relay", waitMs: 4_000 },
  { name: "blocked_soon", ice: "blocked", policy: "relay", waitMs: 1_700 },
  { name: "blocked_at_once", ice: "blocked", policy: "relay", waitMs: 200 },
];

const { values: flags } = parseArgs({
  options: { samples: { type: "string", default: "8" }, "no-write": { type: "boolean", default: false } },
});
const undo = [];
try {
  await main(Number(flags.samples));
} finally {
  for (const step of undo.reverse()) await step();
}

async function main(samples) {
  const answers = {};
  const site = await serveSite(answers);
  const [near, far] = [await startServer(site), await startServer(site)];
  const relays = [await farther(near, DELAY_MS), await farther(far, DELAY_MS)];
  undo.push(() => relays.forEach((relay) => relay.close()));
  Object.assign(answers, await configurations(near, relays));
  const browser = await startBrowser();
  const pages = [await newPage(browser, site), await newPage(browser, site)];
  const rows = Object.fromEntries(CASES.map(({ name }) => [name, []]));
  for (let round = 0; round <= samples; round += 1) {
    for (const { name, ice, policy, waitMs } of CASES) {
      const visit = { url: `ws://127.0.0.1:${near}/ws`, iceUrl: `${site}/ice/${ice}`, iceTransportPolicy: policy };
      const row = await measure(round % 2 ? pages : pages.toReversed(), visit, waitMs);
      // The first round only warms up.
      if (round > 0) rows[name].push(row);
      await pause(200);
    }
    process.stderr.write(`\rround ${round} of ${samples}`);
  }
  process.stderr.write("\n");
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
  const late = pause(GIVE_UP_MS, undefined, { ref: false }).then(() => Promise.reject(new Error("no connection")));
  const sides = await Promise.race([
    Promise.all([waiting, coming].map((page) => page.evaluate(() => visitor.connected()))),
    late,
  ]);
  await Promise.all([waiting, coming].map((page) => page.evaluate(() => visitor.end())));
  return {
    elapsedMs: Math.max(...sides.map(({ elapsedMs }) => elapsedMs)),
    setConfigurationMs: Math.max(...sides.map(({ setConfigurationMs }) => setConfigurationMs)),
    path: sides[0].path,
  };
}

function summary(row) {
  const quantile = (key, share) => {
    const sorted = row.map((sample) => sample[key]).toSorted((a, b) => a - b);
    return Math.round(sorted[Math.round(share * (sorted.length - 1))] * 10) / 10;
  };
  return {
    samples: row.length,
    median: quantile("elapsedMs", 0.5),
    p10: quantile("elapsedMs", 0.1),
    p90: quantile("elapsedMs", 0.9),
    set_configuration_ms: quantile("setConfigurationMs", 0.5),
    paths: [...new Set(row.map(({ path }) => path))].join(", "),
  };
}

/** The same relays in three answers: in one entry, in two, and with a nearest one that never answers over UDP. */
async function configurations(server, [near, far]) {
  const minted = await (await fetch(`http://127.0.0.1:${server}/api/ice`)).json();
  const { username, credential } = minted.iceServers[0];
  const silent = createSocket("udp4");
  await new Promise((resolve) => silent.bind(0, "127.0.0.1", resolve));
  undo.push(() => silent.close());
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

/** The bench page, the SDK and the answers; the pages' origin is this one, so the server is told to allow it. */
async function serveSite(answers) {
  const site = createServer((request, response) => {
    const path = new URL(request.url, "http://localhost").pathname.slice(1);
    const ice = path.startsWith("ice/") ? answers[path.slice(4)] : undefined;
    if (ice) {
      response.writeHead(200, { "content-type": "application/json" });
      return response.end(JSON.stringify({ iceServers: ice, ttl_s: 3_600 }));
    }
    const file = path.startsWith("sdk/")
      ? new URL(`web/sdk/dist/${path.slice(4)}`, ROOT)
      : new URL(path, new URL("./", import.meta.url));
    if (!existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": path.endsWith(".html") ? "text/html" : "text/javascript" });
    response.end(readFileSync(file));
  });
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  undo.push(() => {
    site.close();
    site.closeAllConnections();
  });
  return `http://127.0.0.1:${site.address().port}`;
}

/** Both share a secret, so what one mints opens the relay of the other. */
async function startServer(site) {
  const state = mkdtempSync(join(tmpdir(), "visavis-bench-"));
  const rules = ["--allow-origin", site, "--limits-exempt", "127.0.0.0/8", "--turn-secret", "bench", "--state-dir", state];
  const server = spawn(VISAVIS, ["--listen", "127.0.0.1:0", ...rules], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise((resolve) => server.on("exit", resolve));
  undo.push(async () => {
    server.kill("SIGINT");
    await ended;
    rmSync(state, { recursive: true, force: true });
  });
  return new Promise((resolve, reject) => {
    let said = "";
    server.stderr.on("data", (bytes) => {
      said += bytes;
      const port = /listening on http:\S+:(\d+)/.exec(said)?.[1];
      if (port) resolve(Number(port));
    });
    void ended.then(() => reject(new Error(`the server ended: ${said}`)));
  });
}

async function startBrowser() {
  const { chromium } = createRequire(new URL("web/e2e/package.json", ROOT))("playwright-core");
  const quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
  const fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--headless", ...quiet, ...fake],
  });
  undo.push(() => browser.close());
  return browser;
}

async function newPage(browser, site) {
  const page = await (await browser.newContext()).newPage();
  page.on("pageerror", (error) => console.error(error));
  await page.goto(`${site}/page.html`);
  return page;
}
