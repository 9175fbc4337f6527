// Watches videos for a face. The page only takes a picture now and then; looking at it is the worker's.
//
// What always holds: at most one picture of each video is on its way, and all of them are closed; after `close`
// nothing is called any more.

import { Presence, type PresenceRules } from "./presence.js";
import type { CheckTrouble, Frame, FromWorker, ModelAddress, ToWorker } from "./messages.js";

export interface Listener {
  /** Called once at the beginning, and whenever it changes. */
  onPresence: (present: boolean) => void;
  /** What keeps the check from working; null once it works again. */
  onTrouble?: (trouble: CheckTrouble | null) => void;
  /** How sure each look was, and how long it took in the worker. For measurements. */
  onLook?: (score: number, tookMs: number) => void;
}

export interface FaceCheckOptions {
  /** Where the model lies. Usually beside this file. */
  model?: ModelAddress;
  /** Where a bundler needs the worker to be made in a place that it can see. */
  worker?: () => Worker;
}

/** As long as a look took, times this, is rested at least: a slow device has more to do than this. */
const REST = 1.5;
const LOADS_WITHIN_MS = 20_000;
const LOOKS_WITHIN_MS = 5_000;
/** Slower than this, several times in a row, and a face is found too late to be worth it. */
const SLOW_MS = 1_500;
const SLOW_TIMES = 3;
/** Pictures that go by a canvas are no larger: the closer views still have the detector's own size in them. */
const COPY_SIDE = 320;

export class FaceCheck {
  readonly #worker: Worker | null;
  readonly #watches = new Set<Watch>();
  #trouble: CheckTrouble | null = null;
  #ready = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ model, worker }: FaceCheckOptions = {}) {
    this.#worker = made(worker ?? ownWorker);
    if (this.#worker === null) {
      this.#trouble = "unable";
      return;
    }
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#onMessage(data);
    // The script did not load, or it threw where nothing was caught.
    this.#worker.onerror = () => this.#fail(this.#ready ? "unable" : "missing");
    this.#timer = setTimeout(() => this.#fail("missing"), LOADS_WITHIN_MS);
    this.#worker.postMessage({ name: "load", ...(model ?? ownModel()) } satisfies ToWorker);
  }

  /** Whether it will never work again, and a new one may. */
  get failed(): boolean {
    return this.#trouble === "missing" || this.#trouble === "unable";
  }

  /** Watches a video until the function that it returns is called. */
  watch(video: HTMLVideoElement, rules: PresenceRules, listener: Listener): () => void {
    const watch = new Watch(video, rules, listener, (id, frame) => {
      const { width, height } = sizeOf(frame);
      this.#worker?.postMessage({ name: "look", id, frame, width, height } satisfies ToWorker, [frame]);
    });
    this.#watches.add(watch);
    watch.tell(this.#trouble);
    if (this.#ready) watch.begin();
    return () => {
      this.#watches.delete(watch);
      watch.end();
    };
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#worker?.terminate();
    for (const watch of this.#watches) watch.end();
    this.#watches.clear();
  }

  #onMessage(message: FromWorker): void {
    switch (message.name) {
      case "ready":
        clearTimeout(this.#timer);
        this.#ready = true;
        this.#trouble = null;
        for (const watch of this.#watches) {
          watch.tell(null);
          watch.begin();
        }
        break;
      case "saw":
        for (const watch of this.#watches) watch.saw(message);
        break;
      case "failed":
        this.#fail(message.trouble);
        break;
    }
  }

  #fail(trouble: CheckTrouble): void {
    clearTimeout(this.#timer);
    this.#trouble = trouble;
    for (const watch of this.#watches) watch.tell(trouble);
  }
}

let ids = 0;

class Watch {
  readonly #video: HTMLVideoElement;
  readonly #presence: Presence;
  readonly #listener: Listener;
  readonly #send: (id: number, frame: Frame) => void;
  readonly #rules: PresenceRules;
  #asked: { id: number; atMs: number } | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #present: boolean;
  #trouble: CheckTrouble | null = null;
  #slow = 0;
  #over = false;

  constructor(
    video: HTMLVideoElement,
    rules: PresenceRules,
    listener: Listener,
    send: (id: number, frame: Frame) => void,
  ) {
    this.#video = video;
    this.#presence = new Presence(rules, performance.now());
    this.#listener = listener;
    this.#send = send;
    this.#rules = rules;
    this.#present = rules.initially;
    listener.onPresence(rules.initially);
  }

  begin(): void {
    void this.#look();
  }

  end(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  tell(trouble: CheckTrouble | null): void {
    if (trouble === this.#trouble || this.#over) return;
    this.#trouble = trouble;
    this.#listener.onTrouble?.(trouble);
  }

  saw({ id, score, tookMs }: FromWorker & { name: "saw" }): void {
    if (this.#over || this.#asked?.id !== id) return;
    const { atMs } = this.#asked;
    this.#asked = null;
    const waitedMs = performance.now() - atMs;
    this.#listener.onLook?.(score, tookMs);
    this.#presence.look(score, atMs);
    this.#update();
    this.#slow = waitedMs > SLOW_MS ? this.#slow + 1 : 0;
    this.tell(this.#slow >= SLOW_TIMES ? "slow" : null);
    this.#again(Math.max(this.#restMs(), REST * tookMs));
  }

  #restMs(): number {
    const { absent, present } = this.#rules.restMs;
    return this.#present ? present : absent;
  }

  #again(inMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), inMs);
  }

  async #look(): Promise<void> {
    const atMs = performance.now();
    const frame = await takeFrame(this.#video);
    if (this.#over) return frame?.close();
    this.#update();
    // Nothing is shown yet, or just now.
    if (frame === null) return this.#again(this.#rules.restMs.absent);
    const id = ++ids;
    this.#asked = { id, atMs };
    this.#send(id, frame);
    // What comes later than this is no longer about what is seen.
    this.#timer = setTimeout(() => {
      this.#asked = null;
      this.tell("slow");
      this.#update();
      this.#again(this.#restMs());
    }, LOOKS_WITHIN_MS);
  }

  #update(): void {
    const present = this.#presence.at(performance.now());
    if (present === this.#present) return;
    this.#present = present;
    this.#listener.onPresence(present);
  }
}

/** As the video shows it now; null where it shows nothing. */
async function takeFrame(video: HTMLVideoElement): Promise<Frame | null> {
  const { videoWidth: width, videoHeight: height } = video;
  if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || width === 0) return null;
  try {
    // Of the browser's own memory: nothing is copied here.
    if ("VideoFrame" in globalThis) return new VideoFrame(video);
  } catch {
    // Some browsers have it, and not for every video.
  }
  try {
    const scale = Math.min(1, COPY_SIDE / Math.min(width, height));
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    canvas.getContext("2d")?.drawImage(video, 0, 0, canvas.width, canvas.height);
    return await createImageBitmap(canvas);
  } catch {
    return null;
  }
}

function sizeOf(frame: Frame): { width: number; height: number } {
  return "displayWidth" in frame ? { width: frame.displayWidth, height: frame.displayHeight } : frame;
}

function made(worker: () => Worker): Worker | null {
  try {
    return worker();
  } catch {
    return null;
  }
}

function ownWorker(): Worker {
  return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
}

function ownModel(): ModelAddress {
  return {
    model: new URL("./model/blazeface-front.json", import.meta.url).href,
    weights: new URL("./model/blazeface-front.bin", import.meta.url).href,
  };
}
