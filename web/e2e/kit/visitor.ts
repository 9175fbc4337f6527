// A visitor and their window. Finds things only by the names that are a contract: roles, labels, status words.

import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { listen, look, type Sight, type Sound } from "./media";
import { Watch } from "./watch";

export type Kind = "Video" | "Audio" | "Text";

export class Visitor {
  readonly page: Page;
  readonly name: string;
  readonly watch: Watch;
  readonly site: string;

  constructor(page: Page, name: string, site: string) {
    this.page = page;
    this.name = name;
    this.site = site;
    this.watch = new Watch(page);
  }

  button(name: string): Locator {
    return this.page.getByRole("button", { name, exact: true });
  }

  get status(): Locator {
    return this.page.getByRole("status");
  }

  get log(): Locator {
    return this.page.getByRole("log");
  }

  get line(): Locator {
    return this.page.getByRole("textbox", { name: "Message", exact: true });
  }

  get stranger(): Locator {
    return this.page.locator('video[aria-label="Stranger"]');
  }

  sight(): Promise<Sight> {
    return this.stranger.evaluate(look);
  }

  sound(): Promise<Sound> {
    return this.stranger.evaluate(listen);
  }

  async press(button: string): Promise<void> {
    await this.button(button).click();
  }

  radio(kind: Kind): Locator {
    return this.page
      .getByRole("radiogroup", { name: "Chat type", exact: true })
      .getByRole("radio", { name: kind, exact: true });
  }

  async openChat(kind: Kind = "Video"): Promise<void> {
    await this.page.goto(`${this.site}/chat${kind === "Video" ? "" : `?kind=${kind.toLowerCase()}`}`);
    await expect.poll(() => this.radio(kind).isChecked()).toBe(true);
  }

  /** Presses Start, in the chat's own form if that is already open. */
  async begin(kind: Kind = "Video"): Promise<void> {
    if (await this.button("Start").isVisible()) await this.radio(kind).check();
    else await this.openChat(kind);
    await this.button("Start").click();
  }

  /** Everything the status has said on this page, in order. */
  history(): Promise<string[]> {
    return this.page.evaluate(() => (window as unknown as { said?: string[] }).said ?? []);
  }

  /** Back to before Start. */
  async rest(): Promise<void> {
    if (await this.button("Stop").isVisible()) await this.stop();
    else if (!(await this.button("Start").isVisible())) await this.page.goto("about:blank");
  }

  async next(): Promise<void> {
    await this.button("Next").click();
  }

  async stop(): Promise<void> {
    await this.button("Stop").click();
  }

  /** By the browser's own button. A page that was kept comes back as it was, without loading. */
  async back(): Promise<void> {
    await this.page.goBack({ waitUntil: "commit" });
  }

  /** Another tab is in front from now on. Needs a browser with `tabs`. */
  async hide(): Promise<void> {
    const other = await this.page.context().newPage();
    await other.bringToFront();
    await expect.poll(() => this.page.evaluate(() => document.visibilityState)).toBe("hidden");
  }

  async show(): Promise<void> {
    await this.page.bringToFront();
    await expect.poll(() => this.page.evaluate(() => document.visibilityState)).toBe("visible");
  }

  /** The browser stops a hidden page, as it does to save the battery: no script runs until `thaw`. */
  async freeze(): Promise<void> {
    await this.#lifecycle("frozen");
  }

  async thaw(): Promise<void> {
    await this.#lifecycle("active");
  }

  async #lifecycle(state: "frozen" | "active"): Promise<void> {
    const line = await this.page.context().newCDPSession(this.page);
    await line.send("Page.setWebLifecycleState", { state });
    await line.detach();
  }

  /** Waits until the status says this. */
  says(words: string | RegExp): Promise<void> {
    return this.status.filter({ hasText: words }).waitFor({ state: "attached" });
  }

  looking(): Promise<void> {
    return this.says(/Looking/);
  }

  connected(): Promise<void> {
    return this.says(/Connected/);
  }

  async isConnected(): Promise<boolean> {
    return /Connected/.test(await this.status.innerText());
  }

  /** Waits until this can be read anywhere on the page. */
  reads(words: string | RegExp): Promise<void> {
    return this.page.getByText(words).first().waitFor();
  }

  async say(text: string): Promise<void> {
    await this.line.fill(text);
    await this.button("Send").click();
  }

  /** Waits until the log holds this, letter by letter. */
  async hears(text: string): Promise<void> {
    await expect.poll(() => this.log.textContent(), { timeout: 15_000 }).toContain(text);
  }
}

/** Brings two into a call with each other, where nobody else waits. */
export async function meet(a: Visitor, b: Visitor, kind: Kind = "Video"): Promise<void> {
  await Promise.all([a.begin(kind), b.begin(kind)]);
  await Promise.all([a.connected(), b.connected()]);
}

/** Waits until each of them was looking for somebody since `act`, however short that was. */
export async function partsThem(visitors: Visitor[], act: () => Promise<void>): Promise<void> {
  const before = await Promise.all(visitors.map(async (visitor) => (await visitor.history()).length));
  await act();
  for (const [index, visitor] of visitors.entries()) {
    const since = async () => (await visitor.history()).slice(before[index]).join("\n");
    await expect.poll(since, { message: `status of ${visitor.name}`, timeout: 15_000 }).toMatch(/Looking/);
  }
}

/** Runs in the page before its own scripts: notes what the status says. */
export function noteStatus(): void {
  const said: string[] = [];
  Object.assign(window, { said });
  const note = () => {
    const all = document.querySelectorAll("[role=status]");
    if (all.length > 1) said.push(`${all.length} elements with the role status`);
    const text = all[0]?.textContent?.trim() ?? "";
    if (said.at(-1) !== text) said.push(text);
  };
  new MutationObserver(note).observe(document, { childList: true, subtree: true, characterData: true });
}

/** Waits until two of them are in a call with each other, proven by words that only the other can have sent. */
export async function together(a: Visitor, b: Visitor): Promise<void> {
  await Promise.all([a.connected(), b.connected()]);
  expect(await partners([a, b])).toEqual({ [a.name]: b.name, [b.name]: a.name });
}

let round = 0;

/**
 * Who talks with whom: everyone who is in a call says a word of their own, and the logs tell who got it.
 * Fails where somebody hears none or more than one.
 */
export async function partners(visitors: Visitor[]): Promise<Record<string, string>> {
  round += 1;
  const word = ({ name }: Visitor) => `<${name}/${round}>`;
  await Promise.all(visitors.map((visitor) => visitor.say(word(visitor))));
  const heard = async (visitor: Visitor): Promise<string[]> => {
    const text = (await visitor.log.textContent()) ?? "";
    return visitors
      .filter((other) => other !== visitor && text.includes(word(other)))
      .map(({ name }) => name);
  };
  for (const visitor of visitors) {
    await expect
      .poll(() => heard(visitor), { message: `whom ${visitor.name} hears`, timeout: 15_000 })
      .toHaveLength(1);
  }
  const pairs: Record<string, string> = {};
  for (const visitor of visitors) pairs[visitor.name] = (await heard(visitor)).join();
  return pairs;
}
