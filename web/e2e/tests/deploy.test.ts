// What deploy/ ships, started for real: nginx, three nodes, Redis and coturn, each in a namespace of its own.

import { randomBytes } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { parseAllDocuments } from "yaml";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Composition, ourImage } from "../deploy/composition";
import { Container } from "../deploy/container";
import { binary } from "../kit/server";
import { seesStranger } from "../kit/media";
import { meet, type Visitor } from "../kit/visitor";
import type { AccessName } from "../natlab/access";
import { browserAt, visitorIn } from "../natlab/browser";
import { selfSigned, type Pem } from "../natlab/coturn";
import { Internet, type Home } from "../natlab/internet";
import { Laboratory, skipped } from "../natlab/laboratory";

const DEPLOY = fileURLToPath(new URL("../../../deploy", import.meta.url));
const DOMAIN = "chat.visavis.example";
/** Sockets that one address may have at a node, here. */
const PER_ADDRESS = 2;
const KEY = Buffer.from("sixteen letters!").toString("base64");
const NODES = ["node-1", "node-2", "node-3"];

describe.skipIf(skipped("the composition of deploy/"))("deploy/compose.yaml", () => {
  let laboratory: Laboratory;
  let composition: Composition;
  let internet: Internet;
  let pem: Pem;
  let visitor: Home;
  const browsers: Browser[] = [];

  beforeAll(async () => {
    laboratory = new Laboratory();
    internet = new Internet(laboratory);
    const host = internet.host(DOMAIN);
    internet.alias(`turn.${DOMAIN}`, host);
    visitor = internet.home("open", "a");
    pem = tls(laboratory);
    composition = Composition.on(host, laboratory, {
      DOMAIN,
      TURN_RELAY_IP: host.addresses.ipv4 ?? "",
      TLS_FOLDER: `${laboratory.folder}/tls`,
      VISAVIS_SESSION_SECRET: randomBytes(32).toString("base64"),
      VISAVIS_TURN_SECRET: randomBytes(32).toString("hex"),
      REDIS_PASSWORD: randomBytes(32).toString("hex"),
    });
    for (const node of NODES)
      composition.get(node).set("VISAVIS_LIMITS_CONNECTIONS_PER_ADDRESS", String(PER_ADDRESS));
    await composition.get("redis").start(6379);
    await composition.get("coturn").start(3478, 5349);
    await Promise.all(NODES.map((node) => composition.get(node).start(8080)));
    await composition.get("proxy").start(80, 443);
  }, 60_000);

  afterAll(async () => {
    await Promise.all(browsers.map((browser) => browser.close().catch(() => undefined)));
    await composition?.stop();
    await laboratory?.close();
  });

  /** Status and headers, as a visitor's machine gets them. */
  function get(url: string, ...flags: string[]): string {
    return visitor.machine.run("curl", ["-sSk", "-m", "10", "-i", "-o", "-", ...flags, url]);
  }

  /** The answer to a WebSocket, which stays open until curl has waited long enough. */
  async function knock(...more: string[]): Promise<number> {
    const upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    const headers = [...upgrade, `Sec-WebSocket-Key: ${KEY}`, ...more].flatMap((header) => ["-H", header]);
    const flags = ["-sSk", "--http1.1", "-m", "4", "-D", "-", "-o", "/dev/null"];
    const { said } = await visitor.machine.outcome("curl", [...flags, ...headers, `https://${DOMAIN}/ws`]);
    return Number(/^HTTP\/1.1 (\d+)/.exec(said)?.[1]);
  }

  test("the site comes over HTTP/2, and plain HTTP leads there", () => {
    expect(get(`https://${DOMAIN}/`)).toMatch(/^HTTP\/2 200/);
    const plain = get(`http://${DOMAIN}/chat`);
    expect(plain).toMatch(/^HTTP\/1.1 301/);
    expect(plain).toContain(`https://${DOMAIN}/chat`);
  });

  test("whoever asks for a WebSocket's place without one is told so, over HTTP/2 without a header that is forbidden there", () => {
    const asked = get(`https://${DOMAIN}/ws`, "--http2", "-H", "Upgrade: websocket");
    expect(asked).toMatch(/^HTTP\/2 426/);
    expect(asked).not.toMatch(/^(upgrade|connection):/im);
    expect(asked).toContain("A WebSocket is served here");
    expect(get(`https://${DOMAIN}/ws`, "--http1.1")).toMatch(/^HTTP\/1\.1 426[^]*^upgrade: websocket/im);
  });

  test("every node passes the image's health check", async () => {
    for (const node of NODES) expect(await composition.get(node).run(...ourImage().health), node).toBe(0);
  });

  test("nobody can claim another address", async () => {
    const claims = Array.from({ length: 10 }, (_, claim) => knock(`X-Forwarded-For: 9.9.9.${claim}`));
    const statuses = await Promise.all(claims);
    expect(statuses.filter((status) => status === 101)).toHaveLength(NODES.length * PER_ADDRESS);
  });

  test("nodes that were all away let WebSockets in again at once", async () => {
    await Promise.all(NODES.map((node) => composition.get(node).stop()));
    expect(await knock()).toBe(502);
    await Promise.all(NODES.map((node) => composition.get(node).start(8080)));
    // nginx forgives a node when a request to it ends, and these do not.
    const statuses = await Promise.all(Array.from({ length: 5 }, () => knock()));
    expect(statuses).toEqual([101, 101, 101, 101, 101]);
  });

  test("strangers at different nodes meet, through the one open port if it must be, and stay while all nodes are renewed", async () => {
    const [ann, ben] = await Promise.all([arrive("open", "b"), arrive("443 only", "c")]);
    await meet(ann, ben);
    await Promise.all([seesStranger(ann), seesStranger(ben)]);
    expect(await visitorsPerNode(), "least_conn deals them out").toEqual([0, 1, 1]);
    for (const node of NODES) {
      await composition.get(node).stop();
      await composition.get(node).start(8080);
    }
    await Promise.all([seesStranger(ann), seesStranger(ben)]);
    await ann.say("still there?");
    await ben.hears("still there?");
    for (const each of [ann, ben]) {
      expect((await each.history()).filter((words) => /left|lost/i.test(words))).toEqual([]);
    }
    await ben.next();
    await ann.looking();
  }, 120_000);

  async function arrive(access: AccessName, label: string): Promise<Visitor> {
    const browser = await browserAt(internet.home(access, label).machine, pem, laboratory.folder);
    browsers.push(browser);
    return visitorIn(browser, `${access} ${label}`, `https://${DOMAIN}`);
  }

  async function visitorsPerNode(): Promise<number[]> {
    const all = NODES.map((node) => {
      const figures = composition.get(node).namespace.run("curl", ["-sS", "http://127.0.0.1:9090/metrics"]);
      return Number(/^visavis_connections (\d+)$/m.exec(figures)?.[1]);
    });
    return all.sort();
  }
});

describe.skipIf(skipped("the systemd unit of deploy/"))("deploy/systemd", () => {
  test("starts as its own user, on 443 and 3478, and stops when asked to", async () => {
    const laboratory = new Laboratory();
    try {
      const unit = readFileSync(`${DEPLOY}/systemd/visavis.service`, "utf8");
      const line = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(unit)?.[1]?.split(" ") ?? [];
      const ours = ([, ...rest]: string[]) => [binary(), ...rest];
      tls(laboratory);
      const recipe = {
        command: ours(line("ExecStart")),
        mounts: [
          [`${DEPLOY}/systemd/visavis.toml`, "/etc/visavis/visavis.toml"],
          [`${laboratory.folder}/tls`, "/etc/visavis/tls"],
        ] satisfies [string, string][],
        user: 10_001,
        capabilities: line("AmbientCapabilities").map((name) => name.replace("CAP_", "").toLowerCase()),
      };
      const service = new Container("systemd", laboratory.namespace("systemd"), recipe, laboratory.folder);
      expect(await service.run(...ours(line("ExecStartPre")))).toBe(0);
      await service.start(8080, 443);
      await service.stop();
      expect(service.said).toContain("stopped");
    } finally {
      await laboratory.close();
    }
  });
});

test("Kubernetes' Redis has the configuration of the one beside it", () => {
  const all = parseAllDocuments(readFileSync(`${DEPLOY}/kubernetes/redis.yaml`, "utf8"));
  const map = all
    .map((one) => one.toJS() as { kind: string; data?: Record<string, string> })
    .find(({ kind }) => kind === "ConfigMap");
  expect(map?.data?.["redis.conf"]?.trim()).toBe(readFileSync(`${DEPLOY}/redis/redis.conf`, "utf8").trim());
});

/** A certificate where the configurations look for it. */
function tls(laboratory: Laboratory): Pem {
  const { cert, key } = selfSigned(laboratory.folder, [DOMAIN, `turn.${DOMAIN}`]);
  mkdirSync(`${laboratory.folder}/tls`);
  for (const [from, to] of [
    [cert, "fullchain.pem"],
    [key, "privkey.pem"],
  ] as const) {
    copyFileSync(from, `${laboratory.folder}/tls/${to}`);
    chmodSync(`${laboratory.folder}/tls/${to}`, 0o644);
  }
  chmodSync(laboratory.folder, 0o755);
  return { cert, key };
}
