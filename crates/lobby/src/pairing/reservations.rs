//! Tickets that are promised to somebody of another node, or offered to. Such a ticket does not wait; after [`RESERVATION`] it does
//! again, with its age.

use super::{Due, Pairing};
use crate::ids::{NodeId, Side, TicketId};
use crate::matchmaker::{Ticket, WaitingOffer};
use crate::nodes::{Fit, Party, Say};
use crate::planted::planted;
use crate::{Outputs, Span, Time};
use visavis_protocol::{MatchId, Offer};

/// How long a ticket stays reserved.
const RESERVATION: Span = Span::from_millis(300);

/// A ticket that is neither waiting nor matched.
#[derive(Debug)]
pub(crate) struct Reservation {
    pub(crate) ticket: Ticket,
    pub(crate) node: NodeId,
    pub(crate) role: Role,
    pub(crate) deadline: Time,
    pub(crate) timer: Option<Time>,
}

#[derive(Debug)]
pub(crate) enum Role {
    /// Waits for the promise.
    Proposer { theirs: TicketId },
    /// Has promised, and waits for the commit.
    Promiser { theirs: Box<Party>, side: Side, fit: Fit },
}

impl Pairing<'_> {
    pub(crate) fn reserve(&mut self, id: MatchId, ticket: Ticket, node: NodeId, role: Role) {
        let session = ticket.session;
        let deadline = self.sessions.now + RESERVATION;
        let mut timer = None;
        if !planted!(ReservationsNeverEnd) {
            self.pairs.timers.set(&mut timer, Due::Reservation(id), deadline);
        }
        self.pairs.reservations.insert(id, Reservation { ticket, node, role, deadline, timer });
        self.transition_to_reserved(session, id);
        self.sessions.watch(session);
    }

    /// Ends a reservation; its session is idle then.
    pub(crate) fn unreserve(&mut self, id: MatchId) -> Option<Reservation> {
        let mut reserved = self.pairs.reservations.remove(&id)?;
        self.pairs.timers.clear(&mut reserved.timer, Due::Reservation(id));
        self.pairs.touched.extend(reserved.ticket.exported);
        self.transition_to_idle(reserved.ticket.session, None);
        Some(reserved)
    }

    /// Takes a ticket back, as its visitor wants something else.
    pub(crate) fn cancel_reservation(&mut self, id: MatchId, outputs: &mut Outputs) -> Option<Ticket> {
        let reserved = self.unreserve(id)?;
        self.sessions.counters.proposals_failed += 1;
        self.tell(reserved.node, Say::Release { id }, outputs);
        Some(reserved.ticket)
    }

    /// Nothing came of it: the ticket waits again, with its age.
    pub(crate) fn back_to_line(&mut self, id: MatchId, outputs: &mut Outputs) {
        let Some(reserved) = self.unreserve(id) else { return };
        self.sessions.counters.proposals_failed += 1;
        let mut ticket = reserved.ticket;
        ticket.export_at = self.sessions.now + self.back_off();
        if !planted!(RefusedFallOutOfLine) {
            self.enter_line(ticket, outputs);
        }
    }

    pub(crate) fn on_reservation_due(&mut self, id: MatchId, outputs: &mut Outputs) {
        let Some(reserved) = self.pairs.reservations.get(&id) else { return };
        let node = reserved.node;
        self.tell(node, Say::Release { id }, outputs);
        self.back_to_line(id, outputs);
    }

    /// A fresh offer, or none any more, of somebody who is reserved. One that was promised is in other hands already: then nothing comes
    /// of the promise, or the answer would be to an offer that its client has given up.
    pub(crate) fn replace_reserved_offer(
        &mut self,
        id: MatchId,
        offer: Option<Offer>,
        outputs: &mut Outputs,
    ) {
        let expires = self.sessions.now + self.config.offer_ttl;
        let Some(reserved) = self.pairs.reservations.get_mut(&id) else { return };
        let offer = offer.filter(|_| reserved.ticket.wishes.kind != visavis_protocol::Kind::Text);
        reserved.ticket.offer = offer.map(|offer| WaitingOffer { offer, expires });
        match reserved.role {
            Role::Proposer { .. } | Role::Promiser { side: Side::Responder, .. } => {}
            Role::Promiser { side: Side::Initiator, .. } => {
                if let Some(mut ticket) = self.cancel_reservation(id, outputs) {
                    ticket.export_at = self.sessions.now + self.back_off();
                    self.enter_line(ticket, outputs);
                }
            }
        }
    }

    /// A short while, not the same for all, before somebody is shown to others again.
    pub(crate) fn back_off(&mut self) -> Span {
        Span::from_millis(50 + self.pairs.ticket_ids.next_id() % 200)
    }
}
