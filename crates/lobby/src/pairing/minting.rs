//! What a session gets to keep: the token of where it stands now, and the receipt of a match; and what is remembered of a
//! match for a report.

use crate::Limiting;
use crate::Outputs;
use crate::Time;
use crate::ids::MatchKey;
use crate::ids::PrefixId;
use crate::ids::SessionKey;
use crate::ids::Side;
use crate::nodes::Request;
use crate::pairing::Pairing;
use crate::pairing::Pairs;
use crate::pairing::Participant;
use crate::pairing::State;
use crate::planted::planted;
use crate::receipts::Receipt;
use crate::receipts::Trace;
use crate::session::Session;
use crate::tokens::Claims;
use crate::tokens::MatchClaim;
use crate::tokens::PlaceClaim;
use std::sync::Arc;
use visavis_protocol::MatchId;
use visavis_protocol::ReportReceipt;
use visavis_protocol::ResumeToken;
use visavis_protocol::ServerMessage;

impl Pairing<'_> {
    /// A token of where the session stands now. `None` for a session that cannot be resumed.
    pub(crate) fn mint(&mut self, key: SessionKey) -> Option<ResumeToken> {
        let claims = self.sessions.claims(key)?;
        let participant = self.pairs.participants.get(key)?;
        let place = match participant.state() {
            State::Idle { .. } => PlaceClaim::Idle,
            State::Waiting { ticket } => PlaceClaim::Waiting(self.pairs.matchmaker.ticket(ticket)?.since),
            State::Held { since, .. } => PlaceClaim::Waiting(since),
            State::Reserved { by } => PlaceClaim::Waiting(self.pairs.reservations.get(&by)?.ticket.since),
            State::Matched { key, side } => {
                let present = self.pairs.matches.get(key)?;
                let partner = self.sessions.get(present.seat(side.other()).session)?;
                PlaceClaim::Matched(MatchClaim {
                    id: present.id,
                    kind: present.kind,
                    side,
                    since: present.seat(side).since,
                    partner: partner.is_resumable().then_some(partner.id),
                    device: partner.device.filter(|_| partner.is_resumable()),
                })
            }
        };
        let known = participant.acquaintances();
        let claims = Claims {
            requeue: participant.requeue,
            wishes: participant.wishes.as_deref().cloned(),
            place,
            heard: self.pairs.heard(claims.session),
            recent: known.map(|known| known.recent().collect()).unwrap_or_default(),
            blocked: known
                .filter(|_| !planted!(TokensForgetBlocks))
                .map(|known| known.blocked().collect())
                .unwrap_or_default(),
            last_match: participant.last_match(),
            ..claims
        };
        let token = self.sessions.tokens.seal(&claims);
        if let Some(participant) = self.pairs.participants.get_mut(key) {
            participant.owes_token = false;
        }
        token
    }
}

impl Pairing<'_> {
    /// Leaves word of a session for whoever resumes it when this node is gone. Best effort.
    pub(crate) fn note_session(&mut self, key: SessionKey, outputs: &mut Outputs) {
        if !self.peers.is_near() {
            return;
        }
        let Some(session) = self.sessions.get(key) else { return };
        let Some(identity) =
            session.identity.as_ref().filter(|identity| !identity.origin.is_known_by_hearsay())
        else {
            return;
        };
        let (tag, generation) = (self.peers.veil.session(session.id), identity.generation);
        let participant = self.pairs.participants.get(key);
        let kept = participant.filter(|known| known.acquaintances().is_some()).map(Participant::kept);
        let kept = kept.and_then(|kept| self.sessions.tokens.seal_kept(&kept));
        outputs.ask(Request::Note { session: tag, generation, kept, ttl: self.config.token_ttl });
    }
}

impl Pairing<'_> {
    /// By which a session may report the stranger of a match. `None` where nothing can be reported.
    pub(crate) fn receipt(
        &mut self,
        match_id: MatchId,
        side: Side,
        reporter: SessionKey,
        stranger: SessionKey,
    ) -> Option<ReportReceipt> {
        let made = self.sessions.now;
        let (reporter, reported) = (self.trace(reporter)?, self.trace(stranger)?);
        self.pairs.receipts.as_mut()?.seal(&Receipt { match_id, side, made, reporter, reported })
    }

    fn trace(&self, key: SessionKey) -> Option<Trace> {
        let session = self.sessions.get(key)?;
        let prefix = self.pairs.prefix_of(session, self.sessions.now);
        Some(Trace { session: session.id, device: session.device, prefix })
    }
}

impl Pairs {
    /// Where a visitor comes from, as it may be remembered.
    pub(crate) fn prefix_of(&self, session: &Session, now: Time) -> Option<PrefixId> {
        match session.limiting {
            Limiting::Bound(source) => self.receipts.as_ref()?.prefix(now, source),
            Limiting::Exempt => session.identity.as_ref()?.prefix,
        }
    }

    /// Remembers a line of text, as a digest, for a report.
    pub(crate) fn note_written(&mut self, key: MatchKey, author: Side, message: &ServerMessage) {
        if let ServerMessage::Message { match_id, text } = message
            && let Some(digest) =
                self.receipts.as_ref().and_then(|sealer| sealer.line(*match_id, author, &text.0))
            && let Some(present) = self.matches.get_mut(key)
        {
            Arc::make_mut(present.written.get_or_insert_default()).note(digest);
        }
    }
}
