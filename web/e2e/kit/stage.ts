// Where the tests of one file play: a server, browsers, visitors. After each test every visit must have been
// clean; after each failure there is a picture of what every visitor saw.

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { BrowserContext, BrowserContextOptions } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { Browsers, launchWithTabs, type Devices } from "./browsers";
import { Server } from "./server";
import { noteStatus, Visitor } from "./visitor";

export interface Visit {
  /** How the visitor is called in tokens and pictures. */
  name?: string;
  devices?: Devices;
  /** Further flags of the browser. */
  flags?: string[];
  context?: BrowserContextOptions;
  /** Runs in the page before the page's own scripts. */
  before?: () => void;
  /** A browser of their own, whose page can be hidden and frozen: `hide`, `show`, `freeze`, `thaw`. */
  tabs?: boolean;
  /** Opens a second window of this visitor's browser, with the same storage. */
  beside?: Visitor;
  /** In place of the server's own address. */
  site?: string;
  /** Comes back for every test of the file: opening windows is what takes the time. */
  stays?: boolean;
}

export const OUT = fileURLToPath(new URL("../out/", import.meta.url));

export class Stage {
  readonly browsers = new Browsers();
  #server: Server | null = null;
  #visitors: Visitor[] = [];
  #crew: Visitor[] = [];
  #contexts: BrowserContext[] = [];

  get server(): Server {
    if (!this.#server) throw new Error("The stage is not open yet.");
    return this.#server;
  }

  async visitor(visit: Visit = {}): Promise<Visitor> {
    const context = visit.beside?.page.context() ?? (await this.#context(visit));
    const page = await context.newPage();
    if (visit.before) await page.addInitScript(visit.before);
    const name = visit.name ?? `visitor-${this.#visitors.length + 1}`;
    const visitor = new Visitor(page, name, visit.site ?? this.server.url);
    (visit.stays ? this.#crew : this.#visitors).push(visitor);
    return visitor;
  }

  async open(flags: string[]): Promise<void> {
    this.#server = await Server.start(flags);
  }

  async clear(test: { name: string; failed: boolean }): Promise<void> {
    const visitors = [...this.#crew, ...this.#visitors.splice(0)];
    if (test.failed) await this.#picture(test.name, visitors);
    const troubles = visitors.flatMap(({ name, watch }) =>
      watch.take().map((trouble) => `${name}: ${trouble}`),
    );
    await Promise.all(this.#contexts.splice(0).map((context) => context.close().catch(() => undefined)));
    for (const visitor of this.#crew) await (test.failed ? visitor.page.goto("about:blank") : visitor.rest());
    if (test.failed) troubles.forEach((trouble) => console.error(trouble));
    else expect(troubles, "what the visits left behind").toEqual([]);
  }

  async close(): Promise<void> {
    await this.browsers.close();
    await this.#server?.end();
  }

  async #context({
    devices = "fake",
    flags = [],
    context = {},
    stays,
    tabs,
  }: Visit): Promise<BrowserContext> {
    const opened = tabs
      ? await launchWithTabs(devices, [...flags, "--window-size=1024,728", "--lang=en-GB"])
      : await (
          await this.browsers.with(devices, flags)
        ).newContext({ viewport: { width: 1024, height: 640 }, locale: "en-GB", ...context });
    opened.setDefaultTimeout(20_000);
    await opened.addInitScript(noteStatus);
    if (!stays) this.#contexts.push(opened);
    return opened;
  }

  async #picture(test: string, visitors: Visitor[]): Promise<void> {
    mkdirSync(OUT, { recursive: true });
    for (const { name, page } of visitors) {
      const path = `${OUT}${`${test} ${name}`.replace(/[^a-z0-9]+/gi, "-").toLowerCase()}.png`;
      const taken = await page
        .screenshot({ path, timeout: 5_000 })
        .then(() => path)
        .catch(() => "no picture, the page is gone");
      console.error(`${name}: ${taken}`);
    }
  }
}

/** Visitors who come back for every test of this file, and stand before Start at its beginning. */
export function useCrew<Name extends string>(stage: Stage, ...names: Name[]): Record<Name, Visitor> {
  const crew = {} as Record<Name, Visitor>;
  beforeAll(async () => {
    for (const name of names) crew[name] = await stage.visitor({ name, stays: true });
  });
  return crew;
}

/** Opens a stage around all tests of this file. `flags` are the server's. */
export function useStage(...flags: string[]): Stage {
  const stage = new Stage();
  beforeAll(() => stage.open(flags));
  afterEach(({ task }) => stage.clear({ name: task.name, failed: task.result?.state === "fail" }));
  afterAll(() => stage.close());
  return stage;
}
