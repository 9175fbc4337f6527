//! Faults planted on purpose, one at a time: what catches nothing proves nothing.
//!
//! Only under the feature `planted`, which the simulator alone turns on. Without it [`planted!`] is the constant `false`
//! and nothing of this is compiled; the server does not build with it (see its `main.rs`).

/// Whether this fault is planted at present.
#[cfg(feature = "planted")]
macro_rules! planted {
    ($fault:ident) => {
        $crate::planted::is_planted($crate::planted::Fault::$fault)
    };
}

#[cfg(not(feature = "planted"))]
macro_rules! planted {
    ($fault:ident) => {
        false
    };
}

pub(crate) use planted;

#[cfg(feature = "planted")]
pub use faults::{Fault, plant};

#[cfg(feature = "planted")]
pub(crate) use faults::is_planted;

#[cfg(feature = "planted")]
mod faults {
    use std::cell::Cell;

    /// Declares the faults, each with the one sentence that says what goes wrong.
    macro_rules! faults {
        ($($place:ident { $($name:ident: $sentence:literal,)* })*) => {
            /// One thing that could have been programmed wrongly.
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
            pub enum Fault {
                $($(#[doc = $sentence] $name,)*)*
            }

            impl Fault {
                pub const ALL: &[Fault] = &[$($(Fault::$name,)*)*];
                $(
                    #[doc = concat!("Those ", stringify!($place), ": on one node alone, or between nodes.")]
                    pub const $place: &[Fault] = &[$(Fault::$name,)*];
                )*

                /// What goes wrong, in one sentence.
                pub fn sentence(self) -> &'static str {
                    match self {
                        $($(Fault::$name => $sentence,)*)*
                    }
                }
            }
        };
    }

    faults! { HERE {
        LeaverStaysInLine: "Whoever stops or closes leaves the ticket in the line.",
        LeavingIsNotBelieved: "A close frame counts as a lost socket.",
        TokensForgetBlocks: "A token does not say whom its session has blocked.",
        WishesStayOld: "Wishes that are replaced while waiting bring no new token.",
        DevicesAreForgotten: "What a page calls its device is not looked at.",
        HandlesOpenNothing: "The blocks that a page has kept are not looked at.",
        TypingFillsTheMailbox: "What is typed takes the place of what is said in the mailbox.",
        BlockIsForgotten: "A block ends the match and is not remembered.",
        PartnersAreForgotten: "The last partners are not remembered.",
        OfferComesBack: "The waiting offer is handed to its own sender, too.",
        OffersNeverExpire: "A waiting offer is handed out however old it is.",
        StaleSignalsPass: "A signal reaches the present partner whatever match it names.",
        LateNextLeaves: "A next that names another match leaves the present one.",
        SurvivorIsNotTold: "Nobody tells the partner of somebody who pressed Next.",
        SurvivorIsForgotten: "A survivor is told that it waits, and does not stand in line.",
        SurvivorLosesItsAge: "A survivor goes back to the end of the line.",
        GhostsStay: "A match with a ghost is never dissolved.",
        FrozenPagesCount: "The socket of a frozen page counts as somebody who waits.",
        SilenceIsEndless: "Nobody is ever cut for silence.",
        TokensStayGood: "A token is good for any number of resumes.",
        OldTokensPass: "A token of an older generation resumes.",
        EndedSessionsReturn: "A session that has ended comes back by its token.",
        OldSocketStays: "A resume leaves the older socket open.",
        MailboxIsBoundless: "What is kept for a lost client has no bound.",
        MailIsRepeated: "A client that resumes gets the last message that it has, again.",
        MailIsLost: "What a client missed is thrown away at the resume.",
        MailIsLostUnsaid: "A full mailbox loses messages, and the sender is not told.",
        AbsentAreGivenAway: "A lost socket's ticket stays in the line.",
        HeldPlaceIsLost: "Whoever resumes goes back to the end of the line.",
        RestoredPlaceIsLost: "After a restart a waiting visitor goes to the end of the line.",
        PresenceIsNotTold: "Who comes second to a pair that is rebuilt is not told that the stranger is there.",
        HalfPairsStay: "Half a pair waits for ever after a restart.",
        RestoredPairsDisagree: "After a restart a visitor lands in the match that its partner names.",
        AdmissionIsOpen: "Everybody is taken in at any rate.",
        ResumesWaitInLine: "Who comes back by a good token waits behind all who come in.",
        PromisesAreNotReleased: "A place that was promised stays taken when its socket goes.",
        NextIsUnlimited: "Next may be pressed at any rate.",
        OvertakingIsNotCounted: "The oldest in line may be passed over for ever.",
        PinsAreRelaxed: "Waiting relaxes a pinned language.",
        PoolsMix: "The pool of a wish is not looked at.",
        RelaxingIsNotTimed: "Nobody looks again when a wish relaxes.",
        PausesAreNotTimed: "Nobody looks again when the pause between old partners ends.",
        MatchIdsRepeat: "Every match has the same id.",
        EndedMatchesAreCounted: "The gauge of matches forgets to count down.",
        TimersStay: "A timer that is cleared rings nevertheless.",
    } FAR {
        ReservationsNeverEnd: "A ticket that is promised stays reserved until somebody says something.",
        RefusedFallOutOfLine: "A visitor whose proposal came to nothing is not put back into the line.",
        PromisedOffersStay: "A waiting offer goes out with the promise, and stays in the ticket.",
        BothInitiate: "Both sides of a match across nodes take the same part.",
        OwnerHearsOfNoInterests: "The owner's visitor is not told of the shared interests.",
        CommitsAreNotConfirmed: "The owner of a ticket does not say that it has heard the commit.",
        ProxiesStandTwice: "A visitor who is known here already becomes a proxy beside that.",
        LeavingIsNotSaid: "Another node is not told that a visitor of ours has left.",
        ProxiesOfTheDeadStay: "Nothing is done about partners on a node that is gone.",
        EndsAreSaidOnce: "The end of a match is said to another node once, and may be lost.",
        GapsAreIgnored: "Nothing is done about frames that were lost.",
        MissingMatchesStay: "A match that the other node does not know is kept.",
        UnknownMatchesAreNotDenied: "A match that only the other node knows is not denied at the comparison.",
        UnknownSignalsAreNotAnswered: "A signal of an unknown match is not answered.",
        ArrivalsWaitForEver: "A visitor waits for as long as nobody answers about its session.",
        MailIsHandedOverTwice: "What a client has heard already is handed over with its session.",
        MailIsNotHandedOver: "What a client has missed is not handed over with its session.",
        DeparturesAreNotWatched: "Nobody looks whether a side of a match arrives where it was handed to, if the other is on a third node.",
        MovedSocketsStay: "A session is handed over, and its old socket stays open.",
        MovedFallOutOfLine: "Who waits and changes its node does not wait any more.",
        PresenceIsOld: "How many people another node has is read once.",
        StartsAreNotToldApart: "Frames and leases of an earlier start of a node count as well.",
    }}

    thread_local! {
        static PLANTED: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    /// Plants a fault into every lobby of this thread, instead of the one before.
    pub fn plant(fault: Option<Fault>) {
        PLANTED.set(fault);
    }

    pub(crate) fn is_planted(fault: Fault) -> bool {
        PLANTED.get() == Some(fault)
    }
}
