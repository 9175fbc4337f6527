// The world as the SDK sees it: sockets, peer connections, devices, the clock, the page.
// Nothing else in the SDK touches a global, so a test can replace all of it.

import { now } from "./clock.js";
import type { Environment } from "./types.js";

export function resolveEnvironment(given: Partial<Environment> = {}): Environment {
  const world = globalThis as Partial<typeof globalThis>;
  return {
    // Absent in old browsers and outside of them: `start` says so, not the constructor.
    WebSocket: world.WebSocket as typeof WebSocket,
    RTCPeerConnection: world.RTCPeerConnection as typeof RTCPeerConnection,
    MediaStream: world.MediaStream as typeof MediaStream,
    mediaDevices: world.navigator?.mediaDevices,
    fetch: (input, init) => globalThis.fetch(input, init),
    now,
    setTimeout: (run, delayMs) => globalThis.setTimeout(run, delayMs) as unknown as number,
    clearTimeout: (id) => globalThis.clearTimeout(id ?? undefined),
    random: () => Math.random(),
    window: (world.window as Window | undefined) ?? null,
    ...given,
  };
}
