//! The same visitors that load a server, over the lobby itself in virtual time: the other of their two worlds.

use std::collections::{BTreeMap, VecDeque};
use visavis_lobby::{
    Config, ConnectionId, Input as LobbyInput, Limiting, Lobby, Output, Outputs, Span, Time,
};
use visavis_protocol::{Kind, ServerMessage};
use visavis_sim::{
    Act, Allowance, Habit, Heard, Input, Meeting, Note, Order, Prng, Script, Status, Visitor, audit,
};

struct World {
    lobby: Lobby,
    now: Time,
    visitors: Vec<Visitor>,
    /// Each visitor's socket; the number rises with every new one.
    sockets: Vec<Option<ConnectionId>>,
    reopen: Vec<(Time, usize)>,
    opened: u64,
    under_way: VecDeque<Output>,
    meetings: Vec<Meeting>,
    place: BTreeMap<u32, usize>,
    round: u32,
    breaches: Vec<String>,
    closed: u64,
    events: u64,
}

impl World {
    fn new(visitors: u32, script: Script) -> Self {
        let config = Config { next_burst: 1_000_000, message_burst: 1_000_000, ..Config::default() };
        let mut world = World {
            lobby: Lobby::new(config, Prng::new(11).lobby_key()),
            now: Time::from_micros(1_000_000),
            visitors: (0..visitors).map(|id| Visitor::new(id, script, 5)).collect(),
            sockets: vec![None; visitors as usize],
            reopen: Vec::new(),
            opened: 0,
            under_way: VecDeque::new(),
            meetings: Vec::new(),
            place: BTreeMap::new(),
            round: 0,
            breaches: Vec::new(),
            closed: 0,
            events: 0,
        };
        (0..visitors as usize).for_each(|index| world.open(index));
        world
    }

    fn open(&mut self, index: usize) {
        self.opened += 1;
        let connection = ConnectionId(self.opened);
        self.sockets[index] = Some(connection);
        self.tell_lobby(LobbyInput::Opened { connection, limiting: Limiting::Exempt });
        self.feed(index, Input::Opened);
        self.settle();
    }

    fn press_all(&mut self) {
        self.round += 1;
        (0..self.visitors.len()).for_each(|index| self.feed(index, Input::Pressed));
        self.settle();
    }

    fn tell_lobby(&mut self, input: LobbyInput) {
        self.events += 1;
        let mut outputs = Outputs::new();
        self.lobby.handle(self.now, input, &mut outputs);
        self.under_way.extend(outputs.drain());
    }

    /// Carries out what the lobby said, in its order, and what follows from that.
    fn settle(&mut self) {
        while let Some(output) = self.under_way.pop_front() {
            match output {
                Output::Send { connection, message } => self.deliver(connection, &message),
                Output::Ping { connection, mark } => {
                    if self.owner(connection).is_some() {
                        self.tell_lobby(LobbyInput::Alive { connection, mark: Some(mark) });
                    }
                }
                Output::Cluster(request) => panic!("{request:?} of a lobby that is alone"),
                Output::Close { connection, .. } => {
                    if let Some(index) = self.owner(connection) {
                        self.sockets[index] = None;
                        self.feed(index, Input::Lost);
                    }
                }
            }
        }
    }

    fn owner(&self, connection: ConnectionId) -> Option<usize> {
        self.sockets.iter().position(|socket| *socket == Some(connection))
    }

    fn deliver(&mut self, connection: ConnectionId, message: &ServerMessage) {
        let Some(index) = self.owner(connection) else { return };
        self.feed(index, Input::Heard(Heard::from(message)));
    }

    fn feed(&mut self, index: usize, input: Input<'_>) {
        let mut acts = Vec::new();
        self.visitors[index].handle(self.now, input, &mut acts);
        for act in acts {
            match act {
                Act::Send(message) => {
                    if let Some(connection) = self.sockets[index] {
                        self.tell_lobby(LobbyInput::Received { connection, message });
                    }
                }
                Act::StopReading => {}
                Act::Reopen { ending, after } => {
                    self.closed += 1;
                    if let Some(connection) = self.sockets[index].take() {
                        self.tell_lobby(LobbyInput::Closed { connection, ending });
                    }
                    self.reopen.push((self.now + after, index));
                }
                Act::Note(note) => self.note(index, note),
            }
        }
    }

    fn note(&mut self, index: usize, note: Note) {
        let visitor = self.visitors[index].id();
        match note {
            Note::Matched { match_id, initiator, mode, offer, .. } => {
                self.place.insert(visitor, self.meetings.len());
                let round = self.round;
                self.meetings.push(Meeting {
                    match_id,
                    visitor,
                    round,
                    initiator,
                    mode,
                    partner: None,
                    offer,
                });
            }
            Note::Signalled { partner, .. } => {
                if let Some(place) = self.place.get(&visitor) {
                    self.meetings[*place].partner = Some(partner);
                }
            }
            Note::Breach(breach) => self.breaches.push(format!("{visitor}: {breach:?}")),
            Note::Connected { .. } | Note::Parted { .. } | Note::Resumed | Note::Refused(_) => {}
        }
    }

    /// Lets time pass: every alarm rings when it is due.
    fn pass(&mut self, span: Span) {
        let end = self.now + span;
        loop {
            let lobby = self.lobby.poll_timeout().map(|(at, _)| at);
            let visitor = self.visitors.iter().filter_map(Visitor::poll_timeout).min();
            let reopen = self.reopen.iter().map(|(at, _)| *at).min();
            let Some(at) = [lobby, visitor, reopen].into_iter().flatten().min().filter(|at| *at <= end)
            else {
                break;
            };
            self.now = self.now.max(at);
            if lobby == Some(at) {
                self.tell_lobby(LobbyInput::Timeout);
            }
            self.settle();
            for index in 0..self.visitors.len() {
                if self.visitors[index].poll_timeout().is_some_and(|due| due <= self.now) {
                    self.feed(index, Input::Timeout);
                    self.settle();
                }
            }
            let now = self.now;
            let due: Vec<usize> =
                self.reopen.extract_if(.., |(at, _)| *at <= now).map(|(_, who)| who).collect();
            due.into_iter().for_each(|index| self.open(index));
        }
        self.now = end;
    }

    fn violations(&self, allowance: Allowance) -> Vec<String> {
        let found = audit(&self.meetings, self.round, allowance);
        self.breaches.iter().cloned().chain(found.iter().map(|violation| format!("{violation:?}"))).collect()
    }

    fn connected(&self) -> usize {
        self.visitors.iter().filter(|visitor| visitor.status() == Status::Connected).count()
    }
}

fn script(order: Order, habit: Habit) -> Script {
    let modern = order == Order::Ticket;
    let trickle = Span::ZERO;
    Script {
        kind: Kind::Video,
        order,
        handshake: true,
        requeue: modern,
        hello: modern,
        trickle,
        pool: None,
        habit,
    }
}

#[test]
fn a_storm_connects_everybody_once_in_both_orders() {
    for order in [Order::Classic, Order::Ticket] {
        let mut world = World::new(200, script(order, Habit::Patient));
        for _ in 0..3 {
            world.press_all();
            world.pass(Span::from_secs(10));
            assert_eq!(world.connected(), 200, "{order:?}");
        }
        let strict = Allowance { one_sided: 0, once_per_round: Some(200) };
        assert_eq!(world.violations(strict), Vec::<String>::new(), "{order:?}");
    }
}

#[test]
fn restless_visitors_break_nothing() {
    for order in [Order::Classic, Order::Ticket] {
        let stay = Span::from_millis(700);
        let mut world = World::new(60, script(order, Habit::Restless { stay }));
        world.press_all();
        world.pass(Span::from_secs(60));
        let lenient = Allowance { one_sided: world.closed, once_per_round: None };
        assert_eq!(world.violations(lenient), Vec::<String>::new(), "{order:?}");
        assert!(world.meetings.len() > 1_000, "{order:?}: {} meetings", world.meetings.len());
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let run = || {
        let mut world =
            World::new(30, script(Order::Ticket, Habit::Restless { stay: Span::from_millis(300) }));
        world.press_all();
        world.pass(Span::from_secs(20));
        (world.events, world.meetings)
    };
    assert_eq!(run(), run());
}
