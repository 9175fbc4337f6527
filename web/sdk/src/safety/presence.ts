// Whether somebody's face is there, from single looks that each may be wrong. Pure: the time comes with every call.
//
// What always holds: a face that only flickers up does not count, a look that misses it now and then does not either, and
// where nobody looks any more, nobody is there.

export interface PresenceRules {
  /** What a visitor starts with. */
  initially: boolean;
  /** How sure a look must be that there is a face, from 0 to 1, to find one … */
  finds: number;
  /** … and to go on seeing it. */
  keeps: number;
  /** So many looks in a row must find it, … */
  looks: number;
  /** … and for so long. */
  forMs: number;
  /** Without it for so long, it is gone. */
  goneAfterMs: number;
  /** How long to rest after a look, while a face is absent and while it is present. */
  restMs: { absent: number; present: number };
}

/** Of a stranger, whose picture stays covered until a face is there. */
export const STRANGER: PresenceRules = {
  initially: false,
  finds: 0.75,
  keeps: 0.65,
  looks: 3,
  forMs: 350,
  goneAfterMs: 3_000,
  restMs: { absent: 150, present: 500 },
};

/** Of the visitor, who is only told that nothing is to be seen of them. */
export const OWN: PresenceRules = {
  ...STRANGER,
  initially: true,
  looks: 1,
  forMs: 0,
  goneAfterMs: 6_000,
  restMs: { absent: 800, present: 1_500 },
};

/** Looks that lie further apart are none in a row. */
const IN_A_ROW_MS = 2_500;

type State =
  | { name: "absent"; row: { looks: number; sinceMs: number; lastMs: number } }
  | { name: "present"; seenMs: number };

export class Presence {
  readonly #rules: PresenceRules;
  #state: State;

  constructor(rules: PresenceRules, nowMs: number) {
    this.#rules = rules;
    this.#state = rules.initially ? { name: "present", seenMs: nowMs } : NOBODY;
  }

  /** A look at the picture as it was at `nowMs`. */
  look(score: number, nowMs: number): void {
    const { finds, keeps, looks, forMs } = this.#rules;
    if (this.at(nowMs)) {
      if (score >= keeps) this.#state = { name: "present", seenMs: nowMs };
      return;
    }
    const { row } = this.#state as State & { name: "absent" };
    const goesOn = row.looks > 0 && nowMs - row.lastMs <= IN_A_ROW_MS;
    if (score < finds) this.#state = NOBODY;
    else {
      const sinceMs = goesOn ? row.sinceMs : nowMs;
      const now = { looks: (goesOn ? row.looks : 0) + 1, sinceMs, lastMs: nowMs };
      const found = now.looks >= looks && nowMs - sinceMs >= forMs;
      this.#state = found ? { name: "present", seenMs: nowMs } : { name: "absent", row: now };
    }
  }

  /** Whether a face is there. */
  at(nowMs: number): boolean {
    if (this.#state.name === "present" && nowMs - this.#state.seenMs >= this.#rules.goneAfterMs)
      this.#state = NOBODY;
    return this.#state.name === "present";
  }
}

const NOBODY: State = { name: "absent", row: { looks: 0, sinceMs: 0, lastMs: 0 } };
