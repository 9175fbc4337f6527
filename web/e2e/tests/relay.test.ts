// One battery, every relay: coturn as deploy/coturn ships it, and our own.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  addressOf,
  ask,
  drill,
  DRILLS,
  FORBIDDEN,
  Range,
  REALM,
  SECRET,
  type Ports,
} from "../natlab/battery";
import { Coturn, credential, passwordOf, selfSigned } from "../natlab/coturn";
import { EmbeddedRelay } from "../natlab/embedded";
import { skipped } from "../natlab/laboratory";

interface Contender {
  name: string;
  ports: Ports;
  start(range: Range): Promise<void>;
}

const coturn: Contender = {
  name: "coturn, as deploy/coturn ships it",
  ports: { plain: 3478, tls: 443 },
  async start({ relay, laboratory }) {
    const pem = selfSigned(laboratory.folder, ["relay.visavis-lab.net"]);
    await Coturn.start(relay, laboratory.folder, { realm: REALM, secret: SECRET }, pem);
  },
};

const embedded: Contender = {
  name: "visavis turn",
  ports: { plain: 3478, tls: 443 },
  async start({ relay, laboratory }) {
    const pem = selfSigned(laboratory.folder, ["relay.visavis-lab.net"]);
    await EmbeddedRelay.start(relay, { realm: REALM, secret: SECRET }, pem);
  },
};

describe.skipIf(skipped("the battery of relay tests")).each([embedded, coturn])(
  "$name",
  ({ ports, start }) => {
    let range: Range;
    beforeAll(async () => {
      range = new Range();
      await start(range);
    });
    afterAll(() => range?.laboratory.close());

    test.concurrent.each(DRILLS)("relays: $name", async (each) => {
      let outcome = await drill(range, each, ports);
      // Of several messages in one TLS record this client reads the first only, and calls the rest lost.
      for (let again = 0; each.tls && outcome.lost > 0 && again < 3; again++) {
        outcome = await drill(range, each, ports);
      }
      const { sent, received, lost, tickets, said } = outcome;
      expect(sent, said).toBeGreaterThan(0);
      expect(received, said).toBe(sent);
      expect(lost, said).toBe(0);
      if (each.flags.includes("-M") && each.flags.includes("-v")) {
        expect(tickets.length).toBeGreaterThan(2);
        expect(new Set(tickets).size, "every refresh brings another ticket").toBe(tickets.length);
      }
    });

    test.concurrent("tells clients their address", async () => {
      const { said } = await range.client.namespace.outcome("turnutils_stunclient", [
        addressOf(range.relay, "ipv4"),
      ]);
      expect(said).toContain(`UDP reflexive addr: ${addressOf(range.client, "ipv4")}:`);
    });

    test.concurrent.each(["ipv4", "ipv6"] as const)(
      "sends to no special-purpose address, %s",
      async (family) => {
        const open = addressOf(range.peer, family);
        const peers = [open, ...FORBIDDEN[family]];
        const answers = await ask(range, { ...credential(SECRET), family, peers, port: ports.plain });
        expect(answers.allocate).toBe(0);
        const { [open]: allowed, ...rest } = answers.peers;
        expect(allowed).toEqual([0, 0]);
        expect(rest).toEqual(Object.fromEntries(FORBIDDEN[family].map((peer) => [peer, [403, 403]])));
      },
    );

    test.concurrent(
      "opens to a fresh credential, and to none that is expired, forged or of another secret",
      async () => {
        const { username, credential: password } = credential(SECRET);
        const { port } = { port: ports.plain };
        const code = async (login: { username: string; credential: string }) =>
          (await ask(range, { ...login, port })).allocate;
        expect(await code({ username, credential: password })).toBe(0);
        expect(await code(credential(SECRET, -10))).toBe(401);
        expect(await code(credential(`${SECRET}!`))).toBe(401);
        expect(await code({ username: `1${username}`, credential: password })).toBe(401);
        expect(await code({ username: username.replace(/^\d+/, "4102444800"), credential: password })).toBe(
          401,
        );
      },
    );
  },
);

test("the laboratory mints as the REST form says", () => {
  expect(passwordOf("s3cret", "1893456000:alice")).toBe("6zlfmlvWfWDvDds1Zc+zxTmSW8w=");
});
