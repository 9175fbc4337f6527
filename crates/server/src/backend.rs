//! What is outside and may be slow or away: Redis, where nodes meet.
//!
//! The driver never waits for it: what the lobby asks goes into a bounded queue, what comes back is an event like any
//! other.

mod nodes;
pub(crate) mod redis;
pub(crate) mod store;

pub(crate) use nodes::Nodes;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use visavis_lobby::Request;

/// What may wait for Redis. Beyond it the newest is dropped and counted: everything in it is best effort, and other nodes
/// notice a frame that they did not get.
const QUEUE: usize = 8_192;

/// The driver's end.
#[derive(Clone)]
pub(crate) struct Requests {
    queue: mpsc::Sender<Request>,
    status: Arc<Status>,
}

impl Requests {
    pub(crate) fn new(status: Arc<Status>) -> (Self, mpsc::Receiver<Request>) {
        let (queue, requests) = mpsc::channel(QUEUE);
        (Requests { queue, status }, requests)
    }

    pub(crate) fn send(&self, request: Request) {
        if self.queue.try_send(request).is_err() {
            self.status.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// How it stands with Redis, for `/readyz` and the metrics.
#[derive(Default)]
pub(crate) struct Status {
    pub(crate) reach: Mutex<Reach>,
    pub(crate) requests: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) frames_in: AtomicU64,
    pub(crate) frames_out: AtomicU64,
    /// Frames that could not be opened: another secret, another version.
    pub(crate) frames_foreign: AtomicU64,
    pub(crate) connects: AtomicU64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    #[default]
    Away,
    /// With all nodes that hold their lease, this one included.
    Ok(Vec<Census>),
}

/// One node and how many people are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) name: String,
    pub(crate) online: u32,
    pub(crate) waiting: u32,
    pub(crate) in_calls: u32,
}

impl Status {
    pub(crate) fn reach(&self) -> Reach {
        self.reach.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn is_up(&self) -> bool {
        *self.reach.lock().unwrap_or_else(PoisonError::into_inner) != Reach::Away
    }

    pub(crate) fn set(&self, reach: Reach) {
        *self.reach.lock().unwrap_or_else(PoisonError::into_inner) = reach;
    }
}
