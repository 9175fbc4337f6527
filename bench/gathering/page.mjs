// One person with the SDK, as the bench drives them. Times are this page's own.
import { createClient } from "./sdk/index.js";

/**
 * Notes how long the browser takes to be told of more servers, and how often it gathers. `iceTransportPolicy` is the
 * browser's alone: to the SDK this is not somebody who hides, but one whom no direct path leads to.
 */
function traced(notes, iceTransportPolicy) {
  return class extends RTCPeerConnection {
    constructor(configuration) {
      super({ ...configuration, iceTransportPolicy });
    }
    setConfiguration(configuration) {
      const before = performance.now();
      super.setConfiguration(configuration);
      notes.setConfigurationMs = performance.now() - before;
    }
    async setLocalDescription(description) {
      await super.setLocalDescription(description);
      notes.gatherings += 1;
    }
  };
}

const visitor = {
  client: null,

  /** Resolves when this visitor is in line, or has already met someone. */
  async start({ url, iceUrl, iceTransportPolicy }) {
    const notes = { gatherings: 0, setConfigurationMs: 0 };
    const client = (this.client = createClient({
      url,
      iceUrl,
      autoContinue: false,
      environment: { RTCPeerConnection: traced(notes, iceTransportPolicy) },
    }));
    this.done = new Promise((resolve, reject) => {
      client.subscribe((state) => {
        if (state.name === "connected") resolve({ elapsedMs: state.elapsedMs, path: state.path, ...notes });
        if (state.name === "error") reject(state.error);
        if (state.name === "ended") reject(new Error(`ended: ${state.reason}`));
      });
    });
    const inLine = new Promise((resolve) => {
      client.subscribe((state) => {
        if (state.name === "connecting" || (state.name === "waiting" && state.online !== null)) resolve();
      });
    });
    void client.start({ kind: "audio" });
    await inLine;
  },

  connected() {
    return this.done;
  },

  end() {
    this.client.destroy();
  },
};

Object.assign(globalThis, { visitor });
