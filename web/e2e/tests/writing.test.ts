// What people write is theirs: it has its own direction, and neither turns round nor covers what the page says.

import { expect, test } from "vitest";
import { useCrew, useStage } from "../kit/stage";
import { meet, type Visitor } from "../kit/visitor";

const stage = useStage("--lobby-recent-pause-ms", "100");
const crew = useCrew(stage, "ann", "ben");

test("Hebrew and English texts each have their own direction, in the line and in the log", async () => {
  const { ann, ben } = crew;
  await meet(ann, ben, "Text");
  const direction = (visitor: Visitor) => visitor.line.evaluate((line) => getComputedStyle(line).direction);
  await ann.line.fill("שלום, world!");
  expect(await direction(ann)).toBe("rtl");
  await ann.button("Send").click();
  await ann.say("hello again");
  await ben.hears("hello again");
  const directions = await ben.log
    .locator(".words")
    .evaluateAll((all) => all.map((words) => getComputedStyle(words).direction));
  expect(directions).toEqual(["rtl", "ltr"]);
});

test("an interest that turns letters round or piles them up stays within its own words", async () => {
  const { ben } = crew;
  const ann = await stage.visitor({ name: "ann-with-a-strange-interest" });
  // As a server of another make might say it: this one takes such letters out.
  await ann.page.routeWebSocket(/\/ws$/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((frame) => {
      const message = JSON.parse(String(frame)) as { type: string; shared_interests?: string[] };
      if (message.type === "partner_found") {
        message.shared_interests = [
          "\u202eevil\u202e",
          `z${"\u0335\u0322\u034d\u0316\u0321".repeat(20)}`,
          "\u2067rtl",
        ];
      }
      socket.send(JSON.stringify(message));
    });
  });
  await meet(ann, ben, "Text");
  await ann.reads(/You both like evil, /);
  const found = await ann.page.locator(".shared").evaluate((sentence) => {
    const range = document.createRange();
    const boxes = [...sentence.childNodes]
      .filter(({ textContent }) => textContent?.trim())
      .map((node) => {
        range.selectNodeContents(node);
        const { left, top, bottom } = range.getBoundingClientRect();
        return { left, height: bottom - top };
      });
    return { boxes, text: sentence.textContent ?? "" };
  });
  expect(found.text).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
  // From left to right, as it was written.
  const lefts = found.boxes.map(({ left }) => left);
  expect(lefts).toEqual([...lefts].sort((a, b) => a - b));
  for (const written of await ann.page.locator(".shared bdi").all()) {
    expect(await written.evaluate((bdi) => getComputedStyle(bdi).overflowY)).toBe("hidden");
  }
});

test("a text with marks piled up covers nothing but itself", async () => {
  const { ann, ben } = crew;
  await meet(ann, ben, "Text");
  await ben.say("before");
  await ben.say(`z${"\u0335\u0322\u034d\u0316\u0321\u0301\u0302".repeat(40)}`);
  await ben.say("after");
  await ann.hears("after");
  const clips = await ann.log
    .locator(".words")
    .evaluateAll((all) => all.map((words) => getComputedStyle(words).overflowY));
  expect(clips).toEqual(["hidden", "hidden", "hidden"]);
});
