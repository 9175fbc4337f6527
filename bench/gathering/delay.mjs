// A relay that is farther away: UDP datagrams and TCP bytes pass with a delay each way, in order.
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";

/** Resolves with the ports on which the relay at `port` seems to be, `delayMs` away. */
export async function farther(port, delayMs) {
  const later = (run) => setTimeout(run, delayMs);
  const door = createSocket("udp4");
  const clients = new Map();
  door.on("message", (packet, from) => {
    const key = `${from.address}:${from.port}`;
    let inner = clients.get(key);
    if (!inner) {
      clients.set(key, (inner = createSocket("udp4")));
      inner.on("message", (answer) => later(() => door.send(answer, from.port, from.address)));
      inner.on("error", () => {});
      inner.connect(port, "127.0.0.1");
    }
    later(() => inner.send(packet));
  });
  await new Promise((resolve) => door.bind(0, "127.0.0.1", resolve));
  const streams = createServer((client) => {
    const relay = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [client, relay],
      [relay, client],
    ]) {
      from.on("data", (bytes) => later(() => to.write(bytes)));
      from.on("close", () => to.destroy());
      from.on("error", () => {});
    }
  });
  await new Promise((resolve) => streams.listen(0, "127.0.0.1", resolve));
  return {
    udp: door.address().port,
    tcp: streams.address().port,
    close() {
      streams.close();
      door.close();
      for (const inner of clients.values()) inner.close();
    },
  };
}
