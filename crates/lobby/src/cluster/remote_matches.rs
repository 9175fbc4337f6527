//! Matches with a side on another node: what is carried there and back, and what becomes of them when that node, or the
//! way to it, is lost.

use super::Cluster;
use crate::ids::{NodeId, SessionId, Side, sorted};
use crate::nodes::{Carried, Presence, Say};
use crate::pairing::FarSeat;
use crate::planted::planted;
use crate::session::Origin;
use crate::{Outputs, Span};
use visavis_protocol::{Kind, LeftReason, MatchId, ServerMessage};

/// How long a node may not know yet that it has one side of a match.
const YOUNG: Span = Span::from_secs(1);

impl Cluster<'_> {
    pub(crate) fn on_carry(&mut self, node: NodeId, id: MatchId, carried: Carried, outputs: &mut Outputs) {
        let Some(far) = self.seat_at(id, node, outputs) else {
            if planted!(UnknownSignalsAreNotAnswered) {
                return;
            }
            return self.tell(node, Say::Left { id, reason: LeftReason::Lost }, outputs);
        };
        let Some(present) = self.pairs.matches.get_mut(far.key) else { return };
        present.seat_mut(far.side).alive = true;
        present.connected |= present.kind == Kind::Text && matches!(carried, Carried::Message(_));
        let partner = present.seat(far.side.other()).session;
        match carried {
            Carried::Found(_) | Carried::Left { .. } => debug_assert!(false, "not carried in a match"),
            carried => {
                let message = carried.message(id);
                self.pairs.note_written(far.key, far.side, &message);
                self.sessions.note_queued(partner, far.session, &message);
                self.pairing().say(partner, message, outputs);
            }
        }
    }

    /// The far side of a match, if it is at this node. A node that speaks of a match whose side was lost has it again.
    fn seat_at(&mut self, id: MatchId, node: NodeId, outputs: &mut Outputs) -> Option<FarSeat> {
        let far = self.pairing().far_seat(id)?;
        match far.node {
            Some(at) if at == node => Some(far),
            Some(_) => None,
            None => {
                self.pairing().relink(far, node, Presence::WasHere, outputs);
                Some(FarSeat { node: Some(node), ..far })
            }
        }
    }

    pub(crate) fn on_far_connected(&mut self, node: NodeId, id: MatchId) {
        if let Some(far) = self.pairing().far_seat(id).filter(|far| far.node == Some(node))
            && let Some(present) = self.pairs.matches.get_mut(far.key)
        {
            present.connected = true;
            present.seat_mut(far.side).alive = true;
        }
    }

    /// A stranger who is away has not read yet what gives the address away.
    pub(crate) fn on_far_hides(&mut self, node: NodeId, id: MatchId) {
        if let Some(far) = self.pairing().far_seat(id).filter(|far| far.node == Some(node))
            && let Some(present) = self.pairs.matches.get(far.key)
            && let Some(partner) = self.sessions.get_mut(present.seat(far.side.other()).session)
            && let Some(identity) = &mut partner.identity
        {
            identity.replay.forget_addresses();
        }
    }

    pub(crate) fn on_left(&mut self, node: NodeId, id: MatchId, reason: LeftReason, outputs: &mut Outputs) {
        match self.pairing().far_seat(id).filter(|_| self.pairing().speaks_for(node, id)) {
            Some(far) => self.pairing().forget(far.session, reason, outputs),
            None => self.on_release(node, id, outputs),
        }
    }

    /// The partner's node is gone. Its visitor may come back elsewhere, if it can.
    pub(crate) fn on_partners_node_gone(&mut self, id: MatchId, node: NodeId, outputs: &mut Outputs) {
        let Some(far) = self.pairing().far_seat(id).filter(|far| far.node == Some(node)) else { return };
        if planted!(ProxiesOfTheDeadStay) {
            return;
        }
        let until = self.sessions.now + self.config.grace;
        let Some(session) = self.sessions.get(far.session) else { return };
        if session.identity.as_ref().is_none_or(|identity| identity.origin == Origin::Fleeting) {
            return self.pairing().forget(far.session, LeftReason::Lost, outputs);
        }
        self.sessions.keep_until(far.session, until);
        let grace_ms = self.config.grace.as_millis_ceil();
        self.pairing().tell_partner(far.key, far.side, outputs, |match_id| {
            ServerMessage::PartnerReconnecting { match_id, grace_ms }
        });
        self.pairing().ask_where_partner_is(id, outputs);
    }

    pub(crate) fn ask_where_partners_are(&mut self, outputs: &mut Outputs) {
        let awaited = self.pairs.remote.iter().filter(|(_, far)| {
            self.pairs.far_seat_of(self.sessions, far.key).is_some_and(|far| far.node.is_none())
        });
        for id in sorted(awaited.map(|(id, _)| id)) {
            self.pairing().ask_where_partner_is(id, outputs);
        }
    }

    pub(crate) fn on_met(&mut self, id: MatchId, node: Option<NodeId>, outputs: &mut Outputs) {
        let Some(node) = node.filter(|node| self.peers.me != Some(*node)) else { return };
        if let Some(far) = self.pairing().far_seat(id).filter(|far| far.node.is_none()) {
            self.rejoin(far, id, node, Presence::WasHere, outputs);
        }
    }

    /// Tells another node that our side of a match is here.
    pub(crate) fn rejoin(
        &mut self,
        far: FarSeat,
        id: MatchId,
        node: NodeId,
        back: Presence,
        outputs: &mut Outputs,
    ) {
        let side = far.side.other();
        let Some(present) = self.pairs.matches.get(far.key) else { return };
        let session = self.sessions.id(present.seat(side).session);
        self.tell(node, Say::Rejoin { id, side, session, back }, outputs);
    }

    pub(crate) fn on_rejoin(
        &mut self,
        node: NodeId,
        id: MatchId,
        side: Side,
        session: SessionId,
        back: Presence,
        outputs: &mut Outputs,
    ) {
        let known = self
            .pairing()
            .far_seat(id)
            .filter(|far| far.side == side && self.sessions.id(far.session) == session);
        let Some(far) = known else {
            self.reclaim_if_here(node, session, outputs);
            return self.tell(node, Say::Left { id, reason: LeftReason::Lost }, outputs);
        };
        self.tell(node, Say::Rejoined { id }, outputs);
        self.pairing().relink(far, node, back, outputs);
    }

    pub(crate) fn on_rejoined(&mut self, node: NodeId, id: MatchId, outputs: &mut Outputs) {
        match self.pairing().far_seat(id) {
            Some(far) if far.node.is_none_or(|at| at == node) => {
                self.pairing().relink(far, node, Presence::WasHere, outputs);
            }
            Some(_) => {}
            // Ours has left since it asked.
            None => self.tell(node, Say::Left { id, reason: LeftReason::Lost }, outputs),
        }
    }

    /// Frames of a node were lost. A handshake that may miss one is not worth waiting for; calls go on.
    pub(crate) fn on_gap(&mut self, node: NodeId, outputs: &mut Outputs) {
        if planted!(GapsAreIgnored) {
            return;
        }
        for id in self.pairing().matches_with(node) {
            if let Some(far) = self.pairing().far_seat(id)
                && !self.pairs.is_connected(far.key)
            {
                self.pairing().dissolve_far(far.session, outputs);
            }
        }
        self.sync_with(node, outputs);
    }

    /// Compares notes with a node: what it has lost, or we have, ends. A match whose far side is nobody knows where may
    /// be one with it.
    pub(crate) fn sync_with(&mut self, node: NodeId, outputs: &mut Outputs) {
        self.ask_for_what_is_left(node, outputs);
        let matches = self.pairing().matches_concerning(node);
        // To say that there are none is of use, too: to a node that remembers some.
        self.tell(node, Say::Sync { matches }, outputs);
    }

    pub(crate) fn on_sync(&mut self, node: NodeId, theirs: &[MatchId], outputs: &mut Outputs) {
        self.ask_for_what_is_left(node, outputs);
        for id in self.pairing().matches_with(node) {
            let Some(far) = self.pairing().far_seat(id) else { continue };
            if theirs.contains(&id) || planted!(MissingMatchesStay) {
                continue;
            }
            let is_old =
                self.pairs.remote.get(&id).is_some_and(|known| known.since + YOUNG <= self.sessions.now);
            if is_old {
                self.pairing().forget(far.session, LeftReason::Lost, outputs);
            } else {
                // Perhaps it was said before the node had heard of it. What it answers to this comes after that.
                self.rejoin(far, id, node, Presence::WasHere, outputs);
            }
        }
        for id in theirs {
            match self.pairing().far_seat(*id) {
                Some(far) if far.node.is_none() || self.pairing().speaks_for(node, *id) => {
                    self.rejoin(far, *id, node, Presence::WasHere, outputs);
                }
                Some(_) => {}
                None if self.pairs.reservations.contains_key(id) => {}
                None if planted!(UnknownMatchesAreNotDenied) => {}
                None => self.tell(node, Say::Left { id: *id, reason: LeftReason::Lost }, outputs),
            }
        }
    }
}
