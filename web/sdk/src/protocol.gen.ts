// Generated from crates/protocol by `make bindings`. Do not edit: the tests compare.

export type ChatText = string;
export type ResumeToken = string;
export type IceToken = string;
export type ReportReceipt = string;
export type DeviceName = string;
export type BlockHandle = string;
export type Kind = "video" | "audio" | "text";
export type Pin = "language" | "interests";
export type Mode = "negotiate" | "answer_offer" | "text";
export type LeftReason = "next" | "stop" | "closed" | "lost" | "blocked" | "server";
export type ErrorCode = "bad_json" | "unknown_type" | "bad_field" | "too_large" | "too_deep" | "too_fast" | "not_matched" | "not_searching" | "match_id_required" | "unsupported_version";
export type MessageType = "hello" | "find_partner" | "ticket_offer" | "next" | "stop" | "offer" | "answer" | "ice_candidate" | "connected" | "message" | "typing" | "block" | "unblock" | "ping" | "pong";
export type Path = "direct" | "relay";
export type CandidateType = "host" | "srflx" | "prflx" | "relay";
export type Transport = "udp" | "tcp" | "tls";
export type IpFamily = "ipv4" | "ipv6";
export type Offer = { sdp: string, };
export type Hello = { version: number, 
/**
 * The newest token of the session that shall go on; only in a socket's first message.
 */
resume?: ResumeToken, 
/**
 * How many messages came after the last `welcome`: what was sent beyond that is sent again.
 */
received?: number, 
/**
 * This client answers the server's `ping` with `pong`. A browser answers WebSocket pings even for a frozen page,
 * so of such a client only its own frames show that somebody is there.
 */
answers_ping?: boolean, 
/**
 * A random name that the page keeps, so that a block outlives a reload. The server keeps only a keyed digest of it.
 */
device?: DeviceName, 
/**
 * The handles of those whom this visitor has blocked, as `blocked` gave them; of more than 256 the last count.
 */
blocks?: Array<BlockHandle>, };
export type FindPartner = { kind: Kind, interests?: Array<string>, languages?: Array<string>, offer?: Offer, 
/**
 * Whether a survivor goes back to waiting at once.
 */
requeue?: boolean, pin?: Array<Pin>, pool?: string, 
/**
 * Hide my address: of what I send, only relay candidates reach strangers.
 */
relay_only?: boolean, };
export type TicketOffer = { sdp: string, };
export type Next = { 
/**
 * If it names another match than the present one, the message is ignored.
 */
match_id?: string, offer?: Offer, 
/**
 * The two browsers found no way to each other: they are not put together again.
 */
failed?: boolean, };
export type Stop = Record<symbol, never>;
export type Ping = Record<symbol, never>;
export type Pong = Record<symbol, never>;
export type Signal = { match_id?: string, sdp: string, };
export type IceCandidate = { match_id?: string, 
/**
 * An RTCIceCandidateInit, an array of them, or null / empty for end of candidates.
 */
candidate: RTCIceCandidateInit | RTCIceCandidateInit[] | "" | null, };
export type Connected = { match_id: string, path: Path, 
/**
 * From `partner_found` to the first connected state, in milliseconds.
 */
elapsed_ms: number, local_type?: CandidateType, remote_type?: CandidateType, protocol?: Transport, family?: IpFamily, };
export type Message = { match_id?: string, text: ChatText, };
export type Typing = { match_id?: string, on: boolean, };
export type Block = { 
/**
 * The present or the last match.
 */
match_id: string, };
export type Unblock = { 
/**
 * As `blocked` gave it.
 */
block: BlockHandle, };
export type ClientMessage = { "type": "hello" } & Hello | { "type": "find_partner" } & FindPartner | { "type": "ticket_offer" } & TicketOffer | { "type": "next" } & Next | { "type": "stop" } & Stop | { "type": "offer" } & Signal | { "type": "answer" } & Signal | { "type": "ice_candidate" } & IceCandidate | { "type": "connected" } & Connected | { "type": "message" } & Message | { "type": "typing" } & Typing | { "type": "block" } & Block | { "type": "unblock" } & Unblock | { "type": "ping" } & Ping | { "type": "pong" } & Pong;
export type PartnerFound = { match_id: string, 
/**
 * Whether this side's offer is the one that counts. Exactly one side of a match.
 */
initiator: boolean, 
/**
 * The same for both sides.
 */
mode: Mode, shared_interests: Array<string>, language: string | null, 
/**
 * The stranger's waiting offer: only in mode `answer_offer`, only to the side that answers.
 */
offer?: Offer, resume_token?: ResumeToken, 
/**
 * Proves to `POST /api/reports` that these two were matched. Good for 24 hours, on any node, whatever becomes of the match.
 */
receipt?: ReportReceipt, };
export type ServerMessage = { "type": "welcome", version: number, online: number, resume_token?: ResumeToken, resumed?: boolean, 
/**
 * After a resume, where the server knows: how many frames it took from the session's previous socket. What the
 * client sent there beyond that is lost.
 */
received?: number, 
/**
 * The match that the session is in; absent: in none.
 */
match_id?: string, 
/**
 * Where `GET /api/ice` wants a session: its bearer token.
 */
ice_token?: IceToken, } | { "type": "waiting", online: number, estimate_ms?: number, resume_token?: ResumeToken, } | { "type": "partner_found" } & PartnerFound | { "type": "offer", match_id: string, sdp: string, } | { "type": "answer", match_id: string, sdp: string, } | { "type": "ice_candidate", match_id: string, candidate: RTCIceCandidateInit | RTCIceCandidateInit[] | "" | null, } | { "type": "message", match_id: string, text: ChatText, } | { "type": "typing", match_id: string, on: boolean, } | { "type": "partner_left", match_id: string, reason: LeftReason, requeued: boolean, resume_token?: ResumeToken, } | { "type": "partner_reconnecting", match_id: string, grace_ms: number, } | { "type": "partner_back", match_id: string, grace_ms: number, } | { "type": "stopped", resume_token?: ResumeToken, } | { "type": "error", code: ErrorCode, message: string, retry: boolean, retry_after_ms?: number, 
/**
 * The type of the message that was refused, where it could be read.
 */
of?: MessageType, 
/**
 * Its number among the messages of this socket, starting at 1.
 */
nth?: number, } | { "type": "blocked", 
/**
 * The match that `block` named.
 */
match_id: string, 
/**
 * Keep it, and send it in every `hello`.
 */
block: BlockHandle, resume_token?: ResumeToken, } | { "type": "unblocked", block: BlockHandle, resume_token?: ResumeToken, } | { "type": "ping", } | { "type": "pong", 
/**
 * How many frames the server has taken from this socket, that `ping` included.
 */
received: number, } | { "type": "draining", reconnect_after_ms: number, };

/** The protocol version that `hello` names. */
export const VERSION = 1;

/** The server's default limits. */
export const LIMITS = {
  maxTextChars: 2000,
  maxInterests: 10,
  maxInterestChars: 32,
  maxLanguages: 5,
  maxCandidateBytes: 1024,
  maxSdpBytes: 32768,
} as const;
