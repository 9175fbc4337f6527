//! Allocate (RFC 8656, section 7; dual allocations: the same; mobility: RFC 8016, section 3.1).

use super::allocation::{
    Allocation, AllocationId, Budget, Channels, DEFAULT_LIFETIME, MAX_LIFETIME, Owner, Reservation, Tickets,
    Token, draw_ticket,
};
use super::authenticate::Caller;
use super::holders::{HOSTS_PER_SITE, Prefix};
use super::ports::{Parity, Ports};
use super::timers::Due;
use super::{Client, Relay, RelayId, Shell};
use crate::counters::Bound;
use crate::stun::{Attributes, ErrorCode, Message, Reply, Words, attribute};
use crate::{Family, Time};
use rustc_hash::FxHashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const TRANSPORT_UDP: u8 = 17;
/// The first bit of EVEN-PORT: the next higher port is to be reserved.
const RESERVE_NEXT: u8 = 0x80;
/// RFC 8656, section 7.2: at least that long.
const RESERVATION_LIFETIME: Duration = Duration::from_secs(30);
/// A client that has been silent for so long is most likely gone: browsers check the paths that they use far more often,
/// and a phone that changes its network leaves its allocations behind without a word.
const SILENT: Duration = Duration::from_secs(60);

/// What is asked for.
#[derive(Clone, Copy)]
enum Wish {
    One(Family, Parity),
    Dual(Parity),
    Reserved(Token),
}

impl Relay {
    pub(super) fn on_allocate(
        &mut self,
        now: Time,
        client: Client,
        caller: &Caller<'_>,
        message: &Message<'_>,
        shell: &mut impl Shell,
    ) -> Result<Reply, ErrorCode> {
        if let Some(id) = self.clients.get(&client).copied() {
            let known = self.allocations.get(id).ok_or(ErrorCode::AllocationMismatch)?;
            if known.made_by != message.transaction || *known.username != *caller.username {
                return Err(ErrorCode::AllocationMismatch);
            }
            // The reply was lost, and the request came again.
            return self.tell_allocation(now, client, id, message, None);
        }
        let wish = Wish::read(&message.attributes, self.config.default_family())?;
        let is_mobile = match message.attributes.mobility_ticket {
            None => false,
            Some([]) => true,
            Some(_) => return Err(ErrorCode::BadRequest),
        };
        let lifetime = lifetime(&message.attributes)?;
        self.make_room_for(now, client, wish, caller, shell)?;

        let username: Arc<str> = caller.username.into();
        let id = self.allocations.insert(Allocation {
            client,
            charge: self.holders.charge(&username, self.subject(client)),
            heard: now,
            username,
            key: Box::new(caller.key.clone()),
            made_by: message.transaction,
            relay_ipv4: None,
            relay_ipv6: None,
            reservation: None,
            ticket: None,
            expires: now + lifetime,
            permissions: FxHashMap::default(),
            channels: Channels::default(),
            budget: Budget::default(),
            lease: 0,
        });
        if let Some(allocation) = self.allocations.get(id) {
            self.holders.add(allocation.charge, id);
        }
        self.clients.insert(client, id);
        let missing = match self.furnish(now, id, wish, shell) {
            Ok(missing) => missing,
            Err(code) => {
                self.remove(id, shell);
                return Err(code);
            }
        };
        if is_mobile {
            let ticket = draw_ticket(&mut self.random);
            self.tickets.insert(ticket, id);
            if let Some(allocation) = self.allocations.get_mut(id) {
                allocation.ticket = Some(Tickets { current: ticket, previous: None });
            }
        }
        self.timers.set(now + lifetime, Due::Allocation(id));
        self.counters.allocations += 1;
        self.tell_allocation(now, client, id, message, missing)
    }

    /// Whom its address counts for; nobody if that is exempt.
    fn subject(&self, client: Client) -> Option<IpAddr> {
        let ip = client.address.ip();
        (!self.config.is_exempt(ip)).then_some(ip)
    }

    /// Makes sure that the user, its address and the relay may have so many more: a reservation counts as an allocation
    /// until it is one. A user that has enough loses the allocation that has been silent longest, if any is silent.
    fn make_room_for(
        &mut self,
        now: Time,
        client: Client,
        wish: Wish,
        caller: &Caller<'_>,
        shell: &mut impl Shell,
    ) -> Result<(), ErrorCode> {
        let outcome = match self.has_room_for(client, wish, caller) {
            Err(Bound::AllocationsPerUser) => match self.silent_one(now, caller) {
                Some(silent) => {
                    self.remove(silent, shell);
                    self.has_room_for(client, wish, caller)
                }
                None => Err(Bound::AllocationsPerUser),
            },
            outcome => outcome,
        };
        outcome.map_err(|bound| {
            self.counters.hit(bound);
            match bound {
                Bound::AllocationsPerUser | Bound::AllocationsPerAddress => ErrorCode::QuotaReached,
                Bound::Allocations
                | Bound::OpenFiles
                | Bound::RelayPorts
                | Bound::BytesPerAllocation
                | Bound::BytesPerUser
                | Bound::BytesPerAddress
                | Bound::BytesInAll => ErrorCode::InsufficientCapacity,
            }
        })
    }

    fn has_room_for(&self, client: Client, wish: Wish, caller: &Caller<'_>) -> Result<(), Bound> {
        let (wanted, sockets, claimed) = match wish {
            Wish::One(_, Parity::EvenWithNext) => (2, 2, None),
            Wish::One(_, Parity::Any | Parity::Even) => (1, 1, None),
            Wish::Dual(_) => (1, 2, None),
            Wish::Reserved(token) => (1, 0, self.reservations.get(&token)),
        };
        let bounds = &self.config.bounds;
        let is_own = claimed.is_some_and(|claimed| *claimed.username == *caller.username);
        let own = usize::from(is_own);
        if self.holders.held_by_user(caller.username) + wanted > bounds.allocations_per_user + own {
            return Err(Bound::AllocationsPerUser);
        }
        if let Some(ip) = self.subject(client) {
            // Who claims a port that was reserved from another address is one more at this one.
            let is_here =
                claimed.is_some_and(|claimed| self.holders.is_charged(claimed.charge, Prefix::host(ip)));
            let (most, own) = (bounds.allocations_per_address, usize::from(is_here));
            let of_host = self.holders.held_by(Prefix::host(ip));
            let of_site = Prefix::site(ip).map_or(0, |site| self.holders.held_by(site));
            if of_host + wanted > most + own || of_site + wanted > most.saturating_mul(HOSTS_PER_SITE) + own {
                return Err(Bound::AllocationsPerAddress);
            }
        }
        let in_all = self.allocations.len() + self.reservations.len();
        if in_all + wanted > bounds.allocations + usize::from(claimed.is_some()) {
            return Err(Bound::Allocations);
        }
        if self.addresses.len() + sockets > bounds.relay_sockets {
            return Err(Bound::OpenFiles);
        }
        Ok(())
    }

    fn silent_one(&self, now: Time, caller: &Caller<'_>) -> Option<AllocationId> {
        let heard = |id: &AllocationId| self.allocations.get(*id).map(|allocation| allocation.heard);
        let own = self.holders.allocations(caller.username).iter().copied();
        let (longest, since) =
            own.filter_map(|id| Some((id, heard(&id)?))).min_by_key(|(_, heard)| *heard)?;
        (now.since(since) >= SILENT).then_some(longest)
    }

    /// Gives it its relay addresses; of a dual allocation one family may be missing, for the reason returned.
    fn furnish(
        &mut self,
        now: Time,
        id: AllocationId,
        wish: Wish,
        shell: &mut impl Shell,
    ) -> Result<Option<(Family, ErrorCode)>, ErrorCode> {
        match wish {
            Wish::One(family, parity) => {
                let Ports { relay, next } = self.open_for(id, family, parity, shell)?;
                self.give(id, family, relay);
                if let (Some((reserved, token)), Some(allocation)) = (next, self.allocations.get_mut(id)) {
                    allocation.reservation = Some(token);
                    let username = Arc::clone(&allocation.username);
                    let subject =
                        Some(allocation.client.address.ip()).filter(|ip| !self.config.is_exempt(*ip));
                    let charge = self.holders.charge(&username, subject);
                    self.reservations.insert(token, Reservation { relay: reserved, username, charge });
                    self.timers.set(now + RESERVATION_LIFETIME, Due::Reservation(token));
                }
                Ok(None)
            }
            Wish::Reserved(token) => {
                let relay = self.take_reservation(&token).ok_or(ErrorCode::InsufficientCapacity)?;
                let at = self.addresses.get_mut(relay).ok_or(ErrorCode::InsufficientCapacity)?;
                at.owner = Owner::Allocation(id);
                let family = Family::of(at.address.ip());
                self.give(id, family, relay);
                Ok(None)
            }
            Wish::Dual(parity) => {
                let families = [Family::Ipv4, Family::Ipv6];
                let opened = families.map(|family| self.open_for(id, family, parity, shell));
                for (family, opened) in families.into_iter().zip(&opened) {
                    if let Ok(Ports { relay, .. }) = opened {
                        self.give(id, family, *relay);
                    }
                }
                match opened {
                    [Ok(_), Ok(_)] => Ok(None),
                    [Ok(_), Err(code)] => Ok(Some((Family::Ipv6, code))),
                    [Err(code), Ok(_)] => Ok(Some((Family::Ipv4, code))),
                    [Err(code), Err(_)] => Err(code),
                }
            }
        }
    }

    fn open_for(
        &mut self,
        id: AllocationId,
        family: Family,
        parity: Parity,
        shell: &mut impl Shell,
    ) -> Result<Ports, ErrorCode> {
        if self.config.relay_ip(family).is_none() {
            return Err(ErrorCode::AddressFamilyNotSupported);
        }
        self.open(family, parity, id, shell).ok_or(ErrorCode::InsufficientCapacity)
    }

    fn give(&mut self, id: AllocationId, family: Family, relay: RelayId) {
        if let Some(allocation) = self.allocations.get_mut(id) {
            match family {
                Family::Ipv4 => allocation.relay_ipv4 = Some(relay),
                Family::Ipv6 => allocation.relay_ipv6 = Some(relay),
            }
        }
    }

    fn tell_allocation(
        &self,
        now: Time,
        client: Client,
        id: AllocationId,
        message: &Message<'_>,
        missing: Option<(Family, ErrorCode)>,
    ) -> Result<Reply, ErrorCode> {
        let allocation = self.allocations.get(id).ok_or(ErrorCode::AllocationMismatch)?;
        let mut reply = Reply::success(message);
        for at in allocation.relays().filter_map(|relay| self.addresses.get(relay)) {
            reply.put_address(attribute::XOR_RELAYED_ADDRESS, at.address);
        }
        if let Some((family, code)) = missing {
            reply.put_error(attribute::ADDRESS_ERROR_CODE, family.number(), code, Words::Spoken);
        }
        put_lifetime(&mut reply, allocation.expires.since(now));
        if let Some(token) = &allocation.reservation {
            reply.put(attribute::RESERVATION_TOKEN, token);
        }
        reply.put_address(attribute::XOR_MAPPED_ADDRESS, client.address);
        if let Some(tickets) = &allocation.ticket {
            reply.put(attribute::MOBILITY_TICKET, &tickets.current);
        }
        Ok(reply)
    }
}

impl Wish {
    fn read(attributes: &Attributes<'_>, default: Family) -> Result<Self, ErrorCode> {
        match attributes.requested_transport {
            Some([TRANSPORT_UDP, _, _, _]) => {}
            Some([_, _, _, _]) => return Err(ErrorCode::UnsupportedTransport),
            Some(_) | None => return Err(ErrorCode::BadRequest),
        }
        let family = attributes.requested_address_family.map(family).transpose()?;
        let additional = attributes.additional_address_family.map(self::family).transpose()?;
        let parity = match attributes.even_port {
            None => None,
            Some([bits]) if bits & RESERVE_NEXT == 0 => Some(Parity::Even),
            Some([_]) => Some(Parity::EvenWithNext),
            Some(_) => return Err(ErrorCode::BadRequest),
        };
        if let Some(token) = attributes.reservation_token {
            let token = token.try_into().map_err(|_| ErrorCode::BadRequest)?;
            return match (family, additional, parity) {
                (None, None, None) => Ok(Wish::Reserved(token)),
                (_, _, _) => Err(ErrorCode::BadRequest),
            };
        }
        match (additional, family, parity) {
            (None, family, parity) => Ok(Wish::One(family.unwrap_or(default), parity.unwrap_or(Parity::Any))),
            // Only IPv6 may be the additional one, and no port beside them may be kept (RFC 8656, section 7.2).
            (Some(Family::Ipv6), None, None | Some(Parity::Any)) => Ok(Wish::Dual(Parity::Any)),
            (Some(Family::Ipv6), None, Some(Parity::Even)) => Ok(Wish::Dual(Parity::Even)),
            (Some(_), _, _) => Err(ErrorCode::BadRequest),
        }
    }
}

pub(super) fn family(value: &[u8]) -> Result<Family, ErrorCode> {
    match value {
        [1, _, _, _] => Ok(Family::Ipv4),
        [2, _, _, _] => Ok(Family::Ipv6),
        [_, _, _, _] => Err(ErrorCode::AddressFamilyNotSupported),
        _ => Err(ErrorCode::BadRequest),
    }
}

/// As asked for, between the default and the longest.
fn lifetime(attributes: &Attributes<'_>) -> Result<Duration, ErrorCode> {
    let asked = asked_lifetime(attributes)?.unwrap_or(DEFAULT_LIFETIME);
    Ok(asked.clamp(DEFAULT_LIFETIME, MAX_LIFETIME))
}

pub(super) fn asked_lifetime(attributes: &Attributes<'_>) -> Result<Option<Duration>, ErrorCode> {
    let Some(value) = attributes.lifetime else { return Ok(None) };
    let seconds = value.try_into().map_err(|_| ErrorCode::BadRequest)?;
    Ok(Some(Duration::from_secs(u32::from_be_bytes(seconds).into())))
}

pub(super) fn put_lifetime(reply: &mut Reply, lifetime: Duration) {
    let seconds = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
    reply.put(attribute::LIFETIME, &seconds.to_be_bytes());
}
