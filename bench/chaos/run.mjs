#!/usr/bin/env -S node --experimental-websocket --no-warnings
// What breaks when several nodes act as one place, broken on purpose: `make chaos`.
//
//   bench/chaos/run.mjs [--only storm,kill,redis,empty,partition,pause,rolling] [--visitors 1500] [--short] [--out FILE]
//
// Three nodes, Redis, the load client; every pairing is checked from outside, as in a storm. --short makes outages of
// 3 s and small crowds.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { atLeast, atMost, attempt, report } from "../lib/results.mjs";
import { requireBuilt, runLoad, withDirectory } from "../lib/servers.mjs";
import { answers, Place } from "./place.mjs";
import { convergence, meet, survival, Watch } from "./probe.mjs";

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    visitors: { type: "string", default: "1500" },
    short: { type: "boolean", default: false },
    out: { type: "string" },
  },
});
requireBuilt();

const brief = options.short;
const crowd = brief ? 500 : Number(options.visitors);
const OUTAGE_S = brief ? 3 : 60;
const PAUSE_S = brief ? 3 : 30;
/** After which silence the nodes think one of them dead: `LEASE` in crates/server/src/backend/redis.rs. */
const LEASE_S = 2.5;
/** Time before and after a trouble in which everything is as usual. */
const CALM_S = brief ? 2 : 5;

/** People who come and go at all nodes for so long, while `trouble` happens. */
async function churn(place, seconds, trouble) {
  const [first, ...others] = place.urls;
  const scenario = ["--scenario", "churn", "--seconds", seconds, "--stay-ms", 1_500, "--visitors", crowd];
  const more = others.flatMap((url) => ["--url", url]);
  const [result] = await Promise.all([
    runLoad(first, [...more, ...scenario, "--settle-ms", 100]),
    // The crowd connects first.
    pause(1_500 + CALM_S * 1_000).then(trouble),
  ]);
  return result;
}

/** The longest of all, if all were measured. */
const slowest = (seconds) => (seconds.includes(undefined) ? undefined : Math.max(...seconds));
const pairs = (result) => result.rounds.reduce((sum, round) => sum + round.pairs, 0);
function broken(name, result) {
  for (const each of result?.violations.listed ?? []) console.error(`chaos: ${name}: ${each}`);
  return atMost(`${name}: promises broken`, result?.violations.count, 0);
}
const localFailed = (name, local) =>
  atMost(`${name}: people at one node who did not find each other`, local?.failed, 0);
const healed = (name, seconds) => atMost(`${name}: until all nodes meet again`, seconds, 5, "s");

/** While Redis is out of reach for `node`: it says so, and matches its own people all the same. */
async function away(nodes, between) {
  const said = nodes.map(() => ({ away: false, status: 0 }));
  const watches = nodes.map((node) => new Watch(node));
  await between(async () => {
    for (const [index, node] of nodes.entries()) {
      await answers(
        async () => (await node.ready())?.redis === "away",
        `${node.name} to notice`,
        15_000,
      ).then(
        () => (said[index].away = true),
        () => undefined,
      );
      said[index].status = (await node.ready())?.status;
      said[index].up = await node.figure("visavis_redis_up").catch(() => undefined);
    }
  });
  const each = await Promise.all(watches.map((watch) => watch.end()));
  const sum = (name) => each.reduce((all, watch) => all + watch[name], 0);
  const local = {
    met: sum("met"),
    failed: sum("failed"),
    worst_ms: Math.max(...each.map(({ worst_ms }) => worst_ms)),
  };
  return { said, local };
}

function saidSo(name, { said }) {
  const right = said.filter(({ away, status, up }) => away && status === 200 && up === 0).length;
  return atLeast(`${name}: nodes that say so in /readyz (at 200) and in the metric`, right, said.length);
}

async function backAgain(nodes) {
  for (const node of nodes)
    await answers(async () => (await node.ready())?.redis === "ok", `${node.name} to be back`, 15_000);
}

const SCENARIOS = {
  /** Everybody presses Next at once, at all nodes. */
  async storm(place) {
    const visitors = brief ? 500 : 9_000;
    const [first, ...others] = place.urls;
    const more = others.flatMap((url) => ["--url", url]);
    const result = await runLoad(first, [
      ...more,
      "--visitors",
      visitors,
      "--scenario",
      "storm",
      "--rounds",
      2,
      "--seconds",
      60,
      "--source-addresses",
      4,
    ]);
    const across = [];
    for (let n = 0; n < 20; n += 1) across.push(await meet(place.nodes[0], place.nodes[1]));
    return {
      figures: { pairs: pairs(result), across_ms: across },
      targets: [
        broken(`storm of ${visitors} over 3 nodes, 2 rounds: each matched once`, result),
        atLeast("storm: pairs", pairs(result), visitors),
      ],
    };
  },

  async kill(place) {
    const times = brief ? 1 : 5;
    const gap = brief ? 3 : 8;
    let converged;
    const survived = [];
    const result = await churn(place, CALM_S * 2 + times * gap + 14, async () => {
      for (let n = 0; n < times; n += 1) {
        const node = place.nodes[n % place.nodes.length];
        const other = place.nodes[(n + 1) % place.nodes.length];
        survived.push(await survival(other, node, () => node.kill()));
        await pause((gap * 1_000) / 2);
        await node.start();
        await pause((gap * 1_000) / 2);
      }
      converged = await convergence(place.nodes);
    });
    const name = `kill -9 of a node, ${times} times`;
    return {
      figures: {
        pairs: pairs(result),
        survived_s: survived,
        converged_s: converged,
      },
      targets: [
        broken(name, result),
        atMost(
          `${name}: until the stranger of somebody there waits again`,
          slowest(survived),
          LEASE_S + 2,
          "s",
        ),
        healed(name, converged),
      ],
    };
  },

  async redis(place) {
    let seen, converged;
    const result = await churn(place, CALM_S * 2 + OUTAGE_S + 18, async () => {
      seen = await away(place.nodes, async (look) => {
        await place.redis.kill();
        const until = pause(OUTAGE_S * 1_000);
        await look();
        await until;
      });
      await place.redis.start();
      await backAgain(place.nodes);
      converged = await convergence(place.nodes);
    });
    const name = `kill -9 of Redis for ${OUTAGE_S} s`;
    return {
      figures: { pairs: pairs(result), ...seen, converged_s: converged },
      targets: [
        broken(name, result),
        localFailed(name, seen?.local),
        saidSo(name, seen),
        healed(name, converged),
      ],
    };
  },

  /** Gone and back at once, with nothing in it. */
  async empty(place) {
    let converged;
    const watch = new Watch(place.nodes[0]);
    const result = await churn(place, CALM_S * 2 + 14, async () => {
      for (let n = 0; n < (brief ? 1 : 3); n += 1) {
        await place.redis.kill();
        await place.redis.start();
        await pause(1_000);
      }
      await backAgain(place.nodes);
      converged = await convergence(place.nodes);
    });
    const local = await watch.end();
    const name = "Redis fails over empty";
    return {
      figures: { pairs: pairs(result), local, converged_s: converged },
      targets: [broken(name, result), localFailed(name, local), healed(name, converged)],
    };
  },

  async partition(place) {
    let seen, converged;
    const [line] = place.lines;
    const result = await churn(place, CALM_S * 2 + PAUSE_S + 18, async () => {
      seen = await away([place.nodes[0]], async (look) => {
        line.cut();
        const until = pause(PAUSE_S * 1_000);
        await look();
        await until;
      });
      line.heal();
      await backAgain(place.nodes);
      converged = await convergence(place.nodes);
    });
    const name = `one node cut off from Redis for ${PAUSE_S} s`;
    return {
      figures: { pairs: pairs(result), ...seen, converged_s: converged },
      targets: [
        broken(name, result),
        localFailed(name, seen?.local),
        saidSo(name, seen),
        healed(name, converged),
      ],
    };
  },

  async pause(place) {
    let local, converged;
    const [stopped, ...others] = place.nodes;
    const result = await churn(place, CALM_S * 2 + PAUSE_S + 16, async () => {
      stopped.signal("SIGSTOP");
      const watch = new Watch(others[0]);
      await pause(PAUSE_S * 1_000);
      local = await watch.end();
      stopped.signal("SIGCONT");
      converged = await convergence(place.nodes);
    });
    const name = `SIGSTOP of a node for ${PAUSE_S} s, then SIGCONT`;
    return {
      figures: { pairs: pairs(result), local, converged_s: converged },
      targets: [broken(name, result), localFailed(name, local), healed(name, converged)],
    };
  },

  /** Another version of every node, one after the other, while everybody is in a call. */
  async rolling(place) {
    const visitors = brief ? 500 : 6_000;
    const [first, ...others] = place.urls;
    const rolled = join(place.directory, "rolled");
    const nodes = others.flatMap((url) => ["--url", url]);
    const wait = `while kill -0 ${process.pid} && [ ! -e ${rolled} ]; do sleep 0.1; done`;
    const herd = ["--scenario", "herd", "--herd-command", wait, "--herd-wait", "--seconds", 240];
    const roll = async () => {
      await answers(async () => (await matches(place.nodes)) >= visitors / 2, "the calls", 60_000);
      await pause(3_000);
      for (const node of place.nodes) {
        node.signal("SIGTERM");
        await node.gone();
        await node.start();
        await pause(1_000);
      }
      writeFileSync(rolled, "");
    };
    const people = ["--visitors", visitors, "--source-addresses", 4];
    const [result] = await Promise.all([runLoad(first, [...nodes, ...herd, ...people]), roll()]);
    const share = result.herd?.heard_by_partner_share;
    const dropped = share === undefined ? undefined : Math.round((1 - share) * visitors);
    const name = `rolling restart under ${visitors} in calls`;
    const rounds = result.rounds.map(({ name: round, resumed, endings }) => ({
      round,
      resumed,
      endings,
    }));
    return {
      figures: { herd: result.herd, rounds },
      targets: [
        atLeast(`${name}: resumed, and heard by the stranger of before`, share, 0.999),
        atMost(`${name}: calls dropped`, dropped, 0),
        broken(name, result),
      ],
    };
  },
};

async function matches(nodes) {
  const all = await Promise.all(
    nodes.map((node) => node.figure('visavis_matches{kind="video"}').catch(() => 0)),
  );
  return all.reduce((sum, each) => sum + (each ?? 0), 0);
}

const wanted = options.only?.split(",") ?? Object.keys(SCENARIOS);
const targets = [];
const figures = {};
for (const name of wanted) {
  const scenario = SCENARIOS[name];
  if (!scenario)
    throw new Error(`--only: no scenario is called ${name}; there are ${Object.keys(SCENARIOS).join(", ")}`);
  const began = Date.now();
  const shown = await attempt(`chaos: ${name}`, () =>
    withDirectory(async (directory) => {
      const place = await Place.open(directory);
      try {
        return await scenario(place);
      } finally {
        await place.close();
      }
    }),
  );
  if (!shown) targets.push(atMost(`${name}: could not be played`, undefined, 0));
  else targets.push(...shown.targets);
  figures[name] = {
    seconds: Math.round((Date.now() - began) / 1_000),
    ...shown?.figures,
  };
}
const command = ["bench/chaos/run.mjs", ...process.argv.slice(2)].join(" ");
report("chaos", { command, out: options.out, targets, figures });
