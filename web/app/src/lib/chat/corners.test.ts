import { expect, test } from "vitest";
import { CORNERS, cornerAfter, nearestCorner } from "./corners";

test("the_button_visits_every_corner_and_comes_back", () => {
  let corner = CORNERS[0] as (typeof CORNERS)[number];
  const visited = CORNERS.map(() => (corner = cornerAfter(corner)));
  expect(new Set(visited).size).toBe(4);
  expect(corner).toBe(CORNERS[0]);
});

test("a_dropped_tile_goes_to_the_nearest_corner", () => {
  const frame = { left: 100, top: 0, width: 400, height: 600 };
  expect(nearestCorner({ x: 120, y: 10 }, frame)).toBe("top-left");
  expect(nearestCorner({ x: 480, y: 590 }, frame)).toBe("bottom-right");
  expect(nearestCorner({ x: 299, y: 301 }, frame)).toBe("bottom-left");
});
