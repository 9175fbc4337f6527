//! The wire between a Visavis server and its clients, as `docs/protocol.md` tells it.
//!
//! What always holds: a value of these types is within its [`Limits`]; what the server only forwards (session
//! descriptions, candidates) stays the raw JSON it came as; what is private prints `‹redacted›`.
//! What this crate does not do: sockets, sessions, or any decision about who may say what when.

mod bodies;
mod client;
mod codes;
mod limits;
mod payload;
mod plain;
mod read;
mod relay_only;
mod server;
mod sound;
mod untagged;
mod wishes;

pub use bodies::{
    Block, CandidateType, Connected, FindPartner, Hello, IceCandidate, IpFamily, Message, Next, Path, Ping,
    Pong, Signal, Stop, TicketOffer, Transport, Typing, Unblock,
};
pub use client::{ClientMessage, MessageType, SearchMessage, SessionMessage, SignalMessage};
pub use codes::{CLOSE_TO_RESUME, CloseCode, ErrorCode, Refusal};
pub use limits::Limits;
pub use payload::{
    BlockHandle, Candidate, ChatText, DeviceName, IceToken, MatchId, Offer, ReportReceipt, ResumeToken, Sdp,
};
pub use read::read_client_message;
pub use server::{LeftReason, Mode, PartnerFound, ServerMessage};
pub use wishes::{Kind, Language, Pin, Wishes, read_interests, read_languages};

/// The protocol version that `hello` names.
pub const VERSION: u32 = 1;

#[cfg(test)]
mod bindings;
