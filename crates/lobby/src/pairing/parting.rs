//! Leaving: who goes is out, who stays is told at once and goes back to the line if it wants that.

use super::{AgeCredit, Due, Pairing, State};
use crate::acquaintances::Acquaintance;
use crate::ids::{MatchKey, SessionKey, Side};
use crate::matches::{Match, Seat};
use crate::persons::Someone;
use crate::planted::planted;
use crate::rates::Allowance;
use crate::replay::Replay;
use crate::{Limiting, Outputs, Span};
use visavis_protocol::{ErrorCode, LeftReason, MatchId, Refusal, ServerMessage, Unblock};

/// Strangers whom a survivor is given without asking. Each costs its queue a message for coming and one for going.
const STRANGERS_IN_TURN: Allowance = Allowance { burst: 40, interval: Span::from_millis(500) };

impl Pairing<'_> {
    pub(crate) fn on_stop(&mut self, key: SessionKey, outputs: &mut Outputs) {
        self.leave(key, LeftReason::Stop, outputs);
        self.transition_to_idle(key, None);
        let resume_token = self.mint(key);
        self.say(key, ServerMessage::Stopped { resume_token }, outputs);
    }

    pub(crate) fn on_block(&mut self, key: SessionKey, named: MatchId, outputs: &mut Outputs) {
        let Some(participant) = self.pairs.participants.get(key) else { return };
        let state = participant.state();
        let present = self.pairs.present_match(state).map(|(id, partner)| (id, self.sessions.who(partner)));
        let partner = match (present, participant.last_match()) {
            (Some((id, partner)), _) if id == named => partner,
            (_, Some((id, partner))) if id == named => partner,
            (None, None) => {
                let message = "block names the present or the last match: there was none";
                return self.sessions.refuse(key, Refusal::new(ErrorCode::NotMatched, message), outputs);
            }
            (Some(_) | None, _) => {
                self.sessions.counters.stale_signals += 1;
                return;
            }
        };
        if let Some(id) = self.keep_apart(key, partner, outputs).filter(|id| *id != named) {
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
        self.confirm_block(key, named, partner, outputs);
    }

    /// These two never meet again. The match that they are in, if any, is over: its id.
    pub(crate) fn keep_apart(
        &mut self,
        key: SessionKey,
        partner: Someone,
        outputs: &mut Outputs,
    ) -> Option<MatchId> {
        let state = self.pairs.state(key)?;
        let present = self.pairs.present_match(state).map(|(id, partner)| (id, self.sessions.who(partner)));
        let participant = self.pairs.participants.get_mut(key)?;
        let forgotten = participant.acquaintances_mut().block(partner.person());
        if let (Some(_), State::Waiting { ticket }) = (forgotten, state) {
            // Whose block was forgotten may be waiting too, and fit again.
            if let Some(ticket) = self.take_ticket(ticket) {
                self.enter_line(ticket, outputs);
            }
        }
        self.note_session(key, outputs);
        // Whichever match was named: the last one may have been with the same person.
        let (id, _) = present.filter(|(_, present)| present.person() == partner.person())?;
        self.leave(key, LeftReason::Blocked, outputs);
        Some(id)
    }

    pub(crate) fn confirm_block(
        &mut self,
        key: SessionKey,
        match_id: MatchId,
        partner: Someone,
        outputs: &mut Outputs,
    ) {
        if let Some(block) = self.sessions.persons.seal(partner.person()) {
            let resume_token = self.mint(key);
            self.say(key, ServerMessage::Blocked { match_id, block, resume_token }, outputs);
        }
    }

    pub(crate) fn on_unblock(&mut self, key: SessionKey, unblock: Unblock, outputs: &mut Outputs) {
        let Some(person) = self.sessions.persons.open(&unblock.block) else {
            let message = "block: no handle of this server, or of a secret that is no longer in use";
            return self.sessions.refuse(key, Refusal::new(ErrorCode::BadField, message), outputs);
        };
        let Some(participant) = self.pairs.participants.get_mut(key) else { return };
        participant.acquaintances_mut().unblock(person);
        if let State::Waiting { ticket } = participant.state()
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
    pub(crate) fn part_if_blocked(&mut self, key: SessionKey, outputs: &mut Outputs) {
        let Some(State::Matched { key: present, side }) = self.pairs.state(key) else { return };
        let Some(partner) = self.pairs.matches.get(present).map(|present| present.seat(side.other()).session)
        else {
            return;
        };
        if self.acquaintance(key, partner) != Acquaintance::Blocked {
            return;
        }
        let Some(ended) = self.end_match(present) else { return };
        self.sessions.counters.count_end(LeftReason::Blocked);
        for side in [Side::Initiator, Side::Responder] {
            self.survive(&ended, ended.seat(side), LeftReason::Blocked, outputs);
        }
    }

    /// Takes a session out of its ticket or its match. It is idle afterwards.
    pub(crate) fn leave(&mut self, key: SessionKey, reason: LeftReason, outputs: &mut Outputs) {
        match self.pairs.state(key) {
            Some(State::Waiting { ticket }) => {
                if planted!(LeaverStaysInLine) {
                    return;
                }
                self.take_ticket(ticket);
            }
            Some(State::Matched { key: present, side }) => {
                if let Some(ended) = self.end_match(present) {
                    self.sessions.counters.count_end(reason);
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
                self.transition_to_idle(key, None);
            }
            Some(State::Idle { .. }) | None => {}
        }
    }

    /// Takes a match apart. Both sessions are idle afterwards and remember each other.
    pub(crate) fn end_match(&mut self, key: MatchKey) -> Option<Match> {
        let mut ended = self.pairs.matches.remove(key)?;
        self.pairs.timers.clear(&mut ended.timer, Due::Match(key));
        *self.pairs.gauges.matches.of(ended.kind) -= usize::from(!planted!(EndedMatchesAreCounted));
        self.pairs.remote.remove(&ended.id);
        let (one, other) = (ended.initiator.session, ended.responder.session);
        let written = ended.written.take();
        for (mine, theirs) in [(one, other), (other, one)] {
            let theirs = self.sessions.who(theirs);
            if let Some(participant) = self.pairs.participants.get_mut(mine) {
                let known = participant.acquaintances_mut();
                known.last_match = Some((ended.id, theirs));
                known.last_written.clone_from(&written);
                known.met(theirs.person(), self.config.recent_partners);
            }
            self.transition_to_idle(mine, None);
            // A client that is here needs no signal of this match again; one that is away reads them when it is back.
            if let Some(session) = self.sessions.get_mut(mine)
                && session.connection().is_some()
                && let Some(identity) = &mut session.identity
            {
                identity.replay.forget_signals();
            }
        }
        Some(ended)
    }

    /// Whether a survivor goes back to the line by itself: not if strangers who come and go one after the other have filled its
    /// queue, or come so fast that they would.
    pub(crate) fn may_requeue(&mut self, survivor: SessionKey) -> bool {
        let now = self.sessions.now;
        let exempt = self.sessions.get(survivor).is_some_and(|known| known.limiting == Limiting::Exempt);
        let reads = self.sessions.reads(survivor);
        let Some(participant) = self.pairs.participants.get_mut(survivor) else { return false };
        exempt || (reads && participant.strangers.take(now, STRANGERS_IN_TURN).is_ok())
    }

    pub(crate) fn survive(&mut self, ended: &Match, seat: &Seat, reason: LeftReason, outputs: &mut Outputs) {
        if planted!(SurvivorIsNotTold) && reason == LeftReason::Next {
            return;
        }
        let reason = reason.told();
        if self.sessions.is_elsewhere(seat.session) {
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
        let since =
            if ended.connected || planted!(SurvivorLosesItsAge) { self.sessions.now } else { seat.since };
        let Some(participant) = self.pairs.participants.get(seat.session) else { return };
        let mut wishes = participant.wishes.clone().filter(|_| participant.requeue);
        if wishes.is_some() && !self.may_requeue(seat.session) {
            self.sessions.counters.not_requeued += 1;
            wishes = None;
        }
        if wishes.is_none() {
            let credit = AgeCredit { since, valid_until: self.sessions.now + self.config.age_credit };
            self.transition_to_idle(seat.session, (!ended.connected).then_some(credit));
        }
        let requeued = wishes.is_some();
        // Who goes back to the line gets a token with its place there.
        let resume_token = if requeued { None } else { self.mint(seat.session) };
        let left = ServerMessage::PartnerLeft { match_id: ended.id, reason, requeued, resume_token };
        self.sessions.note_queued(seat.session, ended.other(seat.session), &left);
        self.say(seat.session, left, outputs);
        if let Some(wishes) = wishes.filter(|_| !planted!(SurvivorIsForgotten)) {
            let mut ticket = self.new_ticket(seat.session, wishes, None);
            ticket.since = since;
            self.enter_line(ticket, outputs);
        }
    }
}
