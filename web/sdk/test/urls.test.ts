// Where the client finds its server, told as little as possible.

import { expect, test } from "vitest";
import { createClient } from "../src/index.js";
import type { ClientOptions, Environment } from "../src/index.js";

function asked(options: ClientOptions, page = "https://page.example/somewhere/chat"): string[] {
  const urls: string[] = [];
  const environment = {
    ...options.environment,
    window: { location: new URL(page), addEventListener: () => undefined, document: undefined },
    fetch: (url: string) => {
      urls.push(url);
      return Promise.resolve({ ok: false });
    },
  } as unknown as Partial<Environment>;
  const client = createClient({ ...options, environment });
  void client.relays();
  return urls;
}

test("relays are asked of the server that has the socket", () => {
  expect(asked({ url: "wss://chat.example/ws" })).toEqual(["https://chat.example/api/ice"]);
  expect(asked({ url: "ws://chat.example:8080/talk/ws" })).toEqual(["http://chat.example:8080/talk/api/ice"]);
  expect(asked({ url: "wss://chat.example/ws?room=1" })).toEqual(["https://chat.example/api/ice"]);
});

test("without a word both are the page's own, and each can be named", () => {
  expect(asked({})).toEqual(["https://page.example/api/ice"]);
  expect(asked({ url: "wss://chat.example/ws", iceUrl: "https://ice.example/" })).toEqual([
    "https://ice.example/",
  ]);
});
