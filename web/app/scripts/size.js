// How much JavaScript a page makes the browser load before anything is pressed, compressed as it is served.
// `node scripts/size.js` prints it and fails above the limit; the tests use the same count.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const MAX_CHAT_BYTES = 60_000;
export const BUILD = fileURLToPath(new URL("../build", import.meta.url));

/**
 * Everything the page names, and everything that those files import in their turn, at once or later.
 * @param {string} page such as `chat.html`
 * @param {"gz" | "br"} coding
 * @param {string} [build]
 */
export function scriptBytes(page, coding, build = BUILD) {
  const seen = new Set();
  const queue = [...readFileSync(join(build, page), "utf8").matchAll(/(?:href|src)="\/([^"]+\.js)"/g)].map(
    (match) => match[1] ?? "",
  );
  let bytes = 0;
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    // Too small to gain from it, or not compressed: as it is.
    const packed = join(build, `${path}.${coding}`);
    bytes += readFileSync(existsSync(packed) ? packed : join(build, path)).length;
    // Pages that are one navigation away are loaded when it happens: the client's table of routes does not count.
    if (path.includes("/entry/app.")) continue;
    for (const [, to] of readFileSync(join(build, path), "utf8").matchAll(
      /(?:from|import)\(?\s*["'`](\.[^"'`]+\.js)["'`]/g,
    )) {
      queue.push(new URL(to ?? "", `http://x/${path}`).pathname.slice(1));
    }
  }
  return bytes;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const gz = scriptBytes("chat.html", "gz");
  const br = scriptBytes("chat.html", "br");
  console.log(
    `chat.html loads ${gz} bytes of JavaScript with gzip, ${br} with brotli; ${MAX_CHAT_BYTES} allowed.`,
  );
  if (gz > MAX_CHAT_BYTES) process.exitCode = 1;
}
