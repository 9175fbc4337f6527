// The catalogue of messages: what the page says, in ICU MessageFormat, a folder for each language and a file for each
// part of the site (`messages/en/chat.json`). Each file becomes a module of functions, and the English ones their
// types, in `messages/compiled/`. The build, the tests and `npm run check` all make them; nobody commits them.
//
// English is the measure. A language that lacks a message, or has one with other arguments or tags, is an error here,
// so that nothing is built from it.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import MessageFormat from "@messageformat/core";
// @ts-expect-error It has a declaration, but not where TypeScript looks.
import compileModule from "@messageformat/core/compile-module.js";
import { parse } from "@messageformat/parser";

export const MESSAGES = fileURLToPath(new URL("../messages", import.meta.url));
const COMPILED = join(MESSAGES, "compiled");
const MEASURE = "en";

/** @typedef {Record<string, Record<string, string>>} Parts by part and key */
/** @typedef {Record<string, Parts>} Catalogue by language */

/** @returns {Catalogue} */
export function readCatalogue(folder = MESSAGES) {
  const languages = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== basename(COMPILED))
    .map(({ name }) => name);
  return Object.fromEntries(languages.map((language) => [language, readParts(join(folder, language))]));
}

/**
 * @param {string} folder
 * @returns {Parts}
 */
function readParts(folder) {
  return Object.fromEntries(
    readdirSync(folder).map((file) => [
      basename(file, ".json"),
      JSON.parse(readFileSync(join(folder, file), "utf8")),
    ]),
  );
}

/**
 * What a message is given, and which tags stand in it.
 * @param {string} message
 * @param {string} language
 */
export function needsOf(message, language) {
  /** @type {Map<string, "number" | "string" | "number | string">} */
  const args = new Map();
  /** @param {import("@messageformat/parser").Token[]} tokens */
  const look = (tokens) => {
    for (const token of tokens) {
      if (token.type === "argument") args.set(token.arg, args.get(token.arg) ?? "number | string");
      if (token.type === "function") args.set(token.arg, "number");
      if (token.type === "plural" || token.type === "selectordinal" || token.type === "select") {
        args.set(token.arg, token.type === "select" ? "string" : "number");
        for (const { tokens: inner } of token.cases) look(inner);
      }
    }
  };
  const { cardinal, ordinal } = pluralsOf(language);
  look(parse(message, { cardinal, ordinal }));
  const tags = new Set([...message.matchAll(/<(\w+)>/g)].map(([, tag]) => tag ?? ""));
  return { args: new Map([...args].sort()), tags: [...tags].sort() };
}

/** @param {string} language */
function pluralsOf(language) {
  const rules = (/** @type {Intl.PluralRuleType} */ type) =>
    /** @type {import("@messageformat/parser").PluralCategory[]} */ (
      new Intl.PluralRules(language, { type }).resolvedOptions().pluralCategories
    );
  return { cardinal: rules("cardinal"), ordinal: rules("ordinal") };
}

/**
 * What keeps the other languages from saying everything that English says, one sentence each.
 * @param {Catalogue} catalogue
 */
export function gaps(catalogue) {
  const { [MEASURE]: measure = {}, ...others } = catalogue;
  /** @type {string[]} */
  const found = [];
  for (const [language, parts] of Object.entries(others)) {
    for (const part of new Set([...Object.keys(measure), ...Object.keys(parts)])) {
      const [wanted, there] = [measure[part] ?? {}, parts[part] ?? {}];
      for (const key of new Set([...Object.keys(wanted), ...Object.keys(there)])) {
        const name = `${part}.${key}`;
        const [english, message] = [wanted[key], there[key]];
        if (message === undefined) found.push(`${language} lacks ${name}.`);
        else if (english === undefined) found.push(`${language} has ${name}, which ${MEASURE} has not.`);
        else if (signature(english, MEASURE) !== signature(message, language))
          found.push(
            `${name} takes ${signature(english, MEASURE)} in ${MEASURE}, but ${signature(message, language)} in ${language}.`,
          );
      }
    }
  }
  return found;
}

/**
 * @param {string} message
 * @param {string} language
 */
function signature(message, language) {
  const { args, tags } = needsOf(message, language);
  return JSON.stringify([...args.keys(), ...tags.map((tag) => `<${tag}>`)]);
}

/**
 * Those that no source reads. `m.part.key` is the only way to read one.
 * @param {Parts} parts
 * @param {string} sources
 */
export function unused(parts, sources) {
  const read = new Set([...sources.matchAll(/\bm\.(\w+)\.(\w+)/g)].map(([, part, key]) => `${part}.${key}`));
  return Object.entries(parts).flatMap(([part, messages]) =>
    Object.keys(messages)
      .map((key) => `${part}.${key}`)
      .filter((name) => !read.has(name)),
  );
}

/** Throws where a language has gaps. Files that would stay as they are keep their time. */
export function compileMessages() {
  const catalogue = readCatalogue();
  const found = gaps(catalogue);
  if (found.length > 0) throw new Error(`The catalogue of messages has gaps:\n${found.join("\n")}`);
  for (const [language, parts] of Object.entries(catalogue)) {
    for (const [part, messages] of Object.entries(parts))
      write(join(COMPILED, language, `${part}.js`), moduleOf(language, messages));
  }
  write(join(COMPILED, "messages.d.ts"), typesOf(catalogue[MEASURE] ?? {}));
}

/**
 * @param {string} language
 * @param {Record<string, string>} messages
 */
function moduleOf(language, messages) {
  // Every browser knows the plurals of all languages.
  return compileModule(new MessageFormat(language), messages).replace(
    /import \{ (\w+) \} from "@messageformat\/runtime\/lib\/cardinals";/,
    'import { pluralsOf } from "../../../src/lib/plurals";\nconst $1 = pluralsOf("$1");',
  );
}

/** @param {Parts} parts */
function typesOf(parts) {
  const lines = Object.entries(parts).map(([part, messages]) => {
    const inner = Object.entries(messages).map(([key, message]) => `    ${key}: ${typeOf(message)};`);
    return `  ${part}: {\n${inner.join("\n")}\n  };`;
  });
  return `import type { Rich } from "../../src/lib/rich";\n\nexport interface Messages {\n${lines.join("\n")}\n}\n`;
}

/** @param {string} message */
function typeOf(message) {
  const { args, tags } = needsOf(message, MEASURE);
  const given = [...args].map(([name, type]) => `${name}: ${type}`).join("; ");
  const result = tags.length > 0 ? `Rich<${tags.map((tag) => `"${tag}"`).join(" | ")}>` : "string";
  return `(${given === "" ? "" : `args: { ${given} }`}) => ${result}`;
}

/**
 * @param {string} path
 * @param {string} text
 */
function write(path, text) {
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
}

/** @returns {import("vite").Plugin} */
export function messages() {
  return {
    name: "visavis-messages",
    buildStart: compileMessages,
    configureServer: compileMessages,
    watchChange(path) {
      if (path.startsWith(MESSAGES) && path.endsWith(".json")) compileMessages();
    },
    hotUpdate({ file }) {
      if (file.startsWith(MESSAGES) && file.endsWith(".json")) compileMessages();
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) compileMessages();
