// What a match is made with. Fetched as soon as there is a client, and in time for the first stranger: until then
// nobody is sought. No part of what a page loads first.

export { Call } from "./call.js";
export { Outbox } from "./outbox.js";
export { Peer } from "./peer.js";
export { Reports } from "./reports.js";
