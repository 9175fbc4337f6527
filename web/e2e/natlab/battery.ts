// What a relay must do to be one, judged by coturn's own clients and by a client that asks for what is forbidden.
// One battery for every relay: what passes here by a mistake of ours would have to be coturn's mistake, too.

import { fileURLToPath } from "node:url";
import { credential } from "./coturn";
import { Internet, type Host } from "./internet";
import { Laboratory } from "./laboratory";

export const SECRET = "a secret that only the site and its relay know";
export const REALM = "visavis-lab.net";
/** What the peer of the clients listens on. */
const PEER_PORT = 3480;
const WITHIN_S = "40";

/** Where the battery is fought: a relay, a client and a peer, all with public addresses of both families. */
export class Range {
  readonly laboratory = new Laboratory();
  readonly internet = new Internet(this.laboratory);
  readonly relay = this.internet.host("relay.visavis-lab.net");
  readonly client = this.internet.host("client.visavis-lab.net");
  readonly peer = this.internet.host("peer.visavis-lab.net");

  constructor() {
    this.peer.namespace.spawn("turnutils_peer", ["-p", String(PEER_PORT)], { stdio: "ignore" });
  }
}

export interface Drill {
  name: string;
  flags: string[];
  /** Addresses of the relay that is called, and of the peer that is sent to. */
  to?: "ipv4" | "ipv6";
  peer?: "ipv4" | "ipv6";
  tls?: boolean;
  /** The client makes its own credentials from the secret. */
  mints?: boolean;
}

export const DRILLS: Drill[] = [
  { name: "channels", flags: [] },
  { name: "channels, with credentials of the client's making", flags: [], mints: true },
  { name: "channels, reached over IPv6", flags: [], to: "ipv6" },
  { name: "send and data indications", flags: ["-s"] },
  { name: "client to client, relay to relay", flags: ["-y"] },
  { name: "over TCP", flags: ["-t"] },
  { name: "over TLS", flags: ["-t", "-S"], tls: true },
  { name: "indications over TLS", flags: ["-t", "-S", "-s"], tls: true },
  { name: "IPv4 and IPv6 in one allocation", flags: ["-Z"] },
  { name: "an IPv6 relay address", flags: ["-x"], peer: "ipv6" },
  { name: "an IPv6 relay address over TCP", flags: ["-x", "-t"], peer: "ipv6" },
  { name: "packets that must not be fragmented", flags: ["-g"] },
  { name: "mobility", flags: ["-M", "-v"] },
  { name: "mobility of indications", flags: ["-M", "-s"] },
  { name: "every request twice", flags: ["-G"] },
];

export interface Totals {
  code: number | null;
  sent: number;
  received: number;
  lost: number;
  /** The mobility tickets that were seen, one after the other. */
  tickets: string[];
  said: string;
}

/** Runs coturn's client. Its exit code is 0 even if every packet was lost: only the totals count. */
export async function drill(
  range: Range,
  { flags, to = "ipv4", peer = "ipv4", tls, mints }: Drill,
  ports: Ports,
) {
  const id = `drill${++drills}`;
  const { username, credential: password } = credential(SECRET, 3_600, id);
  // With -W the client makes its names anew with every second, and then takes answers to an older one for forged.
  const login = mints ? ["-W", SECRET, "-u", id] : ["-u", username, "-w", password];
  const load = ["-n", "20", "-m", "2", "-l", "400", "-z", tls ? "20" : "5"];
  const at = ["-p", String(tls ? ports.tls : ports.plain), "-e", addressOf(range.peer, peer)];
  const all = [...flags, ...login, ...load, ...at, "-r", String(PEER_PORT), addressOf(range.relay, to)];
  // It sometimes waits for ever for a relay that does not answer.
  const program = ["-k", "2", WITHIN_S, "turnutils_uclient", ...all];
  const { code, said } = await range.client.namespace.outcome("timeout", program);
  return { code, ...totals(said), said } satisfies Totals;
}

let drills = 0;

export interface Ports {
  plain: number;
  tls: number;
}

function totals(said: string): Omit<Totals, "code" | "said"> {
  const last = (pattern: RegExp) => Number([...said.matchAll(pattern)].at(-1)?.[1] ?? Number.NaN);
  return {
    sent: last(/tot_send_msgs=(\d+)/g),
    received: last(/tot_recv_msgs=(\d+)/g),
    lost: last(/Total lost packets (\d+)/g),
    tickets: [...said.matchAll(/smid=(\S+)/g)].map((match) => match[1] ?? ""),
  };
}

export interface Asked {
  username: string;
  credential: string;
  family?: "ipv4" | "ipv6";
  peers?: string[];
  port: number;
}

/** What the relay answers to an allocation, and for each peer to CreatePermission and ChannelBind; 0 is success. */
export async function ask(
  range: Range,
  { username, credential, family = "ipv4", peers = [], port }: Asked,
): Promise<{ allocate: number; peers: Record<string, [permission: number, channel: number]> }> {
  const order = {
    server: addressOf(range.relay, "ipv4"),
    port,
    username,
    password: credential,
    family,
    peers: peers.map((address) => ({ address, port: 9 })),
  };
  const script = fileURLToPath(new URL("turn-client.mjs", import.meta.url));
  const { code, said } = await range.client.namespace.outcome(process.execPath, [
    script,
    JSON.stringify(order),
  ]);
  if (code !== 0) throw new Error(`The client ended with ${code}: ${said}`);
  const answer = JSON.parse(said) as { allocate: number; peers: [number, number][] };
  const answers = peers.map((peer, at) => [peer, answer.peers[at] ?? [Number.NaN, Number.NaN]] as const);
  return { allocate: answer.allocate, peers: Object.fromEntries(answers) };
}

export function addressOf({ addresses }: Host, family: "ipv4" | "ipv6"): string {
  const address = addresses[family];
  if (!address) throw new Error(`This host has no ${family} address.`);
  return address;
}

/** Addresses of every special-purpose range, the first, one within and the last where they differ. */
export const FORBIDDEN = {
  ipv4: [
    ...["0.0.0.0", "0.0.0.1", "0.255.255.255", "10.0.0.0", "10.1.2.3", "10.255.255.255"],
    ...["100.64.0.0", "100.100.100.200", "100.127.255.255", "127.0.0.1", "127.255.255.255"],
    ...["169.254.0.1", "169.254.169.254", "169.254.255.255", "172.16.0.0", "172.31.255.255"],
    ...[
      "192.0.0.0",
      "192.0.0.170",
      "192.0.0.255",
      "192.0.2.1",
      "192.88.99.1",
      "192.168.0.0",
      "192.168.255.255",
    ],
    ...["198.18.0.0", "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255"],
    ...["240.0.0.0", "255.255.255.254", "255.255.255.255"],
  ],
  ipv6: [
    ...["::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8"],
    ...[
      "64:ff9b::",
      "64:ff9b::10.0.0.1",
      "64:ff9b::ffff:ffff",
      "64:ff9b:1::",
      "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
    ],
    ...["100::", "100::ffff:ffff:ffff:ffff", "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"],
    ...["2001:db8::1", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2002::", "2002:a00:1::1", "2002:7f00:1::"],
    ...[
      "fc00::",
      "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
      "fe80::1",
      "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    ],
    ...["ff00::", "ff02::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  ],
} as const;
