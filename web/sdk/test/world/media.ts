// Cameras and microphones that are plugged, unplugged, denied and busy as the test says.

export class FakeTrack {
  static live = new Set<FakeTrack>();
  enabled = true;
  muted = false;
  readyState: "live" | "ended" = "live";
  onended: (() => void) | null = null;
  onmute: (() => void) | null = null;
  onunmute: (() => void) | null = null;

  readonly kind: "audio" | "video";
  readonly device: string;

  constructor(kind: "audio" | "video", device = "default") {
    this.kind = kind;
    this.device = device;
  }

  getSettings(): { deviceId: string } {
    return { deviceId: this.device };
  }

  /** By the system: a phone call, a switch at the camera. */
  hold(muted: boolean): void {
    this.muted = muted;
    if (muted) this.onmute?.();
    else this.onunmute?.();
  }

  stop(): void {
    this.readyState = "ended";
    FakeTrack.live.delete(this);
  }

  unplug(): void {
    this.stop();
    this.onended?.();
  }
}

export class FakeStream {
  #tracks: FakeTrack[];
  constructor(tracks: FakeTrack[] = []) {
    this.#tracks = [...tracks];
  }
  getTracks(): FakeTrack[] {
    return [...this.#tracks];
  }
  getAudioTracks(): FakeTrack[] {
    return this.#tracks.filter(({ kind }) => kind === "audio");
  }
  addTrack(track: FakeTrack): void {
    this.#tracks.push(track);
  }
}

export class FakeDevices extends EventTarget {
  readonly asked: MediaStreamConstraints[] = [];
  /** Names of the DOMExceptions that the next requests reject with. */
  readonly failures: string[] = [];
  /** Resolves the permission prompt; by default at once. */
  prompt: Promise<void> = Promise.resolve();

  async getUserMedia(constraints: MediaStreamConstraints): Promise<FakeStream> {
    this.asked.push(constraints);
    await this.prompt;
    const failure = this.failures.shift();
    if (failure) throw new DOMException("no", failure);
    const tracks = (["audio", "video"] as const)
      .filter((kind) => constraints[kind])
      .map((kind) => new FakeTrack(kind, deviceOf(constraints[kind])));
    for (const track of tracks) FakeTrack.live.add(track);
    return new FakeStream(tracks);
  }

  enumerateDevices(): Promise<Partial<MediaDeviceInfo>[]> {
    return Promise.resolve([
      { kind: "videoinput", deviceId: "camera-2" },
      { kind: "audioinput", deviceId: "microphone-2" },
      { kind: "audiooutput", deviceId: "speaker" },
    ]);
  }
}

function deviceOf(constraints: boolean | MediaTrackConstraints | undefined): string {
  const id = typeof constraints === "object" ? constraints.deviceId : undefined;
  if (typeof id === "string") return id;
  const { exact, ideal } = (id ?? {}) as { exact?: string; ideal?: string };
  return exact ?? ideal ?? "default";
}
