// coturn, as deploy/coturn ships it, in a namespace of the laboratory.

import { execFileSync, type ChildProcess } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Host } from "./internet";
import { stop, type Namespace } from "./namespace";
import { answers } from "./waiting";

const START = fileURLToPath(new URL("../../../deploy/coturn/start", import.meta.url));
/** `NATLAB_VERBOSE=1` shows what servers and relays say. */
export const VERBOSE = Boolean(process.env.NATLAB_VERBOSE);
const STARTS_WITHIN_MS = 10_000;

/** What a relay and those who mint credentials for it have in common. */
export interface Realm {
  realm: string;
  secret: string;
}

export interface Pem {
  cert: string;
  key: string;
}

export class Coturn {
  readonly process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.process = process;
  }

  /** Listens on 3478 (UDP, TCP) and 443 (TLS) of all addresses that the host has. */
  static async start(host: Host, folder: string, { realm, secret }: Realm, pem: Pem, flags: string[] = []) {
    const secrets = `${folder}/turn-secrets`;
    writeFileSync(secrets, `${secret}\n`, { mode: 0o600 });
    const settings = {
      TURN_SECRET_FILE: secrets,
      TURN_REALM: realm,
      TURN_CERT: pem.cert,
      TURN_KEY: pem.key,
      TURN_LOG: VERBOSE ? "on" : "off",
      TMPDIR: folder,
    };
    const child = host.namespace.spawn(START, flags, {
      env: { ...process.env, ...settings },
      stdio: ["ignore", VERBOSE ? "inherit" : "ignore", VERBOSE ? "inherit" : "ignore"],
    });
    await listening(host.namespace, [443, 3478], child);
    return new Coturn(child);
  }

  static version(): string {
    return `coturn ${execFileSync("turnserver", ["--version"], { encoding: "utf8" }).trim()}`;
  }

  stop(): Promise<void> {
    return stop(this.process);
  }
}

/** Waits until all these TCP ports of a namespace are listened on. */
export async function listening(namespace: Namespace, ports: number[], child: ChildProcess): Promise<void> {
  await answers(STARTS_WITHIN_MS, `somebody listens on ${ports.join(", ")} in ${namespace.name}`, () => {
    if (child.exitCode !== null) throw new Error(`It ended with ${child.exitCode}.`);
    const all = namespace.run("ss", ["-Htln"]);
    return ports.every((port) => new RegExp(`:${port}\\s`).test(all));
  });
}

/** A name and password in the REST form: good until then, for whoever. */
export function credential(secret: string, lifetimeS = 3_600, id = randomBytes(6).toString("hex")) {
  const username = `${Math.floor(Date.now() / 1000) + lifetimeS}:${id}`;
  return { username, credential: passwordOf(secret, username) };
}

export function passwordOf(secret: string, username: string): string {
  return createHmac("sha1", secret).update(username).digest("base64");
}

/** A certificate for these names, signed by itself. */
export function selfSigned(folder: string, names: string[]): Pem {
  const pem = { cert: `${folder}/cert.pem`, key: `${folder}/key.pem` };
  const names_ = names.map((name) => (/^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`)).join(",");
  const args = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "2",
  ];
  const to = [
    "-keyout",
    pem.key,
    "-out",
    pem.cert,
    "-subj",
    "/CN=natlab",
    "-addext",
    `subjectAltName=${names_}`,
  ];
  execFileSync("openssl", [...args, ...to], { stdio: "ignore" });
  return pem;
}
