// Cameras and microphones that do not do what one expects of them: the page says what it can.

import { expect, test } from "vitest";
import { useCrew, useStage } from "../kit/stage";
import { meet } from "../kit/visitor";

const stage = useStage("--lobby-recent-pause-ms", "100");
const crew = useCrew(stage, "ben");

test("a question that is not answered is explained after a while, and text is offered", async () => {
  const ann = await stage.visitor({
    name: "ann",
    before: () => {
      if (navigator.mediaDevices) navigator.mediaDevices.getUserMedia = () => new Promise(() => undefined);
    },
  });
  await ann.begin();
  await ann.says(/asks for/);
  expect(await ann.page.getByText(/Still waiting for your answer/).count()).toBe(0);
  await ann.page.getByText(/Still waiting for your answer/).waitFor({ timeout: 15_000 });
  await ann.button("Text instead").click();
  await ann.looking();
});

test("after a device that was refused the list names the one in use", async () => {
  const ann = await stage.visitor({
    name: "ann",
    before: () => {
      if (!navigator.mediaDevices) return;
      const own = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      let asked = 0;
      navigator.mediaDevices.getUserMedia = (constraints) =>
        asked++ === 0 ? own(constraints) : Promise.reject(new DOMException("gone", "NotFoundError"));
      const list = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
      navigator.mediaDevices.enumerateDevices = async () => [
        ...(await list()),
        { kind: "audioinput", deviceId: "broken", label: "Broken one", groupId: "", toJSON: () => "" },
      ];
    },
  });
  await meet(ann, crew.ben, "Audio");
  await ann.button("More").click();
  const list = ann.page.getByRole("combobox", { name: "Microphone" });
  await list.locator("option", { hasText: "Broken one" }).waitFor({ state: "attached" });
  const before = await list.inputValue();
  await list.selectOption("broken");
  await ann.reads(/did not start/);
  expect(await list.inputValue()).toBe(before);
});
