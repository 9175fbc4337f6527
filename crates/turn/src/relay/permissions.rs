//! CreatePermission and ChannelBind (RFC 8656, sections 10 and 12): whom an allocation may exchange packets with.

use super::Relay;
use super::allocation::{Allocation, CHANNEL_LIFETIME, Channel, PERMISSION_LIFETIME, Permission, Reach};
use super::authenticate::Caller;
use crate::stun::{ErrorCode, Message, Reply, read_xor_address};
use crate::{Config, Family, Time};
use ipnet::IpNet;
use rustc_hash::FxHashSet;
use std::net::{IpAddr, SocketAddr};

/// RFC 8656 ends them at 0x4FFF; older clients (RFC 5766) choose up to here.
const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x7fff;

impl Relay {
    pub(super) fn on_create_permission(
        &mut self,
        now: Time,
        caller: &Caller<'_>,
        message: &Message<'_>,
    ) -> Result<Reply, ErrorCode> {
        let allocation = own(&mut self.allocations, caller)?;
        let mut reaches = Vec::new();
        for value in message.attributes.peers() {
            let peer = read_xor_address(value, &message.transaction).ok_or(ErrorCode::BadRequest)?;
            reaches.push((peer.ip(), self.config.reach(allocation, peer.ip())?));
            // More than can ever be granted need not be read.
            if reaches.len() > self.config.bounds.permissions {
                return Err(ErrorCode::InsufficientCapacity);
            }
        }
        if reaches.is_empty() {
            return Err(ErrorCode::BadRequest);
        }
        // All of them, or none.
        let missing = reaches.iter().filter(|(ip, _)| !allocation.permissions.contains_key(ip)).count();
        make_room(allocation, now, missing, self.config.bounds.permissions)?;
        for (ip, reach) in reaches {
            let expires = now + PERMISSION_LIFETIME;
            allocation.permissions.insert(ip, Permission { expires, reach });
            allocation.channels.permit(ip, expires);
        }
        Ok(Reply::success(message))
    }

    pub(super) fn on_channel_bind(
        &mut self,
        now: Time,
        caller: &Caller<'_>,
        message: &Message<'_>,
    ) -> Result<Reply, ErrorCode> {
        let allocation = own(&mut self.allocations, caller)?;
        let number = match message.attributes.channel_number {
            Some([high, low, _, _]) => u16::from_be_bytes([*high, *low]),
            Some(_) | None => return Err(ErrorCode::BadRequest),
        };
        let peer = message.attributes.peers().next().ok_or(ErrorCode::BadRequest)?;
        let peer = read_xor_address(peer, &message.transaction).ok_or(ErrorCode::BadRequest)?;
        if !CHANNELS.contains(&number) {
            return Err(ErrorCode::BadRequest);
        }
        let reach = self.config.reach(allocation, peer.ip())?;
        let is_ours = || self.ports.contains_key(&(Family::of(peer.ip()), peer.port()));
        if self.config.peers.is_own_listener(peer) || (reach == Reach::Inside && !is_ours()) {
            return Err(ErrorCode::Forbidden);
        }
        let is_bound_elsewhere = allocation.channels.by_number(now, number).is_some_and(|at| at.peer != peer)
            || allocation.channels.by_peer(now, peer).is_some_and(|bound| bound.number != number);
        if is_bound_elsewhere {
            return Err(ErrorCode::BadRequest);
        }
        let bounds = self.config.bounds;
        if allocation.channels.by_number(now, number).is_none()
            && allocation.channels.len() >= bounds.channels
        {
            allocation.channels.forget_expired(now);
            if allocation.channels.len() >= bounds.channels {
                return Err(ErrorCode::InsufficientCapacity);
            }
        }
        let missing = usize::from(!allocation.permissions.contains_key(&peer.ip()));
        make_room(allocation, now, missing, bounds.permissions)?;
        let permitted_until = now + PERMISSION_LIFETIME;
        allocation.permissions.insert(peer.ip(), Permission { expires: permitted_until, reach });
        let channel = Channel { peer, reach, expires: now + CHANNEL_LIFETIME };
        allocation.channels.bind(number, channel, permitted_until);
        Ok(Reply::success(message))
    }
}

impl Relay {
    /// The operator denies other networks than before. What was permitted and no longer is ends at once.
    pub fn deny_peers(&mut self, denied: Vec<IpNet>) {
        self.config.peers.denied = denied;
        self.revise_permissions();
    }

    /// This machine has other addresses than before. Those of the relay remain its own.
    pub fn set_machine_addresses(&mut self, addresses: FxHashSet<IpAddr>) {
        self.config.peers.machine = addresses;
        self.revise_permissions();
    }

    fn revise_permissions(&mut self) {
        let config = &self.config;
        for allocation in self.allocations.values_mut() {
            let mut is_changed = false;
            allocation.permissions.retain(|ip, permission| {
                let is_same = config.reach_of(*ip) == Some(permission.reach);
                is_changed |= !is_same;
                is_same
            });
            if is_changed {
                let Allocation { permissions, channels, .. } = allocation;
                channels.retain(|peer| permissions.contains_key(&peer.ip()));
            }
        }
    }
}

fn own<'a>(
    allocations: &'a mut slotmap::SlotMap<super::AllocationId, Allocation>,
    caller: &Caller<'_>,
) -> Result<&'a mut Allocation, ErrorCode> {
    let id = caller.allocation.ok_or(ErrorCode::AllocationMismatch)?;
    let allocation = allocations.get_mut(id).ok_or(ErrorCode::AllocationMismatch)?;
    if *allocation.username == *caller.username { Ok(allocation) } else { Err(ErrorCode::WrongCredentials) }
}

fn make_room(allocation: &mut Allocation, now: Time, more: usize, bound: usize) -> Result<(), ErrorCode> {
    if allocation.permissions.len() + more > bound {
        allocation.permissions.retain(|_, permission| permission.expires > now);
    }
    if allocation.permissions.len() + more > bound { Err(ErrorCode::InsufficientCapacity) } else { Ok(()) }
}

impl Config {
    /// Whether that peer may be relayed to at all.
    fn reach(&self, allocation: &Allocation, peer: IpAddr) -> Result<Reach, ErrorCode> {
        if allocation.relay(Family::of(peer)).is_none() {
            return Err(ErrorCode::PeerAddressFamilyMismatch);
        }
        self.reach_of(peer).ok_or(ErrorCode::Forbidden)
    }

    fn reach_of(&self, peer: IpAddr) -> Option<Reach> {
        if self.relay_ip(Family::of(peer)) == Some(peer) && !self.peers.is_open_for_trials(peer) {
            // Our visitors are there, and so is whatever else runs on this machine.
            return Some(Reach::Inside);
        }
        (!self.peers.is_refused(peer)).then_some(Reach::Everywhere)
    }

    pub(super) fn is_own_relay_ip(&self, peer: SocketAddr) -> bool {
        self.relay_ip(Family::of(peer.ip())) == Some(peer.ip())
    }
}
