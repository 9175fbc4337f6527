//! What the edge counts for the operator. Plain atomics: every connection adds to them.

use super::connection::End;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a socket was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketRefusal {
    Origin,
    Subscriber,
    Full,
    Draining,
    /// Closed at accept, before any byte was read.
    Socket,
    /// No sound TLS handshake in time.
    Tls,
}

impl SocketRefusal {
    const ALL: [SocketRefusal; 6] = [
        SocketRefusal::Origin,
        SocketRefusal::Subscriber,
        SocketRefusal::Full,
        SocketRefusal::Draining,
        SocketRefusal::Socket,
        SocketRefusal::Tls,
    ];

    fn label(self) -> &'static str {
        match self {
            SocketRefusal::Origin => "origin",
            SocketRefusal::Subscriber => "address",
            SocketRefusal::Full => "full",
            SocketRefusal::Draining => "draining",
            SocketRefusal::Socket => "socket",
            SocketRefusal::Tls => "tls",
        }
    }
}

const ENDS: [&str; 7] = ["left", "violation", "told", "broken", "overflow", "stall", "stopped"];

fn end_index(end: End) -> usize {
    match end {
        End::Left(_) => 0,
        End::Violated(_) => 1,
        End::Told { .. } => 2,
        End::Broken => 3,
        End::Overflow => 4,
        End::Stall => 5,
        End::Stopped => 6,
    }
}

#[derive(Default)]
pub(crate) struct EdgeCounters {
    pub(crate) messages_in: Counter,
    pub(crate) messages_out: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    refused: [Counter; 6],
    ended: [Counter; 7],
    /// Answers by the first digit of their status.
    http: [Counter; 5],
}

impl EdgeCounters {
    pub(crate) fn refused(&self, refusal: SocketRefusal) {
        self.refused[refusal as usize].add(1);
    }

    pub(crate) fn ended(&self, end: End) {
        self.ended[end_index(end)].add(1);
    }

    pub(crate) fn answered(&self, status: u16) {
        if let Some(counter) = self.http.get(usize::from(status / 100).wrapping_sub(1)) {
            counter.add(1);
        }
    }

    pub(crate) fn by_refusal(&self) -> impl Iterator<Item = (&'static str, u64)> {
        SocketRefusal::ALL
            .into_iter()
            .zip(&self.refused)
            .map(|(refusal, count)| (refusal.label(), count.total()))
    }

    pub(crate) fn by_end(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ENDS.into_iter().zip(&self.ended).map(|(label, count)| (label, count.total()))
    }

    pub(crate) fn by_class(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().zip(&self.http).map(|(label, c)| (label, c.total()))
    }
}
