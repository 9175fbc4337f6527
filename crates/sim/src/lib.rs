//! Scripted visitors in two worlds. The load client drives [`Visitor`]s over real sockets against a real server. The
//! simulator drives guests of its own over the lobby in virtual time: they do what a script says, hostile things included.
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
