// Notices a socket that is dead and does not know it. The server's WebSocket pings never reach a page, so the page asks by a
// message of its own, but only when nothing else was heard for a while. A few seconds without an answer are the end.
// In a hidden tab timers come once a minute, messages at once: a late timer finds what arrived before it.

import type { Environment } from "./types.js";

export interface HeartbeatListener {
  /** Says `ping`; the server answers at once. */
  ask(): void;
  onDead(): void;
}

// Slow lines have round trips of three seconds. Slower ones are believed once they were measured.
const PATIENCE_MS = 4_000;
const MAX_PATIENCE_MS = 10_000;

export class Heartbeat {
  #environment: Environment;
  #listener: HeartbeatListener;
  #everyMs = Infinity;
  #heardMs = 0;
  #askAtMs = Infinity;
  /** The question that is not answered yet. */
  #askedMs: number | null = null;
  #patienceMs = PATIENCE_MS;
  #beating = false;
  #timer: number | null = null;

  constructor(environment: Environment, listener: HeartbeatListener) {
    this.#environment = environment;
    this.#listener = listener;
  }

  /** A socket has opened. */
  start(): void {
    this.stop();
    this.#beating = true;
    this.#heardMs = this.#environment.now();
    this.#arm();
  }

  stop(): void {
    this.#beating = false;
    this.#askedMs = null;
    this.#askAtMs = Infinity;
    this.#environment.clearTimeout(this.#timer);
  }

  /** How long a silence may last before somebody asks. `Infinity`: nothing depends on the socket now. */
  every(everyMs: number): void {
    if (everyMs === this.#everyMs) return;
    this.#everyMs = everyMs;
    this.#arm();
  }

  /** Asks after this time at the latest, whatever else is heard. */
  askWithin(delayMs: number): void {
    this.#askAtMs = Math.min(this.#askAtMs, this.#environment.now() + delayMs);
    this.#arm();
  }

  /** Something came in. */
  heard(): void {
    this.#heardMs = this.#environment.now();
    if (this.#askedMs === null) return;
    const tripMs = this.#heardMs - this.#askedMs;
    this.#patienceMs = Math.min(MAX_PATIENCE_MS, Math.max(PATIENCE_MS, 2 * tripMs + 2_000));
    this.#askedMs = null;
    this.#arm();
  }

  #arm(): void {
    const { now, setTimeout, clearTimeout } = this.#environment;
    clearTimeout(this.#timer);
    if (!this.#beating) return;
    const dueMs = this.#dueMs;
    if (dueMs < Infinity) this.#timer = setTimeout(() => this.#onDue(), Math.max(0, dueMs - now()));
  }

  get #dueMs(): number {
    if (this.#askedMs !== null) return this.#askedMs + this.#patienceMs;
    return Math.min(this.#askAtMs, this.#heardMs + this.#everyMs);
  }

  #onDue(): void {
    const { now, setTimeout } = this.#environment;
    const nowMs = now();
    if (nowMs < this.#dueMs) return this.#arm();
    if (this.#askedMs === null) {
      this.#askAtMs = Infinity;
      this.#askedMs = nowMs;
      this.#arm();
      return this.#listener.ask();
    }
    // Behind a script that ran for seconds the answer may stand in the queue, after this timer.
    this.#timer = setTimeout(() => {
      this.stop();
      this.#listener.onDead();
    }, 0);
  }
}
