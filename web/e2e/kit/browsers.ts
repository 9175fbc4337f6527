// Chromium with or without a camera. One process for each way the devices can be, shared within a test file.

import { chromium, type Browser } from "playwright-core";

/** `fake`: camera and microphone, and permission to use them. `refused`: the visitor said no. `microphone`: no camera. */
export type Devices = "fake" | "refused" | "microphone";

/** A name that leads to this machine, but is not `localhost`: over plain HTTP not a secure context. */
export const PLAIN_HOST = "visavis.test";

const QUIET = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  `--host-resolver-rules=MAP ${PLAIN_HOST} 127.0.0.1`,
];

// Ten pictures a second are enough to see whether they move, and leave the cores to the rest.
const DEVICES: Record<Devices, string[]> = {
  fake: ["--use-fake-device-for-media-stream=fps=10", "--use-fake-ui-for-media-stream"],
  refused: ["--use-fake-device-for-media-stream", "--deny-permission-prompts"],
  microphone: ["--use-fake-device-for-media-stream=device-count=0", "--use-fake-ui-for-media-stream"],
};

export function flagsOf(devices: Devices): string[] {
  return [...QUIET, ...DEVICES[devices]];
}

export class Browsers {
  #open = new Map<string, Promise<Browser>>();

  with(devices: Devices, further: string[] = []): Promise<Browser> {
    const key = [devices, ...further].join(" ");
    const browser =
      this.#open.get(key) ??
      chromium.launch({
        executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
        args: [...flagsOf(devices), ...further],
      });
    this.#open.set(key, browser);
    return browser;
  }

  async close(): Promise<void> {
    const all = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(all.map(async (browser) => (await browser).close().catch(() => undefined)));
  }
}
