// Firefox, and a visitor in it. Playwright drives only a Firefox of its own make; this one is what people have, over
// WebDriver BiDi. It knows of a visitor what the stories need, by the same names as `visitor.ts`.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { launch, type Browser, type Page } from "puppeteer-core";
import { expect } from "vitest";
import { countConnections } from "./census";
import { look, type Sight, type Sound } from "./media";
import { noteStatus, type Kind } from "./visitor";

const FIREFOX = process.env.FIREFOX ?? ["/usr/bin/firefox-esr", "/usr/bin/firefox"].find(existsSync);
const WITHIN_MS = 20_000;

// A camera and a microphone without a question; and nothing leaves this machine.
const PREFERENCES = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.peerconnection.ice.loopback": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "media.gmp-manager.updateEnabled": false,
  "intl.accept_languages": "en-GB, en",
};

export async function launchFirefox(preferences: Record<string, unknown> = {}): Promise<Browser> {
  if (!FIREFOX)
    throw new Error("Firefox is missing (Debian: apt-get install firefox-esr), or name it in FIREFOX.");
  return launch({
    browser: "firefox",
    executablePath: FIREFOX,
    headless: true,
    extraPrefsFirefox: { ...PREFERENCES, ...preferences },
    defaultViewport: { width: 1024, height: 640 },
  });
}

export class FirefoxVisitor {
  readonly page: Page;
  readonly name: string;
  readonly site: string;
  #troubles: string[] = [];

  private constructor(page: Page, name: string, site: string) {
    this.page = page;
    this.name = name;
    this.site = site;
    page.on("console", (message) => {
      if (message.type() === "error") this.#troubles.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => this.#troubles.push(`exception: ${String(error)}`));
    page.on("response", (response) => {
      if (response.status() >= 400) this.#troubles.push(`answer: ${response.status()} ${response.url()}`);
    });
  }

  /** A window with a storage of its own. */
  static async in(browser: Browser, name: string, site: string): Promise<FirefoxVisitor> {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    page.setDefaultTimeout(WITHIN_MS);
    for (const script of [noteStatus, countConnections, countFrames])
      await page.evaluateOnNewDocument(script);
    return new FirefoxVisitor(page, name, site);
  }

  async openChat(kind: Kind = "Video"): Promise<void> {
    await this.page.goto(`${this.site}/chat${kind === "Video" ? "" : `?kind=${kind.toLowerCase()}`}`);
  }

  async begin(kind: Kind = "Video"): Promise<void> {
    await this.openChat(kind);
    await this.press("Start");
  }

  async press(button: string): Promise<void> {
    await this.page.locator(`::-p-aria([name="${button}"][role="button"])`).click();
  }

  status(): Promise<string> {
    return this.page.evaluate(() => document.querySelector("[role=status]")?.textContent?.trim() ?? "");
  }

  history(): Promise<string[]> {
    return this.page.evaluate(() => (window as unknown as { said?: string[] }).said ?? []);
  }

  says(words: RegExp): Promise<void> {
    return expect
      .poll(() => this.status(), { message: `status of ${this.name}`, timeout: WITHIN_MS })
      .toMatch(words);
  }

  looking(): Promise<void> {
    return this.says(/Looking/);
  }

  connected(): Promise<void> {
    return this.says(/Connected/);
  }

  async isConnected(): Promise<boolean> {
    return /Connected/.test(await this.status());
  }

  async reads(words: RegExp): Promise<void> {
    await expect
      .poll(() => this.page.evaluate(() => document.body.innerText), { timeout: WITHIN_MS })
      .toMatch(words);
  }

  async say(text: string): Promise<void> {
    await this.page.locator('::-p-aria([name="Message"][role="textbox"])').fill(text);
    await this.press("Send");
  }

  async hears(text: string): Promise<void> {
    const log = () => this.page.evaluate(() => document.querySelector("[role=log]")?.textContent);
    await expect.poll(log, { message: `log of ${this.name}`, timeout: WITHIN_MS }).toContain(text);
  }

  sight(): Promise<Sight> {
    return this.page.$eval('video[aria-label="Stranger"]', look);
  }

  /** From the statistics: where there is no loudspeaker, Firefox starts no AudioContext. */
  async sound(): Promise<Sound> {
    let loudness = 0;
    for (const endMs = Date.now() + 10_000; loudness < 0.01 && Date.now() < endMs;)
      loudness = Math.max(loudness, await this.page.evaluate(lastingLoudness));
    const player = await this.page.$eval('video[aria-label="Stranger"]', (element) => {
      const { paused, muted, volume } = element as HTMLVideoElement;
      return { paused, muted, volume };
    });
    return { loudness, player };
  }

  next(): Promise<void> {
    return this.press("Next");
  }

  stop(): Promise<void> {
    return this.press("Stop");
  }

  /** As a laptop that is shut: nothing is sent or answered, and nobody is told. Of the whole browser, until `wake`. */
  sleep(): void {
    this.#signal("SIGSTOP");
  }

  wake(): void {
    this.#signal("SIGCONT");
  }

  #signal(signal: NodeJS.Signals): void {
    for (const pid of family(this.page.browser().process()?.pid)) process.kill(pid, signal);
  }

  /** Everything that a visit must not leave behind, since the last time. */
  troubles(): string[] {
    return this.#troubles.splice(0);
  }

  async leave(): Promise<void> {
    await this.page.browserContext().close();
  }
}

/** A process and all that it started: Firefox has one for pages, one for sockets, and others. */
function family(pid: number | undefined): number[] {
  if (pid === undefined) return [];
  const threads = readdirSync(`/proc/${pid}/task`);
  const children = threads.flatMap((id) =>
    readFileSync(`/proc/${pid}/task/${id}/children`, "utf8").split(" "),
  );
  return [pid, ...children.filter(Boolean).map(Number).flatMap(family)];
}

/** Runs in the page before its own scripts: Firefox counts the frames of no stream that comes from afar. */
function countFrames(): void {
  const counts = new WeakMap<HTMLVideoElement, number>();
  HTMLVideoElement.prototype.getVideoPlaybackQuality = function () {
    const count = (video: HTMLVideoElement) => {
      counts.set(video, (counts.get(video) ?? -1) + 1);
      video.requestVideoFrameCallback(() => count(video));
    };
    if (!counts.has(this)) count(this);
    return { totalVideoFrames: counts.get(this) } as VideoPlaybackQuality;
  };
}

/** Runs in the page: how loud the stranger was over half a second. */
async function lastingLoudness(): Promise<number> {
  const { all } = window as unknown as { all: RTCPeerConnection[] };
  const heard = async () => {
    let [energy, seconds] = [0, 0];
    for (const connection of all.filter(({ connectionState }) => connectionState === "connected"))
      (await connection.getStats()).forEach((entry: Record<string, unknown>) => {
        if (entry.type !== "inbound-rtp" || entry.kind !== "audio") return;
        energy += Number(entry.totalAudioEnergy);
        seconds += Number(entry.totalSamplesDuration);
      });
    return { energy, seconds };
  };
  const before = await heard();
  await new Promise((resolve) => setTimeout(resolve, 500));
  const after = await heard();
  const seconds = after.seconds - before.seconds;
  return seconds > 0 ? Math.sqrt((after.energy - before.energy) / seconds) : 0;
}
