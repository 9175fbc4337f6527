// A WebSocket client that may misbehave: it sends what it is told to, well formed or not.

import { randomBytes } from "node:crypto";
import { request } from "node:http";
import type { Duplex } from "node:stream";

export type Opcode = "text" | "binary" | "close" | "ping";
const OPCODES: Record<Opcode, number> = { text: 1, binary: 2, close: 8, ping: 9 };

export interface Answer {
  /** 101 when the socket opened. */
  status: number;
  socket: RawSocket | null;
}

export function connect(port: number, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({
      host: "127.0.0.1",
      port,
      path: "/ws",
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
        ...headers,
      },
    });
    asked.once("upgrade", (_, stream) => resolve({ status: 101, socket: new RawSocket(stream) }));
    asked.once("response", (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, socket: null });
    });
    asked.once("error", reject);
    asked.end();
  });
}

export class RawSocket {
  #stream: Duplex;
  #received = Buffer.alloc(0);
  #closed: Promise<number | null>;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on("error", () => undefined);
    this.#closed = new Promise((resolve) => {
      stream.on("data", (piece: Buffer) => {
        this.#received = Buffer.concat([this.#received, piece]);
        const code = this.#closeCode();
        if (code !== null) resolve(code);
      });
      stream.once("close", () => resolve(null));
    });
  }

  /** The code of the close frame; null if the line just ended. */
  get closed(): Promise<number | null> {
    return this.#closed;
  }

  send(opcode: Opcode, payload: string | Buffer): void {
    const body = Buffer.from(payload);
    const head = Buffer.alloc(body.length < 126 ? 2 : body.length < 65_536 ? 4 : 10);
    head[0] = 0x80 | OPCODES[opcode];
    head[1] = 0x80 | (head.length === 2 ? body.length : head.length === 4 ? 126 : 127);
    if (head.length === 4) head.writeUInt16BE(body.length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(body.length), 2);
    // A mask of zeros leaves the payload as it is.
    this.sendRaw(Buffer.concat([head, Buffer.alloc(4), body]));
  }

  sendRaw(bytes: Buffer): void {
    if (this.#stream.writable) this.#stream.write(bytes);
  }

  /** Waits for a text frame that holds this. */
  async hears(part: string): Promise<void> {
    for (const endMs = Date.now() + 10_000; Date.now() < endMs;) {
      if (this.#received.includes(part)) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`${part} was not heard in: ${this.#received.toString("latin1").slice(0, 500)}`);
  }

  destroy(): void {
    this.#stream.destroy();
  }

  #closeCode(): number | null {
    for (let at = 0; at + 2 <= this.#received.length;) {
      const short = (this.#received[at + 1] ?? 0) & 0x7f;
      const head = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (at + head > this.#received.length) return null;
      const length =
        short < 126
          ? short
          : head === 4
            ? this.#received.readUInt16BE(at + 2)
            : Number(this.#received.readBigUInt64BE(at + 2));
      const opcode = (this.#received[at] ?? 0) & 0x0f;
      if (opcode === OPCODES.close && at + head + length <= this.#received.length)
        return length >= 2 ? this.#received.readUInt16BE(at + head) : null;
      at += head + length;
    }
    return null;
  }
}
