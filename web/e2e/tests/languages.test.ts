// The page speaks the visitor's language: chosen by the browser at first, by the visitor from then on.

import type { Locator, Page, Response } from "playwright-core";
import { expect, test } from "vitest";
import { scrollsSideways, SCREENS } from "../kit/layout";
import { seesStranger } from "../kit/media";
import { useStage } from "../kit/stage";
import type { Visitor } from "../kit/visitor";
import { englishWords } from "../kit/words";

const stage = useStage("--lobby-recent-pause-ms", "100");
const GERMAN = { context: { locale: "de-AT" } };

function german(name: string): Promise<Visitor> {
  return stage.visitor({ name, ...GERMAN });
}

async function speaks(page: Page, language: string): Promise<void> {
  await expect.poll(() => page.locator("html").getAttribute("lang")).toBe(language);
}

/** Nothing where the page is gone before its body has come. */
function textOf(answer: Response): Promise<string> {
  return answer.text().catch(() => "");
}

function choice(page: Page, name: "Language" | "Sprache"): Locator {
  return page.getByRole("combobox", { name, exact: true });
}

test("a German browser gets every page in German, with no English word left", async () => {
  const { page, site, watch } = await german("gerda");
  watch.expect(/404/);
  for (const path of [
    "/",
    "/rules",
    "/privacy",
    "/about",
    "/test",
    "/chat",
    "/chat?kind=text",
    "/no/such/page",
  ]) {
    await page.goto(site + path);
    await speaks(page, "de");
    expect(await englishWords(page, "de"), path).toEqual([]);
  }
});

test("what stands in English is found", async () => {
  const { page, site } = await stage.visitor({ name: "emma" });
  await page.goto(site);
  await page.getByRole("link", { name: /^Video/ }).waitFor();
  expect(await englishWords(page, "de")).toEqual(expect.arrayContaining(["stranger", "questions"]));
});

test("no page scrolls sideways in German, on any screen", async () => {
  const gerda = await german("gerda");
  for (const path of ["/", "/rules", "/privacy", "/about", "/test", "/chat"]) {
    await gerda.page.goto(gerda.site + path);
    await speaks(gerda.page, "de");
    for (const [screen, size] of Object.entries(SCREENS)) {
      await gerda.page.setViewportSize(size);
      expect(await scrollsSideways(gerda), `${path}, ${screen}`).toEqual([]);
    }
  }
});

test("a German and an English visitor have a whole chat, each in their own language", async () => {
  const [gerda, emma] = [await german("gerda"), await stage.visitor({ name: "emma" })];
  const { page } = gerda;
  await page.goto(`${gerda.site}/chat`);
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await gerda.says(/Suche jemanden/);
  expect(await englishWords(page, "de"), "waiting").toEqual([]);
  await emma.begin();
  await Promise.all([gerda.says(/^\s*Verbunden/), emma.connected()]);
  const stranger = page.locator('video[aria-label="Gegenüber"]');
  await expect
    .poll(() => stranger.evaluate((video: HTMLVideoElement) => video.videoWidth))
    .toBeGreaterThan(0);
  await seesStranger(emma);

  await page.getByRole("textbox", { name: "Nachricht", exact: true }).fill("Hallo Emma");
  await page.getByRole("button", { name: "Senden", exact: true }).click();
  await emma.hears("Hallo Emma");
  await emma.say("hello Gerda");
  await gerda.hears("hello Gerda");
  expect(await englishWords(page, "de"), "in the call").toEqual([]);
  await page.getByRole("button", { name: "Mehr", exact: true }).click();
  await page.getByRole("heading", { name: "Mehr", exact: true }).waitFor();
  expect(await englishWords(page, "de"), "under Mehr").toEqual([]);
  await page.getByRole("button", { name: "Schließen", exact: true }).click();

  await emma.stop();
  await gerda.says(/Suche jemanden/);
  await page.getByText("Dein Gegenüber ist gegangen.").first().waitFor({ state: "attached" });
  expect(await englishWords(page, "de"), "after it").toEqual([]);
  await page.getByRole("button", { name: "Stopp", exact: true }).click();
  await gerda.says(/Es kann losgehen/);
});

test("another language takes the place of this one in the middle of a call, which goes on", async () => {
  const [gerda, emma] = [await german("gerda"), await stage.visitor({ name: "emma" })];
  const { page } = gerda;
  await page.goto(`${gerda.site}/chat`);
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await emma.begin();
  await Promise.all([gerda.says(/^\s*Verbunden/), emma.connected()]);
  await emma.say("before");
  await gerda.hears("before");
  const before = (await emma.history()).length;

  await page.getByRole("button", { name: "Mehr", exact: true }).click();
  await choice(page, "Sprache").selectOption({ label: "English" });
  await speaks(page, "en");
  await gerda.button("Close").click();
  await gerda.connected();
  await gerda.hears("before");
  await gerda.say("after");
  await emma.hears("after");
  await seesStranger(gerda);
  expect((await emma.history()).slice(before)).toEqual([]);
  expect((await gerda.history()).at(-1)).toMatch(/^Connected/);
});

test("a choice is made at the foot of every page, holds after a reload, and is kept by the browser alone", async () => {
  const { page, site } = await german("gerda");
  await page.goto(`${site}/rules`);
  await choice(page, "Sprache").selectOption({ label: "English" });
  await page.getByRole("heading", { name: "Five rules", exact: true }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Five rules", exact: true }).waitFor();
  await speaks(page, "en");
  await page.getByRole("link", { name: "Chat", exact: true }).click();
  await page.getByRole("button", { name: "Start", exact: true }).waitFor();
  await choice(page, "Language").selectOption({ label: "Deutsch" });
  await page.getByRole("heading", { name: "Wen möchtest du treffen?" }).waitFor();
  expect(await page.context().cookies()).toEqual([]);
});

test("only the language in use is loaded", async () => {
  const { page, site } = await german("gerda");
  const scripts: string[] = [];
  page.on("response", async (answer) => {
    if (answer.url().endsWith(".js")) scripts.push(await textOf(answer));
  });
  await page.goto(`${site}/chat`);
  await speaks(page, "de");
  await page.waitForLoadState("networkidle");
  const all = scripts.join("\n");
  expect(all).toContain("Wen möchtest du treffen?");
  expect(all).toContain("Dein Gegenüber ist gegangen.");
  expect(all).not.toContain("Who would you like to meet?");
  expect(all).not.toContain("The stranger left.");
});

test("the words are asked for with the page's scripts, and do not wait for these", async () => {
  const { page, site } = await german("gerda");
  const words: string[] = [];
  page.on("response", async (answer) => {
    const isScript = answer.url().endsWith(".js");
    if (isScript && (await textOf(answer)).includes("Wen möchtest du treffen?")) words.push(answer.url());
  });
  await page.goto(`${site}/chat`);
  await speaks(page, "de");
  await expect.poll(() => words.length).toBe(1);
  expect(
    await page
      .locator(`link[rel=modulepreload][href="${new URL(words[0] ?? "").pathname.replace("/", "./")}"]`)
      .count(),
  ).toBe(1);
});

test("visitors of these tests speak English, whatever the machine speaks", async () => {
  const before = { ...process.env };
  Object.assign(process.env, { LANG: "de_DE.UTF-8", LANGUAGE: "de", LC_ALL: "" });
  try {
    for (const visit of [{ tabs: true }, { flags: ["--window-size=800,600"] }]) {
      const { page, site } = await stage.visitor({ name: "anyone", ...visit });
      await page.goto(site);
      expect(await page.evaluate(() => navigator.languages[0])).toMatch(/^en/);
    }
  } finally {
    Object.assign(process.env, before);
  }
});
