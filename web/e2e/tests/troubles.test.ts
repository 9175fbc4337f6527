// No camera, no permission, no HTTPS: a sentence in plain words, and a button that goes on.

import { expect, test } from "vitest";
import { PLAIN_HOST } from "../kit/browsers";
import { hearsStranger } from "../kit/media";
import { useStage } from "../kit/stage";
import { together, type Visitor } from "../kit/visitor";

const stage = useStage();

test("who refuses the camera reads why, and goes on with text", async () => {
  const ann = await stage.visitor({ name: "ann", devices: "refused" });
  await ann.begin();
  await ann.says(/may not use your camera/);
  await ann.button("Try again").click();
  await ann.says(/may not use your camera/);
  await goesOnWithText(ann);
});

test("who refuses the microphone reads why, and goes on with text", async () => {
  const ann = await stage.visitor({ name: "ann", devices: "refused" });
  await ann.begin("Audio");
  await ann.says(/may not use your microphone/);
  await goesOnWithText(ann);
});

test("who has no camera reads so, and goes on with audio", async () => {
  const ann = await stage.visitor({ name: "ann", devices: "microphone" });
  const ben = await stage.visitor({ name: "ben" });
  await ann.begin();
  await ann.says(/no camera/);
  await ann.button("Audio instead").click();
  await ben.begin("Audio");
  await together(ann, ben);
  await hearsStranger(ben);
});

test("over plain HTTP it is said why there is no camera, and text goes on", async () => {
  const site = `http://${PLAIN_HOST}:${stage.server.port}`;
  const ann = await stage.visitor({ name: "ann", site });
  await ann.begin();
  expect(await ann.page.evaluate(() => isSecureContext)).toBe(false);
  await ann.says(/plain HTTP/);
  await goesOnWithText(ann);
});

test("a camera that another program holds is said, and Try again works once it is free", async () => {
  const ann = await stage.visitor({
    name: "ann",
    before: () => {
      if (!navigator.mediaDevices) return;
      const own = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      let asked = 0;
      navigator.mediaDevices.getUserMedia = (constraints) =>
        asked++ === 0
          ? Promise.reject(new DOMException("Could not start video source", "NotReadableError"))
          : own(constraints);
    },
  });
  await ann.begin();
  await ann.says(/Another program/);
  await ann.button("Try again").click();
  await ann.looking();
});

test("back to the beginning leads from any trouble to Start", async () => {
  const ann = await stage.visitor({ name: "ann", devices: "refused" });
  await ann.begin();
  await ann.button("Back to the beginning").click();
  await ann.radio("Text").check();
  await ann.button("Start").click();
  await ann.looking();
});

async function goesOnWithText(ann: Visitor): Promise<void> {
  const ben = await stage.visitor({ name: "ben" });
  await ann.button("Text instead").click();
  await ann.looking();
  await ben.begin("Text");
  await together(ann, ben);
}
