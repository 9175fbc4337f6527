// One storm over some nodes, their Redis and the nginx before them: what each of them spent on a pair.
import { startProxy } from "../lib/proxy.mjs";
import { freePort, runLoad, SERVER_CORE, startRedis, startVisavis, stop, withDirectory } from "../lib/servers.mjs";

/** The load client's result; each round has `cpu_us` of a pair by role, the run how many of its pairs were across nodes. */
export function storm({ nodes, redis = false, nginx = false, args, settings = [] }) {
  return withDirectory(async (directory) => {
    const undo = [];
    try {
      const meeting = redis ? await startRedis(directory) : undefined;
      if (meeting) undo.push(() => stop(meeting));
      const servers = [];
      for (let node = 1; node <= nodes; node += 1) {
        const server = await startNode(directory, { name: `bench-${node}`, meeting, nginx, settings });
        undo.push(() => stop(server));
        servers.push(server);
      }
      const proxy = nginx ? await startProxy(directory, servers.map(({ address }) => address), { core: SERVER_CORE }) : undefined;
      if (proxy) undo.push(proxy.stop);
      const processes = [
        ...servers.map(({ child }) => ({ role: "nodes", pid: child.pid })),
        ...(meeting ? [{ role: "redis", pid: meeting.child.pid }] : []),
        ...(proxy?.workers ?? []).map((pid) => ({ role: "nginx", pid })),
      ];
      const [first, ...others] = proxy ? [proxy.url] : servers.map(({ url }) => url);
      const more = [...others.flatMap((url) => ["--url", url]), ...processes.flatMap(({ pid }) => ["--server-pid", pid])];
      const before = await figures(servers);
      const result = await runLoad(first, [...more, "--scenario", "storm", ...args]);
      const rounds = result.rounds.map((round) => ({ ...round, cpu_us: byRole(processes, round) }));
      return { ...result, rounds, ...(meeting ? perPair(before, await figures(servers), rounds) : {}) };
    } finally {
      for (const step of undo.reverse()) await step();
    }
  });
}

async function startNode(directory, { name, meeting, nginx, settings }) {
  const metrics = `127.0.0.1:${await freePort()}`;
  // One directory for all, and so one secret.
  const together = meeting ? ["--redis", meeting.url, "--node", name] : [];
  const behind = nginx ? ["--trusted-proxy", "127.0.0.1"] : [];
  const more = ["--metrics-listen", metrics, ...together, ...behind, ...settings];
  return { ...(await startVisavis({ stateDir: directory, more })), metrics };
}

function byRole(processes, round) {
  const each = processes.length > 1 ? round.server_cpu_us_per_pair_of_each : [round.server_cpu_us_per_pair];
  const spent = {};
  for (const [index, { role }] of processes.entries()) spent[role] = (spent[role] ?? 0) + each[index];
  return spent;
}

const COUNTED = { across: "visavis_matches_across_made_total", requests: "visavis_redis_requests_total", frames: "visavis_frames_total" };

/** Of all nodes together. */
async function figures(servers) {
  const pages = await Promise.all(servers.map(({ metrics }) => fetch(`http://${metrics}/metrics`).then((answer) => answer.text())));
  const lines = pages.flatMap((page) => page.split("\n"));
  const total = (name) => lines.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return Object.fromEntries(
    Object.entries(COUNTED).map(([key, name]) => [key, total(name).reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0)]),
  );
}

function perPair(before, after, rounds) {
  const pairs = rounds.reduce((sum, round) => sum + round.pairs, 0);
  const of = (key) => (after[key] - before[key]) / pairs;
  // What one node sends another receives: a frame is counted twice.
  return { across_share: of("across"), redis_requests: of("requests"), frames: of("frames") / 2 };
}
