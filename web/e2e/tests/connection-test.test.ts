// The page that tells people whether calls will work from where they are. Firewalls are in `natlab.test.ts`.

import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectionTest } from "../kit/connection-test";
import { Server } from "../kit/server";
import { Stage, useStage } from "../kit/stage";

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

  test("a proxy that lets pages through, but no WebSocket, is told from a server that is away", async () => {
    const proxy = createServer((from, to) => {
      const { method, url, headers } = from;
      from.pipe(
        request({ port: stage.server.port, method, path: url, headers }, (answer) => {
          to.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(to);
        }),
      );
    });
    proxy.on("upgrade", (_, socket) => socket.end("HTTP/1.1 403 Forbidden\r\n\r\n"));
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    try {
      const site = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
      const ann = await stage.visitor({ name: "ann", site });
      ann.watch.expect(/WebSocket connection to .* failed/);
      const report = await connectionTest(ann);
      expect(report["Server (WebSocket)"]).toBe("does not work: the connection was refused");
      expect(report["Relay over UDP"], "of the server's own relay").toMatch(/^works/);
      expect(report.Path).toMatch(
        /^Web pages get through, but not the live line to the server \(WebSocket\)\./,
      );
    } finally {
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
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
        "refuses: it does not know the password that the server gave us",
      );
    expect(report.Path).toMatch(
      /^UDP gets out\..* the relay refuses .* Whoever runs this site can mend that/,
    );
  });
});
