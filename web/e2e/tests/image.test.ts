// The image cannot be built here; that its build finds what it needs can be seen.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const read = (path: string) =>
  readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), "utf8");
const within = (path: string) => (folder: string) => path === folder || path.startsWith(`${folder}/`);

test("every member of the workspace is let into the context and copied: cargo wants to see all of them", () => {
  const members = /^members = \[(.*)\]/m.exec(read("Cargo.toml"))?.[1]?.match(/[^", ]+/g) ?? [];
  expect(members).toContain("crates/server");
  const letIn = [...read(".dockerignore").matchAll(/^!(.+)$/gm)].map(([, path]) => path ?? "");
  const copied = [...read("deploy/Containerfile").matchAll(/^COPY (\S+) (\S+)$/gm)]
    .filter(([, from, to]) => from === to)
    .map(([, path]) => path ?? "");
  for (const member of members) {
    expect(letIn.some(within(member)), `.dockerignore keeps ${member} out`).toBe(true);
    expect(copied.some(within(member)), `deploy/Containerfile does not copy ${member}`).toBe(true);
  }
});
