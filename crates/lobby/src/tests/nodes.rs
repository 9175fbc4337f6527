//! Several lobbies as one place: what they ask is carried between them, and to a model of the place where they meet.
//!
//! Time stands still while frames are under way, unless a script holds them back. The audit looks at every lobby after
//! every input. `Redis` proper, its delays and its failures are the simulator's; here is who says what to whom.

mod believed;
mod crossing;
mod faults;
mod moving;

use super::{Value, frame, key, wire};
use crate::ids::{ConnectionId, NodeId, TicketId};
use crate::nodes::{Claimed, Export, Insists, Lease, Marked, Reply, Request, Seat, Sighting, Tag};
use crate::{
    Bucket, Config, Ending, Frame, Input, Limiting, Lobby, Output, Outputs, Receipt, Receipts, SessionSecret,
    Source, Span, Time,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use visavis_protocol::{Limits, MatchId, read_client_message};

/// A visitor's socket: the node it is connected to, and the how manieth there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At(pub(crate) usize, pub(crate) u64);

/// A ticket in the pool, with the moments that its spans came to.
struct Pooled {
    node: NodeId,
    export: Export,
    at: Time,
}

impl Pooled {
    fn insists(&self, insists: Insists, now: Time) -> bool {
        match insists {
            Insists::No => false,
            Insists::For(span) => now < self.at + span,
            Insists::Always => true,
        }
    }

    fn fits(&self, other: &Pooled, now: Time) -> bool {
        let shares = |one: &[Tag], other: &[Tag]| one.iter().any(|tag| other.contains(tag));
        let (mine, theirs) = (&self.export, &other.export);
        let interest =
            self.insists(mine.insists_on_interest, now) || other.insists(theirs.insists_on_interest, now);
        let language =
            self.insists(mine.insists_on_language, now) || other.insists(theirs.insists_on_language, now);
        let made = (self.at - mine.made).max(other.at - theirs.made);
        let recent = mine.recent.contains(&theirs.session) || theirs.recent.contains(&mine.session);
        (!interest || shares(&mine.interests, &theirs.interests))
            && (!language || shares(&mine.languages, &theirs.languages))
            && !mine.blocked.contains(&theirs.session)
            && !theirs.blocked.contains(&mine.session)
            && (!recent || now >= made + mine.recent_pause)
    }
}

struct Node {
    lobby: Lobby,
    id: NodeId,
    alive: bool,
    next_connection: u64,
}

/// Frames and answers of these nodes lie until the script lets them go.
pub(crate) struct Town {
    pub(crate) now: Time,
    nodes: Vec<Node>,
    pool: BTreeMap<Bucket, Vec<Pooled>>,
    marks: BTreeMap<Tag, (u32, Option<String>)>,
    halves: BTreeMap<MatchId, [Option<NodeId>; 2]>,
    heard: BTreeMap<At, VecDeque<Value>>,
    closed: BTreeSet<At>,
    pub(crate) tokens: BTreeMap<At, Value>,
    /// The tokens of the welcomes alone: what came behind those may be lost.
    pub(crate) welcomed_with: BTreeMap<At, Value>,
    /// Messages to each socket since its `welcome`.
    received: BTreeMap<At, u32>,
    /// Frames from and to this node are kept here instead of carried.
    pub(crate) held_back: Option<usize>,
    pub(crate) held: Vec<(usize, NodeId, Frame)>,
    /// Everything that was carried, for those who look at it.
    pub(crate) carried: Vec<String>,
    /// Of the nodes that start from now on.
    receipts: Option<Receipts>,
}

impl Town {
    pub(crate) fn new(nodes: usize) -> Self {
        Town::with(nodes, None)
    }

    /// Where strangers can be reported.
    pub(crate) fn with(nodes: usize, receipts: Option<Receipts>) -> Self {
        let mut town = Town {
            now: Time::from_micros(1_000_000_000),
            nodes: Vec::new(),
            pool: BTreeMap::new(),
            marks: BTreeMap::new(),
            halves: BTreeMap::new(),
            heard: BTreeMap::new(),
            closed: BTreeSet::new(),
            tokens: BTreeMap::new(),
            welcomed_with: BTreeMap::new(),
            received: BTreeMap::new(),
            held_back: None,
            held: Vec::new(),
            carried: Vec::new(),
            receipts,
        };
        for index in 0..nodes {
            town.start(NodeId { name: 100 + index as u64, epoch: 1 });
        }
        town.heartbeat();
        town
    }

    /// A process starts as this node; the index by which the script knows it.
    pub(crate) fn start(&mut self, id: NodeId) -> usize {
        let config = Config {
            node: Some(id),
            session_secrets: vec![SessionSecret([7; 32])],
            receipts: self.receipts.clone(),
            waiting_interval: Span::from_secs(1_000_000),
            ..Config::default()
        };
        let lobby = Lobby::new(config, key(id.name.wrapping_mul(31).wrapping_add(id.epoch)));
        self.nodes.push(Node { lobby, id, alive: true, next_connection: 0 });
        self.nodes.len() - 1
    }

    /// Every living node is told of all.
    pub(crate) fn heartbeat(&mut self) {
        for index in 0..self.nodes.len() {
            self.heartbeat_of(index);
        }
    }

    pub(crate) fn heartbeat_of(&mut self, index: usize) {
        let sightings = self.nodes.iter().map(|node| Sighting {
            node: node.id,
            lease: if node.alive { Lease::Held } else { Lease::Lapsed },
            online: u32::try_from(node.lobby.online()).unwrap_or(0),
        });
        let sightings = sightings.collect();
        self.reply(index, Reply::Nodes(sightings));
    }

    pub(crate) fn id(&self, index: usize) -> NodeId {
        self.nodes[index].id
    }

    pub(crate) fn lobby(&self, index: usize) -> &Lobby {
        &self.nodes[index].lobby
    }

    pub(crate) fn reply(&mut self, index: usize, reply: Reply) {
        self.input(index, Input::Cluster(reply));
    }

    /// A node shall stop, and its visitors are asked to move.
    pub(crate) fn drain(&mut self, index: usize) {
        self.input(index, Input::Drain { spread: Span::ZERO });
    }

    /// A process ends without a word; its sockets with it.
    pub(crate) fn kill(&mut self, index: usize) {
        self.nodes[index].alive = false;
    }

    /// A process that slept goes on where it was.
    pub(crate) fn wake(&mut self, index: usize) {
        self.nodes[index].alive = true;
    }

    /// Everything to this socket is the handshake coming again; nobody else is told anything.
    pub(crate) fn nothing_left_but_replays(&mut self, at: At) {
        let replayed = std::mem::take(self.heard.get_mut(&at).expect("open"));
        assert!(replayed.iter().all(|m| m["type"] != "partner_left" && m["type"] != "error"), "{replayed:?}");
        self.nothing_left();
    }

    /// Nothing is unread but some of these, which do no harm when they come again.
    pub(crate) fn nothing_left_but_more_of(&mut self, name: &str) {
        for heard in self.heard.values_mut() {
            heard.retain(|message| message["type"] != name);
        }
        self.nothing_left();
    }

    pub(crate) fn open(&mut self, node: usize) -> At {
        self.open_as(node, Limiting::Exempt)
    }

    pub(crate) fn open_from(&mut self, node: usize, source: Source) -> At {
        self.open_as(node, Limiting::Bound(source))
    }

    fn open_as(&mut self, node: usize, limiting: Limiting) -> At {
        let connection = self.nodes[node].next_connection;
        self.nodes[node].next_connection += 1;
        let at = At(node, connection);
        self.heard.insert(at, VecDeque::new());
        let connection = ConnectionId(connection);
        self.input(node, Input::Opened { connection, limiting });
        at
    }

    /// Opens and says hello, with the token of an earlier socket.
    pub(crate) fn come_back(&mut self, node: usize, earlier: At) -> At {
        let token = self.tokens[&earlier].clone();
        let at = self.open(node);
        self.say(at, frame!("hello", version: 1, resume: token));
        at
    }

    /// The same of a client that says what it has heard, as the SDK does: all but the last `unheard` messages.
    pub(crate) fn go_on(&mut self, node: usize, earlier: At, unheard: u32) -> At {
        let (token, received) = (self.tokens[&earlier].clone(), self.received[&earlier] - unheard);
        let at = self.open(node);
        self.say(at, frame!("hello", version: 1, resume: token, received: received));
        at
    }

    /// A report comes in at this node.
    pub(crate) fn report(&mut self, node: usize, receipt: Receipt) {
        self.input(node, Input::Reported(receipt));
    }

    /// No node reaches the place where they meet.
    pub(crate) fn away(&mut self) {
        for node in 0..self.nodes.len() {
            self.reply(node, Reply::Away);
        }
    }

    pub(crate) fn say(&mut self, at: At, frame: Value) {
        let connection = ConnectionId(at.1);
        self.input(
            at.0,
            match read_client_message(&frame.to_string(), &Limits::default()) {
                Ok(message) => Input::Received { connection, message },
                Err(refusal) => Input::Malformed { connection, refusal },
            },
        );
    }

    pub(crate) fn drop_socket(&mut self, at: At) {
        self.input(at.0, Input::Closed { connection: ConnectionId(at.1), ending: Ending::Broken });
    }

    pub(crate) fn close(&mut self, at: At) {
        self.input(at.0, Input::Closed { connection: ConnectionId(at.1), ending: Ending::CloseFrame });
    }

    /// The next message to this socket, without its token, which is kept.
    pub(crate) fn hear(&mut self, at: At) -> Value {
        let message = self.heard.get_mut(&at).and_then(VecDeque::pop_front);
        message.unwrap_or_else(|| panic!("{at:?} hears nothing; others: {:?}", self.heard))
    }

    pub(crate) fn hear_type(&mut self, at: At, name: &str) -> Value {
        let message = self.hear(at);
        assert_eq!(message["type"], name, "{message}");
        message
    }

    pub(crate) fn hears_nothing(&self, at: At) {
        assert!(self.heard[&at].is_empty(), "{at:?} hears {:?}", self.heard[&at]);
    }

    pub(crate) fn nothing_left(&self) {
        let left: Vec<_> = self.heard.iter().filter(|(_, heard)| !heard.is_empty()).collect();
        assert!(left.is_empty(), "unread: {left:?}");
    }

    pub(crate) fn was_closed(&self, at: At) -> bool {
        self.closed.contains(&at)
    }

    pub(crate) fn pooled(&self) -> usize {
        self.pool.values().map(Vec::len).sum()
    }

    /// Lets time pass on all living nodes, with a heartbeat every second; what is due on the way happens at its moment.
    pub(crate) fn advance_ms(&mut self, millis: u64) {
        let until = self.now + Span::from_millis(millis);
        loop {
            let due = self
                .nodes
                .iter()
                .enumerate()
                .filter(|(_, node)| node.alive)
                .filter_map(|(index, node)| node.lobby.poll_timeout().map(|(at, _)| (at, index)));
            match due.min().filter(|(at, _)| *at <= until) {
                Some((at, index)) => {
                    self.now = self.now.max(at);
                    self.input(index, Input::Timeout);
                }
                None => break,
            }
        }
        self.now = until;
    }

    /// The same, with the heartbeats that a shell makes.
    pub(crate) fn live_ms(&mut self, millis: u64) {
        for _ in 0..millis.div_ceil(500) {
            self.advance_ms(500);
            self.heartbeat();
        }
    }

    fn input(&mut self, node: usize, input: Input) {
        let mut inputs = VecDeque::from([(node, input)]);
        while let Some((index, input)) = inputs.pop_front() {
            if !self.nodes[index].alive {
                continue;
            }
            let mut outputs = Outputs::new();
            self.nodes[index].lobby.handle(self.now, input, &mut outputs);
            if let Err(violation) = self.nodes[index].lobby.audit() {
                panic!("node {index}: {violation}");
            }
            for output in outputs.drain() {
                match output {
                    Output::Send { connection, message } => {
                        self.keep(At(index, connection.0), wire(&message))
                    }
                    Output::Ping { connection, mark } => {
                        if !self.closed.contains(&At(index, connection.0)) {
                            inputs.push_back((index, Input::Alive { connection, mark: Some(mark) }));
                        }
                    }
                    Output::Close { connection, .. } => {
                        self.closed.insert(At(index, connection.0));
                    }
                    Output::Cluster(request) => inputs.extend(self.ask(index, request)),
                }
            }
        }
    }

    fn keep(&mut self, at: At, mut message: Value) {
        if let Some(token) = message.as_object_mut().and_then(|fields| fields.remove("resume_token")) {
            if message["type"] == "welcome" {
                self.welcomed_with.insert(at, token.clone());
            }
            self.tokens.insert(at, token);
        }
        if let Some(fields) = message.as_object_mut() {
            fields.remove("online");
            fields.remove("estimate_ms");
        }
        let received = self.received.entry(at).or_default();
        *received = if message["type"] == "welcome" { 0 } else { *received + 1 };
        self.heard.get_mut(&at).expect("open").push_back(message);
    }

    fn ask(&mut self, index: usize, request: Request) -> Option<(usize, Input)> {
        let me = self.nodes[index].id;
        let reply = match request {
            Request::Tell { node, frame } => {
                // Through bytes, as between processes.
                let bytes = frame.to_bytes().expect("every frame has a form");
                self.carried.push(String::from_utf8_lossy(&bytes).into_owned());
                let frame = Frame::from_bytes(&bytes).expect("and reads again");
                let to = self.nodes.iter().position(|known| known.id == node)?;
                if !self.nodes[to].lobby.reaches_others() {
                    return None;
                }
                if self.held_back == Some(index) || self.held_back == Some(to) {
                    self.held.push((to, me, frame));
                    return None;
                }
                return Some((to, Input::Cluster(Reply::Heard { node: me, frame: Box::new(frame) })));
            }
            Request::Claim(export) => self.claim(me, *export),
            Request::Withdraw { bucket, ticket } => {
                self.take_from_pool(bucket, ticket);
                return None;
            }
            Request::Mark { connection, session, generation, .. } => {
                let known = self.marks.entry(session).or_default();
                let marked = if generation < known.0 {
                    Marked::Used
                } else {
                    known.0 = generation + 1;
                    Marked::Fresh { kept: known.1.clone() }
                };
                Reply::Marked { connection, marked }
            }
            Request::Note { session, generation, kept, .. } => {
                let known = self.marks.entry(session).or_default();
                if generation >= known.0 {
                    *known = (generation, kept.or(known.1.take()));
                }
                return None;
            }
            Request::Meet { match_id, side, .. } => {
                let halves = self.halves.entry(match_id).or_default();
                let (mine, theirs) = match side {
                    Seat::Initiator => (0, 1),
                    Seat::Responder => (1, 0),
                };
                halves[mine] = Some(me);
                Reply::Met { match_id, node: halves[theirs] }
            }
        };
        Some((index, Input::Cluster(reply)))
    }

    fn claim(&mut self, node: NodeId, export: Export) -> Reply {
        let (bucket, ticket) = (export.bucket, export.ticket);
        self.take_from_pool(bucket, ticket);
        let mine = Pooled { node, export, at: self.now };
        let pool = self.pool.entry(bucket).or_default();
        let found = pool.iter().position(|other| other.node != node && other.fits(&mine, self.now));
        let found = found
            .map(|place| pool.remove(place))
            .map(|other| Claimed { node: other.node, ticket: other.export.ticket });
        if found.is_none() {
            pool.push(mine);
        }
        Reply::Claimed { ticket, found }
    }

    fn take_from_pool(&mut self, bucket: Bucket, ticket: TicketId) {
        self.pool.entry(bucket).or_default().retain(|pooled| pooled.export.ticket != ticket);
    }

    /// Delivers what was held back, in order.
    pub(crate) fn let_go(&mut self) {
        self.held_back = None;
        for (to, from, frame) in std::mem::take(&mut self.held) {
            self.reply(to, Reply::Heard { node: from, frame: Box::new(frame) });
        }
    }

    /// Two visitors of two nodes, greeted and matched; the match.
    pub(crate) fn matched(search: Value) -> (Self, At, At, Value) {
        let mut town = Town::new(3);
        let (a, b) = (town.greeted(0), town.greeted(1));
        let id = town.pair(a, b, search);
        (town, a, b, id)
    }

    pub(crate) fn greeted(&mut self, node: usize) -> At {
        let at = self.open(node);
        self.say(at, frame!("hello", version: 1));
        self.hear_type(at, "welcome");
        at
    }

    /// Both search, and find each other across nodes.
    pub(crate) fn pair(&mut self, a: At, b: At, mut search: Value) -> Value {
        search["requeue"] = true.into();
        self.say(a, search.clone());
        self.hear_type(a, "waiting");
        self.advance_ms(300);
        self.say(b, search);
        self.hear_type(b, "waiting");
        self.advance_ms(300);
        let id = self.hear_type(a, "partner_found")["match_id"].clone();
        assert_eq!(self.hear_type(b, "partner_found")["match_id"], id);
        self.nothing_left();
        id
    }
}
