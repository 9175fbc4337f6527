// The socket to the server: says hello, keeps the resume token, comes back by itself with jitter.
// Knows when it may speak and when to try again; what is said is not its business.
// The token lives in memory only: after a reload there is no call that it could bring back.

import { ClientError } from "./errors.js";
import { VERSION, type ClientMessage, type ServerMessage } from "./protocol.gen.js";
import type { Environment } from "./types.js";

export interface SocketListener {
  /** One may speak. `resumed`: the server still knows where we stood. */
  onOpen(resumed: boolean): void;
  onMessage(message: ServerMessage): void;
  /** Lost. Null: the next attempt is already under way. */
  onAway(retryAtMs: number | null): void;
  /** No further attempt is made until `open` is called. */
  onGaveUp(error: ClientError): void;
}

type Link =
  | { name: "closed" }
  | { name: "connecting"; socket: WebSocket; timer: number }
  /** `hello` named a token; what may be said depends on the answer. */
  | { name: "resuming"; socket: WebSocket; timer: number }
  | { name: "open"; socket: WebSocket }
  | { name: "pausing"; timer: number; retryAtMs: number };

const CONNECT_TIMEOUT_MS = 10_000;
// A connection that lasted this long was a good one: the next loss starts the schedule anew.
const SETTLED_MS = 10_000;
const FIRST_CONTACT_ATTEMPTS = 2;
// Neither 1000 nor 1001, which mean leaving: the session is to be resumed on another socket.
const REPLACED = 4000;

export class ServerSocket {
  #environment: Environment;
  #url: string;
  #listener: SocketListener;
  #link: Link = { name: "closed" };
  #token: string | null = null;
  /** One that was replaced, until its session has moved. */
  #retired: WebSocket | null = null;
  #reached = false;
  #failures = 0;
  #openedAtMs = 0;
  /** The server asked for no attempt before this. */
  #notBeforeMs = 0;
  #drainTimer: number | null = null;

  constructor(environment: Environment, url: string, listener: SocketListener) {
    this.#environment = environment;
    this.#url = url;
    this.#listener = listener;
  }

  get isOpen(): boolean {
    return this.#link.name === "open";
  }

  get isClosed(): boolean {
    return this.#link.name === "closed";
  }

  /** Whether the server would know this session again on a new socket. */
  get resumable(): boolean {
    return this.#token !== null;
  }

  /** Null unless waiting for the next attempt. */
  get retryAtMs(): number | null {
    return this.#link.name === "pausing" ? this.#link.retryAtMs : null;
  }

  open(): void {
    if (this.#link.name === "closed") this.#connect();
  }

  send(message: ClientMessage): boolean {
    if (this.#link.name !== "open") return false;
    this.#link.socket.send(JSON.stringify(message));
    return true;
  }

  /** The session is given up: what the next socket begins is a new one. */
  forget(): void {
    this.#token = null;
  }

  /** Leaves: nothing is to be resumed. */
  close(): void {
    this.#token = null;
    this.#failures = 0;
    this.#reached = false;
    this.#detach(1000);
  }

  /** The world has changed (awake again, another network): do not sit out a pause. */
  hurry(): void {
    if (this.#link.name !== "pausing" || this.#environment.now() < this.#notBeforeMs) return;
    this.#detach(REPLACED);
    this.#again();
  }

  /** The present connection is probably dead without knowing it. */
  replace(): void {
    if (this.#link.name === "closed" || this.#link.name === "pausing") return this.hurry();
    // A close that arrives before the new socket could be taken for leaving: the resume evicts the old one.
    if (this.#link.name === "open" && this.resumable) this.#retire(this.#link.socket);
    else this.#detach(REPLACED);
    this.#again();
  }

  // In this order: the listener may close what it has no use for.
  #again(): void {
    this.#connect();
    this.#listener.onAway(null);
  }

  #connect(): void {
    const { WebSocket, setTimeout } = this.#environment;
    let socket: WebSocket;
    try {
      socket = new WebSocket(this.#url);
    } catch {
      this.#listener.onGaveUp(
        new ClientError("server_unreachable", `No socket can be opened to ${this.#url}.`),
      );
      return;
    }
    const timer = setTimeout(() => this.#lost(), CONNECT_TIMEOUT_MS);
    this.#link = { name: "connecting", socket, timer };
    socket.onopen = () => this.#greet(socket, timer);
    socket.onmessage = ({ data }) => this.#onFrame(data);
    socket.onclose = ({ code }) => this.#onClose(code);
  }

  #greet(socket: WebSocket, timer: number): void {
    this.#openedAtMs = this.#environment.now();
    this.#reached = true;
    if (this.#token !== null) {
      this.#link = { name: "resuming", socket, timer };
      this.#hello(socket, this.#token);
      return;
    }
    // Nothing depends on the welcome, so it is not waited for: a round trip saved.
    this.#environment.clearTimeout(timer);
    this.#link = { name: "open", socket };
    this.#hello(socket, null);
    this.#listener.onOpen(false);
  }

  #hello(socket: WebSocket, resume: string | null): void {
    const hello: ClientMessage = { type: "hello", version: VERSION, ...(resume === null ? {} : { resume }) };
    socket.send(JSON.stringify(hello));
  }

  #onFrame(data: unknown): void {
    const message = parse(data);
    if (!message) return;
    if (message.type === "welcome") this.#token = message.resume_token ?? null;
    if (message.type === "welcome" && this.#link.name === "resuming") {
      const { socket, timer } = this.#link;
      this.#environment.clearTimeout(timer);
      this.#link = { name: "open", socket };
      this.#retired?.close(REPLACED);
      this.#retired = null;
      this.#listener.onOpen(message.resumed === true);
    } else if (message.type === "draining") {
      this.#onDraining(message.reconnect_after_ms);
    } else if (message.type === "error" && message.code === "too_fast") {
      this.#onTooFast(message.retry_after_ms ?? 1_000);
    } else if (message.type === "error" && message.code === "unsupported_version") {
      this.#giveUp(new ClientError("refused", message.message));
      return;
    }
    this.#listener.onMessage(message);
  }

  #onTooFast(retryAfterMs: number): void {
    const delayMs = jittered(this.#environment, retryAfterMs);
    this.#notBeforeMs = this.#environment.now() + delayMs;
    if (this.#link.name !== "resuming") return;
    // Admission after a restart: the same hello again on the same socket, if the server leaves it open.
    const { socket, timer } = this.#link;
    this.#environment.clearTimeout(timer);
    const again = this.#environment.setTimeout(() => this.#greet(socket, this.#greetTimeout()), delayMs);
    this.#link = { name: "resuming", socket, timer: again };
  }

  #retire(socket: WebSocket): void {
    this.#retired = socket;
    this.#link = { name: "closed" };
    socket.onopen = socket.onmessage = socket.onclose = null;
  }

  #greetTimeout(): number {
    return this.#environment.setTimeout(() => this.#lost(), CONNECT_TIMEOUT_MS);
  }

  #onDraining(reconnectAfterMs: number): void {
    const delayMs = jittered(this.#environment, reconnectAfterMs);
    this.#notBeforeMs = this.#environment.now() + delayMs;
    if (this.#drainTimer !== null) this.#environment.clearTimeout(this.#drainTimer);
    this.#drainTimer = this.#environment.setTimeout(() => {
      this.#drainTimer = null;
      if (this.#link.name === "open") this.replace();
    }, delayMs);
  }

  #onClose(code: number): void {
    const paused = this.#environment.now() < this.#notBeforeMs;
    if (code === 1008 && !paused) {
      this.#giveUp(new ClientError("refused", "The server refused this connection."));
    } else {
      this.#lost();
    }
  }

  #lost(): void {
    const { now, random, setTimeout } = this.#environment;
    const wasSettled = this.#link.name === "open" && now() - this.#openedAtMs >= SETTLED_MS;
    if (wasSettled) this.#failures = 0;
    this.#detach(REPLACED);
    if (!this.#reached && this.#failures + 1 >= FIRST_CONTACT_ATTEMPTS) {
      this.#giveUp(new ClientError("server_unreachable", "The server cannot be reached."));
      return;
    }
    const delayMs = Math.max(backoffMs(this.#failures++, random()), this.#notBeforeMs - now());
    const retryAtMs = now() + delayMs;
    const timer = setTimeout(() => {
      this.#link = { name: "closed" };
      this.#again();
    }, delayMs);
    this.#link = { name: "pausing", timer, retryAtMs };
    this.#listener.onAway(retryAtMs);
  }

  #giveUp(error: ClientError): void {
    this.close();
    this.#listener.onGaveUp(error);
  }

  #detach(code: number): void {
    const link = this.#link;
    this.#link = { name: "closed" };
    this.#retired?.close(code);
    this.#retired = null;
    if (this.#drainTimer !== null) this.#environment.clearTimeout(this.#drainTimer);
    this.#drainTimer = null;
    if ("timer" in link) this.#environment.clearTimeout(link.timer);
    if (!("socket" in link)) return;
    link.socket.onopen = link.socket.onmessage = link.socket.onclose = null;
    // Closing one that still connects makes some browsers log an error, but leaving it open would be worse.
    link.socket.close(code);
  }
}

/** 0 to 1 s, then 3, 5, and 7 s for good, each ± 50 %: a crowd that was cut off at once does not return at once. */
export function backoffMs(failures: number, random: number): number {
  const base = [1_000, 3_000, 5_000][failures] ?? 7_000;
  return failures === 0 ? base * random : base * (0.5 + random);
}

/** At least what was asked for, at most half as much again. */
export function jittered({ random }: Environment, delayMs: number): number {
  return delayMs * (1 + random() / 2);
}

function parse(data: unknown): ServerMessage | null {
  try {
    const message = JSON.parse(String(data)) as ServerMessage | null;
    return typeof message?.type === "string" ? message : null;
  } catch {
    return null;
  }
}
