// The single tries of the connection test. Each ends by itself, lets go of what it took, and never rejects.

import type { Mapping, Result } from "./verdict";

const SOCKET_MS = 8_000;
const RELAY_MS = 8_000;

const works = (detail: string): Result => ({ state: "works", detail });
const fails = (detail: string): Result => ({ state: "fails", detail });

const DEVICE_ERRORS: Record<string, string> = {
  NotAllowedError: "the browser or the system did not allow it",
  NotFoundError: "none is connected",
  NotReadableError: "another program is using it",
};

export async function device(kind: "audio" | "video"): Promise<Result> {
  if (!navigator.mediaDevices) return fails("browsers allow it only on pages that came over HTTPS");
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ [kind]: true });
    const name = stream.getTracks()[0]?.label ?? "";
    stream.getTracks().forEach((track) => track.stop());
    return works(name);
  } catch (error) {
    return fails(DEVICE_ERRORS[(error as Error).name] ?? (error as Error).message);
  }
}

/** Says hello and waits for the welcome, which may bring what `/api/ice` wants. */
export function server(): Promise<{ result: Result; token: string | null }> {
  return new Promise((resolve) => {
    const begun = performance.now();
    const socket = new WebSocket(new URL("/ws", location.href.replace(/^http/, "ws")));
    const end = (result: Result, token: string | null = null) => {
      clearTimeout(timer);
      socket.onclose = null;
      socket.close();
      resolve({ result, token });
    };
    const timer = setTimeout(() => end(fails(`no answer in ${SOCKET_MS / 1_000} s`)), SOCKET_MS);
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", version: 1 }));
    socket.onclose = () => end(fails("the connection was refused"));
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(String(data)) as { type: string; ice_token?: string };
      if (message.type === "welcome") end(works(since(begun)), message.ice_token ?? null);
    };
  });
}

/** What the server would have a call gather with. Empty if it says nothing. */
export async function relays(token: string | null): Promise<RTCIceServer[]> {
  try {
    const headers: HeadersInit = token === null ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch("/api/ice", { headers });
    const { iceServers } = (await answer.json()) as { iceServers?: RTCIceServer[] };
    return answer.ok && iceServers ? iceServers : [];
  } catch {
    return [];
  }
}

export type Transport = "udp" | "tcp" | "tls";

function transportOf(url: string): Transport | null {
  if (url.startsWith("turns:")) return "tls";
  if (!url.startsWith("turn:")) return null;
  return url.endsWith("transport=tcp") ? "tcp" : "udp";
}

function urlsOver(servers: RTCIceServer[], transport: Transport): RTCIceServer[] {
  return servers.flatMap((server) =>
    [server.urls]
      .flat()
      .filter((url) => transportOf(url) === transport)
      .map((url) => ({ ...server, urls: url })),
  );
}

/** Whether a relay gives us a place over this transport. */
export async function relay(servers: RTCIceServer[], transport: Transport): Promise<Result> {
  const [nearest] = urlsOver(servers, transport);
  if (!nearest) return { state: "none", detail: "" };
  const begun = performance.now();
  const found = await gather([nearest], "relay", ({ type }) => type === "relay");
  return found.length > 0 ? works(since(begun)) : fails(`no relay answered in ${RELAY_MS / 1_000} s`);
}

/** Two relays see our address from outside: is it the same port that they see? */
export async function mapping(servers: RTCIceServer[]): Promise<Mapping> {
  const urls = urlsOver(servers, "udp");
  if (urls.length < 2) return "unknown";
  const seen = (await gather(urls, "all", () => false)).filter(({ type }) => type === "srflx");
  // Some browsers hide which local socket it was.
  if (seen.length === 0 || seen.some(({ relatedPort }) => !relatedPort)) return "unknown";
  // Each local socket has its own port outside; two ports for one socket are two destinations. What is seen twice
  // comes once.
  const sockets = new Set(seen.map(({ relatedAddress, relatedPort }) => `${relatedAddress} ${relatedPort}`));
  return seen.length > sockets.size ? "varies" : "same";
}

/** Candidates until one of them is enough, all are there, or the time is over. */
async function gather(
  iceServers: RTCIceServer[],
  iceTransportPolicy: RTCIceTransportPolicy,
  isEnough: (candidate: RTCIceCandidate) => boolean,
): Promise<RTCIceCandidate[]> {
  const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy });
  const found: RTCIceCandidate[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      setTimeout(resolve, RELAY_MS);
      connection.onicecandidate = ({ candidate }) => {
        if (!candidate) return resolve();
        if (candidate.candidate === "") return;
        found.push(candidate);
        if (isEnough(candidate)) resolve();
      };
      connection.createDataChannel("test");
      connection.setLocalDescription().catch(reject);
    });
  } catch {
    // What was found until then counts.
  } finally {
    connection.close();
  }
  return found;
}

function since(begun: number): string {
  return `${Math.round(performance.now() - begun)} ms`;
}
