// A TCP proxy that holds every byte for `delayMs` in each direction, in order. What passes from the server is
// looked at, because there the frames are unmasked: `onMatch` is called when a `partner_found` comes out of it.
import { createServer, connect } from "node:net";

export function startProxy({ port, delayMs, onMatch }) {
  const proxy = createServer((visitor) => {
    const server = connect(port, "127.0.0.1");
    for (const socket of [visitor, server]) socket.setNoDelay(true).on("error", () => {});
    server.on("data", (bytes) => bytes.includes('"partner_found"') && onMatch(performance.now()));
    pass(visitor, server, delayMs);
    pass(server, visitor, delayMs);
  });
  return new Promise((resolve) => {
    proxy.listen(0, "127.0.0.1", () => resolve({ port: proxy.address().port, close: () => proxy.close() }));
  });
}

/** Timers of one length fire in the order in which they were set, so the bytes keep theirs. */
function pass(from, to, delayMs) {
  const later = (run) => (delayMs === 0 ? run() : setTimeout(run, delayMs));
  from.on("data", (bytes) => later(() => to.write(bytes)));
  from.on("close", () => later(() => to.destroy()));
}
