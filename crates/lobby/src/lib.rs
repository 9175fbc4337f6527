//! Who talks to whom. A plain value that takes inputs and the time, and says what to send to whom.
//!
//! ```
//! use visavis_lobby::{Config, ConnectionId, Input, Limiting, Lobby, LobbyKey, Output, Outputs, Time};
//! use visavis_protocol::{ClientMessage, FindPartner, Kind, ServerMessage, SearchMessage};
//!
//! let mut lobby = Lobby::new(Config::default(), LobbyKey::new([7; 32]));
//! let mut outputs = Outputs::new();
//! for connection in [ConnectionId(1), ConnectionId(2)] {
//!     lobby.handle(Time::ZERO, Input::Opened { connection, limiting: Limiting::Exempt }, &mut outputs);
//!     let message = ClientMessage::Search(SearchMessage::FindPartner(FindPartner::anyone(Kind::Text)));
//!     lobby.handle(Time::ZERO, Input::Received { connection, message }, &mut outputs);
//! }
//! let found = outputs.drain().filter(|output| {
//!     matches!(output, Output::Send { message: ServerMessage::PartnerFound(_), .. })
//! });
//! assert_eq!(found.count(), 2);
//! ```
//!
//! What always holds: a session sits in at most one match and holds at most one ticket, never both; no two waiting
//! tickets are compatible at their present relaxation; a message of an earlier match reaches nobody.
//! What is not here, on purpose: clock, sockets, randomness, locks, any parsing of session descriptions.

mod acquaintances;
mod admission;
mod always;
#[cfg(any(test, feature = "audit"))]
mod audit;
mod cluster;
mod config;
mod counters;
mod crowd;
mod ids;
mod io;
mod lobby;
mod matches;
mod matchmaker;
mod nodes;
mod pairing;
mod passes;
mod paths;
mod peers;
mod persons;
mod planted;
mod random;
mod rates;
mod receipts;
mod replay;
mod session;
mod sessions;
mod time;
mod timers;
mod tokens;

#[cfg(test)]
mod tests;

#[cfg(any(test, feature = "audit"))]
pub use audit::{Invariant, Violation};
pub use config::{Config, ReaderBounds};
pub use counters::{Counters, Gauges, Histogram, PerKind, RateLimit};
pub use crowd::{CrowdBounds, CrowdRates, Source};
pub use ids::{ConnectionId, NodeId, TicketId};
pub use io::{Ending, Input, Limiting, Output, Outputs};
pub use lobby::{Lobby, Reason};
pub use nodes::{
    Bucket, Claimed, Export, Frame, Insists, Lease, Marked, Reply, Request, Seat, Sighting, Tag,
};
pub use passes::IcePasses;
pub use paths::{Paths, Tally};
#[cfg(feature = "planted")]
pub use planted::{Fault, plant};
pub use random::LobbyKey;
pub use receipts::{Author, Receipt, ReceiptFault, Receipts, Trace};
pub use time::{Span, Time};
pub use tokens::SessionSecret;

/// Whether this build looks inside the lobby, or plants faults in it. A server never does.
pub const FOR_TESTS_ONLY: bool = cfg!(any(feature = "audit", feature = "planted"));
