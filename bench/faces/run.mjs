#!/usr/bin/env node
// What looking for faces costs a visitor, and how soon a face is found. One page of Chromium receives a picture of 640 × 480, 30 a second,
// over a connection; before the camera is a wall, then a face. In turns with the check and without it.
//
// Reported: a look in the worker, on a wall (four views) and on a face (usually one); from the face before the camera to the uncovered
// picture; long tasks of the page (above 50 ms), and frames shown, with and without.
//
//   bench/faces/run.mjs [--samples 8] [--no-write]      after `make build`; CHROMIUM names another browser

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { inTurns, newPage, quantile, withFrame } from "../lib/browser.mjs";
import { atMost, report, rounded } from "../lib/results.mjs";
import { root } from "../lib/servers.mjs";

const STAGE_MS = 4_000;

const { values: flags } = parseArgs({
  options: {
    samples: { type: "string", default: "8" },
    "no-write": { type: "boolean", default: false },
  },
});
await withFrame(import.meta.url, (frame) => main(frame, Number(flags.samples)));

async function main(frame, samples) {
  const site = await frame.serveSite({});
  const page = await newPage(await frame.startBrowser(), site);
  const jpeg = readFileSync(
    join(root, "web/e2e/pictures/astronaut.jpg"),
  ).toString("base64");
  await page.evaluate(
    (picture) => bench.prepare(picture),
    `data:image/jpeg;base64,${jpeg}`,
  );
  const cases = [{ name: "with" }, { name: "without" }];
  const rows = await inTurns(cases, samples, 200, ({ name }) =>
    page.evaluate((given) => bench.run(given), {
      checks: name === "with",
      ms: STAGE_MS,
    }),
  );
  const looks = rows.with.flatMap((row) => row.looks);
  const took = (face) =>
    figures(
      looks.filter((look) => look.face === face).map(({ tookMs }) => tookMs),
    );
  const uncovered = rows.with.map(
    ({ uncoveredAfterMs }) => uncoveredAfterMs ?? Infinity,
  );
  const longTasks = (name) => rows[name].flatMap((row) => row.longTasks);
  const framesPerSecond = (name) =>
    rounded(
      quantile(
        rows[name].map((row) => row.framesPerSecond),
        0.5,
      ),
    );
  const result = {
    command: `bench/faces/run.mjs --samples ${samples}`,
    targets: [
      atMost(
        "from a face before the camera to the uncovered picture, median",
        quantile(uncovered, 0.5),
        1_000,
        "ms",
      ),
      atMost(
        "long tasks of the page with the check, beyond those without",
        longTasks("with").length - longTasks("without").length,
        0,
      ),
    ],
    uncoveredAfterMs: figures(uncovered),
    lookMs: { wall: took(false), face: took(true) },
    longTasksMs: {
      with: longTasks("with").map(rounded),
      without: longTasks("without").map(rounded),
    },
    framesPerSecond: {
      with: framesPerSecond("with"),
      without: framesPerSecond("without"),
    },
  };
  if (flags["no-write"]) console.log(JSON.stringify(result, null, 1));
  else report("faces", result);
}

function figures(values) {
  return {
    samples: values.length,
    median: rounded(quantile(values, 0.5)),
    p95: rounded(quantile(values, 0.95)),
    most: rounded(Math.max(...values)),
  };
}
