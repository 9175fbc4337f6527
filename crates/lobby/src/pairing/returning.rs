//! Participants who go away and come back: what is kept for them meanwhile, and what they are told.

use super::{Pairing, Pairs, Participant, State};
use crate::Outputs;
use crate::ids::{NodeId, SessionId, SessionKey};
use crate::planted::planted;
use crate::session::Link;
use crate::sessions::Welcome;
use crate::tokens::{Claims, Heard, Kept};
use std::sync::Arc;
use visavis_protocol::{LeftReason, MatchId, ServerMessage, Wishes};

/// What a session owes to nothing but its token.
#[derive(Debug)]
pub(crate) struct Believed {
    pub(crate) heard: Vec<Heard>,
    /// Who sealed the token, until it was asked.
    pub(crate) unasked: Option<NodeId>,
}

impl Pairing<'_> {
    /// Takes the session out of everything it is in; its partner, if any, is told `reason`.
    pub(crate) fn forget(&mut self, key: SessionKey, reason: LeftReason, outputs: &mut Outputs) {
        // First, so that who is going is not among those whom the partner is told to be online.
        self.sessions.disconnect(key);
        self.leave(key, reason, outputs);
        let Some(session) = self.remove_participant(key) else { return };
        self.pairs.forget_belief(session.id);
        self.sessions.note_end(&session);
    }

    /// The socket is gone without a word. Who can come back keeps what it has for a while.
    pub(crate) fn detach(&mut self, key: SessionKey, outputs: &mut Outputs) {
        if self.sessions.connection(key).is_none() {
            return;
        }
        if !self.sessions.is_recognisable(key) || !self.sessions.may_keep(key) {
            return self.forget(key, LeftReason::Lost, outputs);
        }
        let until = self.sessions.now + self.config.grace;
        match self.pairs.state(key) {
            Some(State::Waiting { ticket }) => {
                if !planted!(AbsentAreGivenAway)
                    && let Some(ticket) = self.take_ticket(ticket)
                {
                    self.transition_to_held(key, ticket.since, ticket.created);
                }
            }
            Some(State::Matched { key: present, side }) => {
                let grace_ms = self.config.grace.as_millis_ceil();
                self.tell_partner(present, side, outputs, |match_id| ServerMessage::PartnerReconnecting {
                    match_id,
                    grace_ms,
                });
            }
            Some(State::Reserved { by }) => {
                if let Some(ticket) = self.cancel_reservation(by, outputs) {
                    self.transition_to_held(key, ticket.since, ticket.created);
                }
            }
            Some(State::Idle { .. } | State::Held { .. }) | None => {}
        }
        self.sessions.disconnect(key);
        self.sessions.keep_until(key, until);
    }

    pub(crate) fn identify(&mut self, key: SessionKey) {
        if let Some(participant) = self.pairs.participants.get_mut(key) {
            participant.names_matches = true;
        }
        self.sessions.identify(key);
    }

    pub(crate) fn welcome(&mut self, key: SessionKey, resumed: Option<bool>, outputs: &mut Outputs) {
        let match_id = self.pairs.state(key).and_then(|state| self.pairs.present_match_id(state));
        let (online, resume_token) = (self.online_for_clients(), self.mint(key));
        self.sessions.welcome(key, Welcome { resumed, match_id, online, resume_token }, outputs);
    }

    /// Moves the socket of `fresh` to `known`; an older socket of `known` is closed.
    pub(crate) fn take_over(
        &mut self,
        fresh: SessionKey,
        known: SessionKey,
        generation: u32,
        outputs: &mut Outputs,
    ) {
        let Some(mut shell) = self.pairs.participants.remove(fresh) else { return };
        let hides_on_arrival = shell.hides_on_arrival;
        if let Some(participant) = self.pairs.participants.get_mut(known) {
            participant.hides_on_arrival = hides_on_arrival;
            participant.remember(Vec::new(), shell.take_blocked(), self.config.recent_partners);
        }
        let Some(before) = self.sessions.take_over(fresh, known, generation, outputs) else { return };
        // Coming back is a sign of life, too.
        self.pairs.note_alive(known);
        if let Link::Detached { until } = before {
            self.tell_back(known, until.since(self.sessions.now), outputs);
        }
        if hides_on_arrival {
            // Asked for before it was known which session this is.
            self.hide(known, outputs);
        }
    }

    /// Tells a session that is back where it stands and what it missed, and puts it back into the line.
    pub(crate) fn greet_back(&mut self, key: SessionKey, received: Option<u32>, outputs: &mut Outputs) {
        let missed = self.sessions.take_missed(key, received.unwrap_or(0));
        self.welcome(key, Some(true), outputs);
        for message in missed.into_iter().filter(|_| !planted!(MailIsLost)) {
            self.sessions.say_again(key, message, outputs);
        }
        if let Some(State::Held { since, created }) = self.pairs.state(key)
            && let Some(wishes) = self.pairs.participants.get(key).and_then(|known| known.wishes.clone())
        {
            self.transition_to_idle(key, None);
            let mut ticket = self.new_ticket(key, wishes, None);
            ticket.since = if planted!(HeldPlaceIsLost) { self.sessions.now } else { since };
            ticket.created = created;
            self.enter_line(ticket, outputs);
        }
    }

    /// First of all, so that it is not given to somebody whom it has blocked.
    pub(crate) fn remember_kept(&mut self, key: SessionKey, kept: Option<Kept>) {
        if let (Some(kept), Some(participant)) = (kept, self.pairs.participants.get_mut(key)) {
            participant.remember(kept.recent, kept.blocked, self.config.recent_partners);
        }
    }

    /// Makes a fresh session the one that its token names.
    pub(crate) fn become_restored(
        &mut self,
        key: SessionKey,
        id: SessionId,
        presented: u32,
        requeue: bool,
        wishes: Option<Wishes>,
    ) {
        self.sessions.become_restored(key, id, presented);
        let Some(participant) = self.pairs.participants.get_mut(key) else { return };
        participant.names_matches = true;
        participant.requeue = requeue;
        let hides = participant.hides_on_arrival;
        participant.wishes =
            wishes.map(|wishes| Arc::new(Wishes { relay_only: wishes.relay_only || hides, ..wishes }));
    }

    /// Ends what is left of a session that went on elsewhere, and says whom it had met: its token does not know.
    pub(crate) fn drop_left(&mut self, left: SessionKey, outputs: &mut Outputs) -> Kept {
        self.sessions.close_moved(left, outputs);
        let kept = self.pairs.kept_of(left);
        // Where it is itself, nobody else would say that its match is over.
        self.tell_its_node(left, outputs);
        self.leave(left, LeftReason::Lost, outputs);
        if let Some(session) = self.remove_participant(left) {
            self.pairs.forget_belief(session.id);
        }
        kept
    }

    /// How much of the mail that is left here was heard.
    pub(crate) fn heard_here(&self, left: SessionKey, heard: &[Heard]) -> u32 {
        let identity = self.sessions.get(left).and_then(|session| session.identity.as_ref());
        identity.map_or(0, |identity| Heard::of(heard, identity.generation))
    }

    /// Notes that what a token says counts from now on.
    pub(crate) fn note_belief(&mut self, claims: &Claims) {
        // Of a node that is alone there is nothing left elsewhere.
        if self.peers.me.is_none() {
            return;
        }
        let mut heard = claims.heard.clone();
        heard.extend(claims.heard_last());
        let surplus = heard.len().saturating_sub(Heard::MAX_KNOWN);
        heard.drain(..surplus);
        let unasked =
            claims.sealed_by.map(NodeId::from_bytes).filter(|node| !self.peers.is_superseded(*node));
        self.pairs.believed.insert(claims.session, Believed { heard, unasked });
    }

    /// The server that a visitor was at before may have told it that its stranger is away.
    pub(crate) fn tell_partner_is_here(&mut self, key: SessionKey, outputs: &mut Outputs) {
        if planted!(PresenceIsNotTold) {
            return;
        }
        let Some(state) = self.pairs.state(key) else { return };
        let Some((match_id, partner)) = self.pairs.present_match(state) else { return };
        let is_here = self.sessions.get(partner).is_some_and(|partner| match partner.link {
            Link::Attached(_) | Link::Elsewhere { .. } => true,
            Link::Detached { .. } => false,
        });
        if is_here {
            self.say(key, ServerMessage::PartnerBack { match_id, grace_ms: 0 }, outputs);
        }
    }

    pub(crate) fn online_for_clients(&self) -> u32 {
        u32::try_from(self.sessions.online() + self.peers.online()).unwrap_or(u32::MAX)
    }
}

impl Pairs {
    /// What the tokens of a session say of mail that lies elsewhere.
    pub(crate) fn heard(&self, session: SessionId) -> Vec<Heard> {
        self.believed.get(&session).map(|believed| believed.heard.clone()).unwrap_or_default()
    }

    pub(crate) fn note_asked(&mut self, session: SessionId) {
        if let Some(believed) = self.believed.get_mut(&session) {
            believed.unasked = None;
        }
    }

    pub(crate) fn remember_heard(&mut self, session: SessionId, heard: Vec<Heard>) {
        if heard.is_empty() {
            self.believed.remove(&session);
        } else {
            self.believed.insert(session, Believed { heard, unasked: None });
        }
    }

    pub(crate) fn forget_belief(&mut self, session: SessionId) {
        self.believed.remove(&session);
    }

    pub(crate) fn last_match_id(&self, key: SessionKey) -> Option<MatchId> {
        self.participants.get(key).and_then(Participant::last_match).map(|(id, _)| id)
    }

    pub(crate) fn kept_of(&self, key: SessionKey) -> Kept {
        self.participants.get(key).map_or(Kept::default(), Participant::kept)
    }
}
