//! One run: visitors, network and server in virtual time, every step of it a function of the script.

mod actions;
mod clients;

use super::Outcome;
use super::agenda::Agenda;
use super::coverage::Case;
use super::guest::{Alarm, Guest, Line};
use super::network::{self, CALM_DELAY_US, Down, MAX_UNREAD, Socket};
use super::observer::{Observer, Standing};
use super::promises::{Breach, Promise, hold};
use super::script::{Micros, Script};
use super::trace::{Story, Trace};
use crate::Prng;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};
use visavis_lobby::{Config, ConnectionId, Input, Lobby, Output, Outputs, SessionSecret, Span, Time};

/// What the server's clock shows when a run begins: late enough that it can step back.
const BEGINNING: Micros = 1_000_000_000_000;
/// After the faults stop, how often and how long it is looked whether everybody has met.
const CHECK_EVERY: Micros = 15_000_000;
const CHECKS: u64 = 10;
/// With more sessions than this the lobby's own audit looks less often, so that looking costs no more than running.
const AUDITED_ALWAYS: usize = 150;

pub(crate) struct World<'s> {
    script: &'s Script,
    now: Micros,
    agenda: Agenda<Event>,
    guests: BTreeMap<u32, Guest>,
    frozen: BTreeMap<u32, Micros>,
    sockets: BTreeMap<ConnectionId, Socket>,
    /// How many sockets each visitor has opened.
    opened: FxHashMap<u32, u64>,
    node: Node,
    observer: Observer,
    trace: Trace,
    events: u64,
    calm: bool,
    settled: bool,
    story: Story,
}

/// The server process.
struct Node {
    config: Config,
    lobby: Option<Lobby>,
    /// Its clock against the world's.
    skew: i64,
    hung: bool,
    backlog: VecDeque<Input>,
    lives: u64,
    draining: bool,
}

enum Event {
    Step(usize),
    Opened(ConnectionId, Option<visavis_protocol::ResumeToken>),
    Up(ConnectionId),
    Down(ConnectionId),
    ClientNotices(ConnectionId),
    ServerNotices(ConnectionId),
    Hears(ConnectionId),
    Reopen(u32),
    Alarm(u32, ConnectionId, Alarm),
    Kill { down: Micros, new_secret: bool },
    NodeUp,
    Wakes,
    Calm,
    Check(u64),
}

impl<'s> World<'s> {
    pub(crate) fn new(script: &'s Script, tells: bool) -> Self {
        let config = script.config();
        let mut world = World {
            script,
            now: 0,
            agenda: Agenda::new(),
            guests: script.cast.iter().map(|(id, persona)| (*id, Guest::new(*id, persona.clone()))).collect(),
            frozen: BTreeMap::new(),
            sockets: BTreeMap::new(),
            opened: FxHashMap::default(),
            observer: Observer::new(config.clone()),
            node: Node {
                lobby: Some(Lobby::new(config.clone(), Prng::new(script.seed).lobby_key())),
                config,
                skew: 0,
                hung: false,
                backlog: VecDeque::new(),
                lives: 1,
                draining: false,
            },
            trace: Trace::default(),
            events: 0,
            calm: false,
            settled: false,
            story: Story::new(tells),
        };
        for (index, step) in script.steps.iter().enumerate() {
            world.at(step.at, Event::Step(index));
        }
        world.at(script.calm_at, Event::Calm);
        world
    }

    pub(crate) fn run(mut self) -> Outcome {
        let breach = self.play().err();
        Outcome {
            events: self.events,
            trace: self.trace.digest(),
            coverage: self.observer.coverage,
            at: self.now,
            breach,
            story: self.story.lines(),
        }
    }

    fn play(&mut self) -> Result<(), Breach> {
        while !self.settled {
            let event_at = self.agenda.next_at();
            let wake_at = self.node_wakes_at();
            match (event_at, wake_at) {
                (Some(event), Some(wake)) if wake < event => self.wake_node(wake)?,
                (None, Some(wake)) => self.wake_node(wake)?,
                (Some(_), _) => {
                    let Some((at, event)) = self.agenda.take() else { break };
                    self.now = at.max(self.now);
                    self.take(event)?;
                }
                (None, None) => break,
            }
        }
        Ok(())
    }

    fn at(&mut self, at: Micros, event: Event) {
        self.agenda.put(at, event);
    }

    fn after(&mut self, span: Micros, event: Event) {
        self.at(self.now + span, event);
    }

    fn tell_story(&mut self, line: impl FnOnce() -> String) {
        self.story.tell(self.now, line);
    }

    /// When the server's next timer is due, by the world's clock.
    fn node_wakes_at(&self) -> Option<Micros> {
        if self.node.hung {
            return None;
        }
        let (due, _) = self.node.lobby.as_ref()?.poll_timeout()?;
        let at = due.as_micros() as i64 - BEGINNING as i64 - self.node.skew;
        Some((at.max(0) as Micros).max(self.now))
    }

    fn wake_node(&mut self, at: Micros) -> Result<(), Breach> {
        self.now = at;
        self.run_timers()
    }

    fn server_time(&self) -> Time {
        Time::from_micros((BEGINNING as i64 + self.now as i64 + self.node.skew).max(0) as u64)
    }

    fn take(&mut self, event: Event) -> Result<(), Breach> {
        match event {
            Event::Step(index) => self.step(index),
            Event::Opened(connection, token) => self.on_opened(connection, token),
            Event::Up(connection) => self.on_up(connection),
            Event::Down(connection) => self.on_down(connection),
            Event::ClientNotices(connection) => {
                self.client_loses(connection);
                Ok(())
            }
            Event::ServerNotices(connection) => self.server_notices(connection),
            Event::Hears(connection) => self.hears_again(connection),
            Event::Reopen(guest) => {
                if self.guests.get(&guest).is_some_and(|guest| guest.line == Line::Away) {
                    self.open(guest, None);
                }
                Ok(())
            }
            Event::Alarm(guest, connection, alarm) => self.on_alarm(guest, connection, alarm),
            Event::Kill { down, new_secret } => {
                self.kill(down, new_secret);
                Ok(())
            }
            Event::NodeUp => {
                self.begin_life();
                Ok(())
            }
            Event::Wakes => self.wake_up(),
            Event::Calm => self.become_calm(),
            Event::Check(times) => self.check(times),
        }
    }

    /// Something happens to the server, now or when it is able to notice.
    fn tell(&mut self, input: Input) -> Result<(), Breach> {
        if self.node.hung {
            self.node.backlog.push_back(input);
            return Ok(());
        }
        if self.node.lobby.is_none() {
            return Ok(());
        }
        self.feed(input)?;
        self.run_timers()
    }

    fn run_timers(&mut self) -> Result<(), Breach> {
        let now = self.server_time();
        let is_due = |node: &Node| {
            node.lobby.as_ref().and_then(Lobby::poll_timeout).is_some_and(|(due, _)| due <= now)
        };
        if is_due(&self.node) {
            self.feed(Input::Timeout)?;
            hold(!is_due(&self.node), Promise::TimersAreDone, || format!("at {now:?}"))?;
        }
        // A clock that steps back stands still for the lobby; what is due by its own time is done nevertheless.
        self.observer.settle()
    }

    fn feed(&mut self, input: Input) -> Result<(), Breach> {
        let now = self.server_time();
        let Some(lobby) = &mut self.node.lobby else { return Ok(()) };
        self.observer.is_due(now, lobby.poll_timeout().map(|(due, _)| due));
        let mut outputs = Outputs::new();
        lobby.handle(now, input.clone(), &mut outputs);
        let outputs: Vec<Output> = outputs.drain().collect();
        self.events += 1;
        self.trace.add(now, &input, &outputs);
        self.tell_story(|| format!("{input:?}"));
        for output in &outputs {
            self.tell_story(|| format!("    {output:?}"));
        }
        self.observer.saw(now, &input, &outputs)?;
        self.look_inside()?;
        for output in outputs {
            self.route(output)?;
        }
        Ok(())
    }

    fn look_inside(&mut self) -> Result<(), Breach> {
        let Some(lobby) = &self.node.lobby else { return Ok(()) };
        let sessions = lobby.gauges().sessions;
        if sessions > AUDITED_ALWAYS && !self.events.is_multiple_of((sessions / 20) as u64) {
            return Ok(());
        }
        lobby.audit().map_err(|violation| Breach {
            promise: Promise::InsideIsSound,
            details: violation.to_string(),
        })?;
        self.observer.agrees_with(lobby.gauges())
    }

    fn route(&mut self, output: Output) -> Result<(), Breach> {
        let Some((connection, down)) = Down::of(output) else { return Ok(()) };
        let now = self.now;
        let Some(socket) = self.sockets.get_mut(&connection) else { return Ok(()) };
        if matches!(down, Down::Close(..)) {
            socket.server_open = false;
        }
        if socket.severed {
            return Ok(());
        }
        socket.down.push_back(down);
        let overflows = socket.down.len() > MAX_UNREAD && socket.server_open;
        let guest = socket.guest;
        let delay = self.delay(guest, connection);
        if let Some(socket) = self.sockets.get_mut(&connection) {
            let at = socket.arrives_down(now, delay);
            self.at(at, Event::Down(connection));
        }
        if overflows {
            self.observer.coverage.note(Case::SlowReaderCut);
            self.sever(connection);
            self.after(1_000, Event::ClientNotices(connection));
            self.after(0, Event::ServerNotices(connection));
        }
        Ok(())
    }

    fn delay(&self, guest: u32, connection: ConnectionId) -> impl Fn(u64) -> Micros + use<> {
        let range = if self.calm { CALM_DELAY_US } else { self.script.delay_us };
        network::delay(self.script.seed, guest, connection, range, 8)
    }

    fn sever(&mut self, connection: ConnectionId) {
        if let Some(socket) = self.sockets.get_mut(&connection) {
            socket.sever();
        }
    }

    fn server_notices(&mut self, connection: ConnectionId) -> Result<(), Breach> {
        let Some(socket) = self.sockets.get_mut(&connection).filter(|socket| socket.server_open) else {
            return Ok(());
        };
        socket.server_open = false;
        let ending = socket.ending;
        self.tell(Input::Closed { connection, ending })
    }

    /// kill -9.
    fn kill(&mut self, down: Micros, new_secret: bool) {
        if self.node.lobby.take().is_none() {
            return;
        }
        self.tell_story(|| "the server is killed".to_owned());
        self.node.backlog.clear();
        self.node.hung = false;
        self.node.draining = false;
        let open = self.sockets.iter().filter(|(_, socket)| !socket.opening && !socket.severed);
        let connections: Vec<ConnectionId> = open.map(|(connection, _)| *connection).collect();
        for connection in connections {
            self.sever(connection);
            let delay = self.delay(connection.0 as u32, connection)(9);
            if let Some(socket) = self.sockets.get_mut(&connection) {
                socket.server_open = false;
            }
            self.after(delay, Event::ClientNotices(connection));
        }
        if new_secret {
            self.node.config.session_secrets.insert(0, SessionSecret([self.node.lives as u8 + 100; 32]));
        }
        self.observer.restarted(new_secret);
        self.after(down, Event::NodeUp);
    }

    fn begin_life(&mut self) {
        self.tell_story(|| "the server is up".to_owned());
        self.node.lives += 1;
        let key = Prng::new(self.script.seed ^ self.node.lives << 32).lobby_key();
        self.node.lobby = Some(Lobby::new(self.node.config.clone(), key));
    }

    fn wake_up(&mut self) -> Result<(), Breach> {
        if !self.node.hung {
            return Ok(());
        }
        self.node.hung = false;
        let now = self.server_time();
        self.observer.leapt(now);
        // All that came meanwhile before any timer, as the driver does it.
        while let Some(input) = self.node.backlog.pop_front() {
            self.feed(input)?;
        }
        self.run_timers()
    }

    fn become_calm(&mut self) -> Result<(), Breach> {
        self.tell_story(|| "from now on nothing goes wrong".to_owned());
        self.calm = true;
        self.wake_up()?;
        self.frozen.clear();
        let connections: Vec<ConnectionId> = self.sockets.keys().copied().collect();
        for connection in connections {
            self.hears_again(connection)?;
            let Some(socket) = self.sockets.get(&connection) else { continue };
            let (stray, half_open) = (socket.stray, socket.severed && socket.client_open);
            if stray || half_open {
                self.after(500_000, Event::ClientNotices(connection));
            }
            if stray {
                self.after(500_000, Event::ServerNotices(connection));
            }
        }
        let away: Vec<u32> =
            self.guests.values_mut().filter_map(|guest| guest.calms_down().then_some(guest.id)).collect();
        for guest in away {
            self.after(300_000, Event::Reopen(guest));
        }
        self.after(CHECK_EVERY, Event::Check(1));
        Ok(())
    }

    fn check(&mut self, times: u64) -> Result<(), Breach> {
        let Err(breach) = self.convergence() else {
            self.settled = true;
            return Ok(());
        };
        if times >= CHECKS {
            return Err(breach);
        }
        self.after(CHECK_EVERY, Event::Check(times + 1));
        Ok(())
    }

    /// Who searches is in a match, or waits because nobody fits; and the server and the visitor agree about it.
    fn convergence(&self) -> Result<(), Breach> {
        use super::guest::Stand;
        for guest in self.guests.values().filter(|guest| guest.searches) {
            let standing = match guest.line {
                Line::On(connection) => self.observer.standing(connection),
                Line::Away | Line::Opening => Standing::Unknown,
            };
            let agree = match (guest.stand, standing) {
                (Stand::Met(mine), Standing::Met(theirs)) => mine == theirs,
                (Stand::Waiting, Standing::Waiting) => true,
                _ => false,
            };
            hold(agree, Promise::EverybodyMeets, || {
                format!("visitor {} believes {:?}, the server says {standing:?}", guest.id, guest.stand)
            })?;
        }
        Ok(())
    }
}

fn span(us: Micros) -> Span {
    Span::from_micros(us)
}
