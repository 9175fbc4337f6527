// One network namespace: a host or a router of its own, with whatever programs are started in it.
// Knows how to ask the kernel for things; which namespaces there are, and when they end, is the laboratory's affair.

import { execFileSync, spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";

const STOPS_WITHIN_MS = 5_000;

export class Namespace {
  /** As the laboratory's users call it. */
  readonly name: string;
  /** As the kernel knows it: unique on this machine. */
  readonly id: string;
  #children = new Set<ChildProcess>();

  /** Made by `Laboratory.namespace`, which also removes it. */
  constructor(name: string, id: string) {
    this.name = name;
    this.id = id;
    execFileSync("ip", ["netns", "add", id]);
    this.ip("link set lo up");
    // Addresses must work at once; nobody else could have them.
    this.sysctl("net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0");
  }

  /** One or more lines of `ip`, all or none needed to succeed in order. */
  ip(...lines: string[]): void {
    execFileSync("ip", ["-n", this.id, "-batch", "-"], { input: `${lines.join("\n")}\n`, stdio: PIPES });
  }

  /** Replaces the whole ruleset. */
  nft(ruleset: string): void {
    this.run("nft", ["-f", "-"], `flush ruleset\n${ruleset}\n`);
  }

  sysctl(...settings: string[]): void {
    this.run("sysctl", ["-q", "-w", ...settings]);
  }

  /** Runs a program to its end and returns what it printed. Throws where it fails. */
  run(program: string, args: string[] = [], input = ""): string {
    return execFileSync("ip", ["netns", "exec", this.id, program, ...args], {
      input,
      stdio: PIPES,
      encoding: "utf8",
    });
  }

  /** Runs a program to its end while others do the same; what it printed to both, and its code. */
  async outcome(program: string, args: string[] = []): Promise<{ code: number | null; said: string }> {
    const child = this.spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (piece: Buffer) => (said += piece.toString()));
    }
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    return { code, said };
  }

  /** Starts a program that lives on, at the latest until the namespace is removed. */
  spawn(program: string, args: string[] = [], options: SpawnOptions = {}): ChildProcess {
    // `ip netns exec` becomes the program, so the child's id is the program's.
    const child = spawn("ip", ["netns", "exec", this.id, program, ...args], options);
    this.#children.add(child);
    child.once("exit", () => this.#children.delete(child));
    return child;
  }

  /** An executable that runs `program` in here, for callers that can start only one file. */
  wrapper(program: string, folder: string): string {
    mkdirSync(folder, { recursive: true });
    const path = `${folder}/${this.id}-${program.split("/").pop() ?? "program"}`;
    writeFileSync(path, `#!/bin/sh\nexec ip netns exec ${this.id} ${program} "$@"\n`);
    chmodSync(path, 0o755);
    return path;
  }

  /** What names mean in here: `ip netns exec` lays this file over /etc/hosts. */
  hosts(names: Record<string, string[]>): void {
    const lines = Object.entries(names).flatMap(([name, all]) =>
      all.map((address) => `${address} ${name} ${name}.`),
    );
    mkdirSync(`/etc/netns/${this.id}`, { recursive: true });
    writeFileSync(`/etc/netns/${this.id}/hosts`, ["127.0.0.1 localhost", ...lines, ""].join("\n"));
    // Nobody answers questions about names here; to learn that must not take seconds.
    writeFileSync(
      `/etc/netns/${this.id}/resolv.conf`,
      "nameserver 127.0.0.1\noptions attempts:1 timeout:1\n",
    );
  }

  /** Ends what was started in here, and the namespace with it. */
  async close(): Promise<void> {
    await Promise.all([...this.#children].map((child) => stop(child)));
    removeNamespace(this.id);
  }

  /** The same within one turn, for a process that is about to end. */
  destroy(): void {
    for (const child of this.#children) child.kill("SIGKILL");
    removeNamespace(this.id);
  }
}

export async function stop(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), STOPS_WITHIN_MS);
  await gone;
  clearTimeout(timer);
}

/** Ends what still runs in it (programs outlive a namespace's name), then removes it; never throws. */
export function removeNamespace(id: string): void {
  quietly(() => {
    const pids = execFileSync("ip", ["netns", "pids", id], { encoding: "utf8", stdio: PIPES });
    for (const pid of pids.split(/\s+/).filter(Boolean)) quietly(() => process.kill(Number(pid), "SIGKILL"));
  });
  quietly(() => execFileSync("ip", ["netns", "delete", id], { stdio: "ignore" }));
  rmSync(`/etc/netns/${id}`, { recursive: true, force: true });
}

export function quietly(act: () => unknown): void {
  try {
    act();
  } catch {
    // What is being removed may be gone already.
  }
}

const PIPES: ["pipe", "pipe", "pipe"] = ["pipe", "pipe", "pipe"];
