// Where to look in a picture. The detector finds faces that take up a good part of what it is shown, as those before a
// camera do. Whoever sits further back is found in a part of the picture.

export interface View {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The share of the shorter side that the closer views show. */
export const CLOSER = 0.6;

/** Parts of a picture, the likeliest first: all of it, a square in the middle, and two closer ones. */
export function viewsOf(width: number, height: number): View[] {
  const short = Math.min(width, height);
  const square = (side: number, top: number): View => ({
    x: (width - side) / 2,
    y: top,
    width: side,
    height: side,
  });
  const closer = short * CLOSER;
  return [
    { x: 0, y: 0, width, height },
    square(short, (height - short) / 3),
    square(closer, 0),
    square(closer, (height - closer) / 2),
  ];
}
