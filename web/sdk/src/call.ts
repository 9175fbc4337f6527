// One match, from `partner_found` to its end: its connection, its texts, its watch. Ended once, never reused;
// after `close` nothing of it reaches the client or the next stranger.
// Reports what happens and decides only when there is nothing left to hope for; whether the search goes on
// is the client's affair.

import type { MediaKind, Peer, PeerWire } from "./peer.js";
import type { ClientMessage, ServerMessage } from "./protocol.gen.js";
import type { CallPath } from "./path.js";
import { quality, type Traffic } from "./quality.js";
import { TextChannel } from "./text-channel.js";
import type {
  AudioLevel,
  CallQuality,
  Devices,
  Environment,
  LeftReason,
  MatchInfo,
  StrangerDevices,
} from "./types.js";

/** How this side begins. `offered`: the stranger already holds our offer. */
export type Opening =
  | { name: "text" }
  | { name: "offered"; peer: Peer }
  | { name: "offer"; peer: Peer }
  | { name: "answer"; peer: Peer; sdp: string }
  | { name: "await"; peer: Peer };

/** `known`: the server can be reached and knows this match. `away`: it may come back and know it. */
export type MatchOnServer = "known" | "away" | "unknown";

export interface CallListener {
  server(): MatchOnServer;
  iceServers(): Promise<RTCIceServer[]>;
  /** Others than these, which a relay refused; null where there are none. */
  iceServersInstead(refused: RTCIceServer[]): Promise<RTCIceServer[] | null>;
  /** Kept for later while the server is away. */
  sendToServer(message: ClientMessage, textId?: number): boolean;
  textsUnderWay(): boolean;
  onConnected(path: "direct" | "relay" | null, elapsedMs: number): void;
  /** The media is interrupted; `onConnected` says when it is back. */
  onInterrupted(): void;
  onStream(stream: MediaStream): void;
  onMessage(text: string): void;
  onTyping(on: boolean): void;
  onQuality(quality: CallQuality): void;
  /** This side's own. */
  devices(): Devices;
  localStream(): MediaStream | null;
  onStrangerDevices(devices: StrangerDevices): void;
  onLevel(level: AudioLevel): void;
  /** The stranger said good-bye. */
  onBye(reason: LeftReason): void;
  /** Nothing more is to be expected of this match: see `LeftReason`. */
  onHopeless(reason: "silent" | "lost"): void;
}

type Phase =
  | { name: "connecting"; lastSignMs: number; restarted: boolean }
  | { name: "connected"; path: CallPath | null; elapsedMs: number }
  | { name: "interrupted"; path: CallPath | null; elapsedMs: number; sinceMs: number; restartedAtMs: number }
  | { name: "over" };

type PeerSignal = Extract<ServerMessage, { type: "offer" | "answer" | "ice_candidate" }>;

const CANDIDATE = /^a=candidate:/m;
const TICK_MS = 500;
const SILENCE_MS = 15_000;
const CONNECTING_MS = 30_000;
const POOR_MS = 1_000;
const STALLED_MS = 1_500;
const HOPELESS_MS = 20_000;
// A browser that has looked everywhere and found no way out of this machine: no stranger can change that.
const NO_WAY_OUT_MS = 5_000;
// A stranger who leaves this late in the attempt has given up, too.
const UNREACHED_MS = 8_000;
// Outages heal by themselves within seconds, a change of network does not.
// A path that the browser holds for sound, though nothing comes over it, it never mends: a Firefox that slept has such.
const RESTART_MS = { failed: 0, disconnected: 4_000, connected: 6_000 };
const RESTART_AGAIN_MS = 6_000;
// Either side may restart. The initiator goes first, so that offers seldom cross.
const YIELD_MS = 2_000;
// The server's word that the stranger left is on its way when the channel closes.
const CHANNEL_CLOSED_MS = 2_000;
const SLEPT_MS = 5_000;
const MANY_PACKETS = 100;
const UNDECODED_MS = 5_000;

export class Call {
  readonly match: MatchInfo;
  readonly initiator: boolean;
  #environment: Environment;
  #listener: CallListener;
  #opening: Opening;
  #peer: Peer | null;
  #textChannel: TextChannel;
  #phase: Phase;
  #startedMs: number;
  #timers = new Set<number>();
  #tickedMs: number;
  #ticks = 0;
  #reading = false;
  #growthMs = 0;
  #growing = false;
  #refused: RTCIceServer[] | null = null;
  /** Others than those that a relay refused are there, and were not tried yet. */
  #othersThere = false;
  /** When anything last came from the stranger. */
  #heardMs: number;
  #traffic: Traffic | null = null;
  #ofLastQuality: Traffic | null = null;
  /** As the stranger told it. */
  #devices: Devices | null = null;
  #unsupported: MediaKind[] = [];
  #dark = false;
  #undecodedSinceMs: number | null = null;
  #endLevels: (() => void) | null = null;

  constructor(
    environment: Environment,
    listener: CallListener,
    match: MatchInfo,
    initiator: boolean,
    opening: Opening,
  ) {
    this.#environment = environment;
    this.#listener = listener;
    this.match = match;
    this.initiator = initiator;
    this.#startedMs = this.#tickedMs = this.#heardMs = environment.now();
    this.#peer = opening.name === "text" ? null : opening.peer;
    this.#phase = { name: "connecting", lastSignMs: this.#startedMs, restarted: false };
    this.#textChannel = new TextChannel(
      environment,
      {
        ...listener,
        onChannelClosed: () => this.#onChannelClosed(),
        onStrangerDevices: (devices) => {
          this.#devices = devices;
          this.#showDevices();
        },
      },
      match.id,
      this.#peer?.channel ?? null,
    );
    this.#opening = opening;
  }

  /** Separate from the constructor, so that the client holds the call before it hears from it. */
  begin(): void {
    this.#open(this.#opening);
    if (this.#peer) this.#after(TICK_MS, () => this.#tick());
    else queueMicrotask(() => this.#connected(null));
  }

  /** An offer, an answer or candidates that name this match. */
  handle(message: PeerSignal): void {
    const peer = this.#peer;
    switch (message.type) {
      case "offer":
        if (CANDIDATE.test(message.sdp)) this.#sign();
        // Two offers may cross when both restart: then the initiator's counts.
        return peer?.answerTo(message.sdp, this.initiator ? "insist" : "yield");
      case "answer":
        if (CANDIDATE.test(message.sdp)) this.#sign();
        return peer?.acceptAnswer(message.sdp);
      case "ice_candidate": {
        const { candidate } = message;
        const candidates = (Array.isArray(candidate) ? candidate : [candidate]).filter(
          (one) => typeof one === "object" && !!one?.candidate,
        ) as RTCIceCandidateInit[];
        if (candidates.length === 0) return;
        this.#sign();
        peer?.addCandidates(candidates);
      }
    }
  }

  send(text: string, id: number): boolean {
    return this.#textChannel.send(text, id);
  }

  typing(on: boolean): void {
    this.#textChannel.typing(on);
  }

  /** The stranger's text that came through the server, the server's refusal of one of ours, and what never arrived. */
  get texts(): Pick<TextChannel, "hearFromServer" | "refused" | "unsent"> {
    return this.#textChannel;
  }

  tellDevices(devices: Devices): void {
    this.#textChannel.say({ type: "devices", ...devices });
  }

  replaceTrack(...change: Parameters<Peer["replaceTrack"]>): void {
    this.#peer?.replaceTrack(...change);
  }

  /** The server is back and knows this match. */
  serverBack(): void {
    this.#textChannel.flush();
    if (this.#phase.name !== "connected") this.#peer?.repeat();
    this.#mend();
  }

  /** Whether the two tried to connect for so long that it counts as a failure, whoever gave up first. */
  get unreached(): boolean {
    const { name } = this.#phase;
    return name === "connecting" && this.#environment.now() - this.#startedMs >= UNREACHED_MS;
  }

  /** Whether the two heard of each other's addresses. */
  get heard(): boolean {
    const signs = this.#phase.name !== "connecting" || this.#phase.lastSignMs > this.#startedMs;
    return signs && (this.#peer?.found ?? 0) > 0;
  }

  /** Whether the two can do without the server: a text lane or a half-made connection cannot. */
  get standsAlone(): boolean {
    return this.#peer !== null && this.#phase.name !== "connecting";
  }

  /** Looked at again, or the machine was away: do not wait for the browser to notice. */
  wake(): void {
    // The ticks are late only after a real sleep. A tab that somebody turns to has waited all the while.
    if (this.#environment.now() - this.#tickedMs > SLEPT_MS) this.#beginAnew();
    const state = this.#peer?.connectionState;
    if (state === "disconnected" || state === "failed") this.#mend("now");
  }

  /** On another network: the path that was is probably gone, and another is sought at once. It gets no more time for that. */
  move(): void {
    this.wake();
    const phase = this.#phase;
    const standing = phase.name === "connected" || phase.name === "interrupted";
    if (!standing || !this.#peer || this.#listener.server() === "unknown") return;
    if (phase.name === "interrupted") phase.restartedAtMs = this.#environment.now();
    this.#restart();
  }

  /** `bye` is told to the stranger, who may be out of the server's reach. */
  close(bye: LeftReason): void {
    if (this.#phase.name === "over") return;
    this.#phase = { name: "over" };
    this.#endLevels?.();
    for (const timer of this.#timers) this.#environment.clearTimeout(timer);
    this.#textChannel.close();
    const told = this.#textChannel.say({ type: "bye", reason: bye });
    this.#peer?.close(told ? "farewell" : "now");
    this.#peer = null;
  }

  /** The time asleep counts for nothing. */
  #beginAnew(): void {
    this.#growthMs = this.#heardMs = this.#environment.now();
    if (this.#phase.name === "interrupted") this.#phase = { ...this.#phase, sinceMs: this.#growthMs };
  }

  #open(opening: Opening): void {
    if (opening.name === "text") return;
    const { peer } = opening;
    peer.engage(this.#wire());
    switch (opening.name) {
      case "offered":
        return peer.releaseCandidates();
      case "answer":
        return peer.answerTo(opening.sdp);
      case "offer":
        peer.offer().then(
          () => {
            if (this.#peer !== peer) return;
            this.#signal({ type: "offer", sdp: peer.describe() });
            peer.releaseCandidates();
          },
          () => this.#hopeless("silent"),
        );
    }
  }

  #wire(): PeerWire {
    return {
      sendDescription: (description) => this.#signal(description),
      sendCandidates: (candidate) => {
        this.#listener.sendToServer({ type: "ice_candidate", match_id: this.match.id, candidate });
      },
      onConnection: (state) => this.#onConnection(state),
      onProgress: () => this.#sign(),
      onUnusable: () => this.#hopeless("silent"),
      onStream: (stream) => this.#listener.onStream(stream),
      onRefused: (servers) => void this.#onRefused(servers),
    };
  }

  #signal(description: { type: "offer" | "answer"; sdp: string }): void {
    this.#listener.sendToServer({ ...description, match_id: this.match.id });
  }

  #sign(): void {
    if (this.#phase.name === "connecting") this.#phase.lastSignMs = this.#environment.now();
  }

  #onConnection(state: RTCPeerConnectionState): void {
    switch (state) {
      case "connected":
        return void this.#onPath();
      case "disconnected":
        if (this.#phase.name === "connected") this.#interrupted();
        return;
      case "failed":
        if (this.#phase.name === "connected") this.#interrupted();
        return this.#mend("now");
    }
  }

  /** Gathered with credentials that are worth nothing: what is gathered from now on takes others. */
  async #onRefused(servers: RTCIceServer[]): Promise<void> {
    // Each of its addresses is refused.
    if (this.#refused === servers) return;
    this.#refused = servers;
    const others = await this.#listener.iceServersInstead(servers);
    this.#refused = null;
    if (!others) return;
    this.#othersThere = true;
    this.#mend();
  }

  /** `moving`: media arrives, whatever the browser makes of the connection. */
  async #onPath(moving: "moving" | "connected" = "connected"): Promise<void> {
    const peer = this.#peer;
    const elapsedMs = this.#environment.now() - this.#startedMs;
    const path = await peer?.path().catch(() => undefined);
    if (!peer || this.#peer !== peer) return;
    if (moving !== "moving" && peer.connectionState !== "connected") return;
    this.#connected(path ?? { path: "direct" }, elapsedMs);
  }

  #connected(path: CallPath | null, elapsedMs = 0): void {
    const phase = this.#phase;
    if (phase.name === "over" || phase.name === "connected") return;
    this.#growthMs = this.#environment.now();
    // The browser's word for it is no byte; it counts where there are no figures.
    if (phase.name === "connecting" || !this.#traffic) this.#heardMs = this.#growthMs;
    if (phase.name === "interrupted") elapsedMs = phase.elapsedMs;
    else if (path) {
      const elapsed_ms = Math.round(elapsedMs);
      this.#listener.sendToServer({ type: "connected", match_id: this.match.id, elapsed_ms, ...path });
    }
    this.#phase = { name: "connected", path, elapsedMs };
    this.#listener.onConnected(path?.path ?? null, elapsedMs);
    if (phase.name === "connecting") this.#onFirstConnected();
  }

  #onFirstConnected(): void {
    const peer = this.#peer;
    if (!peer) return;
    this.#unsupported = peer.unsupported;
    if (this.#unsupported.length > 0) this.#showDevices();
    if (this.match.kind !== "audio") return;
    import("./level.js")
      .then(({ watchLevels }) => {
        if (this.#peer !== peer) return;
        const source = {
          stats: () => peer.stats(),
          receivers: () => peer.receivers,
          local: () => this.#listener.localStream(),
        };
        this.#endLevels = watchLevels(this.#environment, source, (level) => this.#listener.onLevel(level));
      })
      .catch(() => {});
  }

  #showDevices(): void {
    const { microphone, camera } = this.#devices ?? { microphone: "on", camera: "on" };
    const without = this.#unsupported;
    this.#listener.onStrangerDevices({
      microphone: without.includes("audio") ? "unsupported" : microphone,
      camera: without.includes("video") ? "unsupported" : camera,
    });
  }

  /** Video that arrives and is never shown: a format that only seemed to be shared. */
  #watchDecoding({ videoPackets, framesDecoded }: Traffic, now: number): void {
    const undecoded = videoPackets > MANY_PACKETS && framesDecoded === 0;
    this.#undecodedSinceMs = undecoded ? (this.#undecodedSinceMs ?? now) : null;
    const dark = undecoded && now - (this.#undecodedSinceMs ?? now) >= UNDECODED_MS;
    if (dark === this.#dark) return;
    this.#dark = dark;
    this.#unsupported = dark ? [...this.#unsupported, "video"] : (this.#peer?.unsupported ?? []);
    this.#showDevices();
  }

  #interrupted(): void {
    const phase = this.#phase;
    if (phase.name !== "connected") return;
    const sinceMs = this.#environment.now();
    this.#phase = { ...phase, name: "interrupted", sinceMs, restartedAtMs: -Infinity };
    this.#listener.onInterrupted();
  }

  #tick(): void {
    const now = this.#environment.now();
    if (now - this.#tickedMs > SLEPT_MS) this.wake();
    this.#tickedMs = now;
    this.#ticks += 1;
    const phase = this.#phase;
    switch (phase.name) {
      case "connecting":
        if (now - phase.lastSignMs >= SILENCE_MS || now - this.#startedMs >= CONNECTING_MS) {
          return this.#hopeless("silent");
        }
        if (this.#peer?.complete && this.#peer.found === 0 && now - this.#startedMs >= NO_WAY_OUT_MS) {
          return this.#hopeless("silent");
        }
        this.#mend();
        break;
      case "connected":
      case "interrupted":
        void this.#read();
        if (phase.name === "interrupted") this.#mend();
        break;
      case "over":
        return;
    }
    this.#after(TICK_MS, () => this.#tick());
  }

  /** Tries what there is to try, and notices when there is nothing. */
  #mend(when: "due" | "now" = "due"): void {
    const now = this.#environment.now();
    const phase = this.#phase;
    const state = this.#peer?.connectionState;
    if (phase.name === "connecting") {
      if (!this.#peer?.settled || this.#listener.server() !== "known") return;
      // Where UDP is blocked, an offer that waited has nothing to offer: the other servers are asked now.
      const poor = this.#peer.lacksRelay && now - this.#peer.offeredAtMs >= POOR_MS;
      const due = this.initiator && !phase.restarted && (state === "failed" || poor);
      if (!due && !this.#othersThere) return;
      phase.restarted = true;
      return this.#restart();
    }
    if (phase.name !== "interrupted") return;
    // Whatever the browser makes of the path, and whoever moves: nothing comes over it.
    const unknown = this.#listener.server() === "unknown" && state === "failed";
    if (unknown || now - this.#heardMs >= HOPELESS_MS) return this.#hopeless("lost");
    if (this.#listener.server() !== "known") return;
    if (this.#othersThere && this.#peer?.settled) {
      phase.restartedAtMs = now;
      return this.#restart();
    }
    if (now - phase.restartedAtMs < RESTART_AGAIN_MS) return;
    if (!this.#peer?.settled) {
      // The offer, or the answer to it, was lost on its way.
      phase.restartedAtMs = now;
      return this.#peer?.repeat();
    }
    if (state !== "failed" && state !== "disconnected" && state !== "connected") return;
    const patienceMs = RESTART_MS[state] + (this.initiator ? 0 : YIELD_MS);
    if (when === "due" && now - phase.sinceMs < patienceMs) return;
    if (when === "now" && state === "failed" && !this.initiator && now - phase.sinceMs < YIELD_MS) return;
    phase.restartedAtMs = now;
    this.#restart();
  }

  #restart(): void {
    this.#othersThere = false;
    this.#peer?.restartIce(this.#listener.iceServers());
  }

  async #read(): Promise<void> {
    const peer = this.#peer;
    if (!peer || this.#reading) return;
    this.#reading = true;
    const traffic = await peer.traffic().catch(() => null);
    this.#reading = false;
    if (!traffic || this.#peer !== peer) return;
    const before = this.#traffic;
    this.#traffic = traffic;
    const now = this.#environment.now();
    this.#watchDecoding(traffic, now);
    const { name } = this.#phase;
    if (!before || traffic.bytesReceived !== before.bytesReceived) {
      // What was under way when the path broke may still arrive.
      const steady = this.#growing || peer.connectionState === "connected";
      this.#growing = true;
      this.#growthMs = this.#heardMs = now;
      if (name === "interrupted" && steady) void this.#onPath("moving");
      return this.#reportQuality(traffic);
    }
    this.#growing = false;
    if (name === "connected") {
      // A stranger whose devices are gone sends nothing, and is there all the same.
      this.#textChannel.say({ type: "ping" });
      if (now - this.#growthMs >= STALLED_MS) this.#interrupted();
    }
    this.#reportQuality(traffic);
  }

  #reportQuality(traffic: Traffic): void {
    if (this.#phase.name !== "connected" || this.#ticks % 2 !== 0) return;
    if (this.#ofLastQuality) this.#listener.onQuality(quality(this.#ofLastQuality, traffic));
    this.#ofLastQuality = traffic;
  }

  #onChannelClosed(): void {
    if (this.#listener.server() !== "known") this.#hopeless("lost");
    else this.#after(CHANNEL_CLOSED_MS, () => this.#hopeless("lost"));
  }

  #hopeless(reason: "silent" | "lost"): void {
    if (this.#phase.name !== "over") this.#listener.onHopeless(reason);
  }

  #after(delayMs: number, run: () => void): void {
    const timer = this.#environment.setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, delayMs);
    this.#timers.add(timer);
  }
}
