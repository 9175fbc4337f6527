// Those who do not come through the site: pages of other origins, and programs that mean harm.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { seesStranger } from "../kit/media";
import { connect, type RawSocket } from "../kit/socket";
import { useCrew, useStage } from "../kit/stage";
import { meet, together } from "../kit/visitor";

const stage = useStage();
const crew = useCrew(stage, "ann", "ben");

test("a page of another origin cannot open the socket, the site's own can", async () => {
  const site = createServer((_, response) => response.end("<!doctype html><title>foreign</title>"));
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  try {
    const foreigner = await stage.visitor({ name: "foreigner" });
    foreigner.watch.expect(/WebSocket connection to .* 403|favicon/);
    const open = (page: string) => async (): Promise<string> => {
      await foreigner.page.goto(page);
      return foreigner.page.evaluate(
        (url) =>
          new Promise<string>((resolve) => {
            const socket = new WebSocket(url);
            socket.onopen = () => resolve("open");
            socket.onerror = () => resolve("refused");
          }),
        `${stage.server.url.replace("http", "ws")}/ws`,
      );
    };
    const { port } = site.address() as AddressInfo;
    expect(await open(`http://127.0.0.1:${port}/`)()).toBe("refused");
    expect(await open(`http://localhost:${port}/`)()).toBe("refused");
    expect(await open(`${stage.server.url}/about`)()).toBe("open");
  } finally {
    site.close();
  }
});

test("a foreign Origin gets 403 before the upgrade; without one, and with the own one, the door is open", async () => {
  const { port, url } = stage.server;
  const status = async (headers: Record<string, string>) => {
    const { status, socket } = await connect(port, headers);
    socket?.destroy();
    return status;
  };
  expect(await status({ Origin: "https://evil.example" })).toBe(403);
  expect(await status({ Origin: "null" })).toBe(403);
  expect(await status({ Origin: `http://127.0.0.1:${port + 1}` })).toBe(403);
  expect(await status({ Origin: url })).toBe(101);
  expect(await status({})).toBe(101);
});

test("hostile clients get their documented answers, and a running call does not notice", async () => {
  const { ann, ben } = crew;
  await meet(ann, ben);
  await seesStranger(ann);
  const sockets: RawSocket[] = [];
  const hostile = async (): Promise<RawSocket> => {
    const { socket } = await connect(stage.server.port);
    if (!socket) throw new Error("the door is shut");
    sockets.push(socket);
    return socket;
  };
  const error = async (text: string, code: string): Promise<void> => {
    const socket = await hostile();
    socket.send("text", text);
    await socket.hears(`"code":"${code}"`);
  };
  try {
    await error("{", "bad_json");
    await error("[]", "bad_json");
    await error('{"type":"become_admin"}', "unknown_type");
    await error('{"type":"find_partner","kind":"video","admin":true}', "bad_field");
    await error('{"type":"find_partner","kind":"smell"}', "bad_field");
    await error('{"type":"offer","match_id":"0","sdp":"v=0"}', "not_matched");
    await error('{"type":"next"}', "not_searching");
    await error(`{"type":"hello","version":1,"x":${"[".repeat(50)}${"]".repeat(50)}}`, "too_deep");
    await error('{"type":"hello","version":999}', "unsupported_version");
    await error(`{"type":"ticket_offer","sdp":"${"x".repeat(40_000)}"}`, "too_large");
    const binary = await hostile();
    binary.send("binary", Buffer.from([1, 2, 3]));
    expect(await binary.closed).toBe(1003);
    const large = await hostile();
    large.send("text", "x".repeat(70_000));
    expect(await large.closed).toBe(1009);
    const garbage = await hostile();
    garbage.sendRaw(Buffer.from(Array.from({ length: 512 }, (_, index) => (index * 37) % 256)));
    await garbage.closed;
    const torn = await hostile();
    torn.sendRaw(Buffer.from([0x81, 0xff, 0, 0]));
    torn.destroy();
    const flood = await hostile();
    for (let round = 0; round < 2_000; round++)
      flood.send("text", '{"type":"typing","match_id":"x","on":true}');
    // Who does not read the answers is cut.
    await Promise.race([flood.hears("not_matched"), flood.closed]);
  } finally {
    sockets.forEach((socket) => socket.destroy());
  }
  await together(ann, ben);
  await Promise.all([seesStranger(ann), seesStranger(ben)]);
});
