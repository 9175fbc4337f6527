// One RTCPeerConnection, from its making to its end: blank, offering, or in a match; never reused.
// Operations run one after the other in this peer's own queue. Promises on a closed connection never settle,
// so the queue ends with the peer and nothing outside ever waits for it.
// Knows nothing of the server: what must be told goes out through the wire that `engage` hands in.

import { candidateKey, candidateKeys, withStartBitrate } from "./sdp.js";
import type { Environment } from "./types.js";

// Host candidates come about 4 ms after setLocalDescription; then a moment for the rest of them.
const FIRST_CANDIDATE_MS = 30;
// Without a relay's candidate a hidden offer is none at all.
const NEVER_MS = 1e9;
const MORE_CANDIDATES_MS = 5;
const BATCH_MS = 10;
// The server forwards 64 candidates a match; a browser with that many interfaces has better ones among them.
const MAX_CANDIDATES = 60;
// A relay takes neither the name nor the password: they expired, or its secret is another one by now.
const REFUSED_CODES: ReadonlySet<number> = new Set([401, 438, 441]);
// A close in the same task would discard a `bye` that was just sent.
const FAREWELL_MS = 100;

export type MediaKind = "audio" | "video";
export type Tracks = Partial<Record<MediaKind, MediaStreamTrack | null>>;

/** Where a peer in a match reports to. */
export interface PeerWire {
  sendDescription(description: { type: "offer" | "answer"; sdp: string }): void;
  sendCandidates(candidates: RTCIceCandidateInit[]): void;
  onConnection(state: RTCPeerConnectionState): void;
  /** The other side's checks arrive: a sign of life. */
  onProgress(): void;
  onStream(stream: MediaStream): void;
  /** A relay refused the credentials of these servers. */
  onRefused(servers: RTCIceServer[]): void;
}

export class Peer {
  readonly channel: RTCDataChannel;
  /** When it began to gather for its offer. */
  offeredAtMs = 0;
  #environment: Environment;
  #connection: RTCPeerConnection;
  #servers: RTCIceServer[];
  #gathersWith: RTCIceServer[];
  #firstCandidateMs = FIRST_CANDIDATE_MS;
  /** Whether a relay has given it a place. */
  relayed = false;
  /** All that can be found was found. */
  onGathered: () => void = () => {};
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
    for (const kind of ["audio", "video"] as const) {
      if (!(kind in tracks)) continue;
      const track = tracks[kind];
      // Only what addTrack made is paired with the sections of an incoming offer (RFC 8829, 5.10).
      if (track) connection.addTrack(track, ...(stream ? [stream] : []));
      else connection.addTransceiver(kind);
    }
    // Agreed beforehand, so neither side waits for the other to announce it.
    this.channel = connection.createDataChannel("visavis", { negotiated: true, id: 0 });
    connection.onicecandidate = ({ candidate }) => this.#onLocalCandidate(candidate);
    connection.onicecandidateerror = ({ errorCode }) => this.#onCandidateError(errorCode);
    connection.onconnectionstatechange = () => this.#wire?.onConnection(connection.connectionState);
    connection.oniceconnectionstatechange = () => this.#wire?.onProgress();
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
    this.#connection.setConfiguration({ ...this.#connection.getConfiguration(), iceServers: servers });
  }

  /** Makes the offer once; resolves with it after the first candidates came. */
  offer(): Promise<string> {
    this.#offer ??= new Promise((resolve, reject) => {
      this.offeredAtMs = this.#environment.now();
      this.#enqueue(async () => {
        try {
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

  answerTo(sdp: string): void {
    this.#enqueue(async () => {
      await this.#acceptRemote("offer", sdp);
      this.#told.clear();
      await this.#connection.setLocalDescription(await this.#connection.createAnswer());
      this.#wire?.sendDescription({ type: "answer", sdp: this.describe() });
      this.releaseCandidates();
    });
  }

  acceptAnswer(sdp: string): void {
    this.#enqueue(async () => {
      if (this.#connection.signalingState === "have-local-offer") await this.#acceptRemote("answer", sdp);
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
      this.#told.clear();
      await this.#connection.setLocalDescription(await this.#connection.createOffer({ iceRestart: true }));
      this.#wire?.sendDescription({ type: "offer", sdp: this.describe() });
      this.releaseCandidates();
    });
  }

  replaceTrack(kind: MediaKind, track: MediaStreamTrack | null): void {
    const transceiver = this.#connection
      .getTransceivers()
      .find(({ receiver }) => receiver.track.kind === kind);
    transceiver?.sender.replaceTrack(track).catch(ignore);
  }

  stats(): Promise<RTCStatsReport> {
    return this.#connection.getStats();
  }

  /** Lets go of everything at once; `farewell` keeps the bare connection until its last word is out. */
  close(farewell: "farewell" | "now" = "now"): void {
    if (this.#closed) return;
    this.#closed = true;
    const connection = this.#connection;
    connection.onicecandidate = connection.onicecandidateerror = connection.ontrack = null;
    connection.onconnectionstatechange = connection.oniceconnectionstatechange = null;
    const { channel } = this;
    channel.onopen = channel.onclose = channel.onmessage = null;
    this.#environment.clearTimeout(this.#batchTimer);
    this.#wire = this.#stream = null;
    this.#gathered = this.#early = [];
    this.#onCandidate();
    if (farewell === "farewell") this.#environment.setTimeout(() => connection.close(), FAREWELL_MS);
    else connection.close();
  }

  #enqueue(operation: () => Promise<void>): void {
    this.#queue = this.#queue.then(() => (this.#closed ? undefined : operation())).catch(ignore);
  }

  async #acceptRemote(type: "offer" | "answer", sdp: string): Promise<void> {
    const connection = this.#connection;
    try {
      await connection.setRemoteDescription({ type, sdp: withStartBitrate(sdp) });
    } catch {
      await connection.setRemoteDescription({ type, sdp });
    }
    await this.#add(this.#early.splice(0));
  }

  async #add(candidates: RTCIceCandidateInit[]): Promise<void> {
    // One that does not parse, or belongs to an older ICE generation, must not cost the others.
    for (const candidate of candidates) await this.#connection.addIceCandidate(candidate).catch(ignore);
  }

  #onLocalCandidate(candidate: RTCIceCandidate | null): void {
    if (!candidate) this.onGathered();
    if (!candidate?.candidate) return;
    if (candidate.candidate.includes(" typ relay")) this.relayed = true;
    this.#gathered.push(candidate.toJSON());
    this.#onCandidate();
    if (this.#released) this.#batchTimer ??= this.#environment.setTimeout(() => this.#flush(), BATCH_MS);
  }

  #onCandidateError(code: number): void {
    if (!REFUSED_CODES.has(code)) return;
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

function ignore(): void {}
