// The frame of a measurement in real Chromium: a site of the bench's own page and the SDK, servers that let it in, visitors as
// pages of one browser, and cases that take turns. What was begun is ended when `withFrame` is over, in reverse order.
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { root, startVisavis, stop, visavis, withDirectory } from "./servers.mjs";

const TYPES = { ".html": "text/html", ".mjs": "text/javascript", ".js": "text/javascript", ".json": "application/json" };
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
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

/** `here`: the folder of the bench, as its URL. */
export async function withFrame(here, use) {
  for (const needed of [visavis, join(root, "web/sdk/dist/index.js")]) {
    if (!existsSync(needed)) throw new Error(`${needed} is missing: run \`make build\` first`);
  }
  const undo = [];
  try {
    return await withDirectory((directory) => use(new Frame(here, directory, undo)));
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

class Frame {
  #here;
  #directory;
  #undo;

  constructor(here, directory, undo) {
    this.#here = here;
    this.#directory = directory;
    this.#undo = undo;
  }

  /** For the end: what this bench has begun itself. */
  later(step) {
    this.#undo.push(step);
  }

  /** The folder's files, the SDK as `sdk/`, and JSON by path. The pages' origin is this one, so servers are told to allow it. */
  async serveSite(answers) {
    const site = createServer((request, response) => {
      const path = new URL(request.url, "http://localhost").pathname.slice(1);
      if (answers[path]) {
        response.writeHead(200, { "content-type": "application/json" });
        return response.end(JSON.stringify(answers[path]));
      }
      const file = path.startsWith("sdk/") ? join(root, "web/sdk/dist", path.slice(4)) : fileURLToPath(new URL(path, this.#here));
      if (!existsSync(file)) return response.writeHead(404).end();
      response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "text/plain" });
      response.end(readFileSync(file));
    });
    await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
    this.later(() => {
      site.close();
      site.closeAllConnections();
    });
    return `http://127.0.0.1:${site.address().port}`;
  }

  /** Its port. On any core: nobody's CPU is measured here. */
  async startServer(site, more = []) {
    const server = await startVisavis({ stateDir: this.#directory, core: null, more: ["--allow-origin", site, ...more] });
    this.later(() => stop(server));
    return Number(server.address.split(":").at(-1));
  }

  async startBrowser() {
    const { chromium } = createRequire(join(root, "web/e2e/package.json"))("playwright-core");
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_FLAGS });
    this.later(() => browser.close());
    return browser;
  }
}

/** Each page is a visitor of its own. */
export async function newPage(browser, site) {
  const page = await (await browser.newContext()).newPage();
  page.on("pageerror", (error) => console.error(error));
  await page.goto(`${site}/page.html`);
  return page;
}

/** So many samples of each case, by its name, in turns. The first round only warms up: code is compiled, codecs are loaded. */
export async function inTurns(cases, samples, betweenMs, measure) {
  const rows = Object.fromEntries(cases.map(({ name }) => [name, []]));
  for (let round = 0; round <= samples; round += 1) {
    for (const one of cases) {
      const row = await measure(one, round);
      if (round > 0) rows[one.name].push(row);
      await pause(betweenMs);
    }
    process.stderr.write(`\rround ${round} of ${samples}`);
  }
  process.stderr.write("\n");
  return rows;
}

export function within(ms, what, promise) {
  const late = pause(ms, undefined, { ref: false }).then(() => Promise.reject(new Error(`no ${what} after ${ms} ms`)));
  return Promise.race([promise, late]);
}

export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return low + (high - low) * (place % 1);
}
