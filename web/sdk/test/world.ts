// A client in a world of fakes, and the few moves that most tests begin with.

import { createClient } from "../src/index.js";
// Loaded by the client when it needs them: here they are at hand.
import "../src/talk.js";
import type { ServerMessage } from "../src/protocol.gen.js";
import type { ChatState, Client, ClientEvents, ClientOptions, Wishes } from "../src/types.js";
import { FakeClock } from "./world/clock.js";
import { FakeConnection } from "./world/connection.js";
import { FakeDevices, FakeStream, FakeTrack } from "./world/media.js";
import { FakeSocket } from "./world/socket.js";

export { FakeConnection, host, relay, type FakeChannel } from "./world/connection.js";
export { FakeTrack } from "./world/media.js";
export { settle } from "./world/clock.js";

export type Found = Partial<Extract<ServerMessage, { type: "partner_found" }>>;
type Heard = { [E in keyof ClientEvents]: [E, ClientEvents[E]] }[keyof ClientEvents];

const EVENTS: (keyof ClientEvents)[] = [
  "match",
  "remoteStream",
  "localStream",
  "message",
  "typing",
  "unsent",
  "left",
  "quality",
  "localDevices",
  "strangerDevices",
  "mediaPending",
  "deviceTrouble",
  "level",
  "signaling",
  "blocked",
  "blockFailed",
  "unblocked",
  "paused",
];

export class World {
  readonly clock = new FakeClock();
  readonly devices = new FakeDevices();
  readonly page: FakePage = new FakePage();
  readonly states: ChatState[] = [];
  readonly heard: Heard[] = [];
  readonly client: Client;
  ice: () => Promise<unknown> = () =>
    Promise.resolve({ ok: true, json: () => Promise.resolve({ iceServers: [], ttl_s: 86_400 }) });
  iceFetches = 0;
  random = 0;

  constructor({ environment, ...options }: ClientOptions = {}) {
    FakeSocket.made = [];
    FakeConnection.made = [];
    FakeConnection.live.clear();
    FakeConnection.mostLive = 0;
    FakeConnection.refuse = false;
    FakeConnection.pace = Promise.resolve();
    FakeTrack.live.clear();
    this.client = createClient({
      url: "ws://server/ws",
      iceUrl: "http://server/api/ice",
      ...options,
      environment: {
        WebSocket: FakeSocket as unknown as typeof WebSocket,
        RTCPeerConnection: FakeConnection as unknown as typeof RTCPeerConnection,
        MediaStream: FakeStream as unknown as typeof MediaStream,
        mediaDevices: this.devices as unknown as MediaDevices,
        fetch: (() => {
          this.iceFetches += 1;
          return this.ice();
        }) as unknown as typeof fetch,
        now: this.clock.now,
        setTimeout: this.clock.setTimeout,
        clearTimeout: this.clock.clearTimeout,
        random: () => this.random,
        window: this.page as unknown as Window,
        ...environment,
      },
    });
    this.client.subscribe((state) => this.states.push(state));
    for (const event of EVENTS) {
      this.client.on(event, (payload) => this.heard.push([event, payload] as Heard));
    }
  }

  /** The newest socket. */
  get server(): FakeSocket {
    return existing(FakeSocket.made.at(-1), "a socket");
  }

  get sockets(): FakeSocket[] {
    return FakeSocket.made;
  }

  get state(): ChatState {
    return this.client.state;
  }

  /** The states that the page saw, by name, with the cause of a reconnection. */
  get names(): string[] {
    return this.states.map((state) =>
      state.name === "reconnecting" ? `${state.name}:${state.cause}` : state.name,
    );
  }

  events<E extends keyof ClientEvents>(event: E): ClientEvents[E][] {
    return this.heard.filter(([name]) => name === event).map(([, payload]) => payload as ClientEvents[E]);
  }

  /** The connection of the present match, the waiting offer, the blank one: by the number they were made in. */
  connection(number: number): FakeConnection {
    return existing(FakeConnection.made[number - 1], `connection ${number}`);
  }

  pass(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  /** In line, with the server's answer. */
  async wait(wishes: Wishes = { kind: "video" }, token?: string): Promise<void> {
    void this.client.start(wishes);
    await this.pass(0);
    this.server.accept();
    this.server.say({ type: "welcome", version: 1, online: 2, ...(token ? { resume_token: token } : {}) });
    await this.pass(40);
    this.server.say({ type: "waiting", online: 2 });
    await this.pass(0);
  }

  async find(found: Found = {}): Promise<void> {
    this.server.say({
      type: "partner_found",
      match_id: "m1",
      initiator: true,
      mode: "answer_offer",
      shared_interests: [],
      language: null,
      ...found,
    });
    await this.pass(0);
  }

  /** In a call, as the one whose waiting offer was taken: connection 1 carries it. */
  async call(token?: string): Promise<FakeConnection> {
    await this.wait({ kind: "video" }, token);
    await this.find();
    this.server.say({ type: "answer", match_id: "m1", sdp: "their-answer" });
    await this.pass(0);
    const connection = this.connection(1);
    connection.connect();
    await this.pass(0);
    return connection;
  }

  /** Media keeps arriving for so long. */
  async flow(connection: FakeConnection, ms: number): Promise<void> {
    for (let bytes = this.clock.nowMs; ms > 0; ms -= 250) {
      connection.report({ bytes: (bytes += 100_000) });
      await this.pass(Math.min(250, ms));
    }
  }
}

export class FakePage extends EventTarget {
  isSecureContext = true;
  location = { href: "https://chat.example/chat" };
  document = Object.assign(new EventTarget(), { visibilityState: "visible" });

  happens(event: string, properties: object = {}): void {
    this.dispatchEvent(Object.assign(new Event(event), properties));
  }

  freezes(): void {
    this.document.dispatchEvent(new Event("freeze"));
  }

  thaws(): void {
    this.document.dispatchEvent(new Event("resume"));
  }

  becomesVisible(): void {
    this.document.dispatchEvent(new Event("visibilitychange"));
  }
}

function existing<T>(thing: T | undefined, name: string): T {
  if (thing === undefined) throw new Error(`there is no ${name} yet`);
  return thing;
}
