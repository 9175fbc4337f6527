// What deploy/ ships, started for real: nginx, three nodes, Redis and coturn, each in a namespace of its own.

import { randomBytes } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
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
  /** What certbot keeps. */
  let folder: string;
  const browsers: Browser[] = [];

  beforeAll(async () => {
    laboratory = new Laboratory();
    internet = new Internet(laboratory);
    const host = internet.host(DOMAIN);
    internet.alias(`turn.${DOMAIN}`, host);
    visitor = internet.home("open", "a");
    folder = `${laboratory.folder}/letsencrypt`;
    mkdirSync(folder);
    chmodSync(laboratory.folder, 0o755);
    composition = Composition.on(host, laboratory, {
      DOMAIN,
      TURN_RELAY_IP: host.addresses.ipv4 ?? "",
      TLS_FOLDER: folder,
      VISAVIS_SESSION_SECRET: randomBytes(32).toString("base64"),
      VISAVIS_TURN_SECRET: randomBytes(32).toString("hex"),
      REDIS_PASSWORD: randomBytes(32).toString("hex"),
    });
    for (const node of NODES)
      composition.get(node).set("VISAVIS_LIMITS_CONNECTIONS_PER_ADDRESS", String(PER_ADDRESS));
    composition.get("proxy").set("LOOK_S", "1");
    composition.get("coturn").set("TURN_LOOK_S", "1");
    await composition.get("redis").start(6379);
    expect(await composition.get("placeholder").finish()).toBe(0);
    await Promise.all(NODES.map((node) => composition.get(node).start(8080)));
    await composition.get("proxy").start(80, 443);
    await composition.get("coturn").start(3478);
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

  /** Who is shown as the owner of the certificate, by name: of the site and of the relay. */
  const shown = async (name: string, port: number) => {
    const { said } = await visitor.machine.outcome("sh", [
      "-c",
      `openssl s_client -connect ${name}:${port} -servername ${name} </dev/null 2>/dev/null | openssl x509 -noout -subject`,
    ]);
    return said.trim();
  };

  test("before the first certificate the site answers with a placeholder, and certbot can be reached", async () => {
    expect(await shown(DOMAIN, 443)).toContain("Visavis on the local network");
    writeFileSync(`${laboratory.folder}/volumes/acme/token`, "proof");
    mkdirSync(`${laboratory.folder}/volumes/acme/.well-known/acme-challenge`, { recursive: true });
    writeFileSync(`${laboratory.folder}/volumes/acme/.well-known/acme-challenge/token`, "proof");
    expect(get(`http://${DOMAIN}/.well-known/acme-challenge/token`)).toContain("proof");
    expect(composition.get("coturn").said).toContain("relaying without TLS");
  });

  test("the first certificate and each renewal are taken up, laid out as certbot does", async () => {
    issue(folder, laboratory, 1);
    // coturn ends, and the engine starts it again.
    await composition.get("coturn").ended();
    await composition.get("coturn").start(3478, 5349);
    await expect.poll(() => shown(DOMAIN, 443), { timeout: 15_000 }).toContain("issue 1");
    expect(await shown(`turn.${DOMAIN}`, 443)).toContain("issue 1");
    pem = issue(folder, laboratory, 2);
    await expect.poll(() => shown(DOMAIN, 443), { timeout: 15_000 }).toContain("issue 2");
    await expect.poll(() => shown(`turn.${DOMAIN}`, 443), { timeout: 15_000 }).toContain("issue 2");
    const owners = composition
      .get("coturn")
      .namespace.run("sh", ["-c", "ps -o user= -C turnserver | sort -u"]);
    expect(owners.trim().split("\n")).toContain("nobody");
  }, 60_000);

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

describe("deploy/kubernetes", () => {
  interface Manifest {
    kind: string;
    metadata: { name: string };
    data?: Record<string, string>;
    spec?: { template?: { spec: Pod } };
  }
  interface Pod {
    enableServiceLinks?: boolean;
    hostNetwork?: boolean;
    terminationGracePeriodSeconds: number;
    containers: {
      args: string[];
      env: { name: string }[];
      lifecycle?: { preStop: { exec: { command: string[] } } };
      readinessProbe?: object;
      livenessProbe?: object;
    }[];
  }
  const all = ["visavis", "relay"].flatMap((name) =>
    parseAllDocuments(readFileSync(`${DEPLOY}/kubernetes/${name}.yaml`, "utf8")).map(
      (one) => one.toJS() as Manifest,
    ),
  );
  const pod = (kind: string) => all.find((one) => one.kind === kind)?.spec?.template?.spec;

  test("the nodes' settings are sound", () => {
    const settings = all.find((one) => one.kind === "ConfigMap")?.data?.["visavis.toml"] ?? "";
    const path = join(mkdtempSync(join(tmpdir(), "visavis-kubernetes-")), "visavis.toml");
    writeFileSync(path, settings);
    const environment = Object.fromEntries(
      (pod("Deployment")?.containers[0]?.env ?? [])
        .filter(({ name }) => name.startsWith("VISAVIS_"))
        .map(({ name }) => [
          name,
          name === "VISAVIS_REDIS_URL" ? "redis://redis:6379" : "a-secret-that-is-long-enough-for-anybody",
        ]),
    );
    // As Kubernetes does where a service is called as we are.
    const links = {
      VISAVIS_SERVICE_HOST: "10.0.0.1",
      VISAVIS_SERVICE_PORT: "80",
      VISAVIS_PORT_80_TCP_ADDR: "10.0.0.1",
    };
    const env = { PATH: process.env.PATH, ...environment, VISAVIS_NODE: "visavis-1", ...links };
    expect(execFileSync(binary(), ["check-config", "--config", path], { encoding: "utf8", env })).toContain(
      "is sound",
    );
    rmSync(dirname(path), { recursive: true });
  });

  test("a pod that goes has left the proxies before it drains", () => {
    const deployment = pod("Deployment");
    const pause = Number(deployment?.containers[0]?.lifecycle?.preStop.exec.command[1]);
    const settings = all.find((one) => one.kind === "ConfigMap")?.data?.["visavis.toml"] ?? "";
    const drain = Number(/stop_timeout_ms = (\d+)/.exec(settings)?.[1]) / 1000;
    expect(pause).toBeGreaterThan(0);
    expect(deployment?.terminationGracePeriodSeconds).toBeGreaterThan(pause + drain);
    expect(deployment?.enableServiceLinks).toBe(false);
  });

  test("there is a relay, on the hosts' own network and probed, by flags that there are", () => {
    const relay = pod("DaemonSet");
    const [container] = relay?.containers ?? [];
    expect(relay?.hostNetwork).toBe(true);
    expect(container?.readinessProbe).toBeDefined();
    expect(container?.livenessProbe).toBeDefined();
    const help = execFileSync(binary(), ["turn", "--help"], { encoding: "utf8" });
    const flags = container?.args.filter((word) => word.startsWith("--")) ?? [];
    for (const flag of flags) expect(help).toContain(`${flag} <`);
  });
});

test("Kubernetes' Redis has the configuration of the one beside it", () => {
  const all = parseAllDocuments(readFileSync(`${DEPLOY}/kubernetes/redis.yaml`, "utf8"));
  const map = all
    .map((one) => one.toJS() as { kind: string; data?: Record<string, string> })
    .find(({ kind }) => kind === "ConfigMap");
  expect(map?.data?.["redis.conf"]?.trim()).toBe(readFileSync(`${DEPLOY}/redis/redis.conf`, "utf8").trim());
});

/** The `nth` certificate: in archive/, for root only, with links from live/. */
function issue(folder: string, laboratory: Laboratory, nth: number): Pem {
  const [archive, live] = [`${folder}/archive/${DOMAIN}`, `${folder}/live/${DOMAIN}`];
  for (const path of [archive, live]) mkdirSync(path, { recursive: true });
  for (const path of [`${folder}/archive`, `${folder}/live`]) chmodSync(path, 0o700);
  const pem = { cert: `${archive}/fullchain${nth}.pem`, key: `${archive}/privkey${nth}.pem` };
  const names = `subjectAltName=DNS:${DOMAIN},DNS:turn.${DOMAIN}`;
  execFileSync(
    "openssl",
    [
      ...[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
      ],
      ...["-keyout", pem.key, "-out", pem.cert, "-subj", `/CN=issue ${nth}`, "-addext", names],
    ],
    { stdio: "ignore" },
  );
  chmodSync(pem.key, 0o600);
  for (const [kind, link] of [
    ["fullchain", "fullchain.pem"],
    ["privkey", "privkey.pem"],
  ] as const) {
    rmSync(`${live}/${link}`, { force: true });
    symlinkSync(`../../archive/${DOMAIN}/${kind}${nth}.pem`, `${live}/${link}`);
  }
  // For the browsers, which run as others do.
  const copies = {
    cert: `${laboratory.folder}/issue${nth}.pem`,
    key: `${laboratory.folder}/issue${nth}.key`,
  };
  copyFileSync(pem.cert, copies.cert);
  copyFileSync(pem.key, copies.key);
  return copies;
}

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
