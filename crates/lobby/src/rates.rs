//! A token bucket in eight bytes (the generic cell rate algorithm, ITU-T I.371).

use crate::{Span, Time};

/// How much is allowed: a burst at once, then one per interval.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    pub(crate) burst: u32,
    pub(crate) interval: Span,
}

/// The state of one bucket. Starts full.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    /// When the bucket will be full again.
    full_at: Time,
}

impl Rate {
    /// Whether nothing is left of what was taken.
    pub(crate) fn is_full(&self, now: Time) -> bool {
        self.full_at <= now
    }

    /// Takes one token.
    ///
    /// # Errors
    /// How long until there is one.
    pub(crate) fn take(&mut self, now: Time, allowance: Allowance) -> Result<(), Span> {
        let interval = allowance.interval.as_micros();
        let room = Span::from_micros(interval.saturating_mul(u64::from(allowance.burst.saturating_sub(1))));
        let debt = self.full_at.since(now);
        if debt > room {
            return Err(Span::from_micros(debt.as_micros() - room.as_micros()));
        }
        self.full_at = now.max(self.full_at) + allowance.interval;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_per_interval() {
        let allowance = Allowance { burst: 3, interval: Span::from_secs(1) };
        let mut rate = Rate::default();
        let start = Time::from_micros(5_000_000);
        for _ in 0..3 {
            assert_eq!(rate.take(start, allowance), Ok(()));
        }
        assert_eq!(rate.take(start, allowance), Err(Span::from_secs(1)));
        assert_eq!(rate.take(start + Span::from_millis(400), allowance), Err(Span::from_millis(600)));
        assert_eq!(rate.take(start + Span::from_secs(1), allowance), Ok(()));
        assert!(rate.take(start + Span::from_secs(1), allowance).is_err());
        for _ in 0..3 {
            assert_eq!(rate.take(start + Span::from_secs(60), allowance), Ok(()));
        }
    }
}
