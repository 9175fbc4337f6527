//! The lobby itself: takes inputs, keeps sessions, tickets and matches, and says what to send.
//!
//! One owner calls it, so a ticket can only be taken once. The parts that belong together stand in files of their own:
//! searching (`search`), leaving (`parting`), signals between strangers (`switchboard`), signs of life (`liveness`).

#[cfg(any(test, feature = "audit"))]
mod audit;
mod liveness;
mod parting;
mod search;
mod switchboard;

use crate::acquaintances::Acquaintance;
use crate::matches::{Match, MatchIds, MatchKey};
use crate::matchmaker::{Matchmaker, TicketKey};
use crate::rates::Allowance;
use crate::session::{Session, SessionKey, State};
use crate::timers::Timers;
use crate::{Config, ConnectionId, Counters, Ending, Gauges, Input, Limiting, Output, Outputs, Span, Time};
use rustc_hash::FxHashMap;
use slotmap::SlotMap;
use visavis_protocol::{
    ClientMessage, CloseCode, ErrorCode, Hello, LeftReason, Refusal, ServerMessage, VERSION,
};

/// Why the lobby wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A session was silent for a while.
    Silence,
    /// A ticket relaxes, a pause between old partners ends, or a waiting visitor is told how things stand.
    Ticket,
    /// The sides of a match must have shown themselves.
    Match,
}

/// What a timer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Session(SessionKey),
    Ticket(TicketKey),
    Match(MatchKey),
}

/// All sessions of one node and what is between them.
#[derive(Debug)]
pub struct Lobby {
    config: Config,
    /// The latest time ever told: a clock that steps back stands still here.
    now: Time,
    connections: FxHashMap<ConnectionId, SessionKey>,
    sessions: SlotMap<SessionKey, Session>,
    matches: SlotMap<MatchKey, Match>,
    match_ids: MatchIds,
    matchmaker: Matchmaker,
    timers: Timers<Due>,
    gauges: Gauges,
    counters: Counters,
}

impl Lobby {
    /// An empty lobby. `seed` makes its match ids differ from those of other lobbies: random bits, anew at every start.
    pub fn new(config: Config, seed: u64) -> Self {
        Lobby {
            config,
            now: Time::ZERO,
            connections: FxHashMap::default(),
            sessions: SlotMap::with_key(),
            matches: SlotMap::with_key(),
            match_ids: MatchIds::new(seed),
            matchmaker: Matchmaker::new(),
            timers: Timers::new(),
            gauges: Gauges::default(),
            counters: Counters::default(),
        }
    }

    /// Takes one input and appends what follows from it. Inputs of unknown connections are ignored.
    pub fn handle(&mut self, now: Time, input: Input, outputs: &mut Outputs) {
        self.now = self.now.max(now);
        match input {
            Input::Opened { connection, limiting } => self.open(connection, limiting),
            Input::Received { connection, message } => {
                let Some(session) = self.note_life(connection) else { return };
                if self.take_message(session, outputs) {
                    self.receive(session, message, outputs);
                }
            }
            Input::Malformed { connection, refusal } => {
                let Some(session) = self.note_life(connection) else { return };
                if self.take_message(session, outputs) {
                    self.refuse(session, refusal, outputs);
                }
            }
            Input::Alive { connection } => {
                self.note_life(connection);
            }
            Input::Closed { connection, ending } => {
                let reason = match ending {
                    Ending::CloseFrame => LeftReason::Closed,
                    Ending::Broken => LeftReason::Lost,
                };
                if let Some(session) = self.connections.get(&connection).copied() {
                    self.forget(session, reason, outputs);
                }
            }
            Input::Timeout => self.run_timers(outputs),
        }
    }

    /// When to be woken next with [`Input::Timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(Time, Reason)> {
        self.timers.soonest().map(|(at, due)| {
            let reason = match due {
                Due::Session(_) => Reason::Silence,
                Due::Ticket(_) => Reason::Ticket,
                Due::Match(_) => Reason::Match,
            };
            (at, reason)
        })
    }

    /// How many people are here.
    pub fn online(&self) -> usize {
        self.connections.len()
    }

    /// Totals so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How things stand.
    pub fn gauges(&self) -> Gauges {
        Gauges { sessions: self.sessions.len(), ..self.gauges }
    }

    fn open(&mut self, connection: ConnectionId, limiting: Limiting) {
        debug_assert!(!self.connections.contains_key(&connection), "the shell never reuses a connection id");
        let session = self.sessions.insert(Session::new(connection, limiting, self.now));
        self.connections.insert(connection, session);
        self.watch(session);
    }

    fn receive(&mut self, session: SessionKey, message: ClientMessage, outputs: &mut Outputs) {
        match message {
            ClientMessage::Hello(hello) => self.on_hello(session, hello, outputs),
            ClientMessage::FindPartner(wanted) => self.on_find_partner(session, wanted, outputs),
            ClientMessage::TicketOffer(ticket) => self.on_ticket_offer(session, ticket),
            ClientMessage::Next(next) => self.on_next(session, next, outputs),
            ClientMessage::Stop(_) => self.on_stop(session, outputs),
            ClientMessage::Block(block) => self.on_block(session, block.match_id, outputs),
            ClientMessage::Offer(_)
            | ClientMessage::Answer(_)
            | ClientMessage::IceCandidate(_)
            | ClientMessage::Connected(_)
            | ClientMessage::Message(_)
            | ClientMessage::Typing(_) => self.on_signal(session, message, outputs),
        }
    }

    fn on_hello(&mut self, key: SessionKey, hello: Hello, outputs: &mut Outputs) {
        if hello.version != VERSION {
            let message = format!("version {} is not spoken here, only {VERSION}", hello.version);
            return self.refuse(key, Refusal::new(ErrorCode::UnsupportedVersion, message), outputs);
        }
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.names_matches = true;
        let message = ServerMessage::Welcome {
            version: VERSION,
            online: self.online_for_clients(),
            resume_token: None,
            resumed: hello.resume.map(|_| false),
        };
        self.say(key, message, outputs);
    }

    /// Takes the session out of everything it is in; its partner, if any, is told `reason`.
    fn forget(&mut self, key: SessionKey, reason: LeftReason, outputs: &mut Outputs) {
        if let Some(session) = self.sessions.get(key) {
            // First, so that who is going is not among those whom the partner is told to be online.
            self.connections.remove(&session.connection);
        }
        self.leave(key, reason, outputs);
        let Some(mut session) = self.sessions.remove(key) else { return };
        self.timers.clear(&mut session.timer, Due::Session(key));
    }

    /// Closes a connection from this side.
    fn cut(&mut self, key: SessionKey, code: CloseCode, why: &'static str, outputs: &mut Outputs) {
        let Some(session) = self.sessions.get(key) else { return };
        outputs.push(Output::Close { connection: session.connection, code, reason: why });
        self.forget(key, LeftReason::Lost, outputs);
    }

    /// Charges one message to the session's rate. False: it was refused, and nothing else may happen.
    fn take_message(&mut self, key: SessionKey, outputs: &mut Outputs) -> bool {
        let allowance =
            Allowance { burst: self.config.message_burst, interval: self.config.message_interval };
        let Some(session) = self.sessions.get_mut(key) else { return false };
        if session.limiting == Limiting::Exempt {
            return true;
        }
        match session.messages.take(self.now, allowance) {
            Ok(()) => true,
            Err(pause) => {
                self.refuse_too_fast(key, "too many messages", pause, outputs);
                false
            }
        }
    }

    fn refuse(&mut self, key: SessionKey, refusal: Refusal, outputs: &mut Outputs) {
        self.counters.count_refusal(refusal.code);
        self.say(key, ServerMessage::refused(refusal), outputs);
    }

    /// Says `too_fast`; a client that does not listen is closed with 1008.
    fn refuse_too_fast(&mut self, key: SessionKey, what: &str, pause: Span, outputs: &mut Outputs) {
        let patience = Allowance { burst: self.config.max_refusals, interval: Span::from_secs(1) };
        self.counters.count_refusal(ErrorCode::TooFast);
        let Some(session) = self.sessions.get_mut(key) else { return };
        let patient = session.refusals.take(self.now, patience).is_ok();
        let pause_ms = pause.as_millis_ceil();
        self.say(key, ServerMessage::too_fast(format!("{what}: pause for {pause_ms} ms"), pause_ms), outputs);
        if !patient {
            self.cut(key, CloseCode::Policy, "too_fast", outputs);
        }
    }

    fn say(&self, key: SessionKey, message: ServerMessage, outputs: &mut Outputs) {
        if let Some(session) = self.sessions.get(key) {
            outputs.send(session.connection, message);
        }
    }

    fn online_for_clients(&self) -> u32 {
        u32::try_from(self.online()).unwrap_or(u32::MAX)
    }

    fn state(&self, key: SessionKey) -> Option<State> {
        self.sessions.get(key).map(Session::state)
    }

    fn run_timers(&mut self, outputs: &mut Outputs) {
        while let Some(due) = self.timers.pop_due(self.now) {
            match due {
                Due::Session(key) => {
                    if let Some(session) = self.sessions.get_mut(key) {
                        session.timer = None;
                    }
                    self.on_silence_check(key, outputs);
                }
                Due::Ticket(key) => {
                    if let Some(ticket) = self.matchmaker.ticket_mut(key) {
                        ticket.timer = None;
                    }
                    self.on_ticket_due(key, outputs);
                }
                Due::Match(key) => {
                    if let Some(found) = self.matches.get_mut(key) {
                        found.timer = None;
                    }
                    self.on_match_deadline(key, outputs);
                }
            }
        }
    }
}

/// How two sessions stand to each other, by what either remembers.
fn acquaintance(sessions: &SlotMap<SessionKey, Session>, a: SessionKey, b: SessionKey) -> Acquaintance {
    let sees = |one: SessionKey, other: SessionKey| {
        sessions.get(one).map_or(Acquaintance::Strangers, |session| session.sees(other))
    };
    match (sees(a, b), sees(b, a)) {
        (Acquaintance::Blocked, _) | (_, Acquaintance::Blocked) => Acquaintance::Blocked,
        (Acquaintance::Recent, _) | (_, Acquaintance::Recent) => Acquaintance::Recent,
        (Acquaintance::Strangers, Acquaintance::Strangers) => Acquaintance::Strangers,
    }
}
