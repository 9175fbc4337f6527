// The client's state in the form the page draws it from. It adds only what belongs to the page: the log of
// this stranger, what was said last about a stranger who left, and what this browser remembers.
import {
  createClient,
  type AudioLevel,
  type Devices,
  type MediaDeviceChoice,
  type StrangerDevices,
  type CallQuality,
  type ChatKind,
  type ChatMessage,
  type ChatState,
  type Client,
  type LeftReason,
  type MatchInfo,
  type Relays,
  type Report,
  type UnsentReason,
  type Wishes,
} from "@visavis/client";
import { socketUrl } from "$lib/server";
import { deviceToken, recall, remember, type Settings } from "./memory";
import { pressNow, Slips, type Press } from "./slips";

export class Conversation {
  state = $state.raw<ChatState>({ name: "idle" });
  localStream = $state.raw<MediaStream | null>(null);
  localDevices = $state.raw<Devices>({ microphone: "none", camera: "none" });
  /** What the stranger’s page told of theirs, as far as it tells. */
  strangerDevices = $state.raw<StrangerDevices | null>(null);
  /** The browser’s question for camera or microphone is open for long. */
  unanswered = $state(false);
  /** The camera was switched on, and did not come. */
  deviceFailed = $state(false);
  /** Who speaks, in an audio call; 0 to 1. */
  level = $state.raw<AudioLevel>({ you: null, stranger: null });
  remoteStream = $state.raw<MediaStream | null>(null);
  /** Of the present stranger, or of the one who just left, until the next one comes. */
  messages = $state.raw<ChatMessage[]>([]);
  strangerTypes = $state(false);
  quality = $state.raw<CallQuality | null>(null);
  /** Until another one comes, or Stop. */
  lastMatch = $state.raw<MatchInfo | null>(null);
  /** What is said of the last Block, and undoes it; without a handle the server has not answered yet. */
  blocked = $state.raw<{ matchId: string; handle: string | null } | null>(null);
  unblocked = $state(false);
  /** Whom Report is about: the present stranger, or the one who was here last, also before a Stop; until they are reported. */
  reportable = $state.raw<MatchInfo | null>(null);
  /** What was written with that stranger, also after Next. */
  written: readonly ChatMessage[] = [];
  /** The last Block did not reach the server. */
  blockFailed = $state(false);
  left = $state.raw<LeftReason | null>(null);
  /** What is read aloud once, however soon the next stranger is there; a number, so that the same words count anew. */
  announced = $state.raw<{ times: number; reason: LeftReason | null }>({ times: 0, reason: null });
  /** How many were here when this search began to say so; the first number alone is read aloud. */
  firstOnline = $state.raw<number | null>(null);
  /** Next was pressed too fast: whole seconds until it is carried out, else 0. */
  pauseS = $state(0);
  /** Of `messages`, by their id, those that did not arrive, and why. */
  unsent = $state.raw<Readonly<Record<number, UnsentReason>>>({});
  /** What is being written to the present stranger. Never to another: a late Enter must not send it there. */
  draft = $state("");
  /** Esc was pressed over a draft, which is kept; the next one leaves. */
  draftAsks = $state(false);
  /** The devices that the visitor chose, now or at an earlier visit. */
  cameraId = $state.raw<string | null>(null);
  microphoneId = $state.raw<string | null>(null);
  microphoneOn = $state(true);
  cameraOn = $state(true);
  autoContinue = $state(true);
  escapeIsNext = $state(true);
  volume = $state(1);
  hideAddress = $state(false);
  arrivalSound = $state(false);
  arrivalNotification = $state(false);
  /** What the operator has, as far as it is known. */
  relays = $state.raw<Relays | null>(null);

  /** By this visitor's wish or by the operator's. */
  hidden = $derived(this.hideAddress || this.relays?.enforced === true);
  /** The stranger this page is with, or null. */
  match = $derived<MatchInfo | null>(
    "match" in this.state && this.state.name !== "ended" ? this.state.match : null,
  );
  /** A device of ours that is gone: the SDK takes it up again when it comes back. */
  lostDevices = $derived.by<("microphone" | "camera")[]>(() => {
    if (this.match === null && this.state.name !== "waiting") return [];
    return (["microphone", "camera"] as const).filter((device) => this.localDevices[device] === "lost");
  });
  /** The stranger whom Block is about: the present one, or the one who was here last. */
  canBlock = $derived(this.match !== null || (this.lastMatch !== null && this.blocked === null));
  kind = $derived<ChatKind>(("wishes" in this.state ? this.state.wishes?.kind : undefined) ?? "video");
  /** While nobody is there, Next would change nothing. */
  canGoNext = $derived(this.match !== null || this.state.name === "ended");

  readonly #client: Client;
  readonly #undo: (() => void)[];
  readonly #slips = new Slips();
  #wishes: Wishes = { kind: "video" };
  #pauseTimer: ReturnType<typeof setTimeout> | undefined;
  #blockTimer: ReturnType<typeof setTimeout> | undefined;
  #typing = false;
  #typingTimer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    const settings: Settings = recall();
    Object.assign(this, settings);
    const client = createClient({
      url: socketUrl(),
      autoContinue: this.autoContinue,
      relayOnly: this.hideAddress,
      device: deviceToken(),
      // Asked each time: another tab may have blocked somebody.
      blocks: () => recall().blocks,
      devices: {
        ...(this.cameraId === null ? {} : { cameraId: this.cameraId }),
        ...(this.microphoneId === null ? {} : { microphoneId: this.microphoneId }),
      },
    });
    this.#client = client;
    this.#undo = [
      client.subscribe((state) => this.#onState(state)),
      client.on("match", (match) => this.#onMatch(match)),
      client.on("localStream", (stream) => (this.localStream = stream)),
      client.on("localDevices", (devices) => this.#onLocalDevices(devices)),
      client.on("strangerDevices", (devices) => (this.strangerDevices = devices)),
      client.on("mediaPending", (pending) => (this.unanswered = pending)),
      client.on("deviceTrouble", () => (this.deviceFailed = true)),
      client.on("level", (level) => (this.level = level)),
      client.on("remoteStream", (stream) => (this.remoteStream = stream)),
      client.on("message", (message) => this.#onMessage(message)),
      client.on("typing", (on) => (this.strangerTypes = on)),
      client.on("unsent", ({ id, reason }) => (this.unsent = { ...this.unsent, [id]: reason })),
      client.on("left", ({ reason, searching }) => this.#onLeft(reason, searching)),
      client.on("quality", (quality) => (this.quality = quality)),
      client.on("blocked", ({ matchId, block }) => this.#onBlocked(matchId, block)),
      client.on("blockFailed", ({ matchId }) => this.#onBlockFailed(matchId)),
      client.on("paused", ({ retryAfterMs }) => this.#onPaused(retryAfterMs)),
    ];
  }

  start(wishes: Wishes, press: Press = pressNow()): void {
    if (!this.#slips.start(press)) return;
    this.#wishes = wishes;
    this.#forget();
    void this.#client.start(wishes);
  }

  /** The same wishes once more, or those with another kind. */
  startAgain(kind: ChatKind = this.#wishes.kind): void {
    this.start({ ...this.#wishes, kind });
  }

  next(press: Press = pressNow()): void {
    // Told of every press: one that does nothing in the wait must not be followed by one that hits a stranger.
    if (!this.#slips.next(press) || !this.canGoNext) return;
    this.#forget();
    this.#client.next();
  }

  /** Esc over a draft: it stays, and the visitor is told what a second Esc does. */
  keepDraft(): void {
    this.#slips.held(pressNow());
    this.draftAsks = true;
  }

  /** Whether a press in a call was meant for what it hit. */
  isMeant(press: Press): boolean {
    return this.#slips.other(press);
  }

  stop(press: Press = pressNow()): void {
    if (!this.#slips.stop(press)) return;
    this.#forget();
    this.lastMatch = null;
    this.blocked = null;
    this.blockFailed = false;
    this.#client.stop();
  }

  /** Whether the press was meant. */
  block(press: Press = pressNow()): boolean {
    // The one whom the visitor saw: another may arrive in the moment of the press.
    const stranger = this.match ?? this.lastMatch;
    if (stranger === null || !this.#slips.block(press)) return false;
    this.#typing = false;
    clearTimeout(this.#blockTimer);
    this.blocked = { matchId: stranger.id, handle: null };
    this.unblocked = false;
    this.blockFailed = false;
    this.lastMatch = null;
    if (!this.#client.block(stranger.id)) this.#onBlockFailed(stranger.id);
    return true;
  }

  /** Parts these two at once and for good. Rejects where the server did not store it. */
  report(report: Report): ReturnType<Client["report"]> {
    return this.#client.report(report);
  }

  unblock(): void {
    const handle = this.blocked?.handle ?? null;
    if (handle === null) return;
    this.#client.unblock(handle);
    remember({ blocks: recall().blocks.filter((each) => each !== handle) });
    this.blocked = null;
    this.unblocked = true;
    this.#showBlockFor(UNBLOCK_SHOWN_MS);
  }

  /** The next stranger may be there at once; who was blocked must stay to be read, and to be undone. */
  #showBlockFor(ms: number): void {
    clearTimeout(this.#blockTimer);
    this.#blockTimer = setTimeout(() => {
      this.blocked = null;
      this.unblocked = false;
      this.blockFailed = false;
    }, ms);
  }

  /** Whether it went out. */
  send(text: string): boolean {
    this.typed("");
    try {
      this.#client.send(text);
      this.#slips.wrote();
      return true;
    } catch {
      return false;
    }
  }

  /** Once more, in place of the one that was refused. */
  sendAgain({ id, text }: ChatMessage): void {
    if (!this.send(text)) return;
    this.messages = this.messages.filter((message) => message.id !== id);
  }

  /** Tells the stranger that something is being written, and that it no longer is. */
  typed(draft: string): void {
    this.draftAsks = false;
    clearTimeout(this.#typingTimer);
    const typing = draft !== "" && this.match !== null;
    this.#tellTyping(typing);
    if (typing) this.#typingTimer = setTimeout(() => this.#tellTyping(false), TYPING_RESTS_AFTER_MS);
  }

  #tellTyping(typing: boolean): void {
    if (typing === this.#typing) return;
    this.#typing = typing;
    if (this.match !== null) this.#client.typing(typing);
  }

  setMicrophone(on: boolean): void {
    this.#client.setMicrophone(on);
    this.microphoneOn = this.#client.microphoneOn;
  }

  setCamera(on: boolean): void {
    this.deviceFailed = false;
    this.#client.setCamera(on);
    this.cameraOn = this.#client.cameraOn;
  }

  /** From now on, and at the next visit. */
  keep(settings: Partial<Settings>): void {
    Object.assign(this, settings);
    remember(settings);
  }

  setAutoContinue(autoContinue: boolean): void {
    this.#client.autoContinue = autoContinue;
    this.keep({ autoContinue });
  }

  setHideAddress(hideAddress: boolean): void {
    this.#client.relayOnly = hideAddress;
    this.keep({ hideAddress });
  }

  askRelays(): void {
    void this.#client.relays().then((relays) => (this.relays = relays));
  }

  /** The devices that are open, whatever was asked for. */
  get devicesInUse(): MediaDeviceChoice {
    return this.#client.devicesInUse;
  }

  devices(): ReturnType<Client["devices"]> {
    return this.#client.devices();
  }

  /** Rejects where the device does not start; the one in use stays. */
  async switchDevices(choice: { cameraId?: string; microphoneId?: string }): Promise<void> {
    await this.#client.switchDevices(choice);
    this.keep(choice);
  }

  destroy(): void {
    clearTimeout(this.#pauseTimer);
    clearTimeout(this.#typingTimer);
    clearTimeout(this.#blockTimer);
    for (const undo of this.#undo) undo();
    this.#client.destroy();
  }

  #onLocalDevices(devices: Devices): void {
    this.localDevices = devices;
    this.deviceFailed = false;
  }

  #onState(state: ChatState): void {
    if (state.name !== "waiting") this.firstOnline = null;
    else this.firstOnline ??= state.online;
    this.state = state;
    this.microphoneOn = this.#client.microphoneOn;
    this.cameraOn = this.#client.cameraOn;
    if (state.name !== "connected") this.quality = null;
    // Some servers say it only to those whom they know.
    if (state.name === "error") this.askRelays();
  }

  #onBlocked(matchId: string, handle: string): void {
    remember({ blocks: [...recall().blocks, handle] });
    if (this.blocked?.matchId !== matchId) return;
    this.blocked = { matchId, handle };
    this.#showBlockFor(BLOCK_SHOWN_MS);
  }

  #onBlockFailed(matchId: string): void {
    if (this.blocked?.matchId !== matchId) return;
    this.blocked = null;
    this.blockFailed = true;
    this.#showBlockFor(BLOCK_SHOWN_MS);
  }

  #onMatch(match: MatchInfo): void {
    this.#slips.found(performance.now());
    this.#forget();
    this.lastMatch = match;
    this.reportable = match.reportable ? match : null;
    this.written = [];
  }

  #onMessage(message: ChatMessage): void {
    if (message.from === "stranger") this.strangerTypes = false;
    // A talk of hours must not grow without bound; nobody scrolls back this far.
    this.messages = [...this.messages.slice(1 - MAX_LOG), message];
    this.written = [...this.written.slice(-MAX_WRITTEN), message];
  }

  #onLeft(reason: LeftReason, searching: boolean): void {
    this.left = reason;
    // Otherwise the status line says it, and is read aloud.
    if (searching) this.announced = { times: this.announced.times + 1, reason };
    this.strangerTypes = false;
    this.#typing = false;
    this.#dropDraft();
  }

  #dropDraft(): void {
    this.draft = "";
    this.draftAsks = false;
  }

  #onPaused(retryAfterMs: number): void {
    clearTimeout(this.#pauseTimer);
    this.pauseS = Math.ceil(retryAfterMs / 1000);
    if (retryAfterMs <= 0) return;
    const step = retryAfterMs % 1000 || 1000;
    this.#pauseTimer = setTimeout(() => this.#onPaused(retryAfterMs - step), step);
  }

  /** Everything that belonged to the last stranger. */
  #forget(): void {
    clearTimeout(this.#typingTimer);
    this.#typing = false;
    this.#dropDraft();
    this.messages = [];
    this.unsent = {};
    this.strangerTypes = false;
    this.quality = null;
    this.level = { you: null, stranger: null };
    this.left = null;
  }
}

const TYPING_RESTS_AFTER_MS = 4_000;
const BLOCK_SHOWN_MS = 30_000;
const UNBLOCK_SHOWN_MS = 5_000;
const MAX_LOG = 500;
const MAX_WRITTEN = 20;
