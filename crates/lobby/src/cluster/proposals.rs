//! Propose, promise, commit: how two nodes put two visitors together so that neither can be given away twice.
//!
//! The one who claimed reserves its own visitor and proposes; the owner of the claimed ticket looks whether the two
//! really fit, reserves its own and promises, with the waiting offer; the claimer tells its visitor and commits; the
//! owner tells its own. A reserved ticket does not wait; after [`RESERVATION`] it does again, with its age.
//! What always holds: each node decides on its own visitor only, at one moment, by its own clock. Whatever frame is
//! lost or late, at most one of the two is told of a match that the other side does not know, and hears that it ended.

use super::Cluster;
use crate::ids::{NodeId, Side, TicketId};
use crate::matches::{Match, Seat};
use crate::matchmaker::{Ticket, compatible};
use crate::nodes::{Fit, Partner, Party, Promise, Say};
use crate::pairing::{Reservation, Role, State, first_initiates, fit};
use crate::planted::planted;
use crate::session::Link;
use crate::{Outputs, Span};
use visavis_protocol::{LeftReason, MatchId, Offer, PartnerFound, ServerMessage};

/// How long a committed match may go without a word of the other node.
const UNANSWERED: Span = Span::from_secs(1);

/// One of ours and one of theirs, about to be matched.
struct Meeting {
    id: MatchId,
    mine: Ticket,
    side: Side,
    partner: Partner,
    partner_waited: Span,
    node: NodeId,
    fit: Fit,
    /// Of the partner, for mine.
    offer: Option<Offer>,
    /// Whether the other node has yet to say that it knows.
    answered: bool,
}

impl Cluster<'_> {
    pub(crate) fn on_propose(
        &mut self,
        node: NodeId,
        id: MatchId,
        ticket: TicketId,
        party: Party,
        outputs: &mut Outputs,
    ) {
        let crossed = self.crossed(node, ticket, &party);
        if let Some(mine) = crossed {
            // Both sides see both proposals, and let the same one win.
            if (self.peers.me, ticket) < (Some(node), party.ticket) {
                return self.tell(node, Say::Release { id }, outputs);
            }
            self.back_to_line_quietly(mine);
        }
        let promised = self.waiting_export(ticket).filter(|_| !self.sessions.is_draining()).and_then(|key| {
            let theirs = self.far_ticket(&party);
            let mine = self.pairs.matchmaker.ticket(key)?;
            let fits = self.is_acceptable(mine, &party.partner)
                && compatible(
                    (mine, mine.needs(self.sessions.now, self.config)),
                    (&theirs, theirs.needs(self.sessions.now, self.config)),
                    self.sessions.now,
                    self.config,
                    self.pairs.participants.get(mine.session)?.sees(party.partner.who()),
                );
            if !fits {
                return None;
            }
            self.pairing().take_ticket(key)
        });
        let Some(mut mine) = promised else {
            if let (Some(_), Some(key)) = (crossed, self.waiting_export(ticket))
                && let Some(mine) = self.pairing().take_ticket(key)
            {
                self.pairing().enter_line(mine, outputs);
            }
            return self.tell(node, Say::Release { id }, outputs);
        };
        let Some(partner) = self.pairs.partner_of(self.sessions, mine.session) else { return };
        let waited = self.sessions.now.since(mine.since);
        let mine_is_older = (waited, self.peers.me) > (party.waited, Some(node));
        let live = [mine.has_live_offer(self.sessions.now), party.offers];
        let side = match first_initiates(live, mine_is_older) {
            true => Side::Initiator,
            false => Side::Responder,
        };
        let theirs = &party.partner.wishes;
        let fit = match side {
            Side::Initiator => fit(&mine.wishes, theirs, live[0]),
            Side::Responder => fit(theirs, &mine.wishes, live[1]),
        };
        // Handed out now, and never again.
        let offer = match side {
            Side::Initiator if planted!(PromisedOffersStay) => mine.offer.clone(),
            Side::Initiator => mine.offer.take().filter(|offer| offer.expires > self.sessions.now),
            Side::Responder => None,
        };
        let offer = offer.map(|waiting| waiting.offer);
        let promise = Promise { partner, waited, side, fit: fit.clone(), offer };
        self.pairing().reserve(id, mine, node, Role::Promiser { theirs: Box::new(party), side, fit });
        self.tell(node, Say::Promise { id, promise: Box::new(promise) }, outputs);
    }

    /// My own proposal to the ticket that proposes to mine, if there is one.
    fn crossed(&self, node: NodeId, mine: TicketId, party: &Party) -> Option<MatchId> {
        let State::Reserved { by } = self.pairs.state(self.exported.get(&mine)?.session)? else {
            return None;
        };
        let reserved = self.pairs.reservations.get(&by)?;
        let crosses = reserved.node == node
            && reserved.ticket.exported == Some(mine)
            && matches!(reserved.role, Role::Proposer { theirs } if theirs == party.ticket);
        crosses.then_some(by)
    }

    /// Puts a ticket back where the proposal that won finds it; nobody else is looked for.
    fn back_to_line_quietly(&mut self, id: MatchId) {
        if let Some(reserved) = self.pairing().unreserve(id) {
            self.sessions.counters.proposals_failed += 1;
            self.pairing().insert_waiting(reserved.ticket);
        }
    }

    /// Whether one of ours may meet somebody of another node at all.
    fn is_acceptable(&self, mine: &Ticket, partner: &Partner) -> bool {
        let here =
            self.sessions.known(partner.session).is_some_and(|key| !self.sessions.is_known_by_hearsay(key));
        !here
            && self.sessions.get(mine.session).is_some()
            && !self.pairs.has_blocked(mine.session, partner.who())
    }

    pub(crate) fn on_promise(&mut self, node: NodeId, id: MatchId, promise: Promise, outputs: &mut Outputs) {
        let in_time = self.pairs.reservations.get(&id).is_some_and(|reserved| {
            reserved.node == node
                && self.sessions.now < reserved.deadline
                && matches!(reserved.role, Role::Proposer { .. })
                && !self.sessions.is_draining()
                && self.is_acceptable(&reserved.ticket, &promise.partner)
        });
        if !in_time {
            self.tell(node, Say::Release { id }, outputs);
            return self.pairing().back_to_line(id, outputs);
        }
        let Some(Reservation { ticket: mut mine, .. }) = self.pairing().unreserve(id) else { return };
        let side = if planted!(BothInitiate) { promise.side } else { promise.side.other() };
        let own_offer = match (side, promise.fit.mode) {
            (Side::Initiator, visavis_protocol::Mode::AnswerOffer) => {
                mine.offer.take().map(|waiting| waiting.offer)
            }
            _ => None,
        };
        let kind = mine.wishes.kind;
        let with_interest = !promise.fit.shared_interests.is_empty();
        *self.sessions.counters.matches.of(kind) += 1;
        self.sessions.counters.matches_across += 1;
        self.sessions.counters.matches_with_interest += u64::from(with_interest);
        self.sessions.counters.matches_with_offer +=
            u64::from(own_offer.is_some() || promise.offer.is_some());
        // First, so that what our visitor says at once comes after it.
        self.tell(node, Say::Commit { id, offer: own_offer }, outputs);
        let meeting = Meeting {
            id,
            mine,
            side,
            partner: promise.partner,
            partner_waited: promise.waited,
            node,
            fit: promise.fit,
            offer: promise.offer,
            answered: false,
        };
        self.meet(meeting, outputs);
    }

    pub(crate) fn on_commit(
        &mut self,
        node: NodeId,
        id: MatchId,
        offer: Option<Offer>,
        outputs: &mut Outputs,
    ) {
        let in_time = self.pairs.reservations.get(&id).is_some_and(|reserved| {
            reserved.node == node
                && self.sessions.now < reserved.deadline
                && match &reserved.role {
                    Role::Promiser { theirs, .. } => self.is_acceptable(&reserved.ticket, &theirs.partner),
                    Role::Proposer { .. } => false,
                }
        });
        if !in_time {
            self.tell(node, Say::Left { id, reason: LeftReason::Lost }, outputs);
            return self.pairing().back_to_line(id, outputs);
        }
        let Some(Reservation { ticket: mine, role: Role::Promiser { theirs, side, fit }, .. }) =
            self.pairing().unreserve(id)
        else {
            return;
        };
        if !planted!(CommitsAreNotConfirmed) {
            self.tell(node, Say::Committed { id }, outputs);
        }
        let meeting = Meeting {
            id,
            mine,
            side,
            partner: theirs.partner,
            partner_waited: theirs.waited,
            node,
            fit: if planted!(OwnerHearsOfNoInterests) {
                Fit { shared_interests: Vec::new(), ..fit }
            } else {
                fit
            },
            offer,
            answered: true,
        };
        self.meet(meeting, outputs);
    }

    pub(crate) fn on_committed(&mut self, node: NodeId, id: MatchId) {
        let Some(far) = self.pairing().far_seat(id).filter(|far| far.node == Some(node)) else { return };
        let Some(present) = self.pairs.matches.get_mut(far.key) else { return };
        present.seat_mut(far.side).alive = true;
        let half_way = present.formed + self.config.sign_of_life.half();
        self.pairs.schedule_match(far.key, half_way);
    }

    pub(crate) fn on_release(&mut self, node: NodeId, id: MatchId, outputs: &mut Outputs) {
        if self.pairs.reservations.get(&id).is_some_and(|reserved| reserved.node == node) {
            self.pairing().back_to_line(id, outputs);
        }
    }

    /// Makes the match and tells our visitor. Its ticket is out of the line, its session idle.
    fn meet(&mut self, meeting: Meeting, outputs: &mut Outputs) {
        let Meeting { id, mine, side, partner, partner_waited, node, fit, offer, answered } = meeting;
        let wait = self.sessions.now.since(mine.since);
        self.sessions.counters.wait.record(wait);
        self.pairs.matchmaker.note_wait(&mine.wishes, wait);
        let kind = mine.wishes.kind;
        let theirs_since = self.sessions.now - partner_waited;
        let proxy = self.pairing().admit_proxy(partner, Link::Elsewhere { node }, outputs);
        let session = mine.session;
        // Ours shows itself by speaking, as in any match; theirs is watched by its own node.
        let ours = Seat { session, since: mine.since, candidates: 0, reported: false, alive: false };
        let theirs =
            Seat { session: proxy, since: theirs_since, candidates: 0, reported: false, alive: answered };
        let (initiator, responder) = match side {
            Side::Initiator => (ours, theirs),
            Side::Responder => (theirs, ours),
        };
        let formed = Match {
            id,
            kind,
            formed: self.sessions.now,
            connected: false,
            initiator,
            responder,
            timer: None,
            written: None,
        };
        self.pairing().seat(formed, Some(node), [(session, side), (proxy, side.other())]);
        if !answered && let Some(far) = self.pairing().far_seat(id) {
            self.pairs.schedule_match(far.key, self.sessions.now + UNANSWERED);
        }
        let found = PartnerFound {
            match_id: id,
            initiator: side == Side::Initiator,
            mode: fit.mode,
            shared_interests: fit.shared_interests,
            language: fit.language,
            offer,
            resume_token: self.pairing().mint(session),
            receipt: self.pairing().receipt(id, side, session, proxy),
        };
        self.pairing().say(session, ServerMessage::PartnerFound(found), outputs);
    }
}
