// Three nodes that act as one place, the Redis they meet in, between each node and Redis a line that can be cut, and the
// nginx of deploy/ before them.
import { spawn } from "node:child_process";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { startProxy } from "../lib/proxy.mjs";
import { answers, ending, freePort, visavis } from "../lib/servers.mjs";

const PASSWORD = "chaos";
const SECRET = "shared-by-all-nodes-of-the-chaos-bench";
const EXEMPT = ["--limits-exempt", "127.0.0.0/8"];
/** What is kept of a program's words, to say why it did not start. */
const WORDS = 4_000;

/** A program that listens on a port of its own, which it keeps when it comes back. */
class Program {
  #child = null;
  #said = "";

  get pid() {
    return this.#child?.pid;
  }

  async launch(name, port, [program, ...args]) {
    this.#said = "";
    const child = (this.#child = spawn(program, args.map(String), { stdio: ["ignore", "pipe", "pipe"] }));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (bytes) => (this.#said = (this.#said + bytes).slice(-WORDS)));
      if (process.env.CHAOS_VERBOSE) stream.pipe(process.stderr);
    }
    const dead = () => child.exitCode !== null || child.signalCode !== null;
    await answers(async () => dead() || (await opens(port)), name);
    if (dead()) throw new Error(`${name} did not start: ${this.#said.trim()}`);
  }

  signal(name) {
    this.#child?.kill(name);
  }

  /** kill -9: what was in it is gone. */
  async kill() {
    this.signal("SIGKILL");
    await this.gone();
  }

  async gone() {
    if (this.#child) await ending(this.#child);
  }
}

export class Redis extends Program {
  constructor(port, directory) {
    super();
    Object.assign(this, { port, directory });
  }

  start() {
    const memoryOnly = ["--save", "", "--dir", this.directory];
    const place = ["--port", this.port, "--bind", "127.0.0.1", "--requirepass", PASSWORD];
    return this.launch("Redis", this.port, ["redis-server", ...place, ...memoryOnly]);
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
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject).listen(this.port, "127.0.0.1", resolve);
    });
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

export class Node extends Program {
  constructor({ name, port, metrics, redis, directory }) {
    super();
    Object.assign(this, { name, port, metrics, redis, directory });
  }

  get address() {
    return `127.0.0.1:${this.port}`;
  }

  get url() {
    return `ws://${this.address}/ws`;
  }

  start() {
    const settings = {
      listen: this.address,
      "metrics-listen": `127.0.0.1:${this.metrics}`,
      "trusted-proxy": "127.0.0.1",
      redis: `redis://:${PASSWORD}@127.0.0.1:${this.redis}`,
      node: this.name,
      "session-resume": "on",
      "session-secret": SECRET,
      "state-dir": join(this.directory, this.name),
      "stop-timeout-ms": 20_000,
      // Nobody relays here.
      "turn-enabled": "off",
      workers: 1,
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    return this.launch(this.name, this.port, [visavis, "serve", ...flags, ...EXEMPT]);
  }

  /** Status and what its body says of Redis; null when nobody answers. */
  async ready() {
    try {
      const answer = await fetch(`http://${this.address}/readyz`, { signal: AbortSignal.timeout(2_000) });
      return { status: answer.status, redis: (await answer.json()).redis };
    } catch {
      return null;
    }
  }

  /** One value of its metrics; undefined when nobody answers, or it is not there. */
  async figure(name) {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.metrics}/metrics`, { signal: AbortSignal.timeout(2_000) });
      const line = (await answer.text()).split("\n").find((each) => each.startsWith(`${name} `));
      return line && Number(line.slice(name.length));
    } catch {
      return undefined;
    }
  }
}

export class Place {
  lines = [];
  nodes = [];
  proxy = null;

  static async open(directory, { nodes = 3 } = {}) {
    const place = new Place();
    try {
      place.directory = directory;
      place.redis = new Redis(await freePort(), directory);
      await place.redis.start();
      for (let n = 1; n <= nodes; n += 1) {
        const line = new Line(await freePort(), place.redis.port);
        await line.open();
        place.lines.push(line);
        const [port, metrics] = [await freePort(), await freePort()];
        place.nodes.push(new Node({ name: `node-${n}`, port, metrics, redis: line.port, directory }));
      }
      await Promise.all(place.nodes.map((node) => node.start()));
      place.proxy = await startProxy(directory, place.nodes.map(({ address }) => address), { workers: 2 });
      return place;
    } catch (error) {
      await place.close();
      throw error;
    }
  }

  /** For the load client: visitors are dealt out to all nodes. */
  get urls() {
    return this.nodes.map(({ url }) => url);
  }

  /** The sum of one value of their metrics. */
  async figure(name) {
    const all = await Promise.all(this.nodes.map((node) => node.figure(name)));
    return all.reduce((sum, each) => sum + (each ?? 0), 0);
  }

  async close() {
    await this.proxy?.stop();
    for (const node of this.nodes) node.signal("SIGCONT");
    await Promise.all(this.nodes.map((node) => node.kill()));
    for (const line of this.lines) line.close();
    await this.redis?.kill();
  }
}

function opens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
