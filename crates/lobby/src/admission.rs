//! How many sessions a node takes in per second, so that ten thousand people who come at once do not stop it.
//!
//! A session that is not taken in at once is promised a moment of its own: a herd that obeys comes back in a line. What was
//! promised is kept, and given back when the socket goes. Asking before the moment costs nobody a place.
//!
//! There are two lines. A quarter of the rate is kept for those whose address has sent few of late: they may use both
//! lines, and the others only the second, so that one address that sends thousands holds nobody else at the door.
//! Visitors who come back by a good token do not ask here.

use crate::planted::planted;
use crate::rates::Allowance;
use crate::{Span, Time};
use std::collections::BTreeSet;

/// Whether a session was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admittance {
    Unasked,
    /// It was told to come at this moment.
    Promised(Promise),
    /// By a token that has yet to prove good.
    Vouched,
    Inside,
}

/// A place in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) at: Time,
    line: LineName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineName {
    Few,
    Many,
    /// Both are longer than what may be promised: nothing was set aside.
    Beyond,
}

/// How many an address has sent of late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Herd {
    Few,
    Many,
}

#[derive(Debug)]
pub(crate) struct Admission {
    few: Line,
    /// `None`: the rate is too low to be divided.
    many: Option<Line>,
    /// Sessions of one address that count as few.
    pub(crate) share: Allowance,
}

impl Admission {
    /// The longest pause that is told, however many come.
    const MAX_PAUSE: Span = Span::from_secs(60);

    /// Newcomers of one address at once that are few: a household, and a page that is opened again and again.
    const FEW: u32 = 16;

    pub(crate) fn new(per_second: u32) -> Self {
        let per_second = per_second.clamp(1, 1_000_000);
        let few = per_second.div_ceil(4);
        let many = per_second - few;
        let share = Allowance::per_second(Self::FEW, (per_second / 200).max(1));
        if many == 0 {
            return Admission { few: Line::new(few), many: None, share };
        }
        Admission { few: Line::new(few), many: Some(Line::new(many)), share }
    }

    /// What becomes of a session that asks. `herd` is looked at only if it has to stand in a line.
    pub(crate) fn ask(
        &mut self,
        now: Time,
        before: Admittance,
        herd: impl FnOnce(Allowance) -> Herd,
    ) -> Admittance {
        match before {
            Admittance::Promised(promise) if now < promise.at => return before,
            // Its place was set aside: it is not paused again, however many came meanwhile.
            Admittance::Promised(_) | Admittance::Vouched | Admittance::Inside => {
                return Admittance::Inside;
            }
            Admittance::Unasked => {}
        }
        if planted!(AdmissionIsOpen) {
            return Admittance::Inside;
        }
        let (line, place) = self.choose(now, herd(self.share));
        let latest = now + Self::MAX_PAUSE;
        if place.at > latest {
            return Admittance::Promised(Promise { at: latest, line: LineName::Beyond });
        }
        if let Some(chosen) = self.line(line) {
            chosen.take(now, place);
        }
        if place.at <= now {
            Admittance::Inside
        } else {
            Admittance::Promised(Promise { at: place.at, line })
        }
    }

    /// Whoever was promised a place does not come any more.
    pub(crate) fn release(&mut self, now: Time, admittance: Admittance) {
        let Admittance::Promised(promise) = admittance else { return };
        if promise.at > now
            && !planted!(PromisesAreNotReleased)
            && let Some(line) = self.line(promise.line)
        {
            line.give_back(promise.at);
        }
    }

    fn choose(&mut self, now: Time, herd: Herd) -> (LineName, Place) {
        let few = self.few.first(now);
        match (&mut self.many, herd) {
            (None, Herd::Few | Herd::Many) => (LineName::Few, few),
            (Some(many), Herd::Many) => (LineName::Many, many.first(now)),
            (Some(many), Herd::Few) => {
                let other = many.first(now);
                if few.at <= other.at { (LineName::Few, few) } else { (LineName::Many, other) }
            }
        }
    }

    fn line(&mut self, name: LineName) -> Option<&mut Line> {
        match name {
            LineName::Few => Some(&mut self.few),
            LineName::Many => self.many.as_mut(),
            LineName::Beyond => None,
        }
    }
}

/// Places at regular moments. The generic cell rate algorithm, with places that can be given back.
#[derive(Debug)]
struct Line {
    interval: Span,
    /// A tenth of a second's worth is let in before its moment, so that a page that opens finds no line.
    ahead: Span,
    /// The first moment that nobody has.
    end: Time,
    /// Moments before it that were given back.
    returned: BTreeSet<Time>,
}

/// The first free place of a line.
#[derive(Clone, Copy, Debug)]
struct Place {
    moment: Time,
    /// When whoever has it may come in.
    at: Time,
}

impl Line {
    fn new(per_second: u32) -> Self {
        let per_second = u64::from(per_second);
        let burst = (per_second / 10).max(1);
        // The burst, and then one interval later than it the first of the others: in no second are there more than the rate.
        let interval = Span::from_micros(1_000_000_u64.div_ceil(per_second - burst + 1));
        let ahead = Span::from_micros(interval.as_micros() * (burst - 1));
        Line { interval, ahead, end: Time::ZERO, returned: BTreeSet::new() }
    }

    fn first(&mut self, now: Time) -> Place {
        while self.returned.first().is_some_and(|moment| *moment < now) {
            self.returned.pop_first();
        }
        let moment = self.returned.first().copied().unwrap_or_else(|| self.end.max(now));
        Place { moment, at: Time::ZERO + moment.since(Time::ZERO + self.ahead) }
    }

    fn take(&mut self, now: Time, place: Place) {
        if !self.returned.remove(&place.moment) {
            self.end = self.end.max(now) + self.interval;
        }
    }

    fn give_back(&mut self, at: Time) {
        self.returned.insert(at + self.ahead);
        // The end of the line goes back to the last one that somebody has.
        while let Some(last) = self.returned.last().copied().filter(|last| *last + self.interval == self.end)
        {
            self.returned.remove(&last);
            self.end = last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Admission {
        /// Somebody who was not here before: taken in, or told a pause.
        fn admit(&mut self, now: Time, herd: Herd) -> Result<(), Span> {
            match self.ask(now, Admittance::Unasked, |_| herd) {
                Admittance::Promised(promise) => Err(promise.at.since(now)),
                Admittance::Unasked | Admittance::Vouched | Admittance::Inside => Ok(()),
            }
        }

        fn ask_again(&mut self, now: Time, before: Admittance) -> Admittance {
            self.ask(now, before, |_| panic!("it stands in line already"))
        }
    }

    const START: Time = Time::from_micros(1_000_000);

    fn promised(admittance: Admittance) -> Time {
        match admittance {
            Admittance::Promised(promise) => promise.at,
            Admittance::Unasked | Admittance::Vouched | Admittance::Inside => panic!("{admittance:?}"),
        }
    }

    /// Until the line for many has no place at once any more.
    fn fill(admission: &mut Admission, now: Time) {
        while admission.admit(now, Herd::Many).is_ok() {}
    }

    #[test]
    fn knocking_again_costs_nobody_a_place() {
        let mut admission = Admission::new(1_000);
        fill(&mut admission, START);
        let promise = admission.ask(START, Admittance::Unasked, |_| Herd::Many);
        for _ in 0..100_000 {
            assert_eq!(admission.ask_again(START, promise), promise);
        }
        let next = admission.ask(START, Admittance::Unasked, |_| Herd::Many);
        assert!(promised(next) > promised(promise), "the next one in the line");
        assert_eq!(admission.ask_again(promised(promise), promise), Admittance::Inside);
    }

    #[test]
    fn whoever_returns_on_time_is_not_paused_again() {
        let mut admission = Admission::new(100);
        fill(&mut admission, START);
        let promise = admission.ask(START, Admittance::Unasked, |_| Herd::Many);
        for millis in 0..5_000 {
            let _ = admission.admit(START + Span::from_millis(millis), Herd::Many);
        }
        assert_eq!(admission.ask_again(promised(promise), promise), Admittance::Inside);
    }

    #[test]
    fn a_promise_goes_with_the_socket_that_had_it() {
        let mut admission = Admission::new(1_000);
        fill(&mut admission, START);
        for _ in 0..50_000 {
            let promise = admission.ask(START, Admittance::Unasked, |_| Herd::Many);
            assert!(promised(promise).since(START) < Span::from_millis(3), "{promise:?}");
            admission.release(START, promise);
        }
        let (first, second) = (
            admission.ask(START, Admittance::Unasked, |_| Herd::Many),
            admission.ask(START, Admittance::Unasked, |_| Herd::Many),
        );
        admission.release(START, first);
        let third = admission.ask(START, Admittance::Unasked, |_| Herd::Many);
        assert_eq!(promised(third), promised(first), "a place in the middle is given again");
        assert!(promised(second) > promised(first));
    }

    #[test]
    fn an_address_that_sends_many_does_not_hold_up_one_that_sends_few() {
        let mut admission = Admission::new(1_000);
        for _ in 0..20_000 {
            let _ = admission.admit(START, Herd::Many);
        }
        let waits: Vec<_> = (0..25).map(|_| admission.admit(START, Herd::Few)).collect();
        assert!(waits.iter().all(Result::is_ok), "{waits:?}");
        assert!(admission.admit(START, Herd::Few).is_err_and(|pause| pause < Span::from_millis(10)));
    }

    #[test]
    fn a_herd_is_told_to_come_back_one_after_the_other() {
        let mut admission = Admission::new(1_000);
        let admitted = (0..100).filter(|_| admission.admit(START, Herd::Few).is_ok()).count();
        assert_eq!(admitted, 100);
        let asked: Vec<_> =
            (0..5_000).map(|_| admission.ask(START, Admittance::Unasked, |_| Herd::Few)).collect();
        let latest = asked.iter().map(|asked| promised(*asked)).max().unwrap();
        assert!(latest.since(START) < Span::from_secs(6), "{latest:?}");
        assert!(asked.windows(2).all(|pair| promised(pair[0]) <= promised(pair[1])));
        for asked in asked {
            assert_eq!(admission.ask_again(promised(asked), asked), Admittance::Inside);
        }
    }

    #[test]
    fn no_pause_is_longer_than_a_minute() {
        let mut admission = Admission::new(10);
        let longest = (0..10_000).filter_map(|_| admission.admit(START, Herd::Many).err()).max();
        assert_eq!(longest, Some(Admission::MAX_PAUSE));
    }

    #[test]
    fn no_second_sees_more_than_the_rate() {
        for rate in [1, 2, 9, 10, 400, 1_000, 1_001] {
            let mut admission = Admission::new(rate);
            // Everybody asks all the time, after a quiet while and then without a pause, and does not wait.
            let mut ask = |at: &u64| {
                let now = Time::from_micros(5_000_000 + at);
                let asked = admission.ask(now, Admittance::Unasked, |_| Herd::Few);
                admission.release(now, asked);
                asked == Admittance::Inside
            };
            let admitted: Vec<u64> = (0..4_000_000).step_by(100).filter(&mut ask).collect();
            let within =
                |from: u64| admitted.iter().filter(|at| (from..from + 1_000_000).contains(*at)).count();
            let most = admitted.iter().step_by(admitted.len().div_ceil(50)).map(|from| within(*from)).max();
            assert!(most <= Some(rate as usize), "{rate}: {most:?}");
            assert!(admitted.len() * 5 >= rate as usize * 3 * 4, "{rate}: {}", admitted.len());
        }
    }
}
