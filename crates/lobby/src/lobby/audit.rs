//! Checks [`Invariant`]s on a lobby. Reads everything, changes nothing.

use super::Lobby;
use crate::Gauges;
use crate::acquaintances::Acquaintance;
use crate::audit::{Invariant, Violation, check};
use crate::ids::{MatchKey, SessionKey, Side};
use crate::matches::Match;
use crate::matchmaker::compatible;
use crate::pairing::{Due, State, acquaintance};
use crate::session::Session;
use std::collections::BTreeSet;
use visavis_protocol::{Kind, MatchId};

impl Lobby {
    /// Beyond this many waiting, comparing every pair would cost more than it finds.
    const COMPARED_WITH_ALL: usize = 256;

    /// Looks whether everything holds that always must.
    ///
    /// What depends on the time is only looked at when no timer is due: a shell may come late with
    /// [`crate::Input::Timeout`], and is told so by [`Lobby::poll_timeout`].
    ///
    /// # Errors
    /// The first violation found.
    pub fn audit(&self) -> Result<(), Violation> {
        self.sessions.audit()?;
        self.audit_participants()?;
        self.audit_tickets()?;
        self.audit_matches()?;
        self.audit_timers()?;
        self.audit_gauges()?;
        self.audit_far()?;
        self.pairs.matchmaker.audit()?;
        if self.pairs.poll_timeout().is_none_or(|(at, _)| at > self.sessions.now) {
            self.audit_line()?;
        }
        Ok(())
    }

    fn audit_participants(&self) -> Result<(), Violation> {
        let (sessions, participants) = (self.sessions.len(), self.pairs.participants.len());
        check(sessions == participants, Invariant::SessionsTakePart, || {
            format!("{sessions} sessions, {participants} participants")
        })?;
        for (key, session) in self.sessions.iter() {
            self.audit_place(key, session)?;
            let own = session.id.into();
            let bounded = self.pairs.participants.get(key).is_some_and(|participant| {
                let known = participant.acquaintances();
                known.is_none_or(|known| known.are_bounded(own, self.config.recent_partners))
            });
            check(bounded, Invariant::AcquaintancesAreBounded, || format!("{key:?}"))?;
        }
        Ok(())
    }

    fn audit_place(&self, key: SessionKey, session: &Session) -> Result<(), Violation> {
        let Some(state) = self.pairs.state(key) else {
            return check(false, Invariant::SessionsTakePart, || format!("{key:?}"));
        };
        check(session.engagement == state.engagement(), Invariant::SessionsTakePart, || {
            format!("{key:?} is {state:?}, and {:?}", session.engagement)
        })?;
        let waiting = matches!(state, State::Waiting { .. });
        let absent = session.connection().is_none();
        check(!(absent && waiting), Invariant::NobodyIsGivenToTheAbsent, || format!("{key:?}"))?;
        match state {
            State::Idle { credit } => {
                let past = credit.is_none_or(|credit| credit.since <= self.sessions.now);
                check(past, Invariant::TimesLieInThePast, || format!("{key:?}: credit"))
            }
            State::Held { since, created } => {
                let past = since <= created && created <= self.sessions.now;
                check(past, Invariant::TimesLieInThePast, || format!("{key:?}: held"))?;
                let detached = session.connection().is_none();
                check(detached, Invariant::OnlyTheAbsentAreHeld, || format!("{key:?}"))
            }
            State::Waiting { ticket } => {
                let holder = self.pairs.matchmaker.ticket(ticket).map(|ticket| ticket.session);
                check(holder == Some(key), Invariant::WaitingHoldsOneTicket, || {
                    format!("{key:?} waits with {ticket:?} of {holder:?}")
                })
            }
            State::Reserved { by } => {
                let holder = self.pairs.reservations.get(&by).map(|reserved| reserved.ticket.session);
                check(holder == Some(key), Invariant::ReservedHoldOneTicket, || {
                    format!("{key:?} is reserved by {by:?} of {holder:?}")
                })
            }
            State::Matched { key: present, side } => {
                let sitting = self.pairs.matches.get(present).map(|present| present.seat(side).session);
                check(sitting == Some(key), Invariant::MatchedSitInTheirSeat, || {
                    format!("{key:?} says {side:?} of {present:?}, where sits {sitting:?}")
                })
            }
        }
    }

    fn audit_tickets(&self) -> Result<(), Violation> {
        let mut holders = BTreeSet::new();
        for (key, ticket, _) in self.pairs.matchmaker.tickets() {
            let state = self.pairs.state(ticket.session);
            check(state == Some(State::Waiting { ticket: key }), Invariant::TicketsHaveTheirSession, || {
                format!("{key:?} is of {:?}, which is {state:?}", ticket.session)
            })?;
            check(holders.insert(ticket.session), Invariant::NobodyIsInTwoPlaces, || {
                format!("{:?} has two tickets", ticket.session)
            })?;
            let watched = ticket.timer.is_some_and(|at| ticket.changes_at.is_none_or(|change| at <= change));
            check(watched, Invariant::TicketsAreWatched, || format!("{key:?}"))?;
            let text_with_offer = ticket.wishes.kind == Kind::Text && ticket.offer.is_some();
            check(!text_with_offer, Invariant::TextCarriesNoOffer, || format!("{key:?}"))?;
            let latest = self.sessions.now + self.config.offer_ttl;
            let expires = ticket.offer.as_ref().is_none_or(|waiting| waiting.expires <= latest);
            check(expires, Invariant::OffersExpire, || format!("{key:?}"))?;
            let bounded = ticket.overtaken <= self.config.max_overtakes;
            check(bounded, Invariant::OvertakingIsBounded, || format!("{key:?}: {}", ticket.overtaken))?;
            let past = ticket.since <= ticket.created
                && ticket.created <= self.sessions.now
                && ticket.told.is_none_or(|told| told <= self.sessions.now);
            check(past, Invariant::TimesLieInThePast, || format!("{key:?}"))?;
        }
        Ok(())
    }

    fn audit_matches(&self) -> Result<(), Violation> {
        let mut ids = BTreeSet::from([MatchId::FOREIGN]);
        let mut seated = BTreeSet::new();
        for (key, present) in &self.pairs.matches {
            check(ids.insert(present.id), Invariant::MatchIdsAreUnique, || format!("{:?}", present.id))?;
            let (one, other) = (present.initiator.session, present.responder.session);
            check(one != other, Invariant::NobodyMeetsThemselves, || format!("{one:?} in {key:?}"))?;
            for side in [Side::Initiator, Side::Responder] {
                self.audit_seat(key, present, side)?;
                let session = present.seat(side).session;
                check(seated.insert(session), Invariant::NobodyIsInTwoPlaces, || {
                    format!("{session:?} has two seats")
                })?;
            }
            let apart =
                acquaintance(&self.sessions, &self.pairs.participants, one, other) != Acquaintance::Blocked;
            check(apart, Invariant::BlockedStayApart, || format!("{one:?} and {other:?}"))?;
            let asked =
                |session| self.pairs.participants.get(session).and_then(|known| known.wishes.as_ref());
            let awaited = [one, other].into_iter().any(|session| self.sessions.is_known_by_hearsay(session));
            let kept = asked(one).zip(asked(other)).is_some_and(|(mine, theirs)| {
                mine.kind == present.kind && theirs.kind == present.kind && mine.pool == theirs.pool
            });
            check(kept || awaited, Invariant::MatchesKeepWhatWasAsked, || format!("{key:?}"))?;
            let alive = present.initiator.alive && present.responder.alive;
            check(alive || present.timer.is_some(), Invariant::SilentSeatsAreWatched, || format!("{key:?}"))?;
        }
        Ok(())
    }

    fn audit_seat(&self, key: MatchKey, present: &Match, side: Side) -> Result<(), Violation> {
        let seat = present.seat(side);
        let state = self.pairs.state(seat.session);
        check(state == Some(State::Matched { key, side }), Invariant::SeatsAreTaken, || {
            format!("{side:?} of {key:?} is {:?}, which is {state:?}", seat.session)
        })?;
        let past = seat.since <= present.formed && present.formed <= self.sessions.now;
        check(past, Invariant::TimesLieInThePast, || format!("{side:?} of {key:?}"))
    }

    fn audit_timers(&self) -> Result<(), Violation> {
        let mut queued = 0;
        for (at, due) in self.pairs.timers.entries() {
            queued += 1;
            let remembered = match due {
                Due::Ticket(key) => self.pairs.matchmaker.ticket(key).and_then(|ticket| ticket.timer),
                Due::Match(key) => self.pairs.matches.get(key).and_then(|present| present.timer),
                Due::Reservation(id) => self.pairs.reservations.get(&id).and_then(|reserved| reserved.timer),
            };
            check(remembered == Some(at), Invariant::TimersAreRemembered, || {
                format!("{due:?} is queued for {at:?} and remembers {remembered:?}")
            })?;
        }
        for (at, connection) in self.arrivals.timers.entries() {
            queued += 1;
            let remembered = self.arrivals.waiting.get(&connection).and_then(|arrival| arrival.timer);
            check(remembered == Some(at), Invariant::TimersAreRemembered, || {
                format!("{connection:?} is queued for {at:?} and remembers {remembered:?}")
            })?;
        }
        for (at, id) in self.peers.departures.timers.entries() {
            queued += 1;
            let remembered = self.peers.departures.pending.get(&id).and_then(|departure| departure.timer);
            check(remembered == Some(at), Invariant::TimersAreRemembered, || {
                format!("{id:?} is queued for {at:?} and remembers {remembered:?}")
            })?;
        }
        let tickets = self.pairs.matchmaker.tickets().filter_map(|(_, ticket, _)| ticket.timer);
        let matches = self.pairs.matches.values().filter_map(|present| present.timer);
        let reserved = self.pairs.reservations.values().filter_map(|reserved| reserved.timer);
        let arrivals = self.arrivals.waiting.values().filter_map(|arrival| arrival.timer);
        let departures = self.peers.departures.pending.values().filter_map(|departure| departure.timer);
        let remembered =
            tickets.count() + matches.count() + reserved.count() + arrivals.count() + departures.count();
        check(remembered == queued, Invariant::TimersAreRemembered, || {
            format!("{remembered} remembered, {queued} queued")
        })
    }

    /// What holds of visitors of other nodes, and of ours who were shown to them.
    fn audit_far(&self) -> Result<(), Violation> {
        for (key, session) in self.sessions.iter().filter(|(_, session)| session.is_elsewhere()) {
            let opposite = match self.pairs.state(key) {
                Some(State::Matched { key, side }) => {
                    self.pairs.matches.get(key).map(|present| present.seat(side.other()).session)
                }
                Some(
                    State::Idle { .. } | State::Waiting { .. } | State::Held { .. } | State::Reserved { .. },
                )
                | None => None,
            };
            let ours = opposite.is_some_and(|opposite| !self.sessions.is_known_by_hearsay(opposite));
            check(ours && session.is_known_by_hearsay(), Invariant::ProxiesFaceOneOfOurs, || {
                format!("{key:?} faces {opposite:?}")
            })?;
        }
        for (key, present) in &self.pairs.matches {
            let far = self.pairs.remote.get(&present.id).map(|far| far.key);
            let hearsay = [present.initiator.session, present.responder.session]
                .into_iter()
                .any(|session| self.sessions.is_known_by_hearsay(session));
            check(far == Some(key) || !hearsay, Invariant::FarMatchesAreFound, || {
                format!("{key:?}: {far:?}")
            })?;
        }
        for (id, far) in &self.pairs.remote {
            let named = self.pairs.matches.get(far.key).map(|present| present.id);
            check(named == Some(*id), Invariant::FarMatchesAreFound, || format!("{id:?} names {named:?}"))?;
        }
        for (id, reserved) in &self.pairs.reservations {
            let state = self.pairs.state(reserved.ticket.session);
            check(state == Some(State::Reserved { by: *id }), Invariant::ReservedHoldOneTicket, || {
                format!("{id:?} is of {:?}, which is {state:?}", reserved.ticket.session)
            })?;
            check(reserved.timer.is_some(), Invariant::ReservationsEnd, || format!("{id:?}"))?;
        }
        for (id, exported) in &self.exported {
            let held = match self.pairs.state(exported.session) {
                Some(State::Waiting { ticket }) => {
                    self.pairs.matchmaker.ticket(ticket).and_then(|t| t.exported)
                }
                Some(State::Reserved { by }) => {
                    self.pairs.reservations.get(&by).and_then(|r| r.ticket.exported)
                }
                Some(State::Idle { .. } | State::Held { .. } | State::Matched { .. }) | None => None,
            };
            check(held == Some(*id), Invariant::ExportedTicketsAreHeld, || format!("{id:?}"))?;
        }
        for (connection, arrival) in &self.arrivals.waiting {
            check(
                self.sessions.at(*connection).is_some() && arrival.timer.is_some(),
                Invariant::ArrivalsEnd,
                || format!("{connection:?}"),
            )?;
        }
        Ok(())
    }

    fn audit_gauges(&self) -> Result<(), Violation> {
        let across = self.sessions.iter().filter(|(_, session)| session.is_elsewhere()).count();
        let mut counted = Gauges { sessions: self.sessions.len() - across, across, ..Gauges::default() };
        for (_, ticket, _) in self.pairs.matchmaker.tickets() {
            *counted.waiting.of(ticket.wishes.kind) += 1;
        }
        for present in self.pairs.matches.values() {
            *counted.matches.of(present.kind) += 1;
        }
        let told = self.gauges();
        check(told == counted, Invariant::GaugesAreTrue, || format!("told {told:?}, counted {counted:?}"))
    }

    /// What holds of the waiting tickets whenever nothing is due.
    fn audit_line(&self) -> Result<(), Violation> {
        for (key, ticket, needs) in self.pairs.matchmaker.tickets() {
            let by_age = ticket.needs(self.sessions.now, &self.config);
            check(needs == by_age, Invariant::RelaxationIsOnTime, || {
                format!("{key:?} stands with {needs:?} and should with {by_age:?}")
            })?;
        }
        if self.sessions.is_draining() {
            return Ok(());
        }
        // Every pair of a short line; of a long one everybody against a sample, which moves with the time.
        let line: Vec<_> = self.pairs.matchmaker.tickets().collect();
        let stride = line.len() / Self::COMPARED_WITH_ALL + 1;
        let first = usize::try_from(self.sessions.now.as_micros()).unwrap_or(0) % stride;
        for (index, (key, ticket, needs)) in line.iter().enumerate().skip(first).step_by(stride) {
            let others = if stride == 1 { index + 1 } else { 0 };
            for (other_key, other, other_needs) in line.iter().skip(others).filter(|other| other.0 != *key) {
                let known =
                    acquaintance(&self.sessions, &self.pairs.participants, ticket.session, other.session);
                let fit = compatible(
                    (ticket, *needs),
                    (other, *other_needs),
                    self.sessions.now,
                    &self.config,
                    known,
                );
                check(!fit, Invariant::NobodyWaitsInVain, || {
                    format!("{key:?} and {other_key:?} both wait at {:?}", self.sessions.now)
                })?;
            }
        }
        Ok(())
    }
}
