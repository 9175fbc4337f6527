//! Visitors who hide their address: from the moment in which they ask for it, whatever becomes of the rest of what they
//! say.
//!
//! What always holds: once somebody has asked to hide, no offer from before waits for a stranger, and nothing from before
//! lies in a mailbox, here or on the stranger's node. A rate, a wrong field or a node that is asked first may refuse the
//! search, but not that.
//!
//! What is missing: a wish to hide that is refused in a call is in the next token, which comes at the latest with the end of
//! the call.

use super::{Pairing, State};
use crate::Outputs;
use crate::ids::SessionKey;
use std::sync::Arc;
use visavis_protocol::{ClientMessage, FindPartner, MessageType, Refusal, SearchMessage};

impl Pairing<'_> {
    /// Before anything may refuse the message.
    pub(crate) fn hide_at_once(&mut self, key: SessionKey, message: &ClientMessage, outputs: &mut Outputs) {
        let asks = matches!(
            message,
            ClientMessage::Search(SearchMessage::FindPartner(FindPartner { relay_only: true, .. }))
        );
        if asks {
            self.hide(key, outputs);
        }
    }

    /// A search that could not be read may have asked to hide: then its sender is better off without an offer in line.
    pub(crate) fn hide_in_doubt(&mut self, key: SessionKey, refusal: &Refusal, outputs: &mut Outputs) {
        if refusal.of == Some(MessageType::FindPartner) {
            self.withdraw_offer(key, outputs);
        }
    }

    pub(crate) fn hide(&mut self, key: SessionKey, outputs: &mut Outputs) {
        let resumable = self.sessions.get(key).is_some_and(|session| session.identity.is_some());
        let Some(participant) = self.pairs.participants.get_mut(key) else { return };
        participant.hides_on_arrival = true;
        let Some(wishes) = participant.wishes.as_mut().filter(|wishes| !wishes.relay_only) else { return };
        Arc::make_mut(wishes).relay_only = true;
        let wishes = wishes.clone();
        participant.owes_token |= resumable;
        match participant.state() {
            State::Waiting { ticket } => {
                if let Some(ticket) = self.pairs.matchmaker.ticket_mut(ticket) {
                    ticket.wishes = wishes;
                }
            }
            State::Reserved { by } => {
                if let Some(reserved) = self.pairs.reservations.get_mut(&by) {
                    reserved.ticket.wishes = wishes;
                }
            }
            State::Matched { key: present, side } => {
                // A stranger who is away has not read it yet.
                let partner =
                    self.pairs.matches.get(present).map(|present| present.seat(side.other()).session);
                let partner = partner.and_then(|partner| self.sessions.get_mut(partner));
                if let Some(identity) = partner.and_then(|partner| partner.identity.as_mut()) {
                    identity.replay.forget_addresses();
                }
                self.tell_hides(present, outputs);
            }
            State::Idle { .. } | State::Held { .. } => {}
        }
        self.withdraw_offer(key, outputs);
    }

    /// No offer waits any more. One that was promised to another node is in other hands: nothing may come of it.
    fn withdraw_offer(&mut self, key: SessionKey, outputs: &mut Outputs) {
        match self.pairs.state(key) {
            Some(State::Waiting { ticket }) => {
                if let Some(ticket) = self.pairs.matchmaker.ticket_mut(ticket) {
                    ticket.offer = None;
                }
            }
            Some(State::Reserved { by }) => self.replace_reserved_offer(by, None, outputs),
            Some(State::Idle { .. } | State::Held { .. } | State::Matched { .. }) | None => {}
        }
    }

    /// `None`: there was nothing in it but addresses that must not pass.
    pub(crate) fn hide_if_wished(
        &self,
        session: SessionKey,
        message: ClientMessage,
    ) -> Option<ClientMessage> {
        let wished = if let ClientMessage::Search(SearchMessage::FindPartner(wanted)) = &message {
            wanted.relay_only
        } else {
            let wishes =
                self.pairs.participants.get(session).and_then(|participant| participant.wishes.as_ref());
            wishes.is_some_and(|wishes| wishes.relay_only)
        };
        if wished || self.config.relay_only { message.through_relays_only() } else { Some(message) }
    }
}
