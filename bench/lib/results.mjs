// Results as data: what was run, on what, what was aimed at, and whether it was met.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, release } from "node:os";
import { dirname, join, resolve } from "node:path";
import { peerDirectory, pinned, root, visavis } from "./servers.mjs";

/** Something that a run must show. `value` undefined: it was not measured, and so not met. */
export const atMost = (name, value, aim, unit = "") => target(name, "at most", value, aim, unit, value <= aim);
export const atLeast = (name, value, aim, unit = "") => target(name, "at least", value, aim, unit, value >= aim);

function target(name, bound, value, aim, unit, met) {
  return { name, value: value === undefined ? null : rounded(value), bound, aim, unit, met: value !== undefined && met };
}

/** Writes `bench/results/NAME.json` (or `out`), prints the targets, and makes missed ones the exit code's affair. */
export function report(name, { command, targets, out = `bench/results/${name}.json`, ...figures }) {
  const path = resolve(root, out);
  mkdirSync(dirname(path), { recursive: true });
  const made = new Date().toISOString().slice(0, 10);
  writeFileSync(path, `${JSON.stringify({ command, made, machine: machine(), targets, ...figures }, null, 1)}\n`);
  for (const { met, name: what, value, bound, aim, unit } of targets) {
    console.log(`${met ? "met   " : "MISSED"}  ${what}: ${value ?? "not measured"} (${bound} ${aim}${unit ? ` ${unit}` : ""})`);
  }
  console.log(`→ ${out}`);
  if (targets.some(({ met }) => !met)) process.exitCode = 1;
}

export function machine() {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? null,
    kernel: release(),
    pinned,
    versions: {
      visavis: version(visavis, ["--version"]),
      rust: version("rustc", ["--version"]),
      node: process.version,
      "socket.io": packageVersion("socket.io"),
      redis: version("redis-server", ["--version"])?.match(/v=(\S+)/)?.[1] ?? null,
    },
  };
}

function version(program, args) {
  try {
    return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim().split("\n")[0];
  } catch {
    return null;
  }
}

function packageVersion(name) {
  try {
    return JSON.parse(readFileSync(join(peerDirectory, "node_modules", name, "package.json"), "utf8")).version;
  } catch {
    return null;
  }
}

export const rounded = (number) => (number === undefined ? undefined : Math.round(number * 1000) / 1000);

export function median(numbers) {
  const sorted = numbers.filter((number) => number !== undefined && number !== null).sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return undefined;
  return sorted.length % 2 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** A ratio of two figures of one run; undefined if either is missing. */
export const ratio = (ours, theirs) => (ours !== undefined && theirs ? rounded(ours / theirs) : undefined);

/** Runs that failed leave a hole, and the exit code says so. */
export async function attempt(what, run) {
  console.error(`== ${what}`);
  try {
    return await run();
  } catch (error) {
    console.error(`bench: ${what}: ${error.message}`);
    process.exitCode = 1;
    return undefined;
  }
}
