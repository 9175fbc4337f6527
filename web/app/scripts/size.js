// How much JavaScript a page makes the browser load, compressed as it is served: first, before anything is pressed, and
// behind that, part by part. Each has its budget. The words of the page count in English, the language in use.
// `node scripts/size.js` prints it and fails above a budget; the tests use the same count.
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

export const BUILD = fileURLToPath(new URL("../build", import.meta.url));
// Which source each file was made from; SvelteKit leaves it beside what it builds.
const MANIFEST = fileURLToPath(new URL("../.svelte-kit/output/client/.vite/manifest.json", import.meta.url));

/** In bytes, with gzip. What comes later is told without what was there before it. */
export const BUDGETS = {
  first: 60_000,
  /** @type {Record<string, number>} */
  later: {
    "src/lib/chat/Session.svelte": 13_500,
    "src/lib/chat/Notice.svelte": 3_500,
    "src/lib/chat/Status.svelte": 2_500,
    "src/lib/chat/More.svelte": 4_000,
    "src/lib/chat/viewport.ts": 700,
    "src/lib/chat/Report.svelte": 4_000,
    "../node_modules/age-encryption/dist/index.js": 53_000,
    "../sdk/src/talk.ts": 8_000,
    "../sdk/src/level.ts": 1_000,
    "../sdk/src/safety.ts": 2_000,
    "worker.js": 5_000,
    "../sdk/src/safety/model/blazeface-front.json": 4_000,
    "../sdk/src/safety/model/blazeface-front.bin": 260_000,
    "messages/talk": 5_500,
  },
};

/** What a page waits for before it is drawn: see its `load`. */
const WORDS = ["common", "chat"];

const STATIC = /(?:from|import)\s*["'`](\.[^"'`]+\.js)["'`]/g;
const DYNAMIC = /import\(\s*["'`](\.[^"'`]+\.js)["'`]/g;
/** A worker, or a file that a script fetches. */
const FETCHED = /new URL\(\s*["'`](\.[^"'`]+\.(?:js|json|bin))["'`]/g;
const MESSAGES = /^messages\/compiled\/(\w+)\/(\w+)\.js$/;

/** @typedef {"gz" | "br"} Coding */

/**
 * Of `chat.html`. `first`: what it names, what those files import at once, and its words. `later`: each part that these
 * import when it is needed.
 * @param {Coding} coding
 * @returns {{ first: number, later: Record<string, number> }}
 */
export function chatBytes(coding) {
  const sources = sourcesByFile();
  const { files: first, asks } = closure(namedBy("chat.html"), new Set());
  const words = asks.filter((path) => {
    const [, language, part = ""] = MESSAGES.exec(sources.get(path) ?? "") ?? [];
    return language === "en" && WORDS.includes(part);
  });
  for (const each of closure(words, first).files) first.add(each);
  /** @type {Record<string, number>} */
  const later = {};
  // A list that grows while it is walked: what comes later may ask for more.
  const ahead = asks.map((path) => ({ path, known: first }));
  for (const { path, known } of ahead) {
    const source = sources.get(path) ?? withoutHash(path);
    const [, language, part] = MESSAGES.exec(source) ?? [];
    const name = part === undefined ? source : `messages/${part}`;
    const isOther = part !== undefined && !(language === "en" && part === "talk");
    if (first.has(path) || isOther || name in later) continue;
    const { files, asks: further } = closure([path], known);
    later[name] = bytesOf(files, coding);
    ahead.push(...further.map((to) => ({ path: to, known: new Set([...known, ...files]) })));
  }
  return { first: bytesOf(first, coding), later };
}

/**
 * Workers and what they fetch are not in the manifest: `worker-DUdwBihZ.js` is `worker.js`.
 * @param {string} path
 */
function withoutHash(path) {
  return basename(path).replace(/[-.][\w-]{8}(?=\.)/, "");
}

/** @returns {Map<string, string>} */
function sourcesByFile() {
  /** @type {Record<string, { file: string }>} */
  const manifest = JSON.parse(readFileSync(MANIFEST, "utf8"));
  return new Map(Object.entries(manifest).map(([source, { file }]) => [file, source]));
}

/** @param {string} page */
function namedBy(page) {
  const html = readFileSync(join(BUILD, page), "utf8");
  return [...html.matchAll(/(?:href|src)="\.?\/([^"]+\.js)"/g)].map((match) => match[1] ?? "");
}

/**
 * All that these files import at once, themselves included; and what they import when it is needed.
 * @param {string[]} queue
 * @param {Set<string>} known
 * @returns {{ files: Set<string>, asks: string[] }}
 */
function closure(queue, known) {
  /** @type {Set<string>} */
  const files = new Set();
  /** @type {Set<string>} */
  const asks = new Set();
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (files.has(path) || known.has(path)) continue;
    files.add(path);
    const text = readFileSync(join(BUILD, path), "utf8");
    /** @param {RegExpMatchArray} match */
    const resolve = ([, to]) => new URL(to ?? "", `http://x/${path}`).pathname.slice(1);
    queue.push(...[...text.matchAll(STATIC)].map(resolve));
    // Pages that are one navigation away are no part of this one: the client's table of routes does not count.
    if (!path.includes("/entry/app."))
      [...text.matchAll(DYNAMIC), ...text.matchAll(FETCHED)].map(resolve).forEach((to) => asks.add(to));
  }
  return { files, asks: [...asks] };
}

/**
 * @param {Set<string>} paths
 * @param {Coding} coding
 */
function bytesOf(paths, coding) {
  let bytes = 0;
  for (const path of paths) {
    // Too small to gain from it, or not compressed: as it is.
    const packed = join(BUILD, `${path}.${coding}`);
    bytes += readFileSync(existsSync(packed) ? packed : join(BUILD, path)).length;
  }
  return bytes;
}

/** One sentence for each part above its budget, or without one. */
export function excesses({ first, later } = chatBytes("gz")) {
  const parts = Object.entries(later).map(([part, bytes]) => ({
    part,
    bytes,
    budget: BUDGETS.later[part] ?? 0,
  }));
  return [{ part: "the first load", bytes: first, budget: BUDGETS.first }, ...parts]
    .filter(({ bytes, budget }) => bytes > budget)
    .map(({ part, bytes, budget }) => `${part} takes ${bytes} bytes with gzip, and may take ${budget}.`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const gz = chatBytes("gz");
  const br = chatBytes("br");
  console.log(
    `chat.html loads ${gz.first} bytes of JavaScript first with gzip, ${br.first} with brotli. Later, with gzip:`,
  );
  for (const [part, bytes] of Object.entries(gz.later))
    console.log(`  ${String(bytes).padStart(6)}  ${part}`);
  const found = excesses(gz);
  console.log(found.length === 0 ? "All within their budgets." : found.join("\n"));
  if (found.length > 0) process.exitCode = 1;
}
