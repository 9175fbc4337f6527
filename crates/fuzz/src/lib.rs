//! What the fuzzer runs, one function a target: bytes in, and a panic when something that must hold does not.
//!
//! Shared by the targets of `fuzz/`, which need a nightly toolchain, and by `tests/replay.rs`, which runs the same
//! functions over the committed corpora on the stable one. What is not here, on purpose: clock, randomness, sockets.
//! The bytes alone decide what happens, so every finding is a file that can be kept.

use visavis_lobby::LobbyKey;

mod choices;
mod lobby;
mod nodes;
mod turn;
mod wire;

// Private to the server, and pure: compiled here once more, so that a fuzzer need not compile the sockets around it.
#[path = "../../server/src/edge/frame.rs"]
#[expect(
    dead_code,
    reason = "the connection, which sets deadlines for unfinished messages, is not compiled here"
)]
mod frame;

pub use lobby::lobby;
pub use nodes::nodes;
pub use turn::{stun, turn};
pub use wire::wire;

/// Takes whatever comes, and panics when something does not hold.
pub type Target = fn(&[u8]);

/// A lobby's key that follows from a number: the bytes alone decide what happens.
pub(crate) fn key(number: u64) -> LobbyKey {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&number.to_be_bytes());
    LobbyKey::new(key)
}

/// The targets by name, which is also the name of their corpus under `fuzz/corpus`.
pub const TARGETS: [(&str, Target); 5] =
    [("wire", wire), ("lobby", lobby), ("nodes", nodes), ("stun", stun), ("turn", turn)];
