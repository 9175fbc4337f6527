// The little of WebSocket (RFC 6455) and TURN (RFC 8656) that an attacker, and a visitor beside it, need. From a loopback
// address of one's choice: on one machine that is what a network has.
import { createHash, createHmac, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { request } from "node:http";
import { connect } from "node:net";

/** A WebSocket that has said nothing yet; null if it was refused. */
export function openSocket(at, localAddress, withinMs = 20_000) {
  return new Promise((resolve) => {
    const socket = connect({ ...at, localAddress });
    const timer = setTimeout(() => socket.destroy(), withinMs);
    const key = randomBytes(16).toString("base64");
    let head = "";
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(null);
    });
    socket.once("connect", () => {
      socket.write(
        `GET /ws HTTP/1.1\r\nHost: ${at.host}:${at.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
      );
    });
    socket.on("data", function onHead(bytes) {
      head += bytes.toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.off("data", onHead);
      clearTimeout(timer);
      if (!head.startsWith("HTTP/1.1 101")) return socket.destroy();
      resolve(new Socket(socket, Buffer.from(head.slice(end + 4), "latin1")));
    });
  });
}

class Socket {
  #tcp;
  #bytes;
  #heard = [];
  #waiting = null;

  constructor(tcp, early) {
    this.#tcp = tcp;
    this.#bytes = early;
    tcp.on("data", (bytes) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      this.#read();
    });
    tcp.once("close", () => this.#tell(null));
    this.#read();
  }

  say(message) {
    const payload = Buffer.from(JSON.stringify(message));
    const length = payload.length < 126 ? [0x80 | payload.length] : [0xfe, payload.length >> 8, payload.length & 0xff];
    // Masked with zeros: as good as any where nobody stands between.
    this.#tcp.write(Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), payload]));
  }

  /** The next message of one of these types; null when the socket is gone. Waits out what it is told to. */
  async hear(...types) {
    for (;;) {
      const message = this.#heard.length > 0 ? this.#heard.shift() : await new Promise((tell) => (this.#waiting = tell));
      if (message === null || types.includes(message.type)) return message;
    }
  }

  /** Without a word: to the server the visitor is lost. */
  lose() {
    this.#tcp.resetAndDestroy();
  }

  leave() {
    this.#tcp.end(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]));
  }

  #tell(message) {
    if (this.#waiting === null) return void this.#heard.push(message);
    const tell = this.#waiting;
    this.#waiting = null;
    tell(message);
  }

  #read() {
    for (;;) {
      const bytes = this.#bytes;
      if (bytes.length < 2) return;
      const short = bytes[1] & 0x7f;
      const at = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (bytes.length < at) return;
      const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
      if (bytes.length < at + length) return;
      this.#bytes = bytes.subarray(at + length);
      if ((bytes[0] & 0x0f) === 1) this.#tell(JSON.parse(bytes.subarray(at, at + length).toString()));
    }
  }
}

/** What `/api/ice` answers; null if it refuses. */
export function fetchIce(at, localAddress) {
  return new Promise((resolve) => {
    const asked = request({ ...at, path: "/api/ice", localAddress, timeout: 10_000 }, (response) => {
      let text = "";
      response.on("data", (part) => (text += part));
      response.on("end", () => resolve(response.statusCode === 200 ? JSON.parse(text) : null));
    });
    asked.on("error", () => resolve(null));
    asked.on("timeout", () => asked.destroy());
    asked.end();
  });
}

const MAGIC = Buffer.from([0x21, 0x12, 0xa4, 0x42]);
const [USERNAME, INTEGRITY, ERROR_CODE, REALM, NONCE, TRANSPORT] = [0x0006, 0x0008, 0x0009, 0x0014, 0x0015, 0x0019];
const [ALLOCATE, ALLOCATED] = [0x0003, 0x0103];

/** Allocates over UDP; what ends the allocation, or null if none was given. */
export async function allocate(at, localAddress, { username, credential }) {
  const socket = createSocket("udp4");
  await new Promise((bound) => socket.bind({ address: localAddress }, bound));
  const ask = (attributes, key) =>
    new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), 2_000);
      socket.once("message", (reply) => {
        clearTimeout(timer);
        resolve(readReply(reply));
      });
      socket.send(stun(ALLOCATE, [[TRANSPORT, Buffer.from([17, 0, 0, 0])], ...attributes], key), at.port, at.host);
    });
  const challenge = await ask([]);
  const [realm, nonce] = [challenge?.get(REALM), challenge?.get(NONCE)];
  if (realm && nonce) {
    const key = createHash("md5").update(`${username}:${realm}:${credential}`).digest();
    const named = [[USERNAME, Buffer.from(username)], [REALM, realm], [NONCE, nonce]];
    const reply = await ask(named, key);
    if (reply?.type === ALLOCATED && !reply.has(ERROR_CODE)) return () => socket.close();
  }
  socket.close();
  return null;
}

function stun(type, attributes, key) {
  const encoded = attributes.map(([name, value]) => {
    const padded = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
    padded.writeUInt16BE(name, 0);
    padded.writeUInt16BE(value.length, 2);
    value.copy(padded, 4);
    return padded;
  });
  const body = Buffer.concat(encoded);
  const head = Buffer.concat([Buffer.alloc(4), MAGIC, randomBytes(12)]);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(body.length + (key ? 24 : 0), 2);
  const message = Buffer.concat([head, body]);
  if (!key) return message;
  const digest = createHmac("sha1", key).update(message).digest();
  return Buffer.concat([message, Buffer.from([0, INTEGRITY, 0, 20]), digest]);
}

function readReply(bytes) {
  const attributes = new Map();
  attributes.type = bytes.readUInt16BE(0);
  for (let at = 20; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16BE(at + 2);
    attributes.set(bytes.readUInt16BE(at), bytes.subarray(at + 4, at + 4 + length));
    at += 4 + Math.ceil(length / 4) * 4;
  }
  return attributes;
}
