//! What everything is named by: keys inside this lobby, and ids that mean the same on all nodes.
//!
//! What always holds: nothing here knows what it names, so every other file may use it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZero;

/// One socket, named by the shell; never reused within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

slotmap::new_key_type! {
    /// Names a session; never reused.
    pub(crate) struct SessionKey;

    /// Names a waiting ticket; never reused.
    pub(crate) struct TicketKey;

    /// Names a match inside the lobby; clients know it by its [`visavis_protocol::MatchId`].
    pub(crate) struct MatchKey;
}

/// Which of the two seats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Side {
    /// Whose offer counts.
    #[serde(rename = "i")]
    Initiator,
    #[serde(rename = "r")]
    Responder,
}

impl Side {
    pub(crate) fn other(self) -> Side {
        match self {
            Side::Initiator => Side::Responder,
            Side::Responder => Side::Initiator,
        }
    }
}

/// Names a session to its own later self; the same in this process and the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SessionId(pub(crate) u64);

/// A keyed digest of what a page calls its device. The same on all nodes, and after a restart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct DeviceId(pub(crate) NonZero<u64>);

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceId(‹redacted›)")
    }
}

/// A keyed digest of the address prefix (/32 or /64) that a visitor came from, under a key that changes every day.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct PrefixId(pub(crate) NonZero<u64>);

impl fmt::Debug for PrefixId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrefixId(‹redacted›)")
    }
}

/// Whom a block, or a pause between old partners, is about: a device, or, of a visitor without one, a session. Both are
/// 64 random bits, so that they need not be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct PersonId(pub(crate) u64);

impl From<SessionId> for PersonId {
    fn from(session: SessionId) -> Self {
        PersonId(session.0)
    }
}

impl From<DeviceId> for PersonId {
    fn from(device: DeviceId) -> Self {
        PersonId(device.0.get())
    }
}

/// Which process sealed a token. Random at every start.
pub(crate) type BootId = [u8; 16];

/// One node since one start: another start is another node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId {
    /// A digest of the operator's name for it.
    pub name: u64,
    /// Grows with every start of the same name, and is never used twice: tokens are sealed under it.
    pub epoch: u64,
}

impl NodeId {
    pub(crate) const LEN: usize = 16;

    pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
        ((u128::from(self.name) << 64) | u128::from(self.epoch)).to_be_bytes()
    }

    pub(crate) fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let both = u128::from_be_bytes(bytes);
        NodeId { name: (both >> 64) as u64, epoch: both as u64 }
    }

    /// As [`fmt::Display`] writes it: 32 lower-case hex digits.
    pub fn read(text: &str) -> Option<Self> {
        let both = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 2 * Self::LEN)?;
        Some(NodeId::from_bytes(both.to_be_bytes()))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.name, self.epoch)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

/// Names an exported ticket to all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketId(pub u64);

/// In an order of their own: what a map yields first must not decide who is served first.
pub(crate) fn sorted<'a, T: Ord + Copy + 'a>(items: impl Iterator<Item = &'a T>) -> Vec<T> {
    let mut items: Vec<T> = items.copied().collect();
    items.sort_unstable();
    items
}
