// The site below a path of its host, behind a real nginx: whether that passes the path on or takes it off.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Nginx } from "../kit/nginx";
import { useStage } from "../kit/stage";
import { meet } from "../kit/visitor";

const WAYS = [
  { name: "that passes the path on", flags: ["--base-path", "/talk/"], behind: "" },
  { name: "that takes the path off", flags: ["--base-path", "talk"], behind: "/" },
  { name: "that takes the path off, without a word to the server", flags: [], behind: "/" },
];

describe.each(WAYS)("behind an nginx $name", ({ flags, behind }) => {
  const stage = useStage("--trusted-proxy", "127.0.0.1", ...flags);
  let nginx: Nginx;
  let site: string;

  beforeAll(async () => {
    nginx = await Nginx.start(
      `location /talk/ { proxy_pass http://127.0.0.1:${stage.server.port}${behind}; }
       location / { return 404 "another site"; }`,
    );
    site = `http://127.0.0.1:${nginx.port}/talk`;
  });
  afterAll(() => nginx?.end());

  test("strangers meet, and every page is found from every other", async () => {
    const [ann, ben] = await Promise.all(["ann", "ben"].map((name) => stage.visitor({ name, site })));
    if (!ann || !ben) throw new Error("Nobody came.");
    await ann.page.goto(`${site}/`);
    expect(await ann.page.evaluate(() => document.styleSheets.length)).toBeGreaterThan(0);
    for (const [name, path] of [
      ["Rules", "/talk/rules"],
      ["Privacy", "/talk/privacy"],
      ["About", "/talk/about"],
      ["Chat", "/talk/chat"],
    ] as const) {
      await ann.page
        .getByRole("navigation", { name: "Pages" })
        .getByRole("link", { name, exact: true })
        .click();
      await expect.poll(() => new URL(ann.page.url()).pathname).toBe(path);
    }
    await meet(ann, ben, "Text");
    await ann.say("hello below");
    await ben.hears("hello below");
  });

  test("what is not there is said in the site's own dress", async () => {
    const ann = await stage.visitor({ name: "ann", site });
    const asked = await ann.page.request.get(`${site}/no/such/page`);
    expect(asked.status()).toBe(404);
    if (flags.length === 0) return;
    const sheets = [...(await asked.text()).matchAll(/href="([^"]+\.css)"/g)].map(([, path]) => path ?? "");
    expect(sheets.length).toBeGreaterThan(0);
    for (const path of sheets) {
      expect((await ann.page.request.get(new URL(path, `${site}/`).href)).status()).toBe(200);
    }
  });
});
