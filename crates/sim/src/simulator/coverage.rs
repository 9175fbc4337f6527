//! The interesting states: a run of many seeds has to reach every one of them, else it proves less than it seems.

/// Declares the cases.
macro_rules! cases {
    ($($stage:ident { $($name:ident: $sentence:literal,)* })*) => {
        /// Something that has to happen sometimes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Case {
            $($(#[doc = $sentence] $name,)*)*
        }

        impl Case {
            pub const ALL: &[Case] = &[$($(Case::$name,)*)*];
            $(
                #[doc = concat!("Those of ", stringify!($stage), ".")]
                pub const $stage: &[Case] = &[$(Case::$name,)*];
            )*

            /// What happens, in one sentence.
            pub fn sentence(self) -> &'static str {
                match self {
                    $($(Case::$name => $sentence,)*)*
                }
            }
        }
    };
}

cases! { SERVER {
    OfferAnswered: "A waiting offer travels with the match.",
    Negotiated: "Two meet of whom neither sent an offer.",
    TextChat: "Two meet for text alone.",
    SharedInterest: "Two meet who share an interest.",
    InterestRelaxed: "Two meet who share no interest after waiting for one.",
    LanguageRelaxed: "Two meet who share no language after waiting for one.",
    PinHeld: "A pinned wish keeps two apart who would fit otherwise.",
    MetAgain: "Recent partners meet again after the pause.",
    BlockHeld: "A block keeps two apart who both wait and would fit otherwise.",
    BlockRestored: "After a restart somebody comes back who had blocked somebody.",
    BlocksBrought: "A new session brings the blocks of earlier ones.",
    BlockTakenBack: "A block is taken back.",
    Overtaken: "The oldest in line is passed over as often as it may be.",
    AgeKept: "A survivor goes back to the line with its age.",
    CreditUsed: "A survivor who was not requeued asks in time and gets its age back.",
    GhostLeft: "A match with a ghost is dissolved.",
    BothGhosts: "Both sides of a match are ghosts.",
    SilentCut: "A silent socket is cut.",
    FrozenCut: "A page that waits, and does not answer for itself, is cut.",
    Resumed: "A session comes back in the same process.",
    ResumedInMatch: "A session comes back into its match.",
    ResumedInLine: "A session comes back to its place in line.",
    MailDelivered: "Who comes back gets what it missed.",
    MailRefused: "A full mailbox refuses.",
    HalfOpenEvicted: "A resume closes an older socket that the server believed alive.",
    LeftWhileAway: "A survivor leaves a stranger who is reconnecting.",
    GraceOver: "A lost session does not come back in time.",
    PairRebuilt: "After a restart both sides of a pair come back.",
    HalfPairLost: "After a restart the other half does not come back in time.",
    PartnerElsewhere: "After a restart the partner had moved on already.",
    PlaceRestored: "After a restart a waiting visitor has its age.",
    UsedTokenRefused: "A token is used a second time.",
    OldTokenRefused: "A token of an older generation is shown after a restart.",
    EndedTokenRefused: "A token of an ended session is shown.",
    ForgedTokenRefused: "A forged token is shown.",
    ExpiredTokenRefused: "An expired token is shown.",
    SecretRotated: "A token sealed with the old secret is opened after a rotation.",
    AdmissionRefused: "The admission rate is reached.",
    NextRefused: "Somebody presses Next too often.",
    TextRefused: "Somebody writes too much.",
    FlooderExpelled: "Somebody who does not listen to `too_fast` is closed.",
    StaleSignalDropped: "A signal names a match that is over.",
    StolenSignalDropped: "A signal names somebody else's match.",
    LateNextIgnored: "A next crosses the end of the match that it names.",
    SlowReaderCut: "A reader who stalls overflows its queue.",
    ClockBack: "The clock steps back.",
    ClockForward: "The clock jumps forward.",
    Hung: "The server hangs while things happen.",
    Drained: "A server drains, and its visitors move.",
    ManyInLine: "Thirty wait at once, and none fits another.",
    ManyOnline: "A thousand are here at once.",
    StrangersKept: "A pool keeps two apart who would fit otherwise.",
} NODES {
    MetAcrossNodes: "Two meet who are on two nodes.",
    OfferAcross: "A waiting offer travels to another node.",
    ProposalsCrossed: "Two nodes propose to each other for the same two tickets.",
    ProposalRefused: "A proposal comes for a ticket that is not there any more.",
    PromiseTooLate: "A promise comes after the proposer has let go.",
    CommitTooLate: "A commit comes after the promise has run out.",
    ClaimGivenBack: "A node claims a ticket for somebody who does not wait any more.",
    ClaimReplyLost: "A ticket is claimed, and the claimer never hears of it.",
    ReplyLost: "A reply of Redis is lost, and what was asked is done.",
    UnknownMatchAnswered: "A word comes from another node in a match that is over.",
    FrameLost: "A frame between two nodes is lost.",
    GapNoticed: "A node notices that frames of another one were lost.",
    HandedOver: "A node hands a session over to another one.",
    MovedWhileThere: "A session comes to a node while its old one believes its socket alive.",
    MovedInMatch: "A session changes its node in a match.",
    NothingHandedOver: "A session is asked for that its node does not have any more.",
    ResumedElsewhere: "A session comes back at another process.",
    UsedElsewhere: "A token is shown of which another node knows that it is used up.",
    KeptFound: "A session comes back, and what it had blocked is still known.",
    HalvesMet: "The two halves of a pair, on two nodes, find each other by the match.",
    Rejoined: "A node finds the other side of a match on another node than before.",
    PartnerCameBack: "A partner who was lost is back.",
    NewStartHeard: "A node is heard of that was started anew.",
    MetAgainSomewhere: "Old partners meet again.",
    BlockHeldAcross: "A block keeps two apart who wait on whatever nodes.",
    NodeKilled: "A node is killed.",
    NodeSlept: "A node sleeps.",
    NodeDrained: "A node drains.",
    NodeCutOff: "A node cannot reach Redis.",
    SilenceNoticed: "A node notices that its subscription is dead.",
    RedisBroke: "A node's connection to Redis is reset.",
    RedisSaidNothing: "Redis does not answer a node in time.",
    RedisDown: "Redis is away, and comes back with what it had.",
    RedisEmptied: "Redis comes back empty.",
    RedisStalled: "Redis stands still.",
    RedisFailedOver: "A Redis takes over that has not got the last writes.",
    RedisClockJumped: "The clock of Redis jumps.",
}}

/// How often each was seen.
#[derive(Clone, Debug)]
pub struct Coverage(Vec<u64>);

impl Default for Coverage {
    fn default() -> Self {
        Coverage(vec![0; Case::ALL.len()])
    }
}

impl Coverage {
    pub(crate) fn note(&mut self, case: Case) {
        if let Some(times) = self.0.get_mut(case as usize) {
            *times += 1;
        }
    }

    pub fn times(&self, case: Case) -> u64 {
        self.0.get(case as usize).copied().unwrap_or(0)
    }

    pub fn add(&mut self, other: &Coverage) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }

    /// Those of `wanted` that were not seen.
    pub fn missing(&self, wanted: &[Case]) -> Vec<Case> {
        wanted.iter().copied().filter(|case| self.times(*case) == 0).collect()
    }
}
