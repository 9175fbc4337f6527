// Our own relay, alone: `visavis turn` in a namespace of the laboratory.

import { execFileSync, type ChildProcess } from "node:child_process";
import { binary } from "../kit/server";
import { listening, VERBOSE, type Pem, type Realm } from "./coturn";
import type { Host } from "./internet";
import { stop } from "./namespace";

export class EmbeddedRelay {
  readonly process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.process = process;
  }

  /** Listens on 3478 (UDP, TCP) and 443 (TLS) of all addresses that the host has. */
  static async start(host: Host, { realm, secret }: Realm, pem: Pem, flags: string[] = []) {
    const tls = ["--tls-listen", "[::]:443", "--tls-cert", pem.cert, "--tls-key", pem.key];
    const all = ["turn", "--listen", "[::]:3478", ...tls, "--realm", realm, "--secret", secret, ...flags];
    const child = host.namespace.spawn(binary(), all, {
      stdio: ["ignore", "ignore", VERBOSE ? "inherit" : "ignore"],
    });
    await listening(host.namespace, [443, 3478], child);
    return new EmbeddedRelay(child);
  }

  stop(): Promise<void> {
    return stop(this.process);
  }
}

export function version(): string {
  return execFileSync(binary(), ["--version"], { encoding: "utf8" }).trim();
}
