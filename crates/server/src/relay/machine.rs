//! The addresses of this machine, and word when they change: nobody reaches one of them through the relay.

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use rustc_hash::FxHashSet;
use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;
use visavis_turn::Time;

/// Groups of rtnetlink(7): an IPv4 address, an IPv6 address came or went.
const IPV4_ADDRESSES: u32 = 0x10;
const IPV6_ADDRESSES: u32 = 0x100;

/// How often the addresses are read where nobody tells of a change: some containers allow no such socket.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(10);

/// As the kernel lists them, those of interfaces that are down included.
pub(super) fn addresses() -> Option<FxHashSet<IpAddr>> {
    let interfaces = getifaddrs().ok()?;
    let addresses = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let ipv4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        ipv4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    });
    Some(addresses.collect())
}

pub(super) enum Watch {
    /// Readable when something has changed.
    Told(OwnedFd),
    Looking {
        next: Time,
    },
}

impl Watch {
    pub(super) fn new(now: Time) -> Self {
        match subscribe() {
            Ok(socket) => Watch::Told(socket),
            Err(_) => Watch::Looking { next: now + LOOKED_AT_EVERY },
        }
    }

    /// What was told is read and forgotten: the addresses themselves are what counts.
    pub(super) fn take_word(&self) {
        let Watch::Told(socket) = self else { return };
        let mut scratch = [0; 4096];
        loop {
            match recv(socket.as_raw_fd(), &mut scratch, MsgFlags::MSG_DONTWAIT) {
                // Too much was told to be kept: so much the more reason to look.
                Ok(1..) | Err(Errno::EINTR | Errno::ENOBUFS) => {}
                Ok(0) | Err(_) => return,
            }
        }
    }

    /// When to look, if nobody tells.
    pub(super) fn next_look(&self) -> Option<Time> {
        match self {
            Watch::Told(_) => None,
            Watch::Looking { next } => Some(*next),
        }
    }

    pub(super) fn looked(&mut self, now: Time) {
        if let Watch::Looking { next } = self {
            *next = now + LOOKED_AT_EVERY;
        }
    }
}

fn subscribe() -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let told = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
    bind(told.as_raw_fd(), &NetlinkAddr::new(0, IPV4_ADDRESSES | IPV6_ADDRESSES))?;
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn loopback_is_among_the_addresses_of_this_machine() {
        assert!(addresses().is_none_or(|all| all.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST))));
    }
}
