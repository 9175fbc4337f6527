//! Sessions that resume on another node than the one that holds them.
//!
//! What always holds: a node that hands over has forgotten the session before the other one has it. With nobody to ask,
//! the rules are those of a restart: the highest generation that a node has seen wins there.

use crate::ids::{ConnectionId, MatchKey, NodeId, SessionId, SessionKey, Side};
use crate::lobby::Lobby;
use crate::matches::{Match, Seat};
use crate::nodes::{Carried, Partner, Place, Presence, Say, Standing};
use crate::pairing::{Due, State};
use crate::peers::HANDED_OVER;
use crate::planted::planted;
use crate::session::{Link, Origin};
use crate::tokens::{Claims, Kept};
use crate::{Outputs, Span, Time};
use visavis_protocol::{LeftReason, MatchId, ServerMessage};

impl Lobby {
    /// Another node has a visitor whose session is here.
    pub(in crate::lobby) fn on_reclaim(
        &mut self,
        node: NodeId,
        connection: u64,
        session: SessionId,
        generation: u32,
        received: Option<u32>,
        outputs: &mut Outputs,
    ) {
        let standing = self.hand_over(node, session, generation, received, outputs).map(Box::new);
        self.tell(node, Say::Handover { connection, session: Some(session), standing }, outputs);
    }

    fn hand_over(
        &mut self,
        to: NodeId,
        session: SessionId,
        generation: u32,
        received: Option<u32>,
        outputs: &mut Outputs,
    ) -> Option<Standing> {
        let key = self.sessions.known(session)?;
        let known = self.sessions.get_mut(key)?;
        let participant = self.pairs.participants.get(key)?;
        let back = if known.connection().is_some() { Presence::WasHere } else { Presence::WasAway };
        let identity = known
            .identity
            .as_mut()
            .filter(|identity| !identity.origin.is_known_by_hearsay() && identity.generation <= generation)?;
        identity.replay.acknowledge(if planted!(MailIsHandedOverTwice) { 0 } else { received.unwrap_or(0) });
        let missed = identity.replay.take().filter(|_| !planted!(MailIsNotHandedOver));
        let missed = missed.filter_map(Carried::take).collect();
        let kept = participant.kept();
        let mut standing = Standing {
            wishes: participant.wishes.as_deref().cloned(),
            requeue: participant.requeue,
            place: Place::Idle,
            device: known.device,
            recent: kept.recent,
            blocked: kept.blocked,
            last_match: participant.last_match(),
            missed,
            taken: Some(known.said.nth),
            back,
        };
        let now = self.sessions.now;
        let waited = move |since: Time| Place::Waiting { waited: now.since(since) };
        self.sessions.counters.moved_out += 1;
        if !planted!(MovedSocketsStay) {
            self.sessions.close_moved(key, outputs);
        }
        standing.place = match self.pairs.state(key)? {
            State::Idle { .. } => Place::Idle,
            State::Held { since, .. } => waited(since),
            State::Waiting { ticket } => {
                self.pairing().take_ticket(ticket).map_or(Place::Idle, |t| waited(t.since))
            }
            State::Reserved { by } => self
                .pairing()
                .cancel_reservation(by, outputs)
                .map_or(Place::Idle, |ticket| waited(ticket.since)),
            State::Matched { key: present, side } => {
                let (place, partner_is_here) = self.matched_place(present, side)?;
                if partner_is_here {
                    self.become_proxy(key, (present, side), to, back, outputs);
                    standing.place = place;
                    return Some(standing);
                }
                if let Place::Matched { id, at: Some(partner), .. } = &place {
                    self.peers.watch_departure(*id, *partner, now);
                }
                self.drop_match(present);
                place
            }
        };
        self.pairing().discard_proxy(key);
        Some(standing)
    }

    /// How a match looks to the node that takes one side of it over; and whether the other side stays here.
    fn matched_place(&self, key: MatchKey, side: Side) -> Option<(Place, bool)> {
        let present = self.pairs.matches.get(key)?;
        let other = self.sessions.get(present.seat(side.other()).session)?;
        let partner =
            self.pairs.partner_of(&self.sessions, present.seat(side.other()).session).or_else(|| {
                // Awaited after a restart: its wishes are not known, so those of its partner stand for them.
                let ours = self.pairs.participants.get(present.seat(side).session)?;
                let wishes = ours.wishes.as_deref().cloned()?;
                Some(Partner {
                    session: other.id,
                    resumable: true,
                    device: other.device,
                    prefix: self.pairs.prefix_of(other, self.sessions.now),
                    wishes,
                })
            })?;
        let here = !other.is_known_by_hearsay();
        let place = Place::Matched {
            id: present.id,
            kind: present.kind,
            side,
            waited: present.formed.since(present.seat(side).since),
            connected: present.connected,
            partner,
            at: if here { self.peers.me } else { other.node() },
        };
        Some((place, here))
    }

    /// Whose session is on another node now stays here as its partner's partner.
    fn become_proxy(
        &mut self,
        key: SessionKey,
        (present, side): (MatchKey, Side),
        node: NodeId,
        back: Presence,
        outputs: &mut Outputs,
    ) {
        let Some(id) = self.pairs.matches.get(present).map(|present| present.id) else { return };
        self.pairing().note_far(id, present, Some(node));
        if let Some(participant) = self.pairs.participants.get_mut(key) {
            participant.requeue = false;
        }
        if let Some(identity) = self.sessions.get_mut(key).and_then(|session| session.identity.as_mut()) {
            identity.origin = Origin::Awaited;
            identity.generation = 0;
        }
        if let Some(far) = self.pairing().far_seat(id) {
            // Its old link says whether it had been away.
            self.pairing().relink(far, node, back, outputs);
        }
        // What is handed over may not arrive: then nobody is there.
        if let Some(seats) = self.pairs.matches.get_mut(present) {
            seats.seat_mut(side).alive = false;
            self.pairs.schedule_match(present, self.sessions.now + HANDED_OVER);
        }
    }

    /// Takes a match apart that goes on elsewhere: neither side is told anything.
    fn drop_match(&mut self, key: MatchKey) {
        let Some(mut dropped) = self.pairs.matches.remove(key) else { return };
        self.pairs.timers.clear(&mut dropped.timer, Due::Match(key));
        self.pairs.remote.remove(&dropped.id);
        *self.pairs.gauges.matches.of(dropped.kind) -= 1;
        for session in [dropped.initiator.session, dropped.responder.session] {
            self.pairing().discard_proxy(session);
        }
    }

    pub(in crate::lobby) fn on_handover(
        &mut self,
        node: NodeId,
        connection: ConnectionId,
        session: Option<SessionId>,
        standing: Option<Box<Standing>>,
        outputs: &mut Outputs,
    ) {
        if !self.arrivals.waiting.get(&connection).is_some_and(|arrival| arrival.waits_for(node)) {
            return self.on_late_handover(session, standing, outputs);
        }
        let Some(standing) = standing else { return self.turn_away(connection, outputs) };
        let Some(arrival) = self.forget_arrival(connection) else { return };
        let Some(fresh) = self.sessions.at(connection) else { return };
        self.sessions.counters.moved_in += 1;
        self.settle_in(fresh, &arrival.claims, node, *standing, outputs);
        self.sessions.counters.resumed += 1;
        if let Some(key) = self.sessions.at(connection) {
            // Its hello may have brought blocks that the other node did not know.
            self.pairing().part_if_blocked(key, outputs);
        }
        self.hear_backlog(connection, arrival.backlog, outputs);
    }

    /// What is left of a session that was believed meanwhile, or for which nobody waits any more. Its partner must not
    /// wait either.
    fn on_late_handover(
        &mut self,
        session: Option<SessionId>,
        standing: Option<Box<Standing>>,
        outputs: &mut Outputs,
    ) {
        let Some(standing) = standing else { return };
        let ours = session.and_then(|session| {
            self.pairs.note_asked(session);
            self.sessions.known(session)
        });
        let Place::Matched { id, side, partner, at: Some(at), .. } = standing.place else { return };
        match self.pairing().far_seat(id) {
            // The two halves meet.
            Some(far) if far.side == side.other() && self.sessions.id(far.session) == partner.session => {
                // Also where they have met already: who handed this over may have spoken for it meanwhile.
                self.cluster().rejoin(far, id, far.node.unwrap_or(at), Presence::WasHere, outputs);
            }
            Some(_) => {}
            None if self.peers.me == Some(at) => {}
            None => {
                if let Some(session) = session {
                    self.leave_after_handover(at, id, (side, session), outputs);
                }
            }
        }
        if let Some(ours) = ours
            && self.pairs.state(ours).and_then(|state| self.pairs.present_match_id(state)) == Some(id)
        {
            for signal in standing.missed.into_iter().filter(Carried::is_signal) {
                self.pairing().say(ours, signal.message(id), outputs);
            }
        }
    }

    /// Ends a match whose one side was handed over to this node and goes on nowhere. The partner's node believes it where it
    /// was before, and listens to nobody else: first it has to hear that it is here.
    fn leave_after_handover(
        &mut self,
        at: NodeId,
        id: MatchId,
        (side, session): (Side, SessionId),
        outputs: &mut Outputs,
    ) {
        self.tell(at, Say::Rejoin { id, side, session, back: Presence::WasHere }, outputs);
        self.tell(at, Say::Left { id, reason: LeftReason::Lost }, outputs);
    }

    /// Takes over what another node hands over.
    fn settle_in(
        &mut self,
        fresh: SessionKey,
        claims: &Claims,
        from: NodeId,
        standing: Standing,
        outputs: &mut Outputs,
    ) {
        let Standing { wishes, requeue, place, device, recent, blocked, last_match, missed, taken, back } =
            standing;
        let id = claims.session;
        let taken_over = match &place {
            Place::Matched { id, .. } => Some(*id),
            Place::Idle | Place::Waiting { .. } => None,
        };
        let known = self.sessions.known(id);
        let present = known.and_then(|known| self.pairs.present_match_id(self.pairs.state(known)?));
        // As the partner of one of ours it is known already; or it is left here from an earlier visit.
        let proxy = known.filter(|_| present.is_some() && present == taken_over);
        let mut kept = Kept { recent, blocked };
        let mut missed_here = Vec::new();
        let mut is_over = false;
        if let Some(proxy) = proxy {
            let heard = if self.sessions.is_known_by_hearsay(proxy) {
                0
            } else {
                self.pairing().heard_here(proxy, &claims.heard)
            };
            missed_here = self.sessions.take_missed(proxy, heard);
        } else if let Some(left) = known {
            is_over = taken_over.is_some() && taken_over == self.pairs.last_match_id(left);
            kept = kept.with(Some(self.pairing().drop_left(left, outputs)));
        }
        let key = match proxy {
            Some(known) => {
                self.pairing().take_over(fresh, known, claims.generation, outputs);
                known
            }
            None => fresh,
        };
        self.pairing().become_restored(key, id, claims.generation, requeue, wishes);
        if let Some(session) = self.sessions.get_mut(key) {
            session.device = device.or(claims.device).or(session.device);
        }
        if let Some(participant) = self.pairs.participants.get_mut(key) {
            participant.remember_last_match(last_match);
            participant.remember(kept.recent, kept.blocked, self.config.recent_partners);
        }
        self.pairs.remember_heard(id, claims.heard.clone());
        self.sessions.note_taken(key, taken);
        let of = match &place {
            Place::Matched { id, .. } => Some(*id),
            Place::Idle | Place::Waiting { .. } => last_match.map(|(id, _)| id),
        };
        let missed = missed.into_iter().map(|carried| carried.message(of.unwrap_or(MatchId::FOREIGN)));
        let missed: Vec<ServerMessage> = missed_here.into_iter().chain(missed).collect();
        match self.without_the_gone(place) {
            Place::Idle => self.welcome_with(key, missed, outputs),
            Place::Waiting { .. } if planted!(MovedFallOutOfLine) => self.welcome_with(key, missed, outputs),
            Place::Waiting { waited } => {
                let since = self.sessions.now - waited;
                self.pairing().hold_place(key, since);
                self.welcome_with(key, missed, outputs);
                self.pairing().search_again(key, since, outputs);
            }
            Place::Matched { id, at, .. } if proxy.is_some() => {
                self.note_both_are_here(id);
                self.welcome_with(key, missed, outputs);
                if back == Presence::WasAway {
                    self.pairing().tell_back(key, Span::ZERO, outputs);
                }
                if at.is_none() {
                    self.pairing().tell_partner_is_here(key, outputs);
                }
            }
            Place::Matched { id, at, side, partner, .. }
                if is_over || self.peers.me == at || self.is_attached_here(partner.session) =>
            {
                // Its partner was here, and has left meanwhile.
                if let Some(at) = at.filter(|_| self.peers.me != at) {
                    self.leave_after_handover(at, id, (side, claims.session), outputs);
                }
                if requeue {
                    let now = self.sessions.now;
                    self.pairing().hold_place(key, now);
                }
                self.welcome_with(key, missed, outputs);
                self.pairing().tell_match_is_over(key, id, outputs);
            }
            Place::Matched { id, kind, side, waited, connected, partner, at } => {
                let link = match at {
                    Some(node) => Link::Elsewhere { node },
                    None => Link::Detached { until: self.sessions.now + self.config.half_pair_grace },
                };
                let proxy = self.pairing().admit_proxy(partner, link, outputs);
                let ours = Seat {
                    session: key,
                    since: self.sessions.now - waited,
                    candidates: 0,
                    reported: false,
                    alive: true,
                };
                // A third node has yet to hear of the move, and to say so.
                let alive = at.is_none_or(|at| at == from);
                let since = self.sessions.now;
                let theirs = Seat { session: proxy, since, candidates: 0, reported: false, alive };
                let (initiator, responder) = match side {
                    Side::Initiator => (ours, theirs),
                    Side::Responder => (theirs, ours),
                };
                let formed = self.sessions.now;
                let present =
                    Match { id, kind, formed, connected, initiator, responder, timer: None, written: None };
                self.pairing().seat(present, at, [(key, side), (proxy, side.other())]);
                self.welcome_with(key, missed, outputs);
                match at {
                    Some(at) if at == from => self.tell(from, Say::Committed { id }, outputs),
                    Some(at) => {
                        if let Some(far) = self.pairing().far_seat(id) {
                            self.cluster().rejoin(far, id, at, back, outputs);
                        }
                    }
                    None => self.pairing().ask_where_partner_is(id, outputs),
                }
            }
        }
    }

    /// A partner on a node that is not there (any more) is awaited: nobody would ever say that it is lost.
    fn without_the_gone(&self, mut place: Place) -> Place {
        if let Place::Matched { at, .. } = &mut place {
            *at = at.filter(|node| self.peers.me == Some(*node) || self.peers.knows(*node));
        }
        place
    }

    /// Forgets that a side of a match was elsewhere, if none is.
    fn note_both_are_here(&mut self, id: MatchId) {
        if self.pairing().far_seat(id).is_none() {
            self.pairs.remote.remove(&id);
        }
    }

    fn is_attached_here(&self, session: SessionId) -> bool {
        let known = self.sessions.known(session).and_then(|known| self.sessions.get(known));
        known.is_some_and(|known| known.connection().is_some())
    }

    fn welcome_with(&mut self, key: SessionKey, missed: Vec<ServerMessage>, outputs: &mut Outputs) {
        self.pairing().welcome(key, Some(true), outputs);
        for message in missed {
            self.sessions.say_again(key, message, outputs);
        }
    }
}
