// The page that tells people whether calls will work from where they are.

import { expect, test } from "vitest";
import { useStage } from "../kit/stage";
import type { Visitor } from "../kit/visitor";

const stage = useStage();

async function tested(visitor: Visitor): Promise<Record<string, string>> {
  await visitor.page.goto(`${visitor.site}/test`);
  await visitor.button("Start the test").click();
  await visitor.page.getByRole("heading", { name: "Report" }).waitFor();
  const report = await visitor.page.locator("pre").innerText();
  return Object.fromEntries(
    report.split("\n").map((line) => line.split(/: (.*)/).slice(0, 2) as [string, string]),
  );
}

test("camera, microphone, server and relays are tried, and the report can be copied", async () => {
  const ann = await stage.visitor({
    name: "ann",
    context: { permissions: ["clipboard-read", "clipboard-write"] },
  });
  const report = await tested(ann);
  expect(report).toMatchObject({
    Camera: expect.stringMatching(/^works: .+/),
    Microphone: expect.stringMatching(/^works: .+/),
    "Server (WebSocket)": expect.stringMatching(/^works: \d+ ms$/),
    "Relay over UDP": expect.stringMatching(/^works: \d+ ms$/),
    "Relay over TCP": expect.stringMatching(/^works: \d+ ms$/),
    "Relay over TLS": "not offered",
    Path: expect.stringMatching(/^UDP gets out\. Most of your calls will be direct/),
  });
  await ann.button("Copy the report").click();
  await ann.reads("Copied.");
  expect(await ann.page.evaluate(() => navigator.clipboard.readText())).toContain("Relay over UDP: works");
  expect(Object.values(report).join(" "), "no address").not.toMatch(/\d+\.\d+\.\d+\.\d+:\d+|127\.0\.0\.1/);
});

test("what was refused is said in plain words", async () => {
  const ben = await stage.visitor({ name: "ben", devices: "refused" });
  const report = await tested(ben);
  expect(report.Camera).toBe("does not work: the browser or the system did not allow it");
  expect(report["Server (WebSocket)"]).toMatch(/^works/);
});
