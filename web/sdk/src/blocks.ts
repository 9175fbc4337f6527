// Whom this visitor never meets again, and the name of this device, by which the blocks of others find it again after a reload.
// Both say nothing to anybody but the server. The application keeps them from visit to visit; what is blocked now is known here as
// well. A block, or one that is taken back, is said until the server confirms it.

import type { ClientMessage, ServerMessage } from "./protocol.gen.js";
import type { ClientEvents } from "./types.js";

export interface BlocksListener {
  send(message: ClientMessage): void;
  onBlocked(confirmed: ClientEvents["blocked"]): void;
  onBlockFailed(failed: ClientEvents["blockFailed"]): void;
  onUnblocked(confirmed: ClientEvents["unblocked"]): void;
}

/** What the application has kept. */
export interface Kept {
  device?: string | undefined;
  blocks?: (() => readonly string[]) | undefined;
}

type Pledge = Extract<ClientMessage, { type: "block" | "unblock" }>;

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
    this.#pledge({ type: "block", match_id: matchId });
  }

  unblock(handle: string): void {
    for (const [matchId, own] of this.#handles) if (own === handle) this.#handles.delete(matchId);
    this.#pledge({ type: "unblock", block: handle });
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
    for (const pledge of this.#pledges) this.#listener.send(pledge);
  }

  /** False: it is none of ours. */
  handle(message: ServerMessage): boolean {
    if (message.type === "unblocked") {
      const { block } = message;
      this.#pledges = this.#pledges.filter((pledge) => pledge.type !== "unblock" || pledge.block !== block);
      this.#listener.onUnblocked({ block });
    } else if (message.type === "blocked") {
      const { match_id: matchId, block } = message;
      this.#pledges = this.#pledges.filter(
        (pledge) => pledge.type !== "block" || pledge.match_id !== matchId,
      );
      // One that was said twice, because the line broke, is confirmed twice.
      if (this.#handles.has(matchId)) return true;
      this.#handles.set(matchId, block);
      this.#listener.onBlocked({ matchId, block });
    } else {
      return false;
    }
    return true;
  }

  /** The matches of the blocks that wait. One that was confirmed before is said in every `hello`. */
  get #unkept(): Set<string> {
    const ids = this.#pledges.flatMap((pledge) => (pledge.type === "block" ? [pledge.match_id] : []));
    return new Set(ids.filter((matchId) => !this.#handles.has(matchId)));
  }

  #pledge(pledge: Pledge): void {
    this.#pledges.push(pledge);
    this.#listener.send(pledge);
  }
}
