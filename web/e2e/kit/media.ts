// What a visitor sees and hears of the stranger, measured where it arrives: in the picture and in the sound.

import { expect } from "vitest";
import type { Visitor } from "./visitor";

export interface Sight {
  /** Decoded so far. */
  frames: number;
  width: number;
  /** How far the brightness differs within the picture: 0 is one flat colour. */
  contrast: number;
  /** None of the tracks shown is the visitor's own. */
  foreign: boolean;
}

export function sightOf(visitor: Visitor): Promise<Sight> {
  return visitor.stranger.evaluate((element) => {
    const video = element as HTMLVideoElement;
    const own = document.querySelector<HTMLVideoElement>('video[aria-label="You"]')?.srcObject;
    const tracksOf = (stream: unknown) => (stream instanceof MediaStream ? stream.getTracks() : []);
    const shown = tracksOf(video.srcObject).map(({ id }) => id);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [32, 24];
    const paint = canvas.getContext("2d", { willReadFrequently: true });
    paint?.drawImage(video, 0, 0, 32, 24);
    const pixels = paint?.getImageData(0, 0, 32, 24).data ?? new Uint8ClampedArray();
    const greens = [...pixels].filter((_, index) => index % 4 === 1);
    return {
      frames: video.getVideoPlaybackQuality().totalVideoFrames,
      width: video.videoWidth,
      contrast: Math.max(...greens) - Math.min(...greens),
      foreign: shown.length > 0 && !tracksOf(own).some(({ id }) => shown.includes(id)),
    };
  });
}

/** Waits until the stranger's picture moves: more frames than there are now, and something on them. */
export async function seesStranger(visitor: Visitor, furtherFrames = 5, withinMs = 20_000): Promise<void> {
  const { frames } = await sightOf(visitor);
  await expect
    .poll(async () => (await sightOf(visitor)).frames, {
      message: `frames that ${visitor.name} sees`,
      timeout: withinMs,
    })
    .toBeGreaterThanOrEqual(frames + furtherFrames);
  const sight = await sightOf(visitor);
  expect(sight.width, `width of the picture that ${visitor.name} sees`).toBeGreaterThan(0);
  expect(sight.contrast, `contrast of the picture that ${visitor.name} sees`).toBeGreaterThan(32);
  expect(sight.foreign, `${visitor.name} sees someone else`).toBe(true);
}

/** Waits until the stranger's sound is more than silence (the fake microphone beeps), and is being played. */
export async function hearsStranger(visitor: Visitor): Promise<void> {
  const loudness = await visitor.stranger.evaluate(async (element) => {
    const { srcObject } = element as HTMLVideoElement;
    const audio = new AudioContext();
    const meter = audio.createAnalyser();
    audio.createMediaStreamSource(srcObject as MediaStream).connect(meter);
    await audio.resume();
    const wave = new Float32Array(meter.fftSize);
    let loudest = 0;
    for (const endMs = performance.now() + 10_000; loudest < 0.01 && performance.now() < endMs;) {
      await new Promise((resolve) => setTimeout(resolve, 30));
      meter.getFloatTimeDomainData(wave);
      loudest = wave.reduce((most, value) => Math.max(most, Math.abs(value)), loudest);
    }
    await audio.close();
    return loudest;
  });
  expect(loudness, `loudness of what ${visitor.name} hears`).toBeGreaterThanOrEqual(0.01);
  const playing = await visitor.stranger.evaluate((element) => {
    const { paused, muted, volume } = element as HTMLVideoElement;
    return { paused, muted, volume };
  });
  expect(playing, `how ${visitor.name}'s window plays it`).toEqual({
    paused: false,
    muted: false,
    volume: 1,
  });
}
