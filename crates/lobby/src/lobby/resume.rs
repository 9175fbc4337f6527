//! Sessions that outlive their sockets: `hello`, detaching, resuming, and rebuilding pairs after a restart.
//!
//! What always holds: within one process a token resumes at most once, and memory knows better than the token; of
//! tokens of an earlier process the highest generation wins, and a lower one closes nobody. A detached session keeps its
//! match or its place in line for a while, but nobody is given to it.
//!
//! What becomes of a token, first row that fits. Refused: the client starts afresh and hears `resumed: false`.
//!
//! | token | its session here | outcome |
//! |---|---|---|
//! | does not open, or expired | any | refused |
//! | of this process, or spent here | none | refused: the session has ended |
//! | of a lower generation | any | refused: a newer token was used |
//! | of this process, or this node is alone | known | [`Lobby::return_to`]: its place, and what it missed |
//! | of another process, other nodes answer | any | `ask_around`: they are asked first, then one of the rows below |
//! | of another process | none | [`Lobby::restore`]: as the token says; a match becomes half a pair that awaits its partner |
//! | of another process | awaited by its partner, same match | [`Lobby::arrive`]: the match goes on |
//! | of another process | awaited by its partner, other match | forgotten, then [`Lobby::restore`]: its own token knows better |
//! | of another process | known | `catch_up`: what happened elsewhere is added to what is known |

use super::{Due, Lobby};
use crate::acquaintances::Acquaintances;
use crate::admission::Admittance;
use crate::ids::{ConnectionId, DeviceId, PersonId, SessionId, SessionKey, Side};
use crate::matches::{Match, Seat};
use crate::participants::{Participant, State};
use crate::persons::Someone;
use crate::planted::planted;
use crate::replay::Replay;
use crate::session::{Identity, Link, Origin, Said, Session};
use crate::tokens::{Claims, Kept, MatchClaim, Opened, PlaceClaim};
use crate::{Limiting, Output, Outputs};
use std::sync::Arc;
use visavis_protocol::{
    CloseCode, ErrorCode, Hello, IceToken, LeftReason, Refusal, ResumeToken, ServerMessage, VERSION, Wishes,
};

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resumption {
    Done,
    /// Other nodes are asked first.
    Pending,
    /// Nothing happened.
    Refused,
}

/// What a session that has done nothing brings to the one that it turns out to be.
struct Shell {
    connection: ConnectionId,
    limiting: Limiting,
    said: Said,
    answers_ping: bool,
    hides_on_arrival: bool,
    device: Option<DeviceId>,
    blocked: Vec<PersonId>,
}

impl Lobby {
    pub(super) fn on_hello(&mut self, key: SessionKey, hello: Hello, outputs: &mut Outputs) {
        if hello.version != VERSION {
            let message = format!("version {} is not spoken here, only {VERSION}", hello.version);
            return self.refuse(key, Refusal::new(ErrorCode::UnsupportedVersion, message), outputs);
        }
        let asked = hello.resume.is_some();
        if asked && !self.is_untouched(key) {
            let message = "resume: only in the first message of a socket";
            return self.refuse(key, Refusal::new(ErrorCode::BadField, message), outputs);
        }
        self.note_greeting(key, &hello, outputs);
        if let Some(token) = hello.resume {
            match self.resume(key, &token, hello.received, outputs) {
                Resumption::Done => {
                    self.counters.resumed += 1;
                    return;
                }
                Resumption::Pending => return,
                Resumption::Refused => {
                    self.counters.not_resumed += 1;
                    if !self.admit_without_token(key, outputs) {
                        return;
                    }
                }
            }
        }
        self.identify(key);
        self.welcome(key, asked.then_some(false), outputs);
    }

    /// What a client says about itself and its blocks; the latter once, as opening handles costs something.
    fn note_greeting(&mut self, key: SessionKey, hello: &Hello, outputs: &mut Outputs) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.answers_ping = hello.answers_ping;
        if session.greeted {
            return;
        }
        session.greeted = true;
        let device = hello.device.as_ref().filter(|_| !planted!(DevicesAreForgotten));
        let device = device.map(|name| self.persons.device(name));
        session.device = session.device.or(device);
        let surplus = hello.blocks.len().saturating_sub(Acquaintances::MAX_BLOCKED);
        let handles = hello.blocks.iter().skip(surplus).filter(|_| !planted!(HandlesOpenNothing));
        let blocked: Vec<PersonId> = handles.filter_map(|handle| self.persons.open(handle)).collect();
        if session.device.is_none() && blocked.is_empty() {
            return;
        }
        let Some(participant) = self.participants.get_mut(key) else { return };
        participant.remember(Vec::new(), blocked, self.config.recent_partners);
        if let State::Waiting { ticket } = participant.state()
            && let Some(ticket) = self.take_ticket(ticket)
        {
            // It searched first: who fits may be somebody else now.
            self.enter_line(ticket, outputs);
        }
        self.part_if_blocked(key, outputs);
    }

    pub(super) fn identify(&mut self, key: SessionKey) {
        let enabled = self.tokens.are_enabled();
        if let Some(participant) = self.participants.get_mut(key) {
            participant.names_matches = true;
        }
        let Some(session) = self.sessions.get_mut(key) else { return };
        if enabled && session.identity.is_none() {
            session.identity = Some(Box::new(Identity::new(0, Origin::Here)));
            self.identities.insert(session.id, key);
        }
    }

    pub(super) fn welcome(&mut self, key: SessionKey, resumed: Option<bool>, outputs: &mut Outputs) {
        let match_id = self.state(key).and_then(|state| self.present_match_id(state));
        let identity = self.sessions.get_mut(key).and_then(|session| session.identity.as_mut());
        let received = identity.and_then(|identity| identity.taken_before.take());
        let message = ServerMessage::Welcome {
            version: VERSION,
            online: self.online_for_clients(),
            resume_token: self.mint(key),
            resumed,
            received: received.filter(|_| resumed == Some(true)),
            match_id,
            ice_token: self.ice_pass(),
        };
        let Some(session) = self.sessions.get_mut(key) else { return };
        if let Some(connection) = session.connection() {
            outputs.send(connection, message);
        }
        // Both sides count from here. Who hears this has heard all that came before it on the same socket, and what
        // came by another is said again behind it.
        if let Some(identity) = &mut session.identity {
            identity.sent = 0;
            identity.replay = Replay::default();
        }
    }

    /// For `GET /api/ice`, where only sessions are given relays.
    fn ice_pass(&mut self) -> Option<IceToken> {
        let now_unix_s = self.now.as_micros() / 1_000_000;
        self.config.ice_passes.as_ref()?.make(now_unix_s, self.passes.bytes())
    }

    /// The socket is gone without a word. Who can come back keeps what it has for a while.
    pub(super) fn detach(&mut self, key: SessionKey, outputs: &mut Outputs) {
        let Some(session) = self.sessions.get(key) else { return };
        let Some(connection) = session.connection() else { return };
        if session.identity.is_none() || !self.may_keep(key) {
            return self.forget(key, LeftReason::Lost, outputs);
        }
        let until = self.now + self.config.grace;
        match self.state(key) {
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
        self.connections.remove(&connection);
        if let Some(session) = self.sessions.get_mut(key) {
            session.link = Link::Detached { until };
            self.timers.set(&mut session.timer, Due::Session(key), until);
        }
    }

    /// Gives an earlier session the socket of `fresh`.
    fn resume(
        &mut self,
        fresh: SessionKey,
        token: &ResumeToken,
        received: Option<u32>,
        outputs: &mut Outputs,
    ) -> Resumption {
        let Some(opened) = self.tokens.open(token) else { return Resumption::Refused };
        if opened.claims.expires <= self.now {
            return Resumption::Refused;
        }
        let session = opened.claims.session;
        let here = self.identities.get(&session).copied().filter(|known| !self.is_known_by_hearsay(*known));
        // Our own memory has no such session: it ended. Of an earlier process we know only what the token says.
        let ended_here = || self.ended.contains(session, opened.claims.generation);
        let ended = (opened.ours || ended_here()) && !planted!(EndedSessionsReturn);
        if here.is_none() && ended {
            return Resumption::Refused;
        }
        if let Some(known) = here {
            if self.is_older(&opened.claims, known) {
                return Resumption::Refused;
            }
            // A node that is alone has nobody else who could know better.
            if opened.ours || !self.far.is_one_of_several() {
                return self.return_to(fresh, known, opened.claims.generation, received, outputs);
            }
        }
        if self.far.is_near() {
            self.ask_around(fresh, opened, received, outputs);
            return Resumption::Pending;
        }
        self.believe(fresh, opened, received, outputs)
    }

    /// Back to a session of which memory knows all there is to know.
    fn return_to(
        &mut self,
        fresh: SessionKey,
        known: SessionKey,
        generation: u32,
        received: Option<u32>,
        outputs: &mut Outputs,
    ) -> Resumption {
        let taken = self.sessions.get(known).map(|session| session.said.nth);
        self.take_over(fresh, known, generation, outputs);
        self.note_taken(known, taken);
        self.note_session(known, outputs);
        self.greet_back(known, received, outputs);
        self.part_if_blocked(known, outputs);
        Resumption::Done
    }

    /// Nobody who knows more can be asked: the token of another node, or of an earlier process, is taken for the truth.
    pub(super) fn believe(
        &mut self,
        fresh: SessionKey,
        opened: Opened,
        received: Option<u32>,
        outputs: &mut Outputs,
    ) -> Resumption {
        let known = self.identities.get(&opened.claims.session).copied();
        if known.is_some_and(|known| self.is_older(&opened.claims, known)) {
            return Resumption::Refused;
        }
        let claims = Claims { sealed_by: Some(opened.boot), received: received.or(Some(0)), ..opened.claims };
        match known {
            None => self.restore(fresh, claims, outputs),
            Some(known) if self.is_known_by_hearsay(known) => self.arrive(fresh, known, claims, outputs),
            Some(known) => self.catch_up(fresh, known, claims, outputs),
        }
    }

    /// Moves the socket of `fresh` to `known`; an older socket of `known` is closed.
    pub(super) fn take_over(
        &mut self,
        fresh: SessionKey,
        known: SessionKey,
        generation: u32,
        outputs: &mut Outputs,
    ) {
        let Some(shell) = self.dissolve(fresh) else { return };
        let Shell { connection, limiting, said, answers_ping, hides_on_arrival, device, blocked } = shell;
        let now = self.now;
        let Some(session) = self.sessions.get_mut(known) else { return };
        session.said = said;
        session.answers_ping = answers_ping;
        session.greeted = true;
        // Whoever is known by one device does not become another by a resume.
        session.device = session.device.or(device);
        if let Some(participant) = self.participants.get_mut(known) {
            participant.hides_on_arrival = hides_on_arrival;
            participant.remember(Vec::new(), blocked, self.config.recent_partners);
        }
        let old = std::mem::replace(&mut session.link, Link::Attached(connection));
        let old_limiting = std::mem::replace(&mut session.limiting, limiting);
        session.admittance = Admittance::Inside;
        session.last_seen = now;
        session.last_frame = now;
        session.asked = None;
        self.timers.clear(&mut session.timer, Due::Session(known));
        if let Some(identity) = &mut session.identity {
            identity.generation = generation.saturating_add(u32::from(!planted!(TokensStayGood)));
        }
        self.connections.insert(connection, known);
        // The socket that came brought its own place in its crowd.
        self.part_from_crowd(old_limiting);
        if let Link::Attached(old) = old
            && !planted!(OldSocketStays)
        {
            self.connections.remove(&old);
            outputs.push(Output::Close {
                connection: old,
                code: CloseCode::Policy,
                reason: "resumed elsewhere",
            });
        }
        // Coming back is a sign of life, too.
        self.note_alive(known);
        self.watch(known);
        if let Link::Detached { until } = old {
            self.tell_back(known, until.since(now), outputs);
        }
        if hides_on_arrival {
            // Asked for before it was known which session this is.
            self.hide(known, outputs);
        }
    }

    /// Notes how much of the socket before was taken, for the `welcome`.
    pub(super) fn note_taken(&mut self, key: SessionKey, taken: Option<u32>) {
        if let Some(identity) = self.sessions.get_mut(key).and_then(|session| session.identity.as_mut()) {
            identity.taken_before = taken;
        }
    }

    /// Tells a session that is back where it stands and what it missed, and puts it back into the line.
    pub(super) fn greet_back(&mut self, key: SessionKey, received: Option<u32>, outputs: &mut Outputs) {
        let missed: Vec<ServerMessage> =
            match self.sessions.get_mut(key).and_then(|session| session.identity.as_mut()) {
                Some(identity) => {
                    identity.replay.acknowledge(received.unwrap_or(0));
                    identity.replay.take().collect()
                }
                None => Vec::new(),
            };
        self.welcome(key, Some(true), outputs);
        for message in missed.into_iter().filter(|_| !planted!(MailIsLost)) {
            self.say_again(key, message, outputs);
        }
        if let Some(State::Held { since, created }) = self.state(key)
            && let Some(wishes) = self.participants.get(key).and_then(|known| known.wishes.clone())
        {
            self.transition_to_idle(key, None);
            let mut ticket = self.new_ticket(key, wishes, None);
            ticket.since = if planted!(HeldPlaceIsLost) { self.now } else { since };
            ticket.created = created;
            self.enter_line(ticket, outputs);
        }
    }

    /// Brings a session of an earlier process to life, as its token tells it.
    pub(super) fn restore(
        &mut self,
        key: SessionKey,
        mut claims: Claims,
        outputs: &mut Outputs,
    ) -> Resumption {
        if matches!(&claims.place, PlaceClaim::Matched(MatchClaim { partner: None, .. })) {
            self.spent.remember(claims.session, claims.generation);
            return Resumption::Refused;
        }
        self.note_belief(&claims);
        let kept = claims.take_kept();
        self.become_restored(key, claims.session, claims.generation, claims.requeue, claims.wishes);
        self.remember_kept(key, kept);
        if let Some(session) = self.sessions.get_mut(key) {
            session.device = claims.device.or(session.device);
        }
        if let Some(participant) = self.participants.get_mut(key) {
            participant.remember_last_match(claims.last_match);
        }
        self.restore_place(key, claims.place, outputs);
        Resumption::Done
    }

    /// First of all, so that it is not given to somebody whom it has blocked.
    pub(super) fn remember_kept(&mut self, key: SessionKey, kept: Option<Kept>) {
        if let (Some(kept), Some(participant)) = (kept, self.participants.get_mut(key)) {
            participant.remember(kept.recent, kept.blocked, self.config.recent_partners);
        }
    }

    /// Makes a fresh session the one that its token names.
    pub(super) fn become_restored(
        &mut self,
        key: SessionKey,
        id: SessionId,
        presented: u32,
        requeue: bool,
        wishes: Option<Wishes>,
    ) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.id = id;
        session.identity = Some(Box::new(Identity::new(presented.saturating_add(1), Origin::Restored)));
        session.admittance = Admittance::Inside;
        self.identities.insert(id, key);
        let Some(participant) = self.participants.get_mut(key) else { return };
        participant.names_matches = true;
        participant.requeue = requeue;
        let hides = participant.hides_on_arrival;
        participant.wishes =
            wishes.map(|wishes| Arc::new(Wishes { relay_only: wishes.relay_only || hides, ..wishes }));
    }

    /// A session that its partner's token had announced shows up.
    fn arrive(
        &mut self,
        fresh: SessionKey,
        known: SessionKey,
        mut claims: Claims,
        outputs: &mut Outputs,
    ) -> Resumption {
        let agrees = match (&claims.place, self.state(known)) {
            (PlaceClaim::Matched(claim), Some(State::Matched { key, side })) => {
                claim.side == side && self.matches.get(key).is_some_and(|present| present.id == claim.id)
            }
            _ => false,
        };
        let kept = claims.kept.iter().flat_map(|kept| &kept.blocked);
        let all_blocked: Vec<PersonId> = claims.blocked.iter().chain(kept).copied().collect();
        let blocked = |claim: &MatchClaim| {
            claim.partner().is_some_and(|partner| all_blocked.iter().any(|person| partner.is(*person)))
        };
        let agrees = agrees && !matches!(&claims.place, PlaceClaim::Matched(claim) if blocked(claim));
        if !agrees && !planted!(RestoredPairsDisagree) {
            // Its own token is the better witness of where it was: the announced match was an older one.
            self.forget(known, LeftReason::Lost, outputs);
            return self.restore(fresh, claims, outputs);
        }
        self.note_belief(&claims);
        self.remember_kept(known, claims.take_kept());
        if let Some(session) = self.sessions.get_mut(known) {
            session.device = session.device.or(claims.device);
            if let Some(identity) = &mut session.identity {
                identity.origin = Origin::Restored;
            }
        }
        if let Some(participant) = self.participants.get_mut(known) {
            participant.names_matches = true;
            participant.requeue = claims.requeue;
            participant.wishes = claims.wishes.map(Arc::new);
            participant.remember_last_match(participant.last_match().or(claims.last_match));
        }
        self.take_over(fresh, known, claims.generation, outputs);
        self.greet_back(known, None, outputs);
        self.part_if_blocked(known, outputs);
        self.tell_partner_is_here(known, outputs);
        Resumption::Done
    }

    fn restore_place(&mut self, key: SessionKey, place: PlaceClaim, outputs: &mut Outputs) {
        match place {
            PlaceClaim::Idle => self.welcome(key, Some(true), outputs),
            PlaceClaim::Waiting(since) => {
                let since = if planted!(RestoredPlaceIsLost) { self.now } else { since.min(self.now) };
                self.hold_place(key, since);
                self.welcome(key, Some(true), outputs);
                self.search_again(key, since, outputs);
            }
            PlaceClaim::Matched(claim) => {
                let Some(someone) = claim.partner() else { return };
                let partner = someone.session;
                if self.has_blocked(key, someone) {
                    // A block ends a match and brings no token: this one is from before.
                    return self.welcome(key, Some(true), outputs);
                }
                if self.identities.contains_key(&partner) || self.ended.contains(partner, 0) {
                    // The partner came back before, by a newer token, and was elsewhere.
                    if self.participants.get(key).is_some_and(|participant| participant.requeue) {
                        self.hold_place(key, self.now);
                    }
                    self.welcome(key, Some(true), outputs);
                    return self.tell_match_is_over(key, claim.id, outputs);
                }
                let match_id = claim.id;
                self.restore_half(key, &claim, someone);
                self.welcome(key, Some(true), outputs);
                let grace_ms = self.config.half_pair_grace.as_millis_ceil();
                self.say(key, ServerMessage::PartnerReconnecting { match_id, grace_ms }, outputs);
                self.ask_where_partner_is(match_id, outputs);
            }
        }
    }

    /// Rebuilds a match of which one side is back; the other is awaited.
    fn restore_half(&mut self, key: SessionKey, claim: &MatchClaim, partner: Someone) {
        let Someone { session: partner, device } = partner;
        let until = self.now + self.config.half_pair_grace;
        let until = if planted!(HalfPairsStay) { until + self.config.half_pair_grace } else { until };
        let mut session =
            Session::known_by_hearsay(partner, Link::Detached { until }, Origin::Awaited, self.now);
        session.device = device;
        let awaited = self.sessions.insert(session);
        self.participants.insert(awaited, Participant::default());
        self.identities.insert(partner, awaited);
        if let Some(session) = self.sessions.get_mut(awaited) {
            self.timers.set(&mut session.timer, Due::Session(awaited), until);
        }
        let seat = |session, since| Seat { session, since, candidates: 0, reported: false, alive: true };
        let (mine, theirs) = (seat(key, claim.since.min(self.now)), seat(awaited, self.now));
        let (initiator, responder) = match claim.side {
            Side::Initiator => (mine, theirs),
            Side::Responder => (theirs, mine),
        };
        *self.gauges.matches.of(claim.kind) += 1;
        let present = self.matches.insert(Match {
            id: claim.id,
            kind: claim.kind,
            formed: self.now,
            connected: true,
            initiator,
            responder,
            timer: None,
        });
        self.note_far(claim.id, present, None);
        for (session, side) in [(key, claim.side), (awaited, claim.side.other())] {
            self.transition_to_matched(session, present, side);
        }
    }

    /// Removes a session that has done nothing; its socket goes to another.
    fn dissolve(&mut self, fresh: SessionKey) -> Option<Shell> {
        let mut session = self.sessions.remove(fresh)?;
        let mut participant = self.participants.remove(fresh)?;
        self.timers.clear(&mut session.timer, Due::Session(fresh));
        Some(Shell {
            connection: session.connection()?,
            limiting: session.limiting,
            said: session.said,
            answers_ping: session.answers_ping,
            hides_on_arrival: participant.hides_on_arrival,
            device: session.device,
            blocked: participant.take_blocked(),
        })
    }
}
