//! Who holds allocations: a user name, and the address that it asked from. What each may have together is counted here.
//!
//! What always holds: an allocation or a reservation charges each of its holders once, from its making to its end; a
//! holder of nothing is forgotten, so there are never more of them than allocations and reservations need.

use super::allocation::{Allocation, AllocationId, Budget};
use crate::counters::Bound;
use crate::{Bounds, Time};
use rustc_hash::FxHashMap;
use slotmap::SlotMap;
use std::net::IpAddr;
use std::sync::Arc;

slotmap::new_key_type! {
    pub(super) struct HolderId;
}

/// One customer may have a whole /48 of IPv6: it gets so many times what a /64 gets.
pub(super) const HOSTS_PER_SITE: usize = 4;

#[derive(Default)]
pub(super) struct Holders {
    users: FxHashMap<Arc<str>, HolderId>,
    prefixes: FxHashMap<Prefix, HolderId>,
    all: SlotMap<HolderId, Holder>,
    /// What all of them may carry together.
    total: Budget,
}

/// What an allocation is granted at once of what it shares with others: so that not every packet looks at them, but
/// one in a dozen. As far as there is so much; else as little as the packet needs.
const LEASE_BYTES: u64 = 16 * 1024;

struct Holder {
    name: Name,
    held: usize,
    budget: Budget,
    /// Of a user name only.
    allocations: Vec<AllocationId>,
}

#[derive(Clone)]
enum Name {
    User(Arc<str>),
    Prefix(Prefix),
}

/// What one subscriber has: an IPv4 address or an IPv6 /64; and the site that a /64 is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Prefix {
    Ipv4(u32),
    Ipv6Host(u64),
    Ipv6Site(u64),
}

/// Whom an allocation is charged to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    pub(super) user: HolderId,
    /// `None` for addresses that are exempt.
    pub(super) host: Option<HolderId>,
    pub(super) site: Option<HolderId>,
}

impl Prefix {
    pub(super) fn host(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Prefix::Ipv4(ip.into()),
            IpAddr::V6(ip) => Prefix::Ipv6Host((u128::from(ip) >> 64) as u64),
        }
    }

    pub(super) fn site(ip: IpAddr) -> Option<Self> {
        match ip.to_canonical() {
            IpAddr::V4(_) => None,
            IpAddr::V6(ip) => Some(Prefix::Ipv6Site((u128::from(ip) >> 80) as u64)),
        }
    }
}

impl Holders {
    pub(super) fn users(&self) -> usize {
        self.users.len()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty() && self.prefixes.is_empty() && self.all.is_empty()
    }

    #[cfg(test)]
    pub(super) fn held_by_users(&self) -> usize {
        self.users.values().map(|id| self.held(*id)).sum()
    }

    pub(super) fn held_by_user(&self, username: &str) -> usize {
        self.users.get(username).map_or(0, |id| self.held(*id))
    }

    pub(super) fn held_by(&self, prefix: Prefix) -> usize {
        self.prefixes.get(&prefix).map_or(0, |id| self.held(*id))
    }

    /// Whether that prefix is the host of a charge.
    pub(super) fn is_charged(&self, charge: Charge, host: Prefix) -> bool {
        charge.host.is_some() && charge.host == self.prefixes.get(&host).copied()
    }

    /// The allocations of a user name.
    pub(super) fn allocations(&self, username: &str) -> &[AllocationId] {
        let user = self.users.get(username).and_then(|id| self.all.get(*id));
        user.map_or(&[], |holder| &holder.allocations)
    }

    /// `ip` is `None` for addresses that are exempt.
    pub(super) fn charge(&mut self, username: &Arc<str>, ip: Option<IpAddr>) -> Charge {
        let user = match self.users.get(username) {
            Some(id) => *id,
            None => {
                let id = self.all.insert(Holder::new(Name::User(Arc::clone(username))));
                self.users.insert(Arc::clone(username), id);
                id
            }
        };
        let charge = Charge {
            user,
            host: ip.map(Prefix::host).map(|prefix| self.of_prefix(prefix)),
            site: ip.and_then(Prefix::site).map(|prefix| self.of_prefix(prefix)),
        };
        for id in charge.holders() {
            if let Some(holder) = self.all.get_mut(id) {
                holder.held += 1;
            }
        }
        charge
    }

    /// Gives back what was charged.
    pub(super) fn discharge(&mut self, charge: Charge) {
        for id in charge.holders() {
            let Some(holder) = self.all.get_mut(id) else { continue };
            holder.held = holder.held.saturating_sub(1);
            if holder.held > 0 {
                continue;
            }
            match self.all.remove(id).map(|holder| holder.name) {
                Some(Name::User(name)) => drop(self.users.remove(&name)),
                Some(Name::Prefix(prefix)) => drop(self.prefixes.remove(&prefix)),
                None => {}
            }
        }
    }

    pub(super) fn add(&mut self, charge: Charge, id: AllocationId) {
        if let Some(user) = self.all.get_mut(charge.user) {
            user.allocations.push(id);
        }
    }

    pub(super) fn take_off(&mut self, charge: Charge, id: AllocationId) {
        if let Some(user) = self.all.get_mut(charge.user) {
            user.allocations.retain(|known| *known != id);
        }
    }

    /// Whether an allocation may carry so much more now.
    ///
    /// # Errors
    /// Which bound stands in the way.
    #[inline]
    pub(super) fn takes(
        &mut self,
        now: Time,
        bytes: usize,
        allocation: &mut Allocation,
        bounds: &Bounds,
    ) -> Result<(), Bound> {
        if !allocation.budget.takes(now, bytes, bounds.bytes_per_s) {
            return Err(Bound::BytesPerAllocation);
        }
        let bytes = bytes as u64;
        if allocation.lease < bytes {
            allocation.lease += self.lease(now, bytes - allocation.lease, allocation.charge, bounds)?;
        }
        allocation.lease -= bytes;
        Ok(())
    }

    /// Grants at least so much, of every budget that it comes out of.
    fn lease(&mut self, now: Time, least: u64, charge: Charge, bounds: &Bounds) -> Result<u64, Bound> {
        let of_address = bounds.address_bytes_per_s;
        let shared = [
            (Some(charge.user), bounds.user_bytes_per_s, Bound::BytesPerUser),
            (charge.host, of_address, Bound::BytesPerAddress),
            (charge.site, of_address.saturating_mul(HOSTS_PER_SITE as u64), Bound::BytesPerAddress),
        ];
        let mut granted = LEASE_BYTES.max(least);
        let left = self.total.left(now, bounds.total_bytes_per_s);
        if left < least {
            return Err(Bound::BytesInAll);
        }
        granted = granted.min(left);
        for (id, per_s, bound) in shared {
            let Some(holder) = id.and_then(|id| self.all.get_mut(id)) else { continue };
            let left = holder.budget.left(now, per_s);
            if left < least {
                return Err(bound);
            }
            granted = granted.min(left);
        }
        for (id, _, _) in shared {
            if let Some(holder) = id.and_then(|id| self.all.get_mut(id)) {
                holder.budget.pay(granted);
            }
        }
        self.total.pay(granted);
        Ok(granted)
    }

    fn held(&self, id: HolderId) -> usize {
        self.all.get(id).map_or(0, |holder| holder.held)
    }

    fn of_prefix(&mut self, prefix: Prefix) -> HolderId {
        let all = &mut self.all;
        *self.prefixes.entry(prefix).or_insert_with(|| all.insert(Holder::new(Name::Prefix(prefix))))
    }
}

impl Holder {
    fn new(name: Name) -> Self {
        Holder { name, held: 0, budget: Budget::default(), allocations: Vec::new() }
    }
}

impl Charge {
    fn holders(self) -> impl Iterator<Item = HolderId> {
        [Some(self.user), self.host, self.site].into_iter().flatten()
    }
}
