// An RTCPeerConnection as far as the client sees one. Its promises never settle once it is closed, as in
// browsers. Nothing connects by itself: the test gathers candidates and moves the states.

import { type FakeStream, FakeTrack } from "./media.js";

export class FakeChannel {
  readyState = "connecting";
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  readonly sent: { type: string; text?: string; on?: boolean; reason?: string }[] = [];

  send(data: string): void {
    this.sent.push(JSON.parse(data));
  }

  /** A `foreign` client has channels of its own and knows nothing of ours. */
  open(client: "sdk" | "foreign" = "sdk"): void {
    this.readyState = "open";
    this.onopen?.();
    if (client === "sdk") this.hear({ type: "hello" });
  }

  hear(word: unknown): void {
    this.onmessage?.({ data: typeof word === "string" ? word : JSON.stringify(word) });
  }

  closeByStranger(): void {
    this.readyState = "closed";
    this.onclose?.();
  }
}

type Description = { type: "offer" | "answer"; sdp: string };

export class FakeConnection {
  static made: FakeConnection[] = [];
  static live = new Set<FakeConnection>();
  static mostLive = 0;
  /** The browser refuses: "Cannot create so many PeerConnections". */
  static refuse = false;
  /** What every operation waits for. */
  static pace: Promise<void> = Promise.resolve();

  onicecandidate: ((event: { candidate: unknown }) => void) | null = null;
  onicecandidateerror: ((event: { errorCode: number; url?: string }) => void) | null = null;
  onconnectionstatechange: (() => void) | null = null;
  oniceconnectionstatechange: (() => void) | null = null;
  ontrack: ((event: { streams: FakeStream[]; track: FakeTrack }) => void) | null = null;
  connectionState: RTCPeerConnectionState = "new";
  signalingState = "stable";
  remoteDescription: Description | null = null;
  /** Descriptions and candidates in the order they were applied. */
  readonly applied: string[] = [];
  readonly channel = new FakeChannel();
  readonly transceivers: {
    sender: { track: FakeTrack | null; replaceTrack: unknown };
    receiver: { track: FakeTrack };
  }[] = [];
  readonly number: number;
  closed = false;
  stats: Map<string, Record<string, unknown>> = new Map();
  #local: Description | null = null;
  #candidates: string[] = [];
  #generation = 0;

  configuration: RTCConfiguration;

  constructor(configuration: RTCConfiguration) {
    this.configuration = configuration;
    if (FakeConnection.refuse) throw new Error("Cannot create so many PeerConnections");
    this.number = FakeConnection.made.push(this);
    FakeConnection.live.add(this);
    FakeConnection.mostLive = Math.max(FakeConnection.mostLive, FakeConnection.live.size);
  }

  getConfiguration(): RTCConfiguration {
    return this.configuration;
  }

  setConfiguration(configuration: RTCConfiguration): void {
    if (configuration.bundlePolicy !== this.configuration.bundlePolicy) throw new Error("cannot be changed");
    this.configuration = configuration;
  }

  addTrack(track: FakeTrack): void {
    this.#transceiver(track.kind, track);
  }

  addTransceiver(kind: "audio" | "video"): void {
    this.#transceiver(kind, null);
  }

  getReceivers() {
    return this.transceivers.map(({ receiver }) => receiver);
  }

  getTransceivers() {
    return this.transceivers;
  }

  createDataChannel(_label: string, options: { negotiated: boolean; id: number }): FakeChannel {
    if (!options.negotiated || options.id !== 0) throw new Error("the channel is not the agreed one");
    return this.channel;
  }

  createOffer({ iceRestart = false } = {}): Promise<Description> {
    if (iceRestart) this.#generation += 1;
    const restart = this.#generation > 0 ? `-restart${this.#generation}` : "";
    return this.#unlessClosed(() => ({ type: "offer", sdp: `offer-of-${this.number}${restart}` }));
  }

  createAnswer(): Promise<Description> {
    return this.#unlessClosed(() => ({ type: "answer", sdp: `answer-of-${this.number}` }));
  }

  setLocalDescription(description: Description): Promise<void> {
    return this.#unlessClosed(() => {
      this.#local = description;
      this.signalingState = description.type === "offer" ? "have-local-offer" : "stable";
    });
  }

  setRemoteDescription(description: Description): Promise<void> {
    return this.#unlessClosed(() => {
      if (description.sdp === "broken") throw new Error("does not parse");
      this.remoteDescription = description;
      this.applied.push(description.sdp);
      this.signalingState = description.type === "offer" ? "have-remote-offer" : "stable";
    });
  }

  addIceCandidate({ candidate }: { candidate: string }): Promise<void> {
    return this.#unlessClosed(() => {
      if (!this.remoteDescription) throw new Error("no remote description yet");
      this.applied.push(candidate);
    });
  }

  get localDescription(): Description | null {
    const local = this.#local;
    return (
      local && { ...local, sdp: [local.sdp, ...this.#candidates.map((line) => `a=${line}`)].join("\r\n") }
    );
  }

  getStats(): Promise<Map<string, Record<string, unknown>>> {
    return this.#unlessClosed(() => this.stats);
  }

  close(): void {
    this.closed = true;
    FakeConnection.live.delete(this);
  }

  /** Found by the browser; `host(1)` and the like. */
  gather(candidate: string): void {
    this.#candidates.push(candidate);
    const init = { candidate: `${candidate} generation 0 ufrag abcd`, sdpMid: "0", sdpMLineIndex: 0 };
    this.onicecandidate?.({ candidate: { ...init, toJSON: () => init } });
  }

  /** The browser has found all that there is. */
  gathered(): void {
    this.onicecandidate?.({ candidate: null });
  }

  become(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }

  /** `relay` is what getStats will say of the selected pair. */
  connect(type: "host" | "relay" = "host"): void {
    this.report({ bytes: 1, type });
    this.channel.open();
    this.become("connected");
  }

  report({ bytes, type = "host", lost = 0, received = 0, trip = 0.02 }: Reported): void {
    this.stats = new Map<string, Record<string, unknown>>([
      ["T", { type: "transport", selectedCandidatePairId: "P" }],
      [
        "P",
        {
          type: "candidate-pair",
          localCandidateId: "L",
          remoteCandidateId: "R",
          bytesReceived: bytes,
          currentRoundTripTime: trip,
        },
      ],
      ["L", { type: "local-candidate", candidateType: type, protocol: "udp", address: "192.0.2.1" }],
      ["R", { type: "remote-candidate", candidateType: "srflx", protocol: "udp" }],
      ["I", { type: "inbound-rtp", packetsReceived: received, packetsLost: lost }],
    ]);
  }

  #transceiver(kind: "audio" | "video", track: FakeTrack | null): void {
    const sender = {
      track,
      replaceTrack: (next: FakeTrack | null) => {
        sender.track = next;
        return Promise.resolve();
      },
    };
    this.transceivers.push({ sender, receiver: { track: new FakeTrack(kind) } });
  }

  async #unlessClosed<T>(result: () => T): Promise<T> {
    await FakeConnection.pace;
    if (this.closed) return new Promise(() => {});
    return result();
  }
}

interface Reported {
  bytes: number;
  type?: "host" | "relay";
  lost?: number;
  received?: number;
  trip?: number;
}

export function relay(n: number): string {
  return `candidate:9${n} 1 udp 41885439 198.51.100.${n} 5100${n} typ relay raddr 0.0.0.0 rport 0`;
}

export function host(n: number): string {
  return `candidate:${n} 1 udp 2122260223 192.0.2.${n} 5000${n} typ host`;
}
