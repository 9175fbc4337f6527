//! The hot path: payload from client to peer and back. Hash look-ups only, nothing copied, nothing allocated.

use super::allocation::{AllocationId, Owner, Reach};
use super::{Client, Forward, Fragments, Relay, RelayId};
use crate::counters::{Bound, Drop};
use crate::packet::Packet;
use crate::stun::{
    CHANNEL_HEADER_BYTES, DATA_INDICATION, HEADER_BYTES, MAGIC_COOKIE, Message, attribute, read_xor_address,
    xor_address,
};
use crate::{Family, Time, Via};
use std::net::SocketAddr;

/// What a Send indication asks for (RFC 8656, section 11.2).
pub(super) struct SendIndication {
    peer: SocketAddr,
    offset: usize,
    len: usize,
    fragments: Fragments,
}

impl SendIndication {
    pub(super) fn read(message: &Message<'_>) -> Option<Self> {
        let attributes = &message.attributes;
        if !attributes.unknown().is_empty() {
            return None;
        }
        let data = attributes.data?;
        let fragments = match attributes.dont_fragment {
            Some(_) => Fragments::Forbidden,
            None => Fragments::Allowed,
        };
        let peer = read_xor_address(attributes.peers().next()?, &message.transaction)?;
        Some(SendIndication { peer, offset: data.offset, len: data.value.len(), fragments })
    }
}

/// How a packet came to a relay address.
#[derive(Clone, Copy)]
enum Way {
    /// From another allocation here.
    Inside,
    /// From the network.
    Outside,
}

impl Relay {
    pub(super) fn on_channel_data(
        &mut self,
        now: Time,
        client: Client,
        channel: u16,
        len: usize,
        packet: &mut Packet,
    ) -> Forward {
        let Some(id) = self.clients.get(&client).copied() else { return self.dropped(Drop::NoAllocation) };
        let Some(allocation) = self.allocations.get_mut(id) else { return self.dropped(Drop::NoAllocation) };
        let Some(channel) = allocation.channels.by_number(now, channel) else {
            return self.dropped(Drop::NoChannel);
        };
        packet.narrow(CHANNEL_HEADER_BYTES, len);
        self.relay_out(now, id, channel.peer, channel.reach, Fragments::Allowed, packet)
    }

    /// It is not authenticated: the permission is what counts.
    pub(super) fn on_send(
        &mut self,
        now: Time,
        client: Client,
        send: &SendIndication,
        packet: &mut Packet,
    ) -> Forward {
        let SendIndication { peer, offset, len, fragments } = *send;
        let Some(id) = self.clients.get(&client).copied() else { return self.dropped(Drop::NoAllocation) };
        let Some(allocation) = self.allocations.get(id) else { return self.dropped(Drop::NoAllocation) };
        let Some(permission) = allocation.permission(now, peer.ip()) else {
            return self.dropped(Drop::NoPermission);
        };
        if self.config.peers.is_own_listener(peer) {
            return self.dropped(Drop::ForbiddenPeer);
        }
        packet.narrow(offset, len);
        self.relay_out(now, id, peer, permission.reach, fragments, packet)
    }

    fn relay_out(
        &mut self,
        now: Time,
        id: AllocationId,
        peer: SocketAddr,
        reach: Reach,
        fragments: Fragments,
        packet: &mut Packet,
    ) -> Forward {
        let family = Family::of(peer.ip());
        let Some(allocation) = self.allocations.get_mut(id) else { return self.dropped(Drop::NoAllocation) };
        let Some(relay) = allocation.relay(family) else { return self.dropped(Drop::NoPermission) };
        allocation.heard = now;
        let bounds = &self.config.bounds;
        if let Err(bound) = self.holders.takes(now, packet.len(), allocation, bounds) {
            return self.too_much(bound);
        }
        if self.config.is_own_relay_ip(peer)
            && let Some(other) = self.ports.get(&(family, peer.port())).copied()
            && let Some(address) = self.addresses.get(relay).map(|at| at.address)
        {
            self.counters.to_peers.add(packet.len());
            // To one of our own relay addresses: the kernel need not carry it around.
            return self.deliver(now, other, address, packet, Way::Inside);
        }
        match reach {
            Reach::Everywhere => {
                self.counters.to_peers.add(packet.len());
                Forward::ToPeer { relay, peer, fragments }
            }
            Reach::Inside => self.dropped(Drop::ForbiddenPeer),
        }
    }

    /// A packet came to a relay address.
    pub fn handle_peer(
        &mut self,
        now: Time,
        relay: RelayId,
        peer: SocketAddr,
        packet: &mut Packet,
    ) -> Forward {
        self.deliver(now, relay, peer, packet, Way::Outside)
    }

    fn deliver(
        &mut self,
        now: Time,
        relay: RelayId,
        peer: SocketAddr,
        packet: &mut Packet,
        way: Way,
    ) -> Forward {
        let owner = self.addresses.get(relay).map(|at| at.owner);
        let Some(Owner::Allocation(id)) = owner else { return self.dropped(Drop::NoAllocation) };
        let Some(allocation) = self.allocations.get_mut(id) else { return self.dropped(Drop::NoAllocation) };
        let channel = allocation.channels.by_peer(now, peer);
        let reach = match channel {
            Some(bound) => (bound.permitted_until > now).then_some(bound.reach),
            None => allocation.permission(now, peer.ip()).map(|permission| permission.reach),
        };
        let is_permitted = match (reach, way) {
            (None, _) => false,
            (Some(Reach::Everywhere), _) | (Some(Reach::Inside), Way::Inside) => true,
            // From our own address, and none of our visitors: something else that runs on this machine.
            (Some(Reach::Inside), Way::Outside) => false,
        };
        if !is_permitted {
            return self.dropped(Drop::NoPermission);
        }
        let len = packet.len();
        let Ok(length) = u16::try_from(len) else { return self.dropped(Drop::Malformed) };
        if let Err(bound) = self.holders.takes(now, len, allocation, &self.config.bounds) {
            return self.too_much(bound);
        }
        let client = allocation.client;
        match channel {
            Some(bound) => {
                let ([a, b], [c, d]) = (bound.number.to_be_bytes(), length.to_be_bytes());
                packet.prepend(&[a, b, c, d]);
                // Over a stream padding is a must, over UDP it only costs (RFC 8656, section 12.5).
                if let Via::Stream(_) = client.via {
                    packet.pad();
                }
            }
            None => self.put_data_indication(peer, length, packet),
        }
        self.counters.to_clients.add(len);
        Forward::ToClient(client)
    }

    #[cold]
    fn too_much(&mut self, bound: Bound) -> Forward {
        self.counters.hit(bound);
        self.dropped(Drop::Bandwidth)
    }

    /// RFC 8656, section 11.3. The transaction means nothing here, but must not repeat soon.
    fn put_data_indication(&mut self, peer: SocketAddr, length: u16, packet: &mut Packet) {
        let mut transaction = [0; 12];
        for (to, from) in transaction.iter_mut().zip(self.counters.to_clients.packets.to_be_bytes()) {
            *to = from;
        }
        packet.pad();
        let [kind_high, kind_low] = attribute::DATA.to_be_bytes();
        let [high, low] = length.to_be_bytes();
        packet.prepend(&[kind_high, kind_low, high, low]);
        let address = xor_address(peer, &transaction);
        packet.prepend(address.bytes());
        let [kind_high, kind_low] = attribute::XOR_PEER_ADDRESS.to_be_bytes();
        packet.prepend(&[kind_high, kind_low, 0, address.bytes().len() as u8]);
        packet.prepend(&transaction);
        packet.prepend(&MAGIC_COOKIE);
        let body = (packet.len() + 4).saturating_sub(HEADER_BYTES) as u16;
        packet.prepend(&body.to_be_bytes());
        packet.prepend(&DATA_INDICATION.to_be_bytes());
    }
}
