// The public vocabulary of the SDK: what an application hands in and what it sees come out.
import type { ErrorCode } from "./protocol.gen.js";

// Types only. Units are in the names: `_ms` on the wire, `Ms` here.

/** What two strangers do together. */
export type ChatKind = "video" | "audio" | "text";

/** Whom a visitor would like to meet. All but `kind` may be left out. */
export interface Wishes {
  kind: ChatKind;
  /**
   * The first 10 count, each of at most 32 characters; what is longer, or nothing to see, is left out. The server trims and
   * lower-cases them.
   */
  interests?: string[];
  /** BCP 47 tags, the first 5; what is none is left out. */
  languages?: string[];
  /** Wishes that waiting must never relax. */
  pin?: ("language" | "interests")[];
  /** A closed circle: only visitors of the same pool meet. */
  pool?: string;
}

/** What is known of the present (or last) match. */
export interface MatchInfo {
  id: string;
  kind: ChatKind;
  sharedInterests: string[];
  language: string | null;
  /** Whether `Client.report` can tell the operator of this stranger: for 24 h, also when the match is over. */
  reportable: boolean;
}

/** What a stranger did, for the operator. */
export type ReportCategory = "sexual" | "minor" | "harassment" | "violence" | "spam" | "other";

export interface Report {
  /** Which match. Default: the present or the last one. */
  matchId?: string;
  category: ReportCategory;
  /** In the visitor's own words. */
  note?: string;
  /** What the two wrote, oldest first, as far as the visitor wants to show it. */
  lines?: { from: ChatMessage["from"]; text: string }[];
  /** A file that only the operator's moderators can open: age, encrypted to the site's `safety.evidence_recipients`. */
  evidence?: Uint8Array;
}

/** Whether the server can be reached at the moment. A call goes on without it. */
export type Signaling = "open" | "away";

/**
 * Why a match ended. `next` to `server` come from the server or the stranger, the others are ours: `silent`, no sign of the stranger for
 * 15 s, or no way between the two browsers for 30 s; `blocked`, this visitor blocked the stranger; `page_left`, this page was left in the
 * middle of the match and came back from the page cache.
 */
export type LeftReason = "next" | "stop" | "closed" | "lost" | "server" | "silent" | "blocked" | "page_left";

/** Where the visitor stands: exactly one of these at every moment. */
export type ChatState =
  | { name: "idle" }
  /** The browser asks for camera and microphone. */
  | { name: "permission"; wishes: Wishes }
  /** In line. `online` and `estimateMs` are null until the server says them. */
  | { name: "waiting"; wishes: Wishes; sinceMs: number; online: number | null; estimateMs: number | null }
  /** A stranger was found; media is on its way. */
  | { name: "connecting"; wishes: Wishes; match: MatchInfo }
  /** Face to face. `path` is null for text; `elapsedMs` counts from match to connection. */
  | {
      name: "connected";
      wishes: Wishes;
      match: MatchInfo;
      path: "direct" | "relay" | null;
      elapsedMs: number;
      signaling: Signaling;
      /** Whether the stranger's socket is there; `away`: they can still be seen and heard. */
      partner: Signaling;
    }
  /** Something broke and is being mended: the media path, the server, or the stranger's own connection. */
  | {
      name: "reconnecting";
      wishes: Wishes;
      cause: "media" | "server" | "partner";
      match: MatchInfo | null;
      /** When the next attempt is due (server), by the injected clock; null if one is under way. */
      retryAtMs: number | null;
    }
  /** The match is over and the search does not go on by itself; `next()` goes on. */
  | { name: "ended"; wishes: Wishes; match: MatchInfo; reason: LeftReason }
  /** Nothing goes on without the visitor: see `error.reason`. */
  | { name: "error"; wishes: Wishes | null; error: VisavisError };

/** Why something could not be done. Stable; meant for `switch`. */
export type ErrorReason =
  | "camera_denied" // the visitor or the system said no
  | "camera_missing" // no device of that kind
  | "camera_in_use" // another program holds it
  | "insecure_context" // plain HTTP away from localhost: the browser offers no camera
  | "media_failed" // any other getUserMedia failure
  | "unsupported_browser" // no WebRTC here
  | "offline" // this device has no network
  | "server_unreachable" // first contact failed, attempts go on only if asked
  | "server_timeout" // the site takes too long to answer
  | "server_failed" // a proxy answers, the server behind it does not (HTTP 5xx)
  | "socket_refused" // the site answers, its socket does not open: too many, or no WebSocket gets through
  | "forbidden" // HTTP 403: the server does not serve this page's origin; the message says why
  | "too_many" // HTTP 429: too many come from this network; see `retryAfterMs`
  | "webrtc_failed" // the browser gives no connection: switched off, or too many at once
  | "no_connectivity" // two or three strangers in a row could not be reached: it is this network
  | "relay_unreachable" // the address is hidden, and there is no relay to hide it behind
  | "refused" // the server closed with a policy code or said an error that a retry does not mend
  | "too_fast" // rate limited; see `retryAfterMs`
  | "invalid_argument" // the caller's fault: see the message
  | "destroyed"; // used after `destroy()`

/** Every error that the SDK throws, rejects with or puts into the state. */
export interface VisavisError extends Error {
  readonly reason: ErrorReason;
  /** Whether trying the same again can help. */
  readonly retry: boolean;
  readonly retryAfterMs: number | null;
}

export interface ChatMessage {
  /** Grows by one per message of this client; a key for lists. */
  id: number;
  from: "you" | "stranger";
  text: string;
  atMs: number;
}

/** The quality of the running call, about once a second. */
export interface CallQuality {
  level: "good" | "fair" | "poor";
  roundTripMs: number | null;
  /** 0 to 1, of the packets that should have arrived in the last interval. */
  lossRatio: number | null;
}

/**
 * Why a text did not arrive: the error code of the server that refused it, or `lost`: it was on its way when the line broke, and nobody
 * knows of it.
 */
export type UnsentReason = ErrorCode | "lost";

/**
 * A microphone or a camera. `off`: its owner switched it off. `none`: this kind of chat uses none. `lost`: it was unplugged, never
 * found, or is held back by the system (a phone call).
 */
export type DeviceState = "on" | "off" | "none" | "lost";

export interface Devices {
  microphone: DeviceState;
  camera: DeviceState;
}

/** `unsupported`: the two browsers share no format for it, so nothing will be heard or seen. */
export type StrangerDevices = Record<keyof Devices, DeviceState | "unsupported">;

/** How loud, 0 to 1; null where the browser does not say. */
export interface AudioLevel {
  you: number | null;
  stranger: number | null;
}

export interface ClientEvents {
  /** A stranger was found. The message log of the last one is over. */
  match: MatchInfo;
  /** The stranger's media, or null when the match is over. */
  remoteStream: MediaStream | null;
  /** The visitor's own media, or null when released. Also after switching devices. */
  localStream: MediaStream | null;
  message: ChatMessage;
  typing: boolean;
  /** One of your texts (`ChatMessage.id`) was refused or lost; it may be sent again, after the pause if there is one. */
  unsent: { id: number; reason: UnsentReason; retryAfterMs: number | null };
  /** The stranger left; `searching` says whether the search already goes on. */
  left: { match: MatchInfo; reason: LeftReason; searching: boolean };
  quality: CallQuality;
  /** The visitor's own devices changed: switched, unplugged, taken up again. */
  localDevices: Devices;
  /** What the stranger's client told of theirs; null when the match is over, or nothing was told. */
  strangerDevices: StrangerDevices | null;
  /** The browser has asked for camera or microphone for 8 s and got no answer; false when it has one. */
  mediaPending: boolean;
  /** A device that was switched on, or that should be taken up again, does not start. */
  deviceTrouble: VisavisError;
  /** Who speaks, five times a second, in an audio call alone. */
  level: AudioLevel;
  /** The socket to the server opened or was lost. */
  signaling: Signaling;
  /** The server has confirmed a block. `block` is its handle: for `unblock`, and to be kept for `ClientOptions.blocks`. */
  blocked: { matchId: string; block: string };
  /** A block that `block` promised came to nothing: the server forgot the session before it heard of it. */
  blockFailed: { matchId: string };
  unblocked: { block: string };
  /** Next was pressed too fast: nothing is lost, it will be carried out after this pause. */
  paused: { retryAfterMs: number };
}

/** What the operator has for those who cannot, or do not want to, connect directly. */
export interface Relays {
  /** All media goes through relays, whatever `Client.relayOnly` says. */
  enforced: boolean;
  /** Without one there is no call where `enforced` or `Client.relayOnly` is set. */
  offered: boolean;
}

export interface MediaDeviceChoice {
  cameraId?: string;
  microphoneId?: string;
}

/** The world, injectable for tests. */
export interface Environment {
  WebSocket: typeof WebSocket;
  RTCPeerConnection: typeof RTCPeerConnection;
  MediaStream: typeof MediaStream;
  mediaDevices: MediaDevices | undefined;
  fetch: typeof fetch;
  /** Milliseconds, monotonic, the time asleep included; by default the SDK's own `now`. */
  now(): number;
  setTimeout(run: () => void, delayMs: number): number;
  /** Null is nobody's timer. */
  clearTimeout(id: number | null): void;
  /** 0 to 1, for jitter. */
  random(): number;
  /** Page life cycle (`pagehide`, `pageshow`, `freeze`, `online`, …); null outside a page. */
  window: Window | null;
}

export interface ClientOptions {
  /** Of the socket; default: `/ws` of the page's own origin. */
  url?: string;
  /** Of the ICE configuration; default: `api/ice` beside `url`. */
  iceUrl?: string;
  /** Whether the search goes on by itself when a stranger leaves. Default true. */
  autoContinue?: boolean;
  devices?: MediaDeviceChoice;
  /**
   * A name of this device, 16 to 64 random characters of base64url, made once and kept. Without it those who block this visitor meet them
   * again after a reload. The server tells it to nobody.
   */
  device?: string;
  /** The handles that the event `blocked` brought on earlier visits, oldest first; asked before every connection. */
  blocks?: () => readonly string[];
  /** The initial `Client.relayOnly`. Default false. */
  relayOnly?: boolean;
  /** `classic` makes the offer only after the match, as other clients do; for comparison. Default `ticket`. */
  offerOrder?: "ticket" | "classic";
  environment?: Partial<Environment>;
}

/** The client, as `createClient(options)` returns it (class `VisavisClient`). */
export interface Client {
  readonly state: ChatState;
  readonly localStream: MediaStream | null;
  readonly remoteStream: MediaStream | null;
  readonly microphoneOn: boolean;
  readonly cameraOn: boolean;
  readonly localDevices: Devices;
  readonly strangerDevices: StrangerDevices | null;
  /** The devices that are open now, whatever was asked for: what a list should show as chosen. */
  readonly devicesInUse: MediaDeviceChoice;
  autoContinue: boolean;
  /** Strangers met from now on never learn this address: all media goes through a relay. The server enforces it. */
  relayOnly: boolean;
  /** Can be asked before `start`. Null: the server does not say, or not before there is a session. */
  relays(): Promise<Relays | null>;
  /** Calls back at once with the present state and then at every change (a Svelte store, an observable). */
  subscribe(listener: (state: ChatState) => void): () => void;
  on<E extends keyof ClientEvents>(event: E, listener: (payload: ClientEvents[E]) => void): () => void;
  /** Asks for media if the kind needs it, then searches. Failures are the state `error`; it never rejects. */
  start(wishes: Wishes): Promise<void>;
  /** Leaves the stranger and finds another with the same wishes; while waiting nothing changes. */
  next(): void;
  /** Leaves and does not search. `releaseMedia` (default true) turns the camera off. */
  stop(options?: { releaseMedia?: boolean }): void;
  /**
   * Ends the match; these two never meet again, and the stranger sees no more than that somebody left. By default of the present or the
   * last stranger, who may have left first; `matchId` names which. The event `blocked` confirms it; `blockFailed` takes it back, where the
   * server could not be told. False: there is nobody to block, or no session that remembers them.
   */
  block(matchId?: string): boolean;
  /**
   * Tells the operator of a stranger, and does what `block` does, at once and for good. Resolves when the server has stored it. Rejects with a
   * `VisavisError`: where its `retry` says so the same may be sent again, after `retryAfterMs`; the server stores it once.
   */
  report(report: Report): Promise<{ id: string }>;
  /** Takes a block back, by the handle that `blocked` brought. */
  unblock(block: string): void;
  /**
   * Half a character (a lone surrogate) is sent as U+FFFD; text with nothing to see is not sent. Throws `invalid_argument` above 2,000
   * characters or when nobody is there.
   */
  send(text: string): void;
  typing(on: boolean): void;
  setMicrophone(on: boolean): void;
  /** Off releases the camera. If it does not come back on, the event `deviceTrouble` says why. */
  setCamera(on: boolean): void;
  /** Replaces the tracks in the running call without renegotiation. */
  switchDevices(choice: MediaDeviceChoice): Promise<void>;
  devices(): Promise<{ cameras: MediaDeviceInfo[]; microphones: MediaDeviceInfo[] }>;
  /** Leaves, releases everything; the object is of no further use. */
  destroy(): void;
}
