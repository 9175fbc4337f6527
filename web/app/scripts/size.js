// How much JavaScript a page makes the browser load first, before anything is pressed, compressed as it is served.
// The talk comes behind the form, dialogs when they are opened; these are counted by themselves.
// `node scripts/size.js` prints it and fails above the limit; the tests use the same count.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const MAX_CHAT_BYTES = 60_000;
export const BUILD = fileURLToPath(new URL("../build", import.meta.url));

const STATIC = /(?:from|import)\s*["'`](\.[^"'`]+\.js)["'`]/g;
const DYNAMIC = /import\(\s*["'`](\.[^"'`]+\.js)["'`]/g;

/**
 * `first`: what the page names, and what those files import at once. `later`: what these import when it is needed,
 * and is not there by then.
 * @param {string} page such as `chat.html`
 * @param {"gz" | "br"} coding
 * @param {string} [build]
 * @returns {{ first: number, later: number }}
 */
export function scriptBytes(page, coding, build = BUILD) {
  const named = [...readFileSync(join(build, page), "utf8").matchAll(/(?:href|src)="\.?\/([^"]+\.js)"/g)].map(
    (match) => match[1] ?? "",
  );
  /** @type {Set<string>} */
  const later = new Set();
  const first = closure(named, build, new Set(), later);
  const lazy = new Set();
  // A set that grows while it is walked: what comes later may ask for more.
  for (const path of later) closure([path], build, first, later).forEach((each) => lazy.add(each));
  return { first: bytesOf(first, coding, build), later: bytesOf(lazy, coding, build) };
}

/**
 * @param {string[]} queue
 * @param {string} build
 * @param {Set<string>} known
 * @param {Set<string>} later is given what is imported when it is needed
 */
function closure(queue, build, known, later) {
  const seen = new Set();
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path) || known.has(path)) continue;
    seen.add(path);
    const text = readFileSync(join(build, path), "utf8");
    /** @param {RegExpMatchArray} match */
    const resolve = ([, to]) => new URL(to ?? "", `http://x/${path}`).pathname.slice(1);
    queue.push(...[...text.matchAll(STATIC)].map(resolve));
    // Pages that are one navigation away are no part of this one: the client's table of routes does not count.
    if (!path.includes("/entry/app."))
      [...text.matchAll(DYNAMIC)].map(resolve).forEach((to) => later.add(to));
  }
  return seen;
}

/**
 * @param {Set<string>} paths
 * @param {"gz" | "br"} coding
 * @param {string} build
 */
function bytesOf(paths, coding, build) {
  let bytes = 0;
  for (const path of paths) {
    // Too small to gain from it, or not compressed: as it is.
    const packed = join(build, `${path}.${coding}`);
    bytes += readFileSync(existsSync(packed) ? packed : join(build, path)).length;
  }
  return bytes;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const gz = scriptBytes("chat.html", "gz");
  const br = scriptBytes("chat.html", "br");
  console.log(
    `chat.html loads ${gz.first} bytes of JavaScript with gzip first, ${br.first} with brotli; ${MAX_CHAT_BYTES} ` +
      `allowed with gzip. The talk and its dialogs load ${gz.later} more behind it.`,
  );
  if (gz.first > MAX_CHAT_BYTES) process.exitCode = 1;
}
