//! The relay: every allocation, and what becomes of each packet.
//!
//! What always holds: nothing is kept about anybody who is not authenticated; an allocation belongs to one user name
//! and one client transport address; whatever is counted, listed or mapped has a bound in [`Bounds`](crate::Bounds).

mod allocate;
mod allocation;
mod authenticate;
mod forwarding;
mod holders;
mod permissions;
mod ports;
mod refresh;
mod timers;

use crate::counters::{Counters, Drop};
use crate::nonce::Nonces;
use crate::packet::Packet;
use crate::random::Random;
use crate::stun::{Class, ErrorCode, Message, Method, Reply, Words, attribute, read_channel_data};
use crate::throttle::Throttle;
use crate::{Bounds, Config, Family, Time};
use allocation::{Allocation, AllocationId, RelayAddress, Reservation, Ticket, Token};
use forwarding::SendIndication;
use holders::Holders;
use rustc_hash::FxHashMap;
use slotmap::SlotMap;
use std::net::SocketAddr;
use timers::Timers;

slotmap::new_key_type! {
    /// A relay address and its socket. Never the same twice.
    pub struct RelayId;
}

/// The client's end of a conversation: with ours it makes the five-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    pub via: Via,
    pub address: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// Which of our UDP sockets, or which of our addresses where one socket has several.
    Udp(u16),
    /// A TCP or TLS connection, by a number that never comes again.
    Stream(u64),
}

/// What becomes of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Forward {
    Nowhere,
    /// Payload, from a relay socket.
    ToPeer {
        relay: RelayId,
        peer: SocketAddr,
        fragments: Fragments,
    },
    /// A reply or payload, ready for the wire.
    ToClient(Client),
}

/// Whether routers may cut the packet up (RFC 8656, section 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragments {
    Allowed,
    Forbidden,
}

/// Whether a port could be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    Yes,
    /// Somebody else has it: another one may be free.
    Taken,
    /// The system gives none.
    Failed,
}

/// What the relay asks of those who carry its packets.
pub trait Shell {
    /// Opens a UDP socket on the relay address of that family.
    fn open_relay(&mut self, relay: RelayId, family: Family, port: u16) -> Opened;
    fn close_relay(&mut self, relay: RelayId);
    /// Closes a connection that serves nobody.
    fn close_stream(&mut self, stream: u64);
}

/// What is there at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    pub allocations: usize,
    pub relay_addresses: usize,
    pub users: usize,
}

pub struct Relay {
    config: Config,
    nonces: Nonces,
    random: Random,
    throttle: Throttle,
    allocations: SlotMap<AllocationId, Allocation>,
    clients: FxHashMap<Client, AllocationId>,
    addresses: SlotMap<RelayId, RelayAddress>,
    ports: FxHashMap<(Family, u16), RelayId>,
    /// How many allocations and reservations each has.
    holders: Holders,
    tickets: FxHashMap<Ticket, AllocationId>,
    reservations: FxHashMap<Token, Reservation>,
    timers: Timers,
    counters: Counters,
}

impl Relay {
    /// `seed` is 32 random bytes, drawn anew for every process.
    pub fn new(config: Config, seed: &[u8; 32]) -> Self {
        let mut random = Random::new(seed);
        let nonces = Nonces::new(&random.bytes());
        let keys = [random.bytes(), random.bytes()].map(u64::from_be_bytes);
        Relay {
            nonces,
            throttle: Throttle::new(config.bounds.stranger_replies_per_s, keys),
            random,
            config,
            allocations: SlotMap::with_key(),
            clients: FxHashMap::default(),
            addresses: SlotMap::with_key(),
            ports: FxHashMap::default(),
            holders: Holders::default(),
            tickets: FxHashMap::default(),
            reservations: FxHashMap::default(),
            timers: Timers::default(),
            counters: Counters::default(),
        }
    }

    /// A packet came from a client, over UDP or as one frame of a stream. Its answer, if any, is in `packet`.
    pub fn handle_client(
        &mut self,
        now: Time,
        client: Client,
        packet: &mut Packet,
        shell: &mut impl Shell,
    ) -> Forward {
        if let Some((channel, len)) = read_channel_data(packet.bytes()) {
            return self.on_channel_data(now, client, channel, len, packet);
        }
        let Some(message) = Message::read(packet.bytes()) else {
            return self.dropped(Drop::Malformed);
        };
        match (message.class, Method::of(message.method)) {
            (Class::Indication, Some(Method::Send)) => match SendIndication::read(&message) {
                Some(send) => self.on_send(now, client, &send, packet),
                None => self.dropped(Drop::Malformed),
            },
            (Class::Request, Some(method)) => {
                let Some(reply) = self.on_request(now, client, method, &message, shell) else {
                    return Forward::Nowhere;
                };
                packet.fill(&reply);
                Forward::ToClient(client)
            }
            // Answers to nothing that we asked; indications that only keep a NAT awake; methods of others.
            (Class::Indication | Class::Success | Class::Error, _) | (Class::Request, None) => {
                Forward::Nowhere
            }
        }
    }

    /// A connection was made. It is closed again unless an allocation comes of it in time.
    pub fn handle_stream_opened(&mut self, now: Time, client: Client) {
        self.timers.watch_stream(now, client);
    }

    /// A connection is gone, and its allocation with it, unless that may move (RFC 8016).
    pub fn handle_stream_closed(&mut self, client: Client, shell: &mut impl Shell) {
        if let Some(id) = self.clients.get(&client).copied()
            && self.allocations.get(id).is_some_and(|allocation| allocation.ticket.is_none())
        {
            self.remove(id, shell);
        }
    }

    /// When [`Relay::handle_timeout`] is to be called, at the latest.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.soonest()
    }

    pub fn handle_timeout(&mut self, now: Time, shell: &mut impl Shell) {
        while let Some(due) = self.timers.take_due(now) {
            self.on_timer(now, due, shell);
        }
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    pub fn bounds(&self) -> &Bounds {
        &self.config.bounds
    }

    pub fn gauges(&self) -> Gauges {
        Gauges {
            allocations: self.allocations.len(),
            relay_addresses: self.addresses.len(),
            users: self.holders.users(),
        }
    }

    fn on_request(
        &mut self,
        now: Time,
        client: Client,
        method: Method,
        message: &Message<'_>,
        shell: &mut impl Shell,
    ) -> Option<Vec<u8>> {
        if method == Method::Binding {
            return self.on_binding(now, client, message);
        }
        let caller = match self.authenticate(now, client, message) {
            Ok(caller) => caller,
            Err(reply) => return reply,
        };
        if let Some(allocation) = caller.allocation.and_then(|id| self.allocations.get_mut(id)) {
            allocation.heard = now;
        }
        let outcome = if !message.attributes.unknown().is_empty() {
            Err(ErrorCode::UnknownAttribute)
        } else {
            match method {
                Method::Allocate => self.on_allocate(now, client, &caller, message, shell),
                Method::Refresh => self.on_refresh(now, client, &caller, message, shell),
                Method::CreatePermission => self.on_create_permission(now, &caller, message),
                Method::ChannelBind => self.on_channel_bind(now, &caller, message),
                // Neither is ever a request.
                Method::Send | Method::Binding => return None,
            }
        };
        let reply = outcome.unwrap_or_else(|code| {
            self.counters.refuse(code);
            let mut reply = Reply::error(message, code, Words::Spoken);
            if code == ErrorCode::UnknownAttribute {
                reply.put_unknown(message.attributes.unknown());
            }
            reply
        });
        Some(reply.finish_signed(&caller.key))
    }

    /// Anybody may ask for its own address (RFC 8489, section 12).
    fn on_binding(&mut self, now: Time, client: Client, message: &Message<'_>) -> Option<Vec<u8>> {
        if !self.throttle.allows(now, client.address.ip()) {
            self.counters.drop(Drop::Throttled);
            return None;
        }
        let unknown = message.attributes.unknown();
        if unknown.is_empty() {
            self.counters.bindings += 1;
            let mut reply = Reply::success(message);
            reply.put_address(attribute::XOR_MAPPED_ADDRESS, client.address);
            return Some(reply.finish());
        }
        self.counters.refuse(ErrorCode::UnknownAttribute);
        let mut reply = Reply::error(message, ErrorCode::UnknownAttribute, Words::Spared);
        reply.put_unknown(unknown);
        Some(reply.finish())
    }

    fn dropped(&mut self, reason: Drop) -> Forward {
        self.counters.drop(reason);
        Forward::Nowhere
    }
}

#[cfg(test)]
mod tests;
