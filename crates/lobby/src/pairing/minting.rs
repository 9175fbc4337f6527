//! The token of where a session stands now.

use super::{Pairing, Participant, State};
use crate::Outputs;
use crate::ids::SessionKey;
use crate::nodes::Request;
use crate::planted::planted;
use crate::tokens::{Claims, MatchClaim, PlaceClaim};
use visavis_protocol::ResumeToken;

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
