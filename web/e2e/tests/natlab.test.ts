// Four cells of the NAT laboratory (`make natlab` has all of them), and what the operator's figures and the page
// `/test` say of them.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectionTest } from "../kit/connection-test";
import { accessOf, theory, type AccessName } from "../natlab/access";
import { call } from "../natlab/cell";
import { skipped } from "../natlab/laboratory";
import { World } from "../natlab/world";

const CELLS: [AccessName, AccessName][] = [
  ["open", "open"],
  ["symmetric", "symmetric"],
  ["UDP blocked", "UDP blocked"],
  ["443 only", "443 only"],
];

describe.skipIf(skipped("four cells of the NAT laboratory"))("through every firewall", () => {
  let world: World;
  beforeAll(async () => {
    // Nobody else is on the server's machine, so the port is free.
    world = await World.open(["--metrics-listen", "127.0.0.1:9090"]);
  });
  afterAll(() => world?.close());

  test.each(CELLS)("%s × %s", async (a, b) => {
    const [ann, ben] = await Promise.all([world.guest(a, "a"), world.guest(b, "b")]);
    const cell = await call(ann, ben);
    expect(cell.path).toBe(theory(accessOf(a), accessOf(b)));
  });

  test("the operator's figures are those of the cells", () => {
    expect(figures("calls_connected", "visavis_direct_ratio")).toEqual({
      visavis_direct_ratio: 0.25,
      'visavis_calls_connected_total{path="direct"}': 2,
      'visavis_calls_connected_total{path="relay"}': 6,
    });
    expect(figures("calls_by_transport")).toMatchObject({
      'visavis_calls_by_transport_total{protocol="udp"}': 4,
      'visavis_calls_by_transport_total{protocol="tcp"}': 2,
      'visavis_calls_by_transport_total{protocol="tls"}': 2,
    });
  });

  test("whoever waits holds places at the relay over UDP alone", async () => {
    const places = () => figures("visavis_relay_allocations", "visavis_relay_streams");
    const ann = await world.guest("open", "a");
    // A browser that is closed may leave its places to run out by themselves.
    const before = places().visavis_relay_allocations ?? 0;
    await ann.visitor.begin();
    await ann.visitor.looking();
    // One over IPv4, one over IPv6.
    await expect.poll(() => places().visavis_relay_allocations, { timeout: 10_000 }).toBe(before + 2);
    await ann.visitor.page.waitForTimeout(1_500);
    expect(places()).toMatchObject({ visavis_relay_streams: 0, visavis_relay_allocations: before + 2 });
    await ann.visitor.stop();
  });

  /** Lines of `/metrics` whose name begins so or holds that. */
  function figures(...names: string[]): Record<string, number> {
    const lines = world.server.namespace
      .run("curl", ["-sS", "http://127.0.0.1:9090/metrics"])
      .split("\n")
      .filter((line) => !line.startsWith("#") && names.some((name) => line.includes(name)))
      .map((line) => line.split(/ (?=[^ ]*$)/));
    return Object.fromEntries(lines.map(([name, value]) => [name, Number(value)]));
  }

  const WORKS = expect.stringMatching(/^works: \d+ ms$/);
  const SILENT = "does not work: no answer in 8 s";
  const VERDICTS: [AccessName, Record<string, unknown>][] = [
    ["open", { UDP: WORKS, TCP: WORKS, TLS: WORKS, says: /Most of your calls will be direct/ }],
    ["symmetric", { UDP: WORKS, TCP: WORKS, TLS: WORKS, says: /another port for each destination/ }],
    ["UDP blocked", { UDP: SILENT, TCP: WORKS, TLS: WORKS, says: /UDP does not get out.*through a relay/ }],
    ["443 only", { UDP: SILENT, TCP: SILENT, TLS: WORKS, says: /UDP does not get out.*through a relay/ }],
  ];

  test("the connection test says what is true, and no address", async () => {
    await Promise.all(
      VERDICTS.map(async ([access, { says, ...ways }]) => {
        const { visitor, home } = await world.guest(access, "a");
        const report = await connectionTest(visitor);
        for (const [way, expected] of Object.entries(ways))
          expect(report[`Relay over ${way}`], `${access}: ${way}`).toEqual(expected);
        expect(report.Path, access).toMatch(says as RegExp);
        const addresses = [home.own, home.seen, world.relayHost.addresses].flatMap(Object.values);
        for (const address of addresses) expect(Object.values(report).join("\n")).not.toContain(address);
      }),
    );
  });
});
