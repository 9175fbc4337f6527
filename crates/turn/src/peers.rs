//! Whom may be relayed to: the public internet. Not the operator's own network, nor this machine.
//!
//! TURN servers are abused to reach what stands behind them. Refused is every special-purpose range (RFC 6890 and
//! its registries), what is not allocated to anybody, and every IPv6 form that leads to such an IPv4 address; this machine at
//! each of its addresses, past whose firewall the relay would lead; and what the operator denies.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
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
}

/// Whom a relay serves nobody to, beside the special-purpose ranges.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    pub local: LocalPeers,
    pub own_listeners: OwnListeners,
    /// The addresses of this machine, as far as known. Loopback always counts.
    pub machine: FxHashSet<IpAddr>,
    /// What the operator denies.
    pub denied: Vec<IpNet>,
}

impl Peers {
    /// Whether one of the server's own listeners is there, whatever else may be reached at that address.
    pub(crate) fn is_own_listener(&self, peer: SocketAddr) -> bool {
        let ip = peer.ip();
        self.own_listeners.addresses.contains(&peer)
            || (self.own_listeners.everywhere.contains(&peer.port())
                && (ip.is_loopback() || self.machine.contains(&ip)))
    }

    pub(crate) fn is_refused(&self, ip: IpAddr) -> bool {
        if self.is_denied(ip) {
            return true;
        }
        if self.local == LocalPeers::Allowed && is_local(ip) {
            return false;
        }
        is_special(ip) || self.machine.contains(&ip) || self.leads_to_refused(ip)
    }

    pub(crate) fn is_open_for_trials(&self, ip: IpAddr) -> bool {
        self.local == LocalPeers::Allowed && is_local(ip) && !self.is_denied(ip)
    }

    fn is_denied(&self, ip: IpAddr) -> bool {
        self.denied.iter().any(|net| net.contains(&ip))
    }

    /// Whether an IPv6 address is a way to an IPv4 address that is refused.
    fn leads_to_refused(&self, ip: IpAddr) -> bool {
        let IpAddr::V6(ip) = ip else { return false };
        let is_closed =
            |inner: Ipv4Addr| self.is_denied(inner.into()) || self.machine.contains(&IpAddr::V4(inner));
        isatap(ip).is_some_and(|inner| is_special(inner.into()) || is_closed(inner))
            || translated(ip).into_iter().flatten().any(|inner| {
                // `2a00::1` is a host of its own and not 0.0.0.1 behind a translator.
                inner.octets()[0] != 0 && (is_behind(inner) || is_closed(inner))
            })
    }
}

/// The host at the far end of an ISATAP tunnel (RFC 5214), which may begin with any prefix.
fn isatap(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., flags, mark, high, low] = ip.segments();
    (flags & 0xfcff == 0 && mark == 0x5efe).then(|| join(high, low))
}

/// What an IPv6 address is to a translator (NAT64) whose prefix nobody told us: the forms of RFC 6052, section 2.2, with a
/// suffix of zeros. The addresses of hosts are not of that form; a prefix whose translator overlooks the suffix is for
/// the operator to deny.
fn translated(ip: Ipv6Addr) -> [Option<Ipv4Addr>; 6] {
    let [_, _, c, d, e, f, g, h] = ip.segments();
    let bytes = |first: u16, second: u16| u16::from_be_bytes([first as u8, (second >> 8) as u8]);
    let rest = |zero: bool, inner: Ipv4Addr| (zero && e >> 8 == 0).then_some(inner);
    [
        // Prefixes of 96, 64, 56, 48, 40 and 32 bits.
        rest(e == 0 && f == 0, join(g, h)),
        rest(g & 0xff == 0 && h == 0, join(bytes(e, f), bytes(f, g))),
        rest(g == 0 && h == 0, join(bytes(d, e << 8), f)),
        rest(f & 0xff == 0 && g == 0 && h == 0, join(d, bytes(e, f))),
        rest(f == 0 && g == 0 && h == 0, join(bytes(c, d), bytes(d, e << 8))),
        rest(e == 0 && f == 0 && g == 0 && h == 0, join(c, d)),
    ]
}

fn join(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

/// What stands behind somebody's translator: networks of its own.
fn is_behind(ip: Ipv4Addr) -> bool {
    ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_broadcast() || CARRIERS.contains(&ip)
}

fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => LOCAL_IPV4.iter().any(|net| net.contains(&ip)),
        IpAddr::V6(ip) => LOCAL_IPV6.iter().any(|net| net.contains(&ip)),
    }
}

/// Whether an address is of the public internet, and not of a special-purpose range.
pub fn is_public(ip: IpAddr) -> bool {
    !is_special(ip)
}

fn is_special(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => REFUSED_IPV4.iter().any(|net| net.contains(&ip)),
        IpAddr::V6(ip) => !GLOBAL_IPV6.contains(&ip) || REFUSED_IPV6.iter().any(|net| net.contains(&ip)),
    }
}

const fn ipv4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn ipv6(head: [u16; 3], tail: [u16; 3], prefix: u8) -> Ipv6Net {
    let ip = Ipv6Addr::new(head[0], head[1], head[2], 0, 0, tail[0], tail[1], tail[2]);
    Ipv6Net::new_assert(ip, prefix)
}

/// Shared address space of carriers.
const CARRIERS: Ipv4Net = ipv4(100, 64, 0, 0, 10);

static LOCAL_IPV4: [Ipv4Net; 4] =
    [ipv4(127, 0, 0, 0, 8), ipv4(10, 0, 0, 0, 8), ipv4(172, 16, 0, 0, 12), ipv4(192, 168, 0, 0, 16)];

static LOCAL_IPV6: [Ipv6Net; 2] = [ipv6([0, 0, 0], [0, 0, 1], 128), ipv6([0xfc00, 0, 0], [0, 0, 0], 7)];

static REFUSED_IPV4: [Ipv4Net; 15] = [
    ipv4(0, 0, 0, 0, 8),
    ipv4(10, 0, 0, 0, 8),
    CARRIERS,
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

/// All that is given to anybody. Beside it are loopback, link-local and unique local addresses, multicast, and the
/// forms of IPv4: compatible, mapped, translated (`::ffff:0:a.b.c.d`) and behind the well-known prefixes of NAT64.
const GLOBAL_IPV6: Ipv6Net = ipv6([0x2000, 0, 0], [0, 0, 0], 3);

static REFUSED_IPV6: [Ipv6Net; 6] = [
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
];

#[cfg(test)]
mod tests {
    use super::*;

    const SPECIAL: [&str; 63] = [
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
        "::ffff:0:10.0.0.1",
        "::ffff:0:8.8.8.8",
        "::ffff:0:0:1",
        "::1:0:0:1",
        "64:ff9b:2::1",
        "100:0:0:2::1",
        "200::1",
        "1fff::1",
        "4000::1",
        "6000::1",
        "fe00::1",
    ];

    const PUBLIC: [&str; 26] = [
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
        "2003::1",
        "2a00::1",
        "2a00:1:2:3::ffff",
        "2a00:1:2:3:0:5efe:808:808",
        "2a00:1:2:3::808:808",
        "2a00:1:2:3:8a2e:370:7334:a01",
        "3fff:1000::1",
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

    fn refused(ip: &str, local: LocalPeers) -> bool {
        Peers { local, ..Peers::default() }.is_refused(ip.parse().unwrap())
    }

    #[test]
    fn every_special_range_is_refused_in_every_encoding_and_nothing_beside_it() {
        for ip in SPECIAL {
            assert!(refused(ip, LocalPeers::Refused), "{ip}");
        }
        for ip in PUBLIC {
            assert!(!refused(ip, LocalPeers::Refused), "{ip}");
            assert!(!refused(ip, LocalPeers::Allowed), "{ip}");
        }
    }

    #[test]
    fn local_peers_are_loopback_and_private_networks_and_no_more() {
        for ip in SPECIAL {
            assert_eq!(!refused(ip, LocalPeers::Allowed), LOCAL.contains(&ip), "{ip}");
        }
    }

    /// ISATAP, and NAT64 with prefixes of every length: to 10.0.0.1, 127.0.0.1, 169.254.169.254, 192.168.1.1 and 100.64.0.1.
    const LEADING_INSIDE: [&str; 14] = [
        "2a00:1:2:3:0:5efe:10.0.0.1",
        "2a00:1:2:3:200:5efe:169.254.169.254",
        "2a00:1:2:3:0:5efe:203.0.113.1",
        "2a00:1:2:3:0:5efe:224.0.0.1",
        "2a00:64:0:1::10.0.0.1",
        "2a00:64::127.0.0.1",
        "2a00:64:0:1::169.254.169.254",
        "2a00:64:0:1::100.64.0.1",
        "2a00:1:2:3:a:0:100:0",
        "2a00:1:2:7f:0:1::",
        "2a00:1:2:c0a8:1:100::",
        "2a00:1:64:4000:1::",
        "2a00:1:a9fe:a9fe::",
        "2a00:1:a00:1::",
    ];

    #[test]
    fn an_address_that_leads_to_a_refused_one_is_refused() {
        for ip in LEADING_INSIDE {
            assert!(refused(ip, LocalPeers::Refused), "{ip}");
            assert!(refused(ip, LocalPeers::Allowed), "{ip}: only the plain form is for trials");
        }
    }

    #[test]
    fn what_the_operator_denies_is_refused_whatever_leads_there() {
        let denied = ["8.8.0.0/16", "2a00:64::/96", "10.9.0.0/16"].map(|net| net.parse().unwrap()).to_vec();
        let peers = Peers { denied, local: LocalPeers::Allowed, ..Peers::default() };
        let refused = |ip: &str| peers.is_refused(ip.parse().unwrap());
        for ip in ["8.8.8.8", "2a00:64::9.9.9.9", "10.9.1.1", "2a00:1:2:3::8.8.8.8", "2a00::5efe:8.8.8.8"] {
            assert!(refused(ip), "{ip}");
        }
        for ip in ["8.9.8.8", "2a00:65::9.9.9.9", "10.8.1.1", "2a00:1:2:3::8.9.8.8"] {
            assert!(!refused(ip), "{ip}");
        }
    }

    #[test]
    fn this_machine_is_refused_at_every_address_and_in_every_form() {
        let machine =
            ["1.2.3.4", "2a00::4", "192.168.1.4"].map(|ip| ip.parse().unwrap()).into_iter().collect();
        let mut peers = Peers { machine, ..Peers::default() };
        for ip in ["1.2.3.4", "2a00::4", "192.168.1.4", "2a00:64::1.2.3.4", "2a00::5efe:1.2.3.4"] {
            assert!(peers.is_refused(ip.parse().unwrap()), "{ip}");
        }
        peers.local = LocalPeers::Allowed;
        assert!(peers.is_refused("1.2.3.4".parse().unwrap()));
        assert!(!peers.is_refused("192.168.1.4".parse().unwrap()), "for trials on one network");
    }

    #[test]
    fn own_listeners_are_known_at_every_address_of_the_machine() {
        let own_listeners = OwnListeners {
            addresses: ["127.0.0.1:8080".parse().unwrap()].into_iter().collect(),
            everywhere: [3478].into_iter().collect(),
        };
        let machine = ["1.2.3.4".parse().unwrap()].into_iter().collect();
        let own = Peers { own_listeners, machine, ..Peers::default() };
        for known in ["127.0.0.1:8080", "127.0.0.9:3478", "[::1]:3478", "1.2.3.4:3478"] {
            assert!(own.is_own_listener(known.parse().unwrap()), "{known}");
        }
        for other in ["127.0.0.1:8081", "127.0.0.2:8080", "1.2.3.5:3478", "1.2.3.4:8080"] {
            assert!(!own.is_own_listener(other.parse().unwrap()), "{other}");
        }
    }
}
