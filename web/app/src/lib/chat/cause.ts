// Why the socket does not open, as far as the page can find out more than the SDK: what a proxy says to one who asks for the
// socket's address while the rest of the site answers.
import type { ErrorReason } from "@visavis/client";
import { ofServer } from "$lib/server";

export type Cause = "full" | "tooMany" | "failed" | "forbidden";

export interface World {
  fetch: (path: string, init: RequestInit) => Promise<Pick<Response, "status">>;
}

const ANSWER_MS = 6_000;

/** Null: nothing more is known than the error says. */
export async function findCause(reason: ErrorReason, world: World = ownWorld()): Promise<Cause | null> {
  if (reason !== "socket_refused") return null;
  try {
    const { status } = await world.fetch("ws", {
      cache: "no-store",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    return causeOf(status);
  } catch {
    return null;
  }
}

/** A server that is well asks for a WebSocket here (426). */
function causeOf(status: number): Cause | null {
  if (status === 401 || status === 403) return "forbidden";
  if (status === 429) return "tooMany";
  if (status === 503) return "full";
  return status >= 500 ? "failed" : null;
}

function ownWorld(): World {
  return { fetch: (path, init) => fetch(ofServer(path), init) };
}
