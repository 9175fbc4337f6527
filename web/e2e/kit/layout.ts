// Whether what matters can be seen and pressed: measured where a finger would land.

import type { Locator } from "playwright-core";
import { expect } from "vitest";
import type { Visitor } from "./visitor";

export const SCREENS = {
  "phone upright": { width: 390, height: 844 },
  "phone lying": { width: 844, height: 390 },
  tablet: { width: 820, height: 1180 },
  laptop: { width: 1440, height: 900 },
  "laptop at 200 %": { width: 720, height: 450 },
  "tablet at 200 %": { width: 410, height: 590 },
  "small phone": { width: 320, height: 568 },
} as const;

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** On the screen as a whole, with nothing above it. */
export async function canPress(control: Locator, what: string): Promise<Box> {
  const found = await control.evaluate((element) => {
    const { left, top, right, bottom, width, height } = element.getBoundingClientRect();
    const inset = 2;
    const points = [
      [(left + right) / 2, (top + bottom) / 2],
      [left + inset, (top + bottom) / 2],
      [right - inset, (top + bottom) / 2],
      [(left + right) / 2, top + inset],
      [(left + right) / 2, bottom - inset],
    ] as const;
    const covered = points
      .map(([x, y]) => document.elementFromPoint(x, y))
      .filter((hit) => hit === null || !element.contains(hit))
      .map((hit) => hit?.outerHTML.slice(0, 80) ?? "outside the screen");
    return { box: { x: left, y: top, width, height }, covered };
  });
  expect(found.covered, `what lies over ${what}`).toEqual([]);
  return found.box;
}

/** Lines of a program may scroll within their own box, nothing else may. */
export async function scrollsSideways({ page }: Visitor): Promise<string[]> {
  return page.evaluate(() => {
    const wide = innerWidth;
    const { scrollingElement } = document;
    const found = scrollingElement && scrollingElement.scrollWidth > wide ? ["the page"] : [];
    for (const element of document.querySelectorAll<HTMLElement>("main, main :not(pre), dialog[open] *")) {
      const { overflowX } = getComputedStyle(element);
      const scrolls = overflowX === "auto" || overflowX === "scroll";
      if (scrolls && element.scrollWidth > element.clientWidth + 1)
        found.push(element.outerHTML.slice(0, 100));
    }
    return found;
  });
}

/** Pixels between two boxes; 0 where they touch or overlap. */
export function distance(a: Box, b: Box): number {
  const across = Math.max(0, a.x - (b.x + b.width), b.x - (a.x + a.width));
  const down = Math.max(0, a.y - (b.y + b.height), b.y - (a.y + a.height));
  return Math.hypot(across, down);
}
