// Chromium with or without a camera. One process for each way the devices can be, shared within a test file.

import { createServer, type AddressInfo } from "node:net";
import { chromium, type Browser, type BrowserContext } from "playwright-core";

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

// Playwright switches these on for steady tests. With them no page is kept for Back, no timer slows down in a hidden
// page, and no field trial runs: visitors' browsers do all of that, and faults hide behind it. Networking in the
// background stays off: nothing here asks the internet.
const TEST_SWITCHES = [
  "--disable-back-forward-cache",
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  "--disable-field-trial-config",
  "--disable-ipc-flooding-protection",
];

export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** The tests read the page in English, whatever the machine speaks. */
const ENGLISH = { LANG: "en_GB.UTF-8", LANGUAGE: "en_GB:en", LC_ALL: "" };

/** Chromium as visitors have it, without a window on this screen. */
export function launchChromium(devices: Devices, flags: string[] = [], program = CHROMIUM): Promise<Browser> {
  return chromium.launch({
    executablePath: program,
    ignoreDefaultArgs: TEST_SWITCHES,
    env: { ...process.env, ...ENGLISH },
    args: [...QUIET, ...DEVICES[devices], ...flags],
  });
}

/**
 * A browser whose tabs are hidden when another is in front, are slowed down then, and can be frozen. Playwright tells
 * every page of its other browsers that it is the one in front.
 */
export async function launchWithTabs(devices: Devices, flags: string[] = []): Promise<BrowserContext> {
  const port = await freePort();
  const browser = await launchChromium(devices, [...flags, `--remote-debugging-port=${port}`]);
  const bare = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true });
  const [context] = bare.contexts();
  if (!context) throw new Error("The browser has no window.");
  context.once("close", () => void browser.close().catch(() => undefined));
  return context;
}

async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

export class Browsers {
  #open = new Map<string, Promise<Browser>>();

  with(devices: Devices, further: string[] = []): Promise<Browser> {
    const key = [devices, ...further].join(" ");
    const browser = this.#open.get(key) ?? launchChromium(devices, further);
    this.#open.set(key, browser);
    return browser;
  }

  async close(): Promise<void> {
    const all = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(all.map(async (browser) => (await browser).close().catch(() => undefined)));
  }
}
