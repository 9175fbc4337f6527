// nginx in front of several nodes, with the very configuration of deploy/ but for what one machine without a name has
// not: port 80, the relay behind port 443 and, unless asked for, TLS. So it balances, retries and passes on as deployed.
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { answers, ending, freePort, pinnedTo, root } from "./servers.mjs";

/** Open files that a process may have here; each visitor costs a worker two. */
const OPEN_FILES = 20_000;

/** What nginx would otherwise keep in the system's folders. */
const TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/** `nodes`: addresses. `workers`: each is a process; more than one if more than 9,900 visitors come. `tls`: files. */
export async function startProxy(directory, nodes, { core, workers = 1, tls } = {}) {
  const port = await freePort();
  const file = join(directory, "nginx.conf");
  writeFileSync(file, configuration(directory, { port, nodes, workers, tls, inner: await freePort() }));
  const [program, ...args] = pinnedTo(core, ["nginx", "-c", file, "-g", "daemon off;"]);
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
  const address = `127.0.0.1:${port}`;
  const opens = () => new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true)).once("error", () => resolve(child.exitCode !== null));
    socket.once("connect", () => socket.destroy());
  });
  await answers(opens, "nginx");
  if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}: it says why above or in its log`);
  return { child, port, address, url: `ws://${address}/ws`, workers: childrenOf(child.pid), stop: () => stop(child) };
}

function configuration(directory, { port, nodes, workers, tls, inner }) {
  const shipped = readFileSync(join(root, "deploy/nginx/nginx.conf"), "utf8");
  const steps = [
    [/^worker_processes .*/m, `worker_processes ${workers};`],
    [/^worker_rlimit_nofile .*\n/m, ""],
    [/worker_connections .*/, `worker_connections ${OPEN_FILES - 100};`],
    [/^pid .*/m, `pid ${directory}/nginx.pid;`],
    [/^http \{/m, (line) => [line, ...TEMPORARY.map((name) => `${name}_temp_path ${directory}/${name};`)].join("\n")],
    [/^ *server node-1:8080 (.*)$/gm, (_, how) => nodes.map((node) => `server ${node} ${how}`).join("\n")],
    [/^ *server node-\d:.*\n/gm, ""],
    [/^error_log .*/m, `error_log ${directory}/nginx.log warn;`],
    [/^ {4}server \{\n {8}listen 80;\n[^]*?\n {4}\}\n/m, ""],
    ...(tls ? withTls(port, inner, tls) : WITHOUT_TLS),
    ...(tls ? [] : [[/listen 127\.0\.0\.1:8443 .*;/, `listen 127.0.0.1:${port} reuseport;`], [/^ *listen 127.*8443 .*\n/gm, ""]]),
  ];
  return steps.reduce((text, [pattern, other]) => {
    if (text.search(pattern) < 0) throw new Error(`deploy/nginx/nginx.conf: bench/lib/proxy.mjs looks for ${pattern} in vain`);
    return text.replace(pattern, other);
  }, shipped);
}

/** No TLS: nobody to be told apart by name at the door, and no relay behind it. */
const WITHOUT_TLS = [
  [/^include .*modules-enabled.*\n/m, ""],
  [/^stream \{\n[^]*?\n\}\n/m, ""],
  [/^ *(ssl_|set_real_ip_from|real_ip_header).*\n/gm, ""],
];

/** Through both doors, as deployed: by name, then TLS. */
function withTls(port, inner, { cert, key }) {
  return [
    [/listen 443 reuseport;/, `listen 127.0.0.1:${port} reuseport;`],
    [/listen \[::\]:443 .*\n/, ""],
    [/:8443/g, `:${inner}`],
    [/upstream to_relay .*\n/, "upstream to_relay { server 127.0.0.1:1; }\n"],
    [/^ {4}# coturn reads no such header[^]*?\n {4}\}\n/m, ""],
    [/(ssl_certificate) .*;/, `$1 ${cert};`],
    [/(ssl_certificate_key) .*;/, `$1 ${key};`],
  ];
}

/** Its workers do the work; the process that was started only minds them. */
function childrenOf(pid) {
  const children = execFileSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" });
  return children.trim().split(/\s+/).map(Number);
}

/** The workers go with it; killed, it would leave them behind. */
async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await ending(child);
}
