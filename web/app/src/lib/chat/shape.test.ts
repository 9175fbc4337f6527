import { expect, test } from "vitest";
import { fitFor } from "./shape";

test("near_shapes_fill_the_frame", () => {
  expect(fitFor({ width: 640, height: 480 }, { width: 1080, height: 740 })).toBe("cover");
  expect(fitFor({ width: 480, height: 640 }, { width: 390, height: 660 })).toBe("cover");
});

test("far_shapes_are_shown_whole", () => {
  expect(fitFor({ width: 640, height: 480 }, { width: 390, height: 660 })).toBe("contain");
  expect(fitFor({ width: 480, height: 640 }, { width: 1080, height: 740 })).toBe("contain");
});

test("the_bound_itself_still_fills_from_either_side", () => {
  expect(fitFor({ width: 160, height: 100 }, { width: 100, height: 100 })).toBe("cover");
  expect(fitFor({ width: 100, height: 160 }, { width: 100, height: 100 })).toBe("cover");
  expect(fitFor({ width: 161, height: 100 }, { width: 100, height: 100 })).toBe("contain");
});

test("an_unknown_size_fills", () => {
  expect(fitFor({ width: 0, height: 0 }, { width: 390, height: 660 })).toBe("cover");
});
