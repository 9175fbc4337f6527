// The client: where the visitor stands, and what happens next. (Skeleton: signatures only.)

import { ClientError } from "./errors.js";
import { Emitter } from "./events.js";
import { resolveEnvironment } from "./environment.js";
import type {
  ChatState,
  Client,
  ClientEvents,
  ClientOptions,
  Environment,
  MediaDeviceChoice,
  Wishes,
} from "./types.js";

export class VisavisClient implements Client {
  autoContinue: boolean;
  readonly environment: Environment;
  #state: ChatState = { name: "idle" };
  #states = new Emitter<{ state: ChatState }>();
  #events = new Emitter<ClientEvents>();

  constructor(options: ClientOptions = {}) {
    this.autoContinue = options.autoContinue ?? true;
    this.environment = resolveEnvironment(options.environment);
  }

  get state(): ChatState {
    return this.#state;
  }
  get localStream(): MediaStream | null {
    return null;
  }
  get remoteStream(): MediaStream | null {
    return null;
  }
  get microphoneOn(): boolean {
    return true;
  }
  get cameraOn(): boolean {
    return true;
  }

  subscribe(listener: (state: ChatState) => void): () => void {
    const off = this.#states.on("state", listener);
    listener(this.#state);
    return off;
  }

  on<E extends keyof ClientEvents>(event: E, listener: (payload: ClientEvents[E]) => void): () => void {
    return this.#events.on(event, listener);
  }

  start(wishes: Wishes): Promise<void> {
    this.#state = {
      name: "waiting",
      wishes,
      sinceMs: this.environment.now(),
      online: null,
      estimateMs: null,
    };
    this.#states.emit("state", this.#state);
    return Promise.resolve();
  }
  next(): void {}
  stop(_options?: { releaseMedia?: boolean }): void {}
  block(): void {}
  send(_text: string): void {
    throw new ClientError("invalid_argument", "Nobody is there.");
  }
  typing(_on: boolean): void {}
  setMicrophone(_on: boolean): void {}
  setCamera(_on: boolean): void {}
  switchDevices(_choice: MediaDeviceChoice): Promise<void> {
    return Promise.resolve();
  }
  devices(): Promise<{ cameras: MediaDeviceInfo[]; microphones: MediaDeviceInfo[] }> {
    return Promise.resolve({ cameras: [], microphones: [] });
  }
  destroy(): void {}
}
