// Where the server of this site answers: beside the page, also where a proxy puts the site below a path of its host.

import { resolve } from "$app/paths";

/** `path` without a slash at its beginning: `api/ice`, `ws`. */
export function ofServer(path: string): string {
  return new URL(path, new URL(resolve("/"), location.href)).href;
}

/** The server's WebSocket: a page at https gets `wss`. */
export function socketUrl(): string {
  return ofServer("ws").replace(/^http/, "ws");
}
