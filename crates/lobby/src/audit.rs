//! What must hold in a lobby after every input: the catalogue. [`crate::Lobby::audit`] checks it.
//!
//! Only for tests, the simulator and the fuzzer: it looks at everything, which costs more than the lobby itself.

use std::fmt;

/// Declares the invariants, each with the one sentence that it stands for.
macro_rules! invariants {
    ($($name:ident: $sentence:literal,)*) => {
        /// One thing that always holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Invariant {
            $(#[doc = $sentence] $name,)*
        }

        impl Invariant {
            pub const ALL: &[Invariant] = &[$(Invariant::$name,)*];

            /// What holds, in one sentence.
            pub fn sentence(self) -> &'static str {
                match self {
                    $(Invariant::$name => $sentence,)*
                }
            }
        }
    };
}

invariants! {
    ConnectionsNameSessions: "Every connection names one session, which names it back.",
    SessionsTakePart: "Every session is a participant as long as it lasts, and as ready as its place demands.",
    WaitingHoldsOneTicket: "A waiting session holds a ticket of its own.",
    TicketsHaveTheirSession: "Every ticket belongs to a session that waits with it.",
    MatchedSitInTheirSeat: "A matched session sits in the seat of the match that it names.",
    SeatsAreTaken: "In every seat sits a session that says so.",
    NobodyMeetsThemselves: "The two seats of a match hold two sessions.",
    NobodyIsInTwoPlaces: "No session has two tickets, two seats, or a ticket and a seat.",
    MatchIdsAreUnique: "No two matches have the same id, and none the id that names no match.",
    MatchesKeepWhatWasAsked: "Both sides of a match asked for its kind, in the same pool.",
    BlockedStayApart: "Nobody is in a match with somebody that either has blocked.",
    TimersAreRemembered: "Every due time in the queue is remembered by its thing, and no other is.",
    SessionsAreWatched: "Every session is looked at again.",
    TicketsAreWatched: "Every waiting ticket is looked at again, no later than it changes.",
    SilentSeatsAreWatched: "A match with a side that has shown no sign of life is looked at again.",
    GaugesAreTrue: "The gauges are the numbers that counting yields.",
    NobodyWaitsInVain: "No two waiting tickets are compatible at their present relaxation.",
    RelaxationIsOnTime: "A waiting ticket insists on what its age says, no longer and no shorter.",
    ShelvesHoldTheLine: "On the shelves stand the waiting tickets, each exactly where its wishes say.",
    NamesAreCounted: "A name is kept for as many uses as there are, and for no longer.",
    EmptyLanesAreBounded: "Lanes in which nobody waits are bounded in number.",
    AcquaintancesAreBounded: "Recent partners and blocks are bounded, each once, and never oneself.",
    TextCarriesNoOffer: "A ticket of kind text carries no offer.",
    OffersExpire: "A waiting offer expires no later than its span from now.",
    OvertakingIsBounded: "No waiting ticket was passed over more often than the bound.",
    IdentitiesNameSessions: "Every session that can be recognised is found by its name.",
    OnlyTheRecognisableDetach: "A session without a socket is one that can come back.",
    NobodyIsGivenToTheAbsent: "Nobody waits to be matched without a socket.",
    OnlyTheAbsentAreHeld: "A place is held only for a session without a socket.",
    ReplayIsBounded: "What is kept for a client that may have missed it is within its bounds.",
    ReservedHoldOneTicket: "A reserved session holds one reserved ticket, which stands in no line; no other is reserved.",
    ReservationsEnd: "Every reservation runs out.",
    ProxiesFaceOneOfOurs: "Whoever is on another node is here in one match, opposite a session of this node.",
    FarMatchesAreFound: "Every match with a side known by hearsay is found by its id.",
    ExportedTicketsAreHeld: "A ticket that others were shown is waiting or reserved, or is withdrawn.",
    ArrivalsEnd: "A visitor whom other nodes are asked about is here, and does not wait for ever.",
    TimesLieInThePast: "Nothing waited, met or spoke in the future.",
}

/// An invariant that does not hold: our bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub invariant: Invariant,
    /// Which session, ticket or match it is about.
    pub details: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({}): {}", self.invariant, self.invariant.sentence(), self.details)
    }
}

impl std::error::Error for Violation {}

/// Fails with a violation unless `holds`; the details are only written then.
pub(crate) fn check(
    holds: bool,
    invariant: Invariant,
    details: impl FnOnce() -> String,
) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { invariant, details: details() }) }
}
