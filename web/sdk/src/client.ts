// The client as an application holds it: arguments are checked here, everything else is the session's.

import { resolveEnvironment } from "./environment.js";
import { ClientError } from "./errors.js";
import { Emitter } from "./events.js";
import { isText } from "./frame.js";
import { IceSource } from "./ice.js";
import { watchPage } from "./lifecycle.js";
import { LocalMedia } from "./media.js";
import { LIMITS } from "./protocol.gen.js";
import { Session, type SessionEvents } from "./session.js";
import type {
  ChatState,
  Client,
  ClientEvents,
  ClientOptions,
  Devices,
  Environment,
  MediaDeviceChoice,
  Relays,
  Report,
  StrangerDevices,
  Wishes,
} from "./types.js";
import { isBlank, wellFormed } from "./text.js";
import { readWishes } from "./wishes.js";

export class VisavisClient implements Client {
  autoContinue: boolean;
  #environment: Environment;
  #events = new Emitter<SessionEvents>();
  #media: LocalMedia;
  #ice: IceSource;
  #session: Session;
  #unwatchPage: (() => void) | null = null;
  #destroyed = false;

  constructor(options: ClientOptions = {}) {
    const environment = (this.#environment = resolveEnvironment(options.environment));
    this.autoContinue = options.autoContinue ?? true;
    this.#media = new LocalMedia(environment, options.devices ?? {}, {
      onStream: (stream) => this.#events.emit("localStream", stream),
      onTrack: (kind, track) => this.#session.replaceTrack(kind, track),
      onDevices: (devices) => this.#session.onDevices(devices),
      onPending: (pending) => this.#events.emit("mediaPending", pending),
      onTrouble: (error) => this.#events.emit("deviceTrouble", error),
    });
    // A page at https gets `wss`.
    const page = environment.window?.location?.origin ?? "http://localhost";
    const url = options.url ?? page.replace("http", "ws") + "/ws";
    const iceUrl = options.iceUrl ?? url.replace("ws", "http").replace(/[^/]*$/, "api/ice");
    this.#ice = new IceSource(environment, iceUrl);
    this.#session = new Session({
      environment,
      events: this.#events,
      media: this.#media,
      ice: this.#ice,
      url,
      offerOrder: options.offerOrder ?? "ticket",
      kept: options,
      autoContinue: () => this.autoContinue,
    });
    if (options.relayOnly) this.relayOnly = true;
    if (!environment.window) return;
    this.#unwatchPage = watchPage(environment.window, {
      onGone: () => this.#session.pageGone(),
      onBack: () => this.#session.pageBack(),
      onFrozen: () => this.#session.freeze(),
      onThawed: () => this.#session.thaw(),
      onAwake: () => this.#session.onAwake(),
      onNetwork: () => this.#session.onNetwork(),
    });
  }

  get state(): ChatState {
    return this.#session.state;
  }
  get relayOnly(): boolean {
    return this.#session.relayOnly;
  }
  set relayOnly(on: boolean) {
    this.#session.hide(on);
  }
  get localStream(): MediaStream | null {
    return this.#media.stream;
  }
  get remoteStream(): MediaStream | null {
    return this.#session.remoteStream;
  }
  get microphoneOn(): boolean {
    return this.#media.isOn("audio");
  }
  get cameraOn(): boolean {
    return this.#media.isOn("video");
  }

  get localDevices(): Devices {
    return this.#media.devicesNow;
  }
  get strangerDevices(): StrangerDevices | null {
    return this.#session.strangerDevices;
  }
  get devicesInUse(): MediaDeviceChoice {
    return this.#media.inUse;
  }

  subscribe(listener: (state: ChatState) => void): () => void {
    const off = this.#events.on("state", listener);
    listener(this.state);
    return off;
  }

  on<E extends keyof ClientEvents>(event: E, listener: (payload: ClientEvents[E]) => void): () => void {
    return this.#events.on(event, listener as (payload: SessionEvents[E]) => void);
  }

  async start(given: Wishes): Promise<void> {
    let wishes: Wishes;
    try {
      this.#check();
      wishes = readWishes(given);
      if (wishes.kind !== "text" && !this.#environment.RTCPeerConnection) {
        throw new ClientError("unsupported_browser", "This browser has no WebRTC.");
      }
    } catch (error) {
      return this.#session.fail(error as ClientError);
    }
    await this.#session.start(wishes);
  }

  next(): void {
    this.#session.next();
  }

  stop({ releaseMedia = true }: { releaseMedia?: boolean } = {}): void {
    this.#session.stop(releaseMedia ? "release" : "keep");
  }

  block(matchId?: string): boolean {
    return this.#session.block(matchId);
  }

  async report(report: Report): Promise<{ id: string }> {
    this.#check();
    return this.#session.report(report);
  }

  unblock(block: string): void {
    this.#session.unblock(block);
  }

  send(given: string): void {
    this.#check();
    const text = wellFormed(given);
    if (!isText(text)) {
      throw new ClientError("invalid_argument", `A message has at most ${LIMITS.maxTextChars} characters.`);
    }
    if (!isBlank(text) && !this.#session.send(text)) {
      throw new ClientError("invalid_argument", "Nobody is there to read it.");
    }
  }

  typing(on: boolean): void {
    this.#session.typing(on);
  }

  relays(): Promise<Relays | null> {
    return this.#ice.relays();
  }

  setMicrophone(on: boolean): void {
    this.#media.setOn("audio", on);
  }

  setCamera(on: boolean): void {
    this.#media.setOn("video", on);
  }

  switchDevices(choice: MediaDeviceChoice): Promise<void> {
    return this.#media.switchTo(choice);
  }

  devices(): Promise<{ cameras: MediaDeviceInfo[]; microphones: MediaDeviceInfo[] }> {
    return this.#media.devices();
  }

  destroy(): void {
    this.#session.leave();
    this.#unwatchPage?.();
    this.#destroyed = true;
    this.#events.clear();
  }

  #check(): void {
    if (this.#destroyed) throw new ClientError("destroyed", "This client was destroyed.");
  }
}
