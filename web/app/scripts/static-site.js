// The static adapter, and one step more: the start-up script that SvelteKit writes into every page becomes a
// file of its own, named by its content. So the pages hold no inline script at all, and a server may send
// `script-src 'self'` without knowing a hash. Compression comes last, when the pages are final.
//
// Pages name everything relative to themselves, so that the site may lie below a path of its host. A script resolves what
// it imports against its own place, not the page's, so that is rewritten. `404.html` is served at any depth: it names
// everything from the root, and a server that knows of a path puts it in.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import adapter from "@sveltejs/adapter-static";

const ANYWHERE = "404.html";
const INLINE_SCRIPT = /<script>([\s\S]*?)<\/script>/g;

/** @param {{ out: string }} options */
export default function staticSite({ out }) {
  const inner = adapter({ pages: out, assets: out, precompress: false, strict: true });
  return {
    name: "visavis-static-site",
    /** @param {import("@sveltejs/kit").Builder} builder */
    async adapt(builder) {
      await inner.adapt(builder);
      moveInlineScripts(out, join(builder.config.kit.appDir, "immutable", "boot"));
      await builder.compress(out);
    },
  };
}

/**
 * @param {string} out
 * @param {string} folder inside `out`; everything in it is cached for ever, its names are hashes
 */
function moveInlineScripts(out, folder) {
  mkdirSync(join(out, folder), { recursive: true });
  const up = "../".repeat(folder.split("/").length);
  for (const page of readdirSync(out).filter((name) => name.endsWith(".html"))) {
    const path = join(out, page);
    const root = page === ANYWHERE ? "/" : "./";
    const whole = readFileSync(path, "utf8");
    const html = (page === ANYWHERE ? whole.replaceAll('="./', '="/') : whole).replace(
      INLINE_SCRIPT,
      (_, /** @type {string} */ body) => {
        const name = `${createHash("sha256").update(body).digest("hex").slice(0, 12)}.js`;
        const beside = body.replaceAll('import("./', `import("${up}`);
        const placed = page === ANYWHERE ? beside.replace(/base: new URL\(.*\)/, 'base: ""') : beside;
        const lean = placed.replace(/\s*\n\s*/g, "\n").trim();
        writeFileSync(join(out, folder, name), `${lean}\n`);
        return `<script src="${root}${folder}/${name}" defer></script>`;
      },
    );
    if (/<script(?![^>]*\ssrc=)/.test(html)) throw new Error(`${page} still holds an inline script`);
    if (/<[a-z][^>]*\sstyle=/.test(html)) throw new Error(`${page} holds an inline style`);
    writeFileSync(path, html);
  }
}
