//! How often one address may ask for something that costs, counted in windows of a minute.
//!
//! Bounded: when very many addresses ask within one minute, those beyond the bound are not counted. They cannot be told
//! from visitors, and an answer costs little.

use super::address::Subscriber;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(60);
const MAX_COUNTED: usize = 100_000;

/// What one customer with an IPv6 /48 may do, in addresses.
const SITE_FACTOR: u32 = 8;

pub(crate) struct Pace {
    per_minute: u32,
    window: Mutex<Window>,
}

struct Window {
    began: Instant,
    // Keyed by what strangers choose, so hashed with the standard library's random keys.
    hosts: HashMap<u64, u32>,
    sites: HashMap<u64, u32>,
}

impl Pace {
    pub(crate) fn new(per_minute: u32, now: Instant) -> Self {
        let window = Window { began: now, hosts: HashMap::default(), sites: HashMap::default() };
        Pace { per_minute, window: Mutex::new(window) }
    }

    pub(super) fn most(&self) -> u32 {
        self.per_minute
    }

    /// # Errors
    /// How long until it may ask again.
    pub(super) fn take(&self, now: Instant, subscriber: Subscriber) -> Result<(), Duration> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let age = now.saturating_duration_since(window.began);
        if age >= WINDOW {
            *window = Window { began: now, hosts: HashMap::default(), sites: HashMap::default() };
        }
        let source = subscriber.source();
        let within_host = count(&mut window.hosts, source.host, self.per_minute);
        let within_site = source
            .site
            .is_none_or(|site| count(&mut window.sites, site, self.per_minute.saturating_mul(SITE_FACTOR)));
        if within_host && within_site { Ok(()) } else { Err(WINDOW.saturating_sub(age)) }
    }
}

/// Whether one more is within the bound. What is refused counts no further.
fn count(counts: &mut HashMap<u64, u32>, key: u64, most: u32) -> bool {
    if counts.len() >= MAX_COUNTED && !counts.contains_key(&key) {
        return true;
    }
    let count = counts.entry(key).or_default();
    let within = *count < most;
    *count += u32::from(within);
    within
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::{Networks, address};
    use axum::http::HeaderMap;
    use std::net::SocketAddr;

    fn subscriber(text: &str) -> Subscriber {
        let peer = SocketAddr::new(text.parse().unwrap(), 1);
        address::client_address(peer, &HeaderMap::new(), &Networks::default()).subscriber()
    }

    #[test]
    fn an_address_has_its_share_of_each_minute() {
        let start = Instant::now();
        let pace = Pace::new(2, start);
        let take = |second: u64, address: &str| {
            pace.take(start + Duration::from_secs(second), subscriber(address)).map_err(|wait| wait.as_secs())
        };
        assert_eq!([take(0, "192.0.2.1"), take(10, "192.0.2.1")], [Ok(()), Ok(())]);
        assert_eq!(take(20, "192.0.2.1"), Err(40));
        assert_eq!(take(20, "192.0.2.2"), Ok(()));
        assert_eq!(take(60, "192.0.2.1"), Ok(()));
    }

    #[test]
    fn many_networks_of_one_customer_share_what_eight_have() {
        let start = Instant::now();
        let pace = Pace::new(2, start);
        let served = |address: &str| pace.take(start, subscriber(address)).is_ok();
        let of_one_site = (0..100).filter(|net| served(&format!("2001:db8:0:{net:x}::1"))).count();
        assert_eq!(of_one_site, 16);
        assert!(served("2001:db8:1::1"));
    }

    #[test]
    fn memory_is_bounded() {
        let start = Instant::now();
        let pace = Pace::new(1, start);
        for number in 0..(MAX_COUNTED as u32 + 1_000) {
            let address = std::net::Ipv4Addr::from(number).to_string();
            assert!(pace.take(start, subscriber(&address)).is_ok());
        }
        assert_eq!(pace.window.lock().unwrap().hosts.len(), MAX_COUNTED);
        assert!(pace.take(start, subscriber("0.0.0.1")).is_err());
    }
}
