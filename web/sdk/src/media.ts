// The visitor's own camera and microphone: asked for once, kept warm between strangers, switched without
// renegotiation. `stream` is null or has at least one live track; each change makes a new stream object, so
// that a page which shows it by identity notices. What is muted stays muted on the next device. A camera that is off is
// released, so that its light goes out. A device that is lost is taken up again when the browser sees a new one.

import { ClientError, mediaError } from "./errors.js";
import type { MediaKind, Tracks } from "./peer.js";
import type { ChatKind, DeviceState, Devices, Environment, MediaDeviceChoice } from "./types.js";

export interface MediaListener {
  onStream(stream: MediaStream | null): void;
  onDevices(devices: Devices): void;
  /** The browser asks, and nobody answers; false when it is over. */
  onPending(pending: boolean): void;
  /** The camera does not come back on. */
  onTrouble(error: ClientError): void;
  /** Every connection must send this one from now on. */
  onTrack(kind: MediaKind, track: MediaStreamTrack | null): void;
}

const KINDS: readonly MediaKind[] = ["audio", "video"];
const MUTED_TOO_LONG_MS = 2_000;
const PENDING_MS = 8_000;

export class LocalMedia {
  #environment: Environment;
  #listener: MediaListener;
  #choice: MediaDeviceChoice;
  #stream: MediaStream | null = null;
  #on: Record<MediaKind, boolean> = { audio: true, video: true };
  #wanted: MediaKind[] = [];
  #told: Devices = { microphone: "none", camera: "none" };
  /** What is wanted was there once: only then is a lost device taken up again unasked. */
  #acquired = false;
  #turn = 0;

  constructor(environment: Environment, choice: MediaDeviceChoice, listener: MediaListener) {
    this.#environment = environment;
    this.#choice = choice;
    this.#listener = listener;
    environment.mediaDevices?.addEventListener?.("devicechange", () => this.#onDeviceChange());
  }

  get devicesNow(): Devices {
    return { microphone: this.#state("audio"), camera: this.#state("video") };
  }

  /** What the browser opened, whatever was asked for. */
  get inUse(): MediaDeviceChoice {
    const id = (kind: MediaKind) => this.#track(kind)?.getSettings?.().deviceId;
    const [cameraId, microphoneId] = [id("video"), id("audio")];
    return { ...(cameraId ? { cameraId } : {}), ...(microphoneId ? { microphoneId } : {}) };
  }

  get stream(): MediaStream | null {
    return this.#stream;
  }

  isOn(kind: MediaKind): boolean {
    return this.#on[kind];
  }

  setOn(kind: MediaKind, on: boolean): void {
    if (this.#on[kind] === on) return;
    this.#on[kind] = on;
    const track = this.#track(kind);
    // One that is being opened is told when it is.
    if (on && !track && this.#wanted.includes(kind)) return void this.#replace(kind, "asked");
    if (kind === "video" && !on) this.#put({ video: null });
    else if (track) track.enabled = on;
    this.#tell();
  }

  /** Whether `acquire` has nothing to ask for. */
  covers(chat: ChatKind): boolean {
    return kindsOf(chat).every((kind) => !this.#misses(kind));
  }

  /** What a connection of this chat kind sends. A key whose track is null is a device that went missing. */
  tracks(chat: ChatKind): Tracks {
    return Object.fromEntries(kindsOf(chat).map((kind) => [kind, this.#track(kind)]));
  }

  /** Brings the devices to what `chat` needs, no more and no less. False: overtaken by `release` or another call. */
  async acquire(chat: ChatKind): Promise<boolean> {
    const turn = ++this.#turn;
    this.#acquired = false;
    const wanted = (this.#wanted = kindsOf(chat));
    const missing = wanted.filter((kind) => this.#misses(kind));
    this.#put(Object.fromEntries(KINDS.filter((kind) => !wanted.includes(kind)).map((kind) => [kind, null])));
    if (missing.length > 0) {
      const found = await this.#open(missing, "preferred");
      if (turn !== this.#turn) {
        found.forEach((track) => track.stop());
        return false;
      }
      const kept = found.filter((track) => !this.#isOff(track.kind as MediaKind) || void track.stop());
      this.#put(Object.fromEntries(kept.map((track) => [track.kind, track])));
    }
    this.#acquired = true;
    this.#tell();
    return true;
  }

  async switchTo(choice: MediaDeviceChoice): Promise<void> {
    const kinds: MediaKind[] = [];
    const opens = (kind: MediaKind) =>
      this.#track(kind) || (this.#wanted.includes(kind) && this.#misses(kind));
    if (choice.microphoneId !== undefined && opens("audio")) kinds.push("audio");
    if (choice.cameraId !== undefined && opens("video")) kinds.push("video");
    const before = this.#choice;
    this.#choice = { ...before, ...choice };
    const turn = this.#turn;
    for (const kind of kinds) {
      let track: MediaStreamTrack | undefined;
      try {
        [track] = await this.#open([kind], "exact").catch((error: ClientError) => {
          // Phones open one camera at a time: the old one has to go first.
          if (error.reason !== "camera_in_use" || turn !== this.#turn || this.#isOff(kind)) throw error;
          this.#track(kind)?.stop();
          return this.#open([kind], "exact");
        });
      } catch (error) {
        this.#choice = before;
        if (turn === this.#turn && this.#misses(kind)) await this.#replace(kind);
        throw error;
      }
      if (turn !== this.#turn) return track?.stop();
      if (this.#isOff(kind)) track?.stop();
      else this.#put({ [kind]: track ?? null });
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
    this.#wanted = [];
    this.#acquired = false;
    this.#put({ audio: null, video: null });
    this.#tell();
  }

  #onDeviceChange(): void {
    if (!this.#acquired) return;
    for (const kind of this.#wanted) if (this.#misses(kind)) void this.#replace(kind);
  }

  /** Whether a device is wanted on and is not there. */
  #misses(kind: MediaKind): boolean {
    return this.#track(kind)?.readyState !== "live" && !this.#isOff(kind);
  }

  /** A camera that is off is not held open, not even one that opens only now. */
  #isOff(kind: MediaKind): boolean {
    return kind === "video" && !this.#on.video;
  }

  #state(kind: MediaKind): DeviceState {
    if (!this.#wanted.includes(kind)) return "none";
    if (this.#misses(kind)) return "lost";
    if (!this.#on[kind]) return "off";
    // The system holds it back: a phone call, a switch at the camera.
    return this.#track(kind)?.muted ? "lost" : "on";
  }

  #tell(): void {
    const now = this.devicesNow;
    const { microphone, camera } = this.#told;
    if (now.microphone === microphone && now.camera === camera) return;
    this.#told = now;
    this.#listener.onDevices(now);
  }

  #track(kind: MediaKind): MediaStreamTrack | null {
    return this.#stream?.getTracks().find((track) => track.kind === kind) ?? null;
  }

  /** Another device in place of one that failed; without one the call goes on with what is left. */
  async #replace(kind: MediaKind, why: "asked" | "failed" = "failed"): Promise<void> {
    const turn = this.#turn;
    const before = this.#track(kind);
    const [track] = await this.#open([kind], "preferred").catch((error: ClientError) => {
      if (why === "asked" && turn === this.#turn) this.#listener.onTrouble(error);
      return [];
    });
    // Meanwhile the visitor stopped or switched the camera off, or another attempt was faster.
    const unwanted = turn !== this.#turn || this.#isOff(kind);
    if (unwanted || this.#track(kind) !== before) track?.stop();
    else this.#put({ [kind]: track ?? null });
    if (turn === this.#turn) this.#tell();
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
      // A camera that is not there any more must not leave the choice of the side to chance.
      const there = cameraId && (device === "exact" || (await this.#knows(cameraId)));
      const facing = there ? {} : { facingMode: "user" };
      constraints.video = { width: 640, height: 480, ...facing, ...of(cameraId) };
    }
    const { setTimeout, clearTimeout } = this.#environment;
    let pending = false;
    const timer = setTimeout(() => this.#listener.onPending((pending = true)), PENDING_MS);
    try {
      return (await mediaDevices.getUserMedia(constraints)).getTracks();
    } catch (error) {
      throw mediaError(error);
    } finally {
      clearTimeout(timer);
      if (pending) this.#listener.onPending(false);
    }
  }

  async #knows(cameraId: string): Promise<boolean> {
    const { cameras } = await this.devices();
    return cameras.some(({ deviceId }) => deviceId === cameraId);
  }

  /** The only writer of `stream`. */
  #put(changes: Tracks): void {
    let tracks = this.#stream?.getTracks() ?? [];
    const changed = KINDS.filter((kind) => kind in changes && this.#track(kind) !== changes[kind]);
    for (const kind of changed) {
      const [old, track] = [this.#track(kind), changes[kind]];
      if (old) {
        old.onended = old.onmute = old.onunmute = null;
        old.stop();
        tracks = tracks.filter((other) => other !== old);
      }
      if (track) {
        track.enabled = this.#on[kind];
        track.onended = () => void this.#replace(kind);
        track.onmute = track.onunmute = () => this.#tell();
        tracks = [...tracks, track];
      }
    }
    if (changed.length === 0) return;
    this.#stream = tracks.length > 0 ? new this.#environment.MediaStream(tracks) : null;
    for (const kind of changed) this.#listener.onTrack(kind, changes[kind] ?? null);
    this.#listener.onStream(this.#stream);
    this.#tell();
  }
}

function kindsOf(chat: ChatKind): MediaKind[] {
  return KINDS.slice(0, { text: 0, audio: 1, video: 2 }[chat]);
}
