//! How many replies strangers get for each address: in memory of a fixed size, however many addresses ask.
//!
//! Each source falls into one cell of each row; what any of its cells still holds it may take. Two sources that
//! share a cell in one row hardly share the other, so a flood from one address spoils nobody else's chances. Which
//! cells a source falls into depends on a key of this process: nobody can aim at another's.

use crate::Time;
use rustc_hash::FxHasher;
use std::hash::Hasher as _;
use std::net::IpAddr;

const ROWS: usize = 2;
/// Sources that are active within the same second: beyond this many they begin to share.
const CELLS: usize = 8192;
/// How many seconds' worth may be taken at once.
const BURST_S: u64 = 5;
const MICROS: u64 = 1_000_000;

/// Tokens as the time when the cell was last empty would have been: one number does for a bucket.
type Cell = u64;

pub(crate) struct Throttle {
    per_s: u64,
    keys: [u64; ROWS],
    cells: Vec<Cell>,
}

impl Throttle {
    /// `per_s` replies a second for each IPv4 address or IPv6 /64; zero for as many as it likes.
    pub(crate) fn new(per_s: u32, keys: [u64; ROWS]) -> Self {
        let cells = if per_s == 0 { Vec::new() } else { vec![0; ROWS * CELLS] };
        Throttle { per_s: per_s.into(), keys, cells }
    }

    pub(crate) fn allows(&mut self, now: Time, source: IpAddr) -> bool {
        let Some(cost) = MICROS.checked_div(self.per_s) else { return true };
        let subject = subject(source);
        let floor = now.as_micros().saturating_sub(BURST_S * MICROS);
        let mut is_allowed = false;
        for (row, key) in self.keys.iter().enumerate() {
            let mut hasher = FxHasher::default();
            hasher.write_u64(*key);
            hasher.write_u64(subject);
            // The high bits are the better ones.
            let index = row * CELLS + (hasher.finish() >> 32) as usize % CELLS;
            let Some(cell) = self.cells.get_mut(index) else { continue };
            let after = (*cell).max(floor) + cost;
            if after <= now.as_micros() {
                *cell = after;
                is_allowed = true;
            }
        }
        is_allowed
    }
}

/// Whom an address belongs to: itself, or the /64 in which a subscriber has addresses to spare.
fn subject(source: IpAddr) -> u64 {
    match source {
        IpAddr::V4(ip) => u64::from(u32::from(ip)),
        IpAddr::V6(ip) => (u128::from(ip) >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    fn ip(number: u32) -> IpAddr {
        Ipv4Addr::from(number).into()
    }

    #[test]
    fn a_source_has_its_burst_and_then_its_rate_and_others_are_not_bound_by_it() {
        let mut throttle = Throttle::new(100, [1, 2]);
        let start = Time::from_micros(1_000_000_000);
        let taken = (0..10_000).filter(|_| throttle.allows(start, ip(7))).count();
        assert_eq!(taken, 500);
        let later = start + Duration::from_millis(100);
        assert_eq!((0..10_000).filter(|_| throttle.allows(later, ip(7))).count(), 10);
        let others = (1000..3000).filter(|other| throttle.allows(later, ip(*other))).count();
        assert_eq!(others, 2000);
    }

    #[test]
    fn without_a_rate_everything_is_allowed() {
        let mut throttle = Throttle::new(0, [1, 2]);
        assert!((0..10_000).all(|_| throttle.allows(Time::from_micros(0), ip(7))));
    }
}
