// The single tries of the connection test. Each ends by itself, lets go of what it took, and never rejects.

import { m } from "$lib/messages.svelte";
import { ofServer, socketUrl } from "$lib/server";
import { isThisSite, judge, type Addresses } from "./addresses";
import type { Hides, Mapping, Result, Told } from "./verdict";

const SOCKET_MS = 8_000;
const RELAY_MS = 8_000;
const MAPPING_MS = 2_000;
/** Long enough to answer the browser's question. */
const DEVICE_MS = 60_000;

const works = (detail: Told): Result => ({ state: "works", detail });
const fails = (detail: Told): Result => ({ state: "fails", detail });

const DEVICE_ERRORS: Record<string, Told> = {
  NotAllowedError: () => m.test.not_allowed(),
  NotFoundError: () => m.test.not_found(),
  NotReadableError: () => m.test.in_use(),
};

export async function device(kind: "audio" | "video"): Promise<Result> {
  if (!navigator.mediaDevices) return fails(() => m.test.insecure());
  const asked = navigator.mediaDevices.getUserMedia({ [kind]: true });
  const name = asked.then((stream) => {
    const [track] = stream.getTracks();
    track?.stop();
    return works(() => track?.label ?? "");
  });
  const silence = new Promise<Result>((resolve) =>
    setTimeout(() => resolve(fails(() => m.test.silent_browser({ seconds: DEVICE_MS / 1_000 }))), DEVICE_MS),
  );
  try {
    return await Promise.race([name, silence]);
  } catch (error) {
    return fails(DEVICE_ERRORS[(error as Error).name] ?? (() => (error as Error).message));
  }
}

/** Says hello and waits for the welcome, which may bring what `/api/ice` wants. */
export function server(): Promise<{ result: Result; token: string | null }> {
  return new Promise((resolve) => {
    const begun = performance.now();
    const socket = new WebSocket(socketUrl());
    const end = (result: Result, token: string | null = null) => {
      clearTimeout(timer);
      socket.onclose = null;
      socket.close();
      resolve({ result, token });
    };
    const timer = setTimeout(() => end(fails(noAnswerIn(SOCKET_MS))), SOCKET_MS);
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", version: 1 }));
    socket.onclose = () => end(fails(() => m.test.connection_refused()));
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(String(data)) as { type: string; ice_token?: string };
      if (message.type === "welcome") end(works(since(begun)), message.ice_token ?? null);
    };
  });
}

/** Why the server lets this page have no live line; null if that is not the reason. */
export async function refusal(): Promise<string | null> {
  try {
    const asked = ofServer(`api/origin?origin=${encodeURIComponent(location.origin)}`);
    const answer = await fetch(asked, { signal: AbortSignal.timeout(SOCKET_MS) });
    const { allowed, message } = (await answer.json()) as { allowed?: boolean; message?: string };
    return allowed === false ? (message ?? "") : null;
  } catch {
    return null;
  }
}

/** Whether calls can be made at all: browsers without WebRTC exist, and settings that turn it off. */
export function hasWebRtc(): boolean {
  try {
    new RTCPeerConnection().close();
    return true;
  } catch {
    return false;
  }
}

/** What the server would have a call gather with. Null if it does not say. */
export async function relays(token: string | null): Promise<Offer | null> {
  try {
    const headers: HeadersInit = token === null ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(ofServer("api/ice"), { headers, signal: AbortSignal.timeout(SOCKET_MS) });
    const { iceServers, policy } = (await answer.json()) as { iceServers?: RTCIceServer[]; policy?: string };
    if (!answer.ok || !iceServers) return null;
    const hides = policy === "relay" ? "everybody" : hidesByChoice() ? "you" : "nobody";
    return { servers: iceServers, hides };
  } catch {
    return null;
  }
}

/** ASSUMES: what `chat/memory` writes. Shared code would cost the chat page a file more. */
function hidesByChoice(): boolean {
  try {
    return localStorage.getItem("visavis")?.includes('"hideAddress":true') ?? false;
  } catch {
    return false;
  }
}

export interface Offer {
  servers: RTCIceServer[];
  hides: Hides;
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
  if (!nearest) return { state: "none" };
  const begun = performance.now();
  const { found, refusal } = await gather([nearest], "relay", ({ type }) => type === "relay");
  if (found.length > 0) return works(since(begun));
  if (refusal)
    return { state: "refuses", detail: REFUSALS[refusal] ?? (() => m.test.refusal({ code: refusal })) };
  if (performance.now() - begun >= RELAY_MS) return fails(noAnswerIn(RELAY_MS));
  if (transport !== "tls") return fails(() => m.test.unreached());
  // Browsers do not tell pages what went wrong below TLS. But where this very page came from, the certificate is good.
  return isThisSite(String(nearest.urls), location)
    ? fails(() => m.test.web_server())
    : fails(() => m.test.unreached_tls());
}

// RFC 8489, 14.8, and RFC 8656, 19.
const REFUSALS: Record<number, Told> = {
  401: () => m.test.refusal_401(),
  403: () => m.test.refusal_403(),
  486: () => m.test.refusal_486(),
  508: () => m.test.refusal_508(),
};

/**
 * Whether what we send to another port of the relay comes from the port that its STUN side sees: a connection with
 * ourselves, one end of it at the relay. That end knows our addresses beforehand; if our packets come from another
 * one (peer reflexive: RFC 8445, 7.3.1.3), the router makes a port for each destination.
 *
 * A relay in a container or behind a router of its own may give out an address of its private network. What goes
 * there takes another way than what goes to its STUN side, so it says nothing of our router.
 */
export async function mapping(
  servers: RTCIceServer[],
): Promise<{ mapping: Mapping; relayIsPrivate: boolean }> {
  const [nearest] = urlsOver(servers, "udp");
  if (!nearest) return { mapping: "unknown", relayIsPrivate: false };
  const stun = String(nearest.urls).replace("turn:", "stun:").replace(/\?.*/, "");
  const [ours, theirs]: [Addresses, Addresses] = [{}, {}];
  let reached: string[] = [];
  try {
    const here = new RTCPeerConnection({ iceServers: [{ urls: stun }] });
    const there = new RTCPeerConnection({ iceServers: [nearest], iceTransportPolicy: "relay" });
    noteAddresses(here, ours);
    noteAddresses(there, theirs);
    reached = await meet(here, there).finally(() =>
      [here, there].forEach((connection) => connection.close()),
    );
  } catch {
    // What was found until then counts.
  }
  return judge(reached, ours, theirs);
}

async function meet(here: RTCPeerConnection, there: RTCPeerConnection): Promise<string[]> {
  const gathered = (connection: RTCPeerConnection) =>
    happens(connection, "icegatheringstatechange", () => connection.iceGatheringState === "complete");
  here.createDataChannel("test");
  await here.setLocalDescription();
  await gathered(here);
  await there.setRemoteDescription(here.localDescription as RTCSessionDescription);
  await there.setLocalDescription();
  await gathered(there);
  await here.setRemoteDescription(there.localDescription as RTCSessionDescription);
  await happens(there, "iceconnectionstatechange", () => there.iceConnectionState === "connected");
  const stats = new Map<
    string,
    { type: string; state?: string; remoteCandidateId?: string; candidateType?: string }
  >();
  (await there.getStats()).forEach((entry) => stats.set(entry.id, entry));
  return [...stats.values()]
    .filter(({ type, state }) => type === "candidate-pair" && state === "succeeded")
    .map(({ remoteCandidateId }) => stats.get(remoteCandidateId ?? "")?.candidateType ?? "");
}

function noteAddresses(connection: RTCPeerConnection, into: Addresses): void {
  connection.addEventListener("icecandidate", ({ candidate }) => {
    if (candidate?.type && candidate.address) (into[candidate.type] ??= []).push(candidate.address);
  });
}

/** Resolves when `is`, or when the time is over. */
function happens(connection: RTCPeerConnection, event: string, is: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, MAPPING_MS);
    const look = () => {
      if (!is()) return;
      clearTimeout(timer);
      resolve();
    };
    connection.addEventListener(event, look);
    look();
  });
}

/** Candidates until one of them is enough, all are there, or the time is over. */
async function gather(
  iceServers: RTCIceServer[],
  iceTransportPolicy: RTCIceTransportPolicy,
  isEnough: (candidate: RTCIceCandidate) => boolean,
): Promise<{ found: RTCIceCandidate[]; refusal: number | null }> {
  const found: RTCIceCandidate[] = [];
  let refusal: number | null = null;
  let connection: RTCPeerConnection | null = null;
  try {
    const gathering = (connection = new RTCPeerConnection({ iceServers, iceTransportPolicy }));
    await new Promise<void>((resolve, reject) => {
      setTimeout(resolve, RELAY_MS);
      gathering.onicecandidate = ({ candidate }) => {
        if (!candidate) return resolve();
        if (candidate.candidate === "") return;
        found.push(candidate);
        if (isEnough(candidate)) resolve();
      };
      // From 700 on it is the browser that says so: nobody answered.
      gathering.onicecandidateerror = ({ errorCode }) => {
        if (errorCode < 700) refusal = errorCode;
      };
      gathering.createDataChannel("test");
      gathering.setLocalDescription().catch(reject);
    });
  } catch {
    // What was found until then counts.
  } finally {
    connection?.close();
  }
  return { found, refusal };
}

function since(begun: number): Told {
  const ms = performance.now() - begun;
  return () => m.test.took({ ms });
}

function noAnswerIn(ms: number): Told {
  return () => m.test.silent({ seconds: ms / 1_000 });
}
