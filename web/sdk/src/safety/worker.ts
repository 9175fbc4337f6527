// Looks at single pictures for the page, in a thread of its own. Nothing of a picture leaves it but one number.

import { blazeFace, type Detector } from "./detector.js";
import type { Frame, FromWorker, ModelAddress, ToWorker } from "./messages.js";
import type { GraphModel } from "./network.js";
import { STRANGER } from "./presence.js";
import { CLOSER, viewsOf } from "./views.js";

interface Looking {
  detector: Detector;
  /** Of the detector's size. */
  paint: OffscreenCanvasRenderingContext2D;
  /** The picture, no larger than the closest view needs it: a camera's own size is drawn once and not for every view. */
  copy: OffscreenCanvasRenderingContext2D;
  /** Where a face was last: it is probably still there. */
  first: number;
}

let looking: Looking | null = null;

// This file is checked with the page's types, where `self` is a window.
const say = (message: FromWorker) =>
  (self as unknown as { postMessage(message: FromWorker): void }).postMessage(message);

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  switch (data.name) {
    case "load":
      void load(data);
      break;
    case "look":
      look(data);
      break;
  }
};

async function load({ model, weights }: ModelAddress): Promise<void> {
  const parts = await Promise.all([read(model), read(weights)]).catch(() => null);
  if (parts === null) return say({ name: "failed", trouble: "missing" });
  try {
    const [text, bytes] = parts;
    const detector = blazeFace(JSON.parse(new TextDecoder().decode(text)) as GraphModel, bytes);
    looking = { detector, paint: canvas(detector.side), copy: canvas(0), first: 0 };
    say({ name: "ready" });
  } catch {
    say({ name: "failed", trouble: "unable" });
  }
}

function canvas(side: number): OffscreenCanvasRenderingContext2D {
  const context = new OffscreenCanvas(side, side).getContext("2d", {
    willReadFrequently: true,
    alpha: false,
  });
  if (context === null) throw new Error("no canvas");
  return context;
}

async function read(address: string): Promise<ArrayBuffer> {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.arrayBuffer();
}

function look({ id, frame, width, height }: ToWorker & { name: "look" }): void {
  const begunMs = performance.now();
  try {
    if (looking === null) throw new Error("not loaded");
    const score = surestOf(looking, frame, width, height);
    say({ name: "saw", id, score, tookMs: performance.now() - begunMs });
  } catch {
    say({ name: "failed", trouble: "unable" });
  } finally {
    frame.close();
  }
}

/** Of all views, up to the first with a face. */
function surestOf(own: Looking, frame: Frame, width: number, height: number): number {
  const { detector, paint, copy } = own;
  const { side } = detector;
  const smaller = Math.min(1, side / CLOSER / Math.min(width, height));
  // Setting a size empties a canvas, so only where it changes.
  const size = { width: Math.round(width * smaller), height: Math.round(height * smaller) };
  if (copy.canvas.width !== size.width || copy.canvas.height !== size.height)
    Object.assign(copy.canvas, size);
  copy.drawImage(frame, 0, 0, size.width, size.height);
  const views = viewsOf(size.width, size.height);
  let surest = 0;
  for (let turn = 0; turn < views.length && surest < STRANGER.finds; turn++) {
    const index = (own.first + turn) % views.length;
    const view = views[index];
    if (!view) continue;
    const scale = side / Math.max(view.width, view.height);
    const [across, down] = [view.width * scale, view.height * scale];
    const place = [(side - across) / 2, (side - down) / 2, across, down] as const;
    paint.fillRect(0, 0, side, side);
    paint.drawImage(copy.canvas, view.x, view.y, view.width, view.height, ...place);
    const score = detector.score(paint.getImageData(0, 0, side, side).data);
    if (score >= STRANGER.finds) own.first = index;
    surest = Math.max(surest, score);
  }
  return surest;
}
