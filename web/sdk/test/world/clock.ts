// A clock that stands still until it is told to go. Between two timers every promise settles.

export class FakeClock {
  nowMs = 1_000;
  #timers = new Map<number, { atMs: number; run: () => void }>();
  #ids = 0;

  now = (): number => this.nowMs;

  setTimeout = (run: () => void, delayMs: number): number => {
    this.#timers.set(++this.#ids, { atMs: this.nowMs + Math.max(0, delayMs), run });
    return this.#ids;
  };

  clearTimeout = (id: number): void => void this.#timers.delete(id);

  async advance(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    await settle();
    for (let due = this.#due(untilMs); due; due = this.#due(untilMs)) {
      this.nowMs = Math.max(this.nowMs, due.atMs);
      this.#timers.delete(due.id);
      due.run();
      await settle();
    }
    this.nowMs = untilMs;
  }

  /** The machine sleeps: time passes, and every timer that came due runs late. */
  async sleep(ms: number): Promise<void> {
    this.nowMs += ms;
    await this.advance(0);
  }

  #due(untilMs: number) {
    const [first] = [...this.#timers]
      .map(([id, timer]) => ({ id, ...timer }))
      .filter(({ atMs }) => atMs <= untilMs)
      .sort((a, b) => a.atMs - b.atMs || a.id - b.id);
    return first;
  }
}

export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
