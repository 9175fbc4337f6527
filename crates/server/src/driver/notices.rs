//! What the lobby had to refuse, in the log: at most one line a limit in ten seconds, with the settings that bind.

use std::time::{Duration, Instant};
use visavis_lobby::{Counters, RateLimit};

const PAUSE: Duration = Duration::from_secs(10);

/// What was said so far.
#[derive(Default)]
pub(super) struct Notices {
    too_fast: Vec<(RateLimit, u64)>,
    not_kept: u64,
    kept_from_readers: u64,
    said_at: Option<Instant>,
}

impl Notices {
    /// After every turn: costs next to nothing while nothing was refused.
    pub(super) fn look(&mut self, counters: &Counters) {
        let kept_from_readers = counters.offers_withheld + counters.not_requeued;
        let news = counters.too_fast != self.too_fast
            || counters.not_kept != self.not_kept
            || kept_from_readers != self.kept_from_readers;
        if !news || self.said_at.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        self.said_at = Some(Instant::now());
        for (limit, total) in &counters.too_fast {
            let before =
                self.too_fast.iter().find(|(known, _)| known == limit).map_or(0, |(_, total)| *total);
            let more = total - before;
            if more > 0 {
                tracing::info!("{more} messages were answered by too_fast: {}", limit.settings());
            }
        }
        if counters.not_kept > self.not_kept {
            tracing::info!(
                "{} sessions ended with their socket, as one address had left as many without a socket as it may: \
                 limits.connections_per_address",
                counters.not_kept - self.not_kept
            );
        }
        if kept_from_readers > self.kept_from_readers {
            tracing::info!(
                "{} strangers were kept from visitors whose queue they had filled: limits.queue_bytes, \
                 limits.queue_messages",
                kept_from_readers - self.kept_from_readers
            );
        }
        self.too_fast.clone_from(&counters.too_fast);
        self.not_kept = counters.not_kept;
        self.kept_from_readers = kept_from_readers;
    }
}
