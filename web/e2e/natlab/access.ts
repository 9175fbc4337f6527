// The ways in which visitors reach the internet, as rules for the router in front of them and as the properties
// (RFC 4787, 4 and 5) from which theory says who can reach whom.

export type AccessName =
  | "open"
  | "full cone"
  | "address-restricted"
  | "port-restricted"
  | "symmetric"
  | "UDP blocked"
  | "443 only"
  | "IPv6 only";

/** Which packets from outside reach an inside port that has sent something: all, or those from whom it has sent to. */
type Filtering = "none" | "address" | "port";

export interface Access {
  name: AccessName;
  families: ("ipv4" | "ipv6")[];
  /** What the router between the visitor and the internet does; null where there is none. */
  router: { nat: boolean; ruleset: string } | null;
  /** By what the visitor can reach a relay, the best first. */
  relayBy: "udp" | "tcp" | "tls";
  /** Null: no UDP at all. */
  udp: { mapping: "one port for all" | "a port for each"; filtering: Filtering } | null;
}

// Linux's own masquerade keeps the source port, so the mapping does not depend on the destination; what comes back is
// filtered by address and port. Cones open that filter: they remember who has sent (to whom), and let others in.
// What arrives uninvited is dropped before it leaves a trace in the connection table: a trace would take the port from
// the mapping that the visitor is about to make (and nobody could ever punch a hole).
function masquerade({ remember = "counter", admit = "counter", options = "", allow = "accept" }): string {
  return `
table inet home {
  map by_port { type inet_service : ipv4_addr; flags dynamic,timeout; timeout 5m; size 4096; }
  map by_port_and_address { type inet_service . ipv4_addr : ipv4_addr; flags dynamic,timeout; timeout 5m; size 4096; }
  chain forward {
    type filter hook forward priority filter; policy drop;
    iifname "lan" ${remember}
    ct state established,related accept
    ct status dnat accept
    iifname "lan" ${allow}
  }
  chain input {
    type filter hook input priority filter; policy drop;
    iifname { "lan", "lo" } accept
    ct state established accept
    meta l4proto { icmp, icmpv6 } accept
  }
  chain uninvited { type nat hook prerouting priority dstnat; ${admit}; }
  chain outward { type nat hook postrouting priority srcnat; oifname "wan" masquerade ${options}; }
}`;
}

const FIREWALL = `
table inet home {
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    meta l4proto icmpv6 accept
    iifname "lan" accept
  }
}`;

const NAT = (parts: Parameters<typeof masquerade>[0]) => ({ nat: true, ruleset: masquerade(parts) });

const ALL: Access[] = [
  {
    name: "open",
    families: ["ipv4", "ipv6"],
    router: null,
    relayBy: "udp",
    udp: { mapping: "one port for all", filtering: "none" },
  },
  {
    name: "full cone",
    families: ["ipv4"],
    router: NAT({
      remember: "meta l4proto udp update @by_port { udp sport : ip saddr }",
      admit: 'iifname "wan" meta l4proto udp dnat ip to udp dport map @by_port',
    }),
    relayBy: "udp",
    udp: { mapping: "one port for all", filtering: "none" },
  },
  {
    name: "address-restricted",
    families: ["ipv4"],
    router: NAT({
      remember: "meta l4proto udp update @by_port_and_address { udp sport . ip daddr : ip saddr }",
      admit: 'iifname "wan" meta l4proto udp dnat ip to udp dport . ip saddr map @by_port_and_address',
    }),
    relayBy: "udp",
    udp: { mapping: "one port for all", filtering: "address" },
  },
  {
    name: "port-restricted",
    families: ["ipv4"],
    router: NAT({}),
    relayBy: "udp",
    udp: { mapping: "one port for all", filtering: "port" },
  },
  {
    name: "symmetric",
    families: ["ipv4"],
    router: NAT({ options: "fully-random" }),
    relayBy: "udp",
    udp: { mapping: "a port for each", filtering: "port" },
  },
  {
    name: "UDP blocked",
    families: ["ipv4"],
    router: NAT({ allow: "meta l4proto != udp accept" }),
    relayBy: "tcp",
    udp: null,
  },
  {
    name: "443 only",
    families: ["ipv4"],
    router: NAT({ allow: "tcp dport 443 accept" }),
    relayBy: "tls",
    udp: null,
  },
  {
    name: "IPv6 only",
    families: ["ipv6"],
    router: { nat: false, ruleset: FIREWALL },
    relayBy: "udp",
    udp: { mapping: "one port for all", filtering: "port" },
  },
];

export const ACCESSES: ReadonlyMap<AccessName, Access> = new Map(ALL.map((access) => [access.name, access]));

export function accessOf(name: AccessName): Access {
  const access = ACCESSES.get(name);
  if (!access) throw new Error(`No such access: ${name}`);
  return access;
}

/** What theory says of a pair: `direct` where a packet of either can reach the other, `relay` where none can. */
export function theory(a: Access, b: Access): "direct" | "relay" {
  const meet = a.families.some((family) => b.families.includes(family));
  return meet && (reaches(a, b) || reaches(b, a)) ? "direct" : "relay";
}

// Both know the other's address as a STUN server saw it, and both send there. A packet arrives where that address is
// the one under which `to` can be reached, and where `to` has sent to the one from which it comes.
function reaches({ udp: from }: Access, { udp: to }: Access): boolean {
  if (!from || !to || to.mapping === "a port for each") return false;
  return to.filtering !== "port" || from.mapping === "one port for all";
}
