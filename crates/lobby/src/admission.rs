//! How many sessions a node takes in per second, so that ten thousand people who come back at once do not stop it.
//!
//! Who is refused is told a moment of its own, one interval after the one told before: a herd that obeys comes back in
//! a line. Who asks before its moment is told the same one again: that costs nobody else a place.

use crate::planted::planted;
use crate::rates::{Allowance, Rate};
use crate::{Span, Time};

/// Whether a session was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admittance {
    Unasked,
    /// It was told to come at this moment.
    Promised(Time),
    Inside,
}

#[derive(Debug)]
pub(crate) struct Admission {
    rate: Rate,
    allowance: Allowance,
    /// The latest moment that somebody was told.
    promised: Time,
}

impl Admission {
    /// The longest pause that is told, however many come.
    const MAX_PAUSE: Span = Span::from_secs(60);

    /// A tenth of a second's worth is taken in at once, so that a page that opens finds no queue, and the rest of a
    /// second spread over it: in no second are there more than the rate says.
    pub(crate) fn new(per_second: u32) -> Self {
        let per_second = u64::from(per_second.clamp(1, 1_000_000));
        let burst = (per_second / 10).max(1);
        // The burst and, one interval later than it, the first of the others.
        let interval = Span::from_micros(1_000_000_u64.div_ceil(per_second - burst + 1));
        Admission {
            rate: Rate::default(),
            allowance: Allowance { burst: u32::try_from(burst).unwrap_or(u32::MAX), interval },
            promised: Time::ZERO,
        }
    }

    /// What becomes of a session that asks.
    pub(crate) fn ask(&mut self, now: Time, before: Admittance) -> Admittance {
        match before {
            Admittance::Promised(at) if now < at => return before,
            Admittance::Inside => return before,
            Admittance::Unasked | Admittance::Promised(_) => {}
        }
        if planted!(AdmissionIsOpen) {
            return Admittance::Inside;
        }
        match self.rate.take(now, self.allowance) {
            Ok(()) => Admittance::Inside,
            Err(pause) => {
                self.promised =
                    (now + pause).max(self.promised + self.allowance.interval).min(now + Self::MAX_PAUSE);
                Admittance::Promised(self.promised)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Admission {
        /// Somebody who was not here before: taken in, or told a pause.
        fn admit(&mut self, now: Time) -> Result<(), Span> {
            match self.ask(now, Admittance::Unasked) {
                Admittance::Promised(at) => Err(at.since(now)),
                Admittance::Unasked | Admittance::Inside => Ok(()),
            }
        }
    }

    #[test]
    fn knocking_again_costs_nobody_a_place() {
        let mut admission = Admission::new(1_000);
        let now = Time::from_micros(1_000_000);
        while admission.ask(now, Admittance::Unasked) == Admittance::Inside {}
        let promised = admission.ask(now, Admittance::Unasked);
        let Admittance::Promised(at) = promised else { panic!("{promised:?}") };
        for _ in 0..100_000 {
            assert_eq!(admission.ask(now, promised), promised);
        }
        let next = admission.ask(now, Admittance::Unasked);
        assert_eq!(next, Admittance::Promised(at + Span::from_micros(1_110)), "the next one in the line");
        assert_eq!(admission.ask(at, promised), Admittance::Inside);
    }

    #[test]
    fn a_herd_is_told_to_come_back_one_after_the_other() {
        let mut admission = Admission::new(1_000);
        let now = Time::from_micros(1_000_000);
        let admitted = (0..100).filter(|_| admission.admit(now).is_ok()).count();
        assert_eq!(admitted, 100);
        let pauses: Vec<Span> = (0..5_000).filter_map(|_| admission.admit(now).err()).collect();
        assert_eq!(pauses.len(), 5_000);
        assert_eq!(pauses.first(), Some(&Span::from_micros(1_110)));
        assert!(pauses.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(pauses.last(), Some(&Span::from_micros(5_000 * 1_110)));
        let returned = pauses.iter().filter(|pause| admission.admit(now + **pause).is_ok()).count();
        assert_eq!(returned, 5_000, "whoever obeys is taken in");
    }

    #[test]
    fn no_second_sees_more_than_the_rate() {
        for rate in [1, 2, 9, 10, 400, 1_000, 1_001] {
            let mut admission = Admission::new(rate);
            // Everybody asks all the time: after a quiet while, then without a pause.
            let ask = |at: &u64| admission.admit(Time::from_micros(5_000_000 + at)).is_ok();
            let admitted: Vec<u64> = (0..4_000_000).step_by(100).filter(ask).collect();
            let within =
                |from: u64| admitted.iter().filter(|at| (from..from + 1_000_000).contains(*at)).count();
            let most = admitted.iter().step_by(admitted.len().div_ceil(50)).map(|from| within(*from)).max();
            assert!(most <= Some(rate as usize), "{rate}: {most:?}");
            assert!(admitted.len() * 5 >= rate as usize * 4 * 4, "{rate}: {}", admitted.len());
        }
    }
}
