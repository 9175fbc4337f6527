//! What waits to be written to one connection. Filled by the driver, emptied by the connection's task.
//!
//! What always holds: an empty outbox holds no memory of its own; one that overflows is emptied at once and ends its
//! connection; nothing follows a `Close`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use visavis_protocol::{CloseCode, ServerMessage};

#[derive(Debug)]
pub(crate) enum Outbound {
    Message(ServerMessage),
    /// With the mark that its pong brings back.
    Ping(u32),
    Close {
        code: CloseCode,
        reason: &'static str,
    },
}

/// How much may wait for one reader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueBounds {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Outbox(Mutex<Slot>);

#[derive(Debug, Default)]
struct Slot {
    waiting: Vec<Outbound>,
    bytes: usize,
    phase: Phase,
    reader: Reader,
}

/// What the connection's task sleeps for.
#[derive(Debug, Default)]
enum Reader {
    #[default]
    Awake,
    /// Its line is free: anything.
    ForAnything(Waker),
    /// Its line is blocked: only the end.
    ForEnd(Waker),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    /// A `Close` is the last in line.
    Closing,
    Overflowed,
}

/// What the connection's task gets.
#[derive(Debug)]
pub(crate) enum Taken {
    /// In order, at least one.
    Outbounds(Vec<Outbound>),
    /// The reader was too slow, and what waited for it is gone.
    Overflow,
}

/// Why nothing more will come.
#[derive(Debug)]
pub(crate) enum Last {
    Close { code: CloseCode, reason: &'static str },
    Overflow,
}

impl Outbox {
    pub(crate) fn push(&self, outbound: Outbound, bounds: &QueueBounds) {
        let mut slot = self.lock();
        if slot.phase != Phase::Open {
            return;
        }
        if let Outbound::Close { .. } = outbound {
            slot.phase = Phase::Closing;
        }
        slot.bytes += weight(&outbound);
        slot.waiting.push(outbound);
        if slot.waiting.len() > bounds.messages || slot.bytes > bounds.bytes {
            slot.phase = Phase::Overflowed;
            slot.waiting = Vec::new();
        }
        let reader = match &slot.reader {
            Reader::ForEnd(_) if slot.phase == Phase::Open => Reader::Awake,
            Reader::Awake | Reader::ForAnything(_) | Reader::ForEnd(_) => std::mem::take(&mut slot.reader),
        };
        drop(slot);
        match reader {
            Reader::Awake => {}
            Reader::ForAnything(reader) | Reader::ForEnd(reader) => reader.wake(),
        }
    }

    pub(crate) fn poll_take(&self, context: &mut Context<'_>) -> Poll<Taken> {
        let mut slot = self.lock();
        if slot.phase == Phase::Overflowed {
            return Poll::Ready(Taken::Overflow);
        }
        if slot.waiting.is_empty() {
            match &mut slot.reader {
                Reader::ForAnything(reader) => reader.clone_from(context.waker()),
                reader => *reader = Reader::ForAnything(context.waker().clone()),
            }
            return Poll::Pending;
        }
        slot.bytes = 0;
        Poll::Ready(Taken::Outbounds(std::mem::take(&mut slot.waiting)))
    }

    /// For a task whose line is blocked: ready when nothing more will come.
    pub(crate) fn poll_last(&self, context: &mut Context<'_>) -> Poll<Last> {
        let mut slot = self.lock();
        match (slot.phase, slot.waiting.last()) {
            (Phase::Overflowed, _) => return Poll::Ready(Last::Overflow),
            (Phase::Closing, Some(Outbound::Close { code, reason })) => {
                return Poll::Ready(Last::Close { code: *code, reason });
            }
            (Phase::Open | Phase::Closing, _) => {}
        }
        match &mut slot.reader {
            Reader::ForEnd(reader) => reader.clone_from(context.waker()),
            reader => *reader = Reader::ForEnd(context.waker().clone()),
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        // A panic between two of these plain assignments is not possible; if it were, the slot would still be sound.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// About as many bytes as it takes on the wire and in memory.
fn weight(outbound: &Outbound) -> usize {
    const FIXED: usize = 96;
    let Outbound::Message(message) = outbound else { return FIXED };
    FIXED + message.payload_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use visavis_protocol::{ChatText, MatchId};

    const BOUNDS: QueueBounds = QueueBounds { messages: 3, bytes: 1000 };

    fn text(bytes: usize) -> Outbound {
        let text = ChatText("x".repeat(bytes));
        Outbound::Message(ServerMessage::Message { match_id: MatchId(1), text })
    }

    fn take(outbox: &Outbox) -> Option<Result<usize, ()>> {
        match outbox.poll_take(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => None,
            Poll::Ready(Taken::Outbounds(outbounds)) => Some(Ok(outbounds.len())),
            Poll::Ready(Taken::Overflow) => Some(Err(())),
        }
    }

    #[test]
    fn everything_that_waits_is_taken_at_once() {
        let outbox = Outbox::default();
        assert_eq!(take(&outbox), None);
        outbox.push(Outbound::Ping(0), &BOUNDS);
        outbox.push(text(10), &BOUNDS);
        assert_eq!(take(&outbox), Some(Ok(2)));
        assert_eq!(take(&outbox), None);
    }

    #[test]
    fn too_many_or_too_much_overflows_for_good() {
        let many = Outbox::default();
        (0..4).for_each(|_| many.push(Outbound::Ping(0), &BOUNDS));
        let much = Outbox::default();
        much.push(text(500), &BOUNDS);
        much.push(text(500), &BOUNDS);
        for outbox in [many, much] {
            assert_eq!(take(&outbox), Some(Err(())));
            outbox.push(Outbound::Ping(0), &BOUNDS);
            assert_eq!(take(&outbox), Some(Err(())));
        }
    }

    #[test]
    fn a_blocked_line_is_woken_by_the_end_only() {
        struct Bell(AtomicUsize);
        impl Wake for Bell {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let close = || Outbound::Close { code: CloseCode::Restart, reason: "restart" };
        for (last, rings) in [(Outbound::Ping(0), 0), (close(), 1), (text(2000), 1)] {
            let (outbox, bell) = (Outbox::default(), Arc::new(Bell(AtomicUsize::new(0))));
            let waker = Waker::from(Arc::clone(&bell));
            let mut context = Context::from_waker(&waker);
            assert!(outbox.poll_last(&mut context).is_pending());
            outbox.push(Outbound::Ping(0), &BOUNDS);
            outbox.push(last, &BOUNDS);
            assert_eq!(bell.0.load(Ordering::Relaxed), rings);
            assert_eq!(outbox.poll_last(&mut context).is_ready(), rings > 0);
        }
    }

    #[test]
    fn what_is_taken_makes_room() {
        let outbox = Outbox::default();
        for _ in 0..10 {
            outbox.push(text(800), &BOUNDS);
            assert_eq!(take(&outbox), Some(Ok(1)));
        }
    }

    #[test]
    fn nothing_follows_a_close() {
        let outbox = Outbox::default();
        outbox.push(Outbound::Close { code: CloseCode::Policy, reason: "rate" }, &BOUNDS);
        outbox.push(Outbound::Ping(0), &BOUNDS);
        assert_eq!(take(&outbox), Some(Ok(1)));
    }
}
