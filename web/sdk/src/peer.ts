// One RTCPeerConnection, from its making to its end: blank, offering, or in a match; never reused.
// Operations run one after the other in this peer's own queue. Promises on a closed connection never settle,
// so the queue ends with the peer and nothing outside ever waits for it. What a browser throws ends here: a step that
// fails is left out, and the call goes on with what there is.
// Knows nothing of the server: what must be told goes out through the wire that `engage` hands in.

import {
  candidateKey,
  candidateKeys,
  dtlsRole,
  withDtlsRole,
  withStartBitrate,
  type DtlsRole,
} from "./sdp.js";
import { readPath, type CallPath } from "./path.js";
import type { Traffic } from "./quality.js";
import { readTraffic } from "./stats.js";
import type { Environment } from "./types.js";

// Host candidates come about 4 ms after setLocalDescription; then a moment for the rest of them.
const FIRST_CANDIDATE_MS = 30;
// Without a relay's candidate a hidden offer is none at all.
const NEVER_MS = 1e9;
const MORE_CANDIDATES_MS = 5;
const BATCH_MS = 10;
// The server forwards 64 candidates a match; a browser with that many interfaces has better ones among them.
const MAX_CANDIDATES = 60;
const REACHED: ReadonlySet<string> = new Set<RTCIceConnectionState>(["connected", "completed"]);
// A relay takes neither the name nor the password: they expired, or its secret is another one by now.
const REFUSED_CODES: ReadonlySet<number> = new Set([401, 438, 441]);
// The name has all the places that it may have. Those on a network that is gone count for a minute.
const QUOTA_REACHED = 486;
// A close in the same task would discard a `bye` that was just sent.
const FAREWELL_MS = 100;

export type MediaKind = "audio" | "video";
export type Tracks = Partial<Record<MediaKind, MediaStreamTrack | null>>;

/** Where a peer in a match reports to. */
export interface PeerWire {
  sendDescription(description: { type: "offer" | "answer"; sdp: string }): void;
  sendCandidates(candidates: RTCIceCandidateInit[]): void;
  onConnection(state: RTCPeerConnectionState): void;
  /** The other side was reached. */
  onProgress(): void;
  /** This browser cannot begin with what the other side sent. */
  onUnusable(): void;
  onStream(stream: MediaStream): void;
  /** A relay gives no place for the credentials of these servers. */
  onRefused(servers: RTCIceServer[]): void;
}

export class Peer {
  /** Null where the browser makes none. */
  readonly channel: RTCDataChannel | null;
  /** When it began to gather for its offer. */
  offeredAtMs = 0;
  #environment: Environment;
  #connection: RTCPeerConnection;
  /** What this side sends, with a key for each kind of the match. A kind without a track may get one later. */
  #tracks: Tracks;
  #localStream: MediaStream | null;
  #servers: RTCIceServer[];
  #gathersWith: RTCIceServer[];
  #firstCandidateMs = FIRST_CANDIDATE_MS;
  /** Whether a relay has given it a place. */
  relayed = false;
  /** Candidates of its own so far. */
  found = 0;
  /** The present gathering has found all that there is. */
  complete = false;
  /** All that can be found was found. */
  onGathered: () => void = () => {};
  /** A relay gave a place for the credentials of these servers. */
  onRelayed: (servers: RTCIceServer[]) => void = () => {};
  /** A relay refused the credentials of these servers, before there was a match. */
  onRefused: (servers: RTCIceServer[]) => void = () => {};
  #queue: Promise<void> = Promise.resolve();
  #wire: PeerWire | null = null;
  #closed = false;
  #offer: Promise<string> | null = null;
  #stream: MediaStream | null = null;
  #gathered: RTCIceCandidateInit[] = [];
  /** Those of the present ICE generation that the other side knows or will know. */
  #told = new Set<string>();
  #sent = 0;
  /** Those of the present ICE generation, as far as the browser has found them. */
  #generation: RTCIceCandidateInit[] = [];
  /** The last description that went out in the match. */
  #said: "offer" | "answer" | null = null;
  /** The DTLS role of the other side, fixed by the first answer. */
  #remoteRole: DtlsRole | null = null;
  #released = false;
  #batchTimer: number | null = null;
  #early: RTCIceCandidateInit[] = [];
  #onCandidate: () => void = () => {};

  /**
   * `tracks` has a key for each kind of media that the match will carry. While it waits it gathers with the first
   * server only: every relay that it names would hold a place open for it.
   */
  constructor(
    environment: Environment,
    { iceServers = [], ...configuration }: RTCConfiguration,
    tracks: Tracks,
    stream: MediaStream | null,
  ) {
    this.#environment = environment;
    if (configuration.iceTransportPolicy === "relay") this.#firstCandidateMs = NEVER_MS;
    this.#servers = iceServers;
    this.#gathersWith = iceServers.length > 1 ? iceServers.slice(0, 1) : iceServers;
    const connection = new environment.RTCPeerConnection({
      bundlePolicy: "max-bundle",
      ...configuration,
      iceServers: this.#gathersWith,
    });
    this.#connection = connection;
    this.#tracks = tracks;
    this.#localStream = stream;
    for (const kind of kindsIn(tracks)) this.#addTrack(kind);
    // Agreed beforehand, so neither side waits for the other to announce it.
    this.channel =
      attempt(() => connection.createDataChannel("visavis", { negotiated: true, id: 0 })) ?? null;
    connection.onicecandidate = ({ candidate }) => this.#onLocalCandidate(candidate);
    connection.onicecandidateerror = ({ errorCode }) => this.#onCandidateError(errorCode);
    connection.onconnectionstatechange = () => this.#wire?.onConnection(connection.connectionState);
    connection.oniceconnectionstatechange = () => {
      if (REACHED.has(connection.iceConnectionState)) this.#wire?.onProgress();
    };
    connection.ontrack = (event) => this.#onTrack(event);
  }

  get connectionState(): RTCPeerConnectionState {
    return this.#connection.connectionState;
  }

  /** Whether `offer` was already called: such a peer cannot answer any more. */
  get offering(): boolean {
    return this.#offer !== null;
  }

  /** Whether the first server gave no relay, and there are others that might. */
  get lacksRelay(): boolean {
    return !this.relayed && this.#servers.length > 1;
  }

  /** All that it was given, whether it gathers with them yet or not. */
  get servers(): RTCIceServer[] {
    return this.#servers;
  }

  /** Whether a new offer can be made now without crossing another. */
  get settled(): boolean {
    return this.#connection.signalingState === "stable";
  }

  /** The next gathering (for an offer, an answer, a restart) takes all servers. */
  widen(servers = this.#servers): void {
    this.#servers = servers;
    if (this.#gathersWith === servers) return;
    this.#gathersWith = servers;
    // Chromium with SNAP refuses every change once an offer was made; then the relays of the beginning have to do.
    attempt(() =>
      this.#connection.setConfiguration({ ...this.#connection.getConfiguration(), iceServers: servers }),
    );
  }

  /** Makes the offer once; resolves with it after the first candidates came. */
  offer(): Promise<string> {
    this.#offer ??= new Promise((resolve, reject) => {
      this.offeredAtMs = this.#environment.now();
      this.#enqueue(async () => {
        try {
          for (const kind of kindsIn(this.#tracks)) {
            if (!this.#transceiver(kind)) attempt(() => this.#connection.addTransceiver(kind));
          }
          await this.#connection.setLocalDescription(await this.#connection.createOffer());
          await this.#firstCandidates();
          resolve(this.describe());
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
    return this.#offer;
  }

  /** The local description as it is now. Its candidates count as told and are not sent again. */
  describe(): string {
    const sdp = this.#connection.localDescription?.sdp ?? "";
    for (const key of candidateKeys(sdp)) this.#told.add(key);
    return sdp;
  }

  /** The match begins: candidates gathered so far go out as one batch, later ones in small ones. */
  engage(wire: PeerWire): void {
    this.#wire = wire;
    this.widen();
    if (this.#stream) wire.onStream(this.#stream);
  }

  /** Candidates must not overtake the description they belong to, so the caller says when it is out. */
  releaseCandidates(): void {
    this.#released = true;
    this.#flush();
  }

  /** `insist`: of two offers that cross this side's counts. The other side yields: its own is taken back. */
  answerTo(sdp: string, ifCrossed: "insist" | "yield" = "yield"): void {
    this.#enqueue(async () => {
      if (ifCrossed === "insist" && !this.settled) return;
      const first = !this.#connection.remoteDescription;
      try {
        await this.#acceptRemote("offer", sdp);
      } catch (error) {
        if (first) this.#wire?.onUnusable();
        throw error;
      }
      if (first) this.#joinSections();
      this.#newGeneration();
      await this.#connection.setLocalDescription(await this.#connection.createAnswer());
      this.#remoteRole ??= OPPOSITE[dtlsRole(this.describe()) ?? ""] ?? null;
      this.#say("answer");
      this.releaseCandidates();
    });
  }

  acceptAnswer(sdp: string): void {
    this.#enqueue(async () => {
      if (this.settled) return;
      await this.#acceptRemote("answer", sdp);
      this.#remoteRole ??= dtlsRole(sdp);
    });
  }

  addCandidates(candidates: RTCIceCandidateInit[]): void {
    this.#enqueue(async () => {
      if (this.#connection.remoteDescription) await this.#add(candidates);
      else if (this.#early.length < MAX_CANDIDATES) this.#early.push(...candidates);
    });
  }

  /**
   * A new offer with new credentials over the same connection; the media flows on when a path is found. The relays
   * of long ago may have closed their doors, so it takes those of today.
   */
  restartIce(servers: Promise<RTCIceServer[]>): void {
    this.#enqueue(async () => {
      const today = await servers;
      this.widen(today[0]?.credential ? today : undefined);
      this.#newGeneration();
      await this.#connection.setLocalDescription(await this.#connection.createOffer({ iceRestart: true }));
      this.#say("offer");
      this.releaseCandidates();
    });
  }

  /** What was said last may have gone into a dead socket. Whoever heard it loses nothing by hearing it twice. */
  repeat(): void {
    this.#enqueue(async () => {
      this.#told.clear();
      this.#gathered = [...this.#generation];
      const answered = this.#said === "offer" && this.settled;
      if (this.#said && !answered) this.#say(this.#said);
      if (this.#released) this.#flush();
    });
  }

  replaceTrack(kind: MediaKind, track: MediaStreamTrack | null): void {
    if (kind in this.#tracks) this.#tracks = { ...this.#tracks, [kind]: track };
    const transceiver = this.#transceiver(kind);
    if (transceiver) attempt(() => transceiver.sender.replaceTrack(track).catch(ignore));
    else if (!this.#offer && !this.#wire) this.#addTrack(kind);
  }

  /** Kinds that were to be sent and that the two descriptions agreed to leave out. */
  get unsupported(): MediaKind[] {
    const without = (kind: MediaKind) => {
      const transceiver = this.#transceiver(kind);
      return !transceiver || LEFT_OUT.has(transceiver.currentDirection ?? "");
    };
    return attempt(() => kindsIn(this.#tracks).filter(without)) ?? [];
  }

  get receivers(): RTCRtpReceiver[] {
    return attempt(() => this.#connection.getReceivers()) ?? [];
  }

  /** How the two are connected. */
  async stats(): Promise<RTCStatsReport> {
    return this.#connection.getStats();
  }

  async path(): Promise<CallPath> {
    return readPath(await this.#connection.getStats());
  }

  async traffic(): Promise<Traffic> {
    return readTraffic(await this.#connection.getStats());
  }

  /** Lets go of everything at once; `farewell` keeps the bare connection until its last word is out. */
  close(farewell: "farewell" | "now" = "now"): void {
    if (this.#closed) return;
    this.#closed = true;
    const connection = this.#connection;
    connection.onicecandidate = connection.onicecandidateerror = connection.ontrack = null;
    connection.onconnectionstatechange = connection.oniceconnectionstatechange = null;
    const { channel } = this;
    if (channel) channel.onopen = channel.onclose = channel.onmessage = null;
    this.#environment.clearTimeout(this.#batchTimer);
    this.#wire = this.#stream = null;
    this.#gathered = this.#early = [];
    this.#onCandidate();
    const end = () => attempt(() => connection.close());
    if (farewell === "farewell") this.#environment.setTimeout(end, FAREWELL_MS);
    else end();
  }

  #addTrack(kind: MediaKind): void {
    const track = this.#tracks[kind];
    const stream = this.#localStream;
    // Only what addTrack made is paired with the sections of an incoming offer (RFC 8829, 5.10). Without a track the
    // section is joined when the offer is there.
    if (track) attempt(() => this.#connection.addTrack(track, ...(stream ? [stream] : [])));
  }

  /** A camera that is off now may be on later, without another negotiation: its section goes both ways all the same. */
  #joinSections(): void {
    for (const kind of kindsIn(this.#tracks)) {
      const transceiver = this.#transceiver(kind);
      if (transceiver?.direction !== "recvonly") continue;
      attempt(() => (transceiver.direction = "sendrecv"));
      const track = this.#tracks[kind];
      if (track) attempt(() => transceiver.sender.replaceTrack(track).catch(ignore));
    }
  }

  #transceiver(kind: MediaKind): RTCRtpTransceiver | undefined {
    return attempt(() =>
      this.#connection.getTransceivers().find(({ receiver }) => receiver.track.kind === kind),
    );
  }

  #newGeneration(): void {
    this.#told.clear();
    this.#generation = [];
    this.complete = false;
  }

  #say(type: "offer" | "answer"): void {
    this.#said = type;
    // The server counts anew with each of them.
    this.#sent = 0;
    this.#wire?.sendDescription({ type, sdp: this.describe() });
  }

  #enqueue(operation: () => Promise<void>): void {
    this.#queue = this.#queue.then(() => (this.#closed ? undefined : operation())).catch(ignore);
  }

  async #acceptRemote(type: "offer" | "answer", sdp: string): Promise<void> {
    const connection = this.#connection;
    // Some browsers name another role at an ICE restart; the DTLS connection stays, and so do the roles (RFC 8842, 5.5).
    if (this.#remoteRole) sdp = withDtlsRole(sdp, this.#remoteRole);
    try {
      await connection.setRemoteDescription({ type, sdp: withStartBitrate(sdp) });
    } catch {
      await connection.setRemoteDescription({ type, sdp });
    }
    await this.#add(this.#early.splice(0));
  }

  async #add(candidates: RTCIceCandidateInit[]): Promise<void> {
    // One that does not parse, or belongs to an older ICE generation, must not cost the others.
    for (const candidate of candidates) {
      try {
        await this.#connection.addIceCandidate(candidate);
      } catch {
        continue;
      }
    }
  }

  #onLocalCandidate(candidate: RTCIceCandidate | null): void {
    if (!candidate) {
      this.complete = true;
      this.onGathered();
    }
    if (!candidate?.candidate) return;
    if (isRelay(candidate)) {
      this.relayed = true;
      this.onRelayed(this.#servers);
    }
    this.found += 1;
    const init = candidate.toJSON();
    this.#gathered.push(init);
    this.#generation.push(init);
    this.#onCandidate();
    if (this.#released) this.#batchTimer ??= this.#environment.setTimeout(() => this.#flush(), BATCH_MS);
  }

  #onCandidateError(code: number): void {
    const full = code === QUOTA_REACHED && !this.#generation.some(isRelay);
    if (!full && !REFUSED_CODES.has(code)) return;
    if (this.#wire) this.#wire.onRefused(this.#servers);
    else this.onRefused(this.#servers);
  }

  #flush(): void {
    this.#environment.clearTimeout(this.#batchTimer);
    this.#batchTimer = null;
    const batch: RTCIceCandidateInit[] = [];
    for (const candidate of this.#gathered.splice(0)) {
      const key = candidateKey(candidate.candidate ?? "");
      if (this.#told.has(key) || this.#sent >= MAX_CANDIDATES) continue;
      this.#told.add(key);
      this.#sent += 1;
      batch.push(candidate);
    }
    if (batch.length > 0) this.#wire?.sendCandidates(batch);
  }

  #firstCandidates(): Promise<void> {
    const { setTimeout, clearTimeout } = this.#environment;
    return new Promise((resolve) => {
      let timer = setTimeout(resolve, this.#firstCandidateMs);
      this.#onCandidate = () => {
        this.#onCandidate = () => {};
        clearTimeout(timer);
        timer = setTimeout(resolve, MORE_CANDIDATES_MS);
      };
      if (this.#gathered.length > 0) this.#onCandidate();
    });
  }

  #onTrack({ streams, track }: RTCTrackEvent): void {
    const known = this.#stream;
    // Other clients may send tracks that belong to no stream; they are put together here.
    this.#stream ??= streams[0] ?? new this.#environment.MediaStream();
    if (!this.#stream.getTracks().includes(track)) this.#stream.addTrack(track);
    if (this.#stream !== known) this.#wire?.onStream(this.#stream);
  }
}

function isRelay({ candidate }: RTCIceCandidateInit): boolean {
  return candidate?.includes(" typ relay") === true;
}

const LEFT_OUT: ReadonlySet<string> = new Set<RTCRtpTransceiverDirection>(["inactive", "stopped"]);

function kindsIn(tracks: Tracks): MediaKind[] {
  return (["audio", "video"] as const).filter((kind) => kind in tracks);
}

const OPPOSITE: Record<string, DtlsRole> = { active: "passive", passive: "active" };

/** What a browser may throw at us, for reasons of its own. */
function attempt<T>(step: () => T): T | undefined {
  try {
    return step();
  } catch {
    return undefined;
  }
}

function ignore(): void {}
