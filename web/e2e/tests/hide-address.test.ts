// Who hides their address goes through the relay, and nothing that the stranger gets names another way to them.

import { expect, test } from "vitest";
import { seesStranger } from "../kit/media";
import { useCrew, useStage } from "../kit/stage";
import { together, type Visitor } from "../kit/visitor";

const stage = useStage("--lobby-recent-pause-ms", "100");
const crew = useCrew(stage, "ben");

test("the switch hides its visitor, who still sees and hears the stranger, and is remembered", async () => {
  const { ben } = crew;
  const ann = await stage.visitor({ name: "ann" });
  const [bensMail, annsMail] = [mailOf(ben), mailOf(ann)];
  await ann.openChat();
  await hide(ann).check();
  await ann.begin();
  await ann.looking();
  await ben.begin();
  await together(ann, ben);
  await Promise.all([seesStranger(ann), seesStranger(ben)]);
  await ann.reads("relayed");
  expect(bensMail.join("")).toContain("typ relay");
  for (const said of bensMail) expect(said).not.toMatch(/typ (host|srflx|prflx)|raddr (?!0\.0\.0\.0)/);
  for (const line of bensMail.join("\n").match(/\\r\\n(c|o)=[^\\]*/g) ?? [])
    expect(line).toMatch(/ (0\.0\.0\.0|::)$/);
  // Ben has not asked for it.
  expect(annsMail.join("")).toMatch(/typ host/);

  await ann.page.reload();
  await expect.poll(() => hide(ann).isChecked()).toBe(true);
  await ann.begin();
  await together(ann, ben);
  await ann.reads("relayed");
  await ben.say("the same stranger");
  await ann.hears("the same stranger");
  await ann.button("More").click();
  await hide(ann).uncheck();
  await ann.button("Close").click();
  // It is for the next stranger: the present one stays.
  await ann.page.waitForTimeout(500);
  await together(ann, ben);
  expect(await ann.log.textContent()).toContain("the same stranger");
  await ann.reads("relayed");
  await ann.next();
  await together(ann, ben);
  await ann.reads(/^direct$/);
});

test("set while waiting, it takes the offer that names the address out of the line", async () => {
  const [ann, eve] = await Promise.all(["ann", "eve"].map((name) => stage.visitor({ name })));
  if (!ann || !eve) throw new Error("Somebody did not come.");
  const mail = mailOf(eve);
  await ann.begin();
  await ann.looking();
  await ann.button("More").click();
  await hide(ann).check();
  await ann.button("Close").click();
  await eve.begin();
  await together(ann, eve);
  await ann.reads("relayed");
  expect(mail.join("")).toContain("typ relay");
  expect(mail.join("")).not.toMatch(/typ (host|srflx|prflx)/);
});

test("on another network the call seeks a new path at once, and goes on", async () => {
  const { ben } = crew;
  const ann = await stage.visitor({ name: "ann" });
  // Ben answers each offer with credentials of its own.
  const mail = mailOf(ann);
  await Promise.all([ann.begin(), ben.begin()]);
  await together(ann, ben);
  const before = ufragsIn(mail);
  await ann.page.evaluate(() => window.dispatchEvent(new Event("online")));
  await expect.poll(() => ufragsIn(mail).size, { timeout: 10_000 }).toBeGreaterThan(before.size);
  await Promise.all([seesStranger(ann, 10), seesStranger(ben, 10)]);
  await together(ann, ben);
});

function hide(visitor: Visitor) {
  return visitor.page.getByRole("checkbox", { name: "Hide my address", exact: true });
}

/** Everything that comes in over the visitor's sockets about how to reach a stranger. */
function mailOf(visitor: Visitor): string[] {
  const mail: string[] = [];
  visitor.page.on("websocket", (socket) =>
    socket.on("framereceived", ({ payload }) => {
      if (/sdp|candidate/.test(String(payload))) mail.push(String(payload));
    }),
  );
  return mail;
}

function ufragsIn(mail: string[]): Set<string> {
  return new Set(mail.join("").match(/ice-ufrag:[^\\]+/g));
}
