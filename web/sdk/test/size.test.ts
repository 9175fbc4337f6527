import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";

const BUDGET_BYTES = 14 * 1024;

test("the client, minified and compressed, stays within 14 KiB; a connection is loaded at Start", async () => {
  const bundle = await rolldown({
    input: fileURLToPath(new URL("../src/index.ts", import.meta.url)),
    resolve: { extensionAlias: { ".js": [".ts", ".js"] } },
  });
  const { output } = await bundle.generate({ format: "esm", minify: true });
  await bundle.close();
  const chunks = new Map(output.map((chunk) => [chunk.fileName, chunk]));
  const first = new Set<string>();
  const load = (name: string): void => {
    const chunk = chunks.get(name);
    if (chunk?.type !== "chunk" || first.has(name)) return;
    first.add(name);
    chunk.imports.forEach(load);
  };
  load(output[0].fileName);
  let bytes = 0;
  for (const name of first) {
    const chunk = chunks.get(name);
    if (chunk?.type === "chunk") bytes += gzipSync(chunk.code, { level: 9 }).length;
  }
  expect(output[0].isEntry).toBe(true);
  expect(first.size).toBeLessThan(chunks.size);
  expect(bytes).toBeGreaterThan(4 * 1024);
  expect(bytes).toBeLessThanOrEqual(BUDGET_BYTES);
});
