//! What is going to happen, in order of time; of things at one moment the one that was put down first.

use super::script::Micros;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

pub(crate) struct Agenda<E> {
    queue: BinaryHeap<Reverse<Queued<E>>>,
    queued: u64,
}

struct Queued<E> {
    at: Micros,
    order: u64,
    event: E,
}

impl<E> Agenda<E> {
    pub(crate) fn new() -> Self {
        Agenda { queue: BinaryHeap::new(), queued: 0 }
    }

    pub(crate) fn put(&mut self, at: Micros, event: E) {
        self.queued += 1;
        self.queue.push(Reverse(Queued { at, order: self.queued, event }));
    }

    pub(crate) fn next_at(&self) -> Option<Micros> {
        self.queue.peek().map(|Reverse(queued)| queued.at)
    }

    pub(crate) fn take(&mut self) -> Option<(Micros, E)> {
        self.queue.pop().map(|Reverse(queued)| (queued.at, queued.event))
    }
}

impl<E> PartialEq for Queued<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl<E> Eq for Queued<E> {}

impl<E> PartialOrd for Queued<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Queued<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
