// An internet of network namespaces on one machine, without a wire to the real one. Made for tests: every laboratory
// has names of its own, and whatever becomes of the process that made it, its namespaces are removed: at `close`, at
// the end of the process, or, if that was killed, when the next laboratory opens.
//
// Needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN) and iproute2, nftables, procps.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Namespace, quietly, removeNamespace } from "./namespace";

const PREFIX = "visavis";
const open = new Set<Laboratory>();
let opened = 0;

process.on("exit", () => open.forEach((laboratory) => laboratory.destroy()));

/** Why no laboratory can be opened here; null if one can. */
export function whyNot(): string | null {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  for (const [program, probe] of [
    ["ip", "-V"],
    ["nft", "-v"],
    ["sysctl", "-V"],
  ] as const) {
    try {
      execFileSync(program, [probe], { stdio: "ignore" });
    } catch {
      return `the program \`${program}\` is missing`;
    }
  }
  const probe = `${PREFIX}-${process.pid}-probe`;
  try {
    execFileSync("ip", ["netns", "add", probe], { stdio: "ignore" });
  } catch {
    return "this kernel, or this container, does not let us make network namespaces";
  } finally {
    removeNamespace(probe);
  }
  return null;
}

/** Whether tests that need a laboratory must be left out; says so, and why, once for each. */
export function skipped(what: string): boolean {
  const why = whyNot();
  if (why) process.stdout.write(`SKIPPED: ${what}: ${why}\n`);
  return why !== null;
}

export class Laboratory {
  /** For wrappers, certificates, captures; removed with the laboratory. */
  readonly folder = mkdtempSync(join(tmpdir(), "visavis-natlab-"));
  #namespaces: Namespace[] = [];
  #tag: string;

  constructor() {
    const why = whyNot();
    if (why) throw new Error(`There is no laboratory: ${why}.`);
    sweep();
    opened += 1;
    this.#tag = `${PREFIX}-${process.pid}-${opened}`;
    open.add(this);
  }

  namespace(name: string): Namespace {
    const namespace = new Namespace(name, `${this.#tag}-${name}`);
    this.#namespaces.push(namespace);
    return namespace;
  }

  /** A cable: `a` sees it as the interface `at`, `b` as `to`. Unplugged by deleting either. */
  cable(a: Namespace, at: string, b: Namespace, to: string): void {
    a.ip(`link add ${at} type veth peer name ${to} netns ${b.id}`, `link set ${at} up`);
    b.ip(`link set ${to} up`);
  }

  async close(): Promise<void> {
    await Promise.all(this.#namespaces.splice(0).map((namespace) => namespace.close()));
    rmSync(this.folder, { recursive: true, force: true });
    open.delete(this);
  }

  /** As `close`, within one turn. */
  destroy(): void {
    for (const namespace of this.#namespaces.splice(0)) namespace.destroy();
    quietly(() => rmSync(this.folder, { recursive: true, force: true }));
    open.delete(this);
  }
}

/** Removes what laboratories of processes that are no more have left behind. */
export function sweep(): void {
  for (const folder of ["/run/netns", "/etc/netns"]) {
    if (!existsSync(folder)) continue;
    for (const id of readdirSync(folder)) {
      const pid = new RegExp(`^${PREFIX}-(\\d+)-`).exec(id)?.[1];
      if (pid !== undefined && !existsSync(`/proc/${pid}`)) removeNamespace(id);
    }
  }
}
