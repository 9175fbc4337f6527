// The left hand on Esc, the right on Enter; and what else these keys mean.

import { expect, test } from "vitest";
import { useCrew, useStage } from "../kit/stage";
import { meet, partsThem, together } from "../kit/visitor";

const stage = useStage("--lobby-recent-pause-ms", "100");
const crew = useCrew(stage, "ann", "ben");

test("Esc is Next, and over a draft it first says that this is not sent", async () => {
  const { ann, ben } = crew;
  await meet(ann, ben, "Text");
  await partsThem([ann, ben], () => ann.page.keyboard.press("Escape"));
  await together(ann, ben);
  await ann.line.pressSequentially("half a thou");
  await ann.page.keyboard.press("Escape");
  await ann.page.keyboard.press("Escape");
  await ann.reads(/Your text is not sent/);
  expect(await ann.line.inputValue()).toBe("half a thou");
  await ann.line.press("g");
  await ann.page.getByText(/Your text is not sent/).waitFor({ state: "detached" });
  await ann.line.fill("never sent");
  await ann.page.keyboard.press("Escape");
  await ann.page.waitForTimeout(600);
  await partsThem([ann, ben], () => ann.page.keyboard.press("Escape"));
  await together(ann, ben);
  expect(await ann.line.inputValue()).toBe("");
});

test("Esc closes an open dialog first, and only then means Next", async () => {
  const { ann, ben } = crew;
  await meet(ann, ben, "Text");
  const dialog = ann.page.getByRole("dialog");
  await ann.button("More").click();
  await dialog.waitFor();
  await ann.page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  await together(ann, ben);
  await partsThem([ann, ben], () => ann.page.keyboard.press("Escape"));
});

test("Esc leaves full screen first, and only then means Next", async () => {
  const { ann, ben } = crew;
  await meet(ann, ben);
  await ann.button("More").click();
  await ann.button("Full screen").click();
  const full = () => ann.page.evaluate(() => document.fullscreenElement !== null);
  await expect.poll(full).toBe(true);
  await ann.page.keyboard.press("Escape");
  await expect.poll(full).toBe(false);
  await together(ann, ben);
  await partsThem([ann, ben], () => ann.page.keyboard.press("Escape"));
});

test("Esc before Start does nothing", async () => {
  const { ann } = crew;
  await ann.openChat("Text");
  await ann.page.keyboard.press("Escape");
  await ann.button("Start").click();
  await ann.looking();
  await ann.page.keyboard.press("Escape");
  await ann.looking();
});

test("Enter sends, Shift and Enter begins a new line", async () => {
  const { ann, ben } = crew;
  await meet(ann, ben, "Text");
  await ann.line.pressSequentially("one");
  await ann.line.press("Shift+Enter");
  await ann.line.pressSequentially("two");
  await ann.line.press("Enter");
  await ben.hears("one\ntwo");
  expect(await ann.line.inputValue()).toBe("");
  await ann.line.press("Enter");
  await ann.line.pressSequentially("   ");
  await ann.line.press("Enter");
  await ann.line.fill("three");
  await ann.line.press("Enter");
  await ben.hears("three");
  expect(await ben.log.locator("p").count()).toBe(2);
});

test("during a composition Enter and Esc belong to the input method", async () => {
  const { ann, ben } = crew;
  await meet(ann, ben, "Text");
  await ann.line.focus();
  const device = await ann.page.context().newCDPSession(ann.page);
  const compose = () =>
    device.send("Input.imeSetComposition", { text: "にほ", selectionStart: 2, selectionEnd: 2 });
  await compose();
  await ann.page.keyboard.press("Enter");
  expect(await ann.log.locator("p").count()).toBe(0);
  await compose();
  await ann.page.keyboard.press("Escape");
  await together(ann, ben);
  await ann.line.fill("");
  await ann.line.focus();
  await compose();
  await device.send("Input.insertText", { text: "日本" });
  await ann.page.keyboard.press("Enter");
  await ben.hears("日本");
});

test("Esc can be switched off, and stays off at the next visit", async () => {
  const { ben } = crew;
  const ann = await stage.visitor({ name: "ann-without-esc" });
  await meet(ann, ben, "Text");
  await ann.button("More").click();
  await ann.page.getByRole("checkbox", { name: /Esc/ }).uncheck();
  await ann.page.keyboard.press("Escape");
  await ann.page.getByRole("dialog").waitFor({ state: "hidden" });
  await ann.page.keyboard.press("Escape");
  await together(ann, ben);
  await ann.page.reload();
  await meet(ann, ben, "Text");
  await ann.page.keyboard.press("Escape");
  await together(ann, ben);
});

test("the whole way from the form to the next stranger works without a mouse", async () => {
  const { ann, ben } = crew;
  await ben.begin("Text");
  await ann.openChat("Text");
  await ann.radio("Text").focus();
  for (let presses = 0; presses < 40; presses++) {
    await ann.page.keyboard.press("Tab");
    if (await ann.button("Start").evaluate((element) => element === document.activeElement)) break;
  }
  await ann.page.keyboard.press("Enter");
  await Promise.all([ann.connected(), ben.connected()]);
  await expect.poll(() => ann.line.evaluate((element) => element === document.activeElement)).toBe(true);
  await ann.page.keyboard.type("by keyboard alone");
  await ann.page.keyboard.press("Enter");
  await ben.hears("by keyboard alone");
});
