// The server does not let a visitor in, or a call cannot come about: each cause in its own words, with a way on.

import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { findings } from "../kit/axe";
import { useStage } from "../kit/stage";
import type { Visitor } from "../kit/visitor";

const stage = useStage();
let front: Server | null = null;

afterEach(() => {
  front?.closeAllConnections();
  front?.close();
  front = null;
});

/** A proxy before the site that passes on everything but the socket. `host`: what it makes of the Host header. */
async function inFront(status: number | "pass", host?: (own: string) => string): Promise<string> {
  const target = new URL(stage.server.url);
  const server = (front = createServer((asked, answer) => {
    if (status !== "pass" && asked.url?.startsWith("/ws")) return void answer.writeHead(status).end("no");
    const headers = { ...asked.headers, host: host?.(asked.headers.host ?? "") ?? asked.headers.host };
    const { hostname, port } = target;
    const on = request({ hostname, port, path: asked.url, method: asked.method, headers }, (found) => {
      answer.writeHead(found.statusCode ?? 500, found.headers);
      found.pipe(answer);
    });
    on.on("error", () => answer.destroy());
    asked.pipe(on);
  }));
  server.on("upgrade", (_asked, socket) =>
    socket.end(`HTTP/1.1 ${status === "pass" ? 403 : status} no\r\n\r\n`),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function heading({ page }: Visitor): Promise<string> {
  await page.getByRole("heading", { level: 1 }).filter({ hasText: /\.$/ }).waitFor();
  return page.getByRole("heading", { level: 1 }).innerText();
}

/** The first way on is the one that stands out; a sentence says why. */
async function hasAWayOn(ann: Visitor, first: string): Promise<void> {
  const ways = ann.page.locator(".ways .button");
  expect((await ways.first().innerText()).trim()).toBe(first);
  expect(await ways.count()).toBeGreaterThan(1);
  expect(await findings(ann)).toEqual([]);
  expect(((await ann.page.locator(".notice p").first().textContent()) ?? "").trim()).toMatch(/\.$/);
}

for (const [status, title] of [
  [403, "The chat connection is refused."],
  [429, "Too many visitors are coming from your network."],
  [502, "The chat server is down right now."],
  [503, "There is no room right now."],
] as const) {
  test(`a socket that is refused with ${status} has words of its own`, async () => {
    const site = await inFront(status);
    const ann = await stage.visitor({ name: "ann", site });
    ann.watch.expect(/WebSocket connection|\/ws/);
    await ann.begin("Text");
    await ann.page.getByRole("heading", { name: title }).waitFor();
    await ann.says(title);
    await hasAWayOn(ann, "Try again");
  });
}

test("a proxy that changes the Host is named, in the server's own words", async () => {
  const site = await inFront("pass", (own) => own.replace(/:\d+$/, ""));
  const ann = await stage.visitor({ name: "ann", site });
  ann.watch.expect(/WebSocket connection|\/ws/);
  await ann.begin("Text");
  expect(await heading(ann)).toBe("The server does not accept this page.");
  await ann.reads(/What the server says: .*Host/);
  await hasAWayOn(ann, "Try again");
});

test("a browser that refuses every call says so, and leads to the test and to text", async () => {
  const ann = await stage.visitor({
    name: "ann",
    before: () => {
      const refuse = (): never => {
        throw new DOMException("no", "NotSupportedError");
      };
      window.RTCPeerConnection = new Proxy(window.RTCPeerConnection, { construct: refuse });
    },
  });
  await ann.begin();
  expect(await heading(ann)).toMatch(/This browser cannot (start a call|make calls)\./);
  await ann.page.getByRole("link", { name: "Test your connection" }).waitFor();
  await ann.button("Text instead").click();
  await ann.looking();
});

test("a browser without WebRTC says so, and text goes on", async () => {
  const ann = await stage.visitor({
    name: "ann",
    before: () => Reflect.deleteProperty(window, "RTCPeerConnection"),
  });
  await ann.begin();
  expect(await heading(ann)).toBe("This browser cannot make calls.");
  await hasAWayOn(ann, "Text instead");
});
