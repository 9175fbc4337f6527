// Peer connections made before they are needed: one whose offer waits in the ticket, and a blank one for the
// answerer's part. In a call only the blank one is kept, so with the match there are never more than three.
// A blank peer becomes an offering one, never the other way round: a rollback costs more than it saves.

import type { Peer, MediaKind, Tracks } from "./peer.js";
import type * as Talk from "./talk.js";
import type { Environment } from "./types.js";

// Long enough that candidates are still true, and that nobody pays for an unused relay allocation for long.
const OFFER_AGE_MS = 300_000;
const UNUSED_IN_CALL_MS = 30_000;

// A relay answers within two round trips. Where UDP is blocked it never does, and TCP and TLS are worth their price.
const RELAY_PATIENCE_MS = 1_000;
// Ten round trips over a slow line bring TLS and a place on the relay.
const ALL_RELAYS_PATIENCE_MS = 6_000;

// At the moment of connection the browser starts its encoder: another connection made then delays the first picture.
const SETTLE_MS = 1_000;

/** What every connection of the present wishes is made from. Compared by identity of its parts. */
export interface Recipe {
  configuration: RTCConfiguration;
  tracks: () => Tracks;
  stream: () => MediaStream | null;
}

export interface SpareListener {
  /** The waiting offer got no place on a relay. There are more to make another with, or all were tried. */
  onNoRelay(left: "more" | "none"): void;
  /** A relay gave a place for the credentials of these servers. */
  onRelayed(servers: RTCIceServer[]): void;
  /** A relay gives none. */
  onRefused(servers: RTCIceServer[]): void;
}

export class SparePeers {
  #environment: Environment;
  /** Null until it was fetched. */
  talk: typeof Talk | null = null;
  #recipe: Recipe | null = null;
  #offering: Peer | null = null;
  #offerSdp: string | null = null;
  #blank: Peer | null = null;
  #restTimer: number | null = null;
  /** On this network the nearest relay gave nothing over UDP. */
  #wide = false;
  #listener: SpareListener;
  /** How often in a row this browser gave us no connection, or none that can make an offer. */
  refusals = 0;

  constructor(environment: Environment, listener: SpareListener) {
    this.#environment = environment;
    this.#listener = listener;
    void this.load();
  }

  /** Before anybody is sought. Once more where it could not be fetched. */
  async load(): Promise<void> {
    try {
      this.talk ??= await import("./talk.js");
    } catch {
      this.refusals += 1;
    }
  }

  /** From now on for these wishes; what was made for others is closed. */
  use(recipe: Recipe): void {
    if (this.#recipe !== recipe) this.clear();
    this.#recipe = recipe;
  }

  /** In line: an offer under way and a blank one behind it. */
  prepare(): void {
    this.#stopResting();
    if (this.#offering && this.#environment.now() - this.#offering.offeredAtMs > OFFER_AGE_MS)
      this.#dropOffering();
    if (!this.#offering) {
      const peer = this.takeBlank();
      this.#offering = peer;
      if (this.#wide) peer?.widen();
      if (!peer) this.refusals += 1;
      peer?.offer().then(
        (sdp) => {
          this.refusals = 0;
          if (this.#offering === peer) this.#offerSdp = sdp;
        },
        () => {
          this.refusals += 1;
          if (this.#offering === peer) this.#dropOffering();
        },
      );
    }
    const offering = this.#offering;
    const reconsider = () => this.#reconsider(offering);
    if (offering) offering.onGathered = reconsider;
    this.#environment.setTimeout(reconsider, this.#wide ? ALL_RELAYS_PATIENCE_MS : RELAY_PATIENCE_MS);
    this.#blank ??= this.#make();
  }

  /** In a call: the next stranger needs one to begin with. An unused offer may serve a quick Next. */
  rest(): void {
    this.#stopResting();
    this.#restTimer = this.#environment.setTimeout(() => {
      this.#blank ??= this.#make();
      this.#restTimer = this.#environment.setTimeout(() => this.#dropOffering(), UNUSED_IN_CALL_MS);
    }, SETTLE_MS);
  }

  /** Whether there is nothing to meet anybody with. */
  get refused(): boolean {
    return this.refusals > 0 && this.#offering === null;
  }

  /** The waiting offer with all candidates known by now; null while it is being made. */
  offerSdp(): string | null {
    return this.#offerSdp === null ? null : (this.#offering?.describe() ?? null);
  }

  /** Settles when `offerSdp` may have changed. */
  async offerMade(): Promise<void> {
    await this.#offering?.offer().catch(() => {});
  }

  /** Addresses have changed: an offer made before is of no use. */
  renew(): void {
    this.#wide = false;
    this.#dropOffering();
  }

  /** For a match, as one that offers. It may have done so already. */
  takeOffering(): Peer | null {
    const peer = this.#offering ?? this.takeBlank();
    this.#offering = null;
    this.#offerSdp = null;
    return peer;
  }

  /** For a match, as one that answers. */
  takeBlank(): Peer | null {
    const peer = this.#blank ?? this.#make();
    this.#blank = null;
    return peer;
  }

  replaceTrack(kind: MediaKind, track: MediaStreamTrack | null): void {
    this.#offering?.replaceTrack(kind, track);
    this.#blank?.replaceTrack(kind, track);
  }

  clear(): void {
    this.#stopResting();
    this.#dropOffering();
    this.#blank?.close();
    this.#blank = null;
    this.#recipe = null;
  }

  /** Null when the browser refuses another connection: it may have too many for the moment, or be told to give none. */
  #make(): Peer | null {
    if (!this.#recipe || !this.talk) return null;
    const { configuration, tracks, stream } = this.#recipe;
    try {
      const peer = new this.talk.Peer(this.#environment, configuration, tracks(), stream());
      peer.onRelayed = (servers) => this.#listener.onRelayed(servers);
      peer.onRefused = (servers) => this.#listener.onRefused(servers);
      return peer;
    } catch {
      return null;
    }
  }

  /** `peer` may be with a stranger by now, or gone: what it found out holds for the network. */
  #reconsider(peer: Peer | null): void {
    if (peer?.relayed !== false) return;
    const left = this.#wide || !peer.lacksRelay ? "none" : "more";
    this.#wide = true;
    if (this.#offering !== peer) return;
    if (left === "more") this.#dropOffering();
    this.#listener.onNoRelay(left);
  }

  #dropOffering(): void {
    this.#offering?.close();
    this.#offering = null;
    this.#offerSdp = null;
  }

  #stopResting(): void {
    this.#environment.clearTimeout(this.#restTimer);
  }
}
