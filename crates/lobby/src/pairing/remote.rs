//! Matches of which one side is on another node, or awaited: who is there, and how they are found.

use super::{Pairing, Pairs, Participant};
use crate::ids::{MatchKey, NodeId, SessionKey, Side, sorted};
use crate::matches::Match;
use crate::nodes::{Partner, Presence, Request, Say};
use crate::planted::planted;
use crate::session::{Link, Origin};
use crate::sessions::Sessions;
use crate::{Outputs, Span, Time};
use visavis_protocol::{LeftReason, MatchId};

#[derive(Clone, Copy, Debug)]
pub(crate) struct FarMatch {
    pub(crate) key: MatchKey,
    /// Where the far side is, or was last.
    pub(crate) last: Option<NodeId>,
    /// Since when that is known.
    pub(crate) since: Time,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct FarSeat {
    pub(crate) key: MatchKey,
    pub(crate) side: Side,
    pub(crate) session: SessionKey,
    /// Where it is; `None` while it is awaited.
    pub(crate) node: Option<NodeId>,
}

impl Pairing<'_> {
    pub(crate) fn note_far(&mut self, id: MatchId, key: MatchKey, last: Option<NodeId>) {
        self.pairs.remote.insert(id, FarMatch { key, last, since: self.sessions.now });
    }

    pub(crate) fn far_seat(&self, id: MatchId) -> Option<FarSeat> {
        self.pairs.far_seat_of(self.sessions, self.pairs.remote.get(&id)?.key)
    }

    /// Whether a node may speak for the far side of a match: it is there, or was last.
    pub(crate) fn speaks_for(&self, node: NodeId, id: MatchId) -> bool {
        let last = self.pairs.remote.get(&id).and_then(|far| far.last);
        self.far_seat(id).is_some_and(|far| far.node.or(last) == Some(node))
    }

    /// Ids of the matches with visitors of a node, in order.
    pub(crate) fn matches_with(&self, node: NodeId) -> Vec<MatchId> {
        let with_node = |far: &FarMatch| {
            self.pairs.far_seat_of(self.sessions, far.key).is_some_and(|far| far.node == Some(node))
        };
        sorted(self.pairs.remote.iter().filter(|(_, far)| with_node(far)).map(|(id, _)| id))
    }

    /// Matches that this node may know of: those whose far side it speaks for, and those whose far side is nobody knows where.
    pub(crate) fn matches_concerning(&self, node: NodeId) -> Vec<MatchId> {
        let concerns = |id: &&MatchId| {
            let last = self.pairs.remote.get(id).and_then(|far| far.last);
            let is_awaited = last.is_none() && self.far_seat(**id).is_some_and(|far| far.node.is_none());
            is_awaited || self.speaks_for(node, **id)
        };
        sorted(self.pairs.remote.keys().filter(concerns))
    }

    /// Puts a match with a far side in its place. Both sessions are idle.
    pub(crate) fn seat(&mut self, formed: Match, at: Option<NodeId>, sides: [(SessionKey, Side); 2]) {
        *self.pairs.gauges.matches.of(formed.kind) += 1;
        let id = formed.id;
        let half_way = formed.formed + self.config.sign_of_life.half();
        let watched = !(formed.initiator.alive && formed.responder.alive);
        let key = self.pairs.matches.insert(formed);
        self.note_far(id, key, at);
        for (session, side) in sides {
            self.transition_to_matched(session, key, side);
        }
        if watched {
            self.pairs.schedule_match(key, half_way);
        }
    }

    /// Makes a session for a visitor of another node. One of the same visitor in an older match ends.
    pub(crate) fn admit_proxy(&mut self, partner: Partner, link: Link, outputs: &mut Outputs) -> SessionKey {
        if let Some(known) = self.sessions.known(partner.session).filter(|_| !planted!(ProxiesStandTwice)) {
            // If it was ever here itself, that is long past: its socket, if one is left, must not stay without a session.
            self.drop_left(known, outputs);
        }
        let origin = if partner.resumable { Origin::Awaited } else { Origin::Fleeting };
        let key = self.sessions.insert_known_by_hearsay(partner.who(), link, origin);
        if let Some(identity) = self.sessions.get_mut(key).and_then(|session| session.identity.as_mut()) {
            identity.prefix = partner.prefix;
        }
        self.pairs.participants.insert(key, Participant::asking_for(partner.wishes));
        key
    }

    /// The far side of a match is at this node, from now on.
    pub(crate) fn relink(&mut self, far: FarSeat, node: NodeId, back: Presence, outputs: &mut Outputs) {
        let now = self.sessions.now;
        let Some(was) = self.sessions.move_to(far.session, node) else { return };
        let missed = self.sessions.take_missed(far.session, 0);
        if let Some(present) = self.pairs.matches.get_mut(far.key) {
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

    /// While no node can be reached handshakes with others are not waited for; calls go on.
    pub(crate) fn watch_handshakes(&mut self) {
        let Some(shut_at) = self.peers.shut_at() else { return };
        for id in sorted(self.pairs.remote.keys()) {
            if let Some(far) = self.far_seat(id).filter(|far| far.node.is_some())
                && !self.pairs.is_connected(far.key)
            {
                self.pairs.schedule_match(far.key, shut_at);
            }
        }
    }

    /// The other node learns that the match is a real one.
    pub(crate) fn tell_connected(&mut self, key: MatchKey, outputs: &mut Outputs) {
        if let Some(FarSeat { node: Some(node), .. }) = self.pairs.far_seat_of(self.sessions, key)
            && let Some(present) = self.pairs.matches.get(key)
        {
            self.tell(node, Say::Connected { id: present.id }, outputs);
        }
    }

    /// The other node forgets what gives the address of our visitor away, if its own has not read it yet.
    pub(crate) fn tell_hides(&mut self, key: MatchKey, outputs: &mut Outputs) {
        if let Some(FarSeat { node: Some(node), .. }) = self.pairs.far_seat_of(self.sessions, key)
            && let Some(present) = self.pairs.matches.get(key)
        {
            self.tell(node, Say::Hides { id: present.id }, outputs);
        }
    }

    /// Tells the node where a session is that its match with one of ours is over; nobody, if it is not elsewhere.
    pub(crate) fn tell_its_node(&mut self, proxy: SessionKey, outputs: &mut Outputs) {
        let Some(session) = self.sessions.get(proxy) else { return };
        if let Some(node) = session.node()
            && let Some(id) = self.pairs.state(proxy).and_then(|state| self.pairs.present_match_id(state))
        {
            self.tell(node, Say::Left { id, reason: LeftReason::Lost }, outputs);
        }
    }

    /// Ends a match whose far side is no use any more; its node is told.
    pub(crate) fn dissolve_far(&mut self, proxy: SessionKey, outputs: &mut Outputs) {
        self.tell_its_node(proxy, outputs);
        self.forget(proxy, LeftReason::Lost, outputs);
    }

    /// Removes a proxy whose match has ended.
    pub(crate) fn discard_proxy(&mut self, proxy: SessionKey) {
        if let Some(session) = self.remove_participant(proxy) {
            self.pairs.believed.remove(&session.id);
        }
    }

    /// Says where our side of a match is, and asks where the other is.
    pub(crate) fn ask_where_partner_is(&mut self, id: MatchId, outputs: &mut Outputs) {
        if let Some(far) = self.far_seat(id)
            && self.peers.is_near()
        {
            let ttl = Span::from_micros(2 * self.config.half_pair_grace.as_micros());
            outputs.ask(Request::Meet { match_id: id, side: far.side.other().into(), ttl });
        }
    }
}

impl Pairs {
    /// The side of a match that is known by hearsay.
    pub(crate) fn far_seat_of(&self, sessions: &Sessions, key: MatchKey) -> Option<FarSeat> {
        let present = self.matches.get(key)?;
        [Side::Initiator, Side::Responder].into_iter().find_map(|side| {
            let session = present.seat(side).session;
            let known = sessions.get(session)?;
            known.is_known_by_hearsay().then(|| FarSeat { key, side, session, node: known.node() })
        })
    }

    pub(crate) fn sessions_elsewhere(&self, sessions: &Sessions) -> usize {
        let elsewhere =
            |far: &&FarMatch| self.far_seat_of(sessions, far.key).is_some_and(|far| far.node.is_some());
        self.remote.values().filter(elsewhere).count()
    }

    /// How one of ours is presented to another node.
    pub(crate) fn partner_of(&self, sessions: &Sessions, key: SessionKey) -> Option<Partner> {
        let session = sessions.get(key)?;
        let prefix = self.prefix_of(session, sessions.now);
        let wishes = self.participants.get(key)?.wishes.as_deref().cloned()?;
        Some(Partner {
            session: session.id,
            resumable: session.is_resumable(),
            device: session.device,
            prefix,
            wishes,
        })
    }
}
