// Lighthouse's four scores for the landing and the chat page, as a phone (its default: throttled) and as a desktop, of
// the release binary on a free port. Each is the median of a few runs, because `performance` depends on what
// else the machine does. Ends with 1 if any is below 95.
//
//   bench/lighthouse/run [--runs 3] [--no-write]      after `make build`; CHROMIUM, VISAVIS_BIN name other binaries

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { cpus, getPriority, loadavg, release } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const ROOT = new URL("../../", import.meta.url);
const LIGHTHOUSE = fileURLToPath(new URL("node_modules/lighthouse/cli/index.js", import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const VISAVIS = process.env.VISAVIS_BIN ?? fileURLToPath(new URL("target/release/visavis", ROOT));
const PAGES = ["/", "/chat"];
const DEVICES = { mobile: [], desktop: ["--preset=desktop"] };
const LEAST = 95;
const CHROMIUM_FLAGS =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking " +
  "--disable-component-update --disable-sync";

const { values: flags } = parseArgs({
  options: { runs: { type: "string", default: "3" }, "no-write": { type: "boolean", default: false } },
});
if (!existsSync(VISAVIS)) throw new Error(`${VISAVIS} is missing: run \`make build\` first`);
const server = spawn(VISAVIS, ["--listen", "127.0.0.1:0"], { stdio: ["ignore", "ignore", "pipe"] });
try {
  const failed = measure(await address(server), Number(flags.runs));
  process.exitCode = failed ? 1 : 0;
} finally {
  server.kill();
}

function measure(origin, runs) {
  const rows = [];
  let versions = {};
  for (const page of PAGES) {
    for (const [device, preset] of Object.entries(DEVICES)) {
      const reports = Array.from({ length: runs }, () => lighthouse(origin + page, preset));
      // What Lighthouse thinks of this machine's speed in that moment; below about 1,000 the phone is slower than meant.
      const benchmark_index = Math.round(
        median(reports.map(({ environment }) => environment.benchmarkIndex)),
      );
      const row = {
        page,
        device,
        scores: scores(reports),
        metrics: metrics(reports),
        below: below(reports),
        benchmark_index,
      };
      rows.push(row);
      console.log(
        `${page.padEnd(6)} ${device.padEnd(8)} ${JSON.stringify(row.scores)} benchmark index ${benchmark_index}`,
      );
      for (const { audit, shown } of row.below) console.log(`       ${audit}${shown ? `: ${shown}` : ""}`);
      versions = {
        visavis: execFileSync(VISAVIS, ["--version"], { encoding: "utf8" }).trim(),
        lighthouse: reports[0].lighthouseVersion,
        chromium: /Chrome\/([\d.]+)/.exec(reports[0].environment.hostUserAgent)?.[1],
        node: process.versions.node,
      };
    }
  }
  if (!flags["no-write"]) {
    const result = {
      what: `Lighthouse scores, each the median of ${runs} runs`,
      command: `bench/lighthouse/run --runs ${runs}`,
      least: LEAST,
      versions,
      machine: {
        cores: cpus().length,
        kernel: release().split("-")[0],
        load: Number(loadavg()[0].toFixed(2)),
        priority: getPriority(),
      },
      pages: rows,
    };
    mkdirSync(new URL("bench/results/", ROOT), { recursive: true });
    writeFileSync(new URL("bench/results/lighthouse.json", ROOT), `${JSON.stringify(result, null, 2)}\n`);
  }
  return rows.some((row) => Object.values(row.scores).some((score) => score < LEAST));
}

/** On a machine with much else to do a run may miss its own page load; then it is made again. */
function lighthouse(url, preset, attemptsLeft = 3) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [LIGHTHOUSE, url, "--quiet", "--output=json", `--chrome-flags=${CHROMIUM_FLAGS}`, ...preset],
    { encoding: "utf8", maxBuffer: 1 << 28, env: { ...process.env, CHROME_PATH: CHROMIUM } },
  );
  if (status === 0) return JSON.parse(stdout);
  if (attemptsLeft > 1) return lighthouse(url, preset, attemptsLeft - 1);
  throw new Error(`${url}: ${stderr}`);
}

function scores(reports) {
  return Object.fromEntries(
    Object.keys(reports[0].categories).map((category) => [
      category,
      Math.round(100 * median(reports.map(({ categories }) => categories[category].score))),
    ]),
  );
}

function metrics(reports) {
  const names = {
    first_contentful_paint_ms: "first-contentful-paint",
    largest_contentful_paint_ms: "largest-contentful-paint",
    total_blocking_time_ms: "total-blocking-time",
    speed_index_ms: "speed-index",
  };
  const of = (audit) => Math.round(median(reports.map(({ audits }) => audits[audit].numericValue)));
  const layoutShift = median(reports.map(({ audits }) => audits["cumulative-layout-shift"].numericValue));
  return {
    ...Object.fromEntries(Object.entries(names).map(([name, audit]) => [name, of(audit)])),
    cumulative_layout_shift: Number(layoutShift.toFixed(3)),
  };
}

/** What counts in a score and did not pass everywhere, in the last run. */
function below(reports) {
  const { categories, audits } = reports.at(-1);
  const counted = Object.values(categories).flatMap(({ auditRefs }) =>
    auditRefs.filter(({ weight }) => weight > 0),
  );
  return [...new Set(counted.map(({ id }) => id))]
    .filter((id) => audits[id].score !== null && audits[id].score < 0.9)
    .map((audit) => ({ audit, shown: audits[audit].displayValue ?? audits[audit].title }));
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}

function address({ stderr }) {
  return new Promise((resolve, reject) => {
    let said = "";
    stderr.on("data", (bytes) => {
      said += bytes;
      const found = /listening on (http:\S+)/.exec(said);
      if (found) resolve(found[1]);
    });
    stderr.on("end", () => reject(new Error(`the server ended: ${said}`)));
  });
}
