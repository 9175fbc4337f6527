// What a visitor sees and hears of the stranger, measured where it arrives: in the picture and in the sound.

import { expect } from "vitest";

export interface Sight {
  /** Decoded so far. */
  frames: number;
  width: number;
  /** How far the brightness differs within the picture: 0 is one flat colour. */
  contrast: number;
  /** None of the tracks shown is the visitor's own. */
  foreign: boolean;
}

/** Runs in the page. */
export function look(element: Element): Sight {
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
}

/** Somebody who sees a stranger, in whatever browser. */
export interface Onlooker {
  readonly name: string;
  sight(): Promise<Sight>;
  sound(): Promise<Sound>;
}

/** Waits until the stranger's picture moves: more frames than there are now, and something on them. */
export async function seesStranger(visitor: Onlooker, furtherFrames = 5, withinMs = 20_000): Promise<void> {
  const { frames } = await visitor.sight();
  await expect
    .poll(async () => (await visitor.sight()).frames, {
      message: `frames that ${visitor.name} sees`,
      timeout: withinMs,
    })
    .toBeGreaterThanOrEqual(frames + furtherFrames);
  // Firefox's fake camera shows one colour and a clock.
  const sight = await visitor.sight();
  expect(sight.width, `width of the picture that ${visitor.name} sees`).toBeGreaterThan(0);
  expect(sight.contrast, `contrast of the picture that ${visitor.name} sees`).toBeGreaterThan(16);
  expect(sight.foreign, `${visitor.name} sees someone else`).toBe(true);
}

export interface Sound {
  /** The highest there was, from 0 to 1. */
  loudness: number;
  /** How the window plays it. */
  player: { paused: boolean; muted: boolean; volume: number };
}

/** Runs in the page: listens until there is more than silence, at most for ten seconds. */
export async function listen(element: Element): Promise<Sound> {
  const video = element as HTMLVideoElement;
  const audio = new AudioContext();
  const meter = audio.createAnalyser();
  audio.createMediaStreamSource(video.srcObject as MediaStream).connect(meter);
  await audio.resume();
  const wave = new Float32Array(meter.fftSize);
  let loudness = 0;
  for (const endMs = performance.now() + 10_000; loudness < 0.01 && performance.now() < endMs;) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    meter.getFloatTimeDomainData(wave);
    loudness = wave.reduce((most, value) => Math.max(most, Math.abs(value)), loudness);
  }
  await audio.close();
  const { paused, muted, volume } = video;
  return { loudness, player: { paused, muted, volume } };
}

/** Waits until the stranger's sound is more than silence (the fake microphone beeps), and is being played. */
export async function hearsStranger(visitor: Onlooker): Promise<void> {
  const { loudness, player } = await visitor.sound();
  expect(loudness, `loudness of what ${visitor.name} hears`).toBeGreaterThanOrEqual(0.01);
  expect(player, `how ${visitor.name}'s window plays it`).toEqual({ paused: false, muted: false, volume: 1 });
}
