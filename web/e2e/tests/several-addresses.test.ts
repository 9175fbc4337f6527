// Servers that are not at one plain public address: a machine with several, one without IPv4, one behind a proxy that
// stands elsewhere.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { binary } from "../kit/server";
import type { AccessName } from "../natlab/access";
import { browserAt, visitorIn } from "../natlab/browser";
import { call, type Cell } from "../natlab/cell";
import { credential, listening, selfSigned, VERBOSE, type Pem } from "../natlab/coturn";
import { EmbeddedRelay } from "../natlab/embedded";
import { Internet, type Host } from "../natlab/internet";
import { Laboratory, skipped } from "../natlab/laboratory";
import { answers } from "../natlab/waiting";
import { Wiretap } from "../natlab/wiretap";
import type { Guest } from "../natlab/world";

const SITE = "visavis-lab.net";
const REALM = { realm: SITE, secret: "north-by-northwest" };
const SCRIPT = fileURLToPath(new URL("../natlab/turn-client.mjs", import.meta.url));

/** What a relay answers a client that takes an answer only from the address that it asked. */
async function ask(
  client: Host,
  server: string,
  family: "ipv4" | "ipv6",
  peers: { address: string; port: number }[] = [],
): Promise<{ allocate: number; peers: [permission: number, channel: number][] }> {
  const { username, credential: password } = credential(REALM.secret);
  const order = { server, port: 3478, username, password, family, peers };
  const { code, said } = await client.namespace.outcome(process.execPath, [SCRIPT, JSON.stringify(order)]);
  if (code !== 0) throw new Error(`The client ended with ${code}: ${said}`);
  return JSON.parse(said) as Awaited<ReturnType<typeof ask>>;
}

describe.skipIf(skipped("a relay on a machine with several addresses"))(
  "a machine with several addresses",
  () => {
    let laboratory: Laboratory;
    let relay: Host;
    let client: Host;
    const all: Record<"ipv4" | "ipv6", string[]> = { ipv4: [], ipv6: [] };

    beforeAll(async () => {
      laboratory = new Laboratory();
      const internet = new Internet(laboratory);
      relay = internet.host("relay.visavis-lab.net");
      client = internet.host("client.visavis-lab.net");
      for (const family of ["ipv4", "ipv6"] as const) {
        const first = relay.addresses[family] ?? "";
        const second = family === "ipv4" ? first.replace(/\.10$/, ".11") : first.replace(/::10$/, "::11");
        all[family] = [first, second];
        relay.namespace.ip(`addr add ${second}/${family === "ipv4" ? 24 : 64} dev eth0`);
      }
      const pem = selfSigned(laboratory.folder, ["relay.visavis-lab.net"]);
      await EmbeddedRelay.start(relay, REALM, pem);
    });
    afterAll(() => laboratory?.close());

    test.each([
      ["ipv4", 0],
      ["ipv4", 1],
      ["ipv6", 0],
      ["ipv6", 1],
    ] as const)("answers from the address that was asked: %s, number %i", async (family, at) => {
      const server = all[family][at] ?? "";
      expect((await ask(client, server, family)).allocate).toBe(0);
      const { said } = await client.namespace.outcome("turnutils_stunclient", [server]);
      expect(said).toContain("UDP reflexive addr: ");
    });

    test.each(["ipv4", "ipv6"] as const)("is nobody's peer at any of them, %s", async (family) => {
      const [first = "", second = ""] = all[family];
      const peers = [second, first].flatMap((address) => [3478, 53].map((port) => ({ address, port })));
      const { peers: codes } = await ask(client, second, family, peers);
      expect(codes.map(([, channel]) => channel)).toEqual([403, 403, 403, 403]);
      // At the relay's own address are other visitors, too: there a permission opens nothing but the way to them.
      expect(codes.map(([permission]) => permission).sort()).toEqual([0, 0, 403, 403]);
    });

    test("nor at one that it gets later", async () => {
      const late = (relay.addresses.ipv4 ?? "").replace(/\.10$/, ".12");
      const codes = async () => {
        const { peers } = await ask(client, all.ipv4[0] ?? "", "ipv4", [{ address: late, port: 53 }]);
        return peers[0];
      };
      expect(await codes()).toEqual([0, 0]);
      relay.namespace.ip(`addr add ${late}/24 dev eth0`);
      await answers(15_000, "the new address is refused", async () => (await codes())?.[0] === 403);
      expect((await ask(client, late, "ipv4")).allocate, "and is answered from").toBe(0);
    });
  },
);

/** A site, and visitors of it with real browsers. */
class Place {
  readonly laboratory = new Laboratory();
  readonly internet = new Internet(this.laboratory);
  readonly server = this.internet.host("server.visavis-lab.net");
  readonly pem: Pem = selfSigned(this.laboratory.folder, [SITE]);
  said = "";
  #browsers: Browser[] = [];

  async serve(flags: string[], ports: number[]): Promise<void> {
    const state = ["--state-dir", `${this.laboratory.folder}/state`, "--no-ice-servers"];
    const child = this.server.namespace.spawn(binary(), [...state, ...flags], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    child.stderr?.on("data", (piece: Buffer) => {
      this.said += piece.toString();
      if (VERBOSE) process.stderr.write(piece);
    });
    await listening(this.server.namespace, ports, child);
  }

  async guest(access: AccessName, label: string): Promise<Guest> {
    const home = this.internet.home(access, label);
    const browser = await browserAt(home.machine, this.pem, this.laboratory.folder);
    this.#browsers.push(browser);
    const visitor = await visitorIn(browser, `${access} ${label}`, `https://${SITE}`);
    return { home, tap: new Wiretap(visitor.page), visitor };
  }

  async meeting(access: AccessName): Promise<Cell> {
    const [ann, ben] = await Promise.all([this.guest(access, "ann"), this.guest(access, "ben")]);
    return call(ann, ben);
  }

  /** nginx with the certificate, as docs/operations.md has it. */
  async proxy(host: Host, to: string): Promise<void> {
    const file = `${this.laboratory.folder}/nginx.conf`;
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (name) => `${name}_temp_path ${this.laboratory.folder}/${name};`,
    );
    writeFileSync(
      file,
      `user root; pid ${this.laboratory.folder}/nginx.pid; error_log ${this.laboratory.folder}/nginx.log;
events {}
http {
  ${temporary.join("\n  ")}
  access_log off;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  server {
    listen 443 ssl;
    listen [::]:443 ssl;
    ssl_certificate ${this.pem.cert};
    ssl_certificate_key ${this.pem.key};
    location / {
      proxy_pass http://${to};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_read_timeout 90s;
    }
  }
}
`,
    );
    const child = host.namespace.spawn("nginx", ["-c", file, "-g", "daemon off;"], { stdio: "ignore" });
    await listening(host.namespace, [443], child);
  }

  async close(): Promise<void> {
    await Promise.all(this.#browsers.map((browser) => browser.close().catch(() => undefined)));
    await this.laboratory.close();
  }
}

describe.skipIf(skipped("a server without IPv4"))("a server without IPv4", () => {
  let place: Place;
  afterAll(() => place?.close());

  test("relays for two visitors who hide from each other", async () => {
    place = new Place();
    const { namespace, addresses } = place.server;
    namespace.run("ip", ["-4", "address", "flush", "dev", "eth0"]);
    place.internet.alias(SITE, { namespace, addresses: { ipv6: addresses.ipv6 ?? "" } });
    const { cert, key } = place.pem;
    const tls = ["--tls-listen", "[::]:443", "--tls-cert", cert, "--tls-key", key];
    await place.serve(["--listen", "[::]:8080", ...tls, "--ice-policy", "relay"], [443, 8080]);
    const { a, path } = await place.meeting("IPv6 only");
    expect({ path, family: a.family }).toEqual({ path: "relay", family: "ipv6" });
  });
});

const WAYS: [how: string, flags: (server: string) => string[]][] = [
  ["with nothing but the proxy's name", () => []],
  ["with the relay's public name", (server) => ["--turn-public-host", server]],
];

describe.skipIf(skipped("a server behind a proxy elsewhere")).each(WAYS)(
  "behind nginx on another address, %s",
  (_, flags) => {
    let place: Place;
    beforeAll(async () => {
      place = new Place();
      const { internet, server } = place;
      const nginx = internet.host(SITE);
      const proxy = nginx.addresses.ipv4 ?? "";
      const at = server.addresses.ipv4 ?? "";
      const listen = ["--listen", "0.0.0.0:8080", "--trusted-proxy", proxy];
      await place.serve([...listen, ...flags("server.visavis-lab.net")], [8080]);
      await place.proxy(nginx, `${at}:8080`);
    });
    afterAll(() => place?.close());

    test("two visitors behind ordinary routers meet directly", async () => {
      expect((await place.meeting("port-restricted")).path).toBe("direct");
    });

    test("and two behind symmetric ones through the relay", async () => {
      const { a, b, path } = await place.meeting("symmetric");
      expect(path).toBe("relay");
      expect([a.relayBy, b.relayBy]).toContain("udp");
    });
  },
);
