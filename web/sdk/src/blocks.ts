// Whom this visitor never meets again, and the name of this device, by which the blocks of others find it again after a reload.
// Both say nothing to anybody but the server. The application keeps them from visit to visit; what is blocked now is known here as
// well. A block, or one that is taken back, is said until the server confirms or refuses it.

import type { ClientMessage, ServerMessage } from "./protocol.gen.js";
import type { ClientEvents } from "./types.js";

export interface BlocksListener {
  /** The number of the message on its socket; 0: it was not sent. */
  send(message: ClientMessage): number;
  onBlocked(confirmed: ClientEvents["blocked"]): void;
  onBlockFailed(failed: ClientEvents["blockFailed"]): void;
  onUnblocked(confirmed: ClientEvents["unblocked"]): void;
}

/** What the application has kept. */
export interface Kept {
  device?: string | undefined;
  blocks?: (() => readonly string[]) | undefined;
}

interface Pledge {
  message: Extract<ClientMessage, { type: "block" | "unblock" }>;
  /** Its number on the present socket: an error names the message that it is about by this. */
  nth: number;
}

// The server heeds no more; the oldest are forgotten.
const MAX_BLOCKS = 256;
const MAX_HANDLE_CHARS = 512;

export class Blocks {
  #kept: Kept;
  #listener: BlocksListener;
  /** Not confirmed yet. */
  #pledges: Pledge[] = [];
  /** The handles that this client was given, by match. */
  #handles = new Map<string, string>();

  constructor(kept: Kept, listener: BlocksListener) {
    this.#kept = kept;
    this.#listener = listener;
  }

  /** What `hello` says of it. A value that the server would refuse must not keep the visitor out. */
  get hello(): { device?: string; blocks?: string[] } {
    const { device, blocks: kept } = this.#kept;
    const blocks = [...new Set([...(kept?.() ?? []), ...this.#handles.values()])]
      .filter((handle) => typeof handle === "string" && handle.length <= MAX_HANDLE_CHARS)
      .slice(-MAX_BLOCKS);
    return {
      ...(device && /^[\w-]{16,64}$/.test(device) ? { device } : {}),
      ...(blocks.length > 0 ? { blocks } : {}),
    };
  }

  block(matchId: string): void {
    this.#say({ type: "block", match_id: matchId });
  }

  unblock(handle: string): void {
    for (const [matchId, own] of this.#handles) if (own === handle) this.#handles.delete(matchId);
    this.#say({ type: "unblock", block: handle });
  }

  /** Whether a block waits for its confirmation. */
  get pending(): boolean {
    return this.#unkept.size > 0;
  }

  /** Whatever was not confirmed never will be. */
  drop(): void {
    const lost = this.#unkept;
    this.#pledges = [];
    for (const matchId of lost) this.#listener.onBlockFailed({ matchId });
  }

  /** A socket has opened. Another session knows nothing of the matches that blocks name. */
  onOpen(session: "resumed" | "new"): void {
    if (session === "new") this.drop();
    for (const pledge of this.#pledges) pledge.nth = this.#listener.send(pledge.message);
  }

  /** False: it is none of ours. */
  handle(message: ServerMessage): boolean {
    switch (message.type) {
      case "unblocked": {
        const { block } = message;
        this.#settle((said) => said.type === "unblock" && said.block === block);
        this.#listener.onUnblocked({ block });
        return true;
      }
      case "blocked": {
        const { match_id: matchId, block } = message;
        this.#settle((said) => said.type === "block" && said.match_id === matchId);
        // One that was said twice, because the line broke, is confirmed twice.
        if (this.#handles.has(matchId)) return true;
        this.#handles.set(matchId, block);
        this.#listener.onBlocked({ matchId, block });
        return true;
      }
      case "error":
        if (message.of === "block" || message.of === "unblock" || this.#isOurs(message.nth)) {
          this.#onRefused(message.nth, message.retry);
          return true;
        }
        return false;
      default:
        return false;
    }
  }

  #isOurs(nth: number | undefined): boolean {
    return this.#pledges.some((pledge) => pledge.nth === nth);
  }

  /** Without a number it is about an earlier socket. There the message was said again since, and is answered again. */
  #onRefused(nth: number | undefined, retry: boolean): void {
    const refused = this.#pledges.find((pledge) => pledge.nth === nth)?.message;
    // Nobody waits for an `unblocked`. What the server had no time for it hears after the next resume.
    if (!refused || (refused.type === "unblock" && retry)) return;
    this.#settle((said) => said === refused);
    if (refused.type !== "block" || this.#handles.has(refused.match_id)) return;
    // Pressed twice, and the other one may still be confirmed.
    if (!this.#unkept.has(refused.match_id)) this.#listener.onBlockFailed({ matchId: refused.match_id });
  }

  #settle(done: (said: Pledge["message"]) => boolean): void {
    this.#pledges = this.#pledges.filter(({ message }) => !done(message));
  }

  /** The matches of the blocks that wait. One that was confirmed before is said in every `hello`. */
  get #unkept(): Set<string> {
    const ids = this.#pledges.flatMap(({ message }) => (message.type === "block" ? [message.match_id] : []));
    return new Set(ids.filter((matchId) => !this.#handles.has(matchId)));
  }

  #say(message: Pledge["message"]): void {
    this.#pledges.push({ message, nth: this.#listener.send(message) });
  }
}
