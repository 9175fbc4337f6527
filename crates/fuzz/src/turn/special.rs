//! Addresses that no relay may reach, after IANA's registries of special-purpose addresses: written beside the relay's
//! own list and not with it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) fn is_special(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_special_ipv4(ip),
        IpAddr::V6(ip) => is_special_ipv6(ip),
    }
}

fn is_special_ipv4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_documentation()
        || ip.is_broadcast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
}

fn is_special_ipv6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, ..] = ip.segments();
    ip.is_loopback()
        || ip.is_unspecified()
        || ip.is_multicast()
        || ip.is_unique_local()
        || ip.is_unicast_link_local()
        || ip.to_ipv4().is_some()
        // IPv4 translated, with the well-known prefix and with the local one.
        || (a == 0x64 && b == 0xff9b)
        // Discard only, and the dummy prefix (RFC 9780).
        || (a == 0x100 && b == 0 && c == 0 && d <= 1)
        // Teredo, benchmarks, ORCHID.
        || (a == 0x2001 && (b == 0 || (b == 2 && c == 0) || (0x10..0x20).contains(&b)))
        // 6to4.
        || a == 0x2002
        // Documentation (RFC 3849, RFC 9637).
        || (a == 0x2001 && b == 0xdb8)
        || (a == 0x3fff && b < 0x1000)
        // Segment routing (RFC 9602).
        || a == 0x5f00
}
