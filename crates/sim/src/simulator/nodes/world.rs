//! One run: visitors, network, nodes and Redis in virtual time, every step of it a function of the script.

mod actions;
mod end;
mod visitors;
mod ways;

use super::host::{Call, Host};
use super::node::{Arrival, Node};
use super::shell::{Act, Command, Loss};
use super::watcher::Watcher;
use super::wiretap::Wiretap;
use crate::Prng;
use crate::simulator::Outcome;
use crate::simulator::agenda::Agenda;
use crate::simulator::coverage::Case;
use crate::simulator::guest::{Alarm, Guest, Line};
use crate::simulator::network::Socket;
use crate::simulator::promises::{Breach, Promise, hold};
use crate::simulator::script::{Micros, Script, Town};
use crate::simulator::trace::{Story, Trace};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};
use visavis_lobby::{ConnectionId, Input, NodeId, Output, Outputs};
use visavis_protocol::{ClientMessage, SessionMessage};

pub(crate) struct World<'s> {
    script: &'s Script,
    town: Town,
    now: Micros,
    agenda: Agenda<Event>,
    guests: BTreeMap<u32, Guest>,
    frozen: BTreeMap<u32, Micros>,
    wires: BTreeMap<ConnectionId, Wire>,
    /// How many sockets each visitor has opened.
    opened: FxHashMap<u32, u64>,
    nodes: Vec<Node>,
    host: Host,
    watcher: Watcher,
    wiretap: Wiretap,
    trace: Trace,
    events: u64,
    calm: bool,
    settled: bool,
    story: Story,
}

/// A socket, and where it leads.
struct Wire {
    socket: Socket,
    node: usize,
    /// The process, once it is reached.
    process: Option<NodeId>,
    /// Its visitor has given it up for another one: what comes is not read any more.
    retired: bool,
    /// Whether anything has come.
    heard: bool,
}

enum Event {
    Step(usize),
    Opened(ConnectionId),
    Up(ConnectionId),
    Down(ConnectionId),
    ClientNotices(ConnectionId),
    ServerNotices(ConnectionId),
    Hears(ConnectionId),
    /// Whoever has heard nothing by now tries another node.
    Patience(ConnectionId),
    Reopen(u32),
    Alarm(u32, ConnectionId, Alarm),
    AtRedis(Call),
    AtNode(NodeId, Arrival),
    /// The end of this process.
    End {
        node: usize,
        process: NodeId,
        down: Micros,
    },
    NodeUp(usize),
    Wakes(usize, NodeId),
    /// By now a `hello` has an answer.
    Answered(ConnectionId),
    Snapshot,
    RedisStarts,
    Calm,
    Check(u64),
}

/// More than this at one moment is an endless loop.
const AT_ONCE: u64 = 100_000;

/// A `hello` is answered within two patiences of the lobby, and a little.
const ANSWER: Micros = 2_200_000;

impl<'s> World<'s> {
    pub(crate) fn new(script: &'s Script, town: Town, tells: bool) -> Self {
        let config = script.config();
        let mut world = World {
            script,
            town,
            now: 0,
            agenda: Agenda::new(),
            guests: script.cast.iter().map(|(id, persona)| (*id, Guest::new(*id, persona.clone()))).collect(),
            frozen: BTreeMap::new(),
            wires: BTreeMap::new(),
            opened: FxHashMap::default(),
            nodes: (0..town.nodes.clamp(1, 16))
                .map(|index| Node::new(index, config.clone(), script.seed))
                .collect(),
            host: Host::new(),
            watcher: Watcher::new(config),
            wiretap: Wiretap::default(),
            trace: Trace::default(),
            events: 0,
            calm: false,
            settled: false,
            story: Story::new(tells),
        };
        for (index, step) in script.steps.iter().enumerate() {
            world.foresee_failover(step);
            world.at(step.at, Event::Step(index));
        }
        world.at(script.calm_at, Event::Calm);
        world
    }

    pub(crate) fn run(mut self) -> Outcome {
        let breach = self.play().err();
        self.watcher.coverage.add(&self.wiretap.coverage);
        Outcome {
            events: self.events,
            trace: self.trace.digest(),
            coverage: self.watcher.coverage,
            at: self.now,
            breach,
            story: self.story.lines(),
        }
    }

    fn play(&mut self) -> Result<(), Breach> {
        let mut at_once = (0, 0);
        while !self.settled {
            at_once = if at_once.0 == self.now { (self.now, at_once.1 + 1) } else { (self.now, 0) };
            hold(at_once.1 < AT_ONCE, Promise::TimersAreDone, || {
                let next: Vec<_> = self
                    .nodes
                    .iter()
                    .map(|node| (node.wakes_at(self.now), node.shell.poll_timeout()))
                    .collect();
                format!("the world stands still at {}: {next:?}", self.now)
            })?;
            let wakes =
                self.nodes.iter().enumerate().filter_map(|(i, node)| Some((node.wakes_at(self.now)?, i)));
            match (self.agenda.next_at(), wakes.min()) {
                (event, Some((at, node))) if event.is_none_or(|event| at < event) => {
                    self.now = at;
                    self.run_timers(node)?;
                }
                (Some(_), _) => {
                    let Some((at, event)) = self.agenda.take() else { break };
                    self.now = at.max(self.now);
                    self.take(event)?;
                }
                (None, _) => break,
            }
        }
        Ok(())
    }

    fn at(&mut self, at: Micros, event: Event) {
        self.agenda.put(at, event);
    }

    fn after(&mut self, span: Micros, event: Event) {
        self.agenda.put(self.now + span, event);
    }

    fn note(&mut self, case: Case) {
        self.watcher.coverage.note(case);
    }

    fn tell_story(&mut self, line: impl FnOnce() -> String) {
        self.story.tell(self.now, line);
    }

    fn take(&mut self, event: Event) -> Result<(), Breach> {
        match event {
            Event::Step(index) => self.step(index)?,
            Event::Opened(connection) => self.on_opened(connection)?,
            Event::Up(connection) => self.on_up(connection)?,
            Event::Down(connection) => self.on_down(connection)?,
            Event::ClientNotices(connection) => self.client_loses(connection),
            Event::ServerNotices(connection) => self.server_notices(connection)?,
            Event::Hears(connection) => self.hears_again(connection)?,
            Event::Patience(connection) => self.on_patience(connection),
            Event::Reopen(guest) => {
                if self.guests.get(&guest).is_some_and(|guest| guest.line == Line::Away) {
                    self.open(guest);
                }
            }
            Event::Alarm(guest, connection, alarm) => self.on_alarm(guest, connection, alarm),
            Event::AtRedis(call) => self.at_redis(call),
            Event::AtNode(process, arrival) => self.at_process(process, arrival)?,
            Event::End { node, process, down } => self.end(node, process, down),
            Event::NodeUp(node) => self.begin_life(node),
            Event::Wakes(node, process) => self.wake_up(node, process)?,
            Event::Answered(connection) => self.is_answered(connection)?,
            Event::Snapshot => self.host.keep_snapshot(self.now),
            Event::RedisStarts => self.redis_starts(),
            Event::Calm => self.become_calm()?,
            Event::Check(times) => self.check(times)?,
        }
        Ok(())
    }

    fn node_of(&self, process: NodeId) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == process && node.lobby.is_some())
    }

    fn at_process(&mut self, process: NodeId, arrival: Arrival) -> Result<(), Breach> {
        match self.node_of(process) {
            Some(node) => self.arrive(node, arrival),
            None => Ok(()),
        }
    }

    /// Something comes to a process, which takes it now or when it is able to.
    fn arrive(&mut self, node: usize, arrival: Arrival) -> Result<(), Breach> {
        let Some(there) = self.nodes.get_mut(node).filter(|node| node.lobby.is_some()) else { return Ok(()) };
        if there.hung {
            there.backlog.push_back(arrival);
            return Ok(());
        }
        self.process(node, arrival)?;
        self.run_timers(node)
    }

    fn process(&mut self, node: usize, arrival: Arrival) -> Result<(), Breach> {
        let mut acts = Vec::new();
        let Some(there) = self.nodes.get_mut(node) else { return Ok(()) };
        let mut inbox: VecDeque<Input> = there.hear(self.now, arrival, &mut acts).into_iter().collect();
        self.carry(node, acts, &mut inbox);
        while let Some(input) = inbox.pop_front() {
            let acts = self.feed(node, input)?;
            self.carry(node, acts, &mut inbox);
        }
        Ok(())
    }

    fn run_timers(&mut self, node: usize) -> Result<(), Breach> {
        let now = self.now;
        let Some(there) = self.nodes.get_mut(node).filter(|node| node.runs()) else { return Ok(()) };
        if there.lobby_is_due(now) {
            self.process(node, Arrival::Input(Input::Timeout))?;
            let done = self.nodes.get(node).is_some_and(|node| !node.lobby_is_due(now));
            hold(done, Promise::TimersAreDone, || format!("node {node} at {now}"))?;
        }
        let Some(there) = self.nodes.get_mut(node) else { return Ok(()) };
        let (mut acts, mut inbox) = (Vec::new(), VecDeque::new());
        there.shell.on_timeout(now, &mut acts);
        self.carry(node, acts, &mut inbox);
        while let Some(input) = inbox.pop_front() {
            let acts = self.feed(node, input)?;
            self.carry(node, acts, &mut inbox);
        }
        Ok(())
    }

    /// The lobby takes an input; what its shell does then.
    fn feed(&mut self, node: usize, input: Input) -> Result<Vec<Act>, Breach> {
        let Some(there) = self.nodes.get_mut(node) else { return Ok(Vec::new()) };
        let (time, process) = (there.time(self.now), there.id);
        let Some(lobby) = &mut there.lobby else { return Ok(Vec::new()) };
        let mut outputs = Outputs::new();
        lobby.handle(time, input.clone(), &mut outputs);
        let outputs: Vec<Output> = outputs.drain().collect();
        let audited = lobby.audit();
        self.events += 1;
        self.trace.add(time, &input, &outputs);
        self.tell_story(|| format!("node{node} {input:?}"));
        for output in &outputs {
            self.tell_story(|| format!("    node{node} {output:?}"));
        }
        audited.map_err(|violation| Breach {
            promise: Promise::InsideIsSound,
            details: violation.to_string(),
        })?;
        self.wiretap.saw(process, &input, &outputs);
        self.watcher.saw(self.now, process, &input, &outputs)?;
        if let Input::Received { connection, message: ClientMessage::Session(SessionMessage::Hello(_)) } =
            &input
        {
            self.after(ANSWER, Event::Answered(*connection));
        }
        let mut acts = Vec::new();
        for output in outputs {
            match output {
                Output::Cluster(request) => {
                    if let Some(there) = self.nodes.get_mut(node) {
                        there.shell.ask(self.now, request, &mut acts);
                    }
                }
                other => self.route(other),
            }
        }
        Ok(acts)
    }

    fn is_answered(&mut self, connection: ConnectionId) -> Result<(), Breach> {
        let Some(wire) = self.wires.get(&connection) else { return Ok(()) };
        let runs = wire.process.is_some_and(|process| {
            self.node_of(process).and_then(|node| self.nodes.get(node)).is_some_and(Node::runs)
        });
        if wire.socket.server_open && runs && !self.watcher.has_slept(self.now, ANSWER) {
            let waits = self.watcher.waits_for_welcome(connection);
            hold(!waits, Promise::EveryHelloIsAnswered, || {
                format!("{connection:?} of visitor {} hears nothing", wire.socket.guest)
            })?;
        }
        Ok(())
    }

    fn on_loss(&mut self, node: usize, loss: Loss) {
        self.tell_story(|| format!("node{node} loses Redis: {loss:?}"));
        self.watcher.troubled(self.now, self.now);
        self.note(match loss {
            Loss::Broken => Case::RedisBroke,
            Loss::NoAnswer => Case::RedisSaidNothing,
            Loss::Silent => Case::SilenceNoticed,
        });
    }

    fn begin_life(&mut self, node: usize) {
        self.tell_story(|| format!("node{node} is up"));
        if let Some(there) = self.nodes.get_mut(node) {
            there.begin_life(self.now);
        }
    }

    /// kill -9, or the end of a drained process.
    fn end(&mut self, node: usize, process: NodeId, down: Micros) {
        let Some(there) = self.nodes.get_mut(node).filter(|node| node.id == process) else { return };
        let (line, drained) = (there.shell.line(), there.draining);
        if there.end_life().is_none() {
            return;
        }
        self.tell_story(|| format!("node{node} ends"));
        self.watcher.troubled(self.now.saturating_sub(2_000_000), self.now + 4_000_000);
        if let Some(number) = line.filter(|_| drained) {
            self.send_to_redis(node, number, 0, Command::Leave);
        }
        let mut sent = Vec::new();
        self.host.close_all_of(process);
        self.deliver_from_redis(&mut sent);
        let its = self.wires.iter().filter(|(_, wire)| wire.process == Some(process) && !wire.socket.severed);
        let connections: Vec<ConnectionId> = its.map(|(connection, _)| *connection).collect();
        for connection in connections {
            self.sever(connection);
            let delay = self.delay(connection.0 as u32, connection)(9);
            if let Some(wire) = self.wires.get_mut(&connection) {
                wire.socket.server_open = false;
            }
            self.after(delay, Event::ClientNotices(connection));
        }
        self.after(down, Event::NodeUp(node));
    }

    /// SIGCONT.
    fn wake_up(&mut self, node: usize, process: NodeId) -> Result<(), Breach> {
        let now = self.now;
        let Some(there) = self.nodes.get_mut(node).filter(|node| node.id == process && node.hung) else {
            return Ok(());
        };
        there.hung = false;
        let backlog = std::mem::take(&mut there.backlog);
        self.tell_story(|| format!("node{node} wakes"));
        self.watcher.slept(now);
        // What has come and what is due are both ready: which of them is looked at first is nobody's promise.
        if Prng::new(self.script.seed ^ now).below(2) == 0 {
            self.run_timers(node)?;
        }
        for arrival in backlog {
            self.process(node, arrival)?;
        }
        self.run_timers(node)
    }
}
