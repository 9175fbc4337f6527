// How much the package weighs, minified and compressed: each of its exports with what that imports at once, and each
// part that is fetched when it is needed. Every one has its budget.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown, type OutputChunk } from "rolldown";
import { expect, test } from "vitest";

const KIB = 1024;
/** By what is written in an import behind `@visavis/client`. */
const BUDGETS: Record<string, number> = { ".": 14 * KIB, "./safety": 2 * KIB };
/** By the name of the file; without what was there before it. */
const LATER: Record<string, number> = { "talk.ts": 8 * KIB, "level.ts": 1 * KIB };

interface Sizes {
  first: number;
  later: Record<string, number>;
}

async function sizesOf(source: string): Promise<Sizes> {
  const bundle = await rolldown({
    input: fileURLToPath(new URL(`../src/${source}`, import.meta.url)),
    resolve: { extensionAlias: { ".js": [".ts", ".js"] } },
  });
  const { output } = await bundle.generate({ format: "esm", minify: true });
  await bundle.close();
  const chunks = new Map(output.flatMap((each) => (each.type === "chunk" ? [[each.fileName, each]] : [])));
  const closure = (
    name: string,
    known: Set<OutputChunk>,
    found = new Set<OutputChunk>(),
  ): Set<OutputChunk> => {
    const chunk = chunks.get(name);
    if (!chunk || known.has(chunk) || found.has(chunk)) return found;
    found.add(chunk);
    chunk.imports.forEach((each) => closure(each, known, found));
    return found;
  };
  const bytes = (of: Set<OutputChunk>) =>
    [...of].reduce((sum, { code }) => sum + gzipSync(code, { level: 9 }).length, 0);
  const first = closure(output[0].fileName, new Set());
  const later = [...chunks.values()].filter((chunk) => chunk.isDynamicEntry);
  return {
    first: bytes(first),
    later: Object.fromEntries(
      later.map((chunk) => [basename(chunk.facadeModuleId ?? ""), bytes(closure(chunk.fileName, first))]),
    ),
  };
}

const { exports } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  exports: Record<string, { default: string }>;
};

test("every export has a budget and keeps it, and a connection is loaded at Start", async () => {
  expect(Object.keys(exports)).toEqual(Object.keys(BUDGETS));
  for (const [name, { default: file }] of Object.entries(exports)) {
    const { first, later } = await sizesOf(basename(file).replace(/\.js$/, ".ts"));
    expect(first, name).toBeGreaterThan(name === "." ? 4 * KIB : 0);
    expect(first, name).toBeLessThanOrEqual(BUDGETS[name] ?? 0);
    for (const [part, size] of Object.entries(later))
      expect(size, part).toBeLessThanOrEqual(LATER[part] ?? 0);
    if (name === ".") expect(Object.keys(later).sort()).toEqual(Object.keys(LATER).sort());
  }
});

test("the worker that looks for faces keeps its budget, without the model", async () => {
  const { first } = await sizesOf("safety/worker.ts");
  expect(first).toBeGreaterThan(2 * KIB);
  expect(first).toBeLessThanOrEqual(5 * KIB);
});
