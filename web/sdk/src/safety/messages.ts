// What the page and its worker say to each other.

export interface ModelAddress {
  model: string;
  weights: string;
}

export type Frame = VideoFrame | ImageBitmap;

export type ToWorker =
  | ({ name: "load" } & ModelAddress)
  | { name: "look"; id: number; frame: Frame; width: number; height: number };

/**
 * `missing`: the model did not load. `slow`: looking takes too long here. `unable`: the browser lacks something, or the
 * model is broken.
 */
export type CheckTrouble = "missing" | "slow" | "unable";

export type FromWorker =
  | { name: "ready" }
  | { name: "failed"; trouble: CheckTrouble }
  /** How sure the detector is, from 0 to 1, and how long it took. */
  | { name: "saw"; id: number; score: number; tookMs: number };
