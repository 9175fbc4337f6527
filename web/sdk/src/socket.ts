// The socket to the server: says hello, keeps the resume token, comes back by itself with jitter.
// Knows when it may speak and when to try again; what is said is not its business. One that is dead without knowing it
// is replaced (`heartbeat`).
// The token lives in memory only: after a reload there is no call that it could bring back.
// While one socket takes the place of another the old one is heard until the new one has said how much arrived.

import { ClientError } from "./errors.js";
import { parsed } from "./frame.js";
import { Heartbeat } from "./heartbeat.js";
import { VERSION, type ClientMessage, type Hello, type ServerMessage } from "./protocol.gen.js";
import { whyUnreachable } from "./reach.js";
import type { Environment } from "./types.js";

/** What the server still knows of a session. */
export interface Resumed {
  /** The match that it is in. */
  matchId: string | null;
  /** How many messages the server took from the last socket; null: it does not know. */
  received: number | null;
}

export interface SocketListener {
  /** What a `hello` says besides the version and the session. */
  hello(): Partial<Hello>;
  /** One may speak. */
  onOpen(resumed: Resumed | null): void;
  onMessage(message: ServerMessage): void;
  /** It was dead without knowing it: the network has changed, or the machine was away. `onAway` follows. */
  onDead(): void;
  /** Lost. Null: the next attempt is already under way. */
  onAway(retryAtMs: number | null): void;
  /** No further attempt is made until `open` is called. */
  onGaveUp(error: ClientError): void;
}

type Link =
  | { name: "closed" }
  | { name: "connecting"; socket: WebSocket; timer: number }
  /** What may be said depends on the answer to `hello`, or is to be said later. */
  | { name: "greeting"; socket: WebSocket; timer: number }
  | { name: "open"; socket: WebSocket }
  | { name: "pausing"; timer: number; retryAtMs: number };

const CONNECT_TIMEOUT_MS = 10_000;
// So long the server keeps the session of a broken line. Two attempts fall within it, even if the first one hangs.
const GRACE_MS = 10_000;
const CONNECT_IN_GRACE_MS = 4_000;
const LEAST_GREETING_MS = 2_000;
// A connection that lasted this long was a good one: the next loss starts the schedule anew.
const SETTLED_MS = 10_000;
const FIRST_CONTACT_ATTEMPTS = 2;
// A server that restarts is back in seconds; it is asked for as long over HTTP.
const OUTAGE_MS = 10_000;
const ASK_AGAIN_MS = 500;
const MAX_PAUSE_MS = 60_000;
// Any other code means leaving; with this one the session is to be resumed on another socket.
const REPLACED = 4000;

export class ServerSocket {
  #environment: Environment;
  #url: string;
  #listener: SocketListener;
  #link: Link = { name: "closed" };
  #token: string | null = null;
  /** Messages since the last `welcome`. */
  #received = 0;
  /** The newest socket has heard one. */
  #welcomed = false;
  /** Messages said on the present socket: an error names the one that it is about by its number. */
  #said = 0;
  /** One that was replaced, until its session has moved. */
  #retired: WebSocket | null = null;
  #reached = false;
  #failures = 0;
  #openedAtMs = 0;
  /** When the session lost its line. */
  #lostAtMs = -Infinity;
  /** Attempts since then. */
  #tries = 0;
  #connectingSinceMs = 0;
  /** The server asked for no attempt before this. */
  #notBeforeMs = 0;
  #drainTimer: number | null = null;
  readonly heartbeat: Heartbeat;

  constructor(environment: Environment, url: string, listener: SocketListener) {
    this.#environment = environment;
    this.#url = url;
    this.#listener = listener;
    this.heartbeat = new Heartbeat(environment, {
      ask: () => this.send({ type: "ping" }),
      onDead: () => this.#onDead(),
    });
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

  open(): void {
    if (this.#link.name === "closed") this.#connect();
  }

  /** The number of the message on its socket, from 1; 0: it was not sent. */
  send(message: ClientMessage): number {
    if (this.#link.name !== "open") return 0;
    this.#link.socket.send(JSON.stringify(message));
    return ++this.#said;
  }

  /** Leaves. Who could not be told so is told by the next socket, which resumes. */
  close(): void {
    if (this.isOpen) this.#token = null;
    this.#failures = 0;
    this.#reached = false;
    this.#detach(1000);
  }

  /** Until `open`: the server takes it for a broken line, and keeps the session for its time of grace. */
  suspend(): void {
    this.#detach(REPLACED);
    this.#listener.onAway(null);
  }

  /** The world has changed (awake again, another network): do not sit out a pause. */
  hurry(): void {
    if (this.#link.name !== "pausing" || this.#environment.now() < this.#notBeforeMs) return;
    this.#detach(REPLACED);
    this.#again();
  }

  /** The present connection is probably dead without knowing it, or soon will be. */
  replace(): void {
    const link = this.#link;
    if (link.name === "closed" || link.name === "pausing") return this.hurry();
    // The token may be used up already: only the answer brings the next one.
    if (link.name === "greeting") return;
    if (link.name === "open" && this.resumable) {
      this.heartbeat.stop();
      // A close that arrives before the new socket could be taken for a loss: the resume evicts the old one.
      this.#retired = link.socket;
      link.socket.onclose = null;
      return this.#connect();
    }
    this.#detach(REPLACED);
    this.#again();
  }

  // In this order: the listener may close what it has no use for.
  #again(): void {
    this.#connect();
    this.#listener.onAway(null);
  }

  #connect(): void {
    const { WebSocket, now, setTimeout } = this.#environment;
    let socket: WebSocket;
    try {
      socket = new WebSocket(this.#url);
    } catch {
      this.#listener.onGaveUp(new ClientError("server_unreachable", "The server cannot be reached."));
      return;
    }
    this.#connectingSinceMs = now();
    const timer = setTimeout(() => this.#lost(), this.#inGrace ? CONNECT_IN_GRACE_MS : CONNECT_TIMEOUT_MS);
    this.#link = { name: "connecting", socket, timer };
    socket.onopen = () => {
      this.#openedAtMs = this.#environment.now();
      this.#said = 0;
      this.#reached = true;
      this.#greet(socket);
    };
    socket.onmessage = ({ data }) => this.#onFrame(data);
    socket.onclose = ({ code }) => this.#onClose(code);
  }

  #greet(socket: WebSocket): void {
    if (this.#retired) this.#retired.onmessage = null;
    if ("timer" in this.#link) this.#environment.clearTimeout(this.#link.timer);
    this.#welcomed = false;
    this.#hello(socket);
    if (this.#token !== null) {
      const timer = this.#environment.setTimeout(() => this.#lost(), this.#greetingMs());
      this.#link = { name: "greeting", socket, timer };
      return;
    }
    // Nothing depends on the welcome, so it is not waited for: a round trip saved.
    this.#opened(socket);
    this.#listener.onOpen(null);
  }

  /** How long the answer to `hello` may take. */
  #greetingMs(): number {
    if (!this.#inGrace) return CONNECT_TIMEOUT_MS;
    const leftMs = this.#connectingSinceMs + CONNECT_IN_GRACE_MS - this.#environment.now();
    return Math.max(LEAST_GREETING_MS, leftMs);
  }

  /** The server still keeps the session that has lost its line, or is about to. */
  get #inGrace(): boolean {
    if (!this.resumable) return false;
    return this.#retired !== null || this.#environment.now() - this.#lostAtMs < GRACE_MS;
  }

  #opened(socket: WebSocket): void {
    this.#link = { name: "open", socket };
    this.heartbeat.start();
  }

  #onDead(): void {
    this.#listener.onDead();
    this.replace();
    this.#listener.onAway(null);
  }

  #hello(socket: WebSocket): void {
    const hello: ClientMessage = {
      type: "hello",
      version: VERSION,
      answers_ping: true,
      ...this.#listener.hello(),
    };
    if (this.#token !== null) Object.assign(hello, { resume: this.#token, received: this.#received });
    socket.send(JSON.stringify(hello));
    this.#said += 1;
  }

  #onFrame(data: unknown): void {
    const message = parsed(data) as ServerMessage | null;
    if (!message) return;
    const link = this.#link;
    this.heartbeat.heard();
    if (message.type === "ping") return void this.send({ type: "pong" });
    if (this.#welcomed && message.type !== "pong") this.#received += 1;
    if ("resume_token" in message) this.#token = message.resume_token ?? this.#token;
    switch (message.type) {
      case "welcome":
        this.#welcomed = true;
        this.#received = 0;
        this.#token = message.resume_token ?? null;
        if (link.name === "greeting") {
          this.#environment.clearTimeout(link.timer);
          this.#opened(link.socket);
          this.#retired?.close(REPLACED);
          this.#retired = null;
          const { match_id: matchId = null, received = null } = message;
          this.#listener.onOpen(message.resumed ? { matchId, received } : null);
        }
        break;
      case "draining":
        this.#onDraining(message.reconnect_after_ms);
        break;
      case "error":
        if (message.code === "unsupported_version")
          return this.#giveUp(new ClientError("refused", message.message));
        if (message.code !== "too_fast") break;
        if (this.#onTooFast(message.retry_after_ms ?? 1_000)) return;
        break;
      default:
        // Let in by the message behind a `hello` that was not.
        if (link.name === "greeting" && this.#token === null) {
          this.#environment.clearTimeout(link.timer);
          this.#opened(link.socket);
          this.#hello(link.socket);
        }
    }
    this.#listener.onMessage(message);
  }

  /** True: it concerns the door alone, which opens for the same `hello` on the same socket after a pause. */
  #onTooFast(retryAfterMs: number): boolean {
    const { now, setTimeout, clearTimeout } = this.#environment;
    const link = this.#link;
    // What was sent behind a `hello` that was refused is refused as well, and changes nothing.
    if (link.name === "greeting" && this.#token === null) return true;
    const delayMs = jittered(this.#environment, Math.min(retryAfterMs, MAX_PAUSE_MS));
    this.#notBeforeMs = now() + delayMs;
    if (this.#welcomed || !("socket" in link)) return false;
    if ("timer" in link) clearTimeout(link.timer);
    // At the door nobody answers a question: silence is no sign of death there.
    this.heartbeat.stop();
    const { socket } = link;
    this.#link = { name: "greeting", socket, timer: setTimeout(() => this.#greet(socket), delayMs) };
    return true;
  }

  #onDraining(reconnectAfterMs: number): void {
    const delayMs = jittered(this.#environment, reconnectAfterMs);
    this.#notBeforeMs = this.#environment.now() + delayMs;
    this.#environment.clearTimeout(this.#drainTimer);
    this.#drainTimer = this.#environment.setTimeout(() => {
      if (this.#link.name === "open" && this.resumable) this.replace();
    }, delayMs);
  }

  #onClose(code: number): void {
    const paused = this.#environment.now() < this.#notBeforeMs;
    if (code === 1008 && !paused) {
      this.#giveUp(new ClientError("refused", "Refused by the server."));
    } else {
      this.#lost();
    }
  }

  #lost(): void {
    const { now, random, setTimeout } = this.#environment;
    const wasSettled = this.#link.name === "open" && now() - this.#openedAtMs >= SETTLED_MS;
    if (wasSettled) this.#failures = 0;
    this.#detach(REPLACED);
    if (!this.#reached && this.#failures + 1 >= FIRST_CONTACT_ATTEMPTS) return void this.#askWhy();
    const failures = this.#inGrace ? Math.min(this.#failures, Math.max(1, this.#tries), 2) : this.#failures;
    this.#failures += 1;
    this.#tries += 1;
    const pauseMs = backoffMs(failures, random());
    const delayMs = Math.max(pauseMs, this.#notBeforeMs - now());
    const retryAtMs = now() + delayMs;
    const timer = setTimeout(() => {
      this.#link = { name: "closed" };
      this.#again();
    }, delayMs);
    this.#link = { name: "pausing", timer, retryAtMs };
    this.#listener.onAway(retryAtMs);
  }

  /** The first contact failed: why, and is it worth waiting for? */
  async #askWhy(sinceMs = this.#environment.now(), wasAway = false): Promise<void> {
    const { now, setTimeout } = this.#environment;
    const link: Link = { name: "pausing", timer: 0, retryAtMs: now() };
    this.#link = link;
    const finding = await whyUnreachable(this.#environment, this.#url);
    if (this.#link !== link) return;
    if (finding.outage && now() - sinceMs < OUTAGE_MS) {
      this.#listener.onAway(null);
      if (this.#link === link) link.timer = setTimeout(() => void this.#askWhy(sinceMs, true), ASK_AGAIN_MS);
      return;
    }
    // It was away, and is there again. One that was there all the while would be asked for ever.
    if (!finding.outage && wasAway && BACK.has(finding.reason)) return this.#again();
    const { reason, message, retryAfterMs } = finding;
    this.#giveUp(new ClientError(reason, message, retryAfterMs));
  }

  #giveUp(error: ClientError): void {
    this.close();
    this.#listener.onGaveUp(error);
  }

  #detach(code: number): void {
    const link = this.#link;
    if (link.name === "open" || this.#retired) {
      this.#lostAtMs = this.#environment.now();
      this.#tries = 0;
    }
    this.#link = { name: "closed" };
    this.heartbeat.stop();
    this.#retired?.close(code);
    this.#retired = null;
    this.#environment.clearTimeout(this.#drainTimer);
    if ("timer" in link) this.#environment.clearTimeout(link.timer);
    if (!("socket" in link)) return;
    link.socket.onopen = link.socket.onmessage = link.socket.onclose = null;
    // Closing one that still connects makes some browsers log an error, but leaving it open would be worse.
    link.socket.close(code);
  }
}

const BACK: ReadonlySet<string> = new Set(["socket_refused", "server_unreachable"]);

/**
 * 0 to 1 s, then 1.5 and 3 s, then 7 s for good, all with jitter: a crowd that was cut off at once does not return at once. While the
 * server keeps the session it does not get beyond 3 s.
 */
export function backoffMs(failures: number, random: number): number {
  if (failures === 0) return 1_000 * random;
  if (failures >= 3) return 7_000 * (0.5 + random);
  return (failures === 1 ? 1_500 : 3_000) * (0.75 + random / 2);
}

/** At least what was asked for, at most half as much again. */
export function jittered({ random }: Environment, delayMs: number): number {
  return delayMs * (1 + random() / 2);
}
