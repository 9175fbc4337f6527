// Who wants to hide their address, or must, where there is no relay to hide it behind: that is said before anybody
// waits in vain, with what mends it.

import { createSocket, type Socket } from "node:dgram";
import { createServer, type AddressInfo, type Server as TcpServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seesStranger } from "../kit/media";
import { Stage, useCrew, useStage } from "../kit/stage";
import { together, type Visitor } from "../kit/visitor";

function hide(visitor: Visitor) {
  return visitor.page.getByRole("checkbox", { name: "Hide my address", exact: true });
}

/** What a screen reader adds to the name of the switch. */
function described(visitor: Visitor): Promise<string> {
  return hide(visitor).evaluate((element) =>
    (element.getAttribute("aria-describedby") ?? "")
      .split(" ")
      .map((id) => document.getElementById(id)?.textContent ?? "")
      .join(" "),
  );
}

describe("a site without a relay", () => {
  const stage = useStage("--turn-enabled", "off");
  const crew = useCrew(stage, "ben");

  test("says so as soon as the switch is on, and lets nobody wait in vain", async () => {
    const ann = await stage.visitor({ name: "ann" });
    await ann.openChat();
    await expect.poll(() => described(ann)).not.toContain("no relay");
    await hide(ann).check();
    await ann.reads(/This site has no relay, so calls are not possible\. Turn this off, or choose Text\./);
    expect(await described(ann)).toContain("no relay");
    await ann.begin();
    await ann.says("No relay can be reached.");
    const buttons = ["Go on without hiding", "Text instead", "Try again"];
    for (const name of buttons) expect(await ann.button(name).isVisible(), name).toBe(true);
    // Remembered, so it is said at the next visit before anything is pressed.
    await ann.page.reload();
    await ann.reads(/This site has no relay/);

    await crew.ben.begin();
    await ann.begin();
    await ann.button("Go on without hiding").click();
    await together(ann, crew.ben);
    await Promise.all([seesStranger(ann), seesStranger(crew.ben)]);
    await ann.stop();
    expect(await hide(ann).isChecked()).toBe(false);
  });
});

describe("a site that hides everybody's address", () => {
  const stage = useStage("--ice-policy", "relay");

  test("shows the switch as on, with the reason, and does not let it be changed", async () => {
    const ann = await stage.visitor({ name: "ann" });
    await ann.openChat();
    await ann.reads("This site hides everybody’s address: all calls go through a relay.");
    expect(await hide(ann).isChecked()).toBe(true);
    expect(await hide(ann).getAttribute("aria-disabled")).toBe("true");
    expect(await described(ann)).toContain("This site hides everybody’s address");
    await hide(ann).click({ force: true });
    await hide(ann).press("Space");
    expect(await hide(ann).isChecked()).toBe(true);
    expect(await ann.page.getByText("who can learn").count()).toBe(0);
    // It is the site's wish, not the visitor's: nothing to remember.
    expect(await ann.page.evaluate(() => localStorage.getItem("visavis") ?? "{}")).not.toContain(
      '"hideAddress":true',
    );
  });
});

describe("a relay that never answers", () => {
  const stages: Stage[] = [];
  let silence: [Socket, TcpServer];
  let relay: string[];
  beforeAll(async () => {
    const [udp, tcp] = [createSocket("udp4"), createServer((socket) => socket.on("error", () => undefined))];
    await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
    await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
    silence = [udp, tcp];
    const ports = [udp.address().port, (tcp.address() as AddressInfo).port];
    const urls = `turn:127.0.0.1:${ports[0]}|turn:127.0.0.1:${ports[1]}?transport=tcp`;
    relay = ["--ice-region", `name=dead place=50|8 urls=${urls}`, "--turn-secret", "unused"];
  });
  afterAll(async () => {
    for (const stage of stages) await stage.close();
    for (const each of silence) each.close();
  });

  async function opened(...flags: string[]): Promise<Stage> {
    const stage = new Stage();
    stages.push(stage);
    await stage.open([...relay, ...flags]);
    return stage;
  }

  test("leaves text to a site that must hide, and not what it forbids", async () => {
    const stage = await opened("--ice-policy", "relay");
    const ann = await stage.visitor({ name: "ann" });
    await ann.begin();
    await ann.says("No relay can be reached.");
    expect(await ann.button("Go on without hiding").count()).toBe(0);
    await ann.button("Text instead").click();
    await ann.looking();
    await stage.clear({ name: "a site that must hide", failed: false });
  });

  test("is given up by who hides, and hinders nobody else", async () => {
    const stage = await opened();
    const [ann, ben, eve] = (await Promise.all(
      ["ann", "ben", "eve"].map((name) => stage.visitor({ name })),
    )) as [Visitor, Visitor, Visitor];
    await ann.openChat();
    await hide(ann).check();
    await ann.begin();
    await ann.looking();
    // Nobody is given to somebody whom they could not reach.
    await Promise.all([ben.begin(), eve.begin()]);
    await together(ben, eve);
    await ann.says("No relay can be reached.");
    expect(await ann.history()).not.toContainEqual(expect.stringContaining("Found"));
    await stage.clear({ name: "a relay that never answers", failed: false });
  });
});
