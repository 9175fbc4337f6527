// Runs in the page before its own scripts: counts the peer connections that it makes and has not closed.

export function countConnections(): void {
  const all: RTCPeerConnection[] = [];
  Object.assign(window, { all });
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      all.push(this);
    }
  };
}

/** To be evaluated in the same page. */
export function openConnections(): number {
  const { all } = window as unknown as { all: RTCPeerConnection[] };
  return all.filter(({ signalingState }) => signalingState !== "closed").length;
}
