//! One allocation: whose it is, where it relays, and to whom.

use super::holders::Charge;
use super::{Client, RelayId};
use crate::credentials::Key;
use crate::random::Random;
use crate::stun::Transaction;
use crate::{Family, Time};
use rustc_hash::FxHashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

slotmap::new_key_type! {
    pub(super) struct AllocationId;
}

/// What lets an allocation move to another transport address (RFC 8016): known to its client only.
pub(super) type Ticket = [u8; 16];

/// A fresh ticket. None of its bytes is zero: there are clients, coturn's own among them, that keep it as a C string.
pub(super) fn draw_ticket(random: &mut Random) -> Ticket {
    random.bytes().map(|byte: u8| byte.max(1))
}

/// Names a port that waits for its allocation (RFC 8656, section 18.10).
pub(super) type Token = [u8; 8];

/// RFC 8656, section 9.
pub(super) const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
/// RFC 8656, section 12.
pub(super) const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);
/// RFC 8656, section 3.2.
pub(super) const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);
pub(super) const MAX_LIFETIME: Duration = Duration::from_secs(3600);

/// A relay address: of an allocation, or reserved for one that is to come.
pub(super) struct RelayAddress {
    /// As peers see it.
    pub(super) address: SocketAddr,
    pub(super) owner: Owner,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Allocation(AllocationId),
    Reservation(Token),
}

/// A port that waits for its allocation. It counts as one of whoever reserved it.
pub(super) struct Reservation {
    pub(super) relay: RelayId,
    pub(super) username: Arc<str>,
    pub(super) charge: Charge,
}

pub(super) struct Allocation {
    pub(super) client: Client,
    /// With [`Allocation::key`], what it was made with.
    pub(super) username: Arc<str>,
    /// Boxed: it is large, and packets need none of it.
    pub(super) key: Box<Key>,
    pub(super) charge: Charge,
    /// When its client last said anything.
    pub(super) heard: Time,
    /// Of the request that made it: the same again is that request, sent again.
    pub(super) made_by: Transaction,
    pub(super) relay_ipv4: Option<RelayId>,
    pub(super) relay_ipv6: Option<RelayId>,
    pub(super) reservation: Option<Token>,
    pub(super) ticket: Option<Tickets>,
    pub(super) expires: Time,
    pub(super) permissions: FxHashMap<IpAddr, Permission>,
    pub(super) channels: Channels,
    pub(super) budget: Budget,
    /// Bytes that its holders have granted it and it has not carried yet.
    pub(super) lease: u64,
}

pub(super) struct Tickets {
    pub(super) current: Ticket,
    /// Honoured once more: the reply that told the current one may have been lost.
    pub(super) previous: Option<Ticket>,
}

#[derive(Clone, Copy)]
pub(super) struct Permission {
    pub(super) expires: Time,
    pub(super) reach: Reach,
}

/// How far a permission goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Everywhere,
    /// The address is our own and in a refused range: only what is delivered inside may go there.
    Inside,
}

#[derive(Clone, Copy)]
pub(super) struct Channel {
    pub(super) peer: SocketAddr,
    pub(super) reach: Reach,
    pub(super) expires: Time,
}

/// The same channel, as packets of its peer see it: all that they need in one place.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    pub(super) number: u16,
    pub(super) reach: Reach,
    pub(super) expires: Time,
    /// As the permission of that peer's address.
    pub(super) permitted_until: Time,
}

/// Channels by number and by peer, always in step.
#[derive(Default)]
pub(super) struct Channels {
    /// The one that was bound last, once more. A call has but one, and its packets then need look nowhere else: with
    /// hundreds of calls every look is at memory that has left the cache.
    latest: Option<(Channel, Bound)>,
    by_number: FxHashMap<u16, Channel>,
    by_peer: FxHashMap<SocketAddr, Bound>,
}

impl Allocation {
    pub(super) fn relay(&self, family: Family) -> Option<RelayId> {
        match family {
            Family::Ipv4 => self.relay_ipv4,
            Family::Ipv6 => self.relay_ipv6,
        }
    }

    pub(super) fn relays(&self) -> impl Iterator<Item = RelayId> {
        self.relay_ipv4.into_iter().chain(self.relay_ipv6)
    }

    pub(super) fn permission(&self, now: Time, peer: IpAddr) -> Option<Permission> {
        self.permissions.get(&peer).copied().filter(|permission| permission.expires > now)
    }
}

impl Channels {
    pub(super) fn by_number(&self, now: Time, number: u16) -> Option<Channel> {
        let channel = match self.latest {
            Some((channel, bound)) if bound.number == number => Some(channel),
            Some(_) | None => self.by_number.get(&number).copied(),
        };
        channel.filter(|channel| channel.expires > now)
    }

    pub(super) fn by_peer(&self, now: Time, peer: SocketAddr) -> Option<Bound> {
        let bound = match self.latest {
            Some((channel, bound)) if channel.peer == peer => Some(bound),
            Some(_) | None => self.by_peer.get(&peer).copied(),
        };
        bound.filter(|bound| bound.expires > now)
    }

    /// Both ends must be free, or bound to each other; the peer's permission is as old as the binding.
    pub(super) fn bind(&mut self, number: u16, channel: Channel, permitted_until: Time) {
        // What stood in the way has expired, as the caller has seen.
        if let Some(former) = self.by_number.insert(number, channel)
            && former.peer != channel.peer
        {
            self.by_peer.remove(&former.peer);
        }
        let bound = Bound { number, reach: channel.reach, expires: channel.expires, permitted_until };
        if let Some(former) = self.by_peer.insert(channel.peer, bound)
            && former.number != number
        {
            self.by_number.remove(&former.number);
        }
        self.latest = Some((channel, bound));
        self.permit(channel.peer.ip(), permitted_until);
    }

    /// A permission was given: for all ports of that address.
    pub(super) fn permit(&mut self, ip: IpAddr, until: Time) {
        let latest = self.latest.iter_mut().map(|(channel, bound)| (&channel.peer, bound));
        for (peer, bound) in self.by_peer.iter_mut().chain(latest) {
            if peer.ip() == ip {
                bound.permitted_until = until;
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    #[cfg(test)]
    pub(super) fn is_in_step(&self, now: Time) -> bool {
        let is_same = |(channel, bound): &(Channel, Bound)| {
            self.by_number.get(&bound.number).is_some_and(|at| at.peer == channel.peer)
                && self
                    .by_peer
                    .get(&channel.peer)
                    .is_some_and(|at| at.permitted_until == bound.permitted_until)
        };
        let is_latest_known = self.latest.as_ref().is_none_or(|at| at.0.expires <= now || is_same(at));
        is_latest_known && self.by_number.len() == self.by_peer.len()
    }

    pub(super) fn forget_expired(&mut self, now: Time) {
        self.retain_channels(|channel| channel.expires > now);
    }

    /// Keeps those whose peer may still be spoken to.
    pub(super) fn retain(&mut self, is_permitted: impl Fn(SocketAddr) -> bool) {
        self.retain_channels(|channel| is_permitted(channel.peer));
    }

    fn retain_channels(&mut self, stays: impl Fn(&Channel) -> bool) {
        let by_peer = &mut self.by_peer;
        self.by_number.retain(|_, channel| {
            let is_bound = stays(channel);
            if !is_bound {
                by_peer.remove(&channel.peer);
            }
            is_bound
        });
        self.latest = self.latest.filter(|(channel, _)| stays(channel));
    }
}

/// A second's worth of bytes at once, and then as many as come in.
#[derive(Default)]
pub(super) struct Budget {
    left: u64,
    counted_at: Time,
}

impl Budget {
    #[inline]
    pub(super) fn takes(&mut self, now: Time, bytes: usize, per_s: u64) -> bool {
        let is_enough = self.left(now, per_s) >= bytes as u64;
        if is_enough && per_s != 0 {
            self.pay(bytes as u64);
        }
        is_enough
    }

    pub(super) fn pay(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
    }

    /// What may be taken now.
    #[inline]
    pub(super) fn left(&mut self, now: Time, per_s: u64) -> u64 {
        if per_s == 0 {
            return u64::MAX;
        }
        let passed = now.since(self.counted_at).min(Duration::from_secs(1)).as_micros() as u64;
        let earned = passed.saturating_mul(per_s) / 1_000_000;
        // Fractions of a byte are not lost: the moment moves on only when something was earned.
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(per_s);
            self.counted_at = now;
        }
        self.left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_whole_as_a_c_string() {
        let mut random = Random::new(&[7; 32]);
        let mut draws = (0..1_000).map(|_| draw_ticket(&mut random));
        assert!(draws.all(|ticket| !ticket.contains(&0)));
    }
}
