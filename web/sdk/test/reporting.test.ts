// Reports: what is asked of the server, what becomes of the match, and what is said when nothing comes of it.

import { expect, test } from "vitest";
import type { ClientOptions } from "../src/types.js";
import { World, type Found } from "./world.js";

const LEFT = { type: "partner_left", match_id: "m1", reason: "next", requeued: true } as const;
const WELCOME = { type: "welcome", version: 1, online: 1 } as const;
const DAY_MS = 24 * 3_600_000;
const SPAM = { category: "spam" } as const;

interface Asked {
  url: string;
  method: string | undefined;
  body: Record<string, unknown>;
}

/** A world whose server also takes reports: `answers` in turn, then 201 for ever. */
class Town extends World {
  readonly asked: Asked[];

  constructor(answers: (() => Response)[] = [], options: ClientOptions = {}) {
    const asked: Asked[] = [];
    const ask = async (url: string, init?: RequestInit): Promise<Response> => {
      if (!url.endsWith("/api/reports")) return json(200, { iceServers: [], ttl_s: 86_400 });
      asked.push({ url, method: init?.method, body: JSON.parse(String(init?.body)) });
      return (answers.shift() ?? (() => json(201, { id: "r1" })))();
    };
    super({ ...options, environment: { fetch: ask as typeof fetch } });
    this.asked = asked;
  }

  async talk(found: Found = {}): Promise<void> {
    await this.wait({ kind: "text" }, "token-1");
    await this.meet("m1", found);
  }

  async meet(match_id: string, found: Found = {}): Promise<void> {
    await this.find({ mode: "text", match_id, ...{ receipt: `receipt-${match_id}` }, ...found });
  }
}

function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers });
}

function error(code: string, message = "No."): object {
  return { error: { code, message } };
}

const unavailable = () => json(503, error("store_unavailable", "Later."), { "retry-after": "7" });

async function failure(report: Promise<unknown>): Promise<unknown> {
  return report.then(
    () => "nothing",
    (error: unknown) => error,
  );
}

test("goes to the server with the receipt of the match, parts the two at once, and searches on", async () => {
  const town = new Town();
  await town.talk();
  expect(town.events("match")).toMatchObject([{ id: "m1", reportable: true }]);
  const report = town.client.report({
    category: "harassment",
    note: "half an emoji: \ud83d",
    lines: [
      { from: "stranger", text: "<img src=x onerror=alert(1)>\0" },
      { from: "you", text: "No." },
    ],
    evidence: new Uint8Array([0xff, 0xfe, 0x00]),
  });
  expect(town.state.name).toBe("waiting");
  expect(await report).toEqual({ id: "r1" });
  expect(town.asked).toEqual([
    {
      url: "http://server/api/reports",
      method: "POST",
      body: {
        receipt: "receipt-m1",
        category: "harassment",
        note: "half an emoji: \ufffd",
        lines: [
          { from: "stranger", text: "<img src=x onerror=alert(1)>\ufffd" },
          { from: "you", text: "No." },
        ],
        evidence: "//4A",
      },
    },
  ]);
  await town.pass(60);
  expect(town.server.types()).toEqual(["hello", "find_partner", "block", "find_partner"]);
});

test("says no more than it was asked to", async () => {
  const town = new Town();
  await town.talk();
  await town.client.report({ ...SPAM, note: "", lines: [] });
  expect(town.asked[0]?.body).toEqual({ receipt: "receipt-m1", category: "spam" });
});

test("is of the stranger who was named, though another has come meanwhile", async () => {
  const town = new Town();
  await town.talk();
  town.server.say(LEFT);
  await town.meet("m2");
  await town.client.report({ ...SPAM, matchId: "m1" });
  expect(town.asked.map(({ body }) => body.receipt)).toEqual(["receipt-m1"]);
  expect(town.state).toMatchObject({ name: "connected", match: { id: "m2" } });
  expect(town.server.of("block")).toEqual([{ type: "block", match_id: "m1" }]);
});

test("is of the last stranger by default: after they left, after Next, and after the session was lost", async () => {
  for (const end of ["left", "next", "lost"] as const) {
    const town = new Town();
    await town.talk();
    if (end === "left") town.server.say(LEFT);
    else if (end === "next") town.client.next();
    else {
      town.server.drop();
      await town.pass(0);
      town.server.accept();
      town.server.say({ ...WELCOME, resume_token: "token-2" });
    }
    await town.pass(60);
    expect(town.state.name, end).toBe("waiting");
    await town.client.report(SPAM);
    expect(town.asked.map(({ body }) => body.receipt)).toEqual(["receipt-m1"]);
    expect(town.state.name, end).toBe("waiting");
  }
});

test("the server's own word that the match is over may come first, or last", async () => {
  for (const order of ["server first", "answer first"] as const) {
    const town = new Town();
    await town.talk();
    const report = town.client.report(SPAM);
    if (order === "answer first") {
      await report;
      await town.pass(60);
    }
    town.server.say(LEFT);
    town.server.say({ type: "blocked", match_id: "m1", block: "handle-1" });
    town.server.say({ type: "waiting", online: 2 });
    await town.pass(60);
    await report;
    expect(town.state.name, order).toBe("waiting");
    expect(town.events("blocked"), order).toEqual([{ matchId: "m1", block: "handle-1" }]);
    // It was this visitor who left.
    expect(town.events("left"), order).toEqual([]);
    await town.meet("m2");
    expect(town.state, order).toMatchObject({ name: "connected", match: { id: "m2" } });
  }
});

test("that failed can be sent again, and parts nobody a second time", async () => {
  const town = new Town([unavailable]);
  await town.talk();
  expect(await failure(town.client.report(SPAM))).toMatchObject({
    reason: "server_failed",
    retry: true,
    retryAfterMs: 7_000,
    message: "Later.",
  });
  expect(town.state.name).toBe("waiting");
  await town.meet("m2");
  expect(await town.client.report({ ...SPAM, matchId: "m1" })).toEqual({ id: "r1" });
  expect(town.server.of("block")).toHaveLength(1);
  expect(town.state).toMatchObject({ name: "connected", match: { id: "m2" } });
});

test("says why nothing came of it", async () => {
  const cases: [() => Response, object][] = [
    [() => json(403, error("receipt_expired", "Too old.")), { reason: "refused", message: "Too old." }],
    [() => json(403, error("foreign_origin")), { reason: "forbidden", retry: false }],
    [() => json(400, error("evidence_invalid")), { reason: "invalid_argument", retry: false }],
    [() => json(408, error("unfinished")), { reason: "server_timeout", retry: true }],
    [() => new Response("too large", { status: 413 }), { reason: "invalid_argument", retry: false }],
    [() => json(429, {}, { "retry-after": "30" }), { reason: "too_many", retryAfterMs: 30_000 }],
    [() => new Response("<html>", { status: 502 }), { reason: "server_failed", retry: true }],
    [() => json(201, "no id"), { reason: "refused" }],
  ];
  for (const [answer, expected] of cases) {
    const town = new Town([answer]);
    await town.talk();
    expect(await failure(town.client.report(SPAM))).toMatchObject(expected);
  }
});

test("without a network, without a server, and with one that never answers", async () => {
  const offline = new Town([() => throws()]);
  Object.assign(offline.page, { navigator: { onLine: false } });
  await offline.talk();
  expect(await failure(offline.client.report(SPAM))).toMatchObject({ reason: "offline", retry: true });

  const away = new Town([() => throws()]);
  await away.talk();
  expect(await failure(away.client.report(SPAM))).toMatchObject({
    reason: "server_unreachable",
    retry: true,
  });

  const silent = new World({ environment: { fetch: hangs } });
  await silent.wait({ kind: "text" });
  await silent.find({ mode: "text", ...{ receipt: "r" } });
  const report = failure(silent.client.report(SPAM));
  await silent.pass(15_000);
  expect(await report).toMatchObject({ reason: "server_timeout", retry: true });
});

test("is refused where there is nobody to report, and ends no match then", async () => {
  const town = new Town();
  expect(await failure(town.client.report(SPAM))).toMatchObject({ reason: "refused" });
  await town.talk({ receipt: undefined } as unknown as Found);
  expect(town.events("match")).toMatchObject([{ reportable: false }]);
  expect(await failure(town.client.report(SPAM))).toMatchObject({ reason: "refused", retry: false });
  expect(town.state.name).toBe("connected");

  const large = new Town();
  await large.talk();
  const note = "x".repeat(256 * 1024);
  expect(await failure(large.client.report({ ...SPAM, note }))).toMatchObject({ reason: "invalid_argument" });
  expect(large.state.name).toBe("connected");
  expect([...town.asked, ...large.asked]).toEqual([]);
});

test("a receipt is forgotten when the server no longer heeds it", async () => {
  const town = new Town([], { autoContinue: false });
  await town.talk();
  town.server.say({ ...LEFT, requeued: false });
  await town.pass(DAY_MS);
  expect(await failure(town.client.report(SPAM))).toMatchObject({ reason: "refused" });
  town.client.destroy();
  expect(await failure(town.client.report(SPAM))).toMatchObject({ reason: "destroyed" });
});

function throws(): Response {
  throw new TypeError("Failed to fetch");
}

const hangs = ((url: string, init?: RequestInit) => {
  if (!url.endsWith("/api/reports")) return Promise.resolve(json(200, { iceServers: [] }));
  return new Promise((_, reject) =>
    init?.signal?.addEventListener("abort", () => reject(init.signal?.reason)),
  );
}) as unknown as typeof fetch;
