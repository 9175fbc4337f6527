// The sentences of the page follow the settings of the server that it came from.

import { describe, expect, test } from "vitest";
import { useCrew, useStage } from "../kit/stage";

describe("as it comes, without STUN servers", () => {
  const stage = useStage();
  const crew = useCrew(stage, "ann");

  test("the privacy page names the relay on this server, and nobody who is not asked", async () => {
    const { ann } = crew;
    await ann.page.goto(`${ann.site}/privacy`);
    await ann.reads(/a relay on this very server passes them on/);
    await ann.reads(/This site names none|nobody else is asked/);
    const text = (await ann.page.locator("main").textContent()) ?? "";
    expect(text).not.toMatch(/google|cloudflare|under More|never reaches|two settings/i);
  });

  test("what is remembered is named", async () => {
    const { ann } = crew;
    await ann.page.goto(`${ann.site}/privacy`);
    await ann.reads(/whether a notification does, the language of this site,? and whom you blocked/);
  });
});

describe("where all calls go through relays elsewhere", () => {
  const stage = useStage(
    ...["--ice-region", "name=a urls=turn:turn.example.org", "--turn-secret", "a secret of some length"],
    ...["--ice-policy", "relay", "--lobby-relax-interests-after-ms", "600000"],
    ...["--lobby-relax-language-after-ms", "700000"],
  );
  const crew = useCrew(stage, "ann");

  test("the privacy page says that strangers do not learn the address", async () => {
    const { ann } = crew;
    await ann.page.goto(`${ann.site}/privacy`);
    await ann.reads(/Not your IP address\./);
    const text = (await ann.page.locator("main").textContent()) ?? "";
    expect(text).toMatch(/sends all calls through a relay, so that strangers/);
    expect(text).not.toMatch(/this very server|the stranger can learn your IP/);
  });

  test("nothing is said to be relaxed before the server relaxes it", async () => {
    const { ann } = crew;
    await ann.openChat("Text");
    await ann.page.getByRole("textbox", { name: /Interests/ }).fill("chess");
    await ann.button("Start").click();
    await ann.looking();
    await ann.page.waitForTimeout(4_500);
    expect(await ann.page.getByText(/can be anyone|is enough/).count()).toBe(0);
    await ann.page.evaluate(() => localStorage.clear());
  });
});

describe("without a relay", () => {
  const stage = useStage("--turn-enabled", "off");

  test("the pages read without scripts are true in general terms, and with them they say that there is none", async () => {
    const reader = await stage.visitor({ name: "reader", context: { javaScriptEnabled: false } });
    reader.watch.expect(/^request: csp .*\.js$/);
    await reader.page.goto(`${reader.site}/privacy`);
    await reader.reads(/may ask so-called STUN servers/);
    await reader.reads(/where the networks allow it/);
    const ann = await stage.visitor({ name: "ann" });
    await ann.page.goto(`${ann.site}/privacy`);
    await ann.reads(/This site has no relay/);
  });
});
