//! Leaving: who goes is out, who stays is told at once and goes back to the line if it wants that.

use super::{Due, Lobby, acquaintance};
use crate::Outputs;
use crate::acquaintances::Acquaintance;
use crate::ids::{MatchKey, SessionKey, Side};
use crate::matches::{Match, Seat};
use crate::planted::planted;
use crate::replay::Replay;
use crate::session::{AgeCredit, State};
use visavis_protocol::{ErrorCode, LeftReason, MatchId, Refusal, ServerMessage, Unblock};

impl Lobby {
    pub(super) fn on_stop(&mut self, key: SessionKey, outputs: &mut Outputs) {
        self.leave(key, LeftReason::Stop, outputs);
        if let Some(session) = self.sessions.get_mut(key) {
            session.transition_to_idle(None);
        }
        let resume_token = self.mint(key);
        self.say(key, ServerMessage::Stopped { resume_token }, outputs);
    }

    pub(super) fn on_block(&mut self, key: SessionKey, named: MatchId, outputs: &mut Outputs) {
        let Some(session) = self.sessions.get(key) else { return };
        let state = session.state();
        let present = self.present_match(state).map(|(id, partner)| (id, self.someone(partner)));
        let partner = match (present, session.last_match()) {
            (Some((id, partner)), _) if id == named => partner,
            (_, Some((id, partner))) if id == named => partner,
            (None, None) => {
                let message = "block names the present or the last match: there was none";
                return self.refuse(key, Refusal::new(ErrorCode::NotMatched, message), outputs);
            }
            (Some(_) | None, _) => {
                self.counters.stale_signals += 1;
                return;
            }
        };
        let Some(session) = self.sessions.get_mut(key) else { return };
        let forgotten = session.acquaintances_mut().block(partner.person());
        if let (Some(_), State::Waiting { ticket }) = (forgotten, state) {
            // Whose block was forgotten may be waiting too, and fit again.
            if let Some(ticket) = self.take_ticket(ticket) {
                self.enter_line(ticket, outputs);
            }
        }
        self.note_session(key, outputs);
        // Not only if the present match was named: the last one may have been with the same person.
        if let Some((id, _)) = present.filter(|(_, present)| present.person() == partner.person()) {
            self.leave(key, LeftReason::Blocked, outputs);
            if id != named {
                // The client cannot know that the two strangers were one.
                let resume_token = self.mint(key);
                let left = ServerMessage::PartnerLeft {
                    match_id: id,
                    reason: LeftReason::Blocked.told(),
                    requeued: false,
                    resume_token,
                };
                self.say(key, left, outputs);
            }
        }
        if let Some(block) = self.persons.seal(partner.person()) {
            let resume_token = self.mint(key);
            self.say(key, ServerMessage::Blocked { match_id: named, block, resume_token }, outputs);
        }
    }

    pub(super) fn on_unblock(&mut self, key: SessionKey, unblock: Unblock, outputs: &mut Outputs) {
        let Some(person) = self.persons.open(&unblock.block) else {
            let message = "block: no handle of this server, or of a secret that is no longer in use";
            return self.refuse(key, Refusal::new(ErrorCode::BadField, message), outputs);
        };
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.acquaintances_mut().unblock(person);
        if let State::Waiting { ticket } = session.state()
            && let Some(ticket) = self.take_ticket(ticket)
        {
            // They may be waiting, too, and fit again.
            self.enter_line(ticket, outputs);
        }
        self.note_session(key, outputs);
        let resume_token = self.mint(key);
        self.say(key, ServerMessage::Unblocked { block: unblock.block, resume_token }, outputs);
    }

    /// Ends a match of two of whom one turns out to have blocked the other: by a reload, or in another tab.
    pub(super) fn part_if_blocked(&mut self, key: SessionKey, outputs: &mut Outputs) {
        let Some(State::Matched { key: present, side }) = self.state(key) else { return };
        let Some(partner) = self.matches.get(present).map(|present| present.seat(side.other()).session)
        else {
            return;
        };
        if acquaintance(&self.sessions, key, partner) != Acquaintance::Blocked {
            return;
        }
        let Some(ended) = self.end_match(present) else { return };
        self.counters.count_end(LeftReason::Blocked);
        for side in [Side::Initiator, Side::Responder] {
            self.survive(&ended, ended.seat(side), LeftReason::Blocked, outputs);
        }
    }

    /// Takes a session out of its ticket or its match. It is idle afterwards.
    pub(super) fn leave(&mut self, key: SessionKey, reason: LeftReason, outputs: &mut Outputs) {
        match self.state(key) {
            Some(State::Waiting { ticket }) => {
                if planted!(LeaverStaysInLine) {
                    return;
                }
                self.take_ticket(ticket);
            }
            Some(State::Matched { key: present, side }) => {
                if let Some(ended) = self.end_match(present) {
                    self.counters.count_end(reason);
                    // Who leaves knows of the match, and that it is over.
                    if let Some(session) = self.sessions.get_mut(key)
                        && session.connection().is_some()
                        && let Some(identity) = &mut session.identity
                    {
                        identity.replay = Replay::default();
                    }
                    self.survive(&ended, ended.seat(side.other()), reason, outputs);
                }
            }
            Some(State::Reserved { by }) => {
                self.cancel_reservation(by, outputs);
            }
            Some(State::Held { .. }) => {
                if let Some(session) = self.sessions.get_mut(key) {
                    session.transition_to_idle(None);
                }
            }
            Some(State::Idle { .. }) | None => {}
        }
    }

    /// Takes a match apart. Both sessions are idle afterwards and remember each other.
    pub(super) fn end_match(&mut self, key: MatchKey) -> Option<Match> {
        let mut ended = self.matches.remove(key)?;
        self.timers.clear(&mut ended.timer, Due::Match(key));
        *self.gauges.matches.of(ended.kind) -= usize::from(!planted!(EndedMatchesAreCounted));
        self.far.matches.remove(&ended.id);
        let (one, other) = (ended.initiator.session, ended.responder.session);
        for (mine, theirs) in [(one, other), (other, one)] {
            let theirs = self.someone(theirs);
            if let Some(session) = self.sessions.get_mut(mine) {
                let known = session.acquaintances_mut();
                known.last_match = Some((ended.id, theirs));
                known.met(theirs.person(), self.config.recent_partners);
                session.transition_to_idle(None);
                // A client that is here needs no signal of this match again; one that is away reads them when it is back.
                if session.connection().is_some()
                    && let Some(identity) = &mut session.identity
                {
                    identity.replay.forget_signals();
                }
            }
        }
        Some(ended)
    }

    pub(super) fn survive(&mut self, ended: &Match, seat: &Seat, reason: LeftReason, outputs: &mut Outputs) {
        if planted!(SurvivorIsNotTold) && reason == LeftReason::Next {
            return;
        }
        let reason = reason.told();
        let Some(session) = self.sessions.get_mut(seat.session) else { return };
        if session.is_elsewhere() {
            let left = ServerMessage::PartnerLeft {
                match_id: ended.id,
                reason,
                requeued: false,
                resume_token: None,
            };
            self.say(seat.session, left, outputs);
            return self.discard_proxy(seat.session);
        }
        // Whoever had a real meeting has had its turn; whoever met a ghost has not.
        let since = if ended.connected || planted!(SurvivorLosesItsAge) { self.now } else { seat.since };
        let mut wishes = session.wishes.clone().filter(|_| session.requeue);
        if wishes.is_some() && !self.may_requeue(seat.session) {
            self.counters.not_requeued += 1;
            wishes = None;
        }
        let Some(session) = self.sessions.get_mut(seat.session) else { return };
        if wishes.is_none() {
            let credit = AgeCredit { since, valid_until: self.now + self.config.age_credit };
            session.transition_to_idle((!ended.connected).then_some(credit));
        }
        let requeued = wishes.is_some();
        // Who goes back to the line gets a token with its place there.
        let resume_token = if requeued { None } else { self.mint(seat.session) };
        let left = ServerMessage::PartnerLeft { match_id: ended.id, reason, requeued, resume_token };
        self.note_queued(seat.session, ended.other(seat.session), &left);
        self.say(seat.session, left, outputs);
        if let Some(wishes) = wishes.filter(|_| !planted!(SurvivorIsForgotten)) {
            let mut ticket = self.new_ticket(seat.session, wishes, None);
            ticket.since = since;
            self.enter_line(ticket, outputs);
        }
    }
}
