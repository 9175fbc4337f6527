//! What the relay has done since its start, for the operator. Nothing about a person.

use crate::stun::ErrorCode;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub bindings: u64,
    pub allocations: u64,
    /// Payload from clients to peers, and back. What passes between two allocations here counts once for each.
    pub to_peers: Flow,
    pub to_clients: Flow,
    pub refused: BTreeMap<ErrorCode, u64>,
    pub dropped: BTreeMap<Drop, u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    pub packets: u64,
    pub bytes: u64,
}

impl Flow {
    #[inline]
    pub(crate) fn add(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

/// Why a packet went nowhere, without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Drop {
    /// Neither STUN nor ChannelData, or damaged.
    Malformed,
    /// A stranger had its replies.
    Throttled,
    /// Payload from a client without allocation, or for a relay address that is gone.
    NoAllocation,
    /// For a channel that is not bound.
    NoChannel,
    /// To or from an address without permission.
    NoPermission,
    /// To our own listeners, or to where nobody may be relayed.
    ForbiddenPeer,
    /// More bytes a second than one allocation, one user, one address or all may carry.
    Bandwidth,
}

impl Drop {
    pub const ALL: [Drop; 7] = [
        Drop::Malformed,
        Drop::Throttled,
        Drop::NoAllocation,
        Drop::NoChannel,
        Drop::NoPermission,
        Drop::ForbiddenPeer,
        Drop::Bandwidth,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Drop::Malformed => "malformed",
            Drop::Throttled => "throttled",
            Drop::NoAllocation => "no_allocation",
            Drop::NoChannel => "no_channel",
            Drop::NoPermission => "no_permission",
            Drop::ForbiddenPeer => "forbidden_peer",
            Drop::Bandwidth => "bandwidth",
        }
    }
}

impl Counters {
    pub(crate) fn refuse(&mut self, code: ErrorCode) {
        *self.refused.entry(code).or_default() += 1;
    }

    pub(crate) fn hit(&mut self, bound: Bound) {
        *self.bounds_hit.entry(bound).or_default() += 1;
    }

    pub(crate) fn drop(&mut self, reason: Drop) {
        *self.dropped.entry(reason).or_default() += 1;
    }
}
