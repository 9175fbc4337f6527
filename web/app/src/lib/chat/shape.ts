// How a picture fits its frame. Filling the frame looks best, but where the shapes are far apart it would
// cut off heads: then the whole picture is shown, and the rest of the frame filled with a blurred copy.

export type Fit = "cover" | "contain";

export interface Size {
  width: number;
  height: number;
}

/** How far two aspect ratios may be apart, as a factor, before `cover` loses too much. */
export const MAX_COVER_RATIO = 1.6;

/** `cover` as long as nothing is known of either. */
export function fitFor(picture: Size, frame: Size): Fit {
  if (picture.width <= 0 || picture.height <= 0 || frame.width <= 0 || frame.height <= 0) return "cover";
  const ratio = (picture.width * frame.height) / (picture.height * frame.width);
  return Math.max(ratio, 1 / ratio) <= MAX_COVER_RATIO ? "cover" : "contain";
}
