//! Log lines that strangers or a broken world could repeat without end: each says its piece at most once a minute.
//!
//! What always holds: the first one is said at once; those in between are counted, and the next line tells how many.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Between two lines of one kind.
const PAUSE_MS: u64 = 60_000;

/// One kind of line.
pub(crate) struct Notice {
    pause_ms: u64,
    /// When the next line is due, in milliseconds of the process' life.
    due_ms: AtomicU64,
    held_back: AtomicU64,
}

impl Notice {
    pub(crate) const fn new() -> Self {
        Notice::every_ms(PAUSE_MS)
    }

    pub(crate) const fn every_ms(pause_ms: u64) -> Self {
        Notice { pause_ms, due_ms: AtomicU64::new(0), held_back: AtomicU64::new(0) }
    }

    /// How many were held back since the last line, if another one may be said now.
    pub(crate) fn due(&self) -> Option<HeldBack> {
        static SINCE: OnceLock<Instant> = OnceLock::new();
        let now_ms = SINCE.get_or_init(Instant::now).elapsed().as_millis() as u64;
        self.due_at(now_ms)
    }

    fn due_at(&self, now_ms: u64) -> Option<HeldBack> {
        let due_ms = self.due_ms.load(Ordering::Relaxed);
        let mine = now_ms >= due_ms
            && self
                .due_ms
                .compare_exchange(due_ms, now_ms + self.pause_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            return Some(HeldBack(self.held_back.swap(0, Ordering::Relaxed)));
        }
        self.held_back.fetch_add(1, Ordering::Relaxed);
        None
    }
}

/// The end of a line: nothing, or how many like it were not written.
pub(crate) struct HeldBack(u64);

impl fmt::Display for HeldBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            more => write!(f, " (and {more} more since the last such line)"),
        }
    }
}

/// A warning, at most once a minute from this place in the code. What it says is made only when it is said.
macro_rules! warn_rarely {
    ($($said:tt)+) => {{
        static NOTICE: $crate::notice::Notice = $crate::notice::Notice::new();
        if let Some(held_back) = NOTICE.due() {
            tracing::warn!("{}{held_back}", format_args!($($said)+));
        }
    }};
}

/// The same for an error.
macro_rules! error_rarely {
    ($($said:tt)+) => {{
        static NOTICE: $crate::notice::Notice = $crate::notice::Notice::new();
        if let Some(held_back) = NOTICE.due() {
            tracing::error!("{}{held_back}", format_args!($($said)+));
        }
    }};
}

pub(crate) use {error_rarely, warn_rarely};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_once_a_minute_and_tells_how_many_it_stands_for() {
        let notice = Notice::new();
        let said = |at_ms| notice.due_at(at_ms).map(|held_back| held_back.to_string());
        assert_eq!(said(5), Some(String::new()));
        assert_eq!((said(6), said(PAUSE_MS)), (None, None));
        assert_eq!(said(PAUSE_MS + 5), Some(" (and 2 more since the last such line)".to_owned()));
        assert_eq!(said(3 * PAUSE_MS), Some(String::new()));
    }
}
