// A TCP proxy in front of the server that can break lines as networks do: silently, or with a reset, never with a
// close frame.

import { Transform } from "node:stream";
import { connect, createServer, type Server as TcpServer, type Socket } from "node:net";

export class Proxy {
  #listener: TcpServer;
  #target: number;
  #lines = new Set<[Socket, Socket]>();
  #refusing = false;
  #delayMs = 0;
  readonly port: number;

  private constructor(listener: TcpServer, target: number, port: number) {
    this.#listener = listener;
    this.#target = target;
    this.port = port;
    listener.on("connection", (near) => this.#join(near));
  }

  static async to(target: number): Promise<Proxy> {
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const address = listener.address();
    if (address === null || typeof address === "string") throw new Error("The proxy has no port.");
    return new Proxy(listener, target, address.port);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Breaks every line there is; whoever comes again gets through, unless `refuse` says otherwise. */
  cut(): void {
    for (const line of this.#lines) for (const socket of line) socket.resetAndDestroy();
  }

  /** Nothing passes any more on the lines there are, and nobody is told: half open on both sides. */
  freeze(): void {
    for (const [near, far] of this.#lines) {
      for (const end of [near, far]) {
        end.unpipe();
        end.pause();
      }
    }
  }

  /** Everything takes so much longer, each way, from now on and on all lines. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  refuse(yes: boolean): void {
    this.#refusing = yes;
  }

  close(): Promise<void> {
    this.cut();
    return new Promise((resolve) => this.#listener.close(() => resolve()));
  }

  #join(near: Socket): void {
    if (this.#refusing) return void near.resetAndDestroy();
    const far = connect(this.#target, "127.0.0.1");
    const line: [Socket, Socket] = [near, far];
    this.#lines.add(line);
    for (const socket of line) {
      socket.on("error", () => undefined);
      socket.once("close", () => {
        this.#lines.delete(line);
        for (const other of line) if (other !== socket) other.destroy();
      });
    }
    near.pipe(this.#slowly()).pipe(far);
    far.pipe(this.#slowly()).pipe(near);
  }

  /** In order, whatever the delay was and becomes. */
  #slowly(): Transform {
    let dueMs = 0;
    const delayMs = () => this.#delayMs;
    return new Transform({
      transform(piece, _encoding, done) {
        dueMs = Math.max(dueMs, performance.now() + delayMs());
        setTimeout(() => this.push(piece), dueMs - performance.now());
        done();
      },
    });
  }
}
