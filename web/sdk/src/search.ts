// The visitor's place in line: says what must be said to wait with these wishes, keeps the ticket's offer
// ready and fresh, waits out the server's pauses, and turns `partner_found` into the way a call begins.
// While `wishes` is null nobody is sought. Does not know what a call is, nor what the page shows.

import type { Opening } from "./call.js";
import type { IceSource } from "./ice.js";
import type { LocalMedia } from "./media.js";
import type { FindPartner, PartnerFound, ServerMessage } from "./protocol.gen.js";
import { isAboutSearch, ServerView } from "./server-view.js";
import { jittered, type ServerSocket } from "./socket.js";
import type { Recipe, SparePeers } from "./spare.js";
import type { Environment, Wishes } from "./types.js";

export interface SearchParts {
  environment: Environment;
  socket: ServerSocket;
  ice: IceSource;
  spares: SparePeers;
  media: LocalMedia;
  offerOrder: "ticket" | "classic";
  requeue: () => boolean;
  onPaused: (retryAfterMs: number) => void;
  /** A timer came so late that the machine must have slept. */
  onSlept: () => void;
  /** The browser gives us no connection. */
  onRefused: () => void;
}

// An offer that is ready in this time travels in the request itself.
const OFFER_PATIENCE_MS = 50;
// Half of the time that the server keeps a waiting offer.
const RENEW_MS = 30_000;
const SLEPT_MS = 5_000;
// A browser that has too many connections gets rid of old ones in a moment.
const REFUSED_AGAIN_MS = 1_000;
const MAX_REFUSALS = 3;

export class Search {
  readonly serverView = new ServerView();
  #parts: SearchParts;
  #wishes: Wishes | null = null;
  /** Between two strangers. In a match every word of ours about the next one would end it. */
  #seeking = false;
  relayOnly = false;
  #recipe: (Recipe & { kind: Wishes["kind"]; servers: RTCIceServer[]; relayOnly: boolean }) | null = null;
  #turn = 0;
  #timer: number | null = null;
  #pauseTimer: number | null = null;

  constructor(parts: SearchParts) {
    this.#parts = parts;
  }

  /** New wishes are a new object. With a delay the server is expected to put us in line by itself meanwhile. */
  begin(wishes: Wishes, delayMs = 0): void {
    this.#wishes = wishes;
    this.#seeking = true;
    if (delayMs === 0) return void this.announce();
    this.#turn += 1;
    this.#renewIn(delayMs);
    void this.#offer(wishes);
  }

  /** By the visitor's wish or the operator's policy: no address but a relay's is told. */
  get hidden(): boolean {
    return this.relayOnly || this.#parts.ice.relayOnly;
  }

  /** Whether strangers see no address but a relay's: of connections made from now on. */
  hide(relayOnly: boolean): void {
    this.relayOnly = relayOnly;
    this.serverView.forgetWishes();
    // At once: somebody may be found before the server knows. And the offer that waits there tells the address.
    if (this.#recipe) this.#parts.spares.use(this.#recipeFor(this.#recipe, this.#recipe.servers));
    if (relayOnly && this.serverView.place.name !== "matched") this.#leaveLine();
    void this.announce();
  }

  /** Makes the server's view ours. Harmless at any time: it says nothing that was said already, or in a match. */
  async announce(): Promise<void> {
    const { socket, spares } = this.#parts;
    const wishes = this.#wishes;
    if (!wishes || !this.#seeking) return;
    const turn = ++this.#turn;
    this.#renewIn(RENEW_MS);
    const sdp = await this.#offer(wishes);
    if (turn !== this.#turn) return;
    if (this.#refused) return this.#withoutConnection();
    if (!socket.isOpen) return;
    const { place } = this.serverView;
    if (this.#pauseTimer !== null && place.name !== "waiting") return;
    const message = this.serverView.search(this.#request(wishes), wishes, sdp);
    if (message) socket.send(message);
    if (sdp !== null) return;
    await spares.offerMade();
    if (turn === this.#turn && this.#refused) return this.#withoutConnection();
    const late = spares.offerSdp();
    if (turn === this.#turn && late !== null) socket.send({ type: "ticket_offer", sdp: late });
  }

  get #refused(): boolean {
    const { offerOrder, spares } = this.#parts;
    if (!spares.talk) return true;
    return offerOrder === "ticket" && this.#wishes?.kind !== "text" && spares.refused;
  }

  /** Nobody may be given to a visitor who has nothing to meet them with. */
  #withoutConnection(): void {
    this.#leaveLine();
    if (this.#parts.spares.refusals >= MAX_REFUSALS) this.#parts.onRefused();
    else this.#renewIn(REFUSED_AGAIN_MS);
  }

  /** False: the message concerns an earlier ticket or match. */
  handle(message: ServerMessage): boolean {
    const asked = this.serverView.place.name === "asked";
    const heeded = this.serverView.handle(message);
    if (!heeded) return false;
    if (message.type === "waiting" || message.type === "partner_found") this.#endPause();
    if (message.type === "error" && message.code === "too_fast" && isAboutSearch(message) && asked) {
      const { environment, onPaused } = this.#parts;
      const delayMs = jittered(environment, message.retry_after_ms ?? 1_000);
      this.#endPause();
      this.#pauseTimer = environment.setTimeout(() => {
        this.#pauseTimer = null;
        void this.announce();
      }, delayMs);
      onPaused(delayMs);
    }
    return true;
  }

  /** The waiting is over: how to begin with this stranger. Null: the browser gives us no connection. */
  meet(found: PartnerFound): Opening | null {
    this.#rest();
    const { spares } = this.#parts;
    if (found.mode === "text" || this.#wishes?.kind === "text") return { name: "text" };
    if (found.initiator) {
      const peer = spares.takeOffering();
      if (!peer) return this.#unmet();
      return { name: found.mode === "answer_offer" ? "offered" : "offer", peer };
    }
    // An unknown mode that brings an offer can be answered; one that does not is negotiated.
    const peer = spares.takeBlank();
    if (!peer) return this.#unmet();
    return found.offer ? { name: "answer", peer, sdp: found.offer.sdp } : { name: "await", peer };
  }

  #unmet(): null {
    const { spares, onRefused } = this.#parts;
    if (++spares.refusals >= MAX_REFUSALS) onRefused();
    return null;
  }

  /** The call stands: what the next stranger needs can be made now without being in its way. */
  connected(): void {
    const { offerOrder, spares } = this.#parts;
    spares.refusals = 0;
    if (offerOrder === "ticket") spares.rest();
  }

  /** Nobody is sought; the server is told if it has anything of ours. */
  stop(): void {
    this.#rest();
    this.#wishes = null;
    this.#leaveLine();
  }

  #leaveLine(): void {
    const message = this.serverView.stop();
    if (message) this.#parts.socket.send(message);
  }

  #rest(): void {
    this.#seeking = false;
    this.#turn += 1;
    this.#endPause();
    this.#parts.environment.clearTimeout(this.#timer);
  }

  #renewIn(delayMs: number): void {
    const { now, setTimeout, clearTimeout } = this.#parts.environment;
    clearTimeout(this.#timer);
    const dueMs = now() + delayMs;
    this.#timer = setTimeout(() => {
      if (now() - dueMs > SLEPT_MS) this.#parts.onSlept();
      void this.announce();
    }, delayMs);
  }

  #endPause(): void {
    this.#parts.environment.clearTimeout(this.#pauseTimer);
    this.#pauseTimer = null;
  }

  async #offer(wishes: Wishes): Promise<string | null> {
    const { environment, ice, spares, offerOrder } = this.#parts;
    if (wishes.kind === "text") {
      spares.clear();
      await spares.load();
      return null;
    }
    const [servers] = await Promise.all([ice.servers(), spares.load()]);
    if (this.#wishes !== wishes) return null;
    spares.use(this.#recipeFor(wishes, servers));
    if (offerOrder === "classic") return null;
    spares.prepare();
    if (spares.offerSdp() === null) {
      await new Promise<void>((resolve) => {
        // Nobody may be given to a visitor whom they could not reach.
        if (!this.hidden) environment.setTimeout(resolve, OFFER_PATIENCE_MS);
        void spares.offerMade().then(resolve);
      });
    }
    return spares.offerSdp();
  }

  #recipeFor({ kind }: Pick<Wishes, "kind">, servers: RTCIceServer[]): Recipe {
    const { media } = this.#parts;
    const relayOnly = this.hidden;
    const known = this.#recipe;
    if (known?.kind !== kind || known.servers !== servers || known.relayOnly !== relayOnly) {
      this.#recipe = {
        kind,
        servers,
        relayOnly,
        configuration: { iceServers: servers, iceTransportPolicy: relayOnly ? "relay" : "all" },
        tracks: () => media.tracks(kind),
        stream: () => media.stream,
      };
    }
    return this.#recipe as Recipe;
  }

  #request({ kind, interests, languages, pin, pool }: Wishes): FindPartner {
    const requeue = this.#parts.requeue();
    const relay_only = this.relayOnly || undefined;
    // What is undefined is not there in JSON.
    return { kind, requeue, interests, languages, pin, pool, relay_only } as FindPartner;
  }
}
