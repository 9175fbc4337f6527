// The internet of a laboratory: one router in the middle, public hosts at it, homes behind routers of their own.
//
// Addresses look like real ones, because relays refuse what is reserved for documentation; they exist in the
// laboratory's namespaces only and lead nowhere else.

import { accessOf, type Access, type AccessName } from "./access";
import type { Laboratory } from "./laboratory";
import type { Namespace } from "./namespace";

export interface Addresses {
  ipv4?: string;
  ipv6?: string;
}

/** A host with addresses that everyone can reach. */
export interface Host {
  namespace: Namespace;
  addresses: Addresses;
}

/** A visitor's machine, and the addresses under which the world sees it. */
export interface Home {
  access: Access;
  machine: Namespace;
  /** Its interface. */
  at: string;
  /** Of the machine itself: private ones behind a NAT. */
  own: Addresses;
  /** Of the router in front, or the machine's own. */
  seen: Addresses;
}

export class Internet {
  readonly core: Namespace;
  #laboratory: Laboratory;
  #lines = 0;
  #names: Record<string, string[]> = {};
  #machines: Namespace[] = [];

  constructor(laboratory: Laboratory) {
    this.#laboratory = laboratory;
    this.core = laboratory.namespace("core");
    forwards(this.core);
  }

  /** A public host, of both families. Every machine of the laboratory knows it by `name`. */
  host(name: string): Host {
    const namespace = this.#laboratory.namespace(short(name));
    const addresses = this.#subscribe(namespace, "eth0", ["ipv4", "ipv6"]);
    this.#names[name] = [addresses.ipv4, addresses.ipv6].filter((address) => address !== undefined);
    this.#machines.push(namespace);
    this.#tell();
    return { namespace, addresses };
  }

  /** A further name for a public host. */
  alias(name: string, { addresses }: Host): void {
    this.#names[name] = [addresses.ipv4, addresses.ipv6].filter((address) => address !== undefined);
    this.#tell();
  }

  /** A visitor's machine. `label` tells homes of the same access apart. */
  home(name: AccessName, label: string): Home {
    const access = accessOf(name);
    const machine = this.#laboratory.namespace(`${short(name)}-${label}`);
    this.#machines.push(machine);
    this.#tell();
    return { machine, ...this.#connect(machine, access, label) };
  }

  /** Unplugs a visitor's machine and plugs it in elsewhere, as a phone that leaves the house. */
  move(home: Home, name: AccessName, label: string): Home {
    home.machine.ip(`link delete ${home.at}`);
    return { machine: home.machine, ...this.#connect(home.machine, accessOf(name), label) };
  }

  /**
   * As a laptop that is plugged in and leaves the Wi-Fi: first the new interface is there, then the old one is gone. So
   * the machine is never without a network, and nobody tells its programs.
   */
  swap(home: Home, name: AccessName, label: string): Home {
    const before = home.at;
    const at = before === "eth0" ? "eth1" : "eth0";
    const after = { machine: home.machine, ...this.#connect(home.machine, accessOf(name), label, at) };
    home.machine.ip(`link delete ${before}`);
    return after;
  }

  /** Nothing goes between the two any more, while each still reaches everybody else. */
  cut({ seen: a }: Home, { seen: b }: Home): void {
    const drops = (["ipv4", "ipv6"] as const).flatMap((family) => {
      if (!a[family] || !b[family]) return [];
      const [ip, both] = [family === "ipv4" ? "ip" : "ip6", `{ ${a[family]}, ${b[family]} }`];
      return [`${ip} saddr ${both} ${ip} daddr ${both} drop`];
    });
    this.core.nft(`
table inet cut {
  chain forward {
    type filter hook forward priority filter;
    ${drops.join("\n    ")}
  }
}`);
  }

  mend(): void {
    this.core.nft("");
  }

  #connect(machine: Namespace, access: Access, label: string, at = "eth0"): Omit<Home, "machine"> {
    const { families, router } = access;
    if (!router) {
      const own = this.#subscribe(machine, at, families);
      return { access, at, own, seen: own };
    }
    const box = this.#laboratory.namespace(`${short(access.name)}-${label}-router`);
    forwards(box);
    const outside = this.#subscribe(box, "wan", families);
    box.nft(router.ruleset);
    this.#laboratory.cable(machine, at, box, "lan");
    const net = this.#lines;
    const own: Addresses = {};
    if (families.includes("ipv4")) {
      own.ipv4 = `192.168.${net}.20`;
      box.ip(`addr add 192.168.${net}.1/24 dev lan`);
      machine.ip(`addr add ${own.ipv4}/24 dev ${at}`, `route replace default via 192.168.${net}.1`);
    }
    if (families.includes("ipv6")) {
      const prefix = `2a01:e0a:${net.toString(16)}:1`;
      own.ipv6 = `${prefix}::20`;
      this.core.ip(`route add ${prefix}::/64 via ${outside.ipv6 ?? ""}`);
      box.ip(`addr add ${prefix}::1/64 dev lan nodad`);
      machine.ip(`addr add ${own.ipv6}/64 dev ${at} nodad`, `route replace ::/0 via ${prefix}::1`);
    }
    return { access, at, own, seen: router.nat ? outside : own };
  }

  /** A line from the core to a namespace, with public addresses at its end. */
  #subscribe(namespace: Namespace, at: string, families: string[]): Addresses {
    const line = ++this.#lines;
    const to = `line${line}`;
    this.#laboratory.cable(namespace, at, this.core, to);
    const addresses: Addresses = {};
    if (families.includes("ipv4")) {
      // Provider after provider, so that no two addresses are neighbours.
      const net = `82.${64 + line}.${(line * 37) % 256}`;
      addresses.ipv4 = `${net}.10`;
      this.core.ip(`addr add ${net}.1/24 dev ${to}`);
      namespace.ip(`addr add ${addresses.ipv4}/24 dev ${at}`, `route replace default via ${net}.1`);
    }
    if (families.includes("ipv6")) {
      const net = `2a01:e0a:${line.toString(16)}`;
      addresses.ipv6 = `${net}::10`;
      this.core.ip(`addr add ${net}::1/64 dev ${to} nodad`);
      namespace.ip(`addr add ${addresses.ipv6}/64 dev ${at} nodad`, `route replace ::/0 via ${net}::1`);
    }
    return addresses;
  }

  #tell(): void {
    for (const machine of this.#machines) machine.hosts(this.#names);
  }
}

function forwards(router: Namespace): void {
  router.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
}

function short(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, "-");
}
