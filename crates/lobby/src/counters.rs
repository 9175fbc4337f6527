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

    pub(crate) fn count_refusal(&mut self, code: ErrorCode) {
        count(&mut self.refused, code);
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
