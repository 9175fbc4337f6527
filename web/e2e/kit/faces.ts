// Two drawn people for the fake camera: flat shapes, no photograph of anybody. Painted by the browser itself and
// written as Y4M (planar YUV 4:2:0), which Chromium plays in place of a camera.

import { mkdirSync, writeFileSync } from "node:fs";
import type { Page } from "playwright-core";

const WIDTH = 640;
const HEIGHT = 480;

/** Behind each of them a window by day or a lamp by night. */
export const FACES = {
  day: `
    <rect width="640" height="480" fill="#d9c8b4"/>
    <rect x="372" y="40" width="210" height="240" fill="#f4efe6"/>
    <rect x="386" y="54" width="182" height="212" fill="#9cc4d8"/>
    <path d="M386 214q46-40 92-8t90-22v82H386z" fill="#6f9a72"/>
    <path d="M473 54h8v212h-8zM386 152h182v8H386z" fill="#f4efe6"/>
    <rect x="40" y="96" width="150" height="10" fill="#8a6a4c"/>
    <path d="M58 40h18v56H58zM80 32h14v64H80zM98 46h22v50H98z" fill="#a8503c"/>
    <path d="M124 38h12v58h-12zM140 50h26v46h-26z" fill="#35566b"/>
    <path d="M96 480c6-106 88-140 206-140s202 34 210 140z" fill="#2f5d62"/>
    <path d="M264 300h78v58q-39 34-78 0z" fill="#c08a66"/>
    <path d="M204 190q-8-122 100-124t98 126q-2 74-28 108H230q-24-36-26-110z" fill="#3a2a22"/>
    <path d="M226 190q0-82 78-84t76 84q0 62-30 92t-48 30-48-30-28-92z" fill="#d9a27c"/>
    <path d="M222 186q34-6 62-56 40 44 100 54-4-92-82-94-80 4-80 96z" fill="#3a2a22"/>
    <path d="M252 184q16-10 32 0M322 184q16-10 32 0" fill="none" stroke="#3a2a22" stroke-width="6" stroke-linecap="round"/>
    <circle cx="269" cy="206" r="7" fill="#2b1d17"/><circle cx="338" cy="206" r="7" fill="#2b1d17"/>
    <path d="M304 208l-6 34h14" fill="none" stroke="#b27a57" stroke-width="5" stroke-linecap="round" stroke-linejoin="round"/>
    <path d="M274 262q30 26 60 0" fill="#fff" stroke="#9c4a3c" stroke-width="6" stroke-linejoin="round"/>`,
  night: `
    <rect width="640" height="480" fill="#26303f"/>
    <path d="M60 480L120 190h90l60 290z" fill="#33405a"/>
    <path d="M128 96h74l30 96H98z" fill="#f2c66d"/>
    <path d="M162 192h8v288h-8z" fill="#8d97a8"/>
    <rect x="450" y="70" width="130" height="160" fill="#3c4a63"/>
    <rect x="462" y="82" width="106" height="136" fill="#53698a"/>
    <path d="M462 190l34-48 26 30 18-20 28 38v28H462z" fill="#2c3b52"/>
    <circle cx="540" cy="112" r="12" fill="#e8e2cf"/>
    <path d="M128 480c6-100 84-136 196-136s190 36 196 136z" fill="#b5573f"/>
    <path d="M254 352q70 52 140 0l10 12q-80 62-160 0z" fill="#8f402d"/>
    <path d="M286 306h78v56q-39 34-78 0z" fill="#7b4f39"/>
    <path d="M246 188q0-86 79-86t79 86q0 64-28 96t-51 32-51-32-28-96z" fill="#94624a"/>
    <path d="M240 182q-16-104 86-108 100 2 84 108l-14-6q-6-44-34-56-40 14-82 0-22 14-28 58z" fill="#17130f"/>
    <path d="M262 230q8 86 63 88t63-88q-12 36-36 32-27-10-54 0-24 4-36-32z" fill="#17130f"/>
    <path d="M272 184q16-8 30 0M346 184q16-8 30 0" fill="none" stroke="#17130f" stroke-width="7" stroke-linecap="round"/>
    <rect x="260" y="194" width="52" height="38" rx="12" fill="none" stroke="#d9d2c4" stroke-width="5"/>
    <rect x="338" y="194" width="52" height="38" rx="12" fill="none" stroke="#d9d2c4" stroke-width="5"/>
    <path d="M312 210q13-8 26 0" fill="none" stroke="#d9d2c4" stroke-width="5"/>
    <circle cx="286" cy="213" r="6" fill="#120d0a"/><circle cx="364" cy="213" r="6" fill="#120d0a"/>
    <path d="M300 274q25 20 50 0" fill="#fff" stroke="#5b2f22" stroke-width="5" stroke-linejoin="round"/>`,
} as const;

export async function writeFaces(page: Page, folder: string): Promise<Record<keyof typeof FACES, string>> {
  mkdirSync(folder, { recursive: true });
  const files = {} as Record<keyof typeof FACES, string>;
  for (const name of Object.keys(FACES) as (keyof typeof FACES)[]) {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}">${FACES[name]}</svg>`;
    const pixels = await page.evaluate(paint, { svg, width: WIDTH, height: HEIGHT });
    files[name] = `${folder}/${name}.y4m`;
    writeFileSync(files[name], y4m(Buffer.from(pixels, "base64")));
  }
  return files;
}

/** Runs in the page. RGBA, base64. */
async function paint({
  svg,
  width,
  height,
}: {
  svg: string;
  width: number;
  height: number;
}): Promise<string> {
  const image = new Image(width, height);
  image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  context?.drawImage(image, 0, 0, width, height);
  const { data } = context?.getImageData(0, 0, width, height) ?? { data: new Uint8ClampedArray() };
  let text = "";
  for (let at = 0; at < data.length; at += 8_192)
    text += String.fromCharCode(...data.subarray(at, at + 8_192));
  return btoa(text);
}

/** BT.601, limited range, as cameras deliver it. Two equal frames: one alone is not a film. */
function y4m(rgba: Buffer): Buffer {
  const luma = Buffer.alloc(WIDTH * HEIGHT);
  const [blue, red] = [Buffer.alloc(luma.length / 4), Buffer.alloc(luma.length / 4)];
  const at = (x: number, y: number) => {
    const index = (y * WIDTH + x) * 4;
    return [rgba[index] ?? 0, rgba[index + 1] ?? 0, rgba[index + 2] ?? 0] as const;
  };
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const [r, g, b] = at(x, y);
      luma[y * WIDTH + x] = 16 + (65.7 * r + 129.1 * g + 25.1 * b) / 256;
      if (x % 2 === 1 || y % 2 === 1) continue;
      const index = (y / 2) * (WIDTH / 2) + x / 2;
      blue[index] = 128 + (-37.9 * r - 74.5 * g + 112.4 * b) / 256;
      red[index] = 128 + (112.4 * r - 94.2 * g - 18.3 * b) / 256;
    }
  }
  const frame = Buffer.concat([Buffer.from("FRAME\n"), luma, blue, red]);
  return Buffer.concat([
    Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F15:1 Ip A1:1 C420jpeg\n`),
    frame,
    frame,
  ]);
}
