// A press of Next or Block that was not meant: the second half of a double click, Esc twice, or a press made for the wait
// that lands on the stranger who was found in that moment. It would throw away somebody whom the visitor has not
// even seen.

/** What follows a press, or the stranger it brought, sooner than this was meant for what was there before. */
export const SLIP_MS = 500;
const NEAR_PX = 24;

export interface Press {
  atMs: number;
  /** Where, by mouse or finger; null by key. */
  point: { x: number; y: number } | null;
}

export class Slips {
  #last: (Press & { of: "start" | "stop" | "next" | "block" }) | null = null;
  /** Next or Block asked for a stranger who has not come yet. Who comes after that one came unasked. */
  #asked = false;
  /** When the stranger came whom our own Next or Block asked for. */
  #foundAtMs: number | null = null;

  /** Whether it was meant: a double click on Stop ends on Start, which takes its place. */
  start(press: Press): boolean {
    if (this.#isSecondOf("stop", press)) return false;
    this.#note(press, "start");
    return true;
  }

  stop(press: Press): boolean {
    if (!this.other(press)) return false;
    this.#note(press, "stop");
    return true;
  }

  /** Whether a press of anything in a call was meant: a double click on Start ends on what takes its place. */
  other(press: Press): boolean {
    return !this.#isSecondOf("start", press);
  }

  found(atMs: number): void {
    this.#foundAtMs = this.#asked ? atMs : null;
    this.#asked = false;
  }

  /** Who has written to this stranger has seen them. */
  wrote(): void {
    this.#last = null;
    this.#asked = false;
    this.#foundAtMs = null;
  }

  /** Whether this press was meant; one that was not leaves no trace. */
  next(press: Press): boolean {
    const last = this.#last;
    if (last && press.atMs - last.atMs < SLIP_MS && (this.#isOf("next", "block") || near(last, press)))
      return false;
    if (this.#foundAtMs !== null && press.atMs - this.#foundAtMs < SLIP_MS) return false;
    this.#note(press, "next");
    return true;
  }

  /** A press of Next that asks first, and so brings nobody: the second of two is not meant as the answer. */
  held(press: Press): void {
    if (this.next(press)) this.#asked = false;
  }

  /** Whether it was meant: a double click on Block must not block the next stranger as well, who comes in between. */
  block(press: Press): boolean {
    if (!this.other(press)) return false;
    if (this.#isOf("block")) {
      const sinceMs = Math.max(this.#last?.atMs ?? 0, this.#foundAtMs ?? 0);
      if (press.atMs - sinceMs < SLIP_MS) return false;
    }
    this.#note(press, "block");
    return true;
  }

  #note(press: Press, of: "start" | "stop" | "next" | "block"): void {
    this.#last = { ...press, of };
    this.#asked = of === "next" || of === "block";
    this.#foundAtMs = null;
  }

  #isOf(...kinds: ("next" | "block")[]): boolean {
    return kinds.some((kind) => kind === this.#last?.of);
  }

  #isSecondOf(first: "start" | "stop", press: Press): boolean {
    const last = this.#last;
    return last?.of === first && press.atMs - last.atMs < SLIP_MS && near(last, press);
  }
}

function near(a: Press, b: Press): boolean {
  if (!a.point || !b.point) return false;
  return Math.hypot(a.point.x - b.point.x, a.point.y - b.point.y) < NEAR_PX;
}

export function pressNow(): Press {
  return { atMs: performance.now(), point: null };
}

/** A key that presses a button is told as a click without a place. */
export function pressOf({ detail, clientX, clientY }: MouseEvent): Press {
  return { ...pressNow(), point: detail > 0 ? { x: clientX, y: clientY } : null };
}
