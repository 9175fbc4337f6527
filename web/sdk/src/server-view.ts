// Where the server believes we stand, worked out from what was said and heard. Pure.
// It answers two questions: does this message still concern us, and what must be said to be in line?
// What comes before `stopped` belongs to the ticket that was given up, and is not heeded.

import type { ClientMessage, FindPartner, ServerMessage } from "./protocol.gen.js";

export type Place =
  | { name: "idle" }
  | { name: "waiting" }
  | { name: "matched"; matchId: string }
  /** `find_partner` or `next` is not yet answered. `before`: where a refusal leaves us. */
  | { name: "asked"; by: "find_partner" | "next"; before: Place };

/** Whether an error answers what was asked. Where it could not be read, the oldest question is the likeliest. */
export function isAboutSearch({ of }: Extract<ServerMessage, { type: "error" }>): boolean {
  return of === undefined || of === "find_partner" || of === "next";
}

export class ServerView {
  #place: Place = { name: "idle" };
  #stopsUnanswered = 0;
  #failed: string | null = null;
  /** The wishes of the last `find_partner`, by identity. */
  #told: object | null = null;

  get place(): Place {
    return this.#place;
  }

  /** The two found no way to each other: the server does not put them together again. */
  failed(matchId: string): void {
    this.#failed = matchId;
  }

  knows(matchId: string): boolean {
    return this.#place.name === "matched" && this.#place.matchId === matchId;
  }

  /** False: it concerns an earlier ticket or match. */
  handle(message: ServerMessage): boolean {
    if (message.type === "stopped") {
      this.#stopsUnanswered = Math.max(0, this.#stopsUnanswered - 1);
      return true;
    }
    if (this.#stopsUnanswered > 0) return message.type === "welcome" || message.type === "draining";
    switch (message.type) {
      case "waiting":
        this.#place = { name: "waiting" };
        return true;
      case "partner_found":
        this.#place = { name: "matched", matchId: message.match_id };
        return true;
      case "partner_left":
        return this.#onPartnerLeft(message.match_id, message.requeued);
      case "offer":
      case "answer":
      case "ice_candidate":
      case "message":
      case "typing":
      case "partner_reconnecting":
      case "partner_back":
        return this.knows(message.match_id);
      case "error":
        if (this.#place.name === "asked" && message.code === "too_fast" && isAboutSearch(message))
          this.#place = this.#place.before;
        return true;
      default:
        return true;
    }
  }

  /**
   * What to say so that we wait with these wishes, or null if we already do. A `next` names the match it
   * leaves, so that one that crosses `partner_left` costs nobody the stranger found meanwhile.
   */
  search(wishes: FindPartner, identity: object, sdp: string | null): ClientMessage | null {
    const place = this.#place;
    const offer = sdp === null ? {} : { offer: { sdp } };
    if (this.#told !== identity || place.name === "idle") {
      this.#told = identity;
      this.#place = {
        name: "asked",
        by: "find_partner",
        before: place.name === "asked" ? place.before : place,
      };
      return { type: "find_partner", ...wishes, ...offer };
    }
    if (place.name === "matched") {
      this.#place = { name: "asked", by: "next", before: place };
      const failed = this.#failed === place.matchId ? { failed: true } : {};
      return { type: "next", match_id: place.matchId, ...failed, ...offer };
    }
    return sdp === null ? null : { type: "ticket_offer", sdp };
  }

  /** `stop`, unless the server has nothing of ours. */
  stop(): ClientMessage | null {
    this.#told = null;
    if (this.#place.name === "idle") return null;
    this.#place = { name: "idle" };
    this.#stopsUnanswered += 1;
    return { type: "stop" };
  }

  /** The next search starts from nothing, whatever the server made of the last one. */
  forgetWishes(): void {
    this.#told = null;
  }

  /**
   * A new socket with the old session, which is in `matchId` if in any. What was not answered may have been lost, or
   * its answer follows. Returns what must be said again.
   */
  resume(matchId: string | null, inCall: boolean): ClientMessage | null {
    const place = this.#place;
    const known = place.name === "asked" ? place.before : place;
    if (this.#stopsUnanswered > 0) {
      this.#stopsUnanswered = 1;
      this.#place = { name: "idle" };
      return { type: "stop" };
    }
    if (known.name === "matched" && known.matchId === matchId) {
      if (place.name === "asked" && place.by === "find_partner") this.#told = null;
      this.#place = known;
    } else if (!inCall) {
      // Found meanwhile: `partner_found` comes right behind. Of a call the word that ended it does.
      if (matchId !== null && place.name !== "idle") this.#place = { name: "waiting" };
      else if (place.name !== "waiting") this.#place = { name: "idle" };
    }
    return null;
  }

  /** A new socket without the old session. */
  reset(): null {
    this.#place = { name: "idle" };
    this.#stopsUnanswered = 0;
    return (this.#told = null);
  }

  #onPartnerLeft(matchId: string, requeued: boolean): boolean {
    const place = this.#place;
    const after: Place = requeued ? { name: "waiting" } : { name: "idle" };
    if (place.name === "matched" && place.matchId === matchId) {
      this.#place = after;
      return true;
    }
    // It crossed our own request. `next` named that match and is ignored; `find_partner` will be answered.
    if (place.name === "asked" && place.before.name === "matched" && place.before.matchId === matchId) {
      this.#place = place.by === "next" ? after : { ...place, before: after };
      return true;
    }
    return false;
  }
}
