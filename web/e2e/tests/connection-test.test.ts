// The page that tells people whether calls will work from where they are. Firewalls are in `natlab.test.ts`.

import { createServer, request, type IncomingMessage, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectionTest } from "../kit/connection-test";
import { Server } from "../kit/server";
import { Stage, useStage } from "../kit/stage";
import { skipped } from "../natlab/laboratory";
import { World } from "../natlab/world";

const SECRET = "north-by-northwest-1959";

describe("where all is well", () => {
  const stage = useStage();

  test("camera, microphone, server and relays are tried, and the report can be copied", async () => {
    const ann = await stage.visitor({
      name: "ann",
      context: { permissions: ["clipboard-read", "clipboard-write"] },
    });
    const report = await connectionTest(ann);
    expect(report).toMatchObject({
      Camera: expect.stringMatching(/^works: .+/),
      Microphone: expect.stringMatching(/^works: .+/),
      "Server (WebSocket)": expect.stringMatching(/^works: \d+ ms$/),
      "Relay over UDP": expect.stringMatching(/^works: \d+ ms$/),
      "Relay over TCP": expect.stringMatching(/^works: \d+ ms$/),
      "Relay over TLS": "not offered",
      Path: expect.stringMatching(/^UDP gets out\./),
    });
    await ann.button("Copy the report").click();
    await ann.reads("Copied.");
    expect(await ann.page.evaluate(() => navigator.clipboard.readText())).toContain("Relay over UDP: works");
    expect(Object.values(report).join(" "), "no address").not.toMatch(/\d+\.\d+\.\d+\.\d+:\d+|127\.0\.0\.1/);
  });

  test("what was refused is said in plain words", async () => {
    const ben = await stage.visitor({ name: "ben", devices: "refused" });
    const report = await connectionTest(ben);
    expect(report.Camera).toBe("does not work: the browser or the system did not allow it");
    expect(report["Server (WebSocket)"]).toMatch(/^works/);
  });

  test("a camera that is not there is said, and hinders nothing else", async () => {
    const ben = await stage.visitor({ name: "ben", devices: "microphone" });
    const report = await connectionTest(ben);
    expect(report.Camera).toBe("does not work: none is connected");
    expect(report.Microphone).toMatch(/^works/);
    expect(report["Relay over UDP"]).toMatch(/^works/);
  });

  test("who hides their address is told of the relay, not of direct calls", async () => {
    const ann = await stage.visitor({ name: "ann" });
    await ann.openChat();
    await ann.page.getByRole("checkbox", { name: "Hide my address", exact: true }).check();
    expect((await connectionTest(ann)).Path).toBe(
      "You hide your address: all your calls go through the relay, which is reached over UDP.",
    );
  });

  test("a browser that cannot make calls is told so, and the test ends", async () => {
    for (const takeAway of [noWebRtc, brokenWebRtc]) {
      const report = await connectionTest(await stage.visitor({ name: "ann", before: takeAway }));
      expect(report["Server (WebSocket)"]).toMatch(/^works/);
      for (const way of ["UDP", "TCP", "TLS"])
        expect(report[`Relay over ${way}`]).toBe("does not work: this browser has no WebRTC");
      expect(report.Path).toMatch(/^This browser cannot make calls/);
    }
  });

  test("a proxy that drops the port from the Host is named, and no firewall blamed", async () => {
    const proxy = await forwarding(stage.server.port, { host: "127.0.0.1" });
    try {
      const ann = await stage.visitor({ name: "ann", site: proxy.url });
      ann.watch.expect(/WebSocket connection to .* failed/);
      const report = await connectionTest(ann);
      expect(report.Path).toMatch(/^The server refuses .* the proxy drops the port.*Whoever runs this site/);
    } finally {
      await proxy.close();
    }
  });

  test("a proxy that lets pages through, but no WebSocket, is told from a server that is away", async () => {
    const proxy = await forwarding(stage.server.port);
    try {
      const ann = await stage.visitor({ name: "ann", site: proxy.url });
      ann.watch.expect(/WebSocket connection to .* failed/);
      const report = await connectionTest(ann);
      expect(report["Server (WebSocket)"]).toBe("does not work: the connection was refused");
      expect(report["Relay over UDP"], "of the server's own relay").toMatch(/^works/);
      expect(report.Path).toMatch(
        /^Web pages get through, but not the live line to the server \(WebSocket\)\./,
      );
    } finally {
      await proxy.close();
    }
  });
});

describe("where there is no relay", () => {
  const stage = useStage("--turn-enabled", "off");

  test("that is said, and what it means", async () => {
    const report = await connectionTest(await stage.visitor());
    for (const way of ["UDP", "TCP", "TLS"]) expect(report[`Relay over ${way}`]).toBe("not offered");
    expect(report.Path).toMatch(/^The server offers no relay\./);
  });
});

describe("a relay that knows another secret", () => {
  let relay: Server;
  let stage: Stage;
  beforeAll(async () => {
    relay = await Server.start();
    const url = `turn:127.0.0.1:${relay.port}`;
    stage = new Stage();
    const region = `name=foreign place=50|8 urls=${url}|${url}?transport=tcp`;
    await stage.open(["--ice-region", region, "--turn-secret", "not its own"]);
  });
  afterAll(async () => {
    await stage.close();
    await relay.end();
  });

  test("is reached and refuses: no firewall is blamed for that", async () => {
    const report = await connectionTest(await stage.visitor());
    for (const way of ["UDP", "TCP"])
      expect(report[`Relay over ${way}`]).toBe(
        "refuses: it does not take the password that the server gave us: its secret is another one, or its clock is wrong",
      );
    expect(report.Path).toMatch(/^UDP gets out\..* the relay refuses .* Whoever runs this site can fix that/);
  });
});

describe("a relay whose clock is wrong", () => {
  let relay: Server;
  let stage: Stage;
  beforeAll(async () => {
    relay = await Server.start(
      ["--turn-secret", SECRET, "--limits-exempt", "127.0.0.0/8"],
      ["faketime", "-f", "+9d"],
    );
    stage = new Stage();
    const region = `name=foreign place=50|8 urls=turn:127.0.0.1:${relay.port}`;
    await stage.open(["--ice-region", region, "--turn-secret", SECRET]);
  });
  afterAll(async () => {
    await stage.close();
    await relay.end();
  });

  test("is reached and refuses, and its clock is among what may be wrong", async () => {
    const report = await connectionTest(await stage.visitor());
    expect(report["Relay over UDP"]).toMatch(/^refuses: .* its clock is wrong$/);
  });
});

describe("a web server where a relay over TLS should be", () => {
  let web: HttpServer;
  let stage: Stage;
  beforeAll(async () => {
    web = createServer((_, to) => to.end("a page"));
    await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
    stage = new Stage();
    const { port } = web.address() as AddressInfo;
    const region = `name=foreign place=50|8 urls=turns:127.0.0.1:${port}?transport=tcp`;
    await stage.open(["--ice-region", region, "--turn-secret", SECRET]);
  });
  afterAll(async () => {
    await stage.close();
    web.close();
  });

  test("is not taken for a certificate's fault", async () => {
    const report = await connectionTest(await stage.visitor());
    expect(report["Relay over TLS"]).toBe(
      "does not work: it cannot be reached, what answers there is no relay, or browsers do not trust its certificate",
    );
  });
});

describe.skipIf(skipped("a relay that gives out a private address"))("a relay in a container", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open(["--turn-relay-address", "10.99.0.7"]);
  });
  afterAll(() => world?.close());

  test("is not taken for a router that makes a port for each destination", async () => {
    const { visitor } = await world.guest("port-restricted", "a");
    const report = await connectionTest(visitor);
    expect(report["Relay over UDP"]).toMatch(/^works/);
    expect(report.Path).toMatch(/^The relay gives out an address of its own private network/);
  });
});

function noWebRtc(): void {
  delete (window as { RTCPeerConnection?: unknown }).RTCPeerConnection;
}

function brokenWebRtc(): void {
  window.RTCPeerConnection = function () {
    throw new DOMException("no more of them", "UnknownError");
  } as never;
}

/** A proxy for pages. With `headers`, sockets come through too, with those in place of what they had. */
async function forwarding(port: number, headers?: Record<string, string>) {
  const ask = (from: IncomingMessage) =>
    request({ port, method: from.method, path: from.url, headers: { ...from.headers, ...headers } });
  const proxy = createServer((from, to) => {
    const asked = ask(from);
    asked.on("response", (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(to);
    });
    from.pipe(asked);
  });
  proxy.on("upgrade", (from, socket) => {
    if (!headers) return void socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    const asked = ask(from);
    asked.on("response", (answer) => socket.end(`HTTP/1.1 ${answer.statusCode} Refused\r\n\r\n`));
    asked.on("upgrade", (_, far) => far.pipe(socket).pipe(far));
    asked.end();
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    close: () => {
      proxy.closeAllConnections();
      return new Promise((resolve) => proxy.close(resolve));
    },
  };
}
