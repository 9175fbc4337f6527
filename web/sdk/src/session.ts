// One visit: what the visitor does and what the world reports come together here. `#activity` is what we are
// at; `#show` alone turns it into the public state, so that two events that cross can never leave a page with a
// state that does not exist. Decides when a call ends and whether the search goes on; how either works is in
// `call` and `search`.

import { Blocks, type Kept } from "./blocks.js";
import type { Call, CallListener, MatchOnServer } from "./call.js";
import { ClientError } from "./errors.js";
import type { Emitter } from "./events.js";
import type { IceSource } from "./ice.js";
import type { LocalMedia } from "./media.js";
import type { MediaKind } from "./peer.js";
import type { PartnerFound, ServerMessage } from "./protocol.gen.js";
import type { Outbox, Signal } from "./outbox.js";
import { httpFinding } from "./reach.js";
import type { Reports } from "./reports.js";
import { Search } from "./search.js";
import { isAboutSearch } from "./server-view.js";
import { ServerSocket, type Resumed } from "./socket.js";
import { SparePeers } from "./spare.js";
import { chatState, sameState, type Activity } from "./state.js";
import type {
  ChatState,
  ClientEvents,
  Devices,
  Environment,
  LeftReason,
  MatchInfo,
  Report,
  StrangerDevices,
  Wishes,
} from "./types.js";

export type SessionEvents = ClientEvents & { state: ChatState };

export interface SessionParts {
  environment: Environment;
  events: Emitter<SessionEvents>;
  media: LocalMedia;
  ice: IceSource;
  url: string;
  offerOrder: "ticket" | "classic";
  autoContinue: () => boolean;
  kept: Kept;
}

// After `bye` the server's own word follows within a round trip.
const PARTNER_LEFT_MS = 1_000;
// A server that does not say where its relays are may only be restarting.
const OUTAGE_MS = 1_000;
const MAX_OUTAGES = 6;
const NO_RELAY = {
  reason: "relay_unreachable",
  message: "No relay can be reached.",
  retryAfterMs: null,
} as const;
// In a row: without any sign of theirs, or without one of our own; and with both, but without a path.
const MAX_SILENT = 2;
const MAX_UNREACHED = 3;
// How long the server may be silent before it is asked. A call notices by itself what happens to its path.
const ASK_MS = 5_000;
const ASK_IN_CALL_MS = 20_000;
const TEXT_CONFIRMED_MS = 1_000;

// A visitor who stops may start again at once, or block the stranger who was the reason; the socket waits for that.
const LINGER_MS = 120_000;

export class Session {
  #parts: SessionParts;
  #environment: Environment;
  #events: Emitter<SessionEvents>;
  #spares: SparePeers;
  #socket: ServerSocket;
  #search: Search;
  #state: ChatState = { name: "idle" };
  #activity: Activity = { name: "idle" };
  #wishes: Wishes | null = null;
  #lastMatch: MatchInfo | null = null;
  /** The matches that the server can still block: the present one and the one before, of this session. */
  #blockable: string[] = [];
  #remoteStream: MediaStream | null = null;
  #strangerDevices: StrangerDevices | null = null;
  #messages = 0;
  #strangerTypes = false;
  /** Null while the server is there, or was not yet needed. */
  #away: { retryAtMs: number | null } | null = null;
  /** From the first match on. */
  #outbox: Outbox | null = null;
  #reports: Reports | null = null;
  #blocks: Blocks;
  #outages = 0;
  /** The strangers since the last one who was reached. */
  #unreached: ("silent" | "heard")[] = [];
  #turn = 0;
  /** The socket before this one was lost, or left with a session to resume. */
  #cutOff = false;
  #lingerTimer: number | null = null;
  /** What we were at when the page went, should it come back from the page cache. */
  #atLeaving: Activity | null = null;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const { environment, events } = parts;
    this.#environment = environment;
    this.#events = events;
    this.#spares = new SparePeers(environment, {
      onNoRelay: (left) => this.#onNoRelay(left),
      onRelayed: (servers) => parts.ice.gave(servers),
      onRefused: (servers) =>
        void parts.ice.instead(servers).then((others) => others && this.#search.announce()),
    });
    this.#socket = new ServerSocket(environment, parts.url, {
      hello: () => this.#blocks.hello,
      onOpen: (resumed) => this.#onOpen(resumed),
      onMessage: (message) => this.#onMessage(message),
      onDead: () => this.#onDead(),
      onAway: (retryAtMs) => this.#onAway(retryAtMs),
      onGaveUp: (error) => this.#onGaveUp(error),
    });
    this.#blocks = new Blocks(parts.kept, {
      send: (message) => this.#socket.send(message),
      onBlocked: (confirmed) => events.emit("blocked", confirmed),
      onBlockFailed: (failed) => events.emit("blockFailed", failed),
      onUnblocked: (confirmed) => events.emit("unblocked", confirmed),
    });
    this.#search = new Search({
      ...parts,
      socket: this.#socket,
      spares: this.#spares,
      requeue: parts.autoContinue,
      onPaused: (retryAfterMs) => events.emit("paused", { retryAfterMs }),
      onSlept: () => this.#onSlept(),
      onRefused: () => {
        this.#spares.clear();
        this.fail(new ClientError("webrtc_failed", "The browser gives no connection for a call."));
      },
    });
  }

  get state(): ChatState {
    return this.#state;
  }

  get relayOnly(): boolean {
    return this.#search.relayOnly;
  }

  get remoteStream(): MediaStream | null {
    return this.#remoteStream;
  }

  get strangerDevices(): StrangerDevices | null {
    return this.#strangerDevices;
  }

  /** Nothing goes on that needs a server. */
  get #idle(): boolean {
    const { name } = this.#activity;
    return name === "idle" || name === "ended" || name === "error";
  }

  get #call(): Call | null {
    return this.#activity.name === "call" ? this.#activity.call : null;
  }

  /** Of the match with the present stranger, or with the last one. */
  get #strangerId(): string | undefined {
    return (this.#call?.match ?? this.#lastMatch)?.id;
  }

  /** Failures are the state `error`. */
  async start(wishes: Wishes): Promise<void> {
    const turn = ++this.#turn;
    const { media, ice } = this.#parts;
    const activity = this.#activity;
    const goesOn = activity.name === "searching" && this.#wishes?.kind === wishes.kind;
    this.#endCall("next");
    this.#wishes = wishes;
    this.#unreached = [];
    this.#outages = 0;
    this.#open();
    if (wishes.kind !== "text") void Promise.all([ice.servers(), this.#spares.load()]);
    if (!media.covers(wishes.kind)) {
      // Nobody may be given to a visitor who still looks for the camera.
      this.#search.stop();
      this.#activity = { name: "permission" };
      this.#show();
    }
    try {
      if (!(await media.acquire(wishes.kind)) || turn !== this.#turn) return;
      this.#searchOn("now", goesOn ? activity.sinceMs : this.#environment.now());
    } catch (error) {
      if (turn === this.#turn) this.fail(error as ClientError);
    }
  }

  next(): void {
    if (this.#activity.name === "ended" && this.#wishes) void this.start({ ...this.#wishes });
    const call = this.#call;
    if (!call) return;
    if (call.unreached) this.#search.serverView.failed(call.match.id);
    this.#endCall("next");
    this.#searchOn("now");
  }

  stop(media: "release" | "keep"): void {
    this.#turn += 1;
    this.#endCall("stop");
    this.#search.stop();
    this.#spares.clear();
    if (media === "release") this.#parts.media.release();
    this.#activity = { name: "idle" };
    this.#show();
    this.#linger();
  }

  /** For good, or until `start`. */
  leave(): void {
    this.#endCall("closed");
    this.stop("release");
    this.#socket.close();
  }

  /** Everything is let go: a page in the page cache must not keep a stranger, a place in line or the camera. */
  pageGone(): void {
    const match = this.#call?.match;
    this.#atLeaving = match ? { name: "ended", match, reason: "page_left" } : this.#activity;
    this.leave();
  }

  /** A search goes on; of a match all that is left is the word that it is over. */
  pageBack(): void {
    const was = this.#atLeaving;
    this.#atLeaving = null;
    if (was?.name === "searching" && this.#wishes) void this.start(this.#wishes);
    if (was?.name !== "ended" && was?.name !== "error") return;
    this.#activity = was;
    this.#show();
  }

  /** No script runs until `thaw`, so nobody may be given to this page, and nobody may take it for a reader. */
  freeze(): void {
    if (this.#activity.name === "searching") {
      this.#search.stop();
      this.#socket.close();
    } else if (this.#call?.match.kind === "text") {
      this.#socket.suspend();
    }
  }

  thaw(): void {
    const activity = this.#activity;
    if (activity.name === "searching") this.#searchOn("now", activity.sinceMs);
    else if (activity.name === "call") this.#socket.open();
  }

  block(matchId = this.#strangerId): boolean {
    if (matchId === undefined) return false;
    const call = this.#call;
    const present = call?.match.id === matchId;
    // No more than anybody hears who is left.
    if (present) this.#endCall("next");
    const remembered = this.#blockable.includes(matchId) && (this.#socket.isOpen || this.#socket.resumable);
    if (remembered) this.#blocks.block(matchId);
    if (!present) {
      if (remembered && this.#idle) {
        // Only the session that met them can keep the promise.
        this.#open();
        this.#linger();
      }
      return remembered;
    }
    this.#search.serverView.forgetWishes();
    this.#goOn(call.match, "blocked", "now");
    return remembered;
  }

  async report(report: Report): Promise<{ id: string }> {
    const { matchId = this.#strangerId } = report;
    if (matchId === undefined || !this.#reports)
      throw new ClientError("refused", "There is nobody to report.");
    // The server parts them as well, sooner or later than its answer: whichever word comes second changes nothing.
    return this.#reports.file(matchId, report, () => this.block(matchId));
  }

  unblock(block: string): void {
    this.#blocks.unblock(block);
  }

  /** False: nobody is there. */
  send(text: string): boolean {
    const call = this.#call;
    if (!call) return false;
    if (!call.send(text, this.#messages + 1)) throw new ClientError("too_fast", "Too many texts wait.");
    this.#onText("you", text);
    return true;
  }

  typing(on: boolean): void {
    this.#call?.typing(on);
  }

  onDevices(devices: Devices): void {
    this.#events.emit("localDevices", devices);
    this.#call?.tellDevices(devices);
  }

  replaceTrack(kind: MediaKind, track: MediaStreamTrack | null): void {
    this.#spares.replaceTrack(kind, track);
    this.#call?.replaceTrack(kind, track);
  }

  onAwake(): void {
    this.#socket.hurry();
    this.#parts.media.wake();
    this.#call?.wake();
  }

  hide(relayOnly: boolean): void {
    this.#search.hide(relayOnly);
  }

  onNetwork(): void {
    this.#spares.renew();
    // A session that cannot be resumed would end the call it carries: then the old socket must do.
    this.#cutOff ||= this.#socket.resumable;
    if (this.#socket.resumable || !this.#call) this.#socket.replace();
    else this.#socket.hurry();
    this.#call?.move();
  }

  /** Perhaps only the tab did, whose timers the browser runs once a minute: the socket is asked before it is given up. */
  #onSlept(): void {
    this.#spares.renew();
    this.#socket.hurry();
    this.#socket.heartbeat.askWithin(0);
  }

  fail(error: ClientError): void {
    this.#turn += 1;
    this.#endCall("lost");
    this.#search.stop();
    this.#activity = { name: "error", error };
    this.#show();
    this.#linger();
  }

  #onNoRelay(left: "more" | "none"): void {
    const { ice } = this.#parts;
    if (left === "more") return void this.#search.announce();
    if (ice.mayBeOutdated) {
      // Not every browser says that a relay refused its credentials.
      ice.forget();
      return void this.#search.announce();
    }
    // A server that is away may not have told us of its relays.
    if (!this.#search.hidden || !this.#socket.isOpen || this.#activity.name !== "searching") return;
    const { failed } = ice;
    if (failed !== null && (failed === 0 || failed >= 500) && ++this.#outages < MAX_OUTAGES) {
      this.#environment.setTimeout(() => void this.#search.announce(), OUTAGE_MS);
      return;
    }
    this.#spares.renew();
    ice.forget();
    const { reason, message, retryAfterMs } = (failed === null ? null : httpFinding(failed)) ?? NO_RELAY;
    this.fail(new ClientError(reason, message, retryAfterMs));
  }

  // --- the server -------------------------------------------------------------------------------

  #onOpen(resumed: Resumed | null): void {
    const { serverView } = this.#search;
    const call = this.#call;
    const again = resumed ? serverView.resume(resumed.matchId, call !== null) : serverView.reset();
    // One that does not know us any more may be another one, and its relay may have another secret.
    if (!resumed && this.#cutOff) this.#parts.ice.forget();
    this.#cutOff = false;
    if (again) this.#socket.send(again);
    this.#away = null;
    this.#events.emit("signaling", "open");
    if (!resumed) this.#blockable = [];
    this.#blocks.onOpen(resumed ? "resumed" : "new");
    const together = call !== null && resumed?.matchId === call.match.id;
    if (together) this.#outbox?.resume(resumed.received);
    else this.#outbox?.end(resumed?.received ?? null);
    if (together) {
      call.serverBack();
      // A server that goes may have said that the stranger went first. Its successor says so only of one who is not there yet.
      if (this.#activity.name === "call") this.#activity.partner = "open";
    } else if (call && resumed) this.#expectEnd(call);
    else if (call && !call.standsAlone) return this.#strangerLeft("lost", "now");
    if (this.#activity.name === "searching") void this.#search.announce();
    this.#show();
  }

  /** What was found out about the network before is worth nothing now. */
  #onDead(): void {
    this.#spares.renew();
    if (this.#activity.name === "call" && this.#activity.health.name === "interrupted")
      this.#activity.call.move();
  }

  /** The match is over, and the word that ended it comes right behind; unless it was lost, too. */
  #expectEnd(call: Call): void {
    this.#environment.setTimeout(() => {
      if (this.#call !== call || !this.#search.serverView.knows(call.match.id)) return;
      this.#search.serverView.reset();
      this.#strangerLeft("closed", "now");
    }, PARTNER_LEFT_MS);
  }

  #onAway(retryAtMs: number | null): void {
    const wasThere = this.#away === null;
    if (retryAtMs !== null || this.#socket.resumable) this.#cutOff = true;
    this.#away = { retryAtMs };
    if (wasThere) this.#events.emit("signaling", "away");
    if (!this.#idle) return this.#show();
    // Nothing here needs a server but a block that waits; `start` and `next` open the socket again.
    if (!this.#blocks.pending) this.#socket.close();
  }

  #onGaveUp(error: ClientError): void {
    this.#away = { retryAtMs: null };
    this.#search.serverView.reset();
    this.#outbox?.end(null);
    this.#blocks.drop();
    // The socket was open for a block alone.
    if (this.#idle) return;
    if (this.#call?.standsAlone) return this.#show();
    this.fail(error);
  }

  #onMessage(message: ServerMessage): void {
    const call = this.#call;
    const { serverView } = this.#search;
    const [asked, knew] = [
      serverView.place.name === "asked",
      call !== null && serverView.knows(call.match.id),
    ];
    if (this.#blocks.handle(message) || !this.#search.handle(message)) return;
    if ("online" in message && this.#activity.name === "searching") this.#activity.online = message.online;
    switch (message.type) {
      case "welcome":
        if (message.ice_token && this.#parts.ice.admit(message.ice_token) !== "known") {
          void this.#search.announce();
        }
        break;
      case "waiting":
        // We are in line, so the match is over, whatever became of the word that ended it.
        if (knew) {
          this.#outbox?.end("known");
          return this.#strangerLeft("closed", "now");
        }
        if (this.#activity.name === "searching") this.#activity.estimateMs = message.estimate_ms ?? null;
        break;
      case "partner_found":
        return this.#onPartnerFound(message);
      case "partner_left":
        if (call?.match.id === message.match_id) {
          this.#outbox?.end("known");
          // Older servers tell who was blocked; it is nobody's business.
          return this.#strangerLeft(message.reason === "blocked" ? "next" : message.reason, "now");
        }
        if (this.#activity.name === "searching") void this.#search.announce();
        return;
      case "partner_reconnecting":
      case "partner_back":
        if (this.#activity.name === "call") {
          this.#activity.partner = message.type === "partner_back" ? "open" : "away";
        }
        break;
      case "offer":
      case "answer":
      case "ice_candidate":
        return call?.handle(message);
      case "message":
        return call?.texts.hearFromServer(message.text);
      case "typing":
        return this.#onTyping(message.on);
      case "pong":
        this.#outbox?.acknowledge(message.received);
        if (this.#outbox?.textsUnderWay) this.#socket.heartbeat.askWithin(TEXT_CONFIRMED_MS);
        return;
      case "error":
        if (message.of === "message") {
          this.#outbox?.refuse(message.nth, message.code, message.retry_after_ms ?? null);
          return call?.texts.refused();
        }
        if (asked && !message.retry && isAboutSearch(message))
          this.fail(new ClientError("refused", message.message));
        return;
    }
    this.#show();
  }

  #onPartnerFound(found: PartnerFound): void {
    this.#endCall("lost");
    const wishes = this.#wishes;
    // Found in the moment in which the visitor gave up.
    if (this.#activity.name !== "searching" || !wishes) return this.#search.stop();
    const opening = this.#search.meet(found);
    const { talk } = this.#spares;
    if (talk) {
      this.#reports ??= new talk.Reports(this.#environment, this.#parts.url);
      this.#outbox ??= new talk.Outbox({
        send: (message) => this.#socket.send(message),
        onUnsent: (id, reason, retryAfterMs) => this.#events.emit("unsent", { id, reason, retryAfterMs }),
      });
    }
    const match: MatchInfo = {
      id: found.match_id,
      kind: wishes.kind,
      sharedInterests: found.shared_interests,
      language: found.language,
      reportable: this.#reports?.note(found) === true,
    };
    this.#lastMatch = match;
    this.#blockable = [...this.#blockable, match.id].slice(-2);
    if (!opening || !talk)
      return void (this.#activity.name === "searching" && this.#goOn(match, "lost", "now"));
    const call = new talk.Call(this.#environment, this.#listenTo(), match, found.initiator, opening);
    this.#activity = { name: "call", call, health: { name: "connecting" }, partner: "open" };
    // Before the page is told: what its listeners do takes time that the handshake need not wait for.
    call.begin();
    this.#events.emit("match", match);
    this.#show();
  }

  // --- the call ---------------------------------------------------------------------------------

  #listenTo(): CallListener {
    return {
      server: () => this.#matchOnServer(),
      iceServers: () => this.#parts.ice.servers(),
      iceServersInstead: (refused) => this.#parts.ice.instead(refused),
      sendToServer: (message, textId) => this.#sendOfCall({ message, textId }),
      textsUnderWay: () => this.#outbox?.textsUnderWay === true,
      onConnected: (path, elapsedMs) => this.#onHealth({ name: "connected", path, elapsedMs }),
      onInterrupted: () => this.#onInterrupted(),
      onStream: (stream) => this.#onRemoteStream(stream),
      onMessage: (text) => this.#onText("stranger", text),
      onTyping: (on) => this.#onTyping(on),
      onQuality: (quality) => this.#events.emit("quality", quality),
      // Whom the server can reach, it tells as well, and has put in line by then.
      devices: () => this.#parts.media.devicesNow,
      localStream: () => this.#parts.media.stream,
      onStrangerDevices: (devices) => this.#onStrangerDevices(devices),
      onLevel: (level) => this.#events.emit("level", level),
      onBye: (reason) => this.#strangerLeft(reason, this.#matchOnServer() === "known" ? "later" : "now"),
      onHopeless: (reason) => this.#strangerLeft(reason, "now"),
    };
  }

  #matchOnServer(): MatchOnServer {
    const id = this.#call?.match.id;
    if (id === undefined || !this.#search.serverView.knows(id)) return "unknown";
    if (this.#socket.isOpen) return "known";
    return this.#socket.resumable ? "away" : "unknown";
  }

  #sendOfCall(signal: Signal): boolean {
    const view = this.#matchOnServer();
    if (signal.textId) this.#socket.heartbeat.askWithin(TEXT_CONFIRMED_MS);
    if (view === "known") return this.#outbox?.say(signal) === true;
    return view === "away" && this.#outbox?.keep(signal) === true;
  }

  #onInterrupted(): void {
    this.#onHealth({ name: "interrupted" });
    // Whatever took the path may have taken the socket, too, and the new path is agreed on over it.
    this.#socket.heartbeat.askWithin(0);
  }

  #onHealth(health: Extract<Activity, { name: "call" }>["health"]): void {
    if (this.#activity.name !== "call") return;
    this.#activity.health = health;
    if (health.name === "connected") {
      this.#unreached = [];
      this.#search.connected();
    }
    this.#show();
  }

  #strangerLeft(reason: LeftReason, search: "now" | "later"): void {
    const call = this.#call;
    if (!call) return;
    const { match } = call;
    if (reason === "silent" || call.unreached) {
      this.#unreached.push(call.heard ? "heard" : "silent");
      this.#search.serverView.failed(match.id);
    }
    this.#outbox?.end(this.#matchOnServer() === "known" ? "known" : null);
    const silently = reason === "lost" || reason === "silent";
    for (const id of call.texts.unsent(silently ? "silently" : "with a word")) {
      this.#events.emit("unsent", { id, reason: "lost", retryAfterMs: null });
    }
    // Told to one who may be there after all, only cut off from the server.
    this.#endCall("lost");
    const alone = this.#reachesNobody;
    const searching = !alone && this.#goOn(match, reason, search);
    this.#events.emit("left", { match, reason, searching });
    if (alone) this.fail(new ClientError("no_connectivity", "No stranger could be reached from here."));
  }

  /** Strangers one after the other: then it is not they. */
  get #reachesNobody(): boolean {
    const tries = this.#unreached;
    return tries.length >= MAX_UNREACHED || (tries.length >= MAX_SILENT && !tries.includes("heard"));
  }

  /** After a match that this visitor did not end with Next or Stop. */
  #goOn(match: MatchInfo, reason: LeftReason, search: "now" | "later"): boolean {
    if (this.#parts.autoContinue()) {
      this.#searchOn(search);
      return true;
    }
    this.#search.stop();
    this.#activity = { name: "ended", match, reason };
    this.#show();
    this.#linger();
    return false;
  }

  #searchOn(when: "now" | "later", sinceMs = this.#environment.now()): void {
    if (!this.#wishes) return;
    this.#open();
    this.#activity = { name: "searching", sinceMs, online: null, estimateMs: null };
    this.#show();
    this.#search.begin(this.#wishes, when === "later" ? PARTNER_LEFT_MS : 0);
  }

  #endCall(bye: LeftReason): void {
    const call = this.#call;
    if (!call) return;
    call.close(bye);
    this.#outbox?.clear();
    const sinceMs = this.#environment.now();
    this.#activity = { name: "searching", sinceMs, online: null, estimateMs: null };
    this.#onRemoteStream(null);
    this.#onStrangerDevices(null);
    this.#onTyping(false);
  }

  #onRemoteStream(stream: MediaStream | null): void {
    if (this.#remoteStream === stream) return;
    this.#remoteStream = stream;
    this.#events.emit("remoteStream", stream);
  }

  #onStrangerDevices(devices: StrangerDevices | null): void {
    if (this.#strangerDevices === devices) return;
    this.#strangerDevices = devices;
    this.#events.emit("strangerDevices", devices);
  }

  #onText(from: "you" | "stranger", text: string): void {
    if (from === "stranger") this.#onTyping(false);
    this.#events.emit("message", { id: ++this.#messages, from, text, atMs: this.#environment.now() });
  }

  #onTyping(on: boolean): void {
    if (this.#strangerTypes === on) return;
    this.#strangerTypes = on;
    this.#events.emit("typing", on);
  }

  /** After how long a silence the server is asked. Where nothing depends on it, it is not. */
  #silenceMs(): number {
    const activity = this.#activity;
    if (activity.name === "searching") return ASK_MS;
    if (activity.name !== "call") return Infinity;
    return activity.call.standsAlone && activity.health.name === "connected" ? ASK_IN_CALL_MS : ASK_MS;
  }

  #open(): void {
    this.#environment.clearTimeout(this.#lingerTimer);
    this.#lingerTimer = null;
    if (this.#socket.isClosed) this.#away = null;
    this.#socket.open();
  }

  #linger(): void {
    if (!this.#socket.isOpen && !this.#blocks.pending) return this.#socket.close();
    this.#lingerTimer ??= this.#environment.setTimeout(() => {
      this.#lingerTimer = null;
      this.#socket.close();
      this.#blocks.drop();
    }, LINGER_MS);
  }

  #show(): void {
    this.#socket.heartbeat.every(this.#silenceMs());
    const state = chatState(this.#activity, this.#wishes, this.#away);
    if (sameState(this.#state, state)) return;
    this.#state = state;
    this.#events.emit("state", state);
  }
}
