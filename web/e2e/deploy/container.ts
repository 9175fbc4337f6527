// A service without a container engine: its own network namespace, its own view of /etc, /run, /var/lib and /var/log, and
// the mounts, environment, user and command that a file of deploy/ gives it. The programs are the machine's own.

import { mkdirSync, writeFileSync } from "node:fs";
import type { ChildProcess } from "node:child_process";
import { listening } from "../natlab/coturn";
import { stop, type Namespace } from "../natlab/namespace";

export interface Recipe {
  /** Program and arguments. */
  command: string[];
  environment?: Record<string, string>;
  /** Path here to path inside, read-only. */
  mounts?: [string, string][];
  /** The same for what it may write to. */
  volumes?: [string, string][];
  /** What stands in /run/secrets. */
  secrets?: Record<string, string>;
  /** Runs as this user, with no capabilities but `capabilities`; without one as root, with all of them if none are named. */
  user: number | null;
  capabilities?: string[];
}

export class Container {
  readonly name: string;
  readonly namespace: Namespace;
  #recipe: Recipe;
  #folder: string;
  #child: ChildProcess | null = null;
  #said = "";

  constructor(name: string, namespace: Namespace, recipe: Recipe, folder: string) {
    this.name = name;
    this.namespace = namespace;
    this.#recipe = recipe;
    this.#folder = `${folder}/${name}`;
    mkdirSync(this.#folder, { recursive: true });
  }

  /** For the next start: one more variable. */
  set(variable: string, value: string): void {
    this.#recipe = { ...this.#recipe, environment: { ...this.#recipe.environment, [variable]: value } };
  }

  /** What it has printed so far. */
  get said(): string {
    return this.#said;
  }

  /** Starts the command and waits until these TCP ports are listened on. */
  async start(...ports: number[]): Promise<void> {
    const child = this.#spawn(this.#recipe.command);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (piece: Buffer) => (this.#said = (this.#said + piece.toString()).slice(-50_000)));
    }
    this.#child = child;
    const fail = (error: unknown) =>
      Promise.reject(new Error(`${this.name}: ${String(error)}\n${this.#said}`));
    await listening(this.namespace, ports, child).catch(fail);
  }

  /** The command to its end, for services that do one thing: its exit code. */
  finish(): Promise<number | null> {
    return this.run(...this.#recipe.command);
  }

  /** Waits until it has ended by itself. */
  async ended(): Promise<void> {
    const child = this.#child;
    if (child && child.exitCode === null && child.signalCode === null) {
      await new Promise((resolve) => child.once("exit", resolve));
    }
    this.#child = null;
  }

  /** Another program with the same surroundings, to its end: its exit code. */
  async run(...command: string[]): Promise<number | null> {
    const child = this.#spawn(command);
    child.stderr?.pipe(process.stderr);
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", resolve);
    });
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#child) await stop(this.#child, signal);
    this.#child = null;
  }

  #spawn(command: string[]): ChildProcess {
    const { environment, user, capabilities } = this.#recipe;
    const kept = ["-all", ...(capabilities ?? []).map((name) => `+${name}`)].join(",");
    const become =
      user === null
        ? capabilities
          ? ["setpriv", `--bounding-set=${kept}`]
          : []
        : [
            "setpriv",
            ...[`--reuid=${user}`, `--regid=${user}`, "--clear-groups", "--no-new-privs"],
            ...[`--bounding-set=${kept}`, `--inh-caps=${kept}`, `--ambient-caps=${kept}`],
          ];
    return this.namespace.spawn("sh", ["-eu", this.#script(), ...become, ...command], {
      env: { PATH: process.env.PATH, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** Lays out what the service sees, then becomes its command. What is mounted goes with the process. */
  #script(): string {
    const { mounts = [], volumes = [], secrets = {} } = this.#recipe;
    const lines = [`mount -t tmpfs tmpfs ${this.#folder}`];
    // `ip netns exec` has laid the namespace's names over /etc; the layer would hide them.
    lines.push(`cp /etc/hosts ${this.#folder}/hosts`);
    for (const place of ["/etc", "/var/lib", "/var/log"]) {
      const layer = `${this.#folder}${place}`;
      lines.push(
        `mkdir -p ${layer}/upper ${layer}/work`,
        `mount -t overlay overlay -o lowerdir=${place},upperdir=${layer}/upper,workdir=${layer}/work ${place}`,
      );
    }
    lines.push(
      `cp ${this.#folder}/hosts /etc/hosts`,
      "mount -t tmpfs tmpfs /run",
      "mkdir /run/secrets",
      "mkdir -m 777 -p /var/lib/visavis",
    );
    for (const [from, to] of mounts) {
      lines.push(
        `mkdir -p "$(dirname '${to}')"`,
        `if [ -d '${from}' ]; then mkdir -p '${to}'; else : >> '${to}'; fi`,
        `mount --bind -o ro '${from}' '${to}'`,
      );
    }
    for (const [from, to] of volumes) {
      lines.push(`mkdir -p '${to}'`, `mount --bind '${from}' '${to}'`);
    }
    for (const [name, secret] of Object.entries(secrets)) {
      lines.push(`printf '%s\\n' '${secret}' > /run/secrets/${name}`);
    }
    const path = `${this.#folder}.sh`;
    writeFileSync(path, [...lines, 'exec "$@"', ""].join("\n"));
    return path;
  }
}
