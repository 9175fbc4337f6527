// What two strangers say to each other: over the data channel of the call, and where there is none, through
// the server. Each text goes exactly one way. Also carries what must arrive when the server is away: `bye`.
// A channel that is open proves nothing: a client with channels of its own opens ours, too, and reads nothing of it.
// So texts take it only after the other side said a word there; each side says `hello` as soon as it is open.
// Texts are shown in the order they were written in, also where the channel opens after some went through the server, and
// the reader acknowledges what came over the channel: what nobody read in the end is not shown as sent.
// Nothing that comes in is trusted: what is not a word of ours, or too long, is dropped.

import { isText, parsed } from "./frame.js";
import { LIMITS, type ClientMessage } from "./protocol.gen.js";
import type { Devices, DeviceState, Environment, LeftReason } from "./types.js";

export type Word =
  /** Said first, by both sides: here is somebody who reads this channel. */
  | { type: "hello" }
  /** `n` counts these words, from 1. `after`: how many texts of this side went through the server before. */
  | { type: "message"; text: string; n?: number; after?: number }
  /** All of them up to `n`. */
  | { type: "received"; n: number }
  | { type: "typing"; on: boolean }
  | { type: "bye"; reason: LeftReason }
  /** What becomes of the other side's microphone and camera. */
  | ({ type: "devices" } & Devices)
  /** A sign of life where no media flows; answered by `pong`. */
  | { type: "ping" }
  | { type: "pong" };

export interface WordsListener {
  onMessage(text: string): void;
  onTyping(on: boolean): void;
  onBye(reason: LeftReason): void;
  onStrangerDevices(devices: Devices): void;
  /** This side's own. */
  devices(): Devices;
  /** The other side is gone, with or without a word. */
  onChannelClosed(): void;
  /** False: the server cannot be reached or does not know this match. */
  sendToServer(message: ClientMessage, textId?: number): boolean;
  /** Whether some texts may not have arrived at the server yet. */
  textsUnderWay(): boolean;
}

const MAX_QUEUED = 100;
const FALLBACK_MS = 3_000;
// The server keeps for ten seconds what is meant for somebody who has lost the line.
const HOLD_MS = 10_000;

export class Words {
  #environment: Environment;
  #listener: WordsListener;
  #matchId: string;
  #channel: RTCDataChannel | null;
  #queue: { text: string; id: number }[] = [];
  #viaServer: boolean;
  /** The other side has spoken our language on the channel. */
  #heard = false;
  #timer: number | null = null;
  #typing = false;
  /** Texts that went through the server, and what came from there. */
  #toServer = 0;
  #fromServer = 0;
  /** Said over the channel and not acknowledged, by number. */
  #unread = new Map<number, number>();
  #said = 0;
  /** The other side acknowledges. */
  #acknowledged = false;
  /** Came over the channel, and earlier ones are still on their way through the server. */
  #held: { text: string; after: number }[] = [];
  #holdTimer: number | null = null;

  /** Without a channel everything goes through the server. */
  constructor(
    environment: Environment,
    listener: WordsListener,
    matchId: string,
    channel: RTCDataChannel | null,
  ) {
    this.#environment = environment;
    this.#listener = listener;
    this.#matchId = matchId;
    this.#channel = channel;
    this.#viaServer = channel === null;
    if (!channel) return;
    channel.onopen = () => {
      this.say({ type: "hello" });
      this.say({ type: "devices", ...listener.devices() });
    };
    channel.onmessage = ({ data }) => this.#hear(data);
    channel.onclose = () => {
      // One that closes unheard belonged to a client that has no use for it, and may be there all the same.
      if (this.#heard) listener.onChannelClosed();
    };
    this.#timer = environment.setTimeout(() => {
      this.#viaServer = true;
      this.flush();
    }, FALLBACK_MS);
  }

  /** False: too much is waiting already. */
  send(text: string, id: number): boolean {
    if (this.#queue.length >= MAX_QUEUED) return false;
    this.#queue.push({ text, id });
    this.flush();
    return true;
  }

  /** The stranger's, through the server. */
  hearFromServer(text: string): void {
    this.#fromServer += 1;
    this.#listener.onMessage(text);
    this.#release();
  }

  /** The server refused one that was sent through it. */
  refused(): void {
    this.#toServer -= 1;
  }

  /** Those of ours that nobody has read, as far as one can tell. `silently`: the stranger went without a word. */
  unsent(left: "silently" | "with a word"): number[] {
    const unread = this.#acknowledged && left === "silently" ? [...this.#unread.values()] : [];
    return [...unread, ...this.#queue.map(({ id }) => id)];
  }

  typing(on: boolean): void {
    if (on === this.#typing) return;
    this.#typing = on;
    if (this.#tell({ type: "typing", on }) || !this.#viaServer) return;
    this.#listener.sendToServer({ type: "typing", match_id: this.#matchId, on });
  }

  /** Over the data channel or not at all. */
  say(word: Word): boolean {
    if (this.#channel?.readyState !== "open") return false;
    try {
      this.#channel.send(JSON.stringify(word));
      return true;
    } catch {
      return false; // its buffer is full: the other side has not read for megabytes
    }
  }

  /** What is lost if nobody reads the channel. */
  #tell(word: Word): boolean {
    return this.#heard && this.say(word);
  }

  close(): void {
    this.#environment.clearTimeout(this.#timer);
    this.#release("all");
    this.#queue = [];
  }

  /** Sends what waits, as far as it can be sent now. */
  flush(): void {
    for (let next = this.#queue[0]; next; next = this.#queue[0]) {
      if (!this.#sendOverChannel(next) && !this.#sendThroughServer(next)) return;
      this.#queue.shift();
      this.#typing = false;
    }
  }

  #sendOverChannel({ text, id }: { text: string; id: number }): boolean {
    // One that the server may not have yet, and may yet refuse, comes before this one.
    if (this.#listener.textsUnderWay()) return false;
    const n = this.#said + 1;
    if (!this.#tell({ type: "message", text, n, after: this.#toServer })) return false;
    this.#said = n;
    this.#unread.set(n, id);
    if (this.#unread.size > MAX_QUEUED) this.#unread.delete(n - MAX_QUEUED);
    return true;
  }

  #sendThroughServer({ text, id }: { text: string; id: number }): boolean {
    if (!this.#viaServer) return false;
    if (!this.#listener.sendToServer({ type: "message", match_id: this.#matchId, text }, id)) return false;
    this.#toServer += 1;
    return true;
  }

  #hear(data: unknown): void {
    if (typeof data !== "string" || data.length > 16 * LIMITS.maxTextChars) return;
    const word = parsed(data);
    if (!word || !WORDS.has(word.type)) return;
    if (!this.#heard) {
      this.#heard = true;
      this.flush();
    }
    switch (word.type) {
      case "message":
        if (typeof word.n === "number") this.say({ type: "received", n: word.n });
        if (!isText(word.text)) return;
        this.#held.push({ text: word.text, after: typeof word.after === "number" ? word.after : 0 });
        return this.#release();
      case "received":
        this.#acknowledged = true;
        for (const n of this.#unread.keys()) if (n <= Number(word.n)) this.#unread.delete(n);
        return;
      case "typing":
        return this.#listener.onTyping(word.on === true);
      case "bye":
        this.#release("all");
        return this.#listener.onBye(REASONS.find((reason) => reason === word.reason) ?? "closed");
      case "devices":
        return this.#listener.onStrangerDevices({
          microphone: deviceState(word.microphone),
          camera: deviceState(word.camera),
        });
      case "ping":
        this.say({ type: "pong" });
        return;
    }
  }

  /** Shows what was held, as far as nothing earlier is missing. */
  #release(which: "due" | "all" = "due"): void {
    const { setTimeout, clearTimeout } = this.#environment;
    for (let next = this.#held[0]; next; next = this.#held[0]) {
      if (which === "due" && next.after > this.#fromServer) break;
      this.#held.shift();
      this.#listener.onMessage(next.text);
    }
    if (this.#held.length > 0) {
      // What does not come in this time was lost.
      this.#holdTimer ??= setTimeout(() => this.#release("all"), HOLD_MS);
    } else {
      clearTimeout(this.#holdTimer);
      this.#holdTimer = null;
    }
  }
}

const WORDS: ReadonlySet<string> = new Set<Word["type"]>([
  "hello",
  "message",
  "received",
  "typing",
  "bye",
  "devices",
  "ping",
  "pong",
]);
const REASONS: LeftReason[] = ["next", "stop", "closed", "lost", "server", "silent"];

const DEVICE_STATES: DeviceState[] = ["on", "off", "none", "lost"];

/** Of a state that this version does not know there is nothing to say. */
function deviceState(word: unknown): DeviceState {
  return DEVICE_STATES.find((state) => state === word) ?? "on";
}
