//! Who takes part, and where each stands. What changes there is told to its session, which is watched accordingly.

use super::{AgeCredit, Pairing, Pairs, Participant, Participants, State};
use crate::Time;
use crate::acquaintances::Acquaintance;
use crate::ids::{MatchKey, SessionKey, Side, TicketKey};
use crate::persons::Someone;
use crate::session::Session;
use crate::sessions::Sessions;
use visavis_protocol::MatchId;

impl Pairing<'_> {
    /// Removes a session that is in nothing any more.
    pub(crate) fn remove_participant(&mut self, key: SessionKey) -> Option<Session> {
        self.pairs.participants.remove(key);
        self.sessions.remove(key)
    }

    pub(crate) fn transition_to_idle(&mut self, key: SessionKey, credit: Option<AgeCredit>) {
        self.transition(key, |participant| participant.transition_to_idle(credit));
    }

    pub(crate) fn transition_to_waiting(&mut self, key: SessionKey, ticket: TicketKey) {
        self.transition(key, |participant| participant.transition_to_waiting(ticket));
    }

    pub(crate) fn transition_to_held(&mut self, key: SessionKey, since: Time, created: Time) {
        self.transition(key, |participant| participant.transition_to_held(since, created));
    }

    pub(crate) fn transition_to_reserved(&mut self, key: SessionKey, by: MatchId) {
        self.transition(key, |participant| participant.transition_to_reserved(by));
    }

    pub(crate) fn transition_to_matched(&mut self, key: SessionKey, present: MatchKey, side: Side) {
        self.transition(key, |participant| participant.transition_to_matched(present, side));
    }

    fn transition(&mut self, key: SessionKey, change: impl FnOnce(&mut Participant)) {
        let Some(participant) = self.pairs.participants.get_mut(key) else { return };
        change(participant);
        self.sessions.engage(key, participant.state().engagement());
    }

    /// How two sessions stand to each other, by what either remembers.
    pub(crate) fn acquaintance(&self, a: SessionKey, b: SessionKey) -> Acquaintance {
        acquaintance(self.sessions, &self.pairs.participants, a, b)
    }
}

pub(crate) fn acquaintance(
    sessions: &Sessions,
    participants: &Participants,
    a: SessionKey,
    b: SessionKey,
) -> Acquaintance {
    let sees =
        |one: SessionKey, other: SessionKey| Some(participants.get(one)?.sees(sessions.get(other)?.who()));
    let (Some(one), Some(other)) = (sees(a, b), sees(b, a)) else { return Acquaintance::Strangers };
    match (one, other) {
        (Acquaintance::Blocked, _) | (_, Acquaintance::Blocked) => Acquaintance::Blocked,
        (Acquaintance::Recent, _) | (_, Acquaintance::Recent) => Acquaintance::Recent,
        (Acquaintance::Strangers, Acquaintance::Strangers) => Acquaintance::Strangers,
    }
}

impl Pairs {
    pub(crate) fn state(&self, key: SessionKey) -> Option<State> {
        self.participants.get(key).map(Participant::state)
    }

    pub(crate) fn has_blocked(&self, key: SessionKey, other: Someone) -> bool {
        self.participants.get(key).is_some_and(|known| known.sees(other) == Acquaintance::Blocked)
    }
}
