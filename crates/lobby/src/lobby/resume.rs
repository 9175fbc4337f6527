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

mod arrivals;
mod handover;

pub(super) use arrivals::Arrivals;

use super::Lobby;
use crate::Outputs;
use crate::acquaintances::Acquaintances;
use crate::ids::{PersonId, SessionKey, Side};
use crate::matches::{Match, Seat};
use crate::pairing::{Participant, State};
use crate::persons::Someone;
use crate::planted::planted;
use crate::session::{Link, Origin};
use crate::sessions::Recognised;
use crate::tokens::{Claims, MatchClaim, Opened, PlaceClaim};
use std::sync::Arc;
use visavis_protocol::{ErrorCode, Hello, LeftReason, Refusal, ResumeToken, ServerMessage, VERSION};

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
        self.pairing().identify(key);
        self.pairing().welcome(key, asked.then_some(false), outputs);
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
        let Some(participant) = self.pairs.participants.get_mut(key) else { return };
        participant.remember(Vec::new(), blocked, self.config.recent_partners);
        if let State::Waiting { ticket } = participant.state()
            && let Some(ticket) = self.pairing().take_ticket(ticket)
        {
            // It searched first: who fits may be somebody else now.
            self.pairing().enter_line(ticket, outputs);
        }
        self.pairing().part_if_blocked(key, outputs);
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
            if opened.ours || !self.peers.is_one_of_several() {
                return self.return_to(fresh, known, opened.claims.generation, received, outputs);
            }
        }
        if self.peers.is_near() {
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
        self.pairing().take_over(fresh, known, generation, outputs);
        self.sessions.note_taken(known, taken);
        self.pairing().note_session(known, outputs);
        self.pairing().greet_back(known, received, outputs);
        self.pairing().part_if_blocked(known, outputs);
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
        self.pairing().note_belief(&claims);
        let kept = claims.take_kept();
        self.pairing().become_restored(key, claims.session, claims.generation, claims.requeue, claims.wishes);
        self.pairing().remember_kept(key, kept);
        if let Some(session) = self.sessions.get_mut(key) {
            session.device = claims.device.or(session.device);
        }
        if let Some(participant) = self.pairs.participants.get_mut(key) {
            participant.remember_last_match(claims.last_match);
        }
        self.restore_place(key, claims.place, outputs);
        Resumption::Done
    }

    /// A session that its partner's token had announced shows up.
    fn arrive(
        &mut self,
        fresh: SessionKey,
        known: SessionKey,
        mut claims: Claims,
        outputs: &mut Outputs,
    ) -> Resumption {
        let agrees = match (&claims.place, self.pairs.state(known)) {
            (PlaceClaim::Matched(claim), Some(State::Matched { key, side })) => {
                claim.side == side
                    && self.pairs.matches.get(key).is_some_and(|present| present.id == claim.id)
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
            self.pairing().forget(known, LeftReason::Lost, outputs);
            return self.restore(fresh, claims, outputs);
        }
        self.pairing().note_belief(&claims);
        self.pairing().remember_kept(known, claims.take_kept());
        if let Some(session) = self.sessions.get_mut(known) {
            session.device = session.device.or(claims.device);
            if let Some(identity) = &mut session.identity {
                identity.origin = Origin::Restored;
            }
        }
        if let Some(participant) = self.pairs.participants.get_mut(known) {
            participant.names_matches = true;
            participant.requeue = claims.requeue;
            participant.wishes = claims.wishes.map(Arc::new);
            participant.remember_last_match(participant.last_match().or(claims.last_match));
        }
        self.pairing().take_over(fresh, known, claims.generation, outputs);
        self.pairing().greet_back(known, None, outputs);
        self.pairing().part_if_blocked(known, outputs);
        self.pairing().tell_partner_is_here(known, outputs);
        Resumption::Done
    }

    fn restore_place(&mut self, key: SessionKey, place: PlaceClaim, outputs: &mut Outputs) {
        match place {
            PlaceClaim::Idle => self.pairing().welcome(key, Some(true), outputs),
            PlaceClaim::Waiting(since) => {
                let since = if planted!(RestoredPlaceIsLost) {
                    self.sessions.now
                } else {
                    since.min(self.sessions.now)
                };
                self.pairing().hold_place(key, since);
                self.pairing().welcome(key, Some(true), outputs);
                self.pairing().search_again(key, since, outputs);
            }
            PlaceClaim::Matched(claim) => {
                let Some(someone) = claim.partner() else { return };
                let partner = someone.session;
                if self.pairs.has_blocked(key, someone) {
                    // A block ends a match and brings no token: this one is from before.
                    return self.pairing().welcome(key, Some(true), outputs);
                }
                if self.sessions.known(partner).is_some() || self.sessions.has_ended(partner) {
                    // The partner came back before, by a newer token, and was elsewhere.
                    if self.pairs.participants.get(key).is_some_and(|participant| participant.requeue) {
                        let now = self.sessions.now;
                        self.pairing().hold_place(key, now);
                    }
                    self.pairing().welcome(key, Some(true), outputs);
                    return self.pairing().tell_match_is_over(key, claim.id, outputs);
                }
                let match_id = claim.id;
                self.restore_half(key, &claim, someone);
                self.pairing().welcome(key, Some(true), outputs);
                let grace_ms = self.config.half_pair_grace.as_millis_ceil();
                self.pairing().say(key, ServerMessage::PartnerReconnecting { match_id, grace_ms }, outputs);
                self.pairing().ask_where_partner_is(match_id, outputs);
            }
        }
    }

    /// Rebuilds a match of which one side is back; the other is awaited.
    fn restore_half(&mut self, key: SessionKey, claim: &MatchClaim, partner: Someone) {
        let until = self.sessions.now + self.config.half_pair_grace;
        let until = if planted!(HalfPairsStay) { until + self.config.half_pair_grace } else { until };
        let link = Link::Detached { until };
        let awaited = self.sessions.insert_known_by_hearsay(partner, link, Origin::Awaited);
        self.pairs.participants.insert(awaited, Participant::default());
        let seat = |session, since| Seat { session, since, candidates: 0, reported: false, alive: true };
        let (mine, theirs) =
            (seat(key, claim.since.min(self.sessions.now)), seat(awaited, self.sessions.now));
        let (initiator, responder) = match claim.side {
            Side::Initiator => (mine, theirs),
            Side::Responder => (theirs, mine),
        };
        *self.pairs.gauges.matches.of(claim.kind) += 1;
        let present = self.pairs.matches.insert(Match {
            id: claim.id,
            kind: claim.kind,
            formed: self.sessions.now,
            connected: true,
            initiator,
            responder,
            timer: None,
            written: None,
        });
        self.pairing().note_far(claim.id, present, None);
        for (session, side) in [(key, claim.side), (awaited, claim.side.other())] {
            self.pairing().transition_to_matched(session, present, side);
        }
    }

    /// A visitor comes back to where it was before it went on elsewhere.
    fn catch_up(
        &mut self,
        fresh: SessionKey,
        left: SessionKey,
        mut claims: Claims,
        outputs: &mut Outputs,
    ) -> Resumption {
        let goes_on = match (&claims.place, self.pairs.state(left)) {
            (PlaceClaim::Matched(claim), Some(State::Matched { key, side })) => {
                claim.side == side
                    && self.pairs.matches.get(key).is_some_and(|present| present.id == claim.id)
            }
            // Over, and nobody could say so.
            (PlaceClaim::Matched(claim), _) => self.pairs.last_match_id(left) == Some(claim.id),
            (PlaceClaim::Idle | PlaceClaim::Waiting(_), _) => false,
        };
        let beyond_rebuilding = match &claims.place {
            PlaceClaim::Matched(MatchClaim { id, partner: None, .. }) => Some(*id),
            PlaceClaim::Matched(MatchClaim { partner: Some(_), .. })
            | PlaceClaim::Idle
            | PlaceClaim::Waiting(_) => None,
        };
        if !goes_on && beyond_rebuilding.is_none() {
            let kept = self.pairing().drop_left(left, outputs);
            claims.kept = Some(kept.with(claims.kept));
            return self.restore(fresh, claims, outputs);
        }
        let heard = self.pairing().heard_here(left, &claims.heard);
        self.pairing().note_belief(&claims);
        let kept = self.pairs.kept_of(left).with(claims.take_kept());
        self.pairing().remember_kept(left, Some(kept));
        if !goes_on {
            self.pairing().leave(left, LeftReason::Lost, outputs);
        }
        if let Some(session) = self.sessions.get_mut(left) {
            session.device = session.device.or(claims.device);
        }
        if let Some(participant) = self.pairs.participants.get_mut(left) {
            participant.requeue = claims.requeue;
            participant.wishes = claims.wishes.map(Arc::new).or(participant.wishes.take());
        }
        self.pairing().take_over(fresh, left, claims.generation, outputs);
        match beyond_rebuilding.filter(|_| !goes_on) {
            Some(id) => {
                self.pairing().welcome(left, Some(true), outputs);
                self.pairing().tell_match_is_over(left, id, outputs);
            }
            None => {
                self.pairing().greet_back(left, Some(heard), outputs);
                self.pairing().part_if_blocked(left, outputs);
                self.pairing().tell_partner_is_here(left, outputs);
            }
        }
        Resumption::Done
    }
}
