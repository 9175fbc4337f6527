//! STUN and TURN (RFC 8489, RFC 8656): who may relay what to whom, as a plain value without sockets or clock.
//!
//! ```text
//! relay.handle_client(now, client, &mut packet, &mut shell) -> Forward   // a packet of a client
//! relay.handle_peer(now, relay, peer, &mut packet)          -> Forward   // a packet to a relay address
//! relay.poll_timeout() -> Option<Time>                                   // call handle_timeout then
//! ```
//!
//! What arrives is changed in place and goes out from the same buffer: a packet that is only relayed is never copied.
//! The one thing the core asks of its shell is to open a port ([`Shell`]); the answer decides on a reply, so it is an
//! argument and not an output. Credentials are minted and verified in one place, so that the two cannot drift apart.

mod config;
mod counters;
mod credentials;
mod nonce;
mod packet;
mod peers;
mod random;
mod relay;
mod stun;
mod throttle;
mod time;

pub use config::{Bounds, Config, Family};
pub use counters::{Bound, Counters, Denied, Drop, Flow};
pub use credentials::{Credential, Key, Refusal, Secret, Secrets};
pub use packet::Packet;
pub use peers::{LocalPeers, OwnListeners, Peers, is_public};
pub use relay::{Client, Forward, Fragments, Gauges, Opened, Relay, RelayId, Shell, Via};
pub use stun::{ErrorCode, Frame, next_frame};
pub use time::Time;
