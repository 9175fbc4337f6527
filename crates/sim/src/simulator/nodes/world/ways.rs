//! What is under way: between visitors and nodes, and between nodes and Redis.

use super::{Event, World};
use crate::simulator::coverage::Case;
use crate::simulator::network::{self, BROKEN, CALM_DELAY_US, Down, MAX_UNREAD, Up, span_of};
use crate::simulator::nodes::host::{Call, Line, Sent};
use crate::simulator::nodes::node::{Arrival, Stream};
use crate::simulator::nodes::shell::{Act, Answer, Command, Voice};
use crate::simulator::promises::Breach;
use crate::simulator::script::Micros;
use std::collections::VecDeque;
use visavis_lobby::{ConnectionId, Input, Output, Reply, Request};

/// What is slow takes so many times as long as usual.
const SLOWEST: u64 = 4;

impl World<'_> {
    pub(super) fn delay(&self, guest: u32, connection: ConnectionId) -> impl Fn(u64) -> Micros + use<> {
        let range = if self.calm { CALM_DELAY_US } else { self.script.delay_us };
        network::delay(self.script.seed, guest, connection, range, SLOWEST)
    }

    fn redis_delay(&self, line: Line, nth: u64) -> Micros {
        let range = if self.calm { (500, 2_000) } else { self.town.redis_us };
        let seed = self.script.seed ^ line.node.name ^ line.node.epoch << 40 ^ line.number << 32 ^ nth;
        span_of(seed, range, SLOWEST)
    }

    pub(super) fn send(&mut self, connection: ConnectionId, up: Up) {
        let now = self.now;
        let Some(guest) = self.wires.get(&connection).map(|wire| wire.socket.guest) else { return };
        let delay = self.delay(guest, connection);
        let Some(wire) = self.wires.get_mut(&connection).filter(|wire| !wire.socket.severed) else { return };
        if let Up::Message(message) = &up {
            self.watcher.says(guest, message);
        }
        wire.socket.up.push_back(up);
        let at = wire.socket.arrives_up(now, delay);
        self.at(at, Event::Up(connection));
    }

    /// What the lobby sends to visitors.
    pub(super) fn route(&mut self, output: Output) {
        let Some((connection, down)) = Down::of(output) else { return };
        let now = self.now;
        let Some(wire) = self.wires.get_mut(&connection) else { return };
        if matches!(down, Down::Close(..)) {
            wire.socket.server_open = false;
        }
        if wire.socket.severed {
            return;
        }
        wire.socket.down.push_back(down);
        let overflows = wire.socket.down.len() > MAX_UNREAD && wire.socket.server_open;
        let guest = wire.socket.guest;
        let delay = self.delay(guest, connection);
        if let Some(wire) = self.wires.get_mut(&connection) {
            let at = wire.socket.arrives_down(now, delay);
            self.at(at, Event::Down(connection));
        }
        if overflows {
            self.sever(connection);
            self.after(1_000, Event::ClientNotices(connection));
            self.after(0, Event::ServerNotices(connection));
        }
    }

    pub(super) fn sever(&mut self, connection: ConnectionId) {
        if let Some(wire) = self.wires.get_mut(&connection) {
            wire.socket.sever();
        }
    }

    pub(super) fn server_notices(&mut self, connection: ConnectionId) -> Result<(), Breach> {
        let Some(wire) = self.wires.get_mut(&connection).filter(|wire| wire.socket.server_open) else {
            return Ok(());
        };
        wire.socket.server_open = false;
        let ending = std::mem::replace(&mut wire.socket.ending, BROKEN);
        match wire.process {
            Some(process) => self.at_process(process, Arrival::Input(Input::Closed { connection, ending })),
            None => Ok(()),
        }
    }

    /// Does what a shell says.
    pub(super) fn carry(&mut self, node: usize, acts: Vec<Act>, inbox: &mut VecDeque<Input>) {
        for act in acts {
            match act {
                Act::Tell(reply) => inbox.push_back(Input::Cluster(reply)),
                Act::Lost(loss) => self.on_loss(node, loss),
                Act::Send { line, nth, command } => self.send_to_redis(node, line, nth, command),
            }
        }
    }

    pub(super) fn send_to_redis(&mut self, node: usize, number: u64, nth: u64, command: Command) {
        let now = self.now;
        let Some(process) = self.nodes.get(node).map(|node| node.id) else { return };
        let line = Line { node: process, number };
        let delay = self.redis_delay(line, nth);
        let Some(there) = self.nodes.get_mut(node) else { return };
        let at = there.redis.arrives(now, Stream::Commands, number, delay);
        self.at(at, Event::AtRedis(Call { line, nth, command }));
    }

    pub(super) fn at_redis(&mut self, call: Call) {
        let line = call.line;
        let its = self.node_of(line.node);
        let loses = its.and_then(|node| self.nodes.get_mut(node)).and_then(|node| {
            let sort = node.redis.loses_reply?;
            let chosen = match &call.command {
                Command::Ask(request) => sort == 0 || matches!(request, Request::Claim(_)),
                Command::Beat { .. } | Command::Publish(_) => sort == 0,
                Command::Connect | Command::Ping | Command::Leave | Command::Close => false,
            };
            chosen.then(|| node.redis.loses_reply.take())
        });
        let mut sent = Vec::new();
        let up = self.host.is_up();
        self.host.take(self.now, call, &mut sent);
        if loses.is_some() && up {
            let claimed = sent.iter().any(|sent| {
                matches!(
                    sent,
                    Sent::Answer { answer: Answer::Reply(Reply::Claimed { found: Some(_), .. }), .. }
                )
            });
            self.note(if claimed { Case::ClaimReplyLost } else { Case::ReplyLost });
            sent.retain(|sent| !matches!(sent, Sent::Answer { .. }));
            self.host.reset(line, &mut sent);
        }
        self.deliver_from_redis(&mut sent);
    }

    pub(super) fn deliver_from_redis(&mut self, sent: &mut Vec<Sent>) {
        for sent in sent.drain(..) {
            let (line, stream, arrival) = match sent {
                Sent::Answer { line, nth, answer } => {
                    (line, Stream::Answers, Arrival::Answer { line, nth, answer })
                }
                Sent::Voice { line, voice } => (line, Stream::Voices, Arrival::Voice { line, voice }),
                Sent::Reset(line) => (line, Stream::Answers, Arrival::Broken(line)),
            };
            self.send_from_redis(line, stream, arrival);
        }
    }

    fn send_from_redis(&mut self, line: Line, stream: Stream, arrival: Arrival) {
        self.events += 1;
        let now = self.now;
        let delay = self.redis_delay(line, self.events << 20);
        let Some(node) = self.node_of(line.node) else { return };
        let Some(there) = self.nodes.get_mut(node) else { return };
        if matches!(arrival, Arrival::Voice { voice: Voice::Post(_), .. }) && there.redis.loses_frames > 0 {
            there.redis.loses_frames -= 1;
            self.note(Case::FrameLost);
            return;
        }
        let at = there.redis.arrives(now, stream, line.number, delay);
        self.at(at, Event::AtNode(line.node, arrival));
    }
}
