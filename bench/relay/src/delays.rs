//! How long packets were under way, from the call that sends one to the call that finds it readable.

/// Longer ones count as this long.
const LONGEST_US: usize = 100_000;

/// How many took so many microseconds.
pub(crate) struct Delays(Vec<u64>);

impl Delays {
    pub(crate) fn new() -> Self {
        Delays(vec![0; LONGEST_US + 1])
    }

    pub(crate) fn add(&mut self, ns: u64) {
        let us = usize::try_from(ns / 1_000).unwrap_or(LONGEST_US);
        self.0[us.min(LONGEST_US)] += 1;
    }

    pub(crate) fn forget(&mut self) {
        self.0.fill(0);
    }

    /// In microseconds, rounded down: what so many in a hundred do not exceed. 0 if nothing was counted.
    pub(crate) fn percentile(&self, percent: u64) -> u64 {
        let wanted = (self.0.iter().sum::<u64>() * percent).div_ceil(100);
        let mut seen = 0;
        for (us, count) in (0..).zip(&self.0) {
            seen += count;
            if seen >= wanted {
                return us;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_counted() {
        let mut delays = Delays::new();
        assert_eq!(delays.percentile(50), 0);
        (1..=100).for_each(|us| delays.add(us * 1_000 + 999));
        assert_eq!((delays.percentile(50), delays.percentile(99), delays.percentile(100)), (50, 99, 100));
        delays.add(u64::MAX);
        assert_eq!(delays.percentile(100), 100_000);
        delays.forget();
        assert_eq!(delays.percentile(99), 0);
    }
}
