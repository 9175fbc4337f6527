//! What happens when nothing happens. A deadline that has moved since is seen when it rings, and set anew.

use super::allocation::{AllocationId, Owner, Token};
use super::{Client, Relay, Shell, Via};
use crate::Time;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

/// How long a connection may be without an allocation.
const STREAM_PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<Entry>>,
    /// How many were left when those of nothing were last swept out.
    swept_to: usize,
}

struct Entry {
    at: Time,
    due: Due,
}

#[derive(Clone, Copy)]
pub(super) enum Due {
    Allocation(AllocationId),
    Reservation(Token),
    Stream(Client),
}

impl Timers {
    pub(super) fn set(&mut self, at: Time, due: Due) {
        self.heap.push(Reverse(Entry { at, due }));
    }

    pub(super) fn watch_stream(&mut self, now: Time, client: Client) {
        self.set(now + STREAM_PATIENCE, Due::Stream(client));
    }

    /// Whether so many have piled up that those of things which are gone should go, too.
    fn has_grown(&self) -> bool {
        const SWEEP_ABOVE: usize = 1_024;
        self.heap.len() > SWEEP_ABOVE.max(self.swept_to.saturating_mul(2))
    }

    fn sweep(&mut self, is_alive: impl Fn(&Due) -> bool) {
        self.heap.retain(|Reverse(entry)| is_alive(&entry.due));
        self.swept_to = self.heap.len();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(super) fn soonest(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    pub(super) fn take_due(&mut self, now: Time) -> Option<Due> {
        if self.soonest()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.due)
    }
}

impl Relay {
    /// Who allocates and lets go in a loop leaves a deadline behind each time: they must not pile up until they ring.
    pub(super) fn sweep_timers(&mut self) {
        if !self.timers.has_grown() {
            return;
        }
        let Relay { timers, allocations, reservations, .. } = self;
        timers.sweep(|due| match due {
            Due::Allocation(id) => allocations.contains_key(*id),
            Due::Reservation(token) => reservations.contains_key(token),
            Due::Stream(_) => true,
        });
    }

    pub(super) fn on_timer(&mut self, now: Time, due: Due, shell: &mut impl Shell) {
        match due {
            Due::Allocation(id) => match self.allocations.get(id) {
                Some(allocation) if allocation.expires > now => {
                    self.timers.set(allocation.expires, due);
                }
                Some(_) => self.remove(id, shell),
                None => {}
            },
            Due::Reservation(token) => {
                if let Some(relay) = self.take_reservation(&token)
                    && self.addresses.get(relay).is_some_and(|at| at.owner == Owner::Reservation(token))
                {
                    self.close(relay, shell);
                }
            }
            Due::Stream(client) => {
                if let Via::Stream(stream) = client.via {
                    if self.clients.contains_key(&client) {
                        // As long as it has its allocation; then it is looked at again.
                        self.timers.watch_stream(now, client);
                    } else {
                        shell.close_stream(stream);
                    }
                }
            }
        }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}
