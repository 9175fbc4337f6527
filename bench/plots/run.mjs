#!/usr/bin/env node
// The pictures in docs/plots/, the table in docs/benchmarks.md and that of a million in docs/operations.md, from what lies in bench/results/. Measures nothing.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { plot } from "./bars.mjs";
import { million } from "./million.mjs";
import { relayPlot } from "./relay.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const PARTS = ["load", "ghosts", "restart", "nodes", "chaos", "relay"];

const results = Object.fromEntries(PARTS.map((name) => [name, read(name)]).filter(([, result]) => result));
mkdirSync(join(root, "docs/plots"), { recursive: true });
if (results.load) save("load", loadPlot(results.load));
if (results.ghosts && results.restart) save("bad-days", badDaysPlot(results.ghosts, results.restart));
if (results.nodes) save("nodes", nodesPlot(results.nodes));
if (results.relay) save("relay", relayPlot(results.relay));
write("benchmarks", "targets", targetsTable());
const needs = results.nodes && results.load && million(results);
if (needs) write("operations", "million", needs);

function read(name) {
  const path = join(root, "bench/results", `${name}.json`);
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : null;
}

function save(name, svg) {
  writeFileSync(join(root, "docs/plots", `${name}.svg`), svg);
  console.log(`→ docs/plots/${name}.svg`);
}

function loadPlot({ table, command }) {
  const find = (name, server) => table.find((row) => row.name === name && row.server === server) ?? {};
  const [us, node, bare] = ["visavis", "node-socketio-redis", "node-socketio"];
  const bar = (label, name, server, field) => ({ label, value: find(name, server)[field], ours: server === us });
  const cpu = "server_cpu_us_per_pair";
  return plot({
    title: "What a pair and a connection cost, beside the usual Node stack",
    summary: `CPU of a pair in µs: Node ${find("classic", node)[cpu]}, Visavis ${find("classic", us)[cpu]} and ${find("ticket", us)[cpu]}`,
    note: `One core for each server, one for all clients, the same run. ${command}`,
    panels: [
      {
        title: "CPU of the server per pair, handshake relayed",
        unit: "µs",
        bars: [
          bar("Node, Socket.IO, Redis copy", "classic", node, cpu),
          bar("the same without Redis", "classic", bare, cpu),
          bar("Visavis, classic order", "classic", us, cpu),
          bar("Visavis, offer in the ticket", "ticket", us, cpu),
        ],
      },
      {
        title: "The same, candidates one by one over 400 ms",
        unit: "µs",
        bars: [
          bar("Node, Socket.IO, Redis copy", "trickled", node, cpu),
          bar("Visavis, classic order", "trickled", us, cpu),
        ],
      },
      {
        title: "Everybody presses Next in the same instant: the last one is matched after",
        unit: "ms",
        bars: [
          bar("Node, Socket.IO, Redis copy", "match only", node, "found_last_ms"),
          bar("Visavis", "match only", us, "found_last_ms"),
        ],
      },
      {
        title: "Memory of a connection: idle, and after a handshake",
        unit: "KiB",
        bars: [
          bar("Node, idle", "memory", node, "idle_kib"),
          bar("Node, after a handshake", "memory", node, "after_handshake_kib"),
          bar("Visavis, idle", "memory", us, "idle_kib"),
          bar("Visavis, after a handshake", "memory", us, "after_handshake_kib"),
        ],
      },
    ],
  });
}

function badDaysPlot(ghosts, restart) {
  const [without, withThem] = ghosts.table;
  const pair = (field) => [
    { label: "among people only", value: without[field] },
    { label: "with 2,000 who do not answer", value: withThem[field], ours: true },
  ];
  const back = restart.result.rounds[1].back_ms;
  return plot({
    title: "On a bad day: stalled readers, ghosts, and a server that is killed",
    summary: `p99 of a signal ${without.relay_p99_ms} ms without and ${withThem.relay_p99_ms} ms with deviants; after a kill the last one is back in ${restart.result.herd?.back_s} s`,
    note: `${ghosts.command}; ${restart.command}`,
    panels: [
      { title: "A signal to the stranger, 99th percentile", unit: "ms", bars: pair("relay_p99_ms") },
      { title: "From Next to the next stranger, 99th percentile", unit: "ms", bars: pair("search_p99_ms") },
      {
        title: `kill -9 under ${restart.result.visitors} in calls: back with the same stranger after`,
        unit: "s",
        aim: { value: 30, label: "aim: the last one within 30 s" },
        bars: [
          { label: "half of them", value: back.p50 / 1000, ours: true },
          { label: "99 %", value: back.p99 / 1000, ours: true },
          { label: "the last one", value: back.max / 1000, ours: true },
        ],
      },
    ],
  });
}

function nodesPlot({ table, figures, command }) {
  const find = (wanted) => table.find(({ name }) => name === wanted) ?? {};
  const bar = (label, name, field = "nodes_us") => ({ label, value: find(name)[field], ours: field === "nodes_us" });
  const [near, far] = ["two people, one node", "two people, two nodes"].map((name) => find(name).found_ms);
  return plot({
    title: "Several nodes that act as one place, beside one node alone",
    summary: `CPU of a pair in µs: one node ${find("one node alone").nodes_us}, three ${find("three nodes").nodes_us}; a match across nodes takes ${figures.across_added_ms} ms longer`,
    note: `All nodes on one core, Redis and the clients on the other. ${command}`,
    panels: [
      {
        title: "CPU per pair where everybody looks for everybody, handshake relayed",
        unit: "µs",
        bars: [
          bar("one node alone", "one node alone"),
          bar("the same, Redis configured", "one node, Redis configured"),
          bar("three nodes", "three nodes"),
          bar("three nodes behind nginx", "three nodes behind nginx"),
          bar("Redis beside three nodes", "three nodes", "redis_us"),
          bar("nginx before them, without TLS", "three nodes behind nginx", "nginx_us"),
        ],
      },
      {
        title: "The same where everybody looks for one other person, who is at another node",
        unit: "µs",
        bars: [
          bar("one node alone", "in twos, one node alone"),
          bar("three nodes", "in twos, three nodes"),
          bar("Redis beside three nodes", "in twos, three nodes", "redis_us"),
        ],
      },
      {
        title: "Two people on an idle machine: both know after (across nodes: beyond the 300 ms alone)",
        unit: "ms",
        bars: [
          { label: "on one node", value: near, ours: true },
          { label: "on two nodes", value: far - 300, ours: true },
        ],
      },
    ],
  });
}

/** Aim and measurement of every part, met or not. */
function targetsTable() {
  const lines = ["| what | measured | aim | met |", "|---|---|---|---|"];
  for (const { targets, command, made } of Object.values(results)) {
    lines.push(`| *${command}, ${made}* | | | |`);
    for (const { name, value, bound, aim, unit, met } of targets) {
      const of = unit ? ` ${unit}` : "";
      lines.push(`| ${name} | ${value === null ? "not measured" : value + of} | ${bound} ${aim}${of} | ${met ? "yes" : "**no**"} |`);
    }
  }
  return lines.join("\n");
}

/** Between two marks of a document. */
function write(document, what, written) {
  const path = join(root, `docs/${document}.md`);
  const text = readFileSync(path, "utf8");
  const [begin, end] = [`<!-- ${what}: written by \`bench/run plots\`, do not edit -->`, `<!-- end of ${what} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/${document}.md: the marks of its ${what} are gone`);
  writeFileSync(path, `${text.slice(0, from)}${begin}\n\n${written}\n\n${text.slice(to)}`);
  console.log(`→ docs/${document}.md`);
}
