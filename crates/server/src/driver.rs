//! The one task that owns the lobby: events in, in order of arrival; outputs to the outboxes of their connections.
//!
//! What always holds: the lobby hears one `Closed` for every `Opened`; nothing here waits for a connection, so one
//! that stalls delays nobody. It decides nothing: who is matched, refused or cut is the lobby's affair.

mod notices;
mod outbox;

pub(crate) use outbox::{Last, Outbound, Outbox, QueueBounds, Taken};

use crate::backend::Requests;
use notices::Notices;
use rustc_hash::FxHashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;
use visavis_lobby::{
    Author, Config, ConnectionId, Counters, Gauges, Input, Limiting, Lobby, LobbyKey, Output, Outputs,
    Receipt, Span, Time,
};
use visavis_protocol::CloseCode;

/// Events that may wait for the driver. When it is full, connections stop reading: TCP tells their clients.
pub(crate) const INBOX_EVENTS: usize = 4096;

/// Events handled in one turn, before outputs go out and deadlines are looked at.
const TURN_EVENTS: usize = 256;

/// Timeouts handled in one turn.
const TURN_TIMEOUTS: usize = 64;

pub(crate) enum Event {
    Opened {
        connection: ConnectionId,
        limiting: Limiting,
        outbox: Arc<Outbox>,
    },
    Happened(Input),
    /// Several things that one read of a connection brought. Together, so that what follows from them for somebody else
    /// is written together: under a storm one by one would cost that many more system calls.
    Read(Vec<Input>),
    /// Ask which of these lines were written in the match of this receipt.
    Witness {
        receipt: Box<Receipt>,
        lines: Vec<(Author, String)>,
        reply: oneshot::Sender<Vec<bool>>,
    },
    /// Ask for the figures.
    Snapshot(oneshot::Sender<Snapshot>),
    /// Match nobody any more, take nobody in, ask everybody to move within this span.
    Drain(Span),
    /// Close every connection, now and from now on: the process stops.
    Stop,
}

/// The lobby's figures at one moment.
pub(crate) struct Snapshot {
    pub(crate) counters: Counters,
    pub(crate) gauges: Gauges,
    pub(crate) events_waiting: usize,
}

/// How the edge speaks to the driver.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) inbox: mpsc::Sender<Event>,
    /// People here, as of the driver's last turn.
    pub(crate) online: Arc<AtomicUsize>,
    /// People here and on other nodes.
    pub(crate) everywhere: Arc<AtomicUsize>,
}

pub(crate) struct Driver {
    lobby: Lobby,
    started: Instant,
    /// Of the wall clock when `started` was: resume tokens carry moments to the next process.
    started_at: Time,
    inbox: mpsc::Receiver<Event>,
    outboxes: FxHashMap<ConnectionId, Arc<Outbox>>,
    outputs: Outputs,
    bounds: QueueBounds,
    requests: Option<Requests>,
    online: Arc<AtomicUsize>,
    everywhere: Arc<AtomicUsize>,
    phase: Phase,
    notices: Notices,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Whoever is here may stay for now.
    Draining,
    Stopping,
}

impl Driver {
    /// With `requests`, other nodes can be asked.
    pub(crate) fn new(
        config: Config,
        key: LobbyKey,
        bounds: QueueBounds,
        requests: Option<Requests>,
    ) -> (Self, Link) {
        let (sender, inbox) = mpsc::channel(INBOX_EVENTS);
        let online = Arc::new(AtomicUsize::new(0));
        let everywhere = Arc::new(AtomicUsize::new(0));
        let link = Link { inbox: sender, online: Arc::clone(&online), everywhere: Arc::clone(&everywhere) };
        let driver = Driver {
            lobby: Lobby::new(config, key),
            started: Instant::now(),
            started_at: wall_clock(),
            inbox,
            outboxes: FxHashMap::default(),
            outputs: Outputs::new(),
            bounds,
            requests,
            online,
            everywhere,
            phase: Phase::Serving,
            notices: Notices::default(),
        };
        (driver, link)
    }

    /// Runs until every sender of events is gone. One turn, in this order:
    ///
    /// 1. What happened, at most [`TURN_EVENTS`] of it: a flood cannot keep deadlines waiting.
    /// 2. Deadlines that are due, at most [`TURN_TIMEOUTS`]: a herd of them cannot keep visitors waiting.
    /// 3. All outputs of both, to the outboxes. Nothing waits here.
    /// 4. Sleep, until something happens or the next deadline.
    pub(crate) async fn run(mut self) {
        let mut events = Vec::with_capacity(TURN_EVENTS);
        let mut alarm = pin!(sleep_until(self.started.into()));
        let mut alarm_at: Option<Time> = None;
        loop {
            tokio::select! {
                biased;
                count = self.inbox.recv_many(&mut events, TURN_EVENTS) => {
                    if count == 0 {
                        return;
                    }
                }
                () = alarm.as_mut(), if alarm_at.is_some() => alarm_at = None,
            }
            let now = self.now();
            for event in events.drain(..) {
                self.take(now, event);
            }
            for _ in 0..TURN_TIMEOUTS {
                match self.lobby.poll_timeout() {
                    Some((due, _)) if due <= now => self.lobby.handle(now, Input::Timeout, &mut self.outputs),
                    _ => break,
                }
            }
            self.route();
            self.notices.look(self.lobby.counters());
            self.online.store(self.lobby.online(), Ordering::Relaxed);
            self.everywhere.store(self.lobby.online_everywhere(), Ordering::Relaxed);
            // An alarm that rings too early costs an empty turn; setting it anew each turn would cost more.
            if let Some((due, _)) = self.lobby.poll_timeout()
                && alarm_at.is_none_or(|at| due < at)
            {
                alarm.as_mut().reset(self.instant_of(due).into());
                alarm_at = Some(due);
            }
        }
    }

    fn take(&mut self, now: Time, event: Event) {
        match event {
            // Not in the map: the lobby never hears of it, neither of its end.
            Event::Opened { outbox, .. } if self.phase != Phase::Serving => {
                outbox.push(RESTART, &self.bounds)
            }
            Event::Opened { connection, limiting, outbox } => {
                self.outboxes.insert(connection, outbox);
                self.lobby.handle(now, Input::Opened { connection, limiting }, &mut self.outputs);
            }
            Event::Happened(Input::Closed { connection, ending }) => {
                if self.outboxes.remove(&connection).is_some() {
                    self.lobby.handle(now, Input::Closed { connection, ending }, &mut self.outputs);
                }
            }
            Event::Happened(input) => self.lobby.handle(now, input, &mut self.outputs),
            Event::Read(inputs) => {
                for input in inputs {
                    self.lobby.handle(now, input, &mut self.outputs);
                }
            }
            Event::Witness { receipt, lines, reply } => {
                let lines: Vec<(Author, &str)> =
                    lines.iter().map(|(author, text)| (*author, text.as_str())).collect();
                let _ = reply.send(self.lobby.witnessed(&receipt, &lines));
            }
            Event::Snapshot(reply) => {
                // Who asked may be gone already.
                let _ = reply.send(Snapshot {
                    counters: self.lobby.counters().clone(),
                    gauges: self.lobby.gauges(),
                    events_waiting: self.inbox.len(),
                });
            }
            Event::Drain(spread) => {
                self.phase = Phase::Draining;
                self.lobby.handle(now, Input::Drain { spread }, &mut self.outputs);
            }
            Event::Stop => {
                self.phase = Phase::Stopping;
                self.route();
                for outbox in self.outboxes.values() {
                    outbox.push(RESTART, &self.bounds);
                }
            }
        }
    }

    fn route(&mut self) {
        for output in self.outputs.drain() {
            let (connection, outbound) = match output {
                Output::Send { connection, message } => (connection, Outbound::Message(message)),
                Output::Ping { connection, mark } => (connection, Outbound::Ping(mark)),
                Output::Close { connection, code, reason } => (connection, Outbound::Close { code, reason }),
                Output::Cluster(request) => {
                    debug_assert!(self.requests.is_some(), "a lobby that is alone asks no other node");
                    if let Some(requests) = &self.requests {
                        requests.send(request);
                    }
                    continue;
                }
            };
            // A connection that is gone has told so already; its messages are nobody's.
            if let Some(outbox) = self.outboxes.get(&connection) {
                outbox.push(outbound, &self.bounds);
            }
        }
    }

    fn instant_of(&self, due: Time) -> Instant {
        self.started + Duration::from_micros(due.since(self.started_at).as_micros())
    }

    fn now(&self) -> Time {
        self.started_at + micros(self.started.elapsed())
    }
}

fn wall_clock() -> Time {
    // A clock before 1970 only makes tokens of the last process look young.
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::ZERO + micros(since_epoch)
}

pub(crate) fn micros(duration: Duration) -> Span {
    Span::from_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

const RESTART: Outbound = Outbound::Close { code: CloseCode::Restart, reason: "restart" };
