//! The sockets that clients send to, and at which of this machine's addresses each client was heard.
//!
//! What always holds: an answer leaves from the address that the question came to. Clients drop any other, and a client
//! that speaks to two of our addresses from one port has two conversations. So a wildcard socket asks the kernel for
//! the address (`IP_PKTINFO`), each address gets an entrance of its own, and the answer names it again.

use super::batch::Expectation;
use nix::errno::Errno;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo};
use rustc_hash::FxHashMap;
use std::net::{IpAddr, UdpSocket};
use visavis_turn::Family;

/// A socket that clients send to.
pub(super) struct Listener {
    pub(super) socket: UdpSocket,
    pub(super) family: Family,
    pub(super) hears: Hears,
    pub(super) expectation: Expectation,
}

/// Whether the address that a datagram came to is always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hears {
    OneAddress,
    EveryAddress,
}

/// A socket, and which address of ours answers leave from; `None`: the kernel's choice.
#[derive(Clone, Copy)]
struct Entrance {
    listener: u8,
    from: Option<IpAddr>,
}

/// Entrances at most. A machine has a handful of addresses, or whole networks of them that lead to itself; beyond the
/// bound the kernel chooses what an answer leaves from.
const ENTRANCES_MOST: usize = 4096;

#[derive(Default)]
pub(super) struct Listeners {
    sockets: Vec<Listener>,
    /// Never fewer nor in another order: clients are known by these numbers. First one for each socket.
    entrances: Vec<Entrance>,
    by_address: FxHashMap<(u8, IpAddr), u16>,
    /// Most packets come to the address of the one before.
    latest: Option<((u8, IpAddr), u16)>,
}

impl Listeners {
    pub(super) fn new(sockets: Vec<UdpSocket>) -> Result<Self, Errno> {
        let mut listeners = Listeners::default();
        for (listener, socket) in (0u8..).zip(sockets) {
            let ip = socket.local_addr().map_err(|_| Errno::EINVAL)?.ip();
            let family = Family::of(ip);
            let hears = if ip.is_unspecified() { Hears::EveryAddress } else { Hears::OneAddress };
            if hears == Hears::EveryAddress {
                match family {
                    Family::Ipv4 => setsockopt(&socket, Ipv4PacketInfo, &true)?,
                    Family::Ipv6 => setsockopt(&socket, Ipv6RecvPacketInfo, &true)?,
                }
            }
            listeners.sockets.push(Listener { socket, family, hears, expectation: Expectation::default() });
            listeners.entrances.push(Entrance { listener, from: None });
        }
        Ok(listeners)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u8, &UdpSocket)> {
        (0u8..).zip(self.sockets.iter().map(|listener| &listener.socket))
    }

    pub(super) fn get_mut(&mut self, listener: u8) -> Option<&mut Listener> {
        self.sockets.get_mut(usize::from(listener))
    }

    /// By which way in a datagram came that this socket heard at that address.
    #[inline]
    pub(super) fn entrance(&mut self, listener: u8, address: Option<IpAddr>) -> u16 {
        let Some(address) = address else { return listener.into() };
        let key = (listener, address);
        match self.latest {
            Some((known, entrance)) if known == key => entrance,
            Some(_) | None => self.look_up(key),
        }
    }

    fn look_up(&mut self, key: (u8, IpAddr)) -> u16 {
        let entrance = match self.by_address.get(&key) {
            Some(entrance) => *entrance,
            None if self.entrances.len() >= ENTRANCES_MOST => return key.0.into(),
            None => {
                // ASSUMES: ENTRANCES_MOST fits.
                let entrance = self.entrances.len() as u16;
                self.entrances.push(Entrance { listener: key.0, from: Some(key.1) });
                self.by_address.insert(key, entrance);
                entrance
            }
        };
        self.latest = Some((key, entrance));
        entrance
    }

    /// What leads out where an entrance leads in: the socket, and the address to send from.
    pub(super) fn exit(&self, entrance: u16) -> Option<(&UdpSocket, Option<IpAddr>)> {
        let Entrance { listener, from } = *self.entrances.get(usize::from(entrance))?;
        Some((&self.sockets.get(usize::from(listener))?.socket, from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn an_address_keeps_its_entrance_and_their_number_is_bounded() {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let mut listeners = Listeners::new(vec![socket]).unwrap();
        let at = |n: u32| Some(IpAddr::from(Ipv4Addr::from(n)));
        let first = listeners.entrance(0, at(1));
        let second = listeners.entrance(0, at(2));
        assert_eq!((listeners.entrance(0, None), first, second), (0, 1, 2));
        assert_eq!((listeners.entrance(0, at(1)), listeners.entrance(0, at(2))), (first, second));
        assert_eq!(listeners.exit(first).unwrap().1, at(1));
        assert!(
            (3..10_000)
                .map(|n| listeners.entrance(0, at(n)))
                .all(|entrance| usize::from(entrance) < ENTRANCES_MOST)
        );
        assert_eq!(listeners.entrance(0, at(20_000)), 0, "the kernel's choice");
        assert_eq!(listeners.entrance(0, at(2)), second);
    }
}
