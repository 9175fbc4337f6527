//! A match as the observer knows it, and how it begins to end.

use super::{Case, Due, IDLE, Letter, Link, Observer, Place, Promise, Stand, VisitId, hold};
use crate::simulator::promises::Breach;
use visavis_lobby::{ConnectionId, Time};
use visavis_protocol::{Kind, LeftReason, MatchId, PartnerFound};

pub(super) struct Meeting {
    pub(super) kind: Kind,
    pub(super) sides: Vec<Seat>,
    pub(super) era: u32,
    pub(super) formed: Time,
    pub(super) connected: bool,
    pub(super) ended: Option<Time>,
}

pub(super) struct Seat {
    pub(super) visit: VisitId,
    pub(super) found: PartnerFound,
    pub(super) since: Time,
    pub(super) alive: bool,
    /// What this side said and the server took, in order; and how much of it the other has.
    pub(super) said: Vec<u64>,
    pub(super) heard: usize,
    /// Something of it may be lost: a restart, or a mailbox that overflowed.
    pub(super) lossy: bool,
}

impl Meeting {
    pub(super) fn other(&self, one: VisitId) -> Option<VisitId> {
        self.sides.iter().map(|seat| seat.visit).find(|visit| *visit != one)
    }

    pub(super) fn seat_mut(&mut self, visit: VisitId) -> Option<&mut Seat> {
        self.sides.iter_mut().find(|seat| seat.visit == visit)
    }

    pub(super) fn seat(&self, visit: VisitId) -> Option<&Seat> {
        self.sides.iter().find(|seat| seat.visit == visit)
    }
}

impl Observer {
    pub(super) fn partner(&self, id: MatchId, one: VisitId) -> Option<VisitId> {
        self.meetings.get(&id)?.other(one)
    }

    /// Puts a visit into the line, or keeps its place if its socket is lost. Whoever begins to wait has to hear of it.
    pub(super) fn enter_line(&mut self, id: VisitId, since: Time, created: Time, passed: u32) {
        let now = self.now;
        let visit = self.visit_mut(id);
        visit.stand = Stand::Waiting(Place { since, created, passed });
        visit.entered = now;
        if visit.is_attached() {
            self.line.insert(id);
            self.turn.entered.push(id);
            self.watch(id);
        }
    }

    pub(super) fn owe_news(&mut self, id: VisitId) {
        if self.visit(id).is_attached() {
            self.turn.news.push(id);
        }
    }

    /// Takes a visit out of its line or its match; a partner survives.
    pub(super) fn leave(&mut self, id: VisitId, reason: LeftReason) {
        match self.visit(id).stand {
            Stand::Idle { .. } => {}
            Stand::Waiting(_) => {
                self.line.remove(&id);
                self.turn.news.retain(|waiting| *waiting != id);
            }
            Stand::Met(met) => {
                let partner = self.end_meeting(met, id);
                let visit = self.visit_mut(id);
                visit.stand = IDLE;
                if visit.is_attached() {
                    visit.mail.clear();
                }
                if let Some(partner) = partner {
                    self.survive(partner, met, reason);
                }
            }
        }
        self.visit_mut(id).stand = IDLE;
    }

    /// Both remember each other from now on. The other side.
    pub(super) fn end_meeting(&mut self, met: MatchId, one: VisitId) -> Option<VisitId> {
        let now = self.now;
        let meeting = self.meetings.get_mut(&met)?;
        meeting.ended = Some(now);
        let other = meeting.other(one)?;
        let keep = self.config.recent_partners;
        for (mine, theirs) in [(one, other), (other, one)] {
            let theirs = self.person(theirs);
            let visit = self.visit_mut(mine);
            visit.last_match = Some(met);
            visit.recent.retain(|known| *known != theirs);
            visit.recent.push_front(theirs);
            visit.recent.truncate(keep);
            visit.stand = IDLE;
            if visit.is_attached() {
                visit.mail.retain(|letter| !letter.is_signal);
            }
        }
        Some(other)
    }

    fn survive(&mut self, id: VisitId, met: MatchId, reason: LeftReason) {
        let now = self.now;
        let (connected, since) = match self.meetings.get(&met) {
            Some(meeting) => (meeting.connected, meeting.seat(id).map_or(now, |seat| seat.since)),
            None => (false, now),
        };
        let age_credit = self.config.age_credit;
        let visit = self.visit_mut(id);
        let requeued = visit.requeue && visit.wishes.is_some();
        if visit.is_attached() {
            self.turn.left.push((id, met, reason.told()));
        } else {
            self.mail(id, false, false);
        }
        if requeued {
            if !connected && since < now {
                self.note(Case::AgeKept);
            }
            self.enter_line(id, if connected { now } else { since }, now, 0);
            self.owe_news(id);
        } else {
            let credit = (!connected).then_some((since, now + age_credit));
            self.visit_mut(id).stand = Stand::Idle { credit };
        }
    }

    /// Its socket is gone without a word.
    pub(super) fn detach(&mut self, id: VisitId) {
        if !self.visit(id).named {
            return self.end(id, LeftReason::Lost);
        }
        let until = self.now + self.config.grace;
        self.visit_mut(id).link = Link::Detached { until };
        self.line.remove(&id);
        self.turn.news.retain(|waiting| *waiting != id);
        self.due.insert((until, Due::Absence(id)));
        if let Some(met) = self.visit(id).met()
            && let Some(partner) = self.partner(met, id)
        {
            if self.visit(partner).is_attached() {
                self.turn.away.push((partner, met));
            } else {
                self.mail(partner, false, false);
            }
        }
    }

    pub(super) fn end(&mut self, id: VisitId, reason: LeftReason) {
        self.leave(id, reason);
        self.visit_mut(id).link = Link::Ended;
    }

    /// One more message is kept for somebody who is away.
    pub(super) fn mail(&mut self, id: VisitId, is_signal: bool, is_passing: bool) {
        let bound = self.config.replay_messages;
        let visit = self.visit_mut(id);
        visit.sent += 1;
        let position = visit.sent;
        if visit.mail.len() >= bound {
            visit.mail.retain(|letter| !letter.is_typing);
        }
        visit.mail.push_back(Letter { position, is_typing: false, is_signal, is_passing });
        if visit.mail.len() > bound {
            let passing = visit.mail.iter().position(|letter| letter.is_passing).unwrap_or(0);
            visit.mail.remove(passing);
            self.lose_mail(id);
        }
    }

    pub(super) fn mail_typing(&mut self, id: VisitId) {
        let bound = self.config.replay_messages;
        let visit = self.visit_mut(id);
        visit.sent += 1;
        let position = visit.sent;
        visit.mail.retain(|letter| !letter.is_typing);
        if visit.mail.len() < bound {
            visit.mail.push_back(Letter { position, is_typing: true, is_signal: true, is_passing: true });
        }
    }

    /// How much of a mailbox is taken by what is said.
    pub(super) fn mail_said(&self, id: VisitId) -> usize {
        self.visit(id).mail.iter().filter(|letter| !letter.is_typing).count()
    }

    fn lose_mail(&mut self, id: VisitId) {
        for meeting in self.visit(id).met().into_iter().chain(self.visit(id).last_match).collect::<Vec<_>>() {
            if let Some(meeting) = self.meetings.get_mut(&meeting) {
                meeting.sides.iter_mut().for_each(|seat| seat.lossy = true);
            }
        }
    }

    /// Counts a message that went out to a visit. It is kept in a match, behind what may not have arrived, and if it
    /// did not arrive the first time.
    pub(super) fn count_message(&mut self, id: VisitId, keep: bool, is_signal: bool, is_passing: bool) {
        self.count(id, keep, |observer| observer.mail(id, is_signal, is_passing));
    }

    pub(super) fn count_typing(&mut self, id: VisitId) {
        self.count(id, true, |observer| observer.mail_typing(id));
    }

    fn count(&mut self, id: VisitId, keep: bool, mail: impl FnOnce(&mut Self)) {
        let visit = self.visit(id);
        if !visit.named {
            return;
        }
        if keep && (visit.met().is_some() || !visit.mail.is_empty() || self.is_behind(id)) {
            return mail(self);
        }
        self.visit_mut(id).sent += 1;
    }

    /// What the server does by itself until now, in the order in which it falls due.
    pub(super) fn foresee_timeouts(&mut self) -> Result<(), Breach> {
        while let Some((at, due)) = self.due.first().copied().filter(|(at, _)| *at <= self.now) {
            self.due.pop_first();
            match due {
                Due::Absence(id) => {
                    if self.visit(id).era == self.era && self.visit(id).link == (Link::Detached { until: at })
                    {
                        let awaited = self.visit(id).awaited;
                        self.note(if awaited { Case::HalfPairLost } else { Case::GraceOver });
                        self.end(id, LeftReason::Lost);
                    }
                }
                Due::Ghost(met) => self.foresee_ghosts(met),
            }
        }
        Ok(())
    }

    fn foresee_ghosts(&mut self, met: MatchId) {
        let Some(meeting) = self.meetings.get(&met) else { return };
        let deadline = meeting.formed + self.config.sign_of_life;
        if meeting.ended.is_some() || meeting.era != self.era || self.now < deadline {
            return;
        }
        let silent: Vec<VisitId> =
            meeting.sides.iter().filter(|seat| !seat.alive).map(|seat| seat.visit).collect();
        let sides: Vec<VisitId> = meeting.sides.iter().map(|seat| seat.visit).collect();
        if silent.is_empty() {
            return;
        }
        self.turn.dissolved.push(met);
        self.note(if silent.len() == 1 { Case::GhostLeft } else { Case::BothGhosts });
        let until = self.now + self.config.grace;
        for ghost in &silent {
            let visit = self.visit_mut(*ghost);
            let Some(connection) = visit.connection() else { continue };
            if visit.named {
                visit.link = Link::Detached { until };
                self.due.insert((until, Due::Absence(*ghost)));
            }
            self.turn.closes.push(connection);
        }
        if let Some(one) = sides.first() {
            self.end_meeting(met, *one);
        }
        for side in sides {
            if silent.contains(&side) && !self.visit(side).named {
                self.visit_mut(side).link = Link::Ended;
            } else {
                self.survive(side, met, LeftReason::Lost);
            }
        }
    }

    /// A socket is closed by the server.
    pub(super) fn closes(&mut self, connection: ConnectionId, reason: &str) -> Result<(), Breach> {
        if let Some(place) = self.turn.closes.iter().position(|expected| *expected == connection) {
            self.turn.closes.remove(place);
            self.open.remove(&connection);
            return Ok(());
        }
        let id = self.open.get(&connection).copied();
        hold(id.is_some(), Promise::NothingAfterTheEnd, || format!("{connection:?} is closed twice"))?;
        let Some(id) = id else { return Ok(()) };
        match reason {
            "no sign of life" => {
                let silence = self.now.since(self.visit(id).last_sign());
                let patience =
                    self.config.cut_after.min(self.config.waiting_cut_after - self.config.waiting_ping_after);
                hold(silence >= patience, Promise::TheLivingAreNotCut, || {
                    format!("{connection:?} spoke {} us ago", silence.as_micros())
                })?;
                self.note(Case::SilentCut);
                if self.visit(id).answers && matches!(self.visit(id).stand, Stand::Waiting(_)) {
                    self.note(Case::FrozenCut);
                }
                self.open.remove(&connection);
                self.detach(id);
            }
            "too_fast" => {
                let sender = self.turn.sender == Some(connection) && self.turn.refused.is_some();
                hold(sender, Promise::OneSocketASession, || format!("{connection:?} closed for nothing"))?;
                self.note(Case::FlooderExpelled);
                self.open.remove(&connection);
                self.end(id, LeftReason::Lost);
            }
            _ => {
                let details = || format!("{connection:?} is closed: {reason}");
                hold(false, Promise::OneSocketASession, details)?;
            }
        }
        Ok(())
    }
}
