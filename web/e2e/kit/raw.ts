// A visitor without our client and without a browser: `raw/client.py`, which was written from docs/protocol.md alone.
// Knows how to get it running, and calls things as `visitor.ts` does.

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { Onlooker, Sight, Sound } from "./media";
import type { Kind } from "./visitor";

const FOLDER = fileURLToPath(new URL("../raw/", import.meta.url));
/** Its Python packages. Kept between runs, and made again when the list of versions changes. */
const PACKAGES = fileURLToPath(new URL("../../../target/raw-client/", import.meta.url));
const WITHIN_MS = 20_000;

const running = new Set<ChildProcess>();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** Fetches what the client stands on; takes a while the first time. */
export function prepare(): void {
  const requirements = readFileSync(`${FOLDER}requirements.txt`, "utf8");
  const note = `${PACKAGES}requirements.txt`;
  if (existsSync(note) && readFileSync(note, "utf8") === requirements) return;
  rmSync(PACKAGES, { recursive: true, force: true });
  mkdirSync(PACKAGES, { recursive: true });
  run("python3", ["-m", "venv", PACKAGES], "Python with its module venv is needed (Debian: python3-venv)");
  const install = [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--only-binary",
    ":all:",
  ];
  const why = "the packages of raw/requirements.txt could not be installed";
  run(`${PACKAGES}bin/python`, [...install, "-r", `${FOLDER}requirements.txt`], why);
  writeFileSync(note, requirements);
}

function run(program: string, args: string[], why: string): void {
  try {
    execFileSync(program, args, { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
  } catch (error) {
    const { stderr = "", message } = error as Error & { stderr?: string };
    throw new Error(`The raw client cannot run: ${why}.\n${stderr || message}`, { cause: error });
  }
}

export interface Settings {
  /** Says `hello` first (default). */
  hello?: boolean;
  /** Further fields of `hello`. */
  greeting?: Record<string, unknown>;
  /** Opens a data channel of its own, of which our client knows nothing. */
  own_channel?: boolean;
}

type Event = { event: string } & Record<string, unknown>;

export class RawVisitor implements Onlooker {
  readonly name: string;
  readonly events: Event[] = [];
  #child: ChildProcess;
  #said = "";

  constructor(name: string, site: string, settings: Settings = {}) {
    this.name = name;
    const url = `${site.replace(/^http/, "ws")}/ws`;
    const args = [`${FOLDER}client.py`, JSON.stringify({ url, ...settings })];
    const child = spawn(`${PACKAGES}bin/python`, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    running.add(child);
    child.once("exit", () => running.delete(child));
    child.stdin.on("error", () => undefined);
    createInterface(child.stdout).on("line", (line) => this.events.push(JSON.parse(line) as Event));
    child.stderr.on("data", (piece: Buffer) => (this.#said = (this.#said + piece.toString()).slice(-5_000)));
  }

  order(command: { do: string } & Record<string, unknown>): void {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  async begin(kind: Kind = "Video", withOffer = true): Promise<void> {
    this.order({ do: "search", kind: kind.toLowerCase(), with_offer: withOffer });
  }

  /** Waits until this was told after `since` events; gives it. */
  async tells(event: string, since = 0): Promise<Event> {
    const found = () => this.events.slice(since).find((each) => each.event === event);
    await expect
      .poll(() => found() ?? this.#said, { message: `${event} of ${this.name}`, timeout: WITHIN_MS })
      .toMatchObject({ event });
    return found() as Event;
  }

  /** The last of this kind. */
  last(event: string): Event | undefined {
    return this.events.filter((each) => each.event === event).at(-1);
  }

  count(event: string): number {
    return this.events.filter((each) => each.event === event).length;
  }

  async looking(): Promise<void> {
    await this.tells("waiting");
  }

  async connected(): Promise<void> {
    await this.tells("connected");
  }

  async say(text: string): Promise<void> {
    this.order({ do: "say", text });
  }

  async hears(text: string): Promise<void> {
    const heard = () => this.events.filter(({ event }) => event === "text").map((each) => each.text);
    await expect.poll(heard, { message: `what ${this.name} hears`, timeout: WITHIN_MS }).toContain(text);
  }

  async sight(): Promise<Sight> {
    const { frames = 0, width = 0, contrast = 0 }: Partial<Event> = this.last("media") ?? {};
    return { frames: Number(frames), width: Number(width), contrast: Number(contrast), foreign: true };
  }

  async sound(): Promise<Sound> {
    await expect
      .poll(() => this.last("media")?.loudness, { message: `what ${this.name} hears`, timeout: WITHIN_MS })
      .toBeGreaterThan(0.01);
    const loudness = Number(this.last("media")?.loudness);
    return { loudness, player: { paused: false, muted: false, volume: 1 } };
  }

  async next(): Promise<void> {
    this.order({ do: "next" });
  }

  async stop(): Promise<void> {
    this.order({ do: "stop" });
  }

  /** As a laptop that is shut: nothing is sent, nothing is answered, nobody is told. */
  sleep(): void {
    this.#child.kill("SIGSTOP");
  }

  wake(): void {
    this.#child.kill("SIGCONT");
  }

  /** What it complained about, which should be nothing. */
  troubles(): string[] {
    const errors = this.events.filter(({ event }) => event === "error").map((each) => JSON.stringify(each));
    return this.#said === "" ? errors : [...errors, this.#said];
  }

  async leave(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.wake();
    this.#child.kill("SIGTERM");
    await gone;
  }
}
