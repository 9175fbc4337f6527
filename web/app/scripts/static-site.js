// The static adapter, and one step more: the start-up script that SvelteKit writes into every page becomes a
// file of its own, named by its content. So the pages hold no inline script at all, and a server may send
// `script-src 'self'` without knowing a hash. Compression comes last, when the pages are final.
//
// Pages name everything relative to themselves, so that the site may lie below a path of its host. A script resolves what
// it imports against its own place, not the page's, so that is rewritten. `404.html` is served at any depth: it names
// everything from the root, and a server that knows of a path puts it in.
//
// The same script asks for the page's words in the visitor's language, which no HTML can name: they come with the scripts,
// not one way to the server and back later.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import adapter from "@sveltejs/adapter-static";

const ANYWHERE = "404.html";
/** What a page waits for, see its `load`. One that is not named here comes all the same, only later. */
const WORDS = ["common", "site"];
/** @type {Record<string, string[]>} */
const WORDS_OF = { "chat.html": ["common", "chat"], "test.html": ["common", "site", "test"] };
const INLINE_SCRIPT = /<script>([\s\S]*?)<\/script>/g;

/** @param {{ out: string }} options */
export default function staticSite({ out }) {
  const inner = adapter({ pages: out, assets: out, precompress: false, strict: true });
  return {
    name: "visavis-static-site",
    /** @param {import("@sveltejs/kit").Builder} builder */
    async adapt(builder) {
      await inner.adapt(builder);
      const manifest = JSON.parse(
        readFileSync(join(builder.getClientDirectory(), ".vite/manifest.json"), "utf8"),
      );
      moveInlineScripts(out, join(builder.config.kit.appDir, "immutable", "boot"), manifest);
      await builder.compress(out);
      compressModels(join(out, builder.config.kit.appDir, "immutable", "assets"));
    },
  };
}

/**
 * The weights of a network, which SvelteKit does not know to be worth it.
 * @param {string} folder
 */
function compressModels(folder) {
  for (const name of readdirSync(folder).filter((each) => each.endsWith(".bin"))) {
    const bytes = readFileSync(join(folder, name));
    writeFileSync(join(folder, `${name}.gz`), gzipSync(bytes, { level: 9 }));
    writeFileSync(join(folder, `${name}.br`), brotliCompressSync(bytes));
  }
}

/**
 * @param {string} out
 * @param {string} folder inside `out`; everything in it is cached for ever, its names are hashes
 * @param {Record<string, { file: string }>} manifest which file was made of which source
 */
function moveInlineScripts(out, folder, manifest) {
  mkdirSync(join(out, folder), { recursive: true });
  const up = "../".repeat(folder.split("/").length);
  for (const page of readdirSync(out).filter((name) => name.endsWith(".html"))) {
    const path = join(out, page);
    const root = page === ANYWHERE ? "/" : "./";
    const whole = readFileSync(path, "utf8");
    const html = (page === ANYWHERE ? whole.replaceAll('="./', '="/') : whole).replace(
      INLINE_SCRIPT,
      (_, /** @type {string} */ body) => {
        const script = page === ANYWHERE ? body : wordsFirst(WORDS_OF[page] ?? WORDS, manifest) + body;
        const name = `${createHash("sha256").update(script).digest("hex").slice(0, 12)}.js`;
        const beside = script.replaceAll('import("./', `import("${up}`);
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

/**
 * Chooses as `languageFor` does (src/lib/language.ts).
 * @param {string[]} parts
 * @param {Record<string, { file: string }>} manifest
 */
function wordsFirst(parts, manifest) {
  /** @type {Record<string, string[]>} */
  const files = {};
  for (const [source, { file }] of Object.entries(manifest)) {
    const [, language = "", part = ""] = /^messages\/compiled\/(\w+)\/(\w+)\.js$/.exec(source) ?? [];
    if (parts.includes(part)) (files[language] ??= []).push(`./${file}`);
  }
  return `{
    const files = ${JSON.stringify(files)};
    let chosen = "";
    try { chosen = localStorage.getItem("visavis-language") ?? ""; } catch {}
    const languages = [chosen, ...navigator.languages].map((tag) => tag.split("-")[0].toLowerCase());
    for (const href of files[languages.find((language) => Object.hasOwn(files, language)) ?? "en"])
      document.head.append(Object.assign(document.createElement("link"), { rel: "modulepreload", href }));
  }`;
}
