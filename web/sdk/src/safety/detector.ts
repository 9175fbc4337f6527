// Something that looks at a small picture and says how sure it is. The face detector is one; an operator's own, for something
// else, fits the same interface.

import { Network, type GraphModel } from "./network.js";

export interface Detector {
  /** Of the square picture that it takes, in pixels. */
  readonly side: number;
  /** RGBA, `side` × `side`. From 0, certainly not, to 1. */
  score(pixels: Uint8ClampedArray): number;
}

/** BlazeFace, the model for front cameras: presence only, so where a face lies in the picture is never worked out. */
export function blazeFace(model: GraphModel, weights: ArrayBuffer): Detector {
  const network = new Network(model, weights);
  const [side = 0] = network.inputShape;
  return {
    side,
    score(pixels) {
      const { input } = network;
      for (let from = 0, to = 0; from < pixels.length; from += 4) {
        input[to++] = (pixels[from] as number) / 127.5 - 1;
        input[to++] = (pixels[from + 1] as number) / 127.5 - 1;
        input[to++] = (pixels[from + 2] as number) / 127.5 - 1;
      }
      network.run();
      // 896 places where a face may be, in two sizes; each says how sure it is.
      const surest = Math.max(...network.output("Identity"), ...network.output("Identity_1"));
      return 1 / (1 + Math.exp(-surest));
    },
  };
}
