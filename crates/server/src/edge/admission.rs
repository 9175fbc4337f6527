//! How many: in all, of one subscriber, and of one IPv6 /48, which holds many subscribers. Used twice, for sockets at accept and for visitors at the upgrade.
//!
//! What always holds: a permit is counted from its making to its drop, whatever happens in between.

use super::address::{ClientAddress, Networks, Subscriber};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use visavis_lobby::Limiting;

pub(crate) struct Admission {
    most: usize,
    most_per_subscriber: usize,
    exempt: Vec<Networks>,
    // Keyed by what strangers choose, so hashed with the standard library's random keys.
    present: Mutex<Present>,
}

#[derive(Default)]
struct Present {
    total: usize,
    /// The largest total since somebody asked.
    most: usize,
    by_subscriber: HashMap<Subscriber, usize>,
    by_site: HashMap<u64, usize>,
    /// Bytes of messages that are not finished, in all and by subscriber.
    unfinished: usize,
    unfinished_by: HashMap<Subscriber, usize>,
}

/// What the unfinished messages of one subscriber may hold, and those of all.
const UNFINISHED_BYTES: usize = 8 * 1024 * 1024;
const ALL_UNFINISHED_BYTES: usize = 128 * 1024 * 1024;

/// One customer may hold a whole /48 of IPv6: it may have so many times what a /64 may have, as with the rates.
const SUBSCRIBERS_PER_SITE: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// This subscriber, or its site, has as many as one may have.
    Subscriber,
    /// All places are taken.
    Full,
}

/// One place, given back on drop.
pub(crate) struct Permit {
    admission: Arc<Admission>,
    /// `None` for who is exempt: counted in all, but against no bound of its own.
    subscriber: Option<Subscriber>,
    /// Bytes of a message that is not finished.
    unfinished: usize,
}

impl Admission {
    pub(crate) fn new(most: usize, most_per_subscriber: usize, exempt: Vec<Networks>) -> Arc<Self> {
        Arc::new(Admission { most, most_per_subscriber, exempt, present: Mutex::default() })
    }

    pub(crate) fn admit(self: &Arc<Self>, client: ClientAddress) -> Result<Permit, Refused> {
        let exempt = self.exempt.iter().any(|networks| networks.contains(client.reveal()));
        let subscriber = (!exempt).then(|| client.subscriber());
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(subscriber) = subscriber {
            if present.total >= self.most {
                return Err(Refused::Full);
            }
            let count = present.by_subscriber.get(&subscriber).copied().unwrap_or_default();
            if count >= self.most_per_subscriber {
                return Err(Refused::Subscriber);
            }
            if let Some(site) = subscriber.source().site {
                let of_site = present.by_site.entry(site).or_default();
                if *of_site >= self.most_per_subscriber.saturating_mul(SUBSCRIBERS_PER_SITE) {
                    return Err(Refused::Subscriber);
                }
                *of_site += 1;
            }
            present.by_subscriber.insert(subscriber, count + 1);
        }
        present.total += 1;
        present.most = present.most.max(present.total);
        drop(present);
        Ok(Permit { admission: Arc::clone(self), subscriber, unfinished: 0 })
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    pub(super) fn most_per_subscriber(&self) -> usize {
        self.most_per_subscriber
    }

    /// How many there are, and how many there were at most since the last call.
    pub(crate) fn total_and_most(&self) -> (usize, usize) {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let total = present.total;
        (total, std::mem::replace(&mut present.most, total))
    }

    pub(crate) fn total(&self) -> usize {
        self.present.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

impl Permit {
    /// Notes how much of a message came whose end did not.
    ///
    /// # Errors
    /// The subscriber, or all together, hold more than may be.
    pub(crate) fn hold_unfinished(&mut self, bytes: usize) -> Result<(), Refused> {
        let Some(subscriber) = self.subscriber.filter(|_| bytes != self.unfinished) else { return Ok(()) };
        let mut present = self.admission.present.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, after) = (std::mem::replace(&mut self.unfinished, bytes), bytes);
        present.unfinished = (present.unfinished + after).saturating_sub(before);
        let all = present.unfinished;
        let own = present.unfinished_by.entry(subscriber).or_default();
        *own = (*own + after).saturating_sub(before);
        let own = *own;
        if own == 0 {
            present.unfinished_by.remove(&subscriber);
        }
        match after > before {
            true if own > UNFINISHED_BYTES => Err(Refused::Subscriber),
            true if all > ALL_UNFINISHED_BYTES => Err(Refused::Full),
            true | false => Ok(()),
        }
    }

    pub(crate) fn limiting(&self) -> Limiting {
        match self.subscriber {
            Some(subscriber) => Limiting::Bound(subscriber.source()),
            None => Limiting::Exempt,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let _ = self.hold_unfinished(0);
        let mut present = self.admission.present.lock().unwrap_or_else(PoisonError::into_inner);
        present.total = present.total.saturating_sub(1);
        let Some(subscriber) = self.subscriber else { return };
        give_back(present.by_subscriber.entry(subscriber));
        if let Some(site) = subscriber.source().site {
            give_back(present.by_site.entry(site));
        }
    }
}

fn give_back<K>(entry: Entry<'_, K, usize>) {
    if let Entry::Occupied(mut count) = entry {
        *count.get_mut() = count.get().saturating_sub(1);
        if *count.get() == 0 {
            count.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;
    use std::net::SocketAddr;

    fn client(text: &str) -> ClientAddress {
        let peer = SocketAddr::new(text.parse().unwrap(), 1);
        super::super::address::client_address(peer, &HeaderMap::new(), &Networks::default())
    }

    #[test]
    fn a_place_is_given_back_when_its_permit_goes() {
        let admission = Admission::new(3, 2, Vec::new());
        let first = admission.admit(client("192.0.2.1")).unwrap();
        let _second = admission.admit(client("192.0.2.1")).unwrap();
        assert_eq!(admission.admit(client("192.0.2.1")).err(), Some(Refused::Subscriber));
        let _other = admission.admit(client("192.0.2.2")).unwrap();
        assert_eq!(admission.admit(client("192.0.2.3")).err(), Some(Refused::Full));
        drop(first);
        assert_eq!(admission.total_and_most(), (2, 3));
        assert_eq!(admission.total_and_most(), (2, 2), "since the last call");
        assert!(admission.admit(client("192.0.2.1")).is_ok());
        drop(admission.admit(client("192.0.2.3")));
        assert_eq!(admission.present.lock().unwrap().by_subscriber.len(), 2);
    }

    #[test]
    fn the_subscribers_of_one_site_have_a_bound_together() {
        let admission = Admission::new(100, 2, Vec::new());
        let of_site = |n: u16| client(&format!("2001:db8:7:{n:x}::1"));
        let mut permits: Vec<_> = (0..8).map(|n| admission.admit(of_site(n)).unwrap()).collect();
        assert_eq!(admission.admit(of_site(8)).err(), Some(Refused::Subscriber));
        let _elsewhere = admission.admit(client("2001:db8:8::1")).unwrap();
        permits.pop();
        permits.push(admission.admit(of_site(8)).unwrap());
        permits.clear();
        assert_eq!(admission.present.lock().unwrap().by_site.len(), 1, "of nobody nothing is kept");
    }

    #[test]
    fn unfinished_messages_of_one_address_have_a_bound_together() {
        let admission = Admission::new(1_000, 500, Vec::new());
        let mut permits: Vec<_> = (0..200).map(|_| admission.admit(client("192.0.2.1")).unwrap()).collect();
        let held = permits.iter_mut().filter_map(|permit| permit.hold_unfinished(64 * 1024).ok()).count();
        assert_eq!(held, UNFINISHED_BYTES / (64 * 1024));
        assert_eq!(admission.admit(client("192.0.2.2")).unwrap().hold_unfinished(64 * 1024), Ok(()));
        for permit in &mut permits {
            assert_eq!(permit.hold_unfinished(0), Ok(()));
        }
        assert_eq!(permits[0].hold_unfinished(64 * 1024), Ok(()));
        permits.clear();
        let present = admission.present.lock().unwrap();
        assert_eq!((present.unfinished, present.unfinished_by.len()), (0, 0));
    }

    #[test]
    fn who_is_exempt_is_counted_but_never_refused() {
        let exempt = Networks::read(&["10.0.0.0/8".to_owned()]).unwrap();
        let admission = Admission::new(1, 1, vec![exempt]);
        let permits: Vec<_> = (0..3).map(|_| admission.admit(client("10.0.0.1")).unwrap()).collect();
        assert_eq!(permits[0].limiting(), Limiting::Exempt);
        assert_eq!(admission.total(), 3);
        assert_eq!(admission.admit(client("192.0.2.1")).err(), Some(Refused::Full));
    }
}
