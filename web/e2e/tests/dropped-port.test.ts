// nginx as one finds it in many a guide (`proxy_set_header Host $host`), on another port than 443: the Host header lacks
// the port, and the server takes the page for another site's.

import { afterAll, beforeAll, expect, test } from "vitest";
import { Nginx } from "../kit/nginx";
import { useStage } from "../kit/stage";

const stage = useStage("--trusted-proxy", "127.0.0.1");
let nginx: Nginx;

beforeAll(async () => {
  nginx = await Nginx.start(
    `location / {
       proxy_pass http://127.0.0.1:${stage.server.port};
       proxy_set_header Host $host;
       proxy_set_header Upgrade $http_upgrade;
       proxy_set_header Connection $connection_upgrade;
     }`,
  );
});
afterAll(() => nginx?.end());

test("the page says that the proxy drops the port, and how to fix that", async () => {
  const ann = await stage.visitor({ name: "ann", site: `http://127.0.0.1:${nginx.port}` });
  ann.watch.expect(/WebSocket connection to .* failed/);
  await ann.begin("Text");
  await ann.reads(/The server does not accept this page/);
  const told = await ann.page.getByText("proxy_set_header Host $http_host").first().textContent();
  expect(told).toContain("the proxy drops the port");
});
