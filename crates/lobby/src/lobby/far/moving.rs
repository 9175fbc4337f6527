//! Sessions that resume on another node than the one that holds them.
//!
//! Where a token of another node is presented, three are asked in turn: the meeting place, whether the token is used up
//! and who resumed the session last; that node, if it lives, to hand the session over, which closes its old socket;
//! and, if nobody has it, the token itself, as after a restart. Meanwhile what the client says waits.
//! What always holds: a node that hands over has forgotten the session before the other one has it. With nobody to ask,
//! the rules are those of a restart: the highest generation that a node has seen wins there.

use super::{Lobby, NodeId};
use crate::counters::RateLimit;
use crate::ids::{ConnectionId, MatchKey, SessionId, SessionKey, Side};
use crate::lobby::Due;
use crate::lobby::resume::Resumption;
use crate::matches::{Match, Seat};
use crate::nodes::{Carried, Marked, Partner, Place, Presence, Request, Say, Standing};
use crate::participants::{Participant, State};
use crate::planted::planted;
use crate::session::{Link, Origin, Said};
use crate::tokens::{Claims, Kept, Opened};
use crate::{Outputs, Span, Time};
use std::collections::VecDeque;
use visavis_protocol::{ClientMessage, LeftReason, MatchId, ServerMessage};

/// How long each of those who are asked has to answer.
const PATIENCE: Span = Span::from_secs(1);

/// How long a session that was handed over may go without a word of the node that got it.
const HANDED_OVER: Span = Span::from_secs(3);

/// What a client may say while others are asked.
const MAX_BACKLOG: usize = 32;
const MAX_BACKLOG_BYTES: usize = 64 * 1024;

/// A visitor whose session others are asked about.
#[derive(Debug)]
pub(in crate::lobby) struct Arrival {
    claims: Claims,
    /// Who sealed the token.
    sealed_by: NodeId,
    received: Option<u32>,
    /// The `hello`: a refusal is about that.
    said: Said,
    kept: Option<String>,
    step: Step,
    backlog: VecDeque<(Said, ClientMessage)>,
    pub(in crate::lobby) timer: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The meeting place is asked.
    Marking,
    /// The node that holds the session is.
    Reclaiming(NodeId),
}

impl Arrival {
    pub(super) fn waits_for(&self, node: NodeId) -> bool {
        self.step == Step::Reclaiming(node)
    }
}

impl Lobby {
    pub(in crate::lobby) fn ask_around(
        &mut self,
        fresh: SessionKey,
        opened: Opened,
        received: Option<u32>,
        outputs: &mut Outputs,
    ) {
        let Some(session) = self.sessions.get(fresh) else { return };
        let (Some(connection), said) = (session.connection(), session.said) else { return };
        let Opened { claims, boot, .. } = opened;
        outputs.ask(Request::Mark {
            connection,
            session: self.far.veil.session(claims.session),
            generation: claims.generation,
            ttl: self.config.token_ttl,
        });
        let mut timer = None;
        if !planted!(ArrivalsWaitForEver) {
            self.timers.set(&mut timer, Due::Arrival(connection), self.sessions.now + PATIENCE);
        }
        let arrival = Arrival {
            claims,
            sealed_by: NodeId::from_bytes(boot),
            received,
            said,
            kept: None,
            step: Step::Marking,
            backlog: VecDeque::new(),
            timer,
        };
        self.far.arrivals.insert(connection, arrival);
    }

    /// Whether others are still asked about a session: then what its client says has to wait.
    pub(in crate::lobby) fn is_arriving(
        &mut self,
        key: SessionKey,
        message: &ClientMessage,
        outputs: &mut Outputs,
    ) -> bool {
        if self.far.arrivals.is_empty() {
            return false;
        }
        let Some(session) = self.sessions.get(key) else { return false };
        let (Some(connection), said) = (session.connection(), session.said) else { return false };
        let Some(arrival) = self.far.arrivals.get_mut(&connection) else { return false };
        let waiting: usize = arrival.backlog.iter().map(|(_, message)| message.payload_bytes()).sum();
        if arrival.backlog.len() < MAX_BACKLOG && waiting + message.payload_bytes() <= MAX_BACKLOG_BYTES {
            arrival.backlog.push_back((said, message.clone()));
        } else {
            self.sessions.refuse_too_fast(key, RateLimit::Arrival, PATIENCE, outputs);
        }
        true
    }

    pub(in crate::lobby) fn forget_arrival(&mut self, connection: ConnectionId) -> Option<Arrival> {
        if self.far.arrivals.is_empty() {
            return None;
        }
        let mut arrival = self.far.arrivals.remove(&connection)?;
        self.timers.clear(&mut arrival.timer, Due::Arrival(connection));
        Some(arrival)
    }

    pub(in crate::lobby) fn on_arrival_due(&mut self, connection: ConnectionId, outputs: &mut Outputs) {
        if let Some(arrival) = self.far.arrivals.get_mut(&connection) {
            arrival.timer = None;
        }
        self.settle_arrival(connection, outputs);
    }

    pub(super) fn on_marked(&mut self, connection: ConnectionId, marked: Marked, outputs: &mut Outputs) {
        let Some(arrival) = self.far.arrivals.get_mut(&connection).filter(|a| a.step == Step::Marking) else {
            return;
        };
        // Who sealed the token has the session, or had it last. What the meeting place says may be older.
        let holder = arrival.sealed_by;
        match marked {
            Marked::Used => return self.turn_away(connection, outputs),
            Marked::Fresh { kept } => arrival.kept = kept,
        }
        if !self.far.knows(holder) {
            return self.settle_arrival(connection, outputs);
        }
        let Some(arrival) = self.far.arrivals.get_mut(&connection) else { return };
        arrival.step = Step::Reclaiming(holder);
        self.timers.set(&mut arrival.timer, Due::Arrival(connection), self.sessions.now + PATIENCE);
        let reclaim = Say::Reclaim {
            connection: connection.0,
            session: arrival.claims.session,
            generation: arrival.claims.generation,
            received: arrival.received,
        };
        self.tell(holder, reclaim, outputs);
    }

    /// Nobody has the session: only the token tells of it.
    pub(super) fn settle_arrival(&mut self, connection: ConnectionId, outputs: &mut Outputs) {
        let Some(mut arrival) = self.forget_arrival(connection) else { return };
        let Some(fresh) = self.sessions.at(connection) else { return };
        arrival.claims.kept = arrival.kept.as_deref().and_then(|kept| self.sessions.tokens.open_kept(kept));
        let opened = Opened { claims: arrival.claims, boot: arrival.sealed_by.to_bytes(), ours: false };
        let session = opened.claims.session;
        match self.believe(fresh, opened, arrival.received, outputs) {
            Resumption::Done => self.sessions.counters.resumed += 1,
            Resumption::Refused | Resumption::Pending => self.take_for_new(fresh, arrival.said, outputs),
        }
        self.look_for_partner_at(arrival.sealed_by, session, outputs);
        self.hear_backlog(connection, arrival.backlog, outputs);
    }

    /// Where a session was handed over, but never arrived, its partner may still be.
    fn look_for_partner_at(&mut self, node: NodeId, session: SessionId, outputs: &mut Outputs) {
        let known = self.sessions.known(session).and_then(|key| self.state(key));
        if let Some(id) = known.and_then(|state| self.present_match_id(state))
            && let Some(far) = self.far_seat(id).filter(|far| far.node.is_none())
            && self.far.knows(node)
        {
            self.rejoin(far, id, node, Presence::WasHere, outputs);
        }
    }

    fn turn_away(&mut self, connection: ConnectionId, outputs: &mut Outputs) {
        let Some(arrival) = self.forget_arrival(connection) else { return };
        let Some(fresh) = self.sessions.at(connection) else { return };
        self.sessions.note_spent(arrival.claims.session, arrival.claims.generation);
        self.take_for_new(fresh, arrival.said, outputs);
        self.hear_backlog(connection, arrival.backlog, outputs);
    }

    /// A visitor whose token brought nothing back.
    fn take_for_new(&mut self, fresh: SessionKey, hello: Said, outputs: &mut Outputs) {
        self.sessions.counters.not_resumed += 1;
        let Some(session) = self.sessions.get_mut(fresh) else { return };
        let last = std::mem::replace(&mut session.said, hello);
        let admitted = self.sessions.admit_without_token(fresh, outputs);
        if let Some(session) = self.sessions.get_mut(fresh) {
            session.said = last;
        }
        if admitted {
            self.identify(fresh);
            self.welcome(fresh, Some(false), outputs);
        }
    }

    fn hear_backlog(
        &mut self,
        connection: ConnectionId,
        backlog: VecDeque<(Said, ClientMessage)>,
        outputs: &mut Outputs,
    ) {
        for (said, message) in backlog {
            let Some(key) = self.sessions.at(connection) else { return };
            let Some(session) = self.sessions.get_mut(key) else { return };
            // An error is about the message that was said then.
            let last = std::mem::replace(&mut session.said, said);
            self.receive(key, message, outputs);
            if let Some(session) = self.sessions.at(connection).and_then(|key| self.sessions.get_mut(key)) {
                session.said = last;
            }
        }
    }

    /// Another node has a visitor whose session is here.
    pub(super) fn on_reclaim(
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
        let participant = self.participants.get(key)?;
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
        standing.place = match self.state(key)? {
            State::Idle { .. } => Place::Idle,
            State::Held { since, .. } => waited(since),
            State::Waiting { ticket } => self.take_ticket(ticket).map_or(Place::Idle, |t| waited(t.since)),
            State::Reserved { by } => {
                self.cancel_reservation(by, outputs).map_or(Place::Idle, |ticket| waited(ticket.since))
            }
            State::Matched { key: present, side } => {
                let (place, partner_is_here) = self.matched_place(present, side)?;
                if partner_is_here {
                    self.become_proxy(key, (present, side), to, back, outputs);
                    standing.place = place;
                    return Some(standing);
                }
                self.drop_match(present);
                place
            }
        };
        self.discard_proxy(key);
        Some(standing)
    }

    /// How a match looks to the node that takes one side of it over; and whether the other side stays here.
    fn matched_place(&self, key: MatchKey, side: Side) -> Option<(Place, bool)> {
        let present = self.matches.get(key)?;
        let other = self.sessions.get(present.seat(side.other()).session)?;
        let partner = self.partner_of(present.seat(side.other()).session).or_else(|| {
            // Awaited after a restart: its wishes are not known, so those of its partner stand for them.
            let ours = self.participants.get(present.seat(side).session)?;
            let wishes = ours.wishes.as_deref().cloned()?;
            Some(Partner { session: other.id, resumable: true, device: other.device, wishes })
        })?;
        let here = !other.is_known_by_hearsay();
        let place = Place::Matched {
            id: present.id,
            kind: present.kind,
            side,
            waited: present.formed.since(present.seat(side).since),
            connected: present.connected,
            partner,
            at: if here { self.far.me } else { other.node() },
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
        let Some(id) = self.matches.get(present).map(|present| present.id) else { return };
        self.note_far(id, present, Some(node));
        if let Some(participant) = self.participants.get_mut(key) {
            participant.requeue = false;
        }
        if let Some(identity) = self.sessions.get_mut(key).and_then(|session| session.identity.as_mut()) {
            identity.origin = Origin::Awaited;
            identity.generation = 0;
        }
        if let Some(far) = self.far_seat(id) {
            // Its old link says whether it had been away.
            self.relink(far, node, back, outputs);
        }
        // What is handed over may not arrive: then nobody is there.
        if let Some(seats) = self.matches.get_mut(present) {
            seats.seat_mut(side).alive = false;
            self.schedule_match(present, self.sessions.now + HANDED_OVER);
        }
    }

    /// Takes a match apart that goes on elsewhere: neither side is told anything.
    fn drop_match(&mut self, key: MatchKey) {
        let Some(mut dropped) = self.matches.remove(key) else { return };
        self.timers.clear(&mut dropped.timer, Due::Match(key));
        self.far.matches.remove(&dropped.id);
        *self.gauges.matches.of(dropped.kind) -= 1;
        for session in [dropped.initiator.session, dropped.responder.session] {
            self.discard_proxy(session);
        }
    }

    pub(super) fn on_handover(
        &mut self,
        node: NodeId,
        connection: ConnectionId,
        session: Option<SessionId>,
        standing: Option<Box<Standing>>,
        outputs: &mut Outputs,
    ) {
        if !self.far.arrivals.get(&connection).is_some_and(|arrival| arrival.waits_for(node)) {
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
            self.part_if_blocked(key, outputs);
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
            self.note_asked(session);
            self.sessions.known(session)
        });
        let Place::Matched { id, side, partner, at: Some(at), .. } = standing.place else { return };
        match self.far_seat(id) {
            // The two halves meet.
            Some(far) if far.side == side.other() && self.sessions.id(far.session) == partner.session => {
                // Also where they have met already: who handed this over may have spoken for it meanwhile.
                self.rejoin(far, id, far.node.unwrap_or(at), Presence::WasHere, outputs);
            }
            Some(_) => {}
            None if self.far.me == Some(at) => {}
            None => {
                if let Some(session) = session {
                    self.leave_after_handover(at, id, (side, session), outputs);
                }
            }
        }
        if let Some(ours) = ours
            && self.state(ours).and_then(|state| self.present_match_id(state)) == Some(id)
        {
            for signal in standing.missed.into_iter().filter(Carried::is_signal) {
                self.say(ours, signal.message(id), outputs);
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
        let present = known.and_then(|known| self.present_match_id(self.state(known)?));
        // As the partner of one of ours it is known already; or it is left here from an earlier visit.
        let proxy = known.filter(|_| present.is_some() && present == taken_over);
        let mut kept = Kept { recent, blocked };
        let mut missed_here = Vec::new();
        let mut is_over = false;
        if let Some(proxy) = proxy {
            let heard = if self.sessions.is_known_by_hearsay(proxy) {
                0
            } else {
                self.heard_here(proxy, &claims.heard)
            };
            missed_here = self.sessions.take_missed(proxy, heard);
        } else if let Some(left) = known {
            is_over = taken_over.is_some() && taken_over == self.last_match_id(left);
            kept = kept.with(Some(self.drop_left(left, outputs)));
        }
        let key = match proxy {
            Some(known) => {
                self.take_over(fresh, known, claims.generation, outputs);
                known
            }
            None => fresh,
        };
        self.become_restored(key, id, claims.generation, requeue, wishes);
        if let Some(session) = self.sessions.get_mut(key) {
            session.device = device.or(claims.device).or(session.device);
        }
        if let Some(participant) = self.participants.get_mut(key) {
            participant.remember_last_match(last_match);
            participant.remember(kept.recent, kept.blocked, self.config.recent_partners);
        }
        self.remember_heard(id, claims.heard.clone());
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
                self.hold_place(key, self.sessions.now - waited);
                self.welcome_with(key, missed, outputs);
                self.search_again(key, self.sessions.now - waited, outputs);
            }
            Place::Matched { id, at, .. } if proxy.is_some() => {
                self.note_both_are_here(id);
                self.welcome_with(key, missed, outputs);
                if back == Presence::WasAway {
                    self.tell_back(key, Span::ZERO, outputs);
                }
                if at.is_none() {
                    self.tell_partner_is_here(key, outputs);
                }
            }
            Place::Matched { id, at, side, partner, .. }
                if is_over || self.far.me == at || self.is_attached_here(partner.session) =>
            {
                // Its partner was here, and has left meanwhile.
                if let Some(at) = at.filter(|_| self.far.me != at) {
                    self.leave_after_handover(at, id, (side, claims.session), outputs);
                }
                if requeue {
                    self.hold_place(key, self.sessions.now);
                }
                self.welcome_with(key, missed, outputs);
                self.tell_match_is_over(key, id, outputs);
            }
            Place::Matched { id, kind, side, waited, connected, partner, at } => {
                let link = match at {
                    Some(node) => Link::Elsewhere { node },
                    None => Link::Detached { until: self.sessions.now + self.config.half_pair_grace },
                };
                let proxy = self.admit_proxy(partner, link, outputs);
                let ours = Seat {
                    session: key,
                    since: self.sessions.now - waited,
                    candidates: 0,
                    reported: false,
                    alive: true,
                };
                let theirs = Seat {
                    session: proxy,
                    since: self.sessions.now,
                    candidates: 0,
                    reported: false,
                    alive: true,
                };
                let (initiator, responder) = match side {
                    Side::Initiator => (ours, theirs),
                    Side::Responder => (theirs, ours),
                };
                let formed = self.sessions.now;
                let present = Match { id, kind, formed, connected, initiator, responder, timer: None };
                self.seat(present, at, [(key, side), (proxy, side.other())]);
                self.welcome_with(key, missed, outputs);
                match at {
                    Some(at) if at == from => self.tell(from, Say::Committed { id }, outputs),
                    Some(at) => {
                        if let Some(far) = self.far_seat(id) {
                            self.rejoin(far, id, at, back, outputs);
                        }
                    }
                    None => self.ask_where_partner_is(id, outputs),
                }
            }
        }
    }

    /// A partner on a node that is not there (any more) is awaited: nobody would ever say that it is lost.
    fn without_the_gone(&self, mut place: Place) -> Place {
        if let Place::Matched { at, .. } = &mut place {
            *at = at.filter(|node| self.far.me == Some(*node) || self.far.knows(*node));
        }
        place
    }

    /// Forgets that a side of a match was elsewhere, if none is.
    fn note_both_are_here(&mut self, id: MatchId) {
        if self.far_seat(id).is_none() {
            self.far.matches.remove(&id);
        }
    }

    fn is_attached_here(&self, session: SessionId) -> bool {
        let known = self.sessions.known(session).and_then(|known| self.sessions.get(known));
        known.is_some_and(|known| known.connection().is_some())
    }

    fn welcome_with(&mut self, key: SessionKey, missed: Vec<ServerMessage>, outputs: &mut Outputs) {
        self.welcome(key, Some(true), outputs);
        for message in missed {
            self.sessions.say_again(key, message, outputs);
        }
    }

    /// Leaves word of a session for whoever resumes it when this node is gone. Best effort.
    pub(in crate::lobby) fn note_session(&mut self, key: SessionKey, outputs: &mut Outputs) {
        if !self.far.is_near() {
            return;
        }
        let Some(session) = self.sessions.get(key) else { return };
        let Some(identity) =
            session.identity.as_ref().filter(|identity| !identity.origin.is_known_by_hearsay())
        else {
            return;
        };
        let (tag, generation) = (self.far.veil.session(session.id), identity.generation);
        let participant = self.participants.get(key);
        let kept = participant.filter(|known| known.acquaintances().is_some()).map(Participant::kept);
        let kept = kept.and_then(|kept| self.sessions.tokens.seal_kept(&kept));
        outputs.ask(Request::Note { session: tag, generation, kept, ttl: self.config.token_ttl });
    }
}
