//! What the lobby counts for the operator. Plain numbers: the shell turns them into metrics.

use crate::{Paths, Span};
use visavis_protocol::{ErrorCode, Kind, LeftReason};

/// Totals since the lobby was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub matches: PerKind<u64>,
    /// Of these, matches that shared an interest.
    pub matches_with_interest: u64,
    /// Matches whose offer travelled with the ticket.
    pub matches_with_offer: u64,
    /// Matches with somebody of another node. Counted, here and in `matches`, by the node that proposed.
    pub matches_across: u64,
    /// Tickets shown to other nodes, proposals made, and those of which nothing came.
    pub exports: u64,
    pub proposals: u64,
    pub proposals_failed: u64,
    /// Sessions that came from another node, and those that went there.
    pub moved_in: u64,
    pub moved_out: u64,
    /// Nodes that were seen to be gone.
    pub nodes_gone: u64,
    /// Ends of matches, by what the survivor was told, or would have been if there were one.
    pub ended: Vec<(LeftReason, u64)>,
    /// Refused messages, by code.
    pub refused: Vec<(ErrorCode, u64)>,
    /// Of these, those for a rate, by the rate.
    pub too_fast: Vec<(RateLimit, u64)>,
    /// Sessions that ended with their socket, as their address, or all together, had left so many behind.
    pub not_kept: u64,
    /// Survivors who were not put back into the line: too much was waiting for them.
    pub not_requeued: u64,
    /// Matches made without the offer that was waiting: it did not fit into the queue of its reader.
    pub offers_withheld: u64,
    /// Signals that named an earlier match, or came after its end.
    pub stale_signals: u64,
    /// Connections closed because nothing was heard of them.
    pub cut: u64,
    /// Sessions that came back with a token, and those whose token was of no use.
    pub resumed: u64,
    pub not_resumed: u64,
    /// What clients report of their calls.
    pub paths: Paths,
    /// From ticket to match.
    pub wait: Histogram,
    /// Candidates that the matchmaker looked at.
    pub probes: u64,
}

impl Counters {
    pub(crate) fn count_end(&mut self, reason: LeftReason) {
        count(&mut self.ended, reason);
    }

    pub(crate) fn count_too_fast(&mut self, limit: RateLimit) {
        count(&mut self.refused, ErrorCode::TooFast);
        count(&mut self.too_fast, limit);
    }

    pub(crate) fn count_refusal(&mut self, code: ErrorCode) {
        count(&mut self.refused, code);
    }
}

/// What was exceeded when a message was answered by `too_fast`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimit {
    Messages,
    Nexts,
    Texts,
    /// What one sender may send to strangers.
    SignalBytes,
    /// What strangers may put into the queue of one reader.
    Reader,
    /// What is kept for a stranger whose socket is lost.
    Mailbox,
    /// How fast sessions are taken in.
    Admission,
    /// How often one session may resume.
    Resumes,
    /// What may be said while other nodes are asked for a session.
    Arrival,
}

impl RateLimit {
    /// For metrics.
    pub fn label(self) -> &'static str {
        match self {
            RateLimit::Messages => "messages",
            RateLimit::Nexts => "nexts",
            RateLimit::Texts => "texts",
            RateLimit::SignalBytes => "signal_bytes",
            RateLimit::Reader => "reader",
            RateLimit::Mailbox => "mailbox",
            RateLimit::Admission => "admission",
            RateLimit::Resumes => "resumes",
            RateLimit::Arrival => "arrival",
        }
    }

    /// Which settings bind.
    pub fn settings(self) -> &'static str {
        match self {
            RateLimit::Messages => {
                "limits.message_burst, limits.message_interval_ms, limits.{address,site,node}_messages_per_s"
            }
            RateLimit::Nexts => {
                "limits.next_burst, limits.next_interval_ms, limits.{address,site,node}_nexts_per_s"
            }
            RateLimit::Texts => {
                "limits.text_burst, limits.text_interval_ms, limits.{address,site,node}_texts_per_s"
            }
            RateLimit::SignalBytes => "limits.signal_burst_bytes, limits.signal_bytes_per_s",
            RateLimit::Reader => "limits.queue_bytes, limits.queue_messages",
            RateLimit::Mailbox => "lobby.replay_bytes, lobby.replay_messages",
            RateLimit::Admission => "admission_rate",
            RateLimit::Resumes => "10 resumes of a session at once, then one a second",
            RateLimit::Arrival => "32 messages while other nodes are asked",
        }
    }

    /// For the client.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            RateLimit::Messages => "too many messages",
            RateLimit::Nexts => "Next too often",
            RateLimit::Texts => "too much text",
            RateLimit::SignalBytes => "too many bytes",
            RateLimit::Reader => "too much is queued for the stranger",
            RateLimit::Mailbox => "the stranger is reconnecting",
            RateLimit::Admission => "many people are coming in",
            RateLimit::Resumes => "resumed too often",
            RateLimit::Arrival => "your session is still being looked up",
        }
    }
}

fn count<K: PartialEq>(table: &mut Vec<(K, u64)>, key: K) {
    match table.iter_mut().find(|(known, _)| *known == key) {
        Some((_, total)) => *total += 1,
        None => table.push((key, 1)),
    }
}

/// How things stand at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    pub sessions: usize,
    pub waiting: PerKind<usize>,
    pub matches: PerKind<usize>,
    /// Of these, matches with somebody of another node.
    pub across: usize,
}

/// One number for each kind of chat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerKind<T> {
    pub video: T,
    pub audio: T,
    pub text: T,
}

impl<T> PerKind<T> {
    pub fn of(&mut self, kind: Kind) -> &mut T {
        match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
            Kind::Text => &mut self.text,
        }
    }
}

/// Spans in buckets that double from 1 ms: bounded memory, a factor of two of precision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// `buckets[i]` counts spans of at most `2^i` ms; the last one counts all that are longer.
    buckets: [u64; Histogram::BUCKETS],
    sum_micros: u64,
}

impl Histogram {
    /// Up to 2^16 ms, and one for the rest.
    pub const BUCKETS: usize = 18;

    /// Upper bounds in milliseconds; `None` for the last bucket, which has none.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> + '_ {
        self.buckets.iter().enumerate().map(|(index, count)| {
            let bound = (index + 1 < Self::BUCKETS).then(|| 1u64 << index);
            (bound, *count)
        })
    }

    pub fn sum(&self) -> Span {
        Span::from_micros(self.sum_micros)
    }

    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    pub(crate) fn record(&mut self, span: Span) {
        let millis = span.as_millis_ceil().max(1);
        let index = (millis.next_power_of_two().trailing_zeros() as usize).min(Self::BUCKETS - 1);
        if let Some(bucket) = self.buckets.get_mut(index) {
            *bucket += 1;
        }
        self.sum_micros = self.sum_micros.saturating_add(span.as_micros());
    }
}
