//! Sessions that outlive their sockets: `hello`, detaching, resuming, and rebuilding pairs after a restart.
//!
//! What always holds: within one process a token resumes at most once, and memory knows better than the token; of
//! tokens of an earlier process the highest generation wins, and a lower one closes nobody. A detached session keeps its
//! match or its place in line for a while, but nobody is given to it.

use super::{Due, Lobby};
use crate::matches::{Match, MatchKey, Seat, Side};
use crate::planted::planted;
use crate::replay::Bounds;
use crate::session::{Identity, Link, Origin, Said, Session, SessionKey, State};
use crate::tokens::{Claims, MatchClaim, PlaceClaim, SessionId};
use crate::{ConnectionId, Limiting, Output, Outputs, Span};
use std::sync::Arc;
use visavis_protocol::{
    CloseCode, ErrorCode, Hello, LeftReason, MatchId, Refusal, ResumeToken, ServerMessage, VERSION,
};

impl Lobby {
    pub(super) fn on_hello(&mut self, key: SessionKey, hello: Hello, outputs: &mut Outputs) {
        if hello.version != VERSION {
            let message = format!("version {} is not spoken here, only {VERSION}", hello.version);
            return self.refuse(key, Refusal::new(ErrorCode::UnsupportedVersion, message), outputs);
        }
        let asked = hello.resume.is_some();
        if let Some(token) = hello.resume {
            if !self.is_untouched(key) {
                let message = "resume: only in the first message of a socket";
                return self.refuse(key, Refusal::new(ErrorCode::BadField, message), outputs);
            }
            if self.resume(key, &token, hello.received, outputs) {
                self.counters.resumed += 1;
                return;
            }
            self.counters.not_resumed += 1;
        }
        self.identify(key);
        self.welcome(key, asked.then_some(false), outputs);
    }

    /// Whether a session has done nothing yet, so that an older one can take its socket over.
    fn is_untouched(&self, key: SessionKey) -> bool {
        self.sessions.get(key).is_some_and(|session| {
            session.identity.is_none()
                && session.wishes.is_none()
                && matches!(session.state(), State::Idle { .. })
        })
    }

    fn identify(&mut self, key: SessionKey) {
        let enabled = self.tokens.are_enabled();
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.names_matches = true;
        if enabled && session.identity.is_none() {
            let id = SessionId(self.session_ids.next_id());
            session.identity = Some(Box::new(Identity::new(id, 0, Origin::Here)));
            self.identities.insert(id, key);
        }
    }

    fn welcome(&mut self, key: SessionKey, resumed: Option<bool>, outputs: &mut Outputs) {
        let match_id = self.state(key).and_then(|state| self.present_match_id(state));
        let message = ServerMessage::Welcome {
            version: VERSION,
            online: self.online_for_clients(),
            resume_token: self.mint(key),
            resumed,
            match_id: match_id.filter(|_| resumed == Some(true)),
            // The shell's affair: the lobby knows of no relays.
            ice_token: None,
        };
        let Some(session) = self.sessions.get_mut(key) else { return };
        if let Some(connection) = session.connection() {
            outputs.send(connection, message);
        }
        // Both sides count from here.
        if let Some(identity) = &mut session.identity {
            identity.sent = 0;
        }
    }

    /// A token of where the session stands now. `None` for a session that cannot be resumed.
    pub(super) fn mint(&mut self, key: SessionKey) -> Option<ResumeToken> {
        let session = self.sessions.get(key)?;
        let identity = session.identity.as_ref()?;
        let place = match session.state() {
            State::Idle { .. } => PlaceClaim::Idle,
            State::Waiting { ticket } => PlaceClaim::Waiting(self.matchmaker.ticket(ticket)?.since),
            State::Held { since, .. } => PlaceClaim::Waiting(since),
            State::Matched { key, side } => {
                let present = self.matches.get(key)?;
                let partner = self.sessions.get(present.seat(side.other()).session)?;
                PlaceClaim::Matched(MatchClaim {
                    id: present.id,
                    kind: present.kind,
                    side,
                    since: present.seat(side).since,
                    partner: partner.identity.as_ref().map(|identity| identity.id),
                })
            }
        };
        let claims = Claims {
            session: identity.id,
            generation: identity.generation,
            expires: self.now + self.config.token_ttl,
            requeue: session.requeue,
            wishes: session.wishes.as_deref().cloned(),
            place,
        };
        self.tokens.seal(&claims)
    }

    /// The socket is gone without a word. Who can come back keeps what it has for a while.
    pub(super) fn detach(&mut self, key: SessionKey, outputs: &mut Outputs) {
        let Some(session) = self.sessions.get(key) else { return };
        let Some(connection) = session.connection() else { return };
        if session.identity.is_none() {
            return self.forget(key, LeftReason::Lost, outputs);
        }
        let until = self.now + self.config.grace;
        match session.state() {
            State::Waiting { ticket } => {
                if !planted!(AbsentAreGivenAway)
                    && let Some(ticket) = self.take_ticket(ticket)
                    && let Some(session) = self.sessions.get_mut(key)
                {
                    session.transition_to_held(ticket.since, ticket.created);
                }
            }
            State::Matched { key: present, side } => {
                let grace_ms = self.config.grace.as_millis_ceil();
                self.tell_partner(present, side, outputs, |match_id| ServerMessage::PartnerReconnecting {
                    match_id,
                    grace_ms,
                });
            }
            State::Idle { .. } | State::Held { .. } => {}
        }
        self.connections.remove(&connection);
        if let Some(session) = self.sessions.get_mut(key) {
            session.link = Link::Detached { until };
            self.timers.set(&mut session.timer, Due::Session(key), until);
        }
    }

    /// Gives an earlier session the socket of `fresh`. False: nothing happened.
    fn resume(
        &mut self,
        fresh: SessionKey,
        token: &ResumeToken,
        received: Option<u32>,
        outputs: &mut Outputs,
    ) -> bool {
        let Some(opened) = self.tokens.open(token) else { return false };
        let claims = opened.claims;
        if claims.expires <= self.now {
            return false;
        }
        let Some(known) = self.identities.get(&claims.session).copied() else {
            // Our own memory has no such session: it ended. Of an earlier process we know only what the token says.
            if (opened.ours || self.ended.contains(claims.session)) && !planted!(EndedSessionsReturn) {
                return false;
            }
            return self.restore(fresh, claims, outputs);
        };
        let Some(identity) = self.sessions.get(known).and_then(|session| session.identity.as_ref()) else {
            return false;
        };
        if claims.generation < identity.generation && !planted!(OldTokensPass) {
            return false;
        }
        if identity.origin == Origin::Awaited {
            return self.arrive(fresh, known, claims, outputs);
        }
        self.take_over(fresh, known, claims.generation, outputs);
        self.greet_back(known, received, outputs);
        true
    }

    /// Moves the socket of `fresh` to `known`; an older socket of `known` is closed.
    fn take_over(&mut self, fresh: SessionKey, known: SessionKey, generation: u32, outputs: &mut Outputs) {
        let Some((connection, limiting, said)) = self.dissolve(fresh) else { return };
        let now = self.now;
        let Some(session) = self.sessions.get_mut(known) else { return };
        session.said = said;
        let old = std::mem::replace(&mut session.link, Link::Attached(connection));
        let old_limiting = std::mem::replace(&mut session.limiting, limiting);
        session.admitted = true;
        session.last_seen = now;
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
        self.watch(known);
        if let Link::Detached { until } = old
            && let Some(State::Matched { key, side }) = self.state(known)
        {
            let grace_ms = until.since(now).as_millis_ceil();
            self.tell_partner(key, side, outputs, |match_id| ServerMessage::PartnerBack {
                match_id,
                grace_ms,
            });
        }
    }

    /// Tells a session that is back where it stands and what it missed, and puts it back into the line.
    fn greet_back(&mut self, key: SessionKey, received: Option<u32>, outputs: &mut Outputs) {
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
            self.say(key, message, outputs);
        }
        if let Some(State::Held { since, created }) = self.state(key)
            && let Some(session) = self.sessions.get_mut(key)
            && let Some(wishes) = session.wishes.clone()
        {
            session.transition_to_idle(None);
            let mut ticket = self.new_ticket(key, wishes, None);
            ticket.since = if planted!(HeldPlaceIsLost) { self.now } else { since };
            ticket.created = created;
            self.enter_line(ticket, outputs);
        }
    }

    /// Brings a session of an earlier process to life, as its token tells it.
    fn restore(&mut self, key: SessionKey, claims: Claims, outputs: &mut Outputs) -> bool {
        if matches!(&claims.place, PlaceClaim::Matched(MatchClaim { partner: None, .. })) {
            return false;
        }
        let Some(session) = self.sessions.get_mut(key) else { return false };
        let generation = claims.generation.saturating_add(1);
        session.identity = Some(Box::new(Identity::new(claims.session, generation, Origin::Restored)));
        session.names_matches = true;
        session.requeue = claims.requeue;
        session.wishes = claims.wishes.map(Arc::new);
        self.identities.insert(claims.session, key);
        self.restore_place(key, claims.place, outputs);
        true
    }

    /// A session that its partner's token had announced shows up.
    fn arrive(
        &mut self,
        fresh: SessionKey,
        known: SessionKey,
        claims: Claims,
        outputs: &mut Outputs,
    ) -> bool {
        let agrees = match (&claims.place, self.state(known)) {
            (PlaceClaim::Matched(claim), Some(State::Matched { key, side })) => {
                claim.side == side && self.matches.get(key).is_some_and(|present| present.id == claim.id)
            }
            _ => false,
        };
        if !agrees && !planted!(RestoredPairsDisagree) {
            // Its own token is the better witness of where it was: the announced match was an older one.
            self.forget(known, LeftReason::Lost, outputs);
            return self.restore(fresh, claims, outputs);
        }
        if let Some(session) = self.sessions.get_mut(known) {
            session.names_matches = true;
            session.requeue = claims.requeue;
            session.wishes = claims.wishes.map(Arc::new);
            if let Some(identity) = &mut session.identity {
                identity.origin = Origin::Restored;
            }
        }
        self.take_over(fresh, known, claims.generation, outputs);
        self.greet_back(known, None, outputs);
        true
    }

    fn restore_place(&mut self, key: SessionKey, place: PlaceClaim, outputs: &mut Outputs) {
        match place {
            PlaceClaim::Idle => self.welcome(key, Some(true), outputs),
            PlaceClaim::Waiting(since) => {
                self.welcome(key, Some(true), outputs);
                let since = if planted!(RestoredPlaceIsLost) { self.now } else { since };
                self.search_again(key, since, outputs);
            }
            PlaceClaim::Matched(claim) => {
                let Some(partner) = claim.partner else { return };
                if self.identities.contains_key(&partner) || self.ended.contains(partner) {
                    // The partner came back before, by a newer token, and was elsewhere.
                    self.welcome(key, Some(true), outputs);
                    let requeued = self.sessions.get(key).is_some_and(|session| session.requeue);
                    let left = ServerMessage::PartnerLeft {
                        match_id: claim.id,
                        reason: LeftReason::Lost,
                        requeued,
                        resume_token: None,
                    };
                    self.say(key, left, outputs);
                    if requeued {
                        self.search_again(key, self.now, outputs);
                    }
                    return;
                }
                let match_id = claim.id;
                self.restore_half(key, &claim, partner);
                self.welcome(key, Some(true), outputs);
                let grace_ms = self.config.half_pair_grace.as_millis_ceil();
                self.say(key, ServerMessage::PartnerReconnecting { match_id, grace_ms }, outputs);
            }
        }
    }

    fn search_again(&mut self, key: SessionKey, since: crate::Time, outputs: &mut Outputs) {
        let Some(wishes) = self.sessions.get(key).and_then(|session| session.wishes.clone()) else { return };
        let mut ticket = self.new_ticket(key, wishes, None);
        ticket.since = since.min(self.now);
        self.enter_line(ticket, outputs);
    }

    /// Rebuilds a match of which one side is back; the other is awaited.
    fn restore_half(&mut self, key: SessionKey, claim: &MatchClaim, partner: SessionId) {
        let until = self.now + self.config.half_pair_grace;
        let until = if planted!(HalfPairsStay) { until + self.config.half_pair_grace } else { until };
        let awaited = self.sessions.insert(Session::awaited(partner, until, self.now));
        self.identities.insert(partner, awaited);
        if let Some(session) = self.sessions.get_mut(awaited) {
            self.timers.set(&mut session.timer, Due::Session(awaited), until);
        }
        let seat = |session, since| Seat { session, since, candidates: 0, alive: true };
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
        for (session, side) in [(key, claim.side), (awaited, claim.side.other())] {
            if let Some(session) = self.sessions.get_mut(session) {
                session.transition_to_matched(present, side);
            }
        }
    }

    /// Removes a session that has done nothing; its socket goes to another.
    fn dissolve(&mut self, fresh: SessionKey) -> Option<(ConnectionId, Limiting, Said)> {
        let mut session = self.sessions.remove(fresh)?;
        self.timers.clear(&mut session.timer, Due::Session(fresh));
        Some((session.connection()?, session.limiting, session.said))
    }

    pub(super) fn acknowledge(&mut self, key: SessionKey, mark: u32) {
        if let Some(identity) = self.sessions.get_mut(key).and_then(|session| session.identity.as_mut()) {
            identity.replay.acknowledge(mark);
        }
    }

    fn tell_partner(
        &mut self,
        key: MatchKey,
        side: Side,
        outputs: &mut Outputs,
        message: impl FnOnce(MatchId) -> ServerMessage,
    ) {
        let Some(present) = self.matches.get(key) else { return };
        let (match_id, partner) = (present.id, present.seat(side.other()).session);
        self.say(partner, message(match_id), outputs);
    }

    pub(super) fn replay_bounds(&self) -> Bounds {
        Bounds { messages: self.config.replay_messages, bytes: self.config.replay_bytes }
    }

    /// Takes a session in under the admission rate. False: it was told when to come again, and nothing else may happen.
    pub(super) fn admit(&mut self, key: SessionKey, outputs: &mut Outputs) -> bool {
        let Some(session) = self.sessions.get_mut(key) else { return false };
        if session.admitted {
            return true;
        }
        let admitted = match session.limiting {
            Limiting::Exempt => Ok(()),
            Limiting::Bound(_) => self.admission.admit(self.now),
        };
        match admitted {
            Ok(()) => {
                session.admitted = true;
                true
            }
            Err(pause) => {
                self.refuse_admission(key, pause, outputs);
                false
            }
        }
    }

    fn refuse_admission(&mut self, key: SessionKey, pause: Span, outputs: &mut Outputs) {
        self.counters.count_refusal(ErrorCode::TooFast);
        let pause_ms = pause.as_millis_ceil();
        let message = format!("many people are coming in: ask again in {pause_ms} ms");
        self.blame(key, ServerMessage::too_fast(message, pause_ms), outputs);
    }
}
