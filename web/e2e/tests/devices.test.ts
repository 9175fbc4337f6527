// Cameras and microphones that do not do what one expects of them: the page says what it can.

import { expect, test } from "vitest";
import { findings } from "../kit/axe";
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
  await ann.says(/asking for/);
  expect(await ann.page.getByText(/Still waiting for your answer/).count()).toBe(0);
  await ann.page.getByText(/Still waiting for your answer/).waitFor({ timeout: 15_000 });
  expect(await findings(ann)).toEqual([]);
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

test("what the stranger switched off is said, and again when it is back", async () => {
  const { ben } = crew;
  const ann = await stage.visitor({ name: "ann" });
  await meet(ann, ben);
  await ann.button("Turn camera off").click();
  await ben.reads("Their camera is off.");
  await ann.reads("Your camera is off");
  await ann.button("Mute microphone").click();
  await ben.reads("Their microphone is muted.");
  for (const each of [ann, ben]) expect(await findings(each)).toEqual([]);
  await ann.button("Turn camera off").click();
  await ann.button("Mute microphone").click();
  await ben.page.getByText("Their camera is off.").waitFor({ state: "detached" });
  await ben.page.getByText("Their microphone is muted.").waitFor({ state: "detached" });
});

test("a microphone that is unplugged is said to both, and taken up again when it is back", async () => {
  const { ben } = crew;
  const ann = await stage.visitor({
    name: "ann",
    before: () => {
      if (!navigator.mediaDevices) return;
      const own = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      const world = { gone: false, tracks: [] as MediaStreamTrack[] };
      Object.assign(window, { world });
      navigator.mediaDevices.getUserMedia = async (constraints) => {
        if (world.gone) throw new DOMException("gone", "NotFoundError");
        const stream = await own(constraints);
        world.tracks.push(...stream.getAudioTracks());
        return stream;
      };
    },
  });
  await meet(ann, ben, "Audio");
  const plug = (there: boolean) =>
    ann.page.evaluate((now) => {
      const { world } = window as unknown as { world: { gone: boolean; tracks: MediaStreamTrack[] } };
      world.gone = !now;
      if (now) return void navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
      for (const track of world.tracks.splice(0)) {
        track.stop();
        track.dispatchEvent(new Event("ended"));
      }
    }, there);
  await plug(false);
  await ann.reads(/Your microphone is not working right now/);
  await ben.reads("Their microphone does not work right now.");
  await plug(true);
  await ann.page.getByText(/Your microphone is not working right now/).waitFor({ state: "detached" });
  await ben.page.getByText("Their microphone does not work right now.").waitFor({ state: "detached" });
});
