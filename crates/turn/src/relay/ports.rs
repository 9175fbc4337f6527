//! Relay ports: which one is free is known here, whether it can be had only to the system.

use super::allocation::{AllocationId, Owner, RelayAddress, Reservation, Token};
use super::{Opened, Relay, RelayId, Shell};
use crate::Family;
use crate::counters::Bound;
use std::net::SocketAddr;

/// Ports that turned out to be somebody else's before the search is given up: another node on this machine may
/// have its half of the range, but not all of it.
const MAX_TAKEN: usize = 128;

/// Which port will do (RFC 8656, section 7.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parity {
    Any,
    Even,
    /// Even, and the next one is to be free, too.
    EvenWithNext,
}

/// What was opened.
pub(super) struct Ports {
    pub(super) relay: RelayId,
    /// The next higher port, reserved.
    pub(super) next: Option<(RelayId, Token)>,
}

impl Relay {
    /// Searches the range once, from a random port on: peers must not guess it (RFC 8656, section 7.2).
    pub(super) fn open(
        &mut self,
        family: Family,
        parity: Parity,
        owner: AllocationId,
        shell: &mut impl Shell,
    ) -> Option<Ports> {
        let range = self.config.relay_ports.clone();
        let (first, count) = (u32::from(*range.start()), range.len() as u32);
        let start = self.random.below(count);
        let mut taken = 0;
        for step in 0..count {
            let port = u16::try_from(first + (start + step) % count).ok()?;
            let next = port.checked_add(1).filter(|next| range.contains(next));
            let is_free = |port| !self.ports.contains_key(&(family, port));
            let fits = match parity {
                Parity::Any => true,
                Parity::Even => port.is_multiple_of(2),
                Parity::EvenWithNext => port.is_multiple_of(2) && next.is_some_and(is_free),
            };
            if !fits || !is_free(port) {
                continue;
            }
            let relay = match self.try_open(family, port, Owner::Allocation(owner), shell) {
                Ok(relay) => relay,
                Err(Opened::Failed) => {
                    self.counters.hit(Bound::OpenFiles);
                    return None;
                }
                Err(_) => {
                    taken += 1;
                    if taken == MAX_TAKEN {
                        break;
                    }
                    continue;
                }
            };
            let Some(next) = next.filter(|_| parity == Parity::EvenWithNext) else {
                return Some(Ports { relay, next: None });
            };
            let token = self.random.bytes();
            match self.try_open(family, next, Owner::Reservation(token), shell) {
                Ok(reserved) => return Some(Ports { relay, next: Some((reserved, token)) }),
                Err(_) => {
                    self.close(relay, shell);
                    taken += 1;
                    if taken == MAX_TAKEN {
                        break;
                    }
                }
            }
        }
        self.counters.hit(Bound::RelayPorts);
        None
    }

    fn try_open(
        &mut self,
        family: Family,
        port: u16,
        owner: Owner,
        shell: &mut impl Shell,
    ) -> Result<RelayId, Opened> {
        let ip = self.config.relay_ip(family).ok_or(Opened::Failed)?;
        let relay = self.addresses.insert(RelayAddress { address: SocketAddr::new(ip, port), owner });
        match shell.open_relay(relay, family, port) {
            Opened::Yes => {
                self.ports.insert((family, port), relay);
                Ok(relay)
            }
            not @ (Opened::Taken | Opened::Failed) => {
                self.addresses.remove(relay);
                Err(not)
            }
        }
    }

    pub(super) fn close(&mut self, relay: RelayId, shell: &mut impl Shell) {
        if let Some(RelayAddress { address, owner }) = self.addresses.remove(relay) {
            self.ports.remove(&(Family::of(address.ip()), address.port()));
            if let Owner::Reservation(token) = owner {
                self.take_reservation(&token);
            }
            shell.close_relay(relay);
        }
    }

    /// A reservation ends: somebody claims its port, or nobody has in time.
    pub(super) fn take_reservation(&mut self, token: &Token) -> Option<RelayId> {
        let Reservation { relay, charge, .. } = self.reservations.remove(token)?;
        self.holders.discharge(charge);
        Some(relay)
    }

    /// Ends an allocation and all that is its.
    pub(super) fn remove(&mut self, id: AllocationId, shell: &mut impl Shell) {
        let Some(allocation) = self.allocations.remove(id) else { return };
        for relay in allocation.relays() {
            self.close(relay, shell);
        }
        if self.clients.get(&allocation.client) == Some(&id) {
            self.clients.remove(&allocation.client);
        }
        if let Some(tickets) = &allocation.ticket {
            for ticket in tickets.previous.iter().chain([&tickets.current]) {
                self.tickets.remove(ticket);
            }
        }
        self.holders.take_off(allocation.charge, id);
        self.holders.discharge(allocation.charge);
        self.sweep_timers();
    }
}
