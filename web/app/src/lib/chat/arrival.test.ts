import { afterEach, expect, test, vi } from "vitest";
import { announceArrival, mayNotify } from "./arrival";

const PHONE = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/142.0.0.0 Mobile Safari/537.36";

function browserWith(notification: unknown, userAgent = "Mozilla/5.0 (X11; Linux x86_64)"): EventTarget {
  const document = Object.assign(new EventTarget(), { visibilityState: "hidden" });
  vi.stubGlobal("document", document);
  vi.stubGlobal("navigator", { userAgent });
  vi.stubGlobal("Notification", notification);
  return document;
}

class Shown {
  static permission = "granted";
  static requestPermission = () => Promise.resolve(Shown.permission);
  static closed = 0;
  close(): void {
    Shown.closed += 1;
  }
}

afterEach(() => vi.unstubAllGlobals());

test("a_browser_that_shows_notifications_only_for_service_workers_is_unable", async () => {
  class Throws extends Shown {
    constructor() {
      super();
      throw new TypeError("Illegal constructor.");
    }
  }
  browserWith(Throws, PHONE);
  expect(await mayNotify()).toBe("unable");
});

test("a_refusal_is_no_inability", async () => {
  browserWith({ requestPermission: () => Promise.resolve("denied") });
  expect(await mayNotify()).toBe("refused");
  browserWith(Shown);
  expect(await mayNotify()).toBe("granted");
});

test("the_notification_goes_when_the_visitor_looks", () => {
  const document = browserWith(Shown);
  Shown.closed = 0;
  announceArrival({ sound: false, notification: true });
  document.dispatchEvent(new Event("visibilitychange"));
  expect(Shown.closed).toBe(0);
  Object.assign(document, { visibilityState: "visible" });
  document.dispatchEvent(new Event("visibilitychange"));
  expect(Shown.closed).toBe(1);
});
