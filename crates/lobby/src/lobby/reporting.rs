//! Reports: what becomes of two visitors of whom one reports the other, and which of the reported lines were written.
//!
//! The report itself is the shell's affair. It may come to any node, long after the match, and by whatever way: the receipt
//! alone says whom it is about.

use super::Lobby;
use crate::Outputs;
use crate::ids::{ConnectionId, SessionKey};
use crate::matches::Written;
use crate::pairing::State;
use crate::persons::Someone;
use crate::receipts::{Author, Receipt};
use std::collections::VecDeque;
use visavis_protocol::{LeftReason, MatchId, ServerMessage};

/// How this node comes to hear of a report.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    First,
    ByAnotherNode,
}

/// Reports whose reporters were nowhere to be found. Bounded: the oldest is forgotten.
#[derive(Debug, Default)]
pub(super) struct Unsettled(VecDeque<Receipt>);

impl Unsettled {
    const MAX: usize = 1_000;

    fn remember(&mut self, receipt: Receipt) {
        if self.0.contains(&receipt) {
            return;
        }
        if self.0.len() >= Self::MAX {
            self.0.pop_front();
        }
        self.0.push_back(receipt);
    }

    /// Those of this visitor, by its session or its device.
    fn take(&mut self, who: Someone) -> Vec<Receipt> {
        let is_of = |receipt: &Receipt| {
            let reporter = receipt.reporter;
            reporter.session == who.session || (reporter.device.is_some() && reporter.device == who.device)
        };
        let taken = self.0.iter().copied().filter(is_of).collect();
        self.0.retain(|receipt| !is_of(receipt));
        taken
    }
}

impl Lobby {
    /// Which of these lines went through this server in the match of this receipt, as far as that is still known: until the
    /// reporter's next match ends. Lines that went from browser to browser were never seen here.
    pub fn witnessed(&self, receipt: &Receipt, lines: &[(Author, &str)]) -> Vec<bool> {
        let written = self.reporter(receipt).and_then(|key| self.written_in(key, receipt.match_id));
        let was_written = |(author, text): &(Author, &str)| {
            let side = match author {
                Author::Reporter => receipt.side,
                Author::Reported => receipt.side.other(),
            };
            let digest =
                self.pairs.receipts.as_ref().and_then(|sealer| sealer.line(receipt.match_id, side, text));
            digest.is_some_and(|digest| written.is_some_and(|written| written.contains(digest)))
        };
        lines.iter().map(was_written).collect()
    }

    fn written_in(&self, key: SessionKey, match_id: MatchId) -> Option<&Written> {
        let participant = self.pairs.participants.get(key)?;
        match participant.state() {
            State::Matched { key, .. } if self.pairs.matches.get(key)?.id == match_id => {
                self.pairs.matches.get(key)?.written.as_deref()
            }
            State::Matched { .. }
            | State::Idle { .. }
            | State::Waiting { .. }
            | State::Held { .. }
            | State::Reserved { .. } => {
                let known = participant.acquaintances()?;
                let (last, _) = known.last_match?;
                known.last_written.as_deref().filter(|_| last == match_id)
            }
        }
    }

    pub(super) fn on_report(&mut self, receipt: Receipt, told: Told, outputs: &mut Outputs) {
        match self.reporter(&receipt) {
            Some(key) => self.part(key, receipt, outputs),
            None => {
                self.reports.remember(receipt);
                if told == Told::First {
                    self.pass_report_on(receipt, outputs);
                }
            }
        }
    }

    /// Somebody said hello who may have reported a stranger while it was nowhere: between a restart and its return, or
    /// after its session had ended.
    pub(super) fn settle_reports(&mut self, connection: Option<ConnectionId>, outputs: &mut Outputs) {
        let Some(key) = connection.and_then(|connection| self.sessions.at(connection)) else { return };
        for receipt in self.reports.take(self.sessions.who(key)) {
            self.part(key, receipt, outputs);
        }
    }

    fn part(&mut self, key: SessionKey, receipt: Receipt, outputs: &mut Outputs) {
        let stranger = self.stranger(key, &receipt);
        let ended = self.pairing().keep_apart(key, stranger, outputs);
        let wishes = self.pairs.participants.get(key).and_then(|participant| participant.wishes.clone());
        let wishes = wishes.filter(|_| ended.is_some() && self.pairing().may_requeue(key));
        if let Some(match_id) = ended {
            let (reason, requeued) = (LeftReason::Blocked.told(), wishes.is_some());
            let resume_token = if requeued { None } else { self.pairing().mint(key) };
            self.pairing().say(
                key,
                ServerMessage::PartnerLeft { match_id, reason, requeued, resume_token },
                outputs,
            );
        }
        self.pairing().confirm_block(key, receipt.match_id, stranger, outputs);
        if let Some(wishes) = wishes {
            let ticket = self.pairing().new_ticket(key, wishes, None);
            self.pairing().enter_line(ticket, outputs);
        }
    }

    /// Who reports, if it is here.
    fn reporter(&self, receipt: &Receipt) -> Option<SessionKey> {
        let id = receipt.reporter.session;
        let known = self.sessions.known(id).or_else(|| {
            // Of a client that never said `hello`. Reports are rare.
            self.sessions.iter().find(|(_, session)| session.id == id).map(|(key, _)| key)
        });
        known.filter(|key| !self.sessions.is_known_by_hearsay(*key))
    }

    /// Whom the receipt is about. Its device may have become known since.
    fn stranger(&self, key: SessionKey, receipt: &Receipt) -> Someone {
        let present = self.pairs.state(key).and_then(|state| self.pairs.present_match(state));
        match present {
            Some((id, partner)) if id == receipt.match_id => self.sessions.who(partner),
            Some(_) | None => Someone { session: receipt.reported.session, device: receipt.reported.device },
        }
    }
}
