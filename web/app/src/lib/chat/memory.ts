// What this browser remembers between visits: wishes and settings, nothing else, and nowhere else. Storage
// may be forbidden or full; then the visit simply starts with the defaults.

export interface Remembered {
  interests: string[];
  /** null: as the browser says. */
  languages: string[] | null;
  autoContinue: boolean;
  escapeIsNext: boolean;
  volume: number;
  hideAddress: boolean;
  cameraId: string | null;
  microphoneId: string | null;
}

const KEY = "visavis";

const DEFAULTS: Remembered = {
  interests: [],
  languages: null,
  autoContinue: true,
  escapeIsNext: true,
  volume: 1,
  hideAddress: false,
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
    interests: strings(from.interests) ?? DEFAULTS.interests,
    languages: strings(from.languages),
    autoContinue: flag(from.autoContinue, DEFAULTS.autoContinue),
    escapeIsNext: flag(from.escapeIsNext, DEFAULTS.escapeIsNext),
    volume: typeof from.volume === "number" && from.volume >= 0 && from.volume <= 1 ? from.volume : 1,
    hideAddress: flag(from.hideAddress, DEFAULTS.hideAddress),
    cameraId: typeof from.cameraId === "string" ? from.cameraId : null,
    microphoneId: typeof from.microphoneId === "string" ? from.microphoneId : null,
  };
}

function strings(value: unknown): string[] | null {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string").slice(0, 10) : null;
}

function flag(value: unknown, otherwise: boolean): boolean {
  return typeof value === "boolean" ? value : otherwise;
}
