//! Whom may be relayed to: the public internet, and our own relay addresses. Not the operator's own network.
//!
//! TURN servers are abused to reach what stands behind them. Refused is every special-purpose range (RFC 6890 and
//! its registries), and every IPv6 form that has an IPv4 address in it.

use ipnet::{Ipv4Net, Ipv6Net};
use rustc_hash::FxHashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What beside the public internet may be relayed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalPeers {
    #[default]
    Refused,
    /// Loopback and private networks, for trials on one machine or one network. Nothing else of what is refused.
    Allowed,
}

/// Where the server itself listens: never to be reached through the relay, from whose address it might be trusted.
#[derive(Clone, Debug, Default)]
pub struct OwnListeners {
    pub addresses: FxHashSet<SocketAddr>,
    /// Ports that are listened on at every address of this machine.
    pub everywhere: FxHashSet<u16>,
    /// The addresses of this machine, as far as known. Loopback always counts.
    pub machine: FxHashSet<IpAddr>,
}

impl OwnListeners {
    pub(crate) fn contains(&self, peer: SocketAddr) -> bool {
        let ip = peer.ip();
        self.addresses.contains(&peer)
            || (self.everywhere.contains(&peer.port()) && (ip.is_loopback() || self.machine.contains(&ip)))
    }
}

pub(crate) fn is_refused(ip: IpAddr, local: LocalPeers) -> bool {
    let is_local = match ip {
        IpAddr::V4(ip) => LOCAL_IPV4.iter().any(|net| net.contains(&ip)),
        IpAddr::V6(ip) => LOCAL_IPV6.iter().any(|net| net.contains(&ip)),
    };
    if is_local && local == LocalPeers::Allowed {
        return false;
    }
    match ip {
        IpAddr::V4(ip) => REFUSED_IPV4.iter().any(|net| net.contains(&ip)),
        IpAddr::V6(ip) => REFUSED_IPV6.iter().any(|net| net.contains(&ip)),
    }
}

const fn ipv4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn ipv6(head: [u16; 3], tail: [u16; 3], prefix: u8) -> Ipv6Net {
    let ip = Ipv6Addr::new(head[0], head[1], head[2], 0, 0, tail[0], tail[1], tail[2]);
    Ipv6Net::new_assert(ip, prefix)
}

static LOCAL_IPV4: [Ipv4Net; 4] =
    [ipv4(127, 0, 0, 0, 8), ipv4(10, 0, 0, 0, 8), ipv4(172, 16, 0, 0, 12), ipv4(192, 168, 0, 0, 16)];

static LOCAL_IPV6: [Ipv6Net; 2] = [ipv6([0, 0, 0], [0, 0, 1], 128), ipv6([0xfc00, 0, 0], [0, 0, 0], 7)];

static REFUSED_IPV4: [Ipv4Net; 15] = [
    ipv4(0, 0, 0, 0, 8),
    ipv4(10, 0, 0, 0, 8),
    // Shared address space of carriers.
    ipv4(100, 64, 0, 0, 10),
    ipv4(127, 0, 0, 0, 8),
    // Link-local: where clouds keep their metadata.
    ipv4(169, 254, 0, 0, 16),
    ipv4(172, 16, 0, 0, 12),
    ipv4(192, 0, 0, 0, 24),
    // Documentation.
    ipv4(192, 0, 2, 0, 24),
    // Anycast of 6to4 gateways.
    ipv4(192, 88, 99, 0, 24),
    ipv4(192, 168, 0, 0, 16),
    // Benchmarks.
    ipv4(198, 18, 0, 0, 15),
    // Documentation.
    ipv4(198, 51, 100, 0, 24),
    ipv4(203, 0, 113, 0, 24),
    // Multicast.
    ipv4(224, 0, 0, 0, 4),
    // Reserved, broadcast included.
    ipv4(240, 0, 0, 0, 4),
];

static REFUSED_IPV6: [Ipv6Net; 17] = [
    // Unspecified, loopback, and the old IPv4-compatible form.
    ipv6([0, 0, 0], [0, 0, 0], 96),
    // IPv4 in IPv6, and translated.
    ipv6([0, 0, 0], [0xffff, 0, 0], 96),
    ipv6([0x64, 0xff9b, 0], [0, 0, 0], 96),
    ipv6([0x64, 0xff9b, 1], [0, 0, 0], 48),
    // Discard only, and the dummy prefix behind it (RFC 9780).
    ipv6([0x100, 0, 0], [0, 0, 0], 64),
    Ipv6Net::new_assert(Ipv6Addr::new(0x100, 0, 0, 1, 0, 0, 0, 0), 64),
    // Teredo.
    ipv6([0x2001, 0, 0], [0, 0, 0], 32),
    // Benchmarks, and ORCHID of old.
    ipv6([0x2001, 2, 0], [0, 0, 0], 48),
    ipv6([0x2001, 0x10, 0], [0, 0, 0], 28),
    // Documentation, also of RFC 9637.
    ipv6([0x2001, 0xdb8, 0], [0, 0, 0], 32),
    ipv6([0x3fff, 0, 0], [0, 0, 0], 20),
    // 6to4.
    ipv6([0x2002, 0, 0], [0, 0, 0], 16),
    // Segment routing (RFC 9602).
    ipv6([0x5f00, 0, 0], [0, 0, 0], 16),
    // Unique local.
    ipv6([0xfc00, 0, 0], [0, 0, 0], 7),
    // Link-local, and site-local of old.
    ipv6([0xfe80, 0, 0], [0, 0, 0], 10),
    ipv6([0xfec0, 0, 0], [0, 0, 0], 10),
    // Multicast.
    ipv6([0xff00, 0, 0], [0, 0, 0], 8),
];

#[cfg(test)]
mod tests {
    use super::*;

    const SPECIAL: [&str; 52] = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "192.168.255.255",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::a00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "64:ff9b:1:ffff::1",
        "100::1",
        "100:0:0:1::1",
        "2001::1",
        "2001:0:ffff::1",
        "2001:2::1",
        "2001:1f::1",
        "2001:db8::1",
        "3fff::1",
        "3fff:fff::1",
        "5f00::1",
        "2002::1",
        "2002:a00:1::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
    ];

    const PUBLIC: [&str; 21] = [
        "1.0.0.1",
        "9.255.255.255",
        "11.0.0.1",
        "100.63.255.255",
        "100.128.0.1",
        "126.255.255.255",
        "128.0.0.1",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.1",
        "192.0.1.1",
        "192.167.255.255",
        "198.17.255.255",
        "198.20.0.1",
        "223.255.255.255",
        "2001:1::1",
        "2001:2:1::1",
        "2001:20::1",
        "4000::1",
        "2003::1",
        "2a00:1450:4001:82a::200e",
    ];

    const LOCAL: [&str; 11] = [
        "10.0.0.1",
        "10.255.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "192.168.255.255",
        "::1",
        "fc00::1",
        "fdff::1",
    ];

    #[test]
    fn every_special_range_is_refused_in_every_encoding_and_nothing_beside_it() {
        for ip in SPECIAL {
            assert!(is_refused(ip.parse().unwrap(), LocalPeers::Refused), "{ip}");
        }
        for ip in PUBLIC {
            assert!(!is_refused(ip.parse().unwrap(), LocalPeers::Refused), "{ip}");
            assert!(!is_refused(ip.parse().unwrap(), LocalPeers::Allowed), "{ip}");
        }
    }

    #[test]
    fn local_peers_are_loopback_and_private_networks_and_no_more() {
        for ip in SPECIAL {
            assert_eq!(!is_refused(ip.parse().unwrap(), LocalPeers::Allowed), LOCAL.contains(&ip), "{ip}");
        }
    }

    #[test]
    fn own_listeners_are_known_at_every_address_of_the_machine() {
        let own = OwnListeners {
            addresses: ["127.0.0.1:8080".parse().unwrap()].into_iter().collect(),
            everywhere: [3478].into_iter().collect(),
            machine: ["1.2.3.4".parse().unwrap()].into_iter().collect(),
        };
        for known in ["127.0.0.1:8080", "127.0.0.9:3478", "[::1]:3478", "1.2.3.4:3478"] {
            assert!(own.contains(known.parse().unwrap()), "{known}");
        }
        for other in ["127.0.0.1:8081", "127.0.0.2:8080", "1.2.3.5:3478", "1.2.3.4:8080"] {
            assert!(!own.contains(other.parse().unwrap()), "{other}");
        }
    }
}
