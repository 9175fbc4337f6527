// Three nodes that act as one place, the Redis they meet in, and between each node and Redis a line that can be cut.
import { spawn } from "node:child_process";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ending, freePort, visavis } from "../lib/servers.mjs";

const PASSWORD = "chaos";
const SECRET = "shared-by-all-nodes-of-the-chaos-bench";
const EXEMPT = ["--limits-exempt", "127.0.0.0/8"];

/** Redis on a port of its own, which it keeps when it comes back. */
export class Redis {
  #child = null;

  constructor(port, directory) {
    this.port = port;
    this.directory = directory;
  }

  async start() {
    const options = [
      "--port",
      this.port,
      "--bind",
      "127.0.0.1",
      "--save",
      "",
      "--requirepass",
      PASSWORD,
      "--dir",
      this.directory,
    ];
    this.#child = spawn("redis-server", options.map(String), {
      stdio: "ignore",
    });
    await answers(() => opens(this.port), "Redis");
  }

  /** kill -9: what was in it is gone. */
  async kill() {
    const child = this.#child;
    this.#child = null;
    if (!child) return;
    child.kill("SIGKILL");
    await ending(child);
  }
}

/** The way from one node to Redis. */
export class Line {
  #sockets = new Set();
  #server;
  #cut = false;

  constructor(port, to) {
    this.port = port;
    this.#server = createServer((near) => {
      if (this.#cut) return near.destroy();
      const far = connect(to, "127.0.0.1");
      for (const [one, other] of [
        [near, far],
        [far, near],
      ]) {
        this.#sockets.add(one);
        one.on("error", () => undefined);
        one.on("close", () => {
          this.#sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
  }

  open() {
    return new Promise((resolve) => this.#server.listen(this.port, "127.0.0.1", resolve));
  }

  /** Nothing gets through any more, and nobody is told: packets that vanish, not a connection that is closed. */
  cut() {
    this.#cut = true;
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  heal() {
    this.#cut = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

export class Node {
  #child = null;

  constructor({ name, port, metrics, redis, directory, options = [] }) {
    Object.assign(this, { name, port, metrics, redis, directory, options });
  }

  get url() {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  get pid() {
    return this.#child?.pid;
  }

  async start() {
    const settings = {
      listen: `127.0.0.1:${this.port}`,
      "metrics-listen": `127.0.0.1:${this.metrics}`,
      redis: `redis://:${PASSWORD}@127.0.0.1:${this.redis}`,
      node: this.name,
      "session-resume": "on",
      "session-secret": SECRET,
      "state-dir": join(this.directory, this.name),
      "stop-timeout-ms": 20_000,
      workers: 1,
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const stdio = ["ignore", "ignore", process.env.CHAOS_VERBOSE ? "inherit" : "ignore"];
    this.#child = spawn(visavis, ["serve", ...flags, ...EXEMPT, ...this.options], { stdio });
    await answers(() => opens(this.port), this.name);
  }

  signal(name) {
    this.#child?.kill(name);
  }

  async kill() {
    this.signal("SIGKILL");
    await this.gone();
  }

  async gone() {
    if (this.#child) await ending(this.#child);
  }

  /** Status and what its body says of Redis; null when nobody answers. */
  async ready() {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.port}/readyz`, {
        signal: AbortSignal.timeout(2_000),
      });
      return { status: answer.status, redis: (await answer.json()).redis };
    } catch {
      return null;
    }
  }

  /** One value of its metrics. */
  async figure(name) {
    const answer = await fetch(`http://127.0.0.1:${this.metrics}/metrics`, {
      signal: AbortSignal.timeout(2_000),
    });
    const line = (await answer.text()).split("\n").find((each) => each.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length));
  }
}

export class Place {
  static async open(directory, { nodes = 3, options = [] } = {}) {
    const redis = new Redis(await freePort(), directory);
    await redis.start();
    const place = new Place();
    Object.assign(place, { directory, redis, lines: [], nodes: [] });
    for (let n = 1; n <= nodes; n += 1) {
      const line = new Line(await freePort(), redis.port);
      await line.open();
      const [port, metrics] = [await freePort(), await freePort()];
      place.lines.push(line);
      place.nodes.push(
        new Node({
          name: `node-${n}`,
          port,
          metrics,
          redis: line.port,
          directory,
          options,
        }),
      );
    }
    await Promise.all(place.nodes.map((node) => node.start()));
    return place;
  }

  /** For the load client: visitors are dealt out to all nodes. */
  get urls() {
    return this.nodes.map(({ url }) => url);
  }

  async close() {
    for (const node of this.nodes) node.signal("SIGCONT");
    await Promise.all(this.nodes.map((node) => node.kill()));
    for (const line of this.lines) line.close();
    await this.redis.kill();
  }
}

export async function answers(ask, what, withinMs = 10_000) {
  for (const end = Date.now() + withinMs; ;) {
    if (await ask()) return;
    if (Date.now() > end) throw new Error(`${what} did not come within ${withinMs} ms`);
    await pause(20);
  }
}

function opens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
