// deploy/compose.yaml, read and started: every service by its own command and from the very files that are shipped, in a
// laboratory's namespaces. Understands as much of Compose as that file uses, and refuses the rest.

import { chownSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { binary } from "../kit/server";
import type { Host } from "../natlab/internet";
import type { Laboratory } from "../natlab/laboratory";
import { Container, type Recipe } from "./container";

const FILE = fileURLToPath(new URL("../../../deploy/compose.yaml", import.meta.url));
const CONTAINERFILE = fileURLToPath(new URL("../../../deploy/Containerfile", import.meta.url));

interface Service {
  image: string;
  command?: string[];
  entrypoint?: string[];
  environment?: Record<string, string>;
  volumes?: string[];
  secrets?: string[];
  ports?: string[];
  network_mode?: string;
  user?: string;
  cap_add?: string[];
  cap_drop?: string[];
  networks?: string[] | Record<string, { ipv4_address?: string }>;
  extra_hosts?: string[];
}

interface File {
  services: Record<string, Service>;
  secrets: Record<string, { environment: string }>;
  volumes: Record<string, null>;
  networks: { inside: { ipam: { config: { subnet: string }[] } } };
}

export class Composition {
  readonly containers: ReadonlyMap<string, Container>;

  private constructor(containers: Map<string, Container>) {
    this.containers = containers;
  }

  /** Lays everything out on `host`, whose ports the published ones become. Nothing runs yet. */
  static on(host: Host, laboratory: Laboratory, variables: Record<string, string>): Composition {
    const file = read(variables);
    const subnet = file.networks.inside.ipam.config[0]?.subnet ?? "";
    const net = /^(\d+\.\d+\.\d+)\.0\/24$/.exec(subnet)?.[1];
    if (!net) throw new Error(`Not a /24: ${subnet}`);
    for (const volume of Object.keys(file.volumes)) {
      const folder = volumeFolder(laboratory, volume);
      mkdirSync(folder, { recursive: true });
      // As an engine does with the folder of an image: it belongs to the image's user.
      chownSync(folder, ourImage().user, ourImage().user);
    }
    host.namespace.sysctl("net.ipv4.ip_forward=1");
    host.namespace.ip("link add inside type bridge", `addr add ${net}.1/24 dev inside`, "link set inside up");

    const names: Record<string, string[]> = {};
    const forwards: string[] = [];
    const containers = new Map<string, Container>();
    let next = 10;
    for (const [name, service] of Object.entries(file.services)) {
      let namespace = host.namespace;
      if (service.network_mode === "none") {
        namespace = laboratory.namespace(name);
      } else if (service.network_mode !== "host") {
        const address = fixedAddress(service) ?? `${net}.${next++}`;
        namespace = laboratory.namespace(name);
        laboratory.cable(namespace, "eth0", host.namespace, `to-${name}`);
        host.namespace.ip(`link set to-${name} master inside`);
        namespace.ip(`addr add ${address}/24 dev eth0`, `route add default via ${net}.1`);
        names[name] = [address];
        for (const port of service.ports ?? []) {
          const [outside, inside] = port.split(":");
          forwards.push(`iifname != "inside" tcp dport ${outside} dnat ip to ${address}:${inside}`);
        }
      }
      containers.set(
        name,
        new Container(name, namespace, recipe(service, file, variables, laboratory), laboratory.folder),
      );
    }
    host.namespace.nft(
      `table ip engine {\nchain published {\ntype nat hook prerouting priority dstnat;\n${forwards.join("\n")}\n}\n}`,
    );
    for (const [name, { namespace }] of containers) {
      const extra = (file.services[name]?.extra_hosts ?? []).map((line): [string, string[]] => {
        const [host, to] = line.split(":");
        if (!host || to !== "host-gateway") throw new Error(`extra_hosts: ${line}`);
        return [host, [`${net}.1`]];
      });
      if (namespace !== host.namespace) namespace.hosts({ ...names, ...Object.fromEntries(extra) });
    }
    return new Composition(containers);
  }

  get(name: string): Container {
    const container = this.containers.get(name);
    if (!container) throw new Error(`No such service: ${name}`);
    return container;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.containers.values()].map((container) => container.stop("SIGKILL")));
  }
}

function fixedAddress({ networks }: Service): string | undefined {
  return networks && !Array.isArray(networks) ? networks.inside?.ipv4_address : undefined;
}

function volumeFolder(laboratory: Laboratory, volume: string): string {
  return `${laboratory.folder}/volumes/${volume}`;
}

function recipe(
  service: Service,
  file: File,
  variables: Record<string, string>,
  laboratory: Laboratory,
): Recipe {
  const ours = service.image === "visavis";
  const image = ours ? ourImage() : { ...NOTHING, command: OTHERS[service.image.replace(/:.*/, "")] ?? [] };
  const mounts: [string, string][] = [];
  const volumes: [string, string][] = [];
  for (const volume of service.volumes ?? []) {
    const [from = "", to = "", mode] = volume.split(":");
    const folder = /^[./]/.test(from) ? resolve(dirname(FILE), from) : volumeFolder(laboratory, from);
    (mode === "ro" ? mounts : volumes).push([folder, to]);
  }
  const secrets = (service.secrets ?? []).map((name) => {
    const variable = file.secrets[name]?.environment ?? "";
    return [name, variables[variable] ?? ""];
  });
  return {
    command: [...(service.entrypoint ?? image.entrypoint), ...(service.command ?? image.command)],
    environment: { ...image.environment, ...service.environment },
    mounts,
    volumes,
    ...capabilities(service),
    secrets: Object.fromEntries(secrets) as Record<string, string>,
    user: service.user === "root" ? null : image.user,
  };
}

/** Those that are left where all are dropped. */
function capabilities({ cap_drop = [], cap_add = [] }: Service): Pick<Recipe, "capabilities"> {
  return cap_drop.includes("ALL") ? { capabilities: cap_add.map((name) => name.toLowerCase()) } : {};
}

const NOTHING = { entrypoint: [], environment: {}, user: null };

/** What other images start when the file names no command of its own. */
const OTHERS: Record<string, string[]> = { nginx: ["nginx", "-g", "daemon off;"] };

interface Image {
  entrypoint: string[];
  command: string[];
  environment: Record<string, string>;
  user: number;
  health: string[];
}

/** The last stage of our own Containerfile, with the binary under test in place of the image's. */
export function ourImage(): Image {
  const stage =
    readFileSync(CONTAINERFILE, "utf8")
      .split(/^FROM /m)
      .pop() ?? "";
  const say = (pattern: RegExp) => pattern.exec(stage)?.[1] ?? "";
  const command = (pattern: RegExp) => {
    const [program, ...rest] = JSON.parse(say(pattern) || "[]") as string[];
    if (program !== "visavis")
      throw new Error(`The Containerfile does not start visavis where ${String(pattern)}.`);
    return [binary(), ...rest];
  };
  const environment: Record<string, string> = {};
  for (const [, name = "", value = ""] of say(/^ENV (.*)$/m).matchAll(/(\w+)=(\S+)/g))
    environment[name] = value;
  return {
    entrypoint: command(/^ENTRYPOINT (.*)$/m),
    command: [],
    environment,
    user: Number(say(/--uid (\d+)/)),
    health: command(/^HEALTHCHECK .*CMD (.*)$/m),
  };
}

function read(variables: Record<string, string>): File {
  const text = readFileSync(FILE, "utf8").replace(
    /\$\{(\w+)(:[-?])?([^}]*)\}/g,
    (_, name: string, kind = "", rest = "") => {
      const value = variables[name];
      if (value) return value;
      if (kind === ":-") return rest as string;
      throw new Error(`${name} is missing: ${rest as string}`);
    },
  );
  return parse(text, { merge: true }) as File;
}
