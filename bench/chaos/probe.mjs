// Two people who look for each other while things break: do they meet, and how soon?
import { setTimeout as pause } from "node:timers/promises";

const PATIENCE_MS = 5_000;
let pools = 0;

/** One visitor of a text chat at a node, who is alone with whoever names the same pool. */
class Seeker {
  #socket;
  found;
  /** The partner is gone, and it waits again. */
  requeued;

  constructor(node, pool, requeue = false) {
    this.#socket = new WebSocket(node.url);
    let again;
    this.requeued = new Promise((resolve) => (again = resolve));
    this.found = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("met nobody in time")), PATIENCE_MS);
      const search = { type: "find_partner", kind: "text", pool, requeue };
      this.#socket.onopen = () => this.#socket.send(JSON.stringify(search));
      this.#socket.onerror = () => reject(new Error("no connection"));
      this.#socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === "partner_left" && message.requeued) again();
        if (message.type !== "partner_found") return;
        clearTimeout(timer);
        resolve(message.match_id);
      };
      this.#socket.onclose = () => reject(new Error("closed"));
    });
    this.found.catch(() => undefined);
  }

  leave() {
    this.#socket.onclose = null;
    this.#socket.close();
  }
}

/** Seconds from `kill`, which kills the node of `other`, until whoever met somebody there is told so and waits again. */
export async function survival(one, other, kill) {
  pools += 1;
  const pool = `probe-${process.pid}-${pools}`;
  const seekers = [new Seeker(one, pool, true), new Seeker(other, pool)];
  try {
    await Promise.all(seekers.map(({ found }) => found));
    const began = performance.now();
    await kill();
    await seekers[0].requeued;
    return (performance.now() - began) / 1_000;
  } catch {
    return undefined;
  } finally {
    for (const seeker of seekers) seeker.leave();
  }
}

/** Milliseconds until two people at these nodes have met; null if they did not. */
export async function meet(one, other) {
  pools += 1;
  const pool = `probe-${process.pid}-${pools}`;
  const began = performance.now();
  const seekers = [new Seeker(one, pool), new Seeker(other, pool)];
  try {
    const [a, b] = await Promise.all(seekers.map(({ found }) => found));
    return a === b ? performance.now() - began : null;
  } catch {
    return null;
  } finally {
    for (const seeker of seekers) seeker.leave();
  }
}

/** Meets at one node again and again until told to stop: what happened, and the longest anybody waited. */
export class Watch {
  #on = true;
  #over;
  met = 0;
  failed = 0;
  worstMs = 0;

  constructor(node, everyMs = 250) {
    this.#over = this.#look(node, everyMs);
  }

  async #look(node, everyMs) {
    while (this.#on) {
      const took = await meet(node, node);
      if (took === null) this.failed += 1;
      else this.met += 1;
      this.worstMs = Math.max(this.worstMs, took ?? PATIENCE_MS);
      await pause(everyMs);
    }
  }

  async end() {
    this.#on = false;
    await this.#over;
    return {
      met: this.met,
      failed: this.failed,
      worst_ms: Math.round(this.worstMs),
    };
  }
}

/** How long until people of every pair of nodes meet each other again. */
export async function convergence(nodes) {
  const began = performance.now();
  const pairs = nodes.flatMap((one, index) => nodes.slice(index + 1).map((other) => [one, other]));
  for (const [one, other] of pairs) {
    while ((await meet(one, other)) === null) {
      if (performance.now() - began > 60_000) return undefined;
    }
  }
  return (performance.now() - began) / 1_000;
}
