//! Shows visitors who find nobody here to other nodes: exported tickets, and the replies to them.

use super::{Cluster, Exported};
use crate::ids::{TicketId, TicketKey};
use crate::matchmaker::{Ticket, primaries};
use crate::nodes::{Bucket, Claimed, Export, Insists, Party, Request, Say};
use crate::pairing::{Participant, Role, State};
use crate::{Outputs, Span, Time};
use std::sync::Arc;
use visavis_protocol::MatchId;

/// Between two exports of one ticket, at the least: each looks for somebody who fits, and renews the lease.
const EXPORT_INTERVAL: Span = Span::from_secs(1);

impl Cluster<'_> {
    pub(crate) fn export_if_due(&mut self, key: TicketKey, outputs: &mut Outputs) {
        if !self.pairing().shows_tickets() {
            return;
        }
        let Some(ticket) =
            self.pairs.matchmaker.ticket(key).filter(|ticket| ticket.export_at <= self.sessions.now)
        else {
            return;
        };
        let id = ticket.exported.unwrap_or_else(|| TicketId(self.pairs.ticket_ids.next_id()));
        let interval = self.export_interval(id);
        let Some(ticket) = self.pairs.matchmaker.ticket(key) else { return };
        let Some(export) = self.export_of(ticket, id, interval) else { return };
        self.exported.insert(id, Exported { session: ticket.session, bucket: export.bucket });
        if let Some(ticket) = self.pairs.matchmaker.ticket_mut(key) {
            ticket.exported = Some(id);
            ticket.export_at = self.sessions.now + interval;
        }
        self.sessions.counters.exports += 1;
        outputs.ask(Request::Claim(Box::new(export)));
    }

    /// Stretched when very many wait, so that showing them never costs more than 2,000 claims a second; and not the
    /// same for all, so that they do not come in one herd.
    fn export_interval(&self, id: TicketId) -> Span {
        let stretched = Span::from_micros(500 * self.pairs.matchmaker.len() as u64).max(EXPORT_INTERVAL);
        let spread = id.0 % (stretched.as_micros() / 4).max(1);
        Span::from_micros(stretched.as_micros() + spread)
    }

    fn export_of(&self, ticket: &Ticket, id: TicketId, interval: Span) -> Option<Export> {
        let session = self.sessions.get(ticket.session)?;
        let veil = &self.peers.veil;
        let wishes = &ticket.wishes;
        let insists = |wished: bool, pinned: bool, until: Time| match (wished, pinned) {
            (false, _) => Insists::No,
            (true, true) => Insists::Always,
            (true, false) if until > self.sessions.now => Insists::For(until.since(self.sessions.now)),
            (true, false) => Insists::No,
        };
        let acquaintances = self.pairs.participants.get(ticket.session).and_then(Participant::acquaintances);
        Some(Export {
            bucket: Bucket { kind: wishes.kind, pool: veil.pool(&wishes.pool) },
            ticket: id,
            session: veil.person(session.who().person()),
            interests: wishes.interests.iter().map(|interest| veil.interest(interest)).collect(),
            languages: primaries(wishes).map(|language| veil.language(language)).collect(),
            insists_on_interest: insists(
                !wishes.interests.is_empty(),
                wishes.pin_interests,
                ticket.since + self.config.relax_interests_after,
            ),
            insists_on_language: insists(
                !wishes.languages.is_empty(),
                wishes.pin_language,
                ticket.since + self.config.relax_language_after,
            ),
            waited: self.sessions.now.since(ticket.since),
            made: self.sessions.now.since(ticket.created),
            recent_pause: self.config.recent_pause,
            recent: acquaintances
                .map(|known| known.recent().map(|other| veil.person(other)).collect())
                .unwrap_or_default(),
            blocked: acquaintances
                .map(|known| known.kept_apart().map(|other| veil.person(other)).collect())
                .unwrap_or_default(),
            lease: Span::from_micros(interval.as_micros() * 3),
        })
    }

    pub(crate) fn on_claimed(&mut self, ticket: TicketId, found: Option<Claimed>, outputs: &mut Outputs) {
        // It waits in the pool; if it does not wait here any more, it was withdrawn after it was put there.
        let Some(Claimed { node, ticket: theirs }) = found else { return };
        match self.waiting_export(ticket) {
            Some(key) if self.peers.knows(node) => self.propose(key, ticket, node, theirs, outputs),
            Some(key) => {
                // Its node is gone, and so is the ticket, now: look again.
                if let Some(ticket) = self.pairs.matchmaker.ticket_mut(key) {
                    ticket.export_at = self.sessions.now;
                }
                self.pairing().schedule_ticket(key);
            }
            None => self.tell(node, Say::Unclaimed { ticket: theirs }, outputs),
        }
    }

    fn propose(
        &mut self,
        key: TicketKey,
        id: TicketId,
        node: super::NodeId,
        theirs: TicketId,
        outputs: &mut Outputs,
    ) {
        let Some(ticket) = self.pairing().take_ticket(key) else { return };
        let Some(partner) = self.pairs.partner_of(self.sessions, ticket.session) else { return };
        let match_id = MatchId(self.pairs.match_ids.next_id());
        let party = Party {
            ticket: id,
            partner,
            waited: self.sessions.now.since(ticket.since),
            made: self.sessions.now.since(ticket.created),
            // It must still be live when the promise comes.
            offers: ticket.has_live_offer(self.sessions.now + Span::from_secs(1)),
        };
        self.sessions.counters.proposals += 1;
        self.pairing().reserve(match_id, ticket, node, Role::Proposer { theirs });
        self.tell(node, Say::Propose { id: match_id, ticket: theirs, party }, outputs);
    }

    /// The place in line of a ticket of ours that others know by this id.
    pub(crate) fn waiting_export(&self, id: TicketId) -> Option<TicketKey> {
        let Exported { session, .. } = self.exported.get(&id)?;
        let State::Waiting { ticket } = self.pairs.state(*session)? else { return None };
        (self.pairs.matchmaker.ticket(ticket)?.exported == Some(id)).then_some(ticket)
    }

    pub(crate) fn on_unclaimed(&mut self, ticket: TicketId) {
        let Some(key) = self.waiting_export(ticket) else { return };
        if let Some(ticket) = self.pairs.matchmaker.ticket_mut(key) {
            ticket.export_at = self.sessions.now;
        }
        self.pairing().schedule_ticket(key);
    }

    /// Now that others can be shown tickets, looks at everybody's again.
    pub(crate) fn look_at_exports(&mut self) {
        for key in self.pairs.matchmaker.keys() {
            self.pairing().schedule_ticket(key);
        }
    }

    /// Takes exported tickets that neither wait nor are reserved out of the pool.
    pub(crate) fn settle_exports(&mut self, outputs: &mut Outputs) {
        if self.pairs.touched.is_empty() {
            return;
        }
        for id in std::mem::take(&mut self.pairs.touched) {
            let Some(Exported { session, bucket }) = self.exported.get(&id).copied() else {
                continue;
            };
            let held = match self.pairs.state(session) {
                Some(State::Waiting { ticket }) => {
                    self.pairs.matchmaker.ticket(ticket).and_then(|ticket| ticket.exported)
                }
                Some(State::Reserved { by }) => {
                    self.pairs.reservations.get(&by).and_then(|reserved| reserved.ticket.exported)
                }
                Some(State::Idle { .. } | State::Held { .. } | State::Matched { .. }) | None => None,
            };
            if held != Some(id) {
                self.exported.remove(&id);
                outputs.ask(Request::Withdraw { bucket, ticket: id });
            }
        }
    }

    pub(crate) fn far_ticket(&mut self, party: &Party) -> Ticket {
        let mut ticket = self.pairing().new_ticket(
            crate::ids::SessionKey::default(),
            Arc::new(party.partner.wishes.clone()),
            None,
        );
        ticket.since = self.sessions.now - party.waited;
        ticket.created = self.sessions.now - party.made;
        ticket
    }
}
