// What a visitor's connection costs the nginx before the nodes, with TLS and without.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { setTimeout as pause } from "node:timers/promises";
import { rounded } from "../lib/results.mjs";
import { startProxy } from "../lib/proxy.mjs";
import { cpuUs, startVisavis, stop, visavis, withDirectory } from "../lib/servers.mjs";

const CONNECTIONS = 2_000;
const AT_ONCE = 50;

/** Of nginx: KiB held, and microseconds of CPU to open, for each WebSocket. */
export async function doors() {
  return { connections: CONNECTIONS, tls: await measure(true), plain: await measure(false) };
}

function measure(secure) {
  return withDirectory(async (directory) => {
    execFileSync(visavis, ["self-signed", "--out", directory], { stdio: "ignore" });
    const tls = secure ? { cert: `${directory}/cert.pem`, key: `${directory}/key.pem` } : undefined;
    const server = await startVisavis({ stateDir: directory, more: ["--trusted-proxy", "127.0.0.1"] });
    const sockets = [];
    let proxy;
    try {
      proxy = await startProxy(directory, [server.address], { core: 0, tls });
      const [worker] = proxy.workers;
      const open = async () => sockets.push(await knock(proxy.port, tls));
      // What the first ones cost is nginx' own.
      await Promise.all(Array.from({ length: AT_ONCE }, open));
      await pause(500);
      const before = { us: cpuUs(worker), kib: memoryKib(worker) };
      for (let opened = 0; opened < CONNECTIONS; opened += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, open));
      await pause(500);
      const spent = { us: cpuUs(worker) - before.us, kib: memoryKib(worker) - before.kib };
      return { open_us: rounded(spent.us / CONNECTIONS), kib: rounded(spent.kib / CONNECTIONS) };
    } finally {
      for (const socket of sockets) socket.destroy();
      await proxy?.stop();
      await stop(server);
    }
  });
}

/** A WebSocket as a browser opens it, and nothing in it. */
function knock(port, tls) {
  return new Promise((resolve, reject) => {
    const socket = tls ? connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false }) : connectTcp(port, "127.0.0.1");
    socket.once("error", reject);
    socket.once(tls ? "secureConnect" : "connect", () => {
      const head = ["GET /ws HTTP/1.1", `Host: 127.0.0.1:${port}`, "Connection: Upgrade", "Upgrade: websocket"];
      const more = ["Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`];
      socket.write(`${[...head, ...more].join("\r\n")}\r\n\r\n`);
    });
    socket.once("data", (bytes) => {
      const said = bytes.toString("latin1").split("\r\n")[0];
      if (said.startsWith("HTTP/1.1 101")) resolve(socket);
      else reject(new Error(`no WebSocket: ${said}`));
    });
  });
}

function memoryKib(pid) {
  const line = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8").match(/^Pss:\s+(\d+)/m);
  return Number(line?.[1]);
}
