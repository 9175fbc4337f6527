//! What an operator may set about the lobby. The defaults are the documented ones.

use crate::ids::NodeId;
use crate::{CrowdBounds, IcePasses, Receipts, SessionSecret, Span};
use visavis_protocol::Limits;

/// Settings of the lobby. All spans are of the lobby's own [`crate::Time`].
#[derive(Clone, Debug)]
pub struct Config {
    /// Sizes; the lobby itself uses those of wishes and of candidates per match.
    pub limits: Limits,
    /// Whether nobody may learn a stranger's address: only relay candidates pass, from everybody.
    pub relay_only: bool,
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
    /// How long a session outlives a socket that ended without a close frame.
    pub grace: Span,
    /// How long half a pair waits for the other half after a restart.
    pub half_pair_grace: Span,
    /// How long a resume token can be used: a call may be long, and brings no new token meanwhile.
    pub token_ttl: Span,
    /// Secrets that seal resume tokens: the first one seals, all open. Empty: nothing can be resumed.
    pub session_secrets: Vec<SessionSecret>,
    /// Where relays are given to sessions only: makes the pass that every `welcome` carries.
    pub ice_passes: Option<IcePasses>,
    /// Makes the receipt that every `partner_found` carries. `None`: there are none, and nothing can be reported.
    pub receipts: Option<Receipts>,
    /// What is kept for a client that may not have got it, per session.
    pub replay_messages: usize,
    pub replay_bytes: usize,
    /// Sessions taken in per second; the excess is told when to come again. Who resumes is not counted.
    pub admission_rate: u32,
    /// Sessions of one address, with those that have lost their socket; of an IPv6 /48 four times as many. Beyond it a lost
    /// socket ends its session.
    pub sessions_per_host: u32,
    /// The same of all together.
    pub sessions: usize,
    /// A survivor that asks again within this span gets its place back.
    pub age_credit: Span,
    /// `next` (and `find_partner` in a match): a burst, then one per interval.
    pub next_burst: u32,
    pub next_interval: Span,
    /// All messages of a connection: a burst, then one per interval.
    pub message_burst: u32,
    pub message_interval: Span,
    /// Chat messages of a connection: a burst, then one per interval.
    pub text_burst: u32,
    pub text_interval: Span,
    /// What a connection may send to strangers, in bytes: a burst, then so many a second.
    pub signal_burst_bytes: u32,
    pub signal_bytes_per_s: u32,
    /// What all strangers together may put into the queue of one reader.
    pub reader: ReaderBounds,
    /// Resumes of one session: a burst, then one per interval.
    pub resume_burst: u32,
    pub resume_interval: Span,
    /// What the connections of one address, of one network and of this node may do together.
    pub crowds: CrowdBounds,
    /// Which of several nodes this is. `None`: there is only one.
    pub node: Option<NodeId>,
    /// The secret that nodes share, where it is not the first of `session_secrets`.
    pub node_secret: Option<SessionSecret>,
    /// Who has found nobody here for this long is shown to other nodes.
    pub overflow_after: Span,
    /// Refused for rate this often in a row, a connection is closed with 1008.
    pub max_refusals: u32,
}

/// What strangers may put into the queue of one reader, with what the server says to it beside.
///
/// A reader that reads nothing is cut after `limits.write_stall_ms`, 10 s. Until then a burst and what follows it must not
/// fill its queue, or a sender could cut its partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderBounds {
    pub burst_bytes: u32,
    pub bytes_per_s: u32,
    pub burst_messages: u32,
    pub messages_per_s: u32,
}

impl ReaderBounds {
    /// For a queue of this size: half of it at once, and a quarter more of its bytes in 8 s, half as much of its messages.
    pub fn within(queue_bytes: usize, queue_messages: usize) -> Self {
        let part = |of: usize, divisor: usize| u32::try_from(of / divisor).unwrap_or(u32::MAX).max(1);
        ReaderBounds {
            burst_bytes: part(queue_bytes, 2),
            bytes_per_s: part(queue_bytes, 32),
            burst_messages: part(queue_messages, 2),
            messages_per_s: part(queue_messages, 64),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            limits: Limits::default(),
            relay_only: false,
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
            grace: Span::from_secs(10),
            half_pair_grace: Span::from_secs(30),
            token_ttl: Span::from_secs(24 * 60 * 60),
            session_secrets: Vec::new(),
            ice_passes: None,
            receipts: None,
            replay_messages: 64,
            replay_bytes: 64 * 1024,
            admission_rate: 1_000,
            sessions_per_host: 500,
            sessions: 20_000,
            age_credit: Span::from_secs(5),
            next_burst: 10,
            next_interval: Span::from_secs(1),
            message_burst: 200,
            message_interval: Span::from_millis(20),
            text_burst: 30,
            text_interval: Span::from_millis(500),
            signal_burst_bytes: 96 * 1024,
            signal_bytes_per_s: 16 * 1024,
            reader: ReaderBounds::within(256 * 1024, 512),
            resume_burst: 10,
            resume_interval: Span::from_secs(1),
            crowds: CrowdBounds::default(),
            node: None,
            node_secret: None,
            overflow_after: Span::from_millis(300),
            max_refusals: 200,
        }
    }
}
