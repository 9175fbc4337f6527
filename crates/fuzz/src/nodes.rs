//! Three lobbies as one place, as the bytes will have it: visitors, frames that arrive late, twice, altered, at others or
//! from others, and a meeting place that forgets and lies. Nobody of it may break a lobby.
//!
//! What must hold beside the audit of each lobby after each input: nothing is sent to a socket that is gone; nobody is
//! told of a match while in another; of one match at most two hear at one node; few outputs an input; time goes on; and
//! when everybody has gone, nothing is left.

mod forged;
mod place;

use crate::choices::Choices;
use crate::lobby::{Known, said};
use forged::Forger;
use place::Place;
use std::collections::{BTreeMap, VecDeque};
use visavis_lobby::{
    Config, ConnectionId, Ending, Frame, Gauges, Input, Limiting, Lobby, NodeId, Output, Outputs, Reply,
    Request, SessionSecret, Span, Time,
};
use visavis_protocol::{
    ClientMessage, FindPartner, Hello, Kind, MatchId, SearchMessage, ServerMessage, SessionMessage,
};

/// The first bytes choose the settings, the others one step after the other.
pub fn nodes(bytes: &[u8]) {
    let mut choices = Choices::of(bytes);
    let mut world = World::new(&mut choices);
    while !choices.is_over() {
        world.step(&mut choices);
    }
    world.everybody_goes();
}

const NODES: usize = 3;
const MAX_CONNECTIONS: usize = 10;
/// Frames under way; beyond it they are lost, as they may be.
const MAX_MAIL: usize = 64;
/// Frames that one step may set off, one another. Ends what two that misunderstand each other might go on with.
const MAX_ECHOES: usize = 400;

/// What a step may wait, in milliseconds: around the deadlines of handshakes, leases and graces.
const SPANS_MS: [u64; 12] = [0, 1, 20, 299, 300, 301, 1_000, 3_000, 3_001, 10_000, 30_000, 600_000];

struct Node {
    id: NodeId,
    lobby: Lobby,
    clients: BTreeMap<ConnectionId, Client>,
    connections: u64,
}

#[derive(Debug, Default)]
struct Client {
    present: Option<MatchId>,
    pinged: Option<u32>,
    /// Right after `welcome` comes what was missed, of matches that ended meanwhile, too.
    catches_up: bool,
    is_welcome: bool,
    /// It asked for somebody else before it was welcome; that is done right after.
    leaves_early: bool,
}

struct Mail {
    from: NodeId,
    to: NodeId,
    frame: Box<Frame>,
}

struct World {
    config: Config,
    nodes: Vec<Node>,
    now: Time,
    place: Place,
    mail: VecDeque<Mail>,
    forger: Forger,
    known: Known,
    outputs: Outputs,
    /// Whether frames and answers arrive by themselves.
    is_calm: bool,
}

impl World {
    fn new(choices: &mut Choices<'_>) -> Self {
        let bits = choices.byte();
        let mut config = Config { session_secrets: vec![SessionSecret([1; 32])], ..Config::default() };
        if bits & 1 != 0 {
            config.recent_pause = Span::ZERO;
        }
        if bits & 2 != 0 {
            config.overflow_after = Span::ZERO;
        }
        if bits & 4 != 0 {
            config.replay_messages = 3;
        }
        let mut world = World {
            nodes: Vec::new(),
            config,
            now: Time::from_micros(1_000_000_000_000),
            place: Place::new(bits >> 4),
            mail: VecDeque::new(),
            forger: Forger::default(),
            known: Known::default(),
            outputs: Outputs::new(),
            is_calm: bits & 8 == 0,
        };
        for name in 0..NODES as u64 {
            let node = world.start(NodeId { name, epoch: 1 });
            world.nodes.push(node);
        }
        world.everybody_sees_everybody();
        world
    }

    fn start(&self, id: NodeId) -> Node {
        let config = Config { node: Some(id), ..self.config.clone() };
        let lobby = Lobby::new(config, crate::key(1 + id.name * 100 + id.epoch));
        Node { id, lobby, clients: BTreeMap::new(), connections: 0 }
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.below(20) {
            0 | 1 => self.somebody_comes(choices),
            2 => self.somebody_goes(choices),
            3 | 4 => self.time_passes(Span::from_millis(choices.among(&SPANS_MS))),
            5 => self.mail_goes_wrong(choices),
            6 => self.somebody_lies(choices),
            7 => self.the_place_lies(choices),
            8 => self.everybody_sees_everybody(),
            9 => self.everything_arrives(),
            10 => self.rare_event(choices),
            11 | 12 => self.two_meet(choices),
            13 => self.somebody_moves(choices),
            _ => self.somebody_speaks(choices),
        }
        if self.is_calm {
            self.everything_arrives();
        }
    }

    fn somebody_comes(&mut self, choices: &mut Choices<'_>) {
        self.comes(choices.below(NODES));
    }

    fn comes(&mut self, at: usize) -> Option<ConnectionId> {
        let present: usize = self.nodes.iter().map(|node| node.clients.len()).sum();
        if present >= MAX_CONNECTIONS {
            return None;
        }
        let node = &mut self.nodes[at];
        let connection = ConnectionId(node.connections);
        node.connections += 1;
        node.clients.insert(connection, Client::default());
        self.handle(at, Input::Opened { connection, limiting: Limiting::Exempt });
        Some(connection)
    }

    /// Two who can resume, at two nodes, with no wish but to meet: what bytes alone would seldom come to.
    fn two_meet(&mut self, choices: &mut Choices<'_>) {
        let first = choices.below(NODES);
        let kind = choices.among(&[Kind::Text, Kind::Video]);
        for at in [first, (first + 1) % NODES] {
            let Some(connection) = self.comes(at) else { return };
            self.says(
                at,
                connection,
                ClientMessage::Session(SessionMessage::Hello(Hello { answers_ping: true, ..Hello::plain() })),
            );
            let requeue = choices.rarely(2);
            let find = FindPartner { requeue, ..FindPartner::anyone(kind) };
            self.says(at, connection, ClientMessage::Search(SearchMessage::FindPartner(find)));
        }
        self.time_passes(Span::from_millis(choices.among(&[300, 0, 600])));
    }

    /// Back with the newest tokens, at any node.
    fn somebody_moves(&mut self, choices: &mut Choices<'_>) {
        let Some(token) = self.known.tokens.get(choices.below(4)).cloned() else { return };
        let at = choices.below(NODES);
        let Some(connection) = self.comes(at) else { return };
        let received = choices.among(&[Some(0), Some(2), None]);
        self.says(
            at,
            connection,
            ClientMessage::Session(SessionMessage::Hello(Hello {
                resume: Some(token),
                received,
                ..Hello::plain()
            })),
        );
    }

    fn says(&mut self, at: usize, connection: ConnectionId, message: ClientMessage) {
        if self.nodes[at].clients.contains_key(&connection) {
            self.handle(at, Input::Received { connection, message });
        }
    }

    fn somebody_goes(&mut self, choices: &mut Choices<'_>) {
        let Some((at, connection)) = self.somebody(choices) else { return };
        let ending = choices.among(&[Ending::Broken, Ending::CloseFrame]);
        self.nodes[at].clients.remove(&connection);
        self.handle(at, Input::Closed { connection, ending });
    }

    fn somebody_speaks(&mut self, choices: &mut Choices<'_>) {
        let Some((at, connection)) = self.somebody(choices) else { return };
        let present = self.nodes[at].clients.get(&connection).and_then(|client| client.present);
        let input = match said::message(choices, &self.known, present, &self.config.limits) {
            Ok(message) => Input::Received { connection, message },
            Err(refusal) => Input::Malformed { connection, refusal },
        };
        self.handle(at, input);
    }

    /// One frame under way is lost, comes twice, early, altered, to somebody else, or as if from somebody else.
    fn mail_goes_wrong(&mut self, choices: &mut Choices<'_>) {
        let at = choices.below(self.mail.len());
        let Some(mail) = self.mail.get(at) else { return };
        let (from, to, frame) = (mail.from, mail.to, mail.frame.clone());
        match choices.below(6) {
            0 => drop(self.mail.remove(at)),
            1 => self.arrives(from, to, frame),
            2 => self.arrives(from, self.nodes[choices.below(NODES)].id, frame),
            3 => self.arrives(self.anybody(choices), to, frame),
            4 => {
                self.mail.remove(at);
                self.arrives(from, to, frame);
            }
            _ => {
                if let Some(altered) = self.forger.altered(&frame, choices) {
                    self.mail.remove(at);
                    self.arrives(from, to, Box::new(altered));
                }
            }
        }
    }

    fn somebody_lies(&mut self, choices: &mut Choices<'_>) {
        let (from, to) = (self.anybody(choices), self.nodes[choices.below(NODES)].id);
        if let Some(frame) = self.forger.forged(choices) {
            self.arrives(from, to, Box::new(frame));
        }
    }

    fn the_place_lies(&mut self, choices: &mut Choices<'_>) {
        let at = choices.below(NODES);
        let ids: Vec<NodeId> = self.nodes.iter().map(|node| node.id).collect();
        let reply = self.place.lie(choices, &ids, &self.known);
        self.handle(at, Input::Cluster(reply));
    }

    fn rare_event(&mut self, choices: &mut Choices<'_>) {
        let at = choices.below(NODES);
        match choices.below(6) {
            // It ends without a word, and another start of it begins.
            0 | 1 => {
                let NodeId { name, epoch } = self.nodes[at].id;
                self.place.forget(self.nodes[at].id);
                self.nodes[at] = self.start(NodeId { name, epoch: epoch + 1 });
            }
            2 => self.handle(at, Input::Drain { spread: Span::from_secs(2) }),
            3 => self.place = Place::new(choices.byte()),
            4 => self.is_calm = !self.is_calm,
            // Everybody's network at one node is gone at once.
            _ => {
                for connection in self.nodes[at].clients.keys().copied().collect::<Vec<_>>() {
                    self.nodes[at].clients.remove(&connection);
                    self.handle(at, Input::Closed { connection, ending: Ending::Broken });
                }
            }
        }
    }

    fn everybody_sees_everybody(&mut self) {
        let ids: Vec<NodeId> = self.nodes.iter().map(|node| node.id).collect();
        for at in 0..NODES {
            self.handle(at, Input::Cluster(self.place.sees(&ids)));
        }
    }

    fn everything_arrives(&mut self) {
        for _ in 0..MAX_ECHOES {
            let Some(Mail { from, to, frame }) = self.mail.pop_front() else { return };
            self.arrives(from, to, frame);
        }
        self.mail.clear();
    }

    fn arrives(&mut self, from: NodeId, to: NodeId, frame: Box<Frame>) {
        let Some(at) = self.nodes.iter().position(|node| node.id == to) else { return };
        self.handle(at, Input::Cluster(Reply::Heard { node: from, frame }));
    }

    /// What is due on the way happens at its moment, wherever it is due first. Everybody shows life meanwhile.
    fn time_passes(&mut self, span: Span) {
        let until = self.now + span;
        let mut at_once = 0;
        while let Some((due, at)) = self.next_due().filter(|(due, _)| *due <= until) {
            // An answer that comes at once may be reason enough to ask again at once, but not for ever.
            at_once = if due > self.now { 0 } else { at_once + 1 };
            assert!(
                at_once < MAX_ECHOES,
                "the same moment is due again and again at {:?}",
                self.nodes[at].id
            );
            self.now = self.now.max(due);
            self.handle(at, Input::Timeout);
            self.everybody_shows_life(at);
            if self.is_calm {
                self.everything_arrives();
            }
        }
        self.now = until;
    }

    fn next_due(&self) -> Option<(Time, usize)> {
        let due = |(at, node): (usize, &Node)| node.lobby.poll_timeout().map(|(due, _)| (due, at));
        self.nodes.iter().enumerate().filter_map(due).min()
    }

    fn everybody_shows_life(&mut self, at: usize) {
        let pinged =
            |(connection, client): (&ConnectionId, &mut Client)| Some((*connection, client.pinged.take()?));
        for (connection, mark) in self.nodes[at].clients.iter_mut().filter_map(pinged).collect::<Vec<_>>() {
            self.handle(at, Input::Alive { connection, mark: Some(mark) });
        }
    }

    fn everybody_goes(&mut self) {
        for at in 0..NODES {
            for connection in self.nodes[at].clients.keys().copied().collect::<Vec<_>>() {
                self.nodes[at].clients.remove(&connection);
                self.handle(at, Input::Closed { connection, ending: Ending::Broken });
            }
        }
        self.mail.clear();
        for at in 0..NODES {
            self.handle(at, Input::Cluster(Reply::Away));
        }
        self.time_passes(Span::from_secs(100_000));
        for node in &self.nodes {
            assert_eq!(node.lobby.gauges(), Gauges::default(), "somebody is left at {:?}", node.id);
            assert_eq!(node.lobby.online(), 0);
            assert_eq!(node.lobby.poll_timeout(), None, "something is due to nobody at {:?}", node.id);
        }
    }

    fn somebody(&self, choices: &mut Choices<'_>) -> Option<(usize, ConnectionId)> {
        let all =
            || (0..).zip(&self.nodes).flat_map(|(at, node)| node.clients.keys().map(move |one| (at, *one)));
        all().nth(choices.below(all().count()))
    }

    /// A node, mostly one that there is.
    fn anybody(&self, choices: &mut Choices<'_>) -> NodeId {
        let NodeId { name, epoch } = self.nodes[choices.below(NODES)].id;
        match choices.below(8) {
            0 => NodeId { name, epoch: epoch - 1 },
            1 => NodeId { name, epoch: epoch + 1 },
            2 => NodeId { name: 77, epoch: 1 },
            _ => NodeId { name, epoch },
        }
    }

    fn handle(&mut self, at: usize, input: Input) {
        self.leaves_by_its_own_wish(at, &input);
        let node = &mut self.nodes[at];
        node.lobby.handle(self.now, input.clone(), &mut self.outputs);
        #[cfg(feature = "audit")]
        if let Err(violation) = node.lobby.audit() {
            panic!("{violation}, at {:?} after {input:?}", node.id);
        }
        let outputs: Vec<Output> = self.outputs.drain().collect();
        assert!(
            outputs.len() <= 16 * MAX_CONNECTIONS + self.config.replay_messages,
            "{} outputs",
            outputs.len()
        );
        for output in outputs {
            match output {
                Output::Send { connection, message } => self.hears(at, connection, &message, &input),
                Output::Ping { connection, mark } => {
                    let client = self.nodes[at].clients.get_mut(&connection);
                    client.expect("a ping to a socket that is gone").pinged = Some(mark);
                }
                Output::Close { connection, .. } => {
                    let closed = self.nodes[at].clients.remove(&connection);
                    assert!(closed.is_some(), "{connection:?} is closed twice");
                }
                Output::Cluster(Request::Tell { node, frame }) => {
                    self.forger.learn(&frame);
                    if self.mail.len() < MAX_MAIL {
                        self.mail.push_back(Mail { from: self.nodes[at].id, to: node, frame });
                    }
                }
                Output::Cluster(request) => {
                    if let Some(reply) = self.place.answer(self.nodes[at].id, request) {
                        self.handle(at, Input::Cluster(reply));
                    }
                }
            }
        }
        self.nodes[at].clients.values_mut().for_each(|client| client.catches_up = false);
        let mut present = BTreeMap::new();
        for id in self.nodes[at].clients.values().filter_map(|client| client.present) {
            *present.entry(id.0).or_insert(0) += 1;
        }
        assert!(present.values().all(|sides| *sides <= 2), "three in one match at one node, after {input:?}");
    }

    /// Whoever asks for somebody else is not in the old match any more, whatever is under way.
    fn leaves_by_its_own_wish(&mut self, at: usize, input: &Input) {
        let Input::Received { connection, message } = input else { return };
        let leaves = matches!(
            message,
            ClientMessage::Search(SearchMessage::Next(_) | SearchMessage::Stop(_))
                | ClientMessage::Session(SessionMessage::Block(_))
                | ClientMessage::Search(SearchMessage::FindPartner(_))
        );
        if let Some(client) = self.nodes[at].clients.get_mut(connection).filter(|_| leaves) {
            client.present = None;
            client.leaves_early = !client.is_welcome;
        }
    }

    fn hears(&mut self, at: usize, connection: ConnectionId, message: &ServerMessage, input: &Input) {
        self.known.learn(message);
        let Some(client) = self.nodes[at].clients.get_mut(&connection) else {
            panic!("{message:?} to {connection:?}, which is gone")
        };
        match message {
            ServerMessage::Welcome { match_id, .. } => {
                client.present = match_id.filter(|_| !client.leaves_early);
                client.catches_up = true;
                client.is_welcome = true;
            }
            ServerMessage::Waiting { .. }
            | ServerMessage::Stopped { .. }
            | ServerMessage::PartnerLeft { .. } => {
                client.present = None;
            }
            ServerMessage::PartnerFound(found) => {
                assert!(
                    client.catches_up || client.present.is_none_or(|present| present == found.match_id),
                    "{connection:?} is told of {:?} while in {:?}, after {input:?}",
                    found.match_id,
                    client.present
                );
                client.present = Some(found.match_id);
            }
            _ => {}
        }
    }
}
