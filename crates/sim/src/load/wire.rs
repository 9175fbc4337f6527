//! What the conductor and its workers say to each other: one JSON object a line over the worker's pipes.

use crate::{Histogram, Meeting};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Conductor → worker. Moments are in microseconds since the run's epoch.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Command {
    Connect,
    /// Everybody presses, at the given moment.
    Press {
        round: u32,
        at_us: u64,
    },
    /// Everybody loses the socket at the given moment, and comes back.
    Scatter {
        at_us: u64,
        by: Loss,
    },
    /// Everybody who has a stranger says something.
    Speak {
        at_us: u64,
    },
    /// Nobody does anything by itself any more.
    Calm,
    /// Tell what happened since the last time.
    Tell,
    Quit,
}

/// Who ends the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Loss {
    Visitors,
    Server,
}

/// Worker → conductor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Report {
    Progress(Progress),
    Told(Box<Tale>),
}

/// How many visitors are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    pub(super) open: u32,
    /// Of the open ones: not welcomed yet.
    pub(super) greeting: u32,
    pub(super) matched: u32,
    pub(super) connected: u32,
    pub(super) silent: u32,
    pub(super) failed: u32,
    /// Open sockets that ended, since the beginning.
    pub(super) lost: u32,
    /// Rounds begun, summed over the workers: before that, the other numbers tell of the round before.
    pub(super) rounds: u32,
}

impl Progress {
    pub(super) fn add(&mut self, other: Progress) {
        self.open += other.open;
        self.greeting += other.greeting;
        self.lost += other.lost;
        self.matched += other.matched;
        self.connected += other.connected;
        self.silent += other.silent;
        self.failed += other.failed;
        self.rounds += other.rounds;
    }
}

/// What one worker's visitors lived through in one round.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tale {
    pub(super) meetings: Vec<Meeting>,
    /// From the press, which is the same moment for all, to `partner_found`.
    pub(super) found: Histogram,
    /// From the requeue to the next `partner_found`.
    pub(super) found_again: Histogram,
    /// From one visitor's write to the other's read of a signal.
    pub(super) relayed: Histogram,
    /// From `partner_found` to a complete handshake.
    pub(super) connected: Histogram,
    /// From `partner_found` to `partner_left` of a match whose other side was lost.
    pub(super) lost: Histogram,
    /// From the loss of a socket to the next open one.
    pub(super) reopened: Histogram,
    /// From the loss of a socket to the welcome on the next one.
    pub(super) back: Histogram,
    /// From a partner's last words to `partner_left`.
    pub(super) freed: Histogram,
    /// How many were welcomed in which hundredth of a second of the run.
    pub(super) welcomed: BTreeMap<u64, u32>,
    /// How long this worker took to write all its presses.
    pub(super) press_spread_us: u64,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) resumed: u64,
    /// Sockets that visitors closed or lost by their script.
    pub(super) closed: u64,
    /// Sockets that the server ended.
    pub(super) cut: u64,
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) breaches: Vec<String>,
    pub(super) breach_count: u64,
    /// Why connecting failed, one example of each.
    pub(super) failures: BTreeMap<String, u64>,
}

impl Tale {
    /// Broken promises told word for word; the others are counted.
    pub(super) const MAX_BREACHES: usize = 50;

    pub(super) fn add(&mut self, other: Tale) {
        self.meetings.extend(other.meetings);
        self.found.add(&other.found);
        self.found_again.add(&other.found_again);
        self.relayed.add(&other.relayed);
        self.connected.add(&other.connected);
        self.lost.add(&other.lost);
        self.reopened.add(&other.reopened);
        self.back.add(&other.back);
        self.freed.add(&other.freed);
        for (moment, count) in other.welcomed {
            *self.welcomed.entry(moment).or_default() += count;
        }
        self.press_spread_us = self.press_spread_us.max(other.press_spread_us);
        self.sent += other.sent;
        self.received += other.received;
        self.resumed += other.resumed;
        self.closed += other.closed;
        self.cut += other.cut;
        self.breach_count += other.breach_count;
        self.breaches.extend(other.breaches);
        self.breaches.truncate(Self::MAX_BREACHES);
        for (code, count) in other.refused {
            *self.refused.entry(code).or_default() += count;
        }
        for (why, count) in other.failures {
            *self.failures.entry(why).or_default() += count;
        }
    }
}
