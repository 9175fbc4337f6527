// Where one's own picture rests: always in a corner, so it never hides the middle of the stranger's.

export const CORNERS = ["top-right", "bottom-right", "bottom-left", "top-left"] as const;

export type Corner = (typeof CORNERS)[number];

/** Clockwise; what the button does. */
export function cornerAfter(corner: Corner): Corner {
  return CORNERS[(CORNERS.indexOf(corner) + 1) % CORNERS.length] ?? "top-right";
}

/** Where a tile let go at this point of the frame comes to rest. */
export function nearestCorner(
  point: { x: number; y: number },
  frame: { left: number; top: number; width: number; height: number },
): Corner {
  const left = point.x < frame.left + frame.width / 2;
  const top = point.y < frame.top + frame.height / 2;
  return `${top ? "top" : "bottom"}-${left ? "left" : "right"}`;
}
