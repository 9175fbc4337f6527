import { describe, expect, test } from "vitest";
import { roomAboveKeyboard, type WindowFigures } from "./viewport";

const figures = (
  innerHeight: number,
  layoutHeight: number,
  height: number,
  offsetTop = 0,
  scale = 1,
): WindowFigures => ({
  innerHeight,
  layoutHeight,
  visual: { height, offsetTop, scale },
});

describe("with a keyboard over it the page takes what can be seen", () => {
  test.each([
    ["Safari 17: only the visual viewport shrinks", figures(664, 664, 336), { top: 0, height: 336 }],
    ["Safari 17, panned to the line", figures(664, 664, 336, 328), { top: 328, height: 336 }],
    ["Safari 26: innerHeight shrinks with it", figures(319, 647, 319), { top: 0, height: 319 }],
    ["Safari 26, panned", figures(319, 647, 319, 120), { top: 120, height: 319 }],
    ["Firefox for iOS", figures(319, 647, 319, 328), { top: 328, height: 319 }],
    ["a layout height that is not known yet", figures(664, 0, 336), { top: 0, height: 336 }],
    ["panned farther than the page is high", figures(319, 647, 319, 900), { top: 328, height: 319 }],
    [
      "panned above the page, as at the end of a bounce",
      figures(319, 647, 319, -12),
      { top: 0, height: 319 },
    ],
    ["the bar of shortcuts above a keyboard on a desk", figures(1106, 1106, 1051), { top: 0, height: 1051 }],
    [
      "no visual viewport at all",
      { innerHeight: 319, layoutHeight: 647, visual: null },
      { top: 0, height: 319 },
    ],
  ])("%s", (_name, given, room) => {
    expect(roomAboveKeyboard(given)).toEqual(room);
  });
});

describe("without one the page stays as it is", () => {
  test.each([
    ["no keyboard", figures(664, 664, 664)],
    ["Chrome on Android: the browser shrinks the page", figures(508, 508, 508)],
    ["zoomed in by the visitor", figures(664, 664, 332, 100, 2)],
    ["Safari 26 leaves an edge behind when the keyboard goes", figures(664, 664, 640, 24)],
    ["a bar that comes and goes with scrolling", figures(664, 628, 664)],
    ["a window without height, as in a hidden tab", figures(0, 0, 0)],
  ])("%s", (_name, given) => {
    expect(roomAboveKeyboard(given)).toBeNull();
  });
});
