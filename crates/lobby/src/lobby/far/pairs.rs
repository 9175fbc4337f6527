//! Matches with a side on another node: what is carried there and back, and what becomes of them when that node, or the
//! way to it, is lost.

use super::{FarSeat, Lobby, NodeId, sorted};
use crate::ids::{MatchKey, SessionId, SessionKey, Side};
use crate::nodes::{Carried, Presence, Request, Say};
use crate::planted::planted;
use crate::session::{Link, Origin};
use crate::{Outputs, Span};
use visavis_protocol::{Kind, LeftReason, MatchId, ServerMessage};

/// How long a node may not know yet that it has one side of a match.
const YOUNG: Span = Span::from_secs(1);

impl Lobby {
    pub(super) fn on_carry(&mut self, node: NodeId, id: MatchId, carried: Carried, outputs: &mut Outputs) {
        let Some(far) = self.seat_at(id, node, outputs) else {
            if planted!(UnknownSignalsAreNotAnswered) {
                return;
            }
            return self.tell(node, Say::Left { id, reason: LeftReason::Lost }, outputs);
        };
        let Some(present) = self.matches.get_mut(far.key) else { return };
        present.seat_mut(far.side).alive = true;
        present.connected |= present.kind == Kind::Text && matches!(carried, Carried::Message(_));
        let partner = present.seat(far.side.other()).session;
        match carried {
            Carried::Found(_) | Carried::Left { .. } => debug_assert!(false, "not carried in a match"),
            carried => {
                let message = carried.message(id);
                self.sessions.note_queued(partner, far.session, &message);
                self.say(partner, message, outputs);
            }
        }
    }

    /// The far side of a match, if it is at this node. A node that speaks of a match whose side was lost has it again.
    fn seat_at(&mut self, id: MatchId, node: NodeId, outputs: &mut Outputs) -> Option<FarSeat> {
        let far = self.far_seat(id)?;
        match far.node {
            Some(at) if at == node => Some(far),
            Some(_) => None,
            None => {
                self.relink(far, node, Presence::WasHere, outputs);
                Some(FarSeat { node: Some(node), ..far })
            }
        }
    }

    /// While no node can be reached handshakes with others are not waited for; calls go on.
    pub(super) fn watch_handshakes(&mut self) {
        let Some(shut_at) = self.far.shut_at() else { return };
        for id in sorted(self.far.matches.keys()) {
            if let Some(far) = self.far_seat(id).filter(|far| far.node.is_some())
                && !self.is_connected(far.key)
            {
                self.schedule_match(far.key, shut_at);
            }
        }
    }

    /// The other node learns that the match is a real one.
    pub(in crate::lobby) fn tell_connected(&mut self, key: MatchKey, outputs: &mut Outputs) {
        if let Some(FarSeat { node: Some(node), .. }) = self.far_seat_of(key)
            && let Some(present) = self.matches.get(key)
        {
            self.tell(node, Say::Connected { id: present.id }, outputs);
        }
    }

    pub(super) fn on_far_connected(&mut self, node: NodeId, id: MatchId) {
        if let Some(far) = self.far_seat(id).filter(|far| far.node == Some(node))
            && let Some(present) = self.matches.get_mut(far.key)
        {
            present.connected = true;
            present.seat_mut(far.side).alive = true;
        }
    }

    pub(super) fn on_left(&mut self, node: NodeId, id: MatchId, reason: LeftReason, outputs: &mut Outputs) {
        match self.far_seat(id).filter(|_| self.speaks_for(node, id)) {
            Some(far) => self.forget(far.session, reason, outputs),
            None => self.on_release(node, id, outputs),
        }
    }

    /// Ends a match whose far side is no use any more; its node is told.
    pub(in crate::lobby) fn dissolve_far(&mut self, proxy: SessionKey, outputs: &mut Outputs) {
        self.tell_its_node(proxy, outputs);
        self.forget(proxy, LeftReason::Lost, outputs);
    }

    /// Tells the node where a session is that its match with one of ours is over; nobody, if it is not elsewhere.
    pub(super) fn tell_its_node(&mut self, proxy: SessionKey, outputs: &mut Outputs) {
        let Some(session) = self.sessions.get(proxy) else { return };
        if let Some(node) = session.node()
            && let Some(id) = self.state(proxy).and_then(|state| self.present_match_id(state))
        {
            self.tell(node, Say::Left { id, reason: LeftReason::Lost }, outputs);
        }
    }

    /// Removes a proxy whose match has ended.
    pub(in crate::lobby) fn discard_proxy(&mut self, proxy: SessionKey) {
        if let Some(session) = self.remove_participant(proxy) {
            self.far.believed.remove(&session.id);
        }
    }

    /// The partner's node is gone. Its visitor may come back elsewhere, if it can.
    pub(super) fn on_partners_node_gone(&mut self, id: MatchId, node: NodeId, outputs: &mut Outputs) {
        let Some(far) = self.far_seat(id).filter(|far| far.node == Some(node)) else { return };
        if planted!(ProxiesOfTheDeadStay) {
            return;
        }
        let until = self.sessions.now + self.config.grace;
        let Some(session) = self.sessions.get(far.session) else { return };
        if session.identity.as_ref().is_none_or(|identity| identity.origin == Origin::Fleeting) {
            return self.forget(far.session, LeftReason::Lost, outputs);
        }
        self.sessions.keep_until(far.session, until);
        let grace_ms = self.config.grace.as_millis_ceil();
        self.tell_partner(far.key, far.side, outputs, |match_id| ServerMessage::PartnerReconnecting {
            match_id,
            grace_ms,
        });
        self.ask_where_partner_is(id, outputs);
    }

    /// Says where our side of a match is, and asks where the other is.
    pub(in crate::lobby) fn ask_where_partner_is(&mut self, id: MatchId, outputs: &mut Outputs) {
        if let Some(far) = self.far_seat(id)
            && self.far.is_near()
        {
            let ttl = Span::from_micros(2 * self.config.half_pair_grace.as_micros());
            outputs.ask(Request::Meet { match_id: id, side: far.side.other().into(), ttl });
        }
    }

    pub(super) fn ask_where_partners_are(&mut self, outputs: &mut Outputs) {
        let awaited = self
            .far
            .matches
            .iter()
            .filter(|(_, far)| self.far_seat_of(far.key).is_some_and(|far| far.node.is_none()));
        for id in sorted(awaited.map(|(id, _)| id)) {
            self.ask_where_partner_is(id, outputs);
        }
    }

    pub(super) fn on_met(&mut self, id: MatchId, node: Option<NodeId>, outputs: &mut Outputs) {
        let Some(node) = node.filter(|node| self.far.me != Some(*node)) else { return };
        if let Some(far) = self.far_seat(id).filter(|far| far.node.is_none()) {
            self.rejoin(far, id, node, Presence::WasHere, outputs);
        }
    }

    /// Tells another node that our side of a match is here.
    pub(super) fn rejoin(
        &mut self,
        far: FarSeat,
        id: MatchId,
        node: NodeId,
        back: Presence,
        outputs: &mut Outputs,
    ) {
        let side = far.side.other();
        let Some(present) = self.matches.get(far.key) else { return };
        let session = self.sessions.id(present.seat(side).session);
        self.tell(node, Say::Rejoin { id, side, session, back }, outputs);
    }

    pub(super) fn on_rejoin(
        &mut self,
        node: NodeId,
        id: MatchId,
        side: Side,
        session: SessionId,
        back: Presence,
        outputs: &mut Outputs,
    ) {
        let known =
            self.far_seat(id).filter(|far| far.side == side && self.sessions.id(far.session) == session);
        let Some(far) = known else {
            self.reclaim_if_here(node, session, outputs);
            return self.tell(node, Say::Left { id, reason: LeftReason::Lost }, outputs);
        };
        self.tell(node, Say::Rejoined { id }, outputs);
        self.relink(far, node, back, outputs);
    }

    pub(super) fn on_rejoined(&mut self, node: NodeId, id: MatchId, outputs: &mut Outputs) {
        match self.far_seat(id) {
            Some(far) if far.node.is_none_or(|at| at == node) => {
                self.relink(far, node, Presence::WasHere, outputs);
            }
            Some(_) => {}
            // Ours has left since it asked.
            None => self.tell(node, Say::Left { id, reason: LeftReason::Lost }, outputs),
        }
    }

    /// The far side of a match is at this node, from now on.
    pub(super) fn relink(&mut self, far: FarSeat, node: NodeId, back: Presence, outputs: &mut Outputs) {
        let now = self.sessions.now;
        let Some(was) = self.sessions.move_to(far.session, node) else { return };
        let missed = self.sessions.take_missed(far.session, 0);
        if let Some(present) = self.matches.get_mut(far.key) {
            present.seat_mut(far.side).alive = true;
            let id = present.id;
            self.note_far(id, far.key, Some(node));
        }
        match (was, back) {
            (Link::Detached { until }, _) => self.tell_back(far.session, until.since(now), outputs),
            (Link::Attached(_) | Link::Elsewhere { .. }, Presence::WasAway) => {
                self.tell_back(far.session, Span::ZERO, outputs);
            }
            (Link::Attached(_) | Link::Elsewhere { .. }, Presence::WasHere) => {}
        }
        for message in missed {
            self.say(far.session, message, outputs);
        }
    }

    /// Frames of a node were lost. A handshake that may miss one is not worth waiting for; calls go on.
    pub(super) fn on_gap(&mut self, node: NodeId, outputs: &mut Outputs) {
        if planted!(GapsAreIgnored) {
            return;
        }
        for id in self.matches_with(node) {
            if let Some(far) = self.far_seat(id)
                && !self.is_connected(far.key)
            {
                self.dissolve_far(far.session, outputs);
            }
        }
        self.sync_with(node, outputs);
    }

    /// Compares notes with a node: what it has lost, or we have, ends. A match whose far side is nobody knows where may
    /// be one with it.
    pub(super) fn sync_with(&mut self, node: NodeId, outputs: &mut Outputs) {
        self.ask_for_what_is_left(node, outputs);
        let concerns = |id: &&MatchId| {
            let last = self.far.matches.get(id).and_then(|far| far.last);
            let is_awaited = last.is_none() && self.far_seat(**id).is_some_and(|far| far.node.is_none());
            is_awaited || self.speaks_for(node, **id)
        };
        let matches = sorted(self.far.matches.keys().filter(concerns));
        // To say that there are none is of use, too: to a node that remembers some.
        self.tell(node, Say::Sync { matches }, outputs);
    }

    pub(super) fn on_sync(&mut self, node: NodeId, theirs: &[MatchId], outputs: &mut Outputs) {
        self.ask_for_what_is_left(node, outputs);
        for id in self.matches_with(node) {
            let Some(far) = self.far_seat(id) else { continue };
            if theirs.contains(&id) || planted!(MissingMatchesStay) {
                continue;
            }
            let is_old =
                self.far.matches.get(&id).is_some_and(|known| known.since + YOUNG <= self.sessions.now);
            if is_old {
                self.forget(far.session, LeftReason::Lost, outputs);
            } else {
                // Perhaps it was said before the node had heard of it. What it answers to this comes after that.
                self.rejoin(far, id, node, Presence::WasHere, outputs);
            }
        }
        for id in theirs {
            match self.far_seat(*id) {
                Some(far) if far.node.is_none() || self.speaks_for(node, *id) => {
                    self.rejoin(far, *id, node, Presence::WasHere, outputs);
                }
                Some(_) => {}
                None if self.far.reservations.contains_key(id) => {}
                None if planted!(UnknownMatchesAreNotDenied) => {}
                None => self.tell(node, Say::Left { id: *id, reason: LeftReason::Lost }, outputs),
            }
        }
    }
}
