import type { ChatState, Client, ClientEvents, MatchInfo } from "@visavis/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SLIP_MS } from "./slips";

// What the server and the stranger do comes from here; the client itself is tested in its own package.
type Told = { [Name in keyof ClientEvents]?: (event: ClientEvents[Name]) => void };
const world = vi.hoisted(() => ({
  told: {} as Record<string, unknown>,
  client: {} as Record<string, unknown>,
}));

vi.mock("@visavis/client", () => ({ createClient: () => world.client }));
vi.mock("$lib/server", () => ({ socketUrl: () => "ws://localhost/ws" }));

const { Conversation } = await import("./conversation.svelte");

const wishes = { kind: "text" } as const;
const match = (id: string): MatchInfo => ({
  id,
  kind: "text",
  sharedInterests: [],
  language: null,
  reportable: true,
});
let show: (state: ChatState) => void;
let block: ReturnType<typeof vi.fn<(matchId?: string) => boolean>>;
let own: InstanceType<typeof Conversation>;

function tell<Name extends keyof ClientEvents>(name: Name, event: ClientEvents[Name]): void {
  (world.told as Told)[name]?.(event);
}

function meet(id: string): void {
  tell("match", match(id));
  show({
    name: "connected",
    wishes,
    match: match(id),
    path: null,
    elapsedMs: 10,
    signaling: "open",
    partner: "open",
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  world.told = {};
  block = vi.fn(() => true);
  world.client = {
    subscribe: (listener: typeof show) => ((show = listener), () => undefined),
    on: (name: string, listener: unknown) => ((world.told[name] = listener), () => undefined),
    start: vi.fn(() => Promise.resolve()),
    block,
    next: vi.fn(),
    typing: vi.fn(),
    stop: vi.fn(),
    destroy: vi.fn(),
  } satisfies Partial<Record<keyof Client, unknown>>;
  own = new Conversation();
});

afterEach(() => {
  own.destroy();
  vi.useRealTimers();
});

test("report_is_about_whoever_is_here_or_was_here_last_with_what_was_written_also_after_next", () => {
  meet("a");
  tell("message", { id: 1, from: "stranger", text: "come on", atMs: 0 });
  expect([own.reportable?.id, own.written.length]).toEqual(["a", 1]);
  own.next();
  expect([own.messages.length, own.reportable?.id, own.written.length]).toEqual([0, "a", 1]);
  meet("b");
  expect([own.reportable?.id, own.written.length]).toEqual(["b", 0]);
  for (let id = 1; id <= 30; id++) tell("message", { id, from: "stranger", text: `${id}`, atMs: 0 });
  expect(own.written.at(-1)?.text).toBe("30");
  expect(own.written.length).toBeLessThan(30);
  tell("match", { ...match("c"), reportable: false });
  expect(own.reportable).toBeNull();
});

test("a_double_click_on_block_blocks_one_stranger", () => {
  meet("a");
  expect(own.block({ atMs: performance.now(), point: { x: 1, y: 1 } })).toBe(true);
  meet("b");
  expect(own.block({ atMs: performance.now() + 200, point: { x: 1, y: 1 } })).toBe(false);
  expect(block.mock.calls).toEqual([["a"]]);
  expect(own.block({ atMs: performance.now() + 2 * SLIP_MS, point: { x: 1, y: 1 } })).toBe(true);
  expect(block.mock.calls).toEqual([["a"], ["b"]]);
});

test("a_block_is_called_done_when_the_server_confirms_it", () => {
  meet("a");
  own.block();
  expect(own.blocked).toEqual({ matchId: "a", handle: null });
  vi.advanceTimersByTime(60_000);
  expect(own.blocked, "it waits as long as that takes").toEqual({ matchId: "a", handle: null });
  tell("blocked", { matchId: "a", block: "sealed" });
  expect(own.blocked).toEqual({ matchId: "a", handle: "sealed" });
  vi.advanceTimersByTime(60_000);
  expect(own.blocked).toBe(null);
});

test("a_block_that_fails_is_told", () => {
  meet("a");
  own.block();
  tell("blockFailed", { matchId: "a" });
  expect([own.blocked, own.blockFailed]).toEqual([null, true]);
  vi.advanceTimersByTime(60_000);
  expect(own.blockFailed).toBe(false);
  block.mockReturnValue(false);
  meet("b");
  own.block({ atMs: performance.now() + 2 * SLIP_MS, point: null });
  expect([own.blocked, own.blockFailed]).toEqual([null, true]);
});

test("the_question_before_a_draft_is_left_stays_until_something_is_typed", () => {
  meet("a");
  own.draft = "hel";
  own.typed("hel");
  own.keepDraft();
  vi.advanceTimersByTime(60_000);
  expect(own.draftAsks).toBe(true);
  own.typed("hell");
  expect(own.draftAsks).toBe(false);
});

test("typing_ends_by_itself", () => {
  meet("a");
  own.typed("hel");
  vi.advanceTimersByTime(60_000);
  expect(vi.mocked(world.client.typing as Client["typing"]).mock.calls).toEqual([[true], [false]]);
});

test("why_a_stranger_left_is_announced_only_where_the_search_goes_on_by_itself", () => {
  meet("a");
  tell("left", { match: match("a"), reason: "stop", searching: false });
  expect(own.announced.times).toBe(0);
  meet("b");
  tell("left", { match: match("b"), reason: "lost", searching: true });
  expect(own.announced).toEqual({ times: 1, reason: "lost" });
});

test("the_next_stranger_does_not_speak_with_the_voice_of_the_last", () => {
  meet("a");
  tell("level", { you: 0.1, stranger: 0.9 });
  meet("b");
  expect(own.level).toEqual({ you: null, stranger: null });
});

test("trying_again_keeps_the_kind_that_was_chosen_last", () => {
  own.start({ kind: "video", interests: ["jazz"] });
  own.startAgain("text");
  own.startAgain();
  const starts = vi.mocked(world.client.start as Client["start"]).mock.calls;
  expect(starts.at(-1)).toEqual([{ kind: "text", interests: ["jazz"] }]);
});
