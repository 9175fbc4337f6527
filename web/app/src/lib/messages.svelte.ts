// The sentences of the page in the language in use: `m.chat.start()`. They stand in messages/, a file for each part of
// the site. A page waits for the parts that it needs before it is drawn (`ready`, in its `load`); another language takes
// the place of this one without a reload. What is prerendered is English.
import { browser } from "$app/environment";
import type { Messages } from "../../messages/compiled/messages";
import { directionOf, languageFor, recallLanguage, rememberLanguage } from "./language";

export type Part = keyof Messages;

const FILES = import.meta.glob<{ default: never }>("../../messages/compiled/*/*.js");
const FOLDER = "../../messages/compiled";

/** As tags, such as `de`. */
export const LANGUAGES: readonly string[] = Object.keys(FILES)
  .filter((path) => path.endsWith("/common.js"))
  .map((path) => path.split("/").at(-2) ?? "");

class Catalogue implements Messages {
  language = $state.raw(browser ? languageFor([recallLanguage(), ...navigator.languages], LANGUAGES) : "en");
  common = $state.raw({} as Messages["common"]);
  site = $state.raw({} as Messages["site"]);
  chat = $state.raw({} as Messages["chat"]);
  talk = $state.raw({} as Messages["talk"]);
  test = $state.raw({} as Messages["test"]);
}

export const m = new Catalogue();

/** All that some page has asked for. */
const wanted: Part[] = [];

export async function ready(...parts: Part[]): Promise<void> {
  wanted.push(...parts.filter((part) => !wanted.includes(part)));
  const { language } = m;
  const found = await load(language, parts);
  // Another one was chosen meanwhile, perhaps without these parts.
  if (language !== m.language) return ready(...parts);
  use(found);
}

/** Rejects where the language does not load; the present one stays. */
export async function speak(language: string): Promise<void> {
  const parts = [...wanted];
  const found = await load(language, parts);
  if (wanted.length > parts.length) return speak(language);
  m.language = language;
  use(found);
  rememberLanguage(language);
}

function use(found: Partial<Messages>): void {
  Object.assign(m, found);
  if (!browser) return;
  document.documentElement.lang = m.language;
  document.documentElement.dir = directionOf(m.language);
}

async function load(language: string, parts: readonly Part[]): Promise<Partial<Messages>> {
  const found: Partial<Messages> = {};
  const each = parts.map(async (part) => {
    const load = FILES[`${FOLDER}/${language}/${part}.js`];
    if (!load) throw new Error(`There is no ${part} in ${language}.`);
    Object.assign(found, { [part]: (await load()).default });
  });
  await Promise.all(each);
  return found;
}

/** For `Intl`. The English of this page is written as in Britain: no comma before the last of a list. */
export function locale(): string {
  return m.language === "en" ? "en-GB" : m.language;
}
