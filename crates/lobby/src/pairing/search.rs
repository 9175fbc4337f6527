//! Searching: `find_partner`, `next`, `ticket_offer`; entering the line, and the match that ends the wait.

use super::{Due, Pairing, Participant, State, acquaintance};
use crate::crowd::Act;
use crate::ids::{SessionKey, Side, TicketKey};
use crate::matches::{Match, Seat};
use crate::matchmaker::{Ticket, WaitingOffer};
use crate::nodes::Fit;
use crate::planted::planted;
use crate::session::Origin;
use crate::{Outputs, Span, Time};
use std::sync::Arc;
use visavis_protocol::{
    ErrorCode, FindPartner, Kind, Language, LeftReason, MatchId, Mode, Next, Offer, PartnerFound, Pin,
    Refusal, ServerMessage, TicketOffer, Wishes, read_interests, read_languages,
};

/// What became of a ticket that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TicketDue {
    /// It has searched anew, or is no more.
    Settled,
    /// It waits where it waited before.
    Waits,
}

impl Pairing<'_> {
    pub(crate) fn on_find_partner(&mut self, key: SessionKey, wanted: FindPartner, outputs: &mut Outputs) {
        let requeue = wanted.requeue;
        let (wishes, offer) = match self.read_wishes(wanted) {
            Ok(read) => read,
            Err(refusal) => return self.sessions.refuse(key, refusal, outputs),
        };
        let Some(participant) = self.pairs.participants.get(key) else { return };
        // The first search is everybody's; the following ones are Nexts by another name.
        let first = participant.wishes.is_none();
        if !first && !self.sessions.take(key, Act::Next, outputs) {
            return;
        }
        self.note_request(key);
        let Some(participant) = self.pairs.participants.get_mut(key) else { return };
        participant.requeue = requeue;
        participant.names_matches |= requeue;
        let wishes = Arc::new(wishes);
        participant.wishes = Some(wishes.clone());
        self.sessions.note_use(key);
        let mut ticket = self.new_ticket(key, wishes, offer);
        match self.pairs.state(key) {
            Some(State::Waiting { ticket: old }) => {
                let Some(old) = self.take_ticket(old) else { return };
                ticket.inherit(old);
                self.owe_token(key);
            }
            Some(State::Reserved { by }) => {
                let Some(old) = self.cancel_reservation(by, outputs) else { return };
                ticket.inherit(old);
                self.owe_token(key);
            }
            Some(State::Matched { .. }) => self.leave(key, LeftReason::Next, outputs),
            Some(State::Idle { credit: Some(credit) }) if self.sessions.now <= credit.valid_until => {
                ticket.since = credit.since;
            }
            Some(State::Idle { .. } | State::Held { .. }) | None => {}
        }
        self.enter_line(ticket, outputs);
    }

    pub(crate) fn on_next(&mut self, key: SessionKey, next: Next, outputs: &mut Outputs) {
        let Some(participant) = self.pairs.participants.get(key) else { return };
        let Some(wishes) = participant.wishes.clone() else {
            let message = "next repeats the last search: send `find_partner` first";
            return self.sessions.refuse(key, Refusal::new(ErrorCode::NotSearching, message), outputs);
        };
        let state = participant.state();
        if let Some(named) = next.match_id
            && self.pairs.present_match_id(state) != Some(named)
            && !planted!(LateNextLeaves)
        {
            return;
        }
        if !self.sessions.take(key, Act::Next, outputs) {
            return;
        }
        self.note_request(key);
        match state {
            State::Waiting { ticket } => {
                if let Some(offer) = next.offer {
                    self.replace_offer(ticket, offer);
                }
            }
            State::Reserved { by } => {
                if let Some(offer) = next.offer {
                    self.replace_reserved_offer(by, Some(offer), outputs);
                }
            }
            State::Matched { .. } => {
                self.leave(key, LeftReason::Next, outputs);
                if next.failed
                    && let Some(participant) = self.pairs.participants.get_mut(key)
                    && let Some((_, partner)) = participant.last_match()
                {
                    participant.acquaintances_mut().did_not_reach(partner.person());
                }
                let ticket = self.new_ticket(key, wishes, next.offer);
                self.enter_line(ticket, outputs);
            }
            // Held: whoever speaks has a socket, so the place is no longer held.
            State::Held { .. } => {}
            State::Idle { credit } => {
                let mut ticket = self.new_ticket(key, wishes, next.offer);
                if let Some(credit) = credit.filter(|credit| self.sessions.now <= credit.valid_until) {
                    ticket.since = credit.since;
                }
                self.enter_line(ticket, outputs);
            }
        }
    }

    pub(crate) fn on_ticket_offer(&mut self, key: SessionKey, fresh: TicketOffer, outputs: &mut Outputs) {
        let offer = Offer { sdp: fresh.sdp };
        match self.pairs.state(key) {
            Some(State::Waiting { ticket }) => self.replace_offer(ticket, offer),
            Some(State::Reserved { by }) => self.replace_reserved_offer(by, Some(offer), outputs),
            Some(State::Idle { .. } | State::Held { .. } | State::Matched { .. }) | None => {}
        }
    }

    /// Looks for a partner; without one, waits, and so does everybody while this node drains. The ticket's session must be idle.
    pub(crate) fn enter_line(&mut self, ticket: Ticket, outputs: &mut Outputs) {
        if self.sessions.get(ticket.session).is_some_and(|session| session.connection().is_none()) {
            return self.transition_to_held(ticket.session, ticket.since, ticket.created);
        }
        if self.sessions.is_draining() {
            return self.wait(ticket, outputs);
        }
        let needs = ticket.needs(self.sessions.now, self.config);
        let (sessions, participants) = (&self.sessions, &self.pairs.participants);
        let seeker = ticket.session;
        let known = |other| acquaintance(sessions, participants, seeker, other);
        let partner = self.pairs.matchmaker.best_for(&ticket, needs, self.sessions.now, self.config, known);
        self.sessions.counters.probes = self.pairs.matchmaker.probes;
        match partner.and_then(|partner| self.take_ticket(partner)) {
            Some(partner) => self.pair(ticket, partner, outputs),
            None => self.wait(ticket, outputs),
        }
    }

    fn wait(&mut self, ticket: Ticket, outputs: &mut Outputs) {
        let told = ticket.told.is_some();
        let key = self.insert_waiting(ticket);
        if !told {
            self.tell_waiting(key, outputs);
        }
        self.schedule_ticket(key);
    }

    /// Puts a ticket into the line, looking for nobody.
    pub(crate) fn insert_waiting(&mut self, ticket: Ticket) -> TicketKey {
        let needs = ticket.needs(self.sessions.now, self.config);
        let session = ticket.session;
        *self.pairs.gauges.waiting.of(ticket.wishes.kind) += 1;
        let key = self.pairs.matchmaker.insert(ticket, needs);
        self.transition_to_waiting(session, key);
        self.sessions.watch(session);
        key
    }

    /// Something about a waiting ticket changes now: what it insists on, whom it may meet again, or only the time.
    pub(crate) fn on_ticket_due(&mut self, key: TicketKey, outputs: &mut Outputs) -> TicketDue {
        let Some(ticket) = self.pairs.matchmaker.ticket_mut(key) else { return TicketDue::Settled };
        if ticket.offer.as_ref().is_some_and(|waiting| waiting.expires <= self.sessions.now) {
            ticket.offer = None;
        }
        if ticket.changes_at.is_some_and(|at| at <= self.sessions.now) {
            // Compatibility may have grown, and with it the choice: search anew, as on arrival.
            if let Some(mut ticket) = self.take_ticket(key) {
                if ticket.exported.is_some() {
                    ticket.export_at = self.sessions.now;
                }
                self.enter_line(ticket, outputs);
            }
            return TicketDue::Settled;
        }
        TicketDue::Waits
    }

    /// It goes on waiting.
    pub(crate) fn on_ticket_waiting(&mut self, key: TicketKey, outputs: &mut Outputs) {
        self.tell_waiting(key, outputs);
        self.schedule_ticket(key);
    }

    /// Who asks for a stranger itself has read what came before.
    fn note_request(&mut self, key: SessionKey) {
        self.sessions.note_reading(key);
        if let Some(participant) = self.pairs.participants.get_mut(key) {
            participant.strangers.refill();
        }
    }

    /// Takes a ticket out of the line; its session is idle then.
    pub(crate) fn take_ticket(&mut self, key: TicketKey) -> Option<Ticket> {
        let mut ticket = self.pairs.matchmaker.remove(key)?;
        self.pairs.timers.clear(&mut ticket.timer, Due::Ticket(key));
        ticket.changes_at = None;
        *self.pairs.gauges.waiting.of(ticket.wishes.kind) -= 1;
        self.pairs.touched.extend(ticket.exported);
        self.transition_to_idle(ticket.session, None);
        Some(ticket)
    }

    pub(crate) fn new_ticket(
        &self,
        session: SessionKey,
        wishes: Arc<Wishes>,
        offer: Option<Offer>,
    ) -> Ticket {
        let expires = self.sessions.now + self.config.offer_ttl;
        let offer = offer.filter(|_| wishes.kind != Kind::Text).map(|offer| WaitingOffer { offer, expires });
        Ticket {
            session,
            wishes,
            since: self.sessions.now,
            created: self.sessions.now,
            offer,
            overtaken: 0,
            told: None,
            changes_at: None,
            timer: None,
            exported: None,
            export_at: self.sessions.now + self.config.overflow_after,
        }
    }

    /// Puts two together. Both tickets are out of the line, both sessions idle.
    fn pair(&mut self, arrived: Ticket, waited: Ticket, outputs: &mut Outputs) {
        for ticket in [&arrived, &waited] {
            let wait = self.sessions.now.since(ticket.since);
            self.sessions.counters.wait.record(wait);
            self.pairs.matchmaker.note_wait(&ticket.wishes, wait);
        }
        let arrived_is_older = (arrived.since, arrived.session) < (waited.since, waited.session);
        let live = [arrived.has_live_offer(self.sessions.now), waited.has_live_offer(self.sessions.now)];
        let arrived_initiates = first_initiates(live, arrived_is_older);
        let (initiator, responder) = if arrived_initiates { (arrived, waited) } else { (waited, arrived) };
        let kind = initiator.wishes.kind;
        let now = self.sessions.now;
        let mut offer = initiator.offer.filter(|waiting| waiting.is_live(now)).map(|waiting| waiting.offer);
        if let Some(Offer { sdp }) = &offer
            && !self.sessions.offer_fits(responder.session, sdp.reveal_json().len())
        {
            // Strangers in turn, each with a large offer, must not fill a queue.
            self.sessions.counters.offers_withheld += 1;
            offer = None;
        }
        let fit = fit(&initiator.wishes, &responder.wishes, offer.is_some());
        let Fit { mode, shared_interests, language } = fit;
        *self.sessions.counters.matches.of(kind) += 1;
        self.sessions.counters.matches_with_interest += u64::from(!shared_interests.is_empty());
        self.sessions.counters.matches_with_offer += u64::from(offer.is_some());
        *self.pairs.gauges.matches.of(kind) += 1;

        let seat = |session, since| Seat { session, since, candidates: 0, reported: false, alive: false };
        let id = MatchId(self.pairs.match_ids.next_id());
        let key = self.pairs.matches.insert(Match {
            id,
            kind,
            formed: self.sessions.now,
            connected: false,
            initiator: seat(initiator.session, initiator.since),
            responder: seat(responder.session, responder.since),
            timer: None,
            written: None,
        });
        self.pairs.schedule_match(key, self.sessions.now + self.config.sign_of_life.half());
        let own = if planted!(OfferComesBack) { offer.clone() } else { None };
        let told = [(initiator.session, Side::Initiator, own), (responder.session, Side::Responder, offer)];
        for (session, side, _) in &told {
            self.transition_to_matched(*session, key, *side);
        }
        let both = told.each_ref().map(|(session, _, _)| *session);
        for ((session, side, offer), stranger) in told.into_iter().zip(both.into_iter().rev()) {
            let found = PartnerFound {
                match_id: id,
                initiator: side == Side::Initiator,
                mode,
                shared_interests: shared_interests.clone(),
                language: language.clone(),
                offer,
                resume_token: self.mint(session),
                receipt: self.receipt(id, side, session, stranger),
            };
            let found = ServerMessage::PartnerFound(found);
            self.sessions.note_queued(session, stranger, &found);
            self.say(session, found, outputs);
        }
    }

    pub(crate) fn replace_offer(&mut self, key: TicketKey, offer: Offer) {
        let expires = self.sessions.now + self.config.offer_ttl;
        if let Some(ticket) =
            self.pairs.matchmaker.ticket_mut(key).filter(|ticket| ticket.wishes.kind != Kind::Text)
        {
            ticket.offer = Some(WaitingOffer { offer, expires });
        }
    }

    pub(crate) fn tell_waiting(&mut self, key: TicketKey, outputs: &mut Outputs) {
        let online = self.online_for_clients();
        let interval = self.waiting_interval();
        let Some(ticket) = self.pairs.matchmaker.ticket(key) else { return };
        let owes_token =
            self.pairs.participants.get(ticket.session).is_some_and(|participant| participant.owes_token);
        if ticket.told.is_some_and(|told| self.sessions.now < told + interval) && !owes_token {
            return;
        }
        let waited = self.sessions.now.since(ticket.since).as_micros();
        let typical = self.pairs.matchmaker.typical_wait(&ticket.wishes);
        let left = typical.map(|typical| Span::from_micros(typical.as_micros().saturating_sub(waited)));
        let (session, first) = (ticket.session, ticket.told.is_none());
        if let Some(ticket) = self.pairs.matchmaker.ticket_mut(key) {
            ticket.told = Some(self.sessions.now);
        }
        let estimate_ms = left.map(Span::as_millis_ceil);
        let resume_token = if first || owes_token { self.mint(session) } else { None };
        let message = ServerMessage::Waiting { online, estimate_ms, resume_token };
        self.say(session, message, outputs);
    }

    /// What the newest token says does not hold any more.
    pub(crate) fn owe_token(&mut self, key: SessionKey) {
        let resumable = self.sessions.get(key).is_some_and(|session| session.identity.is_some());
        if let Some(participant) = self.pairs.participants.get_mut(key) {
            participant.owes_token = resumable && !planted!(WishesStayOld);
        }
    }

    /// Who waits with other wishes than its newest token says gets a new one at once: a server may end at any moment.
    pub(crate) fn settle_token(&mut self, key: SessionKey, outputs: &mut Outputs) {
        let owes = self.pairs.participants.get(key).filter(|participant| participant.owes_token);
        if let Some(State::Waiting { ticket }) = owes.map(Participant::state) {
            self.tell_waiting(ticket, outputs);
        }
    }

    /// Stretched when very many wait, so that telling them never costs more than 2,000 messages a second.
    fn waiting_interval(&self) -> Span {
        let stretched = Span::from_micros(500 * self.pairs.matchmaker.len() as u64);
        self.config.waiting_interval.max(stretched)
    }

    /// Sets when to look at a waiting ticket again.
    pub(crate) fn schedule_ticket(&mut self, key: TicketKey) {
        let interval = self.waiting_interval();
        let Some(ticket) = self.pairs.matchmaker.ticket(key) else { return };
        let pause_ends = ticket.created + self.config.recent_pause;
        // A session that came by its token may have forgotten whom it met; they have not.
        let met_anyone =
            self.sessions.get(ticket.session).is_some_and(|session| {
                let returned =
                    session.identity.as_ref().is_some_and(|identity| identity.origin != Origin::Here);
                // And those who know the device may have met it in an earlier session.
                returned || session.device.is_some()
            }) || self.pairs.participants.get(ticket.session).is_some_and(Participant::met_anyone);
        let changes_at = [
            // Due already, and not looked at yet: what came first after a sleep may schedule anew.
            ticket.changes_at.filter(|at| *at <= self.sessions.now),
            ticket.relaxes_at(self.sessions.now, self.config).filter(|_| !planted!(RelaxingIsNotTimed)),
            (met_anyone && pause_ends > self.sessions.now && !planted!(PausesAreNotTimed))
                .then_some(pause_ends),
        ];
        let changes_at = changes_at.into_iter().flatten().min();
        let tell_at = ticket.told.map_or(self.sessions.now, |told| told + interval).max(self.sessions.now);
        let export_at = self.shows_tickets().then_some(ticket.export_at.max(self.sessions.now));
        let due = [changes_at, export_at].into_iter().flatten().fold(tell_at, Time::min);
        if let Some(ticket) = self.pairs.matchmaker.ticket_mut(key) {
            ticket.changes_at = changes_at;
            self.pairs.timers.set(&mut ticket.timer, Due::Ticket(key), due);
        }
    }

    fn read_wishes(&self, wanted: FindPartner) -> Result<(Wishes, Option<Offer>), Refusal> {
        let limits = &self.config.limits;
        let pool = wanted.pool.unwrap_or_default();
        if pool.chars().count() > limits.max_pool_chars || pool.chars().any(char::is_control) {
            let message =
                format!("pool: at most {} characters, no control characters", limits.max_pool_chars);
            return Err(Refusal::new(ErrorCode::BadField, message));
        }
        let wishes = Wishes {
            kind: wanted.kind,
            interests: read_interests(&wanted.interests, limits)?,
            languages: read_languages(&wanted.languages, limits)?,
            pin_language: wanted.pin.contains(&Pin::Language),
            pin_interests: wanted.pin.contains(&Pin::Interests),
            pool,
            relay_only: wanted.relay_only,
        };
        Ok((wishes, wanted.offer))
    }
}

/// Who initiates: whose offer is live, else who waited longer.
pub(crate) fn first_initiates(live_offers: [bool; 2], first_is_older: bool) -> bool {
    match live_offers {
        [true, false] => true,
        [false, true] => false,
        [true, true] | [false, false] => first_is_older,
    }
}

/// What both sides are told alike.
pub(crate) fn fit(initiator: &Wishes, responder: &Wishes, initiator_offers: bool) -> Fit {
    let mode = match (initiator.kind, initiator_offers) {
        (Kind::Text, _) => Mode::Text,
        (Kind::Video | Kind::Audio, true) => Mode::AnswerOffer,
        (Kind::Video | Kind::Audio, false) => Mode::Negotiate,
    };
    let shared_interests = shared_interests(initiator, responder);
    let language = shared_language(initiator, responder);
    Fit { mode, shared_interests, language }
}

fn shared_interests(one: &Wishes, other: &Wishes) -> Vec<String> {
    one.interests.iter().filter(|interest| other.interests.contains(interest)).cloned().collect()
}

/// The first language of `one` that `other` understands: the exact tag if both named it, else what they share of it.
fn shared_language(one: &Wishes, other: &Wishes) -> Option<Language> {
    one.languages.iter().find_map(|mine| {
        if other.languages.contains(mine) {
            return Some(mine.clone());
        }
        let shared = other.languages.iter().any(|theirs| theirs.primary() == mine.primary());
        shared.then(|| Language::read(mine.primary())).flatten()
    })
}

impl Pairing<'_> {
    /// Whether waiting tickets are shown to others, and so have to be looked at again for that.
    pub(crate) fn shows_tickets(&self) -> bool {
        self.peers.exports() && !self.sessions.is_draining()
    }
}
