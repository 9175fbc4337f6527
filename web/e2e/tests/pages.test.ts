// The site around the chat: every page is reached, clean, and readable for everybody.

import { describe, expect, test } from "vitest";
import { findings } from "../kit/axe";
import { useCrew, useStage } from "../kit/stage";
import { meet, together } from "../kit/visitor";

const stage = useStage();
const crew = useCrew(stage, "ann", "ben");

test("one press on the first page starts, without a reload, and Stop leads to the form", async () => {
  const { ann, ben } = crew;
  await ann.page.goto(ann.site);
  await ann.page.evaluate(() => Object.assign(window, { same: true }));
  await ann.page.getByRole("link", { name: /^Video/ }).click();
  await ann.looking();
  // What started is not in the address: a reload or a bookmark starts nothing.
  await expect.poll(() => new URL(ann.page.url()).search).toBe("?kind=video");
  expect(await ann.page.evaluate(() => "same" in window)).toBe(true);
  await ben.begin();
  await together(ann, ben);
  await ann.stop();
  expect(await ann.radio("Video").isChecked()).toBe(true);
  await ann.page.reload();
  await ann.button("Start").waitFor();
  await ann.page.waitForTimeout(300);
  await ann.button("Start").waitFor();
});

test("each way in starts with its kind and what was wished for before; an address shows the form", async () => {
  const { ann } = crew;
  await ann.openChat("Text");
  await ann.page.getByRole("textbox", { name: /Interests/ }).fill("chess");
  await ann.button("Start").click();
  await ann.looking();
  for (const kind of ["Audio", "Text"] as const) {
    await ann.page.goto(ann.site);
    await ann.page.getByRole("link", { name: new RegExp(`^${kind}`) }).click();
    await ann.looking();
    await ann.page.getByRole("group", { name: "While you wait" }).getByText("chess").waitFor();
    await ann.stop();
    expect(await ann.radio(kind).isChecked()).toBe(true);
    await ann.openChat(kind);
    expect(await ann.radio(kind).isChecked()).toBe(true);
    await ann.button("Start").waitFor();
  }
  await ann.page.evaluate(() => localStorage.clear());
});

test("a link on another site to the way in shows the form, and starts nothing", async () => {
  const { ann } = crew;
  await ann.page.goto("about:blank");
  await ann.page.goto(`${ann.site}/chat?kind=text&start`);
  await ann.button("Start").waitFor();
  await ann.page.waitForTimeout(300);
  await ann.button("Start").waitFor();
  expect(await ann.radio("Text").isChecked()).toBe(true);
});

test("all links of all pages lead somewhere, and the way back works", async () => {
  const { ann } = crew;
  const seen = new Set<string>();
  const ahead = [`${ann.site}/`];
  for (let page = ahead.pop(); page !== undefined; page = ahead.pop()) {
    if (seen.has(page)) continue;
    seen.add(page);
    await ann.page.goto(page);
    await ann.page.getByRole("heading", { level: 1 }).first().waitFor();
    const links = await ann.page
      .locator("a[href]")
      .evaluateAll((all) => all.map((link) => (link as HTMLAnchorElement).href.replace(/#.*/, "")));
    ahead.push(...links.filter((link) => link.startsWith(ann.site)));
  }
  const paths = [...seen].map((page) => new URL(page).pathname);
  expect(paths).toEqual(expect.arrayContaining(["/", "/chat", "/rules", "/privacy", "/about", "/test"]));

  await ann.page.goto(ann.site);
  for (const name of ["Rules", "Privacy", "About"]) {
    await ann.page.getByRole("navigation").first().getByRole("link", { name, exact: true }).click();
    await ann.page.waitForURL(`**/${name.toLowerCase()}`);
  }
  await ann.page.goBack();
  await ann.page.waitForURL("**/privacy");
});

test("an address that does not exist is answered with 404 and a page that leads back", async () => {
  const { ann } = crew;
  ann.watch.expect(/404/);
  const answer = await ann.page.goto(`${ann.site}/no/such/page`);
  expect(answer?.status()).toBe(404);
  await ann.page.getByRole("link", { name: /chat/i }).first().click();
  await ann.button("Start").waitFor();
});

test("the pages can be read without scripts", async () => {
  const reader = await stage.visitor({ name: "reader", context: { javaScriptEnabled: false } });
  reader.watch.expect(/^request: csp .*\.js$/);
  for (const [path, words] of Object.entries({
    "/": /What goes where/,
    "/rules": /rules/i,
    "/privacy": /IP address/,
    "/about": /Visavis/,
    "/chat": /needs JavaScript/,
  })) {
    await reader.page.goto(reader.site + path);
    await reader.reads(words);
  }
});

for (const colorScheme of ["light", "dark"] as const) {
  describe(`axe finds nothing, ${colorScheme}`, () => {
    test("on any page", async () => {
      const { ann } = crew;
      await ann.page.emulateMedia({ colorScheme });
      for (const path of ["/", "/rules", "/privacy", "/about", "/test", "/chat", "/chat?kind=text"]) {
        await ann.page.goto(ann.site + path);
        expect(await findings(ann), path).toEqual([]);
      }
      ann.watch.expect(/404/);
      await ann.page.goto(`${ann.site}/no-such-page`);
      expect(await findings(ann), "the page that is not there").toEqual([]);
    });

    test("in a video chat: waiting, with a stranger, under More, after the stranger left", async () => {
      const { ann, ben } = crew;
      await ann.page.emulateMedia({ colorScheme });
      await ann.begin();
      await ann.looking();
      expect(await findings(ann), "waiting").toEqual([]);
      await ben.begin();
      await together(ann, ben);
      expect(await findings(ann), "connected").toEqual([]);
      await ann.button("More").click();
      const goesOn = ann.page.getByRole("checkbox", { name: /by itself/ });
      await goesOn.uncheck();
      expect(await findings(ann), "More").toEqual([]);
      await ann.button("Close").click();
      await ben.stop();
      await ann.says(/left/);
      expect(await findings(ann), "left").toEqual([]);
      await ann.button("More").click();
      await goesOn.check();
      await ann.button("Close").click();
    });

    test("in audio and text chats", async () => {
      const { ann, ben } = crew;
      await ann.page.emulateMedia({ colorScheme });
      for (const kind of ["Audio", "Text"] as const) {
        await ann.begin(kind);
        await ann.looking();
        expect(await findings(ann), `${kind}, waiting`).toEqual([]);
        await meet(ann, ben, kind);
        expect(await findings(ann), `${kind}, connected`).toEqual([]);
        await Promise.all([ann.stop(), ben.stop()]);
      }
    });

    test("where the camera was refused", async () => {
      const ann = await stage.visitor({ name: "refused", devices: "refused", context: { colorScheme } });
      await ann.begin();
      await ann.button("Try again").waitFor();
      expect(await findings(ann)).toEqual([]);
    });
  });
}
