// What this browser remembers between visits: wishes, settings and who was blocked, and nowhere else. The privacy page
// names all of it (site/remembered.ts).
// Storage may be forbidden or full; then the visit simply starts with the defaults. Each value is checked by itself: a
// single one that the server would refuse must not lock a visitor out of every later visit.
import { addInterests, languagesFrom } from "./wishes";

/** What the visitor has set. */
export interface Settings {
  autoContinue: boolean;
  escapeIsNext: boolean;
  /** Until a face can be seen. */
  coverStrangers: boolean;
  volume: number;
  hideAddress: boolean;
  /** When a stranger arrives while the visitor looks at another tab. */
  arrivalSound: boolean;
  arrivalNotification: boolean;
  cameraId: string | null;
  microphoneId: string | null;
}

export interface Remembered extends Settings {
  interests: string[];
  /** null: as the browser says. */
  languages: string[] | null;
  /** What the server gave to tell blocked strangers again; sealed, it names nobody. The newest last. */
  blocks: string[];
}

const KEY = "visavis";
const DEVICE_KEY = "visavis-device";
const DEVICE = /^[\w-]{16,64}$/;
export const MAX_BLOCKS = 256;
const BLOCK = /^[\x21-\x7e]{1,256}$/;

const DEFAULTS: Remembered = {
  interests: [],
  languages: null,
  autoContinue: true,
  escapeIsNext: true,
  coverStrangers: true,
  volume: 1,
  hideAddress: false,
  arrivalSound: false,
  arrivalNotification: false,
  blocks: [],
  cameraId: null,
  microphoneId: null,
};

export type Shelf = Pick<Storage, "getItem" | "setItem">;

export function recall(shelf: Shelf | undefined = ownShelf()): Remembered {
  try {
    return checked(JSON.parse(shelf?.getItem(KEY) ?? "{}"));
  } catch {
    return { ...DEFAULTS };
  }
}

export function remember(change: Partial<Remembered>, shelf: Shelf | undefined = ownShelf()): void {
  try {
    shelf?.setItem(KEY, JSON.stringify({ ...recall(shelf), ...change }));
  } catch {
    // Full or forbidden: this visit still has it in memory.
  }
}

function ownShelf(): Shelf | undefined {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}

/** Another version of this page, or a curious visitor, may have written anything. */
function checked(found: unknown): Remembered {
  const from = (typeof found === "object" && found !== null ? found : {}) as Record<string, unknown>;
  return {
    interests: (strings(from.interests) ?? []).reduce<string[]>(addInterests, []),
    languages: languages(from.languages),
    autoContinue: flag(from.autoContinue, DEFAULTS.autoContinue),
    escapeIsNext: flag(from.escapeIsNext, DEFAULTS.escapeIsNext),
    coverStrangers: flag(from.coverStrangers, DEFAULTS.coverStrangers),
    volume: typeof from.volume === "number" && from.volume >= 0 && from.volume <= 1 ? from.volume : 1,
    hideAddress: flag(from.hideAddress, DEFAULTS.hideAddress),
    arrivalSound: flag(from.arrivalSound, DEFAULTS.arrivalSound),
    arrivalNotification: flag(from.arrivalNotification, DEFAULTS.arrivalNotification),
    blocks: (strings(from.blocks) ?? []).filter((handle) => BLOCK.test(handle)).slice(-MAX_BLOCKS),
    cameraId: deviceId(from.cameraId),
    microphoneId: deviceId(from.microphoneId),
  };
}

/**
 * By which the server knows this browser again, so that a block outlives a reload on both sides. Made at random, told
 * to nobody else; where nothing can be stored it lasts as long as the page.
 */
export function deviceToken(shelf: Shelf | undefined = ownShelf()): string {
  try {
    const found = shelf?.getItem(DEVICE_KEY);
    if (found && DEVICE.test(found)) return found;
  } catch {
    // As if there were none.
  }
  const made = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(24))))
    .replaceAll("+", "-")
    .replaceAll("/", "_");
  try {
    shelf?.setItem(DEVICE_KEY, made);
  } catch {
    // Full or forbidden.
  }
  return made;
}

function strings(value: unknown): string[] | null {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : null;
}

/** An empty list is a wish, too; a list of nothing but nonsense is not. */
function languages(value: unknown): string[] | null {
  const given = strings(value);
  const known = languagesFrom(given ?? []);
  return given === null || (given.length > 0 && known.length === 0) ? null : known;
}

/** Browsers make them of 64 letters and digits; `default` and `communications` name whatever the system prefers. */
function deviceId(value: unknown): string | null {
  return typeof value === "string" && /^[\x21-\x7e]{1,256}$/.test(value) ? value : null;
}

function flag(value: unknown, otherwise: boolean): boolean {
  return typeof value === "boolean" ? value : otherwise;
}
