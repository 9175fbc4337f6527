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

use super::Lobby;
use crate::Outputs;
use crate::acquaintances::Acquaintances;
use crate::ids::{PersonId, SessionId, SessionKey, Side};
use crate::matches::{Match, Seat};
use crate::participants::{Participant, State};
use crate::persons::Someone;
use crate::planted::planted;
use crate::session::{Link, Origin};
use crate::sessions::{Recognised, Welcome};
use crate::tokens::{Claims, Kept, MatchClaim, Opened, PlaceClaim};
use std::sync::Arc;
use visavis_protocol::{ErrorCode, Hello, LeftReason, Refusal, ResumeToken, ServerMessage, VERSION, Wishes};

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resumption {
    Done,
    /// Other nodes are asked first.
    Pending,
    /// Nothing happened.
    Refused,
}

impl Lobby {
    pub(super) fn on_hello(&mut self, key: SessionKey, hello: Hello, outputs: &mut Outputs) {
        if hello.version != VERSION {
            let message = format!("version {} is not spoken here, only {VERSION}", hello.version);
            return self.sessions.refuse(key, Refusal::new(ErrorCode::UnsupportedVersion, message), outputs);
        }
        let asked = hello.resume.is_some();
        if asked && !self.sessions.is_untouched(key) {
            let message = "resume: only in the first message of a socket";
            return self.sessions.refuse(key, Refusal::new(ErrorCode::BadField, message), outputs);
        }
        self.note_greeting(key, &hello, outputs);
        if let Some(token) = hello.resume {
            match self.resume(key, &token, hello.received, outputs) {
                Resumption::Done => {
                    self.sessions.counters.resumed += 1;
                    return;
                }
                Resumption::Pending => return,
                Resumption::Refused => {
                    self.sessions.counters.not_resumed += 1;
                    if !self.sessions.admit_without_token(key, outputs) {
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
        if !self.sessions.note_greeting(key, hello) {
            return;
        }
        let surplus = hello.blocks.len().saturating_sub(Acquaintances::MAX_BLOCKED);
        let handles = hello.blocks.iter().skip(surplus).filter(|_| !planted!(HandlesOpenNothing));
        let blocked: Vec<PersonId> =
            handles.filter_map(|handle| self.sessions.persons.open(handle)).collect();
        if self.sessions.get(key).is_none_or(|session| session.device.is_none()) && blocked.is_empty() {
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
        if let Some(participant) = self.participants.get_mut(key) {
            participant.names_matches = true;
        }
        self.sessions.identify(key);
    }

    pub(super) fn welcome(&mut self, key: SessionKey, resumed: Option<bool>, outputs: &mut Outputs) {
        let match_id = self.state(key).and_then(|state| self.present_match_id(state));
        let (online, resume_token) = (self.online_for_clients(), self.mint(key));
        self.sessions.welcome(key, Welcome { resumed, match_id, online, resume_token }, outputs);
    }

    /// The socket is gone without a word. Who can come back keeps what it has for a while.
    pub(super) fn detach(&mut self, key: SessionKey, outputs: &mut Outputs) {
        if self.sessions.connection(key).is_none() {
            return;
        }
        if !self.sessions.is_recognisable(key) || !self.sessions.may_keep(key) {
            return self.forget(key, LeftReason::Lost, outputs);
        }
        let until = self.sessions.now + self.config.grace;
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
        self.sessions.disconnect(key);
        self.sessions.keep_until(key, until);
    }

    /// Gives an earlier session the socket of `fresh`.
    fn resume(
        &mut self,
        fresh: SessionKey,
        token: &ResumeToken,
        received: Option<u32>,
        outputs: &mut Outputs,
    ) -> Resumption {
        let Some(Recognised { opened, here }) = self.sessions.recognise(token) else {
            return Resumption::Refused;
        };
        if let Some(known) = here {
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
        let taken = self.sessions.taken(known);
        self.take_over(fresh, known, generation, outputs);
        self.sessions.note_taken(known, taken);
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
        let known = self.sessions.known(opened.claims.session);
        if known.is_some_and(|known| self.sessions.is_older(&opened.claims, known)) {
            return Resumption::Refused;
        }
        let claims = Claims { sealed_by: Some(opened.boot), received: received.or(Some(0)), ..opened.claims };
        match known {
            None => self.restore(fresh, claims, outputs),
            Some(known) if self.sessions.is_known_by_hearsay(known) => {
                self.arrive(fresh, known, claims, outputs)
            }
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
        let Some(mut shell) = self.participants.remove(fresh) else { return };
        let hides_on_arrival = shell.hides_on_arrival;
        if let Some(participant) = self.participants.get_mut(known) {
            participant.hides_on_arrival = hides_on_arrival;
            participant.remember(Vec::new(), shell.take_blocked(), self.config.recent_partners);
        }
        let Some(before) = self.sessions.take_over(fresh, known, generation, outputs) else { return };
        // Coming back is a sign of life, too.
        self.note_alive(known);
        if let Link::Detached { until } = before {
            self.tell_back(known, until.since(self.sessions.now), outputs);
        }
        if hides_on_arrival {
            // Asked for before it was known which session this is.
            self.hide(known, outputs);
        }
    }

    /// Tells a session that is back where it stands and what it missed, and puts it back into the line.
    pub(super) fn greet_back(&mut self, key: SessionKey, received: Option<u32>, outputs: &mut Outputs) {
        let missed = self.sessions.take_missed(key, received.unwrap_or(0));
        self.welcome(key, Some(true), outputs);
        for message in missed.into_iter().filter(|_| !planted!(MailIsLost)) {
            self.sessions.say_again(key, message, outputs);
        }
        if let Some(State::Held { since, created }) = self.state(key)
            && let Some(wishes) = self.participants.get(key).and_then(|known| known.wishes.clone())
        {
            self.transition_to_idle(key, None);
            let mut ticket = self.new_ticket(key, wishes, None);
            ticket.since = if planted!(HeldPlaceIsLost) { self.sessions.now } else { since };
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
            self.sessions.note_spent(claims.session, claims.generation);
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
        self.sessions.become_restored(key, id, presented);
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
                let since = if planted!(RestoredPlaceIsLost) {
                    self.sessions.now
                } else {
                    since.min(self.sessions.now)
                };
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
                if self.sessions.known(partner).is_some() || self.sessions.has_ended(partner) {
                    // The partner came back before, by a newer token, and was elsewhere.
                    if self.participants.get(key).is_some_and(|participant| participant.requeue) {
                        self.hold_place(key, self.sessions.now);
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
        let until = self.sessions.now + self.config.half_pair_grace;
        let until = if planted!(HalfPairsStay) { until + self.config.half_pair_grace } else { until };
        let link = Link::Detached { until };
        let awaited = self.sessions.insert_known_by_hearsay(partner, link, Origin::Awaited);
        self.participants.insert(awaited, Participant::default());
        let seat = |session, since| Seat { session, since, candidates: 0, reported: false, alive: true };
        let (mine, theirs) =
            (seat(key, claim.since.min(self.sessions.now)), seat(awaited, self.sessions.now));
        let (initiator, responder) = match claim.side {
            Side::Initiator => (mine, theirs),
            Side::Responder => (theirs, mine),
        };
        *self.gauges.matches.of(claim.kind) += 1;
        let present = self.matches.insert(Match {
            id: claim.id,
            kind: claim.kind,
            formed: self.sessions.now,
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
}
