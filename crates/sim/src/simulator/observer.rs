//! Watches one server from outside, as all its clients together see it: frames in, frames out, and nothing else. It foresees
//! what must follow from every input by the protocol's document, and fails when the server says something else.
//!
//! What always holds: nothing here looks into the lobby. A *visit* is a session as the observer knows it; it outlives sockets
//! and restarts, as tokens do.

mod foresee;
mod meeting;
mod order;
mod outputs;
mod returning;
mod turn;

use super::coverage::{Case, Coverage};
use super::promises::{Breach, Promise, hold};
use meeting::Meeting;
use returning::{Minted, Secret};
use rustc_hash::{FxHashMap, FxHasher};
use std::collections::{BTreeSet, VecDeque};
use std::hash::Hasher;
use std::sync::Arc;
use turn::Turn;
use visavis_lobby::{Config, ConnectionId, Gauges, Input, Output, Span, Time};
use visavis_protocol::{Kind, MatchId, Wishes};

/// Names a visit.
pub(crate) type VisitId = usize;

pub(crate) struct Observer {
    config: Config,
    /// The latest time that the server was told in its present life.
    now: Time,
    /// Of the last jump of that time, forwards.
    jumped: Time,
    /// Counts the server's lives.
    era: u32,
    secret: Secret,
    draining: bool,
    /// Whether timers of the server are overdue: it has not yet looked at what changed.
    late: bool,
    visits: Vec<Visit>,
    open: FxHashMap<ConnectionId, VisitId>,
    /// Of every socket that ever was, whose it is or was last.
    owner: FxHashMap<ConnectionId, VisitId>,
    meetings: FxHashMap<MatchId, Meeting>,
    tokens: FxHashMap<u64, Minted>,
    /// Who made which waiting offer, and when.
    offers: FxHashMap<u64, WaitingOffer>,
    /// Whom which handle names.
    handles: FxHashMap<u64, Person>,
    /// Who waits and can be given away.
    line: BTreeSet<VisitId>,
    /// What the server has to do by itself, and when.
    due: BTreeSet<(Time, Due)>,
    /// When silences are looked at.
    silences: BTreeSet<(Time, VisitId)>,
    /// When the latest sessions were taken in, as many as a second may see.
    admitted: VecDeque<Time>,
    turn: Turn,
    pub(crate) coverage: Coverage,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A grace ends.
    Absence(VisitId),
    /// The sides of a match must have shown themselves.
    Ghost(MatchId),
}

/// By what a visit remembers others: a device, or, of a visitor without one, a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Person {
    Visit(VisitId),
    Device(u64),
}

struct WaitingOffer {
    owner: VisitId,
    sent: Time,
    shown: bool,
}

/// A session as its own frames tell of it.
struct Visit {
    /// Of which life of the server the rest is true.
    era: u32,
    link: Link,
    /// Only announced by its partner's token.
    awaited: bool,
    /// Said `hello`: can come back.
    named: bool,
    names_matches: bool,
    admitted: bool,
    /// When it was told to come.
    promised: Option<Time>,
    /// Whether rates bind it.
    bound: bool,
    wishes: Option<Arc<Wishes>>,
    requeue: bool,
    stand: Stand,
    last_match: Option<MatchId>,
    /// What its device is called, as a digest.
    device: Option<u64>,
    /// Said `hello` on this socket or an earlier one.
    greeted: bool,
    recent: VecDeque<Person>,
    blocked: Vec<Person>,
    /// Its newest token.
    token: Option<u64>,
    generation: u32,
    last_seen: Time,
    /// When its last frame came; what its socket answers is not counted.
    last_frame: Time,
    /// Answers `ping` by frames of its own.
    answers: bool,
    /// How many frames its socket has sent.
    frames: u32,
    entered: Time,
    /// Messages since the last `welcome`, and which of them the server still keeps.
    sent: u32,
    mail: VecDeque<Letter>,
    messages: Meter,
    nexts: Meter,
    texts: Meter,
    resumes: Meter,
}

/// A message that the server still keeps.
#[derive(Clone, Copy)]
struct Letter {
    position: u32,
    /// That somebody types: the latest alone is kept, where there is room.
    is_typing: bool,
    /// From the partner, and of no use when the match is over.
    is_signal: bool,
    /// Says nothing of where the session stands: goes first when there is too much.
    is_passing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Attached(ConnectionId),
    Detached { until: Time },
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stand {
    Idle {
        /// The age that is given back, and until when.
        credit: Option<(Time, Time)>,
    },
    Waiting(Place),
    Met(MatchId),
}

const IDLE: Stand = Stand::Idle { credit: None };

/// Where somebody stands in line.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    since: Time,
    created: Time,
    /// How often it was the oldest who fitted and another was taken.
    passed: u32,
}

impl Visit {
    fn new(era: u32, connection: ConnectionId, bound: bool, now: Time) -> Self {
        Visit {
            era,
            link: Link::Attached(connection),
            awaited: false,
            named: false,
            names_matches: false,
            admitted: false,
            promised: None,
            bound,
            wishes: None,
            requeue: false,
            stand: IDLE,
            last_match: None,
            device: None,
            greeted: false,
            recent: VecDeque::new(),
            blocked: Vec::new(),
            token: None,
            generation: 0,
            last_seen: now,
            last_frame: now,
            answers: false,
            frames: 0,
            entered: now,
            sent: 0,
            mail: VecDeque::new(),
            messages: Meter::default(),
            nexts: Meter::default(),
            texts: Meter::default(),
            resumes: Meter::default(),
        }
    }

    fn connection(&self) -> Option<ConnectionId> {
        match self.link {
            Link::Attached(connection) => Some(connection),
            Link::Detached { .. } | Link::Ended => None,
        }
    }

    /// When it showed last that somebody is there: in line only by a frame, if it answers pings by frames.
    fn last_sign(&self) -> Time {
        match self.stand {
            Stand::Waiting(_) if self.answers => self.last_frame,
            Stand::Waiting(_) | Stand::Idle { .. } | Stand::Met(_) => self.last_seen,
        }
    }

    fn is_attached(&self) -> bool {
        self.connection().is_some()
    }

    fn met(&self) -> Option<MatchId> {
        match self.stand {
            Stand::Met(id) => Some(id),
            Stand::Idle { .. } | Stand::Waiting(_) => None,
        }
    }
}

/// What an observer thinks of a visitor at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Unknown,
    Idle,
    Waiting,
    Met(MatchId),
}

impl Observer {
    pub(crate) fn new(config: Config) -> Self {
        Observer {
            config,
            now: Time::ZERO,
            jumped: Time::ZERO,
            era: 0,
            secret: Secret::default(),
            draining: false,
            late: false,
            visits: Vec::new(),
            open: FxHashMap::default(),
            owner: FxHashMap::default(),
            meetings: FxHashMap::default(),
            tokens: FxHashMap::default(),
            offers: FxHashMap::default(),
            handles: FxHashMap::default(),
            line: BTreeSet::new(),
            due: BTreeSet::new(),
            silences: BTreeSet::new(),
            admitted: VecDeque::new(),
            turn: Turn::default(),
            coverage: Coverage::default(),
        }
    }

    /// The server was killed, and a new one has begun, with or without a new secret.
    pub(crate) fn restarted(&mut self, new_secret: bool) {
        self.era += 1;
        self.now = Time::ZERO;
        self.jumped = Time::ZERO;
        self.draining = false;
        self.secret.rotate(new_secret);
        self.open.clear();
        self.line.clear();
        self.due.clear();
        self.silences.clear();
        self.admitted.clear();
    }

    /// The server's time went on by a leap: its deadlines come late by as much.
    pub(crate) fn leapt(&mut self, now: Time) {
        self.jumped = self.jumped.max(now);
    }

    /// When the server's next timer is due, before it is told of something. One that is overdue makes all others late.
    pub(crate) fn is_due(&mut self, now: Time, due: Option<Time>) {
        let now = self.now.max(now);
        self.late = due.is_some_and(|due| due <= now);
        if due.is_some_and(|due| now > due + Span::from_millis(1)) {
            self.leapt(now);
        }
    }

    /// One input and all that came of it. `now` is what the server was told.
    pub(crate) fn saw(&mut self, now: Time, input: &Input, outputs: &[Output]) -> Result<(), Breach> {
        self.now = self.now.max(now);
        self.turn = Turn::of(input, outputs);
        self.foresee(input)?;
        for output in outputs {
            match output {
                Output::Send { connection, message } => {
                    let open = self.open.get(connection).copied();
                    hold(open.is_some(), Promise::NothingAfterTheEnd, || {
                        format!("{message:?} to {connection:?}")
                    })?;
                    if let Some(visit) = open {
                        self.hears(visit, *connection, message)?;
                    }
                }
                Output::Ping { connection, .. } => {
                    hold(self.open.contains_key(connection), Promise::NothingAfterTheEnd, || {
                        format!("a ping to {connection:?}")
                    })?;
                }
                Output::Close { connection, reason, .. } => self.closes(*connection, reason)?,
                // Between nodes: nobody outside sees it.
                Output::Cluster(_) => {}
            }
        }
        self.conclude()
    }

    /// Nothing is due at the server: what it should have done by now is done.
    pub(crate) fn settle(&mut self) -> Result<(), Breach> {
        self.judge_silences()?;
        if self.draining { Ok(()) } else { self.judge_line() }
    }

    /// Whether the server's gauges are what its clients know.
    pub(crate) fn agrees_with(&self, gauges: Gauges) -> Result<(), Breach> {
        let mut known = Gauges::default();
        let mut seats = Gauges::default();
        for visit in self.visits.iter().filter(|visit| visit.era == self.era && visit.link != Link::Ended) {
            known.sessions += 1;
            match visit.stand {
                Stand::Idle { .. } => {}
                Stand::Waiting(_) => {
                    let kind = visit.wishes.as_ref().map_or(Kind::Video, |wishes| wishes.kind);
                    *known.waiting.of(kind) += usize::from(visit.is_attached());
                }
                Stand::Met(id) => {
                    let kind = self.meetings.get(&id).map_or(Kind::Video, |meeting| meeting.kind);
                    *seats.matches.of(kind) += 1;
                }
            }
        }
        for kind in [Kind::Video, Kind::Audio, Kind::Text] {
            *known.matches.of(kind) = *seats.matches.of(kind) / 2;
        }
        hold(gauges == known, Promise::GaugesAreTrue, || format!("told {gauges:?}, known {known:?}"))
    }

    /// Where the visitor behind this socket stands, as far as the server told.
    pub(crate) fn standing(&self, connection: ConnectionId) -> Standing {
        let Some(visit) = self.open.get(&connection).and_then(|visit| self.visits.get(*visit)) else {
            return Standing::Unknown;
        };
        match visit.stand {
            Stand::Idle { .. } => Standing::Idle,
            Stand::Waiting(_) => Standing::Waiting,
            Stand::Met(id) => Standing::Met(id),
        }
    }

    /// By what others remember a visit.
    fn person(&self, id: VisitId) -> Person {
        self.visit(id).device.map_or(Person::Visit(id), Person::Device)
    }

    fn is(&self, id: VisitId, person: &Person) -> bool {
        match *person {
            Person::Visit(visit) => visit == id,
            Person::Device(device) => self.visit(id).device == Some(device),
        }
    }

    fn has_blocked(&self, one: VisitId, other: VisitId) -> bool {
        self.visit(one).blocked.iter().any(|person| self.is(other, person))
    }

    fn has_met(&self, one: VisitId, other: VisitId) -> bool {
        self.visit(one).recent.iter().any(|person| self.is(other, person))
    }

    fn visit(&self, id: VisitId) -> &Visit {
        &self.visits[id]
    }

    fn visit_mut(&mut self, id: VisitId) -> &mut Visit {
        &mut self.visits[id]
    }

    fn note(&mut self, case: Case) {
        self.coverage.note(case);
    }
}

/// Checks a rate from outside: a burst, then one an interval.
#[derive(Clone, Copy, Default)]
struct Meter {
    full_at: Time,
}

impl Meter {
    /// Whether one more is within the rate.
    fn allows(&mut self, now: Time, burst: u32, interval: Span) -> bool {
        let room = interval.as_micros().saturating_mul(u64::from(burst.saturating_sub(1)));
        let allowed = self.full_at.since(now).as_micros() <= room;
        self.full_at = now.max(self.full_at) + interval;
        allowed
    }
}

/// Stands for a content that may not be kept or shown.
pub(crate) fn digest(text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(text.as_bytes());
    hasher.finish()
}
