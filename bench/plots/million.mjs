// What a million people online need, computed from bench/results/: the table in docs/operations.md.

const ONLINE = 1_000_000;
const NEXT_EVERY_S = 60;
/** How long a visit lasts, and so how often somebody arrives. */
const VISIT_S = 20 * 60;
/** `lobby.ping_after_ms`. */
const PING_EVERY_S = 25;
/** `limits.connections`. */
const CONNECTIONS_OF_A_NODE = 100_000;
/** Of all matches across nodes: rare wishes, and whoever is left over. */
const ACROSS_SHARE = 0.1;
/** The kernel's own for a socket, measured once with 10,000 idle ones: no process shows it. */
const KERNEL_KIB = 4.5;
/** At each of nginx' two doors a socket in front and one behind. */
const SOCKETS_IN_NGINX = 4;

/** Null if something was not measured. */
export function million({ nodes, load }) {
  const row = (name) => nodes.table.find((each) => each.name === name);
  const [behind, twos, twosAlone] = ["three nodes behind nginx", "in twos, three nodes", "in twos, one node alone"].map(row);
  const held = load.table.find(({ name, server }) => name === "memory" && server === "visavis").after_handshake_kib;
  const { ping, nginx } = nodes.connections;
  if (![behind, twos, twosAlone].every(({ runs }) => runs > 0) || !held || !ping || !nginx) return null;

  const pairs = ONLINE / NEXT_EVERY_S / 2;
  const across = pairs * ACROSS_SHARE;
  const pings = ONLINE / PING_EVERY_S;
  const arrivals = ONLINE / VISIT_S;
  const machines = ONLINE / CONNECTIONS_OF_A_NODE;
  const dearer = twos.nodes_us - twosAlone.nodes_us;
  const rows = [
    ["pairs", `everybody presses Next every ${NEXT_EVERY_S} s`, `${count(pairs)} a second`],
    ["nodes: pairs", `${micros(behind.nodes_us)} of one core each`, cores(pairs * behind.nodes_us)],
    [`nodes: ${ACROSS_SHARE * 100} % of the pairs across two nodes`, `${micros(dearer)} more each`, cores(across * dearer)],
    ["nodes: pings", `every ${PING_EVERY_S} s, ${micros(ping.cpu_us)}`, cores(pings * ping.cpu_us)],
    ["nodes: memory", `${kib(held)} a visitor who has met somebody, ${kib(KERNEL_KIB)} the kernel's socket`, gib(ONLINE * (held + KERNEL_KIB))],
    ["nodes: how many", `${count(CONNECTIONS_OF_A_NODE)} connections each (\`limits.connections\`, and as many open files)`, `${machines}, and as many more as may be away at a time`],
    ["nginx: messages", `${micros(behind.nginx_us)} a pair, without TLS`, cores(pairs * behind.nginx_us)],
    ["nginx: pings", "as two of a pair's 14 messages", cores((pings * behind.nginx_us * 2) / 14)],
    ["nginx: arrivals", `a visit lasts ${VISIT_S / 60} min, ${micros(nginx.tls.open_us)} a connection with TLS`, cores(arrivals * nginx.tls.open_us)],
    ["nginx: memory", `${kib(nginx.tls.kib)} a connection with TLS, ${SOCKETS_IN_NGINX} sockets of ${kib(KERNEL_KIB)}`, gib(ONLINE * (nginx.tls.kib + SOCKETS_IN_NGINX * KERNEL_KIB))],
    ["Redis", `${micros(twos.redis_us)} and ${Math.round(twos.redis_requests)} requests a pair across`, `${cores(across * twos.redis_us)}, ${count(across * twos.redis_requests)} requests a second`],
  ];
  return [
    "| for a million people online | computed from | |",
    "|---|---|---|",
    ...rows.map((cells) => `| ${cells.join(" | ")} |`),
    "",
    `So about ${sum([pairs * behind.nodes_us, across * dearer, pings * ping.cpu_us])} cores' worth of work for all nodes together, and twice that for the peaks: what counts is memory and connections.`,
  ].join("\n");
}

const count = (value) => two(value).toLocaleString("en");
const micros = (us) => `${Math.round(us)} µs`;
const kib = (value) => `${two(value)} KiB`;
const gib = (all) => `${two(all / 1024 / 1024)} GiB`;
const cores = (us) => `${two(us / 1e6)} cores`;
const sum = (us) => two(us.reduce((all, each) => all + each, 0) / 1e6);
/** More digits would claim more than was measured. */
const two = (value) => Number(value.toPrecision(2));
