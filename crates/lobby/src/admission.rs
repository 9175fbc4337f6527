//! How many sessions a node takes in per second, so that ten thousand people who come back at once do not stop it.
//!
//! Who is refused is told a moment of its own, one interval after the one told before: a herd that obeys comes back in
//! a line.

use crate::planted::planted;
use crate::rates::{Allowance, Rate};
use crate::{Span, Time};

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

    /// A quarter of a second's worth is taken in at once: a page that opens finds no queue.
    pub(crate) fn new(per_second: u32) -> Self {
        let per_second = per_second.max(1);
        let interval = Span::from_micros(1_000_000 / u64::from(per_second).min(1_000_000));
        Admission {
            rate: Rate::default(),
            allowance: Allowance { burst: (per_second / 4).max(1), interval },
            promised: Time::ZERO,
        }
    }

    /// Takes in one session.
    ///
    /// # Errors
    /// How long it shall wait before it asks again.
    pub(crate) fn admit(&mut self, now: Time) -> Result<(), Span> {
        if planted!(AdmissionIsOpen) {
            return Ok(());
        }
        self.rate.take(now, self.allowance).map_err(|pause| {
            self.promised =
                (now + pause).max(self.promised + self.allowance.interval).min(now + Self::MAX_PAUSE);
            self.promised.since(now)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_herd_is_told_to_come_back_one_after_the_other() {
        let mut admission = Admission::new(1_000);
        let now = Time::from_micros(1_000_000);
        let admitted = (0..250).filter(|_| admission.admit(now).is_ok()).count();
        assert_eq!(admitted, 250);
        let pauses: Vec<Span> = (0..5_000).filter_map(|_| admission.admit(now).err()).collect();
        assert_eq!(pauses.len(), 5_000);
        assert_eq!(pauses.first(), Some(&Span::from_millis(1)));
        assert!(pauses.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(pauses.last(), Some(&Span::from_millis(5_000)));
        let returned = pauses.iter().filter(|pause| admission.admit(now + **pause).is_ok()).count();
        assert_eq!(returned, 5_000, "whoever obeys is taken in");
    }
}
