//! A token bucket in eight bytes (the generic cell rate algorithm, ITU-T I.371).

use crate::{Span, Time};

/// How much is allowed: a burst at once, then one per interval.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    pub(crate) burst: u32,
    pub(crate) interval: Span,
}

impl Allowance {
    /// So many per second.
    pub(crate) fn per_second(burst: u32, per_s: u32) -> Self {
        Allowance { burst, interval: Span::from_micros(1_000_000 / u64::from(per_s.clamp(1, 1_000_000))) }
    }

    fn of(self, tokens: u32) -> Span {
        Span::from_micros(self.interval.as_micros().saturating_mul(u64::from(tokens)))
    }
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
        self.has(now, 1, allowance)?;
        self.spend(now, 1, allowance);
        Ok(())
    }

    /// Whether so many tokens are left; more than a burst counts as a burst.
    ///
    /// # Errors
    /// How long until there are.
    pub(crate) fn has(&self, now: Time, tokens: u32, allowance: Allowance) -> Result<(), Span> {
        let room = allowance.of(allowance.burst.saturating_sub(tokens));
        let debt = self.full_at.since(now);
        if debt > room {
            return Err(Span::from_micros(debt.as_micros() - room.as_micros()));
        }
        Ok(())
    }

    /// Takes so many tokens, or as many as are left.
    pub(crate) fn spend(&mut self, now: Time, tokens: u32, allowance: Allowance) {
        self.full_at =
            (now.max(self.full_at) + allowance.of(tokens)).min(now + allowance.of(allowance.burst));
    }

    /// Gives everything back.
    pub(crate) fn refill(&mut self) {
        self.full_at = Time::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_tokens_at_once_wait_for_as_many() {
        let allowance = Allowance::per_second(1_000, 100);
        let mut rate = Rate::default();
        let start = Time::from_micros(5_000_000);
        rate.spend(start, 900, allowance);
        assert_eq!(rate.has(start, 100, allowance), Ok(()));
        assert_eq!(rate.has(start, 200, allowance), Err(Span::from_secs(1)));
        // More than a burst waits until nothing is owed, and not for ever.
        assert_eq!(rate.has(start, 5_000, allowance), Err(Span::from_secs(9)));
        rate.spend(start, 5_000, allowance);
        assert_eq!(rate.has(start, 1, allowance), Err(Span::from_millis(10)));
        rate.refill();
        assert_eq!(rate.has(start, 5_000, allowance), Ok(()));
    }

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
