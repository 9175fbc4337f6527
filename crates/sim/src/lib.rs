//! Scripted visitors: one visitor, two worlds. The load client drives them over real sockets against a real server;
//! the simulator drives the same ones over the lobby in virtual time.
//!
//! What always holds: everything outside [`load`] is pure. No sockets, no clock, no ambient randomness: time comes as an
//! argument and chance from a seed.

mod audit;
mod heard;
mod histogram;
pub mod load;
mod marker;
mod prng;
pub mod redis;
#[cfg(feature = "simulator")]
pub mod simulator;
mod visitor;

pub use audit::{Allowance, Meeting, Violation, audit};
pub use heard::{Found, Heard};
pub use histogram::Histogram;
pub use marker::{Forged, Marker, Part};
pub use prng::Prng;
pub use visitor::{Act, Breach, Habit, Input, Note, Order, Script, Status, Visitor};
