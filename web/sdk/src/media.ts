// The visitor's own camera and microphone: asked for once, kept warm between strangers, switched without
// renegotiation. `stream` is null or has at least one live track; each change makes a new stream object, so
// that a page which shows it by identity notices. What is muted stays muted on the next device.

import { ClientError, mediaError } from "./errors.js";
import type { MediaKind, Tracks } from "./peer.js";
import type { ChatKind, Environment, MediaDeviceChoice } from "./types.js";

export interface MediaListener {
  onStream(stream: MediaStream | null): void;
  /** Every connection must send this one from now on. */
  onTrack(kind: MediaKind, track: MediaStreamTrack | null): void;
}

const KINDS: readonly MediaKind[] = ["audio", "video"];
const MUTED_TOO_LONG_MS = 2_000;

export class LocalMedia {
  #environment: Environment;
  #listener: MediaListener;
  #choice: MediaDeviceChoice;
  #stream: MediaStream | null = null;
  #on: Record<MediaKind, boolean> = { audio: true, video: true };
  #turn = 0;

  constructor(environment: Environment, choice: MediaDeviceChoice, listener: MediaListener) {
    this.#environment = environment;
    this.#choice = choice;
    this.#listener = listener;
  }

  get stream(): MediaStream | null {
    return this.#stream;
  }

  isOn(kind: MediaKind): boolean {
    return this.#on[kind];
  }

  setOn(kind: MediaKind, on: boolean): void {
    this.#on[kind] = on;
    const track = this.#track(kind);
    if (track) track.enabled = on;
  }

  /** Whether `acquire` has nothing to ask for. */
  covers(chat: ChatKind): boolean {
    return kindsOf(chat).every((kind) => this.#track(kind)?.readyState === "live");
  }

  /** What a connection of this chat kind sends. A key whose track is null is a device that went missing. */
  tracks(chat: ChatKind): Tracks {
    return Object.fromEntries(kindsOf(chat).map((kind) => [kind, this.#track(kind)]));
  }

  /** Brings the devices to what `chat` needs, no more and no less. False: overtaken by `release` or another call. */
  async acquire(chat: ChatKind): Promise<boolean> {
    const turn = ++this.#turn;
    const wanted = kindsOf(chat);
    const missing = wanted.filter((kind) => this.#track(kind)?.readyState !== "live");
    this.#put(Object.fromEntries(KINDS.filter((kind) => !wanted.includes(kind)).map((kind) => [kind, null])));
    if (missing.length > 0) {
      const found = await this.#open(missing, "preferred");
      if (turn !== this.#turn) {
        found.forEach((track) => track.stop());
        return false;
      }
      this.#put(Object.fromEntries(found.map((track) => [track.kind, track])));
    }
    return true;
  }

  async switchTo(choice: MediaDeviceChoice): Promise<void> {
    const kinds: MediaKind[] = [];
    if (choice.microphoneId !== undefined && this.#track("audio")) kinds.push("audio");
    if (choice.cameraId !== undefined && this.#track("video")) kinds.push("video");
    const before = this.#choice;
    this.#choice = { ...before, ...choice };
    const turn = this.#turn;
    for (const kind of kinds) {
      let track: MediaStreamTrack | undefined;
      try {
        [track] = await this.#open([kind], "exact").catch((error: ClientError) => {
          // Phones open one camera at a time: the old one has to go first.
          if (error.reason !== "camera_in_use") throw error;
          this.#track(kind)?.stop();
          return this.#open([kind], "exact");
        });
      } catch (error) {
        this.#choice = before;
        if (this.#track(kind)?.readyState !== "live") await this.#replace(kind);
        throw error;
      }
      if (turn !== this.#turn) return track?.stop();
      this.#put({ [kind]: track ?? null });
    }
  }

  async devices(): Promise<{ cameras: MediaDeviceInfo[]; microphones: MediaDeviceInfo[] }> {
    const all = (await this.#environment.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    return {
      cameras: all.filter(({ kind }) => kind === "videoinput"),
      microphones: all.filter(({ kind }) => kind === "audioinput"),
    };
  }

  /** After sleep or a phone call the devices may be gone, or (iOS) alive but black for ever. */
  wake(): void {
    for (const track of this.#stream?.getTracks() ?? []) {
      const kind = track.kind as MediaKind;
      const reopen = () => {
        if (this.#track(kind) === track) void this.#replace(kind);
      };
      if (track.readyState === "ended") reopen();
      else if (track.muted) this.#environment.setTimeout(() => track.muted && reopen(), MUTED_TOO_LONG_MS);
    }
  }

  release(): void {
    this.#turn += 1;
    this.#put({ audio: null, video: null });
  }

  #track(kind: MediaKind): MediaStreamTrack | null {
    return this.#stream?.getTracks().find((track) => track.kind === kind) ?? null;
  }

  /** Another device in place of one that failed; without one the call goes on with what is left. */
  async #replace(kind: MediaKind): Promise<void> {
    const turn = this.#turn;
    const [track] = await this.#open([kind], "preferred").catch(() => []);
    if (turn !== this.#turn) track?.stop();
    else this.#put({ [kind]: track ?? null });
  }

  async #open(kinds: MediaKind[], device: "preferred" | "exact"): Promise<MediaStreamTrack[]> {
    const { mediaDevices, window } = this.#environment;
    if (!mediaDevices?.getUserMedia) {
      throw window?.isSecureContext === false
        ? new ClientError("insecure_context", "Camera and microphone need HTTPS.")
        : new ClientError("unsupported_browser", "This browser has no camera access.");
    }
    const { cameraId, microphoneId } = this.#choice;
    // A bare value is the ideal one.
    const of = (id: string | undefined) => (id ? { deviceId: device === "exact" ? { exact: id } : id } : {});
    const constraints: MediaStreamConstraints = {};
    if (kinds.includes("audio")) {
      constraints.audio = {
        echoCancellation: true,
        noiseSuppression: true,
        autoGainControl: true,
        ...of(microphoneId),
      };
    }
    if (kinds.includes("video")) {
      const facing = cameraId ? {} : { facingMode: "user" };
      constraints.video = { width: 640, height: 480, ...facing, ...of(cameraId) };
    }
    try {
      return (await mediaDevices.getUserMedia(constraints)).getTracks();
    } catch (error) {
      throw mediaError(error);
    }
  }

  /** The only writer of `stream`. */
  #put(changes: Tracks): void {
    let tracks = this.#stream?.getTracks() ?? [];
    const changed = KINDS.filter((kind) => kind in changes && this.#track(kind) !== changes[kind]);
    for (const kind of changed) {
      const [old, track] = [this.#track(kind), changes[kind]];
      if (old) {
        old.onended = null;
        old.stop();
        tracks = tracks.filter((other) => other !== old);
      }
      if (track) {
        track.enabled = this.#on[kind];
        track.onended = () => void this.#replace(kind);
        tracks = [...tracks, track];
      }
    }
    if (changed.length === 0) return;
    this.#stream = tracks.length > 0 ? new this.#environment.MediaStream(tracks) : null;
    for (const kind of changed) this.#listener.onTrack(kind, changes[kind] ?? null);
    this.#listener.onStream(this.#stream);
  }
}

function kindsOf(chat: ChatKind): MediaKind[] {
  return KINDS.slice(0, { text: 0, audio: 1, video: 2 }[chat]);
}
