// A WebSocket whose other end is the test.

import type { ClientMessage, ServerMessage } from "../../src/protocol.gen.js";

export class FakeSocket {
  static made: FakeSocket[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  /** Without `ping` and `pong`, which come at any time. */
  readonly sent: ClientMessage[] = [];
  /** All of them: what `nth` counts. */
  frames = 0;
  pings = 0;
  pongs = 0;
  /** Nothing passes any more, and nobody is told. */
  dead = false;
  closedWith: number | null = null;

  readonly url: string;

  constructor(url: string) {
    this.url = url;
    FakeSocket.made.push(this);
  }

  send(data: string): void {
    if (this.closedWith !== null) return;
    this.frames += 1;
    const message = JSON.parse(data) as ClientMessage;
    if (message.type === "ping") {
      this.pings += 1;
      const pong = { type: "pong", received: this.frames } as const;
      if (!this.dead) queueMicrotask(() => this.say(pong));
    } else if (message.type === "pong") {
      this.pongs += 1;
    } else {
      this.sent.push(message);
    }
  }

  close(code: number): void {
    this.closedWith = code;
  }

  accept(): void {
    this.onopen?.();
  }

  say(message: ServerMessage): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  drop(code = 1006): void {
    this.onclose?.({ code });
  }

  types(): string[] {
    return this.sent.map(({ type }) => type);
  }

  of<T extends ClientMessage["type"]>(type: T): Extract<ClientMessage, { type: T }>[] {
    return this.sent.filter((message) => message.type === type) as Extract<ClientMessage, { type: T }>[];
  }
}
