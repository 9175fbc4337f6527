//! The token of where a session stands now.

use super::Lobby;
use crate::ids::SessionKey;
use crate::participants::State;
use crate::planted::planted;
use crate::tokens::{Claims, MatchClaim, PlaceClaim};
use visavis_protocol::ResumeToken;

impl Lobby {
    /// A token of where the session stands now. `None` for a session that cannot be resumed.
    pub(super) fn mint(&mut self, key: SessionKey) -> Option<ResumeToken> {
        let claims = self.sessions.claims(key)?;
        let participant = self.participants.get(key)?;
        let place = match participant.state() {
            State::Idle { .. } => PlaceClaim::Idle,
            State::Waiting { ticket } => PlaceClaim::Waiting(self.matchmaker.ticket(ticket)?.since),
            State::Held { since, .. } => PlaceClaim::Waiting(since),
            State::Reserved { by } => PlaceClaim::Waiting(self.far.reservations.get(&by)?.ticket.since),
            State::Matched { key, side } => {
                let present = self.matches.get(key)?;
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
            heard: self.heard(claims.session),
            recent: known.map(|known| known.recent().collect()).unwrap_or_default(),
            blocked: known
                .filter(|_| !planted!(TokensForgetBlocks))
                .map(|known| known.blocked().collect())
                .unwrap_or_default(),
            last_match: participant.last_match(),
            ..claims
        };
        let token = self.sessions.tokens.seal(&claims);
        if let Some(participant) = self.participants.get_mut(key) {
            participant.owes_token = false;
        }
        token
    }
}
