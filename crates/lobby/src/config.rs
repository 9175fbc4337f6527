//! What an operator may set about the lobby. The defaults are the documented ones.

use crate::Span;
use visavis_protocol::Limits;

/// Settings of the lobby. All spans are of the lobby's own [`crate::Time`].
#[derive(Clone, Debug)]
pub struct Config {
    /// Sizes; the lobby itself uses those of wishes and of candidates per match.
    pub limits: Limits,
    /// How long a waiting offer stays usable: ICE credentials and NAT mappings age.
    pub offer_ttl: Span,
    /// How long the last partners stay incompatible, from the later of the two tickets.
    pub recent_pause: Span,
    /// How many partners count as recent.
    pub recent_partners: usize,
    /// Waiting longer than this drops the wish for a shared interest, unless pinned.
    pub relax_interests_after: Span,
    /// Waiting longer than this drops the wish for a shared language too, unless pinned.
    pub relax_language_after: Span,
    /// How often the oldest compatible visitor may be passed over for a scarcer one.
    pub max_overtakes: u32,
    /// Time between two `waiting` messages to one visitor, at the least.
    pub waiting_interval: Span,
    /// Idle and matched sessions are pinged after this silence.
    pub ping_after: Span,
    /// Idle and matched sessions are cut after this silence.
    pub cut_after: Span,
    /// Waiting sessions are pinged, and cut, sooner: somebody may be given to them at any moment.
    pub waiting_ping_after: Span,
    pub waiting_cut_after: Span,
    /// A side of a match that shows no sign of life within this span is a ghost; half-way it is pinged.
    pub sign_of_life: Span,
    /// A survivor that asks again within this span gets its place back.
    pub age_credit: Span,
    /// `next` (and `find_partner` in a match): a burst, then one per interval.
    pub next_burst: u32,
    pub next_interval: Span,
    /// All messages of a connection: a burst, then one per interval.
    pub message_burst: u32,
    pub message_interval: Span,
    /// Refused for rate this often in a row, a connection is closed with 1008.
    pub max_refusals: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            limits: Limits::default(),
            offer_ttl: Span::from_secs(60),
            recent_pause: Span::from_secs(3),
            recent_partners: 5,
            relax_interests_after: Span::from_millis(1_500),
            relax_language_after: Span::from_millis(3_000),
            max_overtakes: 8,
            waiting_interval: Span::from_secs(5),
            ping_after: Span::from_secs(25),
            cut_after: Span::from_secs(60),
            waiting_ping_after: Span::from_secs(10),
            waiting_cut_after: Span::from_secs(20),
            sign_of_life: Span::from_secs(10),
            age_credit: Span::from_secs(5),
            next_burst: 10,
            next_interval: Span::from_secs(1),
            message_burst: 200,
            message_interval: Span::from_millis(20),
            max_refusals: 200,
        }
    }
}
