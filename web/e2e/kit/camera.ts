// Cameras before which a real face comes and goes, and what is to be seen of them on the other side.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { Visitor } from "./visitor";

const ASTRONAUT = fileURLToPath(new URL("../pictures/astronaut.jpg", import.meta.url));

/** Flags of a browser whose camera films the astronaut. */
export function astronautAsCamera(folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  const jpeg = readFileSync(ASTRONAUT);
  const film = `${folder}astronaut.mjpeg`;
  // One picture alone is not a film.
  writeFileSync(film, Buffer.concat([jpeg, jpeg]));
  return [`--use-file-for-fake-video-capture=${film}`];
}

/** What stands before the camera. `flicker`: the wall, and every now and then the face in a single picture. */
export type Scene = "wall" | "face" | "flicker" | "small" | "dark" | "turned";

interface Painted {
  scene: Scene;
}

/** In place of the camera: a painted one, which films the wall until it is told otherwise. Before the page is opened. */
export async function paintCamera({ page }: Visitor): Promise<void> {
  const face = `data:image/jpeg;base64,${readFileSync(ASTRONAUT).toString("base64")}`;
  await page.addInitScript(paint, face);
}

export async function film({ page }: Visitor, scene: Scene): Promise<void> {
  await page.evaluate((next) => ((window as unknown as Painted).scene = next), scene);
}

/** Runs in the page. */
function paint(face: string): void {
  const own = window as unknown as Painted;
  own.scene = "wall";
  const image = new Image();
  image.src = face;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [320, 240];
  const brush = canvas.getContext("2d");
  let pictures = 0;
  let flickersAt = 3;
  setInterval(() => {
    if (!brush) return;
    pictures += 1;
    brush.filter = "none";
    brush.resetTransform();
    const wall = brush.createLinearGradient(0, 0, 320, 240);
    wall.addColorStop(0, "#8c8478");
    wall.addColorStop(1, "#5b554d");
    brush.fillStyle = wall;
    brush.fillRect(0, 0, 320, 240);
    // Every picture is another one.
    brush.fillStyle = "#777";
    brush.fillRect(pictures % 320, 230, 10, 10);
    const flickers = own.scene === "flicker" && pictures >= flickersAt;
    if (flickers) flickersAt = pictures + 4 + Math.floor(Math.random() * 4);
    if (own.scene === "wall" || (own.scene === "flicker" && !flickers)) return;
    if (own.scene === "small") return brush.drawImage(image, 100, 40, 120, 120);
    if (own.scene === "dark") brush.filter = "brightness(0.25)";
    if (own.scene === "turned") {
      brush.translate(160, 120);
      brush.rotate(0.4);
      brush.translate(-160, -120);
    }
    brush.drawImage(image, 40, 0, 240, 240);
  }, 100);
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const stream = wanted?.audio ? await ask({ audio: wanted.audio }) : new MediaStream();
    if (wanted?.video)
      canvas
        .captureStream(10)
        .getTracks()
        .forEach((track) => stream.addTrack(track));
    return stream;
  };
}

/** Notes from now on, with every picture that is painted, whether the stranger is covered. Before the page is opened. */
export async function noteCover({ page }: Visitor): Promise<void> {
  await page.addInitScript(() => {
    const cover: string[] = [];
    Object.assign(window, { cover });
    const look = () => {
      requestAnimationFrame(look);
      const video = document.querySelector<HTMLVideoElement>('video[aria-label="Stranger"]');
      const paints =
        video?.srcObject && video.videoWidth > 0 && getComputedStyle(video).visibility === "visible";
      const now = !paints ? "nothing" : video.closest('[data-covered="true"]') ? "covered" : "seen";
      if (cover.at(-1) !== now) cover.push(now);
    };
    look();
  });
}

/** What was to be seen of strangers so far, one after the other. */
export function coverOf({ page }: Visitor): Promise<string[]> {
  return page.evaluate(() => (window as unknown as { cover: string[] }).cover);
}

export async function isCovered({ stranger }: Visitor): Promise<boolean> {
  return stranger.evaluate((video) => video.closest('[data-covered="true"]') !== null);
}

export async function becomes(visitor: Visitor, covered: "covered" | "seen"): Promise<void> {
  await expect
    .poll(async () => (await coverOf(visitor)).at(-1), {
      message: `what ${visitor.name} sees`,
      timeout: 20_000,
    })
    .toBe(covered);
}
