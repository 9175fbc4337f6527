//! What pairing knows of a session: where it stands, what it asked for, whom it has met.

use crate::Time;
use crate::acquaintances::{Acquaintance, Acquaintances};
use crate::ids::{MatchKey, PersonId, SessionKey, Side, TicketKey};
use crate::persons::Someone;
use crate::rates::Rate;
use crate::session::Engagement;
use crate::tokens::Kept;
use slotmap::SecondaryMap;
use std::sync::Arc;
use visavis_protocol::{MatchId, Wishes};

/// One for each session, as long as that lasts.
pub(crate) type Participants = SecondaryMap<SessionKey, Participant>;

#[derive(Debug, Default)]
pub(crate) struct Participant {
    state: State,
    /// Of the last search; `next` repeats them.
    pub(crate) wishes: Option<Arc<Wishes>>,
    /// Boxed: most of an idle crowd have met nobody.
    acquaintances: Option<Box<Acquaintances>>,
    /// Whom it was given without asking.
    pub(crate) strangers: Rate,
    /// Whether the visitor goes back to the line by itself when the stranger leaves.
    pub(crate) requeue: bool,
    /// Said `hello` or `requeue: true`: such a client names the match on every signal.
    pub(crate) names_matches: bool,
    /// Asked to hide its address before it was known which session it is.
    pub(crate) hides_on_arrival: bool,
    /// Its newest token does not say any more what holds.
    pub(crate) owes_token: bool,
}

/// Where a session stands. Written only by the `transition_to_*` functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Idle {
        credit: Option<AgeCredit>,
    },
    Waiting {
        ticket: TicketKey,
    },
    /// In line, but its socket is gone: the place is kept, and nobody is given to it.
    Held {
        since: Time,
        created: Time,
    },
    /// In line, but promised to somebody of another node, or offered to: nobody else is given to it meanwhile.
    Reserved {
        by: MatchId,
    },
    Matched {
        key: MatchKey,
        side: Side,
    },
}

impl Default for State {
    fn default() -> Self {
        State::Idle { credit: None }
    }
}

impl State {
    /// What the session has to be ready for.
    pub(crate) fn engagement(self) -> Engagement {
        match self {
            State::Idle { .. } | State::Held { .. } => Engagement::Free,
            State::Waiting { .. } | State::Reserved { .. } => Engagement::OnCall,
            State::Matched { .. } => Engagement::Engaged,
        }
    }
}

/// The place in line that a survivor without `requeue` gets back if it asks in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AgeCredit {
    pub(crate) since: Time,
    pub(crate) valid_until: Time,
}

impl Participant {
    /// A visitor of another node, of whom its node says what it looks for.
    pub(crate) fn asking_for(wishes: Wishes) -> Self {
        Participant { wishes: Some(Arc::new(wishes)), ..Participant::default() }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn transition_to_idle(&mut self, credit: Option<AgeCredit>) {
        self.state = State::Idle { credit };
    }

    pub(crate) fn transition_to_waiting(&mut self, ticket: TicketKey) {
        debug_assert!(matches!(self.state, State::Idle { .. }), "one ticket, and none in a match");
        self.state = State::Waiting { ticket };
    }

    pub(crate) fn transition_to_held(&mut self, since: Time, created: Time) {
        debug_assert!(
            matches!(self.state, State::Idle { .. }),
            "the ticket is taken before the place is held"
        );
        self.state = State::Held { since, created };
    }

    pub(crate) fn transition_to_reserved(&mut self, by: MatchId) {
        debug_assert!(matches!(self.state, State::Idle { .. }), "the ticket is taken before it is reserved");
        self.state = State::Reserved { by };
    }

    pub(crate) fn transition_to_matched(&mut self, key: MatchKey, side: Side) {
        debug_assert!(
            matches!(self.state, State::Idle { .. }),
            "the ticket is taken before the match is made"
        );
        self.state = State::Matched { key, side };
    }

    pub(crate) fn was_ever_matched(&self) -> bool {
        self.last_match().is_some() || matches!(self.state, State::Matched { .. })
    }

    pub(crate) fn acquaintances(&self) -> Option<&Acquaintances> {
        self.acquaintances.as_deref()
    }

    pub(crate) fn acquaintances_mut(&mut self) -> &mut Acquaintances {
        self.acquaintances.get_or_insert_default()
    }

    /// The match that ended last, and with whom.
    pub(crate) fn last_match(&self) -> Option<(MatchId, Someone)> {
        self.acquaintances.as_ref().and_then(|known| known.last_match)
    }

    /// Takes over which match ended last, elsewhere.
    pub(crate) fn remember_last_match(&mut self, last: Option<(MatchId, Someone)>) {
        if last.is_some() || self.acquaintances.is_some() {
            self.acquaintances_mut().last_match = last;
        }
    }

    /// Takes over whom it met and blocked earlier, elsewhere.
    pub(crate) fn remember(&mut self, recent: Vec<PersonId>, blocked: Vec<PersonId>, recent_partners: usize) {
        if !recent.is_empty() || !blocked.is_empty() {
            self.acquaintances_mut().remember(recent, blocked, recent_partners);
        }
    }

    /// Whom it has blocked, if anybody.
    pub(crate) fn take_blocked(&mut self) -> Vec<PersonId> {
        self.acquaintances.take().map(|known| known.blocked().collect()).unwrap_or_default()
    }

    /// Of these, what outlasts its session.
    pub(crate) fn kept(&self) -> Kept {
        let Some(known) = &self.acquaintances else { return Kept::default() };
        Kept { recent: known.recent().collect(), blocked: known.blocked().collect() }
    }

    pub(crate) fn met_anyone(&self) -> bool {
        self.acquaintances.as_ref().is_some_and(|known| known.met_anyone())
    }

    pub(crate) fn sees(&self, other: Someone) -> Acquaintance {
        self.acquaintances.as_ref().map_or(Acquaintance::Strangers, |known| known.sees(other))
    }
}
