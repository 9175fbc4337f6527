// What runs in the browser: `visitor` is one person with the SDK, `floor` is two peer connections in one page.
// Every time is this page's `performance.now()`; run.mjs knows how that clock relates to its own.
import { createClient } from "./sdk/index.js";

const NOISY = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

let camera;

/** The camera is on before anybody is met, as it is for a visitor who has pressed Start. */
async function warmUp() {
  camera = await navigator.mediaDevices.getUserMedia({ audio: NOISY, video: { width: 640, height: 480 } });
  const { width, height, frameRate } = camera.getVideoTracks()[0].getSettings();
  return { width, height, frameRate, visible: document.visibilityState === "visible" };
}

/** Resolves with when the first frame of this stream, decoded, went to the screen. */
function firstFrame(stream) {
  const video = Object.assign(document.createElement("video"), { autoplay: true, playsInline: true });
  document.body.append(video);
  video.srcObject = stream;
  return new Promise((resolve) => {
    video.requestVideoFrameCallback((_, frame) => {
      video.remove();
      resolve({ received: frame.receiveTime, frame: frame.presentationTime });
    });
  });
}

/** Notes when a connection gets where, and changes nothing. */
function traced(marks) {
  return class extends RTCPeerConnection {
    constructor(configuration) {
      super(configuration);
      const mark = (name) => (marks[name] ??= performance.now());
      this.addEventListener("iceconnectionstatechange", () => {
        if (this.iceConnectionState === "connected") mark("ice");
      });
      this.addEventListener("connectionstatechange", () => {
        if (this.connectionState === "connected") mark("connected");
      });
    }
    async setLocalDescription(description) {
      await super.setLocalDescription(description);
      if (description?.type === "answer") marks.answered = performance.now();
    }
    async setRemoteDescription(description) {
      if (description.type === "answer") marks.answerCame = performance.now();
      await super.setRemoteDescription(description);
    }
  };
}

const visitor = {
  client: null,
  marks: {},
  first: null,

  /** A new visit whose camera is warm. Resolves when this visitor is in line, or has already met someone. */
  async start({ url, offerOrder }) {
    const marks = (this.marks = {});
    const client = (this.client = createClient({
      url,
      iceUrl: new URL("ice.json", location.href).href,
      offerOrder,
      autoContinue: false,
      environment: {
        RTCPeerConnection: traced(marks),
        mediaDevices: { getUserMedia: () => Promise.resolve(camera.clone()) },
      },
    }));
    this.first = new Promise((resolve) => {
      client.on("remoteStream", (stream) => stream && firstFrame(stream).then(resolve));
    });
    client.on("match", () => (marks.told = performance.now()));
    const inLine = new Promise((resolve, reject) => {
      client.subscribe((state) => {
        if (state.name === "error") reject(state.error);
        if (state.name === "connecting" || (state.name === "waiting" && state.online !== null)) resolve();
      });
    });
    void client.start({ kind: "video" });
    await inLine;
  },

  async seen() {
    const first = await this.first;
    return { ...first, ...this.marks };
  },

  end() {
    this.client.destroy();
  },
};

/** The browser alone: no server, no second page. `ready`: connections, tracks and the offer were made before. */
async function floor({ ready }) {
  let [a, b] = ready ? [connection(), connection()] : [];
  if (ready) {
    await a.setLocalDescription(await a.createOffer());
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  const match = performance.now();
  if (!ready) [a, b] = [connection(), connection()];
  const firsts = [a, b].map(
    (peer) =>
      new Promise((resolve) => {
        let begun = false;
        peer.ontrack = ({ streams: [stream] }) => {
          if (!begun) resolve(firstFrame(stream));
          begun = true;
        };
      }),
  );
  const early = new Map([a, b].map((peer) => [peer, []]));
  const tell = (from, to) => {
    from.onicecandidate = ({ candidate }) => {
      if (!candidate) return;
      if (to.remoteDescription) void to.addIceCandidate(candidate);
      else early.get(to).push(candidate);
    };
  };
  const describe = async (to, description) => {
    await to.setRemoteDescription(description);
    for (const candidate of early.get(to).splice(0)) void to.addIceCandidate(candidate);
  };
  tell(a, b);
  tell(b, a);
  if (!ready) await a.setLocalDescription(await a.createOffer());
  await describe(b, a.localDescription);
  await b.setLocalDescription(await b.createAnswer());
  await describe(a, b.localDescription);
  const seen = await Promise.all(firsts);
  a.close();
  b.close();
  return { match, seen };
}

function connection() {
  const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  for (const track of camera.getTracks()) peer.addTrack(track, camera);
  return peer;
}

Object.assign(globalThis, { warmUp, visitor, floor });
