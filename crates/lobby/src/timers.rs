//! When to look at what again. One entry per thing at most; the thing remembers its own due time.

use crate::Time;
use crate::planted::planted;
use std::collections::BTreeSet;

/// A queue of due times, ordered, ties by key.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    queue: BTreeSet<(Time, K)>,
}

impl<K: Ord + Copy> Timers<K> {
    pub(crate) fn new() -> Self {
        Timers { queue: BTreeSet::new() }
    }

    /// Moves the entry of `key` to `at`; `slot` is where the thing keeps its due time.
    pub(crate) fn set(&mut self, slot: &mut Option<Time>, key: K, at: Time) {
        if *slot == Some(at) {
            return;
        }
        self.clear(slot, key);
        *slot = Some(at);
        self.queue.insert((at, key));
    }

    pub(crate) fn clear(&mut self, slot: &mut Option<Time>, key: K) {
        if let Some(at) = slot.take()
            && !planted!(TimersStay)
        {
            self.queue.remove(&(at, key));
        }
    }

    pub(crate) fn soonest(&self) -> Option<(Time, K)> {
        self.queue.first().copied()
    }

    #[cfg(any(test, feature = "audit"))]
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Time, K)> {
        self.queue.iter().copied()
    }

    /// Takes one entry that is due. Its thing must forget its due time.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<K> {
        let (at, key) = self.soonest()?;
        if at > now {
            return None;
        }
        self.queue.pop_first();
        Some(key)
    }
}
