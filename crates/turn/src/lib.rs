//! STUN and TURN (RFC 8489, RFC 8656): who may relay what to whom, as a plain value without sockets or clock.
//!
//! The shell reads packets and carries packets out; it decides nothing. Credentials are minted and verified in one
//! place, so that the two cannot drift apart.

mod credentials;

pub use credentials::{Credential, Key, Refusal, Secret, Secrets};
