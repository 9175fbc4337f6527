//! What the operator may set, and where the relay stands.

use crate::credentials::Secrets;
use crate::peers::Peers;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

#[derive(Clone, Debug)]
pub struct Config {
    pub realm: String,
    pub secrets: Secrets,
    /// What peers see as the address of relayed packets. Without one there are no allocations of that family.
    pub relay_ipv4: Option<Ipv4Addr>,
    pub relay_ipv6: Option<Ipv6Addr>,
    pub relay_ports: RangeInclusive<u16>,
    pub peers: Peers,
    pub bounds: Bounds,
    /// Clients from here are bound as users, and not by their address.
    pub exempt: Vec<IpNet>,
}

/// What one allocation, one user, one address and all of them together may cost.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub allocations: usize,
    /// Relay sockets in all: an allocation of both families has two.
    pub relay_sockets: usize,
    pub allocations_per_user: usize,
    /// Of one IPv4 address or IPv6 /64. An IPv6 /48 gets four times that.
    pub allocations_per_address: usize,
    /// Addresses that one allocation may exchange packets with, at once.
    pub permissions: usize,
    pub channels: usize,
    /// Payload of one allocation in both directions, per second. Zero: no bound.
    pub bytes_per_s: u64,
    /// The same of all allocations of one user, of one address (as above), and in all.
    pub user_bytes_per_s: u64,
    pub address_bytes_per_s: u64,
    pub total_bytes_per_s: u64,
    /// Replies to those who are not authenticated, a second for each source. Zero: no bound.
    pub stranger_replies_per_s: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            allocations: 10_000,
            relay_sockets: 20_000,
            // What one page needs at once: three transports for a call, and one or two for an offer that waits.
            allocations_per_user: 6,
            // A hundred visitors behind the one address of their carrier, each with three transports and a spare.
            allocations_per_address: 400,
            permissions: 128,
            channels: 128,
            bytes_per_s: 0,
            user_bytes_per_s: 0,
            address_bytes_per_s: 0,
            total_bytes_per_s: 0,
            stranger_replies_per_s: 200,
        }
    }
}

/// The family of an address (RFC 8656, section 14.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    pub const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Family::Ipv4,
            IpAddr::V6(_) => Family::Ipv6,
        }
    }

    pub(crate) const fn number(self) -> u8 {
        match self {
            Family::Ipv4 => 1,
            Family::Ipv6 => 2,
        }
    }
}

impl Config {
    /// What is given to those who ask for neither family: IPv4, as the standard has it. But browsers never ask, so a relay
    /// on a machine without IPv4 gives what there is.
    pub(crate) fn default_family(&self) -> Family {
        match (self.relay_ipv4, self.relay_ipv6) {
            (None, Some(_)) => Family::Ipv6,
            (Some(_), _) | (None, None) => Family::Ipv4,
        }
    }

    pub(crate) fn is_exempt(&self, client: IpAddr) -> bool {
        self.exempt.iter().any(|net| net.contains(&client))
    }

    pub(crate) fn relay_ip(&self, family: Family) -> Option<IpAddr> {
        match family {
            Family::Ipv4 => self.relay_ipv4.map(IpAddr::V4),
            Family::Ipv6 => self.relay_ipv6.map(IpAddr::V6),
        }
    }
}
