//! When the relay's thread rests before it looks for packets again.
//!
//! To be woken for every packet costs more than to carry it: on a busy relay a third of all its time. So where packets come
//! thick and fast it lets them gather for a moment, as network cards do with their interrupts, and then carries all of them.
//! Where they come one by one nothing waits.

use std::time::Duration;
use visavis_turn::Time;

/// What is asked for; Linux makes about twice that of it, to let timers ring together. Nothing to a jitter buffer.
const REST: Duration = Duration::from_micros(50);

/// How long a rest turns out to be.
const REST_AT_LENGTH: Duration = Duration::from_micros(100);

/// A rest that brings fewer costs more wake-ups than it saves: its own end is one.
const WORTH_PACKETS: u64 = 2;

/// A turn that carried so many had gathered them already.
const PLENTY: u64 = 32;

/// The rate is judged anew in so short a time, so that a pause of the traffic ends the resting.
const JUDGED_EVERY: Duration = Duration::from_millis(1);

#[derive(Debug, Default)]
pub(super) struct Coalesce {
    since: Time,
    packets: u64,
    is_worthwhile: bool,
}

impl Coalesce {
    /// Tells, at the end of a turn that began `now` and carried so many packets, how long to rest before the next.
    pub(super) fn rest_after(&mut self, now: Time, packets: u64) -> Option<Duration> {
        self.packets += packets;
        let passed = now.since(self.since);
        if passed >= JUDGED_EVERY {
            let rests = passed.as_micros() / REST_AT_LENGTH.as_micros();
            self.is_worthwhile = u128::from(self.packets) >= rests * u128::from(WORTH_PACKETS);
            self.since = now;
            self.packets = 0;
        }
        (self.is_worthwhile && packets < PLENTY).then_some(REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of these turns are followed by a rest; each carries so many packets, so many microseconds after the last.
    fn rests(coalesce: &mut Coalesce, from_ms: u64, turns: u64, packets: u64, apart_us: u64) -> u64 {
        let mut count = 0;
        for turn in 0..turns {
            let now = Time::from_micros(from_ms * 1_000 + turn * apart_us);
            count += u64::from(coalesce.rest_after(now, packets).is_some());
        }
        count
    }

    #[test]
    fn packets_that_come_one_by_one_wait_for_nothing() {
        assert_eq!(rests(&mut Coalesce::default(), 1_000, 10_000, 1, 100), 0);
    }

    #[test]
    fn a_thick_stream_gathers_and_goes_on_gathering() {
        let mut coalesce = Coalesce::default();
        // 50,000 a second: after the first millisecond, every turn.
        assert_eq!(rests(&mut coalesce, 1_000, 1_000, 1, 20), 950);
        // Gathered, the same rate comes in fewer turns.
        assert_eq!(rests(&mut coalesce, 1_020, 200, 5, 100), 200);
    }

    #[test]
    fn a_pause_of_the_traffic_ends_it() {
        let mut coalesce = Coalesce::default();
        assert!(rests(&mut coalesce, 1_000, 1_000, 1, 20) > 0);
        assert_eq!(rests(&mut coalesce, 1_050, 100, 1, 20), 50, "from the second millisecond on");
        assert_eq!(rests(&mut coalesce, 2_000, 1, 1, 20), 0);
    }

    #[test]
    fn who_has_plenty_to_carry_does_not_rest() {
        assert_eq!(rests(&mut Coalesce::default(), 1_000, 1_000, PLENTY, 100), 0);
    }
}
