// People who look for each other while things break, and what nodes say of themselves meanwhile.
import { setTimeout as pause } from "node:timers/promises";

const PATIENCE_MS = 5_000;
/** Between two looks at a page of a node. */
const LOOK_EVERY_MS = 10;
/** Beyond this nobody measures any more. */
const GIVE_UP_S = 60;
let pools = 0;

const newPool = () => `probe-${process.pid}-${(pools += 1)}`;
const since = (began) => (performance.now() - began) / 1_000;

/** One visitor of a text chat at a node, who is alone with whoever names the same pool. */
class Seeker {
  #socket;
  found;
  /** The partner is gone, and it waits again. */
  requeued;

  constructor(node, pool, { requeue = false, patienceMs = PATIENCE_MS } = {}) {
    this.#socket = new WebSocket(node.url);
    let again;
    this.requeued = new Promise((resolve) => (again = resolve));
    this.found = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("met nobody in time")), patienceMs);
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

/** Two people at these nodes who look for each other. */
class Pair {
  #seekers;

  constructor(one, other, options) {
    const pool = newPool();
    this.#seekers = [new Seeker(one, pool, options), new Seeker(other, pool, options)];
  }

  /** Resolves with whether they have met. */
  async met() {
    try {
      const [a, b] = await Promise.all(this.#seekers.map(({ found }) => found));
      return a === b;
    } catch {
      return false;
    }
  }

  get requeued() {
    return this.#seekers[0].requeued;
  }

  part() {
    for (const seeker of this.#seekers) seeker.leave();
  }
}

/** Milliseconds until two people at these nodes have met; null if they did not. */
export async function meet(one, other) {
  const began = performance.now();
  const pair = new Pair(one, other);
  const met = await pair.met();
  pair.part();
  return met ? since(began) * 1_000 : null;
}

/** Meets at one node again and again until told to stop: what happened, and the longest anybody waited. */
class Watch {
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

  end() {
    this.#on = false;
    return this.#over;
  }
}

/** People of each of these nodes meet each other while `trouble` lasts; added to what was seen before. */
export async function meanwhile(nodes, trouble, before = { met: 0, failed: 0, worst_ms: 0 }) {
  const watches = nodes.map((node) => new Watch(node));
  try {
    await trouble();
  } finally {
    await Promise.all(watches.map((watch) => watch.end()));
  }
  const sum = (key) => watches.reduce((all, watch) => all + watch[key], before[key]);
  const worst_ms = Math.max(before.worst_ms, ...watches.map(({ worstMs }) => Math.round(worstMs)));
  return { met: sum("met"), failed: sum("failed"), worst_ms };
}

/** Seconds until all of these nodes are seen to be so; undefined if one never is. */
export async function until(nodes, so) {
  const began = performance.now();
  const each = nodes.map(async (node) => {
    while (!(await so(node))) {
      if (since(began) > GIVE_UP_S) return undefined;
      await pause(LOOK_EVERY_MS);
    }
    return since(began);
  });
  return slowest(await Promise.all(each));
}

/** The longest of all; undefined if one was not measured. */
export const slowest = (seconds) =>
  seconds.length === 0 || seconds.includes(undefined) ? undefined : Math.max(...seconds);

/**
 * `trouble` strikes `victim`, where the strangers of some people of `survivor` are. Seconds from the trouble until the
 * survivors' node has noticed, and from there until the last of them is told and waits again.
 */
export async function survival(survivor, victim, trouble, people = 5) {
  const pairs = Array.from({ length: people }, () => new Pair(survivor, victim, { requeue: true }));
  try {
    if ((await Promise.all(pairs.map((pair) => pair.met()))).includes(false)) return {};
    const gone = () => survivor.figure("visavis_nodes_gone_total");
    const before = await gone();
    const began = performance.now();
    await trouble();
    const detected = until([survivor], async () => (await gone()) > before).then(() => since(began));
    const requeued = Promise.all(pairs.map((pair) => pair.requeued)).then(() => since(began));
    const late = pause(GIVE_UP_S * 1_000, undefined, { ref: false });
    const [noticed_s, again_s] = await Promise.all([detected, Promise.race([requeued, late])]);
    return { noticed_s, requeued_s: again_s && Math.max(0, again_s - noticed_s) };
  } finally {
    for (const pair of pairs) pair.part();
  }
}

/** How long until people of every two of these nodes meet each other again. */
export async function convergence(nodes) {
  const began = performance.now();
  const each = couples(nodes).map(async ([one, other]) => {
    while ((await meet(one, other)) === null) {
      if (since(began) > GIVE_UP_S) return undefined;
      await pause(50);
    }
    return since(began);
  });
  return slowest(await Promise.all(each));
}

/** People who wait for somebody at a node that is out of reach. `met()`: seconds until all have met. */
export function stranded(together) {
  const pairs = together.map(([one, other]) => new Pair(one, other, { patienceMs: 2 * GIVE_UP_S * 1_000 }));
  return {
    async met() {
      const began = performance.now();
      const late = pause(GIVE_UP_S * 1_000, [false], { ref: false });
      const all = await Promise.race([Promise.all(pairs.map((pair) => pair.met())), late]);
      for (const pair of pairs) pair.part();
      return all.includes(false) ? undefined : since(began);
    },
  };
}

export const couples = (nodes) => nodes.flatMap((one, index) => nodes.slice(index + 1).map((other) => [one, other]));
