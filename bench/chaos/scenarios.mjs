// What is broken, and what must be seen meanwhile and afterwards. Each scenario has a place of its own, and answers with
// figures; those of one name mean the same in all (see `targetsOf`).
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { atLeast, atMost, rounded } from "../lib/results.mjs";
import { answers, runLoad } from "../lib/servers.mjs";
import { convergence, couples, meanwhile, meet, slowest, stranded, survival, until } from "./probe.mjs";

/** After which a node notices that Redis is silent, and that another one is dead: `SILENCE`, `LEASE` in crates/server/src/backend/redis.rs. */
const NOTICED_S = 3;
const REQUEUED_S = 2;
const CONVERGED_S = 5;
/** Two people at one node meet at once; a busy machine gets this long. */
const LOCAL_MS = 1_000;

/** `brief`: outages of 3 s and small crowds. */
export function scenarios({ brief, visitors }) {
  const crowd = brief ? 500 : visitors;
  const outageS = brief ? 3 : 60;
  const pauseS = brief ? 3 : 30;
  const kills = brief ? 1 : 5;
  const failovers = brief ? 1 : 3;
  const stormers = brief ? 500 : 9_000;
  const callers = brief ? 500 : 6_000;
  /** Time before and after a trouble in which everything is as usual. */
  const calmS = brief ? 2 : 5;

  /** People who come and go at all nodes for so long, while `trouble` happens. */
  async function churn(place, seconds, trouble) {
    const [first, ...others] = place.urls;
    const scenario = ["--scenario", "churn", "--seconds", seconds, "--stay-ms", 1_500, "--visitors", crowd];
    const more = others.flatMap((url) => ["--url", url]);
    let over = false;
    const [result] = await Promise.all([
      runLoad(first, [...more, ...scenario, "--settle-ms", 100]).finally(() => (over = true)),
      // The crowd connects first.
      pause(1_500 + calmS * 1_000)
        .then(trouble)
        .then(() => over && Promise.reject(new Error("the crowd was gone before the trouble was over"))),
    ]);
    return { pairs: pairs(result), broken: result.violations.count, listed: result.violations.listed };
  }

  return {
    storm: {
      name: `storm of ${stormers} over 3 nodes behind nginx, 2 rounds`,
      seconds: 20,
      /** Everybody presses Next at once. */
      async play(place) {
        const rounds = ["--scenario", "storm", "--rounds", 2, "--seconds", 60];
        const result = await runLoad(place.proxy.url, [...rounds, "--visitors", stormers, "--source-addresses", 4]);
        const across = [];
        for (let n = 0; n < 20; n += 1) across.push(await meet(place.nodes[0], place.nodes[1]));
        const made = place.nodes.map((node) => node.figure('visavis_matches_made_total{kind="video"}'));
        return {
          pairs: pairs(result),
          broken: result.violations.count,
          listed: result.violations.listed,
          unpaired: 2 * (stormers - pairs(result)),
          across_ms: across.map(rounded),
          matches_of_each_node: await Promise.all(made),
        };
      },
    },

    kill: {
      name: `kill -9 of a node, ${kills} times`,
      seconds: calmS * 2 + kills * 8 + 15,
      async play(place) {
        const [survived, healed] = [[], []];
        let local;
        const seen = await churn(place, this.seconds, async () => {
          for (let n = 0; n < kills; n += 1) {
            const node = place.nodes[n % place.nodes.length];
            const others = place.nodes.filter((other) => other !== node);
            const strike = async () => {
              survived.push(await survival(others[0], node, () => node.kill()));
              await pause(1_000);
            };
            local = await meanwhile(others, strike, local);
            await node.start();
            healed.push(await healing(place));
            await pause(500);
          }
        });
        return { ...seen, local, ...survivors(survived), ...worst(healed) };
      },
    },

    redis: {
      name: `kill -9 of Redis for ${outageS} s`,
      seconds: calmS * 2 + outageS + 18,
      async play(place) {
        let local, noticed, healed;
        const seen = await churn(place, this.seconds, async () => {
          const waiting = [];
          local = await meanwhile(place.nodes, async () => {
            await place.redis.kill();
            const end = pause(outageS * 1_000);
            noticed = await until(place.nodes, saysAway);
            waiting.push(stranded(couples(place.nodes)));
            await end;
          });
          await place.redis.start();
          healed = await healing(place, waiting);
        });
        return { ...seen, local, noticed_s: noticed, ...healed };
      },
    },

    empty: {
      name: `Redis fails over empty, ${failovers} times`,
      seconds: calmS * 2 + failovers * 4 + 12,
      /** Gone and back at once, with nothing in it. */
      async play(place) {
        const [noticed, healed] = [[], []];
        let local;
        const seen = await churn(place, this.seconds, async () => {
          local = await meanwhile(place.nodes, async () => {
            for (let n = 0; n < failovers; n += 1) {
              const looked = until(place.nodes, saysAway);
              await place.redis.kill();
              await place.redis.start();
              noticed.push(await looked);
              healed.push(await healing(place));
              await pause(500);
            }
          });
        });
        return { ...seen, local, noticed_s: slowest(noticed), ...worst(healed) };
      },
    },

    partition: {
      name: `one node cut off from Redis for ${pauseS} s`,
      seconds: calmS * 2 + pauseS + 18,
      async play(place) {
        const [line] = place.lines;
        const [cut, ...others] = place.nodes;
        let local, noticed, survived, healed;
        const seen = await churn(place, this.seconds, async () => {
          const waiting = [];
          local = await meanwhile(place.nodes, async () => {
            const end = pause(pauseS * 1_000);
            [noticed, survived] = await Promise.all([
              until([cut], saysAway),
              survival(others[0], cut, async () => line.cut()),
            ]);
            waiting.push(stranded(others.map((other) => [cut, other])));
            await end;
          });
          line.heal();
          healed = await healing(place, waiting);
        });
        return { ...seen, local, ...survivors([survived]), noticed_s: noticed, ...healed };
      },
    },

    pause: {
      name: `SIGSTOP of a node for ${pauseS} s, then SIGCONT`,
      seconds: calmS * 2 + pauseS + 16,
      async play(place) {
        const [stopped, ...others] = place.nodes;
        let local, survived, healed;
        const seen = await churn(place, this.seconds, async () => {
          local = await meanwhile(others, async () => {
            const end = pause(pauseS * 1_000);
            survived = await survival(others[0], stopped, async () => stopped.signal("SIGSTOP"));
            await end;
          });
          stopped.signal("SIGCONT");
          healed = await healing(place);
        });
        return { ...seen, local, ...survivors([survived]), ...healed };
      },
    },

    rolling: {
      name: `rolling restart under ${callers} in calls, behind nginx`,
      seconds: 45,
      /** Another version of every node, one after the other, while everybody is in a call. */
      async play(place) {
        const rolled = join(place.directory, "rolled");
        const wait = `while kill -0 ${process.pid} && [ ! -e ${rolled} ]; do sleep 0.1; done`;
        const herd = ["--scenario", "herd", "--herd-command", wait, "--herd-wait", "--seconds", 240];
        const people = ["--visitors", callers, "--source-addresses", 4];
        const [drained, back] = [[], []];
        const roll = async () => {
          const calls = 'visavis_matches{kind="video"}';
          await answers(async () => (await place.figure(calls)) >= callers / 2, "the calls", 60_000);
          await pause(3_000);
          for (const node of place.nodes) {
            node.signal("SIGTERM");
            const said = until([node], async (each) => (await each.ready())?.status !== 200);
            const status = said.then(() => node.ready()).then((answer) => answer?.status ?? null);
            await node.gone();
            drained.push(await status);
            await node.start();
            back.push(await until([node], saysWell));
            await pause(1_000);
          }
          writeFileSync(rolled, "");
        };
        const [result] = await Promise.all([runLoad(place.proxy.url, [...herd, ...people]), roll()]);
        const share = result.herd?.heard_by_partner_share;
        return {
          broken: result.violations.count,
          listed: result.violations.listed,
          resumed_share: share,
          calls_dropped: share === undefined ? undefined : Math.round((1 - share) * callers),
          drained_status: drained,
          back_s: slowest(back),
          herd: result.herd,
          rounds: result.rounds.map(({ name, resumed, endings }) => ({ name, resumed, endings })),
        };
      },
    },
  };
}

/** What a scenario must show, by the figures that it has. */
export function targetsOf(name, figures) {
  const has = (key) => key in figures;
  const { local = {} } = figures;
  const each = [
    [true, atMost("accepted two matches at once, or other promises broken", figures.broken, 0)],
    [has("unpaired"), atMost("visitors without a stranger in a round", figures.unpaired, 0)],
    [has("calls_dropped"), atMost("calls dropped", figures.calls_dropped, 0)],
    [has("resumed_share"), atLeast("resumed, and heard by the stranger of before", figures.resumed_share, 0.999)],
    [has("drained_status"), atLeast("nodes whose /readyz was 503 while they drained", figures.drained_status?.filter((status) => status === 503).length, 3)],
    [has("local"), atMost("people at one node who did not find each other", local.failed, 0)],
    [has("local"), atMost("the longest that anybody at one node looked for another", local.worst_ms, LOCAL_MS, "ms")],
    [has("noticed_s"), atMost("until it is noticed: by /readyz (at 200) and metric, or by other nodes", figures.noticed_s, NOTICED_S, "s")],
    [has("requeued_s"), atMost("from there until the survivors wait again", figures.requeued_s, REQUEUED_S, "s")],
    [has("back_s"), atMost("after healing: until /readyz and metrics are as before", figures.back_s, CONVERGED_S, "s")],
    [has("converged_s"), atMost("after healing: until strangers at all nodes meet", figures.converged_s, CONVERGED_S, "s")],
    [has("stranded_s"), atMost("after healing: until those have met who waited meanwhile", figures.stranded_s, CONVERGED_S, "s")],
  ];
  return each.filter(([measured]) => measured).map(([, target]) => ({ ...target, name: `${name}: ${target.name}` }));
}

/** From now, when what was broken is whole again. */
async function healing(place, waiting = []) {
  const [back_s, converged_s, ...stranded_s] = await Promise.all([
    until(place.nodes, (node) => isWhole(node, place.nodes.length)),
    convergence(place.nodes),
    ...waiting.map((each) => each.met()),
  ]);
  return { back_s, converged_s, ...(stranded_s.length > 0 ? { stranded_s: slowest(stranded_s) } : {}) };
}

const worst = (healed) =>
  Object.fromEntries(Object.keys(healed[0] ?? {}).map((key) => [key, slowest(healed.map((each) => each[key]))]));

const survivors = (each) => ({
  noticed_s: slowest(each.map(({ noticed_s }) => noticed_s)),
  requeued_s: slowest(each.map(({ requeued_s }) => requeued_s)),
});

/** Redis is out of reach for it, and it is ready all the same. */
async function saysAway(node) {
  const answer = await node.ready();
  return answer?.status === 200 && answer.redis === "away" && (await node.figure("visavis_redis_up")) === 0;
}

async function saysWell(node) {
  const answer = await node.ready();
  return answer?.status === 200 && answer.redis === "ok" && (await node.figure("visavis_redis_up")) === 1;
}

/** And it sees all the others. */
const isWhole = async (node, nodes) => (await saysWell(node)) && (await node.figure("visavis_nodes")) === nodes;

const pairs = (result) => result.rounds.reduce((sum, round) => sum + round.pairs, 0);
