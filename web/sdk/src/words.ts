// What two strangers say to each other: over the data channel of the call, and where there is none, through
// the server. Each text goes exactly one way. Also carries what must arrive when the server is away: `bye`.
// A channel that is open proves nothing: a client with channels of its own opens ours, too, and reads nothing of it.
// So texts take it only after the other side said a word there; each side says `hello` as soon as it is open.
// Nothing that comes in is trusted: what is not a word of ours, or too long, is dropped.

import { LIMITS, type ClientMessage } from "./protocol.gen.js";
import { parsed } from "./socket.js";
import type { Environment, LeftReason } from "./types.js";

export type Word =
  /** Said first, by both sides: here is somebody who reads this channel. */
  | { type: "hello" }
  | { type: "message"; text: string }
  | { type: "typing"; on: boolean }
  | { type: "bye"; reason: LeftReason }
  /** A sign of life where no media flows; answered by `pong`. */
  | { type: "ping" }
  | { type: "pong" };

export interface WordsListener {
  onMessage(text: string): void;
  onTyping(on: boolean): void;
  onBye(reason: LeftReason): void;
  /** The other side is gone, with or without a word. */
  onChannelClosed(): void;
  /** False: the server cannot be reached or does not know this match. */
  sendToServer(message: ClientMessage, textId?: number): boolean;
}

const MAX_QUEUED = 100;
const FALLBACK_MS = 3_000;

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
    channel.onopen = () => this.say({ type: "hello" });
    if (channel.readyState === "open") this.say({ type: "hello" });
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
    this.#queue = [];
  }

  /** Sends what waits, as far as it can be sent now. */
  flush(): void {
    for (let next = this.#queue[0]; next; next = this.#queue[0]) {
      const { text, id } = next;
      const sent =
        this.#tell({ type: "message", text }) ||
        (this.#viaServer &&
          this.#listener.sendToServer({ type: "message", match_id: this.#matchId, text }, id));
      if (!sent) return;
      this.#queue.shift();
      this.#typing = false;
    }
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
        if (isText(word.text)) this.#listener.onMessage(word.text);
        return;
      case "typing":
        return this.#listener.onTyping(word.on === true);
      case "bye":
        return this.#listener.onBye(REASONS.find((reason) => reason === word.reason) ?? "closed");
      case "ping":
        this.say({ type: "pong" });
        return;
    }
  }
}

const WORDS: ReadonlySet<string> = new Set<Word["type"]>([
  "hello",
  "message",
  "typing",
  "bye",
  "ping",
  "pong",
]);
const REASONS: LeftReason[] = ["next", "stop", "closed", "lost", "blocked", "server", "silent"];

/** Characters as the server counts them: code points. */
export function isText(text: unknown): text is string {
  return (
    typeof text === "string" &&
    text.length <= 2 * LIMITS.maxTextChars &&
    [...text].length <= LIMITS.maxTextChars
  );
}
