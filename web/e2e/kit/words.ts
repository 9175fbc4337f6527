// Which words of a page are those of another language than the page's own.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";

const MESSAGES = fileURLToPath(new URL("../../app/messages/", import.meta.url));

function wordsOf(text: string): Set<string> {
  return new Set(text.toLowerCase().match(/\p{L}{2,}/gu) ?? []);
}

/** All words that the page can say in a language. */
function vocabulary(language: string): Set<string> {
  const files = readdirSync(`${MESSAGES}${language}`).map((file) =>
    readFileSync(`${MESSAGES}${language}/${file}`, "utf8"),
  );
  return wordsOf(files.flatMap((text) => Object.values(JSON.parse(text) as object)).join(" "));
}

/** What the page says in English, where it should speak another language that has no such word. */
export async function englishWords(page: Page, language: string): Promise<string[]> {
  const own = vocabulary(language);
  const english = vocabulary("en");
  const said = wordsOf(await page.evaluate(sentences));
  return [...said].filter((word) => english.has(word) && !own.has(word));
}

/** Runs in the page: what can be read or heard of it, but for code, devices' and languages' own names. */
function sentences(): string {
  const found = [document.title];
  const named = ["aria-label", "aria-valuetext", "title", "placeholder", "alt"];
  for (const element of document.body.querySelectorAll("*")) {
    if (element.closest("pre, code, script, style, option, noscript, [role=log] .words")) continue;
    for (const node of element.childNodes)
      if (node.nodeType === Node.TEXT_NODE) found.push(node.textContent ?? "");
    for (const name of named) found.push(element.getAttribute(name) ?? "");
  }
  return found.join("\n");
}
