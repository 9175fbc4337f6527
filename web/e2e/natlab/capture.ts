// What really goes over a machine's line, packet by packet, as tshark writes it down.

import { execFileSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Addresses } from "./internet";
import { stop, type Namespace } from "./namespace";
import { answers } from "./waiting";

export class Capture {
  #child: ChildProcess;
  #file: string;

  private constructor(child: ChildProcess, file: string) {
    this.#child = child;
    this.#file = file;
  }

  /** Listens from now on to every packet that the machine sends or receives. */
  static async start(machine: Namespace, folder: string): Promise<Capture> {
    const file = `${folder}/${machine.id}-${++captures}.pcap`;
    const child = machine.spawn("dumpcap", ["-q", "-P", "-i", "any", "-w", file], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr?.on("data", (piece: Buffer) => (said += piece.toString()));
    await answers(10_000, "a capture begins", () => said.includes("File:"));
    return new Capture(child, file);
  }

  /** Ends it. */
  async end(): Promise<void> {
    // What the kernel has seen is written a moment later.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const closed = once(this.#child, "exit");
    await stop(this.#child, "SIGINT");
    await closed.catch(() => undefined);
  }

  /** How many packets have one of these addresses as their source or destination. */
  packetsWith({ ipv4, ipv6 }: Addresses): number {
    const filter = [ipv4 && `ip.addr == ${ipv4}`, ipv6 && `ipv6.addr == ${ipv6}`]
      .filter(Boolean)
      .join(" || ");
    const lines = execFileSync(
      "tshark",
      ["-r", this.#file, "-Y", filter, "-T", "fields", "-e", "frame.number"],
      {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      },
    );
    return lines.split("\n").filter(Boolean).length;
  }
}

let captures = 0;
