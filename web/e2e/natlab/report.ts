// Writes the table of who connects how: for people into docs/nat.md, between its marks, and for programs as JSON.
// The page holds no date and no figure finer than a tenth of a second, so that it changes only when something did.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, release } from "node:os";
import { fileURLToPath } from "node:url";
import type { AccessName } from "./access";
import type { Cell, Side } from "./cell";

export interface Row extends Cell {
  between: [AccessName, AccessName];
  theory: "direct" | "relay";
}

const PAGE = fileURLToPath(new URL("../../../docs/nat.md", import.meta.url));
const RESULTS = fileURLToPath(new URL("../../../bench/results/natlab.json", import.meta.url));
const BEGIN = "<!-- table: written by `make natlab`, do not edit -->";
const END = "<!-- end of table -->";

export function write(rows: Row[], about: { command: string; relay: string; browser: string }): void {
  const page = readFileSync(PAGE, "utf8");
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (before < 0 || after < before)
    throw new Error(`docs/nat.md lacks the marks of the table: ${BEGIN} … ${END}`);
  const parts = [matrix(rows), details(rows)].join("\n\n");
  writeFileSync(PAGE, `${page.slice(0, before + BEGIN.length)}\n\n${parts}\n\n${page.slice(after)}`);

  const direct = rows.filter(({ path }) => path === "direct").length;
  const machine = {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? null,
    kernel: release(),
    node: process.version,
  };
  const made = new Date().toISOString().slice(0, 10);
  const totals = { cells: rows.length, direct, relay: rows.length - direct };
  mkdirSync(fileURLToPath(new URL(".", `file://${RESULTS}`)), { recursive: true });
  writeFileSync(RESULTS, `${JSON.stringify({ ...about, made, machine, totals, rows }, null, 1)}\n`);
}

/** Who × whom, in one look. */
function matrix(rows: Row[]): string {
  const names = [...new Set(rows.flatMap(({ between }) => between))];
  const find = (a: AccessName, b: AccessName) =>
    rows.find(({ between: [one, other] }) => (one === a && other === b) || (one === b && other === a));
  const text = (row: Row | undefined) =>
    row ? (row.path === "direct" ? "direct" : `relay (${relaysBy(row)})`) : "";
  return table(
    ["", ...names],
    names.map((a, index) => [`**${a}**`, ...names.map((b, at) => (at < index ? "" : text(find(a, b))))]),
  );
}

function details(rows: Row[]): string {
  const side = ({ local, remote }: Side) => `${local} → ${remote}`;
  return table(
    ["one", "other", "path", "candidates of one", "of the other", "family", "relay by", "connected in"],
    rows.map((row) => [
      ...row.between,
      row.path,
      side(row.a),
      side(row.b),
      row.a.family === row.b.family ? named(row.a.family) : `${named(row.a.family)}, ${named(row.b.family)}`,
      row.path === "relay" ? relaysBy(row) : "",
      seconds(row.elapsedMs),
    ]),
  );
}

function relaysBy({ a, b }: Row): string {
  return [...new Set([a.relayBy, b.relayBy].filter((by) => by !== undefined))]
    .map((by) => by.toUpperCase())
    .join(", ");
}

function named(family: string): string {
  return family === "ipv6" ? "IPv6" : "IPv4";
}

function seconds(ms: number): string {
  return `${(Math.max(1, Math.round(ms / 100)) / 10).toFixed(1)} s`;
}

/** As prettier lays it out: columns as wide as their widest cell. */
function table(head: string[], body: string[][]): string {
  const widths = head.map((name, at) => Math.max(3, name.length, ...body.map((row) => row[at]?.length ?? 0)));
  const line = (cells: string[]) =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [line(head), rule, ...body.map(line)].join("\n");
}
