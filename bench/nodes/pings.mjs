// What it costs to ask a silent connection whether it is still there.
import { setTimeout as pause } from "node:timers/promises";
import { cpuUs, runLoad, startVisavis, stop, withDirectory } from "../lib/servers.mjs";

/** Far more often than in earnest (`lobby.ping_after_ms`), so that a few seconds tell. */
const EVERY_MS = 1_000;
const WATCHED_MS = 5_000;

/** Microseconds of a node's CPU for a ping and its pong. */
export function pings(visitors) {
  return withDirectory(async (stateDir) => {
    const server = await startVisavis({ stateDir, more: ["--lobby-ping-after-ms", EVERY_MS] });
    try {
      const connectS = Math.ceil(visitors / 5_000) + 2;
      const settle = connectS * 1_000 + WATCHED_MS;
      const idle = runLoad(server.url, ["--scenario", "idle", "--visitors", visitors, "--connect-rate", 5000, "--settle-ms", settle]);
      await pause(connectS * 1_000);
      const before = cpuUs(server.child.pid);
      await pause(WATCHED_MS);
      const spent = cpuUs(server.child.pid) - before;
      await idle;
      return { visitors, every_ms: EVERY_MS, cpu_us: spent / (visitors * (WATCHED_MS / EVERY_MS)) };
    } finally {
      await stop(server);
    }
  });
}
