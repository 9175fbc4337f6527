// What two strangers say to each other: over the data channel of the call, and where there is none, through
// the server. Each text goes exactly one way. Also carries what must arrive when the server is away: `bye`.
// A channel that is open proves nothing: a client with channels of its own opens ours, too, and reads nothing of it.
// So texts take it only after the other side said something there; each side says `hello` as soon as it is open.
// Texts are shown in the order they were written in, also where the channel opens after some went through the server, and
// the reader acknowledges what came over the channel: what nobody read in the end is not shown as sent.
// Nothing that comes in is trusted: what is not a message of ours, or too long, is dropped.

import { isText, parsed } from "./frame.js";
import { LIMITS, type ClientMessage } from "./protocol.gen.js";
import type { Devices, DeviceState, Environment, LeftReason } from "./types.js";

export type ChannelMessage =
  /** Said first, by both sides: somebody reads this channel. */
  | { type: "hello" }
  /** `n` counts these messages, from 1. `after`: how many texts of this side went through the server before. */
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

export interface TextChannelListener {
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

export class TextChannel {
  #environment: Environment;
  #listener: TextChannelListener;
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
    listener: TextChannelListener,
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
  say(message: ChannelMessage): boolean {
    if (this.#channel?.readyState !== "open") return false;
    try {
      this.#channel.send(JSON.stringify(message));
      return true;
    } catch {
      return false; // its buffer is full: the other side has not read for megabytes
    }
  }

  /** What is lost if nobody reads the channel. */
  #tell(message: ChannelMessage): boolean {
    return this.#heard && this.say(message);
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
    const message = parsed(data);
    if (!message || !TYPES.has(message.type)) return;
    if (!this.#heard) {
      this.#heard = true;
      this.flush();
    }
    switch (message.type) {
      case "message":
        if (typeof message.n === "number") this.say({ type: "received", n: message.n });
        if (!isText(message.text)) return;
        this.#held.push({ text: message.text, after: typeof message.after === "number" ? message.after : 0 });
        return this.#release();
      case "received":
        this.#acknowledged = true;
        for (const n of this.#unread.keys()) if (n <= Number(message.n)) this.#unread.delete(n);
        return;
      case "typing":
        return this.#listener.onTyping(message.on === true);
      case "bye":
        this.#release("all");
        return this.#listener.onBye(REASONS.find((reason) => reason === message.reason) ?? "closed");
      case "devices":
        return this.#listener.onStrangerDevices({
          microphone: deviceState(message.microphone),
          camera: deviceState(message.camera),
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

const TYPES: ReadonlySet<string> = new Set<ChannelMessage["type"]>([
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
function deviceState(told: unknown): DeviceState {
  return DEVICE_STATES.find((state) => state === told) ?? "on";
}
