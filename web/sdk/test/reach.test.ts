import { describe, expect, test } from "vitest";
import { FakePage, settle, World } from "./world.js";

/** What the site answers when it is asked over HTTP. */
const status = (status: number, more = {}) =>
  Promise.resolve({
    ok: status === 200,
    status,
    headers: new Headers(more),
    json: () => Promise.resolve({}),
  });
const says = (allowed: boolean, message?: string) =>
  Promise.resolve({ ok: true, status: 200, json: () => Promise.resolve({ allowed, message }) });
const down = () => Promise.reject(new TypeError("Failed to fetch"));

async function twiceInVain(world: World): Promise<void> {
  void world.client.start({ kind: "text" });
  await import("../src/reach.js");
  await settle();
  world.server.drop();
  await world.pass(1_000);
  world.server.drop();
  await world.pass(0);
}

describe("a server that does not let the first socket in", () => {
  test.each([
    ["forbids the page's origin", () => status(403), "forbidden", false],
    ["says which origin it expects", () => says(false, "the port is missing"), "forbidden", false],
    ["sees too many from this network", () => status(429, { "retry-after": "30" }), "too_many", true],
    ["answers over HTTP alone", () => says(true), "socket_refused", true],
  ] as const)("and %s is named so, at once", async (_, answer, reason, retry) => {
    const world = new World();
    world.ice = answer;
    await twiceInVain(world);
    expect(world.state).toMatchObject({ name: "error", error: { reason, retry } });
    if (reason === "too_many") expect(world.state).toMatchObject({ error: { retryAfterMs: 30_000 } });
  });

  test.each([
    ["is gone", down, "server_unreachable"],
    ["is gone behind its proxy", () => status(502), "server_failed"],
    ["never answers", () => new Promise(() => {}), "server_timeout"],
  ] as const)("and %s is named so after a while", async (_, answer, reason) => {
    // The fake fetch knows nothing of the signal that ends it.
    const fetch = (_: string, { signal }: RequestInit) =>
      Promise.race([
        answer(),
        new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new Error("aborted")))),
      ]);
    const world = new World({ environment: { fetch: fetch as never } });
    await twiceInVain(world);
    expect(world.state).toMatchObject({ name: "reconnecting", cause: "server" });
    await world.pass(16_000);
    expect(world.state).toMatchObject({ name: "error", error: { reason, retry: true } });
  });

  test("because this device has no network is named so, whatever else fails", async () => {
    const page = Object.assign(new FakePage(), { navigator: { onLine: false } });
    const world = new World({ environment: { window: page as unknown as Window } });
    world.ice = down;
    await twiceInVain(world);
    await world.pass(16_000);
    expect(world.state).toMatchObject({ name: "error", error: { reason: "offline", retry: true } });
  });

  test("for two seconds is waited for, and the search goes on", async () => {
    const world = new World();
    world.ice = down;
    await twiceInVain(world);
    await world.pass(2_000);
    expect(world.sockets).toHaveLength(2);
    world.ice = () => says(true);
    await world.pass(600);
    expect(world.sockets).toHaveLength(3);
    world.server.accept();
    await world.pass(100);
    expect(world.state.name).toBe("waiting");
    expect(world.server.of("find_partner")).toHaveLength(1);
  });

  test("but answers over HTTP, however slowly, is not asked for ever", async () => {
    const world = new World();
    let answer: () => void = () => undefined;
    world.ice = () => new Promise((resolve) => (answer = () => void says(true).then(resolve)));
    await twiceInVain(world);
    await world.pass(40);
    answer();
    await settle();
    expect(world.state).toMatchObject({ name: "error", error: { reason: "socket_refused" } });
  });

  test("is not waited for after a stop", async () => {
    const world = new World();
    world.ice = down;
    await twiceInVain(world);
    world.client.stop();
    world.ice = () => says(true);
    await world.pass(20_000);
    expect(world.sockets).toHaveLength(2);
    expect(world.state.name).toBe("idle");
  });
});

describe("a server that does not say where its relays are", () => {
  async function hidden(answer: () => Promise<unknown>): Promise<World> {
    const world = new World({ relayOnly: true });
    world.ice = answer;
    void world.client.start({ kind: "video" });
    await import("../src/reach.js");
    await settle();
    world.server.accept();
    await world.pass(100);
    world.connection(1).gathered();
    return world;
  }

  test("for two seconds is asked again", async () => {
    const world = await hidden(() => status(502));
    expect(world.state.name).toBe("waiting");
    world.ice = () =>
      Promise.resolve({
        ok: true,
        json: () => Promise.resolve({ iceServers: [{ urls: "turn:a", credential: "c" }], ttl_s: 600 }),
      });
    await world.pass(2_000);
    expect(world.connection(3).configuration.iceServers).toHaveLength(1);
    expect(world.state.name).toBe("waiting");
  });

  test.each([
    [403, "forbidden"],
    [429, "too_many"],
    [502, "server_failed"],
  ])("with %i is named so", async (code, reason) => {
    const world = await hidden(() => status(code));
    await world.pass(10_000);
    expect(world.state).toMatchObject({ name: "error", error: { reason } });
  });
});
