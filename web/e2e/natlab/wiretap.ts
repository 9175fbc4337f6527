// What a visitor's page and the server tell each other, frame by frame, read from the browser's own record.

import type { Page } from "playwright-core";

export interface Frame {
  by: "page" | "server";
  type: string;
  text: string;
  message: Record<string, unknown>;
}

export class Wiretap {
  readonly frames: Frame[] = [];

  constructor(page: Page) {
    page.on("websocket", (socket) => {
      socket.on("framesent", ({ payload }) => this.#note("page", payload));
      socket.on("framereceived", ({ payload }) => this.#note("server", payload));
    });
  }

  /** The last message of this type. */
  last(type: string): Record<string, unknown> | undefined {
    return this.frames.filter((frame) => frame.type === type).at(-1)?.message;
  }

  /** Forgets what was said so far. */
  clear(): void {
    this.frames.length = 0;
  }

  #note(by: Frame["by"], payload: string | Buffer): void {
    const text = payload.toString();
    const message = JSON.parse(text) as Record<string, unknown>;
    this.frames.push({ by, type: String(message.type), text, message });
  }
}
