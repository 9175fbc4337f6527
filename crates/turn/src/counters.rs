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
    /// How often something was refused or dropped because of a bound.
    pub bounds_hit: BTreeMap<Bound, u64>,
    /// Requests that were not authenticated, by [`Denied::label`].
    pub denied: BTreeMap<&'static str, u64>,
    /// For how long the credential had been over that was last refused for it.
    pub latest_expired_for_s: u64,
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

/// What stood in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    AllocationsPerUser,
    AllocationsPerAddress,
    Allocations,
    /// As many sockets as the relay may have open, or the system gave none.
    OpenFiles,
    RelayPorts,
    /// More than so many a second.
    BytesPerAllocation,
    BytesPerUser,
    BytesPerAddress,
    BytesInAll,
}

impl Bound {
    pub const ALL: [Bound; 9] = [
        Bound::AllocationsPerUser,
        Bound::AllocationsPerAddress,
        Bound::Allocations,
        Bound::OpenFiles,
        Bound::RelayPorts,
        Bound::BytesPerAllocation,
        Bound::BytesPerUser,
        Bound::BytesPerAddress,
        Bound::BytesInAll,
    ];

    /// As the setting is called, where there is one.
    pub const fn as_str(self) -> &'static str {
        match self {
            Bound::AllocationsPerUser => "allocations_per_user",
            Bound::AllocationsPerAddress => "allocations_per_address",
            Bound::Allocations => "allocations",
            Bound::OpenFiles => "open_files",
            Bound::RelayPorts => "relay_ports",
            Bound::BytesPerAllocation => "bytes_per_s",
            Bound::BytesPerUser => "user_bytes_per_s",
            Bound::BytesPerAddress => "address_bytes_per_s",
            Bound::BytesInAll => "total_bytes_per_s",
        }
    }
}

/// Why somebody is not who it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// It brought none: every client's first request.
    NoCredentials,
    /// A part of them is missing.
    Incomplete,
    /// Its nonce is too old, of another process or another client: clients take the new one and ask again.
    StaleNonce,
    MalformedName,
    WrongRealm,
    /// The clock of whoever minted the credential may be wrong, or ours.
    Expired {
        for_s: u64,
    },
    /// Minted with another secret.
    WrongPassword,
}

impl Denied {
    pub const LABELS: [&str; 7] = [
        Denied::NoCredentials.label(),
        Denied::Incomplete.label(),
        Denied::StaleNonce.label(),
        Denied::MalformedName.label(),
        Denied::WrongRealm.label(),
        Denied::Expired { for_s: 0 }.label(),
        Denied::WrongPassword.label(),
    ];

    pub const fn label(self) -> &'static str {
        match self {
            Denied::NoCredentials => "no_credentials",
            Denied::Incomplete => "incomplete",
            Denied::StaleNonce => "stale_nonce",
            Denied::MalformedName => "malformed_name",
            Denied::WrongRealm => "wrong_realm",
            Denied::Expired { .. } => "expired",
            Denied::WrongPassword => "wrong_password",
        }
    }

    pub(crate) const fn code(self) -> ErrorCode {
        match self {
            Denied::Incomplete => ErrorCode::BadRequest,
            Denied::StaleNonce => ErrorCode::StaleNonce,
            Denied::NoCredentials
            | Denied::MalformedName
            | Denied::WrongRealm
            | Denied::Expired { .. }
            | Denied::WrongPassword => ErrorCode::Unauthorized,
        }
    }
}

impl Counters {
    pub(crate) fn deny(&mut self, denied: Denied) {
        *self.denied.entry(denied.label()).or_default() += 1;
        if let Denied::Expired { for_s } = denied {
            self.latest_expired_for_s = for_s;
        }
    }

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
