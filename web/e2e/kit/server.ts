// The real server, as a visitor's browser meets it: one process on a free port, ended by its own id.

import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const STARTS_WITHIN_MS = 10_000;
const STOPS_WITHIN_MS = 8_000;

// Whatever ends the tests ends the servers.
const running = new Set<ChildProcess>();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

export class Server {
  #child: ChildProcess;
  #flags: string[];
  #state: string;
  readonly port: number;

  private constructor(child: ChildProcess, port: number, flags: string[], state: string) {
    this.#child = child;
    this.port = port;
    this.#flags = flags;
    this.#state = state;
  }

  /**
   * Rates do not bind this machine, unless the flags are about them; and no STUN server is asked: nothing here
   * needs the internet. Strangers are not covered, unless the flags are about that: no face is to be seen in the browsers'
   * fake cameras. `through` is a program that starts another.
   */
  static async start(given: string[] = [], through: string[] = []): Promise<Server> {
    const state = mkdtempSync(join(tmpdir(), "visavis-e2e-"));
    const rated = given.some((flag) => flag.startsWith("--limits-"));
    const flags = [
      ...["--state-dir", state],
      ...(rated ? [] : ["--limits-exempt", "127.0.0.0/8"]),
      ...(given.includes("--safety-cover") ? [] : ["--safety-cover", "off"]),
      ...given,
    ];
    const { child, port } = await launch(0, flags, through);
    return new Server(child, port, flags, state);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Without a word to anybody, as when the power fails. */
  kill(): Promise<void> {
    return ended(this.#child, "SIGKILL");
  }

  /** Anew, on the port it had, with what it kept. */
  async revive(): Promise<void> {
    this.#child = (await launch(this.port, this.#flags)).child;
  }

  /** As a supervisor does it: the server asks everybody to move first. */
  stop(): Promise<void> {
    return ended(this.#child, "SIGTERM");
  }

  /** For good. */
  async end(): Promise<void> {
    await ended(this.#child, "SIGINT");
    rmSync(this.#state, { recursive: true, force: true });
  }
}

async function launch(port: number, flags: string[], through: string[] = []) {
  const fixed = ["--listen", `127.0.0.1:${port}`, "--no-ice-servers"];
  const [program = "", ...args] = [...through, binary(), ...fixed, ...flags];
  const child: ChildProcess = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  let said = "";
  const listening = await new Promise<number>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`The server did not start (${why}):\n${said}`));
    const timer = setTimeout(() => fail("nothing heard"), STARTS_WITHIN_MS);
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code) => fail(`code ${code}`));
    child.stderr?.on("data", (piece: Buffer) => {
      said = (said + piece.toString()).slice(-20_000);
      const found = /address=127\.0\.0\.1:(\d+)/.exec(said)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(Number(found));
    });
  }).catch(async (error: unknown) => {
    await ended(child, "SIGKILL");
    throw error;
  });
  return { child, port: listening };
}

async function ended(child: ChildProcess, signal: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), STOPS_WITHIN_MS);
  await gone;
  clearTimeout(timer);
}

export function binary(): string {
  const given = process.env.VISAVIS_BIN;
  if (given) return given;
  const target = fileURLToPath(new URL("../../../target/", import.meta.url));
  const found = ["checked", "release"].map((profile) => `${target}${profile}/visavis`).find(existsSync);
  if (!found) throw new Error("No server to test: run `make build`, or name one in VISAVIS_BIN.");
  return found;
}
