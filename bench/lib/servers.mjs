// Servers under test, each pinned to core 0 and ended by whoever started it; the load client runs on core 1.
import { spawn, execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const binary = (name, variable) => process.env[variable] ?? join(root, "target/release", name);
export const visavis = binary("visavis", "VISAVIS_BIN");
export const load = binary("visavis-load", "VISAVIS_LOAD_BIN");
export const peerDirectory = join(root, "bench/peers/node-socketio");
export const pinned = succeeds("taskset", ["-c", "0,1", "true"]);

export const SERVER_CORE = 0;
const CLIENT_CORE = 1;
/** Who is exempt from numbers and rates: the load client asks more of one address than any school does. */
const EXEMPT = ["--limits-exempt", "127.0.0.0/8"];

/** Ends with a sentence if something that is to be measured was not built. */
export function requireBuilt({ peer = false } = {}) {
  for (const [program, mend] of [
    [visavis, "make build"],
    [load, "cargo build --release -p visavis-sim"],
  ]) {
    if (!existsSync(program)) {
      console.error(`bench: there is no ${program}; run: ${mend}`);
      process.exit(2);
    }
  }
  if (peer && !existsSync(join(peerDirectory, "node_modules/@redis/client"))) {
    execFileSync("npm", ["ci", "--no-progress"], { cwd: peerDirectory, stdio: "inherit" });
  }
}

/** A directory that `use` may fill and that is gone afterwards. */
export async function withDirectory(use) {
  const directory = mkdtempSync(join(tmpdir(), "visavis-bench-"));
  try {
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** `exempt`: without numbers and rates of one address. `core` null: any. Sessions can be resumed. */
export function startVisavis({ listen = "127.0.0.1:0", stateDir, exempt = true, core = SERVER_CORE, more = [] }) {
  const settings = ["--listen", listen, "--workers", "1", "--session-resume", "on", "--state-dir", stateDir];
  return start([visavis, "serve", ...settings, ...(exempt ? EXEMPT : []), ...more], "/ws", { core });
}

/** The usual Node stack; with `redisUrl` it keeps a copy there. */
export function startNodePeer({ redisUrl } = {}) {
  const env = redisUrl ? { REDIS_URL: redisUrl } : {};
  return start([process.execPath, join(peerDirectory, "server.js")], "/socket.io/?EIO=4&transport=websocket", { env });
}

/** Redis in memory only, on the client's core: the server's is the server's alone. */
export async function startRedis(directory) {
  const port = await freePort();
  const command = ["redis-server", "--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory];
  const child = spawnPinned(CLIENT_CORE, command, { stdio: ["ignore", "pipe", "inherit"] });
  await lineOf(child, command[0], (line) => (/Ready to accept connections/i.test(line) ? line : null));
  return { child, url: `redis://127.0.0.1:${port}` };
}

async function start(command, path, { core = SERVER_CORE, env = {} } = {}) {
  const child = spawnPinned(core, command, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  const address = await lineOf(child, command[0], (line) => {
    const found = /listening/.test(line) && line.match(/127\.0\.0\.1:(\d+)/);
    return found ? found[0] : null;
  });
  return { child, address, url: `ws://${address}${path}` };
}

function spawnPinned(core, command, options) {
  const [program, ...args] = pinnedTo(core, command);
  return spawn(program, args, options);
}

/** The command on this core; with none, or where that cannot be asked for, on any. */
export const pinnedTo = (core, command) =>
  pinned && core !== undefined && core !== null ? ["taskset", "-c", String(core), ...command] : command;

/** Resolves when `ask` says yes. */
export async function answers(ask, what, withinMs = 10_000) {
  for (const end = Date.now() + withinMs; ; ) {
    if (await ask()) return;
    if (Date.now() > end) throw new Error(`${what} did not come within ${withinMs} ms`);
    await pause(20);
  }
}

/** What `pick` finds in the first line that it wants; its streams are read on, so that no pipe fills. */
function lineOf(child, name, pick) {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${name} ended with ${code} before it was ready`)));
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on("line", (line) => {
        const found = pick(line);
        if (found) resolve(found);
      });
    }
  });
}

export async function stop({ child }) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = ending(child);
  child.kill("SIGKILL");
  await ended;
}

/** Resolves when the process is gone. */
export function ending(child) {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", resolve));
}

/** CPU time that a process used so far, in microseconds: user and system, all threads. */
export function cpuUs(pid) {
  const spent = (thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + spent(thread) / 1_000, 0);
}

/** Memory that a process has, in KiB, and the most that it ever had. */
export function residentKib(pid) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const of = (name) => Number(status.match(new RegExp(`^${name}:\\s+(\\d+) kB`, "m"))[1]);
  return { now: of("VmRSS"), most: of("VmHWM") };
}

/** One run of the load client; its one JSON result. Its progress goes to standard error. */
export async function runLoad(url, args) {
  const child = spawnPinned(CLIENT_CORE, [load, "--url", url, ...args.map(String)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (part) => (text += part));
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (!text) throw new Error(`the load client ended with ${code} and no result`);
  return JSON.parse(text);
}

const [HERE, LOWEST_PORT] = ["127.0.0.1", 10_240];

/**
 * A port that is free for TCP and UDP: a node relays on the number on which it serves pages. It lies below those that
 * outgoing connections are given, so it is still free when its owner was killed and comes back.
 * ASSUMES: nobody takes it between here and its use.
 */
export async function freePort() {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (lowestOutgoing() - LOWEST_PORT));
    if ((await binds(createServer().listen(port, HERE))) && (await binds(createSocket("udp4").bind(port, HERE)))) return port;
  }
  throw new Error("no port is free");
}

function lowestOutgoing() {
  try {
    return Number(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split(/\s/)[0]);
  } catch {
    return 32_768;
  }
}

function binds(socket) {
  return new Promise((resolve) => {
    socket.once("error", () => resolve(false));
    socket.once("listening", () => socket.close(() => resolve(true)));
  });
}

function succeeds(program, args) {
  try {
    execFileSync(program, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
