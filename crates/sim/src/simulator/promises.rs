//! What the lobby promises, as anybody outside can check it: the catalogue. The observer and the guests check it.

use std::fmt;

/// Declares the promises, each with the one sentence that it stands for and where it is checked.
macro_rules! promises {
    ($($stage:ident { $($name:ident: $sentence:literal, $place:literal;)* })*) => {
        /// One thing that holds for everybody who only sees frames.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Promise {
            $($(#[doc = $sentence] $name,)*)*
        }

        impl Promise {
            $(
                #[doc = concat!("Those of ", stringify!($stage), ".")]
                pub const $stage: &[Promise] = &[$(Promise::$name,)*];
            )*

            /// What holds, in one sentence.
            pub fn sentence(self) -> &'static str {
                match self {
                    $($(Promise::$name => $sentence,)*)*
                }
            }

            /// The function that checks it.
            pub fn checked_in(self) -> &'static str {
                match self {
                    $($(Promise::$name => $place,)*)*
                }
            }
        }
    };
}

promises! { SERVER {
    NobodyIsInTwoMatches: "Nobody is given a stranger while in a match.", "Observer::finds";
    NobodyIsMatchedUnasked: "Only who searches is given a stranger.", "Observer::finds";
    NoKnownGhosts: "Nobody is given to a session whose end, or whose lost socket, the server knows.", "Observer::finds";
    MatchIdsAreFresh: "No two matches have the same id.", "Observer::finds";
    BothSidesAreTold: "A match is told to exactly two sessions, in the same moment.", "Observer::conclude";
    BothSidesAgree: "Both sides are told the same id, mode, interests and language, and exactly one of them initiates.", "Observer::judge";
    NobodyMeetsThemselves: "The two sides of a match are two sessions.", "Observer::judge";
    WishesAreKept: "Both sides asked for the match's kind and pool, and share what either still insists on.", "Observer::judge";
    BlockedStayApart: "Who has blocked, or was blocked by, somebody never meets them again.", "Observer::judge";
    RecentPartnersPause: "The last partners do not meet within the pause.", "Observer::judge";
    OvertakingIsBounded: "The oldest who fits is passed over at most so often.", "Observer::judge_order";
    OffersGoToThePartner: "A waiting offer is shown to the partner of its sender, and to nobody else.", "Observer::judge_offer";
    OffersAreShownOnce: "A waiting offer is shown at most once.", "Observer::judge_offer";
    OffersAreFresh: "No expired offer is shown.", "Observer::judge_offer";
    NobodyWaitsInVain: "No two of those who wait fit each other.", "Observer::settle";
    WhoSearchesHears: "Whoever begins to search hears at once that it waits, or of a stranger.", "Observer::conclude";
    WaitingIsTrue: "Only who waits is told so, and of the right number of people.", "Observer::hears";
    SurvivorsAreTold: "Who is left hears so at once, with the true reason, and nobody else does.", "Observer::conclude";
    RequeuedIsTrue: "Who is left is told truly whether it waits again.", "Observer::is_left";
    BlocksAreConfirmed: "Who blocks somebody, or takes a block back, hears so, and nobody else does.", "Observer::hears";
    TokensAreNew: "The newest token of whoever was just heard says what it wishes, whom it has blocked, and which device it is.", "Observer::conclude";
    PingsAreAnswered: "A ping is answered at once, with the number of frames taken; who answers none is asked none.", "Observer::hears";
    WhatIsTakenIsTold: "Who comes back hears how much of its last socket was taken.", "Observer::hears";
    LossIsAnnounced: "Who is in a match with a lost socket hears that, and hears when it is back.", "Observer::conclude";
    SignalsArrive: "What one side says in a match reaches the other, as it was said, at once or when it is back.", "Observer::conclude";
    SignalsStayInTheirMatch: "Nothing reaches anybody but what the present partner says in the present match.", "Observer::carries";
    NothingTwice: "Who counts its messages gets none of a match twice, and all in order.", "Observer::delivered";
    NothingIsLost: "Who counts its messages misses none of a match, as long as its mailbox did not overflow.", "Observer::delivered";
    MailboxesAreBounded: "What is kept for a lost client is bounded; beyond that the sender is refused.", "Observer::forwards";
    StoppedIsTheEnd: "After `stopped` nothing of the earlier search comes.", "Observer::conclude";
    ErrorsAreDeserved: "Only who sent something is told of an error, at once.", "Observer::hears";
    GreetingsAreAnswered: "A `hello` that is not refused is welcomed, and nobody else is.", "Observer::conclude";
    ReturnIsGranted: "Who comes back within the grace with its newest token is the same session again.", "Observer::is_welcomed";
    TokensWorkOnce: "Within one process a token brings a session back at most once.", "Observer::is_welcomed";
    OldTokensAreRefused: "A token of an older generation brings nobody back.", "Observer::is_welcomed";
    EndedSessionsStayEnded: "No token brings back a session that has ended here.", "Observer::is_welcomed";
    ForgedTokensAreRefused: "A token that was never issued, or has expired, brings nobody back.", "Observer::is_welcomed";
    ReturnersAreWhereTheyWere: "Who comes back is told the match that it is in, and that is the one that it was in.", "Observer::is_welcomed";
    OneSocketASession: "A resume closes the session's older socket at once; nothing else does.", "Observer::closes";
    NothingAfterTheEnd: "Nothing is sent to a socket that is closed.", "Observer::saw";
    TheLivingAreNotCut: "No socket is closed for silence that spoke a moment ago.", "Observer::closes";
    TheSilentAreCut: "A socket that says nothing is closed in time.", "Observer::settle";
    GhostsAreLeft: "A match with a side that shows no sign of life ends in time.", "Observer::foresee_timeouts";
    ReturnersComeFirst: "Who comes back by a good token does not wait behind those who come in.", "Observer::judge_pause";
    PausesAreOfThoseWhoWait: "Nobody is told to wait longer than for those who wait.", "Observer::judge_pause";
    AdmissionIsBounded: "Sessions are taken in no faster than the admission rate.", "Observer::admits";
    NextIsBounded: "A connection presses Next no faster than its rate.", "Observer::charges";
    TextIsBounded: "A connection writes no faster than its rate.", "Observer::charges";
    MessagesAreBounded: "A connection says no more than its rate allows.", "Observer::charges";
    GaugesAreTrue: "The gauges are what the visitors know.", "Observer::agrees_with";
    DrainingMatchesNobody: "A server that drains matches nobody.", "Observer::finds";
} NODES {
    OneLiveMatch: "No client is given a stranger while it is in a match.", "Watcher::delivered";
    FoundOnce: "Who counts its messages hears of a match once.", "Watcher::delivered";
    NothingIsReadTwice: "Who counts its messages gets no text twice.", "Watcher::delivered";
    WordsAreThePartners: "What is read in a match was written by the other one of the two.", "Watcher::is_of_the_partner";
    TwoInAMatch: "A match is told to two sessions, one of which initiates.", "Watcher::finds";
    BothHearTheSame: "Both sides of a match hear of the same mode and the same interests.", "Watcher::finds";
    AnOfferIsForOne: "A waiting offer is shown to one session only.", "Watcher::shows_offer";
    OffersAreThePartners: "The offer that comes with a match is the partner's.", "Watcher::shows_offer";
    BlocksHoldEverywhere: "Who has blocked somebody never meets them again, on whatever node, as long as Redis forgets nothing.", "Watcher::judge_pair";
    OldPartnersPause: "The last partners do not meet within the pause, on whatever nodes.", "Watcher::judge_pair";
    OnlyKnownTokensResume: "No session comes back but by a token that was given out.", "Watcher::welcomes";
    EveryHelloIsAnswered: "A `hello` is answered in time, whoever has to be asked.", "World::is_answered";
    PresenceIsTrue: "When all is calm, every node knows how many people there are on all.", "World::convergence";
} BOTH {
    InsideIsSound: "Every invariant of the lobby's own audit holds.", "Lobby::audit";
    TimersAreDone: "After a timeout no timer is due.", "World::run_timers";
    NothingPanics: "No input makes the lobby panic.", "simulator::run";
    EverybodyMeets: "After the faults stop, everyone who fits somebody is matched, and knows it.", "World::convergence";
}}

/// A promise that was broken: our bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    pub promise: Promise,
    /// Who, and what happened; for [`Promise::InsideIsSound`] it begins with the invariant's name.
    pub details: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({}): {}", self.promise, self.promise.sentence(), self.details)
    }
}

/// Fails with a breach unless `holds`; the details are only written then.
pub(crate) fn hold(holds: bool, promise: Promise, details: impl FnOnce() -> String) -> Result<(), Breach> {
    if holds { Ok(()) } else { Err(Breach { promise, details: details() }) }
}
