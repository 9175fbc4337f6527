// The laboratory furnished: the real server with TLS on 443, a relay, and visitors with real browsers behind every
// kind of access. Browsers are kept for the next call; whoever is in none stands before Start.

import type { Browser } from "playwright-core";
import { binary } from "../kit/server";
import type { Visitor } from "../kit/visitor";
import type { AccessName } from "./access";
import { browserAt, visitorIn } from "./browser";
import { Coturn, listening, selfSigned, VERBOSE, type Pem } from "./coturn";
import { version as ownRelay } from "./embedded";
import { Internet, type Home, type Host } from "./internet";
import { Laboratory } from "./laboratory";
import { Wiretap } from "./wiretap";

export const SITE = "visavis-lab.net";
const RELAY = "relay.visavis-lab.net";
const REALM = { realm: SITE, secret: "north-by-northwest" };

const URLS = [`turn:${RELAY}:3478`, `turn:${RELAY}:3478?transport=tcp`, `turns:${RELAY}:443?transport=tcp`];
const REGION = `name=laboratory place=48.9|2.4 urls=${URLS.join("|")}`;
/** `NATLAB_RELAY=coturn` puts coturn in the place of the server's own relay. */
const WITH_COTURN = process.env.NATLAB_RELAY === "coturn";

export interface Guest {
  home: Home;
  visitor: Visitor;
  tap: Wiretap;
}

export class World {
  readonly laboratory = new Laboratory();
  readonly internet = new Internet(this.laboratory);
  readonly server: Host;
  /** Where the relay stands: our own at the server's address, coturn at one of its own. */
  readonly relayHost: Host;
  #pem: Pem;
  /** Which relay is at hand, and which browser was the last to come, with their versions. */
  relay = "";
  browser = "";
  #browsers = new Set<Browser>();
  #guests = new Map<string, Promise<Guest>>();

  private constructor() {
    this.server = this.internet.host(SITE);
    this.relayHost = WITH_COTURN ? this.internet.host(RELAY) : this.server;
    this.#pem = selfSigned(this.laboratory.folder, [SITE, RELAY]);
  }

  static async open(flags: string[] = []): Promise<World> {
    const world = new World();
    try {
      if (WITH_COTURN) await Coturn.start(world.relayHost, world.laboratory.folder, REALM, world.#pem);
      world.relay = WITH_COTURN ? Coturn.version() : ownRelay();
      await world.#serve(flags);
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  /** The visitor with this access and label, from the first call of this on. */
  guest(access: AccessName, label: string): Promise<Guest> {
    const key = `${access} ${label}`;
    const guest = this.#guests.get(key) ?? this.#invite(access, label);
    this.#guests.set(key, guest);
    return guest;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#browsers].map((browser) => browser.close().catch(() => undefined)));
    await this.laboratory.close();
  }

  async #serve(flags: string[]): Promise<void> {
    const { cert, key } = this.#pem;
    const tls = ["--tls-listen", "[::]:443", "--tls-cert", cert, "--tls-key", key];
    const rest = ["--listen", "127.0.0.1:8080", "--state-dir", `${this.laboratory.folder}/state`];
    const lobby = ["--lobby-recent-pause-ms", "100"];
    const relay = WITH_COTURN
      ? ["--ice-region", REGION, "--turn-secret", REALM.secret, "--turn-enabled", "off"]
      : ["--turn-listen", "[::]:3478"];
    const { namespace } = this.server;
    const child = namespace.spawn(binary(), [...rest, ...tls, ...lobby, ...relay, ...flags], {
      stdio: ["ignore", "ignore", VERBOSE ? "inherit" : "ignore"],
    });
    await listening(namespace, WITH_COTURN ? [443] : [443, 3478], child);
  }

  async #invite(access: AccessName, label: string): Promise<Guest> {
    const home = this.internet.home(access, label);
    const browser = await browserAt(home.machine, this.#pem, this.laboratory.folder);
    this.#browsers.add(browser);
    this.browser = `Chromium ${browser.version()}`;
    const visitor = await visitorIn(browser, `${access} ${label}`, `https://${SITE}`);
    return { home, tap: new Wiretap(visitor.page), visitor };
  }
}
