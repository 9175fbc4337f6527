// Where a line of text begins is on the right in some languages, so styles say start and end, not left and right.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const SOURCES = fileURLToPath(new URL("../src", import.meta.url));

const PHYSICAL = [
  /(?:^|[\s;{])(?:(?:margin|padding|border|scroll-margin|scroll-padding)-)?(?:left|right)(?:-[a-z]+)?:/,
  /(?:text-align|float|clear):\s*(?:left|right)/,
  /border-(?:top|bottom)-(?:left|right)-radius:/,
];
/** The one place that means left and right: a picture stays on the side that it was dragged to. */
const MEANT = "/* where it was dropped */";

function physicalLines(style: string): string[] {
  const bare = style
    .replaceAll(new RegExp(`.*${MEANT.replaceAll("*", "\\*")}`, "g"), "")
    .replace(/\/\*[\s\S]*?\*\//g, "");
  const lines = bare.split("\n").filter((line) => PHYSICAL.some((physical) => physical.test(line)));
  // Four values for four sides: the second and the fourth are the right and the left one.
  const fours = bare.matchAll(/(?:margin|padding|inset):\s*([^;]+);/g);
  for (const [rule, values = ""] of fours) {
    const [, right, , left] = values.match(/(?:[^\s(]|\([^)]*\))+/g) ?? [];
    if (left !== undefined && left !== right) lines.push(rule);
  }
  return lines.map((line) => line.trim());
}

test("styles_say_start_and_end_and_not_left_and_right", () => {
  const found = readdirSync(SOURCES, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(svelte|css)$/.test(path))
    .flatMap((path) => {
      const text = readFileSync(join(SOURCES, path), "utf8");
      const style = path.endsWith(".css") ? text : (/<style>([\s\S]*)<\/style>/.exec(text)?.[1] ?? "");
      return physicalLines(style).map((line) => `${path}: ${line}`);
    });
  expect(found).toEqual([]);
});

test("a_style_with_left_or_right_in_it_is_found", () => {
  for (const line of [
    "left: 0;",
    "margin-left: 1rem;",
    "text-align: right;",
    "padding: 0 1rem 0 2rem;",
    "  border-right: 0;",
  ])
    expect(physicalLines(line), line).toHaveLength(1);
  for (const line of [
    "inset-inline-start: 0;",
    "transform-origin: top left;",
    "padding: 0 1rem 2rem;",
    ".top-left {",
  ])
    expect(physicalLines(line), line).toEqual([]);
});
