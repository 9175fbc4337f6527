// A TURN client that only asks and reads the answer: what a relay says to an allocation, and to each peer that it shall
// send to. Plain JavaScript, because it runs as a program of its own inside a namespace:
//
//   node turn-client.mjs '{"server": "82.65.37.10", "port": 3478, "username": …, "password": …, "family": "ipv4", "peers": [{ "address": … , "port": 9 }]}'
//
// prints {"allocate": CODE, "peers": [[CODE of CreatePermission, CODE of ChannelBind], …]}; 0 is success.
// RFC 8489 and 8656, as little of them as that takes; independent of the server's own code on purpose.

import { createHash, createHmac, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";

const COOKIE = Buffer.from([0x21, 0x12, 0xa4, 0x42]);
const ALLOCATE = 0x003;
const CREATE_PERMISSION = 0x008;
const CHANNEL_BIND = 0x009;
const USERNAME = 0x0006;
const MESSAGE_INTEGRITY = 0x0008;
const ERROR_CODE = 0x0009;
const CHANNEL_NUMBER = 0x000c;
const XOR_PEER_ADDRESS = 0x0012;
const REALM = 0x0014;
const NONCE = 0x0015;
const REQUESTED_ADDRESS_FAMILY = 0x0017;
const REQUESTED_TRANSPORT = 0x0019;
const AGAIN_AFTER_MS = 500;
const TRIES = 6;

const order = JSON.parse(process.argv[2]);
const socket = createSocket(isIPv6(order.server) ? "udp6" : "udp4");
// As browsers do: an answer from another address than the one that was asked is none.
await new Promise((resolve) => socket.connect(order.port, order.server, resolve));
let login = null;

function attribute(type, value) {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
}

function message(method, transaction, attributes) {
  const signed = login
    ? [
        ...attributes,
        attribute(USERNAME, Buffer.from(order.username)),
        attribute(REALM, login.realm),
        attribute(NONCE, login.nonce),
      ]
    : attributes;
  const body = Buffer.concat(signed);
  const head = (length) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt16BE(method, 0);
    bytes.writeUInt16BE(length, 2);
    return Buffer.concat([bytes, COOKIE, transaction]);
  };
  if (!login) return Buffer.concat([head(body.length), body]);
  // The length that is signed already counts the signature (RFC 8489, 14.5).
  const text = Buffer.concat([head(body.length + 24), body]);
  return Buffer.concat([
    text,
    attribute(MESSAGE_INTEGRITY, createHmac("sha1", login.key).update(text).digest()),
  ]);
}

function read(packet) {
  const attributes = new Map();
  for (let at = 20; at + 4 <= packet.length;) {
    const length = packet.readUInt16BE(at + 2);
    attributes.set(packet.readUInt16BE(at), packet.subarray(at + 4, at + 4 + length));
    at += 4 + length + ((4 - (length % 4)) % 4);
  }
  const error = attributes.get(ERROR_CODE);
  return { code: error ? error[2] * 100 + error[3] : 0, attributes };
}

/** `attributesOf` the transaction's id, because that masks the address of an IPv6 peer. */
async function ask(method, attributesOf) {
  const transaction = randomBytes(12);
  const packet = message(method, transaction, attributesOf(transaction));
  for (let left = TRIES; left > 0; left--) {
    const answer = new Promise((resolve) => {
      const timer = setTimeout(() => done(null), AGAIN_AFTER_MS);
      const listen = (heard) => heard.subarray(8, 20).equals(transaction) && done(heard);
      const done = (result) => {
        clearTimeout(timer);
        socket.off("message", listen);
        resolve(result);
      };
      socket.on("message", listen);
    });
    socket.send(packet);
    const heard = await answer;
    if (heard) return read(heard);
  }
  throw new Error(`no answer from ${order.server}:${order.port}`);
}

/** Asks, and once more with what a 401 or 438 says. */
async function askAsUser(method, attributesOf) {
  const first = await ask(method, attributesOf);
  if (first.code !== 401 && first.code !== 438) return first;
  const [realm, nonce] = [first.attributes.get(REALM), first.attributes.get(NONCE)];
  if (!realm || !nonce || (login && first.code === 401)) return first;
  const key = createHash("md5").update(`${order.username}:${realm}:${order.password}`).digest();
  login = { realm, nonce, key };
  return ask(method, attributesOf);
}

function bytesOf(address) {
  if (!isIPv6(address)) return Buffer.from(address.split(".").map(Number));
  const [head, tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split("::");
  const groups = (text) => (text ? text.split(":").map((group) => Number.parseInt(group, 16)) : []);
  const [left, right] = [groups(head), groups(tail)];
  const all =
    tail === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill(0), ...right];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

function peerAddress({ address, port }, transaction) {
  const bytes = bytesOf(address);
  const mask = Buffer.concat([COOKIE, transaction]);
  const head = Buffer.from([
    0,
    bytes.length === 4 ? 1 : 2,
    (port >> 8) ^ COOKIE[0],
    (port & 0xff) ^ COOKIE[1],
  ]);
  return attribute(XOR_PEER_ADDRESS, Buffer.concat([head, bytes.map((byte, at) => byte ^ mask[at])]));
}

async function allocate() {
  const transport = attribute(REQUESTED_TRANSPORT, Buffer.from([17, 0, 0, 0]));
  const family = attribute(REQUESTED_ADDRESS_FAMILY, Buffer.from([order.family === "ipv6" ? 2 : 1, 0, 0, 0]));
  return (await askAsUser(ALLOCATE, () => [transport, family])).code;
}

async function permit(peer) {
  return (await askAsUser(CREATE_PERMISSION, (transaction) => [peerAddress(peer, transaction)])).code;
}

async function bind(peer, number) {
  const channel = attribute(CHANNEL_NUMBER, Buffer.from([number >> 8, number & 0xff, 0, 0]));
  return (await askAsUser(CHANNEL_BIND, (transaction) => [channel, peerAddress(peer, transaction)])).code;
}

const result = { allocate: await allocate(), peers: [] };
if (result.allocate === 0) {
  for (const [index, peer] of (order.peers ?? []).entries()) {
    result.peers.push([await permit(peer), await bind(peer, 0x4000 + index)]);
  }
}
console.log(JSON.stringify(result));
socket.close();
