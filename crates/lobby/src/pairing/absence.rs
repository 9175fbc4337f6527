//! Sides that are away or back: what their partners are told, and the place in line that is kept for them.

use super::{Pairing, State};
use crate::ids::{MatchKey, SessionKey, Side};
use crate::{Outputs, Span, Time};
use visavis_protocol::{LeftReason, MatchId, ServerMessage};

impl Pairing<'_> {
    pub(crate) fn tell_partner(
        &mut self,
        key: MatchKey,
        side: Side,
        outputs: &mut Outputs,
        message: impl FnOnce(MatchId) -> ServerMessage,
    ) {
        let Some(present) = self.pairs.matches.get(key) else { return };
        let (match_id, partner) = (present.id, present.seat(side.other()).session);
        let (message, own) = (message(match_id), present.seat(side).session);
        self.sessions.note_queued(partner, own, &message);
        self.say(partner, message, outputs);
    }

    /// Tells the partner that a session has a socket again, and how much of the grace was left.
    pub(crate) fn tell_back(&mut self, key: SessionKey, left: Span, outputs: &mut Outputs) {
        if let Some(State::Matched { key, side }) = self.pairs.state(key) {
            let grace_ms = left.as_millis_ceil();
            self.tell_partner(key, side, outputs, |match_id| ServerMessage::PartnerBack {
                match_id,
                grace_ms,
            });
        }
    }

    /// So that the token of the welcome says already where the session is going to stand: it may be the last that arrives.
    pub(crate) fn hold_place(&mut self, key: SessionKey, since: Time) {
        if self.pairs.participants.get(key).is_some_and(|participant| participant.wishes.is_some()) {
            self.transition_to_held(key, since, self.sessions.now);
        }
    }

    pub(crate) fn search_again(&mut self, key: SessionKey, since: Time, outputs: &mut Outputs) {
        let Some(participant) = self.pairs.participants.get(key) else { return };
        let Some(wishes) = participant.wishes.clone() else { return };
        self.transition_to_idle(key, None);
        let mut ticket = self.new_ticket(key, wishes, None);
        ticket.since = since.min(self.sessions.now);
        self.enter_line(ticket, outputs);
    }

    /// Tells a session that came back that the match it knows of is no more.
    pub(crate) fn tell_match_is_over(&mut self, key: SessionKey, id: MatchId, outputs: &mut Outputs) {
        let requeued = self.pairs.participants.get(key).is_some_and(|participant| participant.requeue);
        let left = ServerMessage::PartnerLeft {
            match_id: id,
            reason: LeftReason::Lost,
            requeued,
            resume_token: None,
        };
        self.say(key, left, outputs);
        if requeued {
            self.search_again(key, self.sessions.now, outputs);
        }
    }
}
