// What browsers, networks and clocks do to a call: nothing of it leaves a visitor without a word, or a stranger stuck.

import type { Request } from "playwright-core";
import { describe, expect, test } from "vitest";
import { seesStranger } from "../kit/media";
import { useCrew, useStage } from "../kit/stage";
import { meet, together, type Visitor } from "../kit/visitor";

const askedForRelays = (visitor: Visitor): Request[] => {
  const asked: Request[] = [];
  visitor.page.on("request", (request) => {
    if (new URL(request.url()).pathname === "/api/ice") asked.push(request);
  });
  return asked;
};

describe("with a relay", () => {
  const stage = useStage();

  // Chromium's SNAP trial makes it throw so once an offer was made. The trial itself is not switched on: it crashes the page at times.
  test("a browser that refuses every change of its servers makes calls like any other", async () => {
    const before = () => {
      const refused = { times: 0 };
      Object.assign(window, { refused });
      RTCPeerConnection.prototype.setConfiguration = () => {
        refused.times += 1;
        throw new DOMException("no change once an offer was made", "InvalidModificationError");
      };
    };
    const timesRefused = ({ page }: Visitor) =>
      page.evaluate(() => (window as unknown as { refused: { times: number } }).refused.times);
    const ann = await stage.visitor({ name: "ann", before });
    const ben = await stage.visitor({ name: "ben", before });
    const cid = await stage.visitor({ name: "cid" });
    await meet(ann, ben);
    await together(ann, ben);
    await Promise.all([seesStranger(ann), seesStranger(ben)]);
    await ben.stop();
    await cid.begin();
    await together(ann, cid);
    await Promise.all([seesStranger(ann), seesStranger(cid)]);
    expect(await timesRefused(ann)).toBeGreaterThan(0);
  });

  test("a browser that gives no connection is told so, and draws nobody in", async () => {
    const ben = await stage.visitor({ name: "ben" });
    const ann = await stage.visitor({
      name: "ann",
      before: () => {
        window.RTCPeerConnection = function () {
          throw new DOMException("switched off", "NotSupportedError");
        } as never;
      },
    });
    await ben.begin();
    await ben.looking();
    await ann.begin();
    await ann.says(/cannot start a call/);
    expect((await ben.history()).filter((said) => /Found someone|Connected/.test(said))).toEqual([]);
  });

  test("a camera that is switched off goes out, and is seen again when it is on, on either side", async () => {
    const before = () => {
      const cameras: MediaStreamTrack[] = [];
      Object.assign(window, { cameras });
      const own = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (constraints) => {
        const stream = await own(constraints);
        cameras.push(...stream.getVideoTracks());
        return stream;
      };
    };
    const burning = (visitor: Visitor) =>
      visitor.page.evaluate(
        () =>
          (window as unknown as { cameras: MediaStreamTrack[] }).cameras.filter(
            ({ readyState }) => readyState === "live",
          ).length,
      );
    const ann = await stage.visitor({ name: "ann", before });
    const ben = await stage.visitor({ name: "ben", before });
    await meet(ann, ben);
    for (const [one, other] of [
      [ann, ben],
      [ben, ann],
    ] as const) {
      await seesStranger(other);
      await one.press("Turn camera off");
      expect(await burning(one)).toBe(0);
      await one.button("Turn camera off").and(one.page.locator("[aria-pressed=true]")).waitFor();
      await one.press("Turn camera off");
      await expect.poll(() => burning(one)).toBe(1);
      await seesStranger(other);
    }
    // Off already when the next stranger comes, and on in the middle of that call.
    await ann.press("Turn camera off");
    await ben.next();
    await together(ann, ben);
    expect(await burning(ann)).toBe(0);
    await ann.press("Turn camera off");
    await Promise.all([seesStranger(ann), seesStranger(ben)]);
  });

  test("after a night asleep, relays are asked for again before anybody is sought", async () => {
    const ann = await stage.visitor({
      name: "ann",
      before: () => {
        // As on a laptop: the monotonic clock stood still, the wall clock did not.
        const now = Date.now.bind(Date);
        Date.now = () => now() + ((window as unknown as { sleptMs?: number }).sleptMs ?? 0);
      },
    });
    const ben = await stage.visitor({ name: "ben" });
    const asked = askedForRelays(ann);
    await meet(ann, ben);
    await ben.stop();
    await ann.looking();
    const before = asked.length;
    await ann.page.evaluate(() => Object.assign(window, { sleptMs: 9 * 3_600_000 }));
    await ann.stop();
    await ann.begin();
    await expect.poll(() => asked.length).toBeGreaterThan(before);
    await ben.begin();
    await together(ann, ben);
  });

  test("credentials that the relay refuses are fetched again at once, and the hidden call comes about", async () => {
    const ann = await stage.visitor({ name: "ann" });
    const ben = await stage.visitor({ name: "ben" });
    // As after a redeploy with another secret: what was handed out opens nothing.
    let stale = true;
    await ann.page.route("**/api/ice", async (route) => {
      const answer = await route.fetch();
      const body = (await answer.json()) as { iceServers: RTCIceServer[] };
      if (stale) body.iceServers.forEach((server) => server.credential && (server.credential = "yesterday"));
      stale = false;
      await route.fulfill({ response: answer, json: body });
    });
    const asked = askedForRelays(ann);
    await ann.openChat();
    await ann.page.getByRole("checkbox", { name: "Hide my address", exact: true }).check();
    await Promise.all([ann.begin(), ben.begin()]);
    await together(ann, ben);
    await Promise.all([seesStranger(ann), seesStranger(ben)]);
    expect(asked).toHaveLength(2);
  });

  test("what the page fetches later is fetched again where that failed, and Start goes on by itself", async () => {
    const ann = await stage.visitor({ name: "ann" });
    const { watch, page } = ann;
    for (const trouble of [/ERR_FAILED/, /dynamically imported module/]) watch.expect(trouble);
    let away = true;
    let refused = 0;
    await page.route("**/_app/immutable/**/*.js", async (route) => {
      const response = await route.fetch();
      // The words of the wait are fetched behind the form.
      if (!away || !(await response.text()).includes("Looking for")) return route.fulfill({ response });
      refused += 1;
      return route.abort();
    });
    await ann.openChat();
    await ann.button("Start").click();
    await expect.poll(() => refused).toBeGreaterThan(0);
    away = false;
    await ann.looking();
    await ann.page.unrouteAll({ behavior: "ignoreErrors" });
  });

  test("a server that is away for two seconds at Start is waited for", async () => {
    const ann = await stage.visitor({ name: "ann" });
    await ann.openChat();
    for (const trouble of [/ERR_CONNECTION_REFUSED/, /ERR_CONNECTION_RESET/, /ERR_EMPTY_RESPONSE/])
      ann.watch.expect(trouble);
    await stage.server.kill();
    await ann.button("Start").click();
    await ann.page.waitForTimeout(2_500);
    await stage.server.revive();
    // By itself: nobody presses anything.
    await ann.looking();
  });
});

describe("without a relay", () => {
  const stage = useStage("--turn-enabled", "off");
  const crew = useCrew(stage, "ben");

  test("who cannot send a packet anywhere is told so after two strangers, who are free again soon", async () => {
    const ann = await stage.visitor({
      name: "ann",
      before: () => {
        // As where a policy lets no packet out but through relays, and there are none.
        const Native = RTCPeerConnection;
        window.RTCPeerConnection = class extends Native {
          constructor(configuration?: RTCConfiguration) {
            super({ ...configuration, iceServers: [], iceTransportPolicy: "relay" });
          }
          override setConfiguration() {
            return undefined;
          }
        };
      },
    });
    await crew.ben.begin();
    await crew.ben.looking();
    await ann.begin();
    await crew.ben.says(/Found someone/);
    const metAtMs = Date.now();
    await crew.ben.looking();
    expect(Date.now() - metAtMs).toBeLessThan(15_000);
    // The same two are not put together again, so the second stranger is another one.
    await crew.ben.stop();
    const cid = await stage.visitor({ name: "cid" });
    await cid.begin();
    await ann.says(/No stranger could be reached from here/);
    await cid.looking();
    for (const stranger of [crew.ben, cid]) {
      const met = (await stranger.history()).filter((said) => /Found someone/.test(said));
      expect(met).toHaveLength(1);
    }
  });
});
