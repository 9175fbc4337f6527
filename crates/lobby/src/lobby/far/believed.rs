//! Sessions that were resumed by nothing but their token, since nobody could be asked; and what is left of them where
//! they were before.
//!
//! A node that lost sight of the others believes the token of a visitor whose session another node still holds. That one
//! knows nothing of it, and keeps what is left: a place, a seat, mail. When the visitor comes back there, its token is
//! newer than what is left, and tells how much of that mail was heard. When the nodes see each other again, the one that
//! believed asks for what is left, and both halves of a pair find together.

use super::{Lobby, NodeId};
use crate::Outputs;
use crate::ids::{SessionId, SessionKey};
use crate::lobby::resume::Resumption;
use crate::nodes::Say;
use crate::participants::{Participant, State};
use crate::planted::planted;
use crate::session::Link;
use crate::tokens::{Claims, Heard, Kept, MatchClaim, PlaceClaim};
use std::sync::Arc;
use visavis_protocol::{LeftReason, MatchId, ServerMessage};

/// What a session owes to nothing but its token.
#[derive(Debug)]
pub(in crate::lobby) struct Believed {
    heard: Vec<Heard>,
    /// Who sealed the token, until it was asked.
    unasked: Option<NodeId>,
}

impl Lobby {
    /// What the tokens of a session say of mail that lies elsewhere.
    pub(in crate::lobby) fn heard(&self, session: SessionId) -> Vec<Heard> {
        self.far.believed.get(&session).map(|believed| believed.heard.clone()).unwrap_or_default()
    }

    /// Notes that what a token says counts from now on.
    pub(in crate::lobby) fn note_belief(&mut self, claims: &Claims) {
        // Of a node that is alone there is nothing left elsewhere.
        if self.far.me.is_none() {
            return;
        }
        let mut heard = claims.heard.clone();
        heard.extend(claims.heard_last());
        let surplus = heard.len().saturating_sub(Heard::MAX_KNOWN);
        heard.drain(..surplus);
        let unasked = claims.sealed_by.map(NodeId::from_bytes).filter(|node| !self.is_superseded(*node));
        self.far.believed.insert(claims.session, Believed { heard, unasked });
    }

    pub(super) fn note_asked(&mut self, session: SessionId) {
        if let Some(believed) = self.far.believed.get_mut(&session) {
            believed.unasked = None;
        }
    }

    pub(super) fn remember_heard(&mut self, session: SessionId, heard: Vec<Heard>) {
        if heard.is_empty() {
            self.far.believed.remove(&session);
        } else {
            self.far.believed.insert(session, Believed { heard, unasked: None });
        }
    }

    /// A visitor comes back to where it was before it went on elsewhere.
    pub(in crate::lobby) fn catch_up(
        &mut self,
        fresh: SessionKey,
        left: SessionKey,
        mut claims: Claims,
        outputs: &mut Outputs,
    ) -> Resumption {
        let goes_on = match (&claims.place, self.state(left)) {
            (PlaceClaim::Matched(claim), Some(State::Matched { key, side })) => {
                claim.side == side && self.matches.get(key).is_some_and(|present| present.id == claim.id)
            }
            // Over, and nobody could say so.
            (PlaceClaim::Matched(claim), _) => self.last_match_id(left) == Some(claim.id),
            (PlaceClaim::Idle | PlaceClaim::Waiting(_), _) => false,
        };
        let beyond_rebuilding = match &claims.place {
            PlaceClaim::Matched(MatchClaim { id, partner: None, .. }) => Some(*id),
            PlaceClaim::Matched(MatchClaim { partner: Some(_), .. })
            | PlaceClaim::Idle
            | PlaceClaim::Waiting(_) => None,
        };
        if !goes_on && beyond_rebuilding.is_none() {
            let kept = self.drop_left(left, outputs);
            claims.kept = Some(kept.with(claims.kept));
            return self.restore(fresh, claims, outputs);
        }
        let heard = self.heard_here(left, &claims.heard);
        self.note_belief(&claims);
        let kept = self.kept_of(left).with(claims.take_kept());
        self.remember_kept(left, Some(kept));
        if !goes_on {
            self.leave(left, LeftReason::Lost, outputs);
        }
        if let Some(session) = self.sessions.get_mut(left) {
            session.device = session.device.or(claims.device);
        }
        if let Some(participant) = self.participants.get_mut(left) {
            participant.requeue = claims.requeue;
            participant.wishes = claims.wishes.map(Arc::new).or(participant.wishes.take());
        }
        self.take_over(fresh, left, claims.generation, outputs);
        match beyond_rebuilding.filter(|_| !goes_on) {
            Some(id) => {
                self.welcome(left, Some(true), outputs);
                self.tell_match_is_over(left, id, outputs);
            }
            None => {
                self.greet_back(left, Some(heard), outputs);
                self.part_if_blocked(left, outputs);
                self.tell_partner_is_here(left, outputs);
            }
        }
        Resumption::Done
    }

    /// How much of the mail that is left here was heard.
    pub(super) fn heard_here(&self, left: SessionKey, heard: &[Heard]) -> u32 {
        let identity = self.sessions.get(left).and_then(|session| session.identity.as_ref());
        identity.map_or(0, |identity| Heard::of(heard, identity.generation))
    }

    pub(super) fn last_match_id(&self, key: SessionKey) -> Option<MatchId> {
        self.participants.get(key).and_then(Participant::last_match).map(|(id, _)| id)
    }

    /// Ends what is left of a session that went on elsewhere, and says whom it had met: its token does not know.
    pub(super) fn drop_left(&mut self, left: SessionKey, outputs: &mut Outputs) -> Kept {
        self.sessions.close_moved(left, outputs);
        let kept = self.kept_of(left);
        // Where it is itself, nobody else would say that its match is over.
        self.tell_its_node(left, outputs);
        self.leave(left, LeftReason::Lost, outputs);
        if let Some(session) = self.remove_participant(left) {
            self.forget_belief(session.id);
        }
        kept
    }

    pub(in crate::lobby) fn forget_belief(&mut self, session: SessionId) {
        self.far.believed.remove(&session);
    }

    fn kept_of(&self, key: SessionKey) -> Kept {
        self.participants.get(key).map_or(Kept::default(), Participant::kept)
    }

    /// The server that a visitor was at before may have told it that its stranger is away.
    pub(in crate::lobby) fn tell_partner_is_here(&mut self, key: SessionKey, outputs: &mut Outputs) {
        if planted!(PresenceIsNotTold) {
            return;
        }
        let Some(state) = self.state(key) else { return };
        let Some((match_id, partner)) = self.present_match(state) else { return };
        let is_here = self.sessions.get(partner).is_some_and(|partner| match partner.link {
            Link::Attached(_) | Link::Elsewhere { .. } => true,
            Link::Detached { .. } => false,
        });
        if is_here {
            self.say(key, ServerMessage::PartnerBack { match_id, grace_ms: 0 }, outputs);
        }
    }

    /// Asks a node that is seen again for what it still holds of sessions that went on here; until it has answered, as it
    /// may not listen yet.
    pub(super) fn ask_for_what_is_left(&mut self, node: NodeId, outputs: &mut Outputs) {
        let unasked = self.far.believed.iter().filter(|(_, believed)| believed.unasked == Some(node));
        let mut asked: Vec<(SessionId, Heard)> = unasked
            .filter_map(|(session, believed)| believed.heard.last().map(|heard| (*session, *heard)))
            .collect();
        asked.sort_unstable_by_key(|(session, _)| *session);
        for (session, Heard { generation, messages }) in asked {
            self.reclaim(node, session, generation, Some(messages), outputs);
        }
    }

    /// Two nodes believed the same token, and one of them has the visitor: what the other holds is left over.
    pub(super) fn reclaim_if_here(&mut self, node: NodeId, session: SessionId, outputs: &mut Outputs) {
        let known = self.sessions.known(session).and_then(|key| self.sessions.get(key));
        let here = known.filter(|known| known.connection().is_some());
        if let Some(generation) = here.and_then(|known| known.identity.as_ref()).map(|known| known.generation)
        {
            self.reclaim(node, session, generation, None, outputs);
        }
    }

    /// Asks a node for what it holds of a session that is here; no socket waits for the answer.
    fn reclaim(
        &mut self,
        node: NodeId,
        session: SessionId,
        generation: u32,
        received: Option<u32>,
        outputs: &mut Outputs,
    ) {
        let connection = u64::MAX;
        self.tell(node, Say::Reclaim { connection, session, generation, received }, outputs);
    }
}
