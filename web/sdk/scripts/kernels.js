// Compiles src/safety/kernels.wat into src/safety/kernels.gen.ts. `node scripts/kernels.js` writes it; a test compares.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import wabt from "wabt";

const SOURCE = fileURLToPath(new URL("../src/safety/kernels.wat", import.meta.url));
export const COMPILED = fileURLToPath(new URL("../src/safety/kernels.gen.ts", import.meta.url));

/** @returns {Promise<string>} what the compiled file must hold */
export async function compiled() {
  const text = readFileSync(SOURCE, "utf8");
  const parsed = (await wabt()).parseWat("kernels.wat", text, { simd: true });
  const { buffer } = parsed.toBinary({});
  parsed.destroy();
  const code = Buffer.from(buffer).toString("base64");
  return `// Compiled from kernels.wat by scripts/kernels.js. Not to be edited.\nexport const KERNELS =\n  "${code}";\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(COMPILED, await compiled());
