// What is said to the server of the present match: kept while the server is away, and texts until it has taken them.
// A socket can be dead for seconds before anybody notices. A text that was said into it is said again on the next one, in
// its place, unless the server took it: nothing arrives twice. A text whose fate nobody knows is `unsent`.

import type { ClientMessage } from "./protocol.gen.js";
import type { UnsentReason } from "./types.js";

export interface Signal {
  message: ClientMessage;
  /** Of a text. */
  textId?: number | undefined;
}

export interface OutboxListener {
  /** The number of the message on its socket; 0: there is no socket to say it on. */
  send(message: ClientMessage): number;
  onUnsent(id: number, reason: UnsentReason, retryAfterMs: number | null): void;
}

const MAX_WAITING = 64;
// The server answers every question, so what is older than this has long arrived.
const MAX_UNDER_WAY = 200;

export class Outbox {
  #listener: OutboxListener;
  /** Until the session is resumed. */
  #waiting: Signal[] = [];
  /** Texts said on the present socket, and not acknowledged. */
  #underWay: { nth: number; signal: Signal }[] = [];

  constructor(listener: OutboxListener) {
    this.#listener = listener;
  }

  /** Whether the server may not have all the texts yet. */
  get textsUnderWay(): boolean {
    return this.#underWay.length > 0 || this.#waiting.some(({ textId }) => textId);
  }

  say(signal: Signal): boolean {
    const nth = this.#listener.send(signal.message);
    // The call itself repeats its descriptions and candidates.
    if (nth > 0 && signal.textId) this.#underWay.push({ nth, signal });
    if (this.#underWay.length > MAX_UNDER_WAY) this.#underWay.shift();
    return nth > 0;
  }

  /** False: too much waits already. */
  keep(signal: Signal): boolean {
    // Whether somebody typed is of no interest later.
    if (signal.message.type === "typing") return true;
    if (this.#waiting.length >= MAX_WAITING) return false;
    this.#waiting.push(signal);
    return true;
  }

  /** The server has taken so many messages from the present socket. */
  acknowledge(received: number): void {
    this.#underWay = this.#underWay.filter(({ nth }) => nth > received);
  }

  refuse(nth: number | undefined, reason: UnsentReason, retryAfterMs: number | null): void {
    const refused = this.#underWay.find((sent) => sent.nth === nth);
    if (!refused) return;
    this.#underWay = this.#underWay.filter((sent) => sent !== refused);
    if (refused.signal.textId) this.#listener.onUnsent(refused.signal.textId, reason, retryAfterMs);
  }

  /** On a new socket, in the same match. `received`: what the server took from the last socket; null: it does not know. */
  resume(received: number | null): void {
    this.acknowledge(received ?? 0);
    const under = this.#underWay.splice(0).map(({ signal }) => signal);
    const waiting = this.#waiting.splice(0);
    if (received === null) this.#giveUp(under);
    for (const signal of received === null ? waiting : [...under, ...waiting]) this.say(signal);
  }

  /** The match is over. `known`: the server itself said so, and had heard everything by then. */
  end(known: "known" | number | null): void {
    this.acknowledge(known === "known" ? Infinity : (known ?? 0));
    this.#giveUp([...this.#underWay.splice(0).map(({ signal }) => signal), ...this.#waiting.splice(0)]);
  }

  /** Nobody asks any more. */
  clear(): void {
    this.#underWay = [];
    this.#waiting = [];
  }

  #giveUp(signals: Signal[]): void {
    for (const { textId } of signals) if (textId) this.#listener.onUnsent(textId, "lost", null);
  }
}
