//! The sockets of relay addresses and of connections: what the core's orders are carried out on.

use super::batch::Expectation;
use super::bind::{Binding, bind};
use super::stream::Stream;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use rustc_hash::FxHashMap;
use slotmap::{Key as _, KeyData, SecondaryMap};
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use visavis_turn::{Family, Fragments, Opened, Packet, RelayId, Shell};

/// What one relay socket may hold of packets that come faster than they are read. The kernel has its own bound.
const RELAY_BUFFER_BYTES: usize = 1024 * 1024;

/// What a readiness event speaks of, in the 64 bits that the kernel gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Bell,
    /// This machine has other addresses.
    Machine,
    Listener(u8),
    Relay(RelayId),
    Stream(u64),
}

const KIND_SHIFT: u32 = 62;
const BELL: u64 = 0;
const MACHINE: u64 = 1;
const KIND_LISTENER: u64 = 1;
const KIND_RELAY: u64 = 2;
const KIND_STREAM: u64 = 3;
const REST: u64 = (1 << KIND_SHIFT) - 1;

impl Token {
    /// ASSUMES: nobody opens 2^29 relay sockets in one place, nor 2^62 connections.
    pub(super) fn encode(self) -> u64 {
        match self {
            Token::Bell => BELL,
            Token::Machine => MACHINE,
            Token::Listener(index) => KIND_LISTENER << KIND_SHIFT | u64::from(index),
            Token::Relay(relay) => KIND_RELAY << KIND_SHIFT | (relay.data().as_ffi() & REST),
            Token::Stream(stream) => KIND_STREAM << KIND_SHIFT | (stream & REST),
        }
    }

    pub(super) fn decode(bits: u64) -> Self {
        let rest = bits & REST;
        match bits >> KIND_SHIFT {
            KIND_LISTENER => Token::Listener(rest as u8),
            KIND_RELAY => Token::Relay(KeyData::from_ffi(rest).into()),
            KIND_STREAM => Token::Stream(rest),
            _ if rest == MACHINE => Token::Machine,
            _ => Token::Bell,
        }
    }
}

pub(super) struct Sockets {
    pub(super) epoll: Epoll,
    binding: Binding,
    relays: SecondaryMap<RelayId, RelaySocket>,
    pub(super) streams: FxHashMap<u64, Stream>,
    /// Connections that the core wants closed. Not at once: it may be in the middle of one's packets.
    pub(super) closing: Vec<u64>,
}

pub(super) struct RelaySocket {
    pub(super) socket: UdpSocket,
    pub(super) family: Family,
    pub(super) expectation: Expectation,
}

impl Sockets {
    pub(super) fn new(epoll: Epoll, binding: Binding) -> Self {
        Sockets {
            epoll,
            binding,
            relays: SecondaryMap::new(),
            streams: FxHashMap::default(),
            closing: Vec::new(),
        }
    }

    pub(super) fn relay(&self, relay: RelayId) -> Option<&RelaySocket> {
        self.relays.get(relay)
    }

    pub(super) fn relay_mut(&mut self, relay: RelayId) -> Option<&mut RelaySocket> {
        self.relays.get_mut(relay)
    }

    /// With "don't fragment" set for this one packet: few ask for it, so it need not be fast.
    pub(super) fn send_whole(&self, relay: RelayId, peer: SocketAddr, packet: &Packet) {
        let Some(RelaySocket { socket, family, .. }) = self.relays.get(relay) else { return };
        if set_fragments(socket, *family, Fragments::Forbidden).is_ok() {
            let _ = socket.send_to(packet.bytes(), peer);
            let _ = set_fragments(socket, *family, Fragments::Allowed);
        }
    }
}

impl Shell for Sockets {
    fn open_relay(&mut self, relay: RelayId, family: Family, port: u16) -> Opened {
        let socket = match bind(self.binding.address(family, port), Some(RELAY_BUFFER_BYTES)) {
            Ok(socket) => socket,
            Err(error) if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {
                return Opened::Taken;
            }
            Err(_) => return Opened::Failed,
        };
        // A system without that option sends all the same.
        let _ = set_fragments(&socket, family, Fragments::Allowed);
        let event = EpollEvent::new(EpollFlags::EPOLLIN, Token::Relay(relay).encode());
        if self.epoll.add(&socket, event).is_err() {
            return Opened::Failed;
        }
        self.relays.insert(relay, RelaySocket { socket, family, expectation: Expectation::default() });
        Opened::Yes
    }

    fn close_relay(&mut self, relay: RelayId) {
        // Closing takes it out of the epoll set.
        self.relays.remove(relay);
    }

    fn close_stream(&mut self, stream: u64) {
        self.closing.push(stream);
    }
}

/// Linux forbids fragments by default, to find the largest packet of a path; a relay must leave that to its clients.
fn set_fragments(socket: &UdpSocket, family: Family, fragments: Fragments) -> rustix::io::Result<()> {
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery as Ipv4, Ipv6PathMtuDiscovery as Ipv6, set_ip_mtu_discover,
        set_ipv6_mtu_discover,
    };
    match (family, fragments) {
        (Family::Ipv4, Fragments::Allowed) => set_ip_mtu_discover(socket, Ipv4::DONT),
        (Family::Ipv4, Fragments::Forbidden) => set_ip_mtu_discover(socket, Ipv4::DO),
        (Family::Ipv6, Fragments::Allowed) => set_ipv6_mtu_discover(socket, Ipv6::DONT),
        (Family::Ipv6, Fragments::Forbidden) => set_ipv6_mtu_discover(socket, Ipv6::DO),
    }
}
