// The relays under test: each alone on core 0, with no bound that the load would meet, and the load on core 1.
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { answers, ending, freePort, pinnedTo, root, SERVER_CORE, stop, visavis } from "../lib/servers.mjs";

const LOAD_CORE = 1;
const load = process.env.VISAVIS_RELAY_LOAD_BIN ?? join(root, "target/release/visavis-relay-load");
const secret = randomBytes(16).toString("hex");

const commands = { visavis: visavisCommand, coturn: coturnCommand };
export const RELAYS = Object.keys(commands);

/** Ends with a sentence if something is missing. */
export function requireRelays() {
  for (const [program, mend] of [
    [visavis, "make build"],
    [load, "cargo build --release -p visavis-relay-load"],
  ]) {
    if (!existsSync(program)) {
      console.error(`bench: there is no ${program}; run: ${mend}`);
      process.exit(2);
    }
  }
  if (coturnVersion() === null) {
    console.error("bench: coturn is missing; run: apt-get install coturn");
    process.exit(2);
  }
}

export function coturnVersion() {
  try {
    return execFileSync("turnserver", ["--version"], { encoding: "utf8" }).trim().split("\n")[0];
  } catch {
    return null;
  }
}

/** One run of the load against a fresh relay; the load's one JSON result. */
export async function measure(name, directory, args) {
  const port = await freePort();
  const [program, ...rest] = pinnedTo(SERVER_CORE, commands[name](port, directory));
  const child = spawn(program, rest, { stdio: "ignore" });
  try {
    await answers(() => isUp(port, child), name);
    const to = ["--relay", `127.0.0.1:${port}`, "--secret", secret, "--relay-pid", child.pid];
    return await runLoad([...to, ...args].map(String));
  } finally {
    await stop({ child });
  }
}

async function runLoad(args) {
  const [program, ...rest] = pinnedTo(LOAD_CORE, [load, ...args]);
  const child = spawn(program, rest, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (part) => (text += part));
  await Promise.all([ending(child), new Promise((resolve) => child.stdout.once("close", resolve))]);
  if (child.exitCode !== 0) throw new Error(`the load ended with ${child.exitCode}`);
  return JSON.parse(text);
}

/** Whether a Binding request has an answer. */
async function isUp(port, child) {
  if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
  const socket = createSocket("udp4");
  try {
    const answered = new Promise((resolve) => socket.once("message", () => resolve(true)));
    socket.send(Buffer.concat([Buffer.from("000100002112a442", "hex"), randomBytes(12)]), port, "127.0.0.1");
    return await Promise.race([answered, pause(100, false)]);
  } finally {
    socket.close();
  }
}

function visavisCommand(port) {
  return [
    visavis,
    ...["turn", "--listen", `127.0.0.1:${port}`, "--relay-address", "127.0.0.1", "--allow-local-peers"],
    ...["--realm", "bench", "--secret", secret, "--stranger-replies-per-s", "0", "--limits-exempt", "127.0.0.0/8"],
    ...["bytes", "user-bytes", "address-bytes", "total-bytes"].flatMap((what) => [`--${what}-per-s`, "0"]),
  ];
}

/** As little as the measurement needs. One relay thread: it has one core. */
function coturnCommand(port, directory) {
  const [file, database] = [join(directory, "turnserver.conf"), join(directory, "db")];
  if (!existsSync(database)) execFileSync("turnadmin", ["--list", "--userdb", database], { stdio: "ignore" });
  const lines = [
    ...["use-auth-secret", `static-auth-secret=${secret}`, "realm=bench", `listening-port=${port}`],
    ...["listening-ip=127.0.0.1", "relay-ip=127.0.0.1", "allow-loopback-peers", "relay-threads=1"],
    ...["no-cli", "no-tcp", "no-tls", "no-dtls", "no-rfc5780", `userdb=${database}`, `pidfile=${join(directory, "pid")}`],
    ...["log-file=/dev/null", "no-stdout-log"],
  ];
  writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  return ["turnserver", "-c", file];
}
