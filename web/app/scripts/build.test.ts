// What the finished pages must hold to. Needs a build; without one it says so and checks nothing.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BUDGETS, BUILD, chatBytes, excesses } from "./size.js";

const PAGES = [
  "index.html",
  "chat.html",
  "rules.html",
  "privacy.html",
  "about.html",
  "test.html",
  "404.html",
];

describe.skipIf(!existsSync(join(BUILD, "chat.html")))("the built site", () => {
  test("the_chat_page_loads_at_most_60_kb_of_javascript_first_and_each_part_behind_it_keeps_its_budget", () => {
    const bytes = chatBytes("gz");
    expect(excesses(bytes)).toEqual([]);
    expect(Object.keys(bytes.later).sort()).toEqual(Object.keys(BUDGETS.later).sort());
    for (const [part, size] of Object.entries(bytes.later)) expect(size, part).toBeGreaterThan(300);
  });

  test.each(PAGES)("%s can be read without scripts and holds none inline", (page) => {
    const html = readFileSync(join(BUILD, page), "utf8");
    expect(html).toMatch(/<html lang="en">/);
    expect(html).toMatch(/<title>[^<]+<\/title>/);
    expect(html).toMatch(/<meta name="description" content="[^"]+"/);
    expect(html.match(/<h1[ >]/g)).toHaveLength(1);
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=)/);
    expect(html).not.toMatch(/\sstyle="/);
  });

  test("every_page_is_compressed_ahead_of_time", () => {
    for (const page of PAGES) {
      expect(existsSync(join(BUILD, `${page}.gz`)), page).toBe(true);
      expect(existsSync(join(BUILD, `${page}.br`)), page).toBe(true);
    }
  });

  test("no_page_loads_anything_from_another_server", () => {
    for (const name of readdirSync(BUILD).filter((each) => each.endsWith(".html"))) {
      expect(readFileSync(join(BUILD, name), "utf8")).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    }
  });
});
