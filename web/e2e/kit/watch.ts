// Everything a visit must not leave behind: errors in the console, exceptions, failed requests, 404s.

import type { Page } from "playwright-core";

export class Watch {
  #troubles: string[] = [];
  #expected: RegExp[] = [];

  constructor(page: Page) {
    page.on("console", (message) => {
      if (message.type() === "error") this.#note(`console: ${message.text()} (${message.location().url})`);
    });
    page.on("pageerror", (error) => this.#note(`exception: ${error.stack ?? error.message}`));
    page.on("requestfailed", (request) => {
      const why = request.failure()?.errorText ?? "unknown";
      // A page that is left gives up what it still asked for.
      if (why !== "net::ERR_ABORTED") this.#note(`request: ${why} ${request.url()}`);
    });
    page.on("response", (response) => {
      if (response.status() >= 400) this.#note(`answer: ${response.status()} ${response.url()}`);
    });
  }

  /** What this test does on purpose. */
  expect(trouble: RegExp): void {
    this.#expected.push(trouble);
  }

  /** What there was since the last time. */
  take(): string[] {
    const expected = this.#expected.splice(0);
    return this.#troubles.splice(0).filter((trouble) => !expected.some((each) => each.test(trouble)));
  }

  #note(trouble: string): void {
    this.#troubles.push(trouble);
  }
}
