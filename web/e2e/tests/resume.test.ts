// Lines break, servers die and are replaced: whoever was together stays together, and the picture never stops.

import type { Page, WebSocket } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { seesStranger } from "../kit/media";
import { Proxy } from "../kit/proxy";
import { useCrew, useStage } from "../kit/stage";
import { meet, together, type Visitor } from "../kit/visitor";

// Longer than it takes both to come back with the client's own pauses.
const HALF_PAIR_MS = 8_000;
const stage = useStage("--lobby-recent-pause-ms", "100", "--lobby-half-pair-grace-ms", `${HALF_PAIR_MS}`);
const crew = useCrew(stage, "ben");
const AWAY = /server (is away|does not answer)/i;
const RECONNECTING = /stranger is reconnecting|stranger’s line broke/i;
const SOCKET = /WebSocket connection to|ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET/;

let proxy: Proxy;
let ann: Visitor;
let sockets: Sockets;

beforeAll(async () => {
  proxy = await Proxy.to(stage.server.port);
});
afterAll(() => proxy.close());
beforeEach(async () => {
  proxy.refuse(false);
  ann = await stage.visitor({ name: "ann", site: proxy.url });
  sockets = new Sockets(ann.page);
  for (const { watch } of [ann, crew.ben]) watch.expect(SOCKET);
});

test("a socket that breaks in a call: the picture goes on, the other is told, and both are back together", async () => {
  const { ben } = crew;
  await meet(ann, ben);
  await seesStranger(ann);
  proxy.refuse(true);
  proxy.cut();
  await Promise.all([ann.says(AWAY), ben.says(RECONNECTING)]);
  expect(await ben.isConnected()).toBe(true);
  await Promise.all([seesStranger(ann, 10), seesStranger(ben, 10)]);
  proxy.refuse(false);
  await Promise.all([ann.says(/^Connected\.[^T]*$/), ben.says(/^Connected\.[^T]*$/)]);
  expect(sockets.welcomes.at(-1)).toMatchObject({ resumed: true, match_id: expect.any(String) });
  await together(ann, ben);
  await seesStranger(ben);
});

test("in a text chat what was written meanwhile arrives, both ways, once", async () => {
  const { ben } = crew;
  await meet(ann, ben, "Text");
  await ann.say("before");
  await ben.hears("before");
  proxy.refuse(true);
  proxy.cut();
  await Promise.all([ann.says(AWAY), ben.says(RECONNECTING)]);
  await ben.say("to one who is away");
  await ann.say("from one who is away");
  proxy.refuse(false);
  await Promise.all([ann.connected(), ben.connected()]);
  await Promise.all([ann.hears("to one who is away"), ben.hears("from one who is away")]);
  await together(ann, ben);
  const log = (await ann.log.textContent()) ?? "";
  expect(log.split("to one who is away")).toHaveLength(2);
});

test("Next while the stranger reconnects goes to somebody else, and the stranger learns it on return", async () => {
  const { ben } = crew;
  await meet(ann, ben, "Text");
  proxy.refuse(true);
  proxy.cut();
  await ben.says(RECONNECTING);
  await ben.next();
  await ben.looking();
  const cat = await stage.visitor({ name: "cat" });
  await cat.begin("Text");
  await together(ben, cat);
  proxy.refuse(false);
  await ann.looking();
  await ann.reads("left for someone else");
});

test("a line that is dead without knowing it is replaced when the network changes, and the old one makes no loop", async () => {
  const { ben } = crew;
  await meet(ann, ben, "Text");
  const before = sockets.opened;
  proxy.freeze();
  await ann.page.evaluate(() => window.dispatchEvent(new Event("online")));
  await expect.poll(() => sockets.welcomes.at(-1)).toMatchObject({ resumed: true });
  await together(ann, ben);
  await ann.page.waitForTimeout(2_000);
  expect(sockets.opened).toBe(before + 1);
  await together(ann, ben);
});

for (const kind of ["Video", "Text"] as const) {
  test(`kill -9 in a ${kind.toLowerCase()} chat: both are back in their pair, and nothing was interrupted`, async () => {
    const { ben } = crew;
    const bens = new Sockets(ben.page);
    await meet(ann, ben, kind);
    const watch = await watchTogether(ann, ben);
    await stage.server.kill();
    await Promise.all([ann.says(AWAY), ben.says(AWAY)]);
    if (kind === "Video") await Promise.all([seesStranger(ann, 10), seesStranger(ben, 10)]);
    await stage.server.revive();
    for (const own of [sockets, bens])
      await expect
        .poll(() => own.welcomes.at(-1), { timeout: 30_000 })
        .toMatchObject({ resumed: true, match_id: expect.any(String) });
    expect(sockets.welcomes.at(-1)?.match_id).toBe(bens.welcomes.at(-1)?.match_id);
    await Promise.all([ann.says(/^Connected\.[^T]*$/), ben.says(/^Connected\.[^T]*$/)]);
    await together(ann, ben);
    if (kind === "Video") await Promise.all([seesStranger(ann), seesStranger(ben)]);
    await watch.end();
    await ann.next();
    await ben.reads("left for someone else");
  });
}

test("kill -9 while waiting: the place is kept, and the next visitor is met", async () => {
  const { ben } = crew;
  await ann.begin("Text");
  await ann.looking();
  await stage.server.kill();
  await ann.says(AWAY);
  await stage.server.revive();
  await ann.looking();
  // The page may show it before the frame is told to us.
  await expect.poll(() => sockets.welcomes.at(-1), { timeout: 30_000 }).toMatchObject({ resumed: true });
  await ben.begin("Text");
  await together(ann, ben);
});

test("half a pair after a restart waits a moment, is told that the line broke off, and goes on", async () => {
  const cat = await stage.visitor({ name: "cat" });
  cat.watch.expect(SOCKET);
  await meet(ann, cat, "Text");
  await stage.server.kill();
  await Promise.all([ann.says(AWAY), cat.says(AWAY)]);
  await cat.page.close();
  await stage.server.revive();
  await ann.says(RECONNECTING);
  await ann.looking();
  await ann.reads("line broke off");
  await crew.ben.begin("Text");
  await together(ann, crew.ben);
});

test("a server that drains and its successor: the call does not notice", async () => {
  const { ben } = crew;
  await meet(ann, ben);
  const watch = await watchTogether(ann, ben);
  await stage.server.stop();
  await stage.server.revive();
  await Promise.all([seesStranger(ann, 10), seesStranger(ben, 10)]);
  await expect.poll(() => sockets.welcomes.at(-1), { timeout: 30_000 }).toMatchObject({ resumed: true });
  await Promise.all([ann.says(/^Connected\.[^T]*$/), ben.says(/^Connected\.[^T]*$/)]);
  await watch.end();
  await ann.next();
  await ben.reads("left for someone else");
});

/** What the status says of another stranger, or of none. */
const PARTED = /^(?!Found|Connected|The server does not answer|The stranger’s line)/;

/** Until `end` is called: whether anybody was told that they had parted. */
async function watchTogether(...visitors: Visitor[]): Promise<{ end(): Promise<void> }> {
  const begun = await Promise.all(visitors.map(async (visitor) => (await visitor.history()).length));
  return {
    async end() {
      for (const [index, visitor] of visitors.entries()) {
        const said = (await visitor.history()).slice(begun[index]);
        expect(said, `${visitor.name} was told of the restart`).not.toEqual([]);
        expect(said.filter((words) => PARTED.test(words))).toEqual([]);
      }
    },
  };
}

interface Welcome {
  resumed?: boolean;
  match_id?: string;
}

/** What comes in over the sockets of a page. */
class Sockets {
  opened = 0;
  welcomes: Welcome[] = [];

  constructor(page: Page) {
    page.on("websocket", (socket: WebSocket) => {
      this.opened += 1;
      socket.on("framereceived", ({ payload }) => {
        const message = JSON.parse(String(payload)) as Welcome & { type: string };
        if (message.type === "welcome") this.welcomes.push(message);
      });
    });
  }
}
