import { expect, test } from "vitest";
import { findCause, type World } from "./cause";

const world = (status: number | null): World => ({
  fetch: () =>
    status === null ? Promise.reject(new TypeError("Failed to fetch")) : Promise.resolve({ status }),
});

test.each([
  [403, "forbidden"],
  [429, "tooMany"],
  [502, "failed"],
  [503, "full"],
  [504, "failed"],
  [426, null],
  [null, null],
])("a socket that does not open and answers %s", async (status, cause) => {
  expect(await findCause("socket_refused", world(status))).toBe(cause);
  expect(await findCause("server_unreachable", world(status))).toBeNull();
});
