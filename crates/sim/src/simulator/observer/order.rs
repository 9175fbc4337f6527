//! Who fits whom, by the protocol's words: nobody waits in vain, nobody is overtaken for ever, no silence is endless.

use super::{Case, Observer, Promise, Stand, VisitId, hold};
use crate::simulator::promises::Breach;
use visavis_lobby::{Span, Time};
use visavis_protocol::Wishes;

/// Beyond this many waiting, a sample is compared.
const COMPARED_WITH_ALL: usize = 20;
/// Beyond this many waiting, the order is not judged.
const JUDGED: usize = 200;

/// What keeps two apart, as bits.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Obstacles(u8);

impl Obstacles {
    const KIND: u8 = 1;
    const POOL: u8 = 2;
    const WISHES: u8 = 4;
    const PINS: u8 = 8;
    const BLOCKED: u8 = 16;
    const RECENT: u8 = 32;
}

impl Observer {
    pub(super) fn judge_line(&mut self) -> Result<(), Breach> {
        if self.line.len() >= 30 {
            self.note(Case::ManyInLine);
        }
        if self.open.len() >= 1_000 {
            self.note(Case::ManyOnline);
        }
        let line: Vec<VisitId> = self.line.iter().copied().collect();
        let stride = line.len() / COMPARED_WITH_ALL + 1;
        // The sample moves with the time.
        let first = (self.now.as_micros() / 7) as usize % stride;
        for (index, one) in line.iter().copied().enumerate().skip(first).step_by(stride) {
            let others = if stride == 1 { index + 1 } else { (index + 1).min(line.len()) };
            for other in line.iter().copied().skip(others).take(COMPARED_WITH_ALL) {
                let obstacles = self.obstacles(one, other);
                hold(obstacles != Obstacles(0), Promise::NobodyWaitsInVain, || {
                    format!("visits {one} and {other} both wait at {:?}", self.now)
                })?;
                match obstacles.0 {
                    Obstacles::BLOCKED => self.note(Case::BlockHeld),
                    Obstacles::PINS => self.note(Case::PinHeld),
                    Obstacles::POOL => self.note(Case::StrangersKept),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn obstacles(&self, one: VisitId, other: VisitId) -> Obstacles {
        let (a, b) = (self.visit(one), self.visit(other));
        let (Some(mine), Some(theirs)) = (&a.wishes, &b.wishes) else { return Obstacles(Obstacles::KIND) };
        let (Stand::Waiting(my), Stand::Waiting(their)) = (a.stand, b.stand) else {
            return Obstacles(Obstacles::KIND);
        };
        let mut found = 0;
        let mut add = |is: bool, bit: u8| found |= if is { bit } else { 0 };
        add(mine.kind != theirs.kind, Obstacles::KIND);
        add(mine.pool != theirs.pool, Obstacles::POOL);
        let relaxed = (self.insists(mine, my.since), self.insists(theirs, their.since));
        let (pin_i, pin_l) = (pins(mine), pins(theirs));
        let shares = (shares_interest(mine, theirs), shares_language(mine, theirs));
        for (needs, bit) in [((relaxed.0, relaxed.1), Obstacles::WISHES), ((pin_i, pin_l), Obstacles::PINS)] {
            let interest = needs.0.0 || needs.1.0;
            let language = needs.0.1 || needs.1.1;
            add((interest && !shares.0) || (language && !shares.1), bit);
        }
        add(self.has_blocked(one, other) || self.has_blocked(other, one), Obstacles::BLOCKED);
        let recent = self.has_met(one, other) || self.has_met(other, one);
        let pause_over = self.now >= my.created.max(their.created) + self.config.recent_pause;
        add(recent && !pause_over, Obstacles::RECENT);
        Obstacles(found)
    }

    /// Whether somebody who has waited since then insists on an interest, on a language, without pins.
    fn insists(&self, wishes: &Wishes, since: Time) -> (bool, bool) {
        let young = |span: Span| self.now < since + span;
        (
            !wishes.interests.is_empty() && !wishes.pin_interests && young(self.config.relax_interests_after),
            !wishes.languages.is_empty() && !wishes.pin_language && young(self.config.relax_language_after),
        )
    }

    /// Whether two wishes agree, at the ages of their owners.
    pub(super) fn wishes_agree(&self, mine: (&Wishes, Time), theirs: (&Wishes, Time)) -> bool {
        let needs =
            [self.insists(mine.0, mine.1), self.insists(theirs.0, theirs.1), pins(mine.0), pins(theirs.0)];
        let interest = needs.iter().any(|needs| needs.0);
        let language = needs.iter().any(|needs| needs.1);
        mine.0.kind == theirs.0.kind
            && mine.0.pool == theirs.0.pool
            && (!interest || shares_interest(mine.0, theirs.0))
            && (!language || shares_language(mine.0, theirs.0))
    }

    /// The seeker was given `chosen`: who of the others was passed over?
    pub(super) fn judge_order(
        &mut self,
        seeker: (VisitId, Stand),
        chosen: (VisitId, Stand),
    ) -> Result<(), Breach> {
        let (Stand::Waiting(_), Stand::Waiting(place)) = (seeker.1, chosen.1) else { return Ok(()) };
        if self.line.len() > JUDGED || self.late {
            return Ok(());
        }
        let met_before = |one: VisitId, other: VisitId| self.has_met(one, other) || self.has_met(other, one);
        if met_before(seeker.0, chosen.0) {
            return Ok(());
        }
        // The seeker is out of the line already; it is judged as it stood there.
        let present = std::mem::replace(&mut self.visit_mut(seeker.0).stand, seeker.1);
        let mut fitting: Vec<_> = self
            .line
            .iter()
            .copied()
            .filter(|other| *other != seeker.0 && *other != chosen.0)
            .filter(|other| self.obstacles(seeker.0, *other) == Obstacles(0))
            .filter(|other| !self.has_met(seeker.0, *other) && !self.has_met(*other, seeker.0))
            .filter_map(|other| match self.visit(other).stand {
                Stand::Waiting(place) => Some((place.since, other)),
                Stand::Idle { .. } | Stand::Met(_) => None,
            })
            .collect();
        self.visit_mut(seeker.0).stand = present;
        fitting.sort_unstable();
        let (since, oldest) = match fitting[..] {
            // Of two who wait since the same moment the lobby may call either the oldest.
            [(first, _), (second, _), ..] if first == second => return Ok(()),
            [(since, oldest), ..] if since < place.since => (since, oldest),
            [..] => return Ok(()),
        };
        let bound = self.config.max_overtakes;
        let Stand::Waiting(place) = &mut self.visit_mut(oldest).stand else { return Ok(()) };
        place.passed += 1;
        let passed = place.passed;
        if passed == bound {
            self.note(Case::Overtaken);
        }
        hold(passed <= bound, Promise::OvertakingIsBounded, || {
            format!("visit {oldest}, who waits since {since:?}, was passed over {passed} times")
        })
    }

    /// Makes sure that a visit's silence is looked at.
    pub(super) fn watch(&mut self, id: VisitId) {
        let ends = self.silence_ends(id);
        self.silences.insert((ends, id));
    }

    fn silence_ends(&self, id: VisitId) -> Time {
        let visit = self.visit(id);
        let from = visit.last_sign().max(self.jumped);
        match visit.stand {
            Stand::Waiting(_) => from.max(visit.entered) + self.config.waiting_cut_after,
            Stand::Idle { .. } | Stand::Met(_) => from + self.config.cut_after,
        }
    }

    pub(super) fn judge_silences(&mut self) -> Result<(), Breach> {
        while let Some((_, id)) = self.silences.first().copied().filter(|(at, _)| *at <= self.now) {
            self.silences.pop_first();
            let visit = self.visit(id);
            if visit.era != self.era || !visit.is_attached() {
                continue;
            }
            let ends = self.silence_ends(id);
            hold(ends > self.now, Promise::TheSilentAreCut, || {
                format!(
                    "visit {id} was last heard at {:?}, now it is {:?}",
                    self.visit(id).last_sign(),
                    self.now
                )
            })?;
            self.silences.insert((ends, id));
        }
        Ok(())
    }
}

fn pins(wishes: &Wishes) -> (bool, bool) {
    (
        wishes.pin_interests && !wishes.interests.is_empty(),
        wishes.pin_language && !wishes.languages.is_empty(),
    )
}

fn shares_interest(one: &Wishes, other: &Wishes) -> bool {
    one.interests.iter().any(|interest| other.interests.contains(interest))
}

fn shares_language(one: &Wishes, other: &Wishes) -> bool {
    one.languages.iter().any(|mine| other.languages.iter().any(|theirs| theirs.primary() == mine.primary()))
}
