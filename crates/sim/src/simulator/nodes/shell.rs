//! What a server does for its lobby between it and Redis, as a value: connects, beats, carries out what is asked, numbers
//! frames and notices gaps. After `crates/server/src/backend/redis.rs`, with its spans, and in the same order.

use super::super::script::Micros;
use crate::Prng;
use std::collections::{BTreeMap, VecDeque};
use visavis_lobby::{Frame, NodeId, Reply, Request, Sighting};

const BEAT: Micros = 500_000;
pub(super) const LEASE_MS: u64 = 2_500;
const SILENCE: Micros = 2_000_000;
const ANSWER: Micros = 1_000_000;
const FIRST_PAUSE: Micros = 100_000;
const LONGEST_PAUSE: Micros = 1_000_000;
const BATCH: usize = 256;

/// What goes to Redis.
#[derive(Clone, Debug)]
pub(super) enum Command {
    /// Opens both connections and subscribes.
    Connect,
    /// Publishes to oneself.
    Ping,
    Beat {
        online: u32,
    },
    Publish(Vec<Post>),
    Ask(Request),
    /// Gives the lease back.
    Leave,
    /// The connections are closed.
    Close,
}

/// A frame on a channel. Unsealed: what the seal is good for is tested where it is made.
#[derive(Clone, Debug)]
pub(super) struct Post {
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    pub(super) number: u64,
    pub(super) frame: Box<Frame>,
}

/// What Redis answers.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Done,
    Sightings(Vec<Sighting>),
    Reply(Reply),
}

/// What comes by the subscription.
#[derive(Clone, Debug)]
pub(super) enum Voice {
    Own,
    Post(Post),
}

/// What the world shall do.
#[derive(Debug)]
pub(super) enum Act {
    Send { line: u64, nth: u64, command: Command },
    Tell(Reply),
    Lost(Loss),
}

/// Why serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    Broken,
    NoAnswer,
    /// Not even one's own voice comes back.
    Silent,
}

pub(super) struct Shell {
    me: NodeId,
    /// Sockets here, for others to know.
    pub(super) online: u32,
    queue: VecDeque<Request>,
    /// What may wait in it; beyond that the newest is dropped.
    pub(super) queue_bound: usize,
    dropped: bool,
    state: State,
    pause: Micros,
    lines: u64,
    sent: u64,
    numbers: BTreeMap<NodeId, u64>,
    heard: BTreeMap<NodeId, u64>,
    chance: Prng,
}

enum State {
    Resting { until: Micros },
    Connecting { line: u64, nth: u64, until: Micros },
    Serving(Serving),
}

/// One connection, from its subscription to its end.
struct Serving {
    line: u64,
    tick: Tick,
    voice_at: Micros,
    /// By when each command has to be answered.
    asked: BTreeMap<u64, Micros>,
}

#[derive(Clone, Copy)]
enum Tick {
    Due(Micros),
    Pinging { nth: u64, ticked: Micros },
    Beating { nth: u64, ticked: Micros },
}

impl Shell {
    pub(super) fn new(me: NodeId, now: Micros, seed: u64) -> Self {
        Shell {
            me,
            online: 0,
            queue: VecDeque::new(),
            queue_bound: 8_192,
            dropped: false,
            state: State::Resting { until: now },
            pause: FIRST_PAUSE,
            lines: 0,
            sent: 0,
            numbers: BTreeMap::new(),
            heard: BTreeMap::new(),
            chance: Prng::new(seed),
        }
    }

    /// The connection that serves, if one does.
    pub(super) fn line(&self) -> Option<u64> {
        match &self.state {
            State::Serving(serving) => Some(serving.line),
            State::Resting { .. } | State::Connecting { .. } => None,
        }
    }

    pub(super) fn poll_timeout(&self) -> Micros {
        match &self.state {
            State::Resting { until } | State::Connecting { until, .. } => *until,
            State::Serving(serving) => {
                let answers = serving.asked.values().copied().min();
                match serving.tick {
                    Tick::Due(at) => answers.map_or(at, |answer| answer.min(at)),
                    // While one beats, something is always asked.
                    Tick::Pinging { .. } | Tick::Beating { .. } => answers.unwrap_or(Micros::MAX),
                }
            }
        }
    }

    pub(super) fn on_timeout(&mut self, now: Micros, acts: &mut Vec<Act>) {
        match &mut self.state {
            State::Resting { until } if *until <= now => {
                self.lines += 1;
                let line = self.lines;
                let nth = self.send(line, Command::Connect, acts);
                self.state = State::Connecting { line, nth, until: now + ANSWER };
            }
            State::Connecting { until, .. } if *until <= now => self.lose(now, Loss::NoAnswer, acts),
            State::Serving(serving) => {
                if serving.asked.values().any(|deadline| *deadline <= now) {
                    return self.lose(now, Loss::NoAnswer, acts);
                }
                if let Tick::Due(at) = serving.tick
                    && at <= now
                {
                    self.tick(now, acts);
                }
            }
            State::Resting { .. } | State::Connecting { .. } => {}
        }
    }

    /// The lobby wants something of Redis or of another node.
    pub(super) fn ask(&mut self, now: Micros, request: Request, acts: &mut Vec<Act>) {
        if self.queue.len() >= self.queue_bound {
            self.dropped = true;
            return;
        }
        self.queue.push_back(request);
        self.carry_out(now, acts);
    }

    pub(super) fn on_answer(
        &mut self,
        now: Micros,
        (line, nth): (u64, u64),
        answer: Answer,
        acts: &mut Vec<Act>,
    ) {
        match &mut self.state {
            State::Connecting { line: ours, nth: asked, .. } if (*ours, *asked) == (line, nth) => {
                self.pause = FIRST_PAUSE;
                self.state = State::Serving(Serving {
                    line,
                    tick: Tick::Due(now),
                    voice_at: now,
                    asked: BTreeMap::new(),
                });
                self.tick(now, acts);
                self.carry_out(now, acts);
            }
            State::Serving(serving) if serving.line == line => {
                if serving.asked.remove(&nth).is_none() {
                    return;
                }
                let (tick, silent) = (serving.tick, now.saturating_sub(serving.voice_at) > SILENCE);
                match (tick, answer) {
                    (Tick::Pinging { nth: ping, ticked }, _) if ping == nth => {
                        let online = self.online;
                        let nth = self.send_asked(now, Command::Beat { online }, acts);
                        self.set_tick(Tick::Beating { nth, ticked });
                    }
                    (Tick::Beating { nth: beat, ticked }, Answer::Sightings(sightings)) if beat == nth => {
                        if silent {
                            return self.lose(now, Loss::Silent, acts);
                        }
                        self.set_tick(Tick::Due(now.max(ticked + BEAT)));
                        acts.push(Act::Tell(Reply::Nodes(sightings)));
                    }
                    (_, Answer::Reply(reply)) => {
                        acts.push(Act::Tell(reply));
                        self.carry_out(now, acts);
                    }
                    (_, Answer::Done | Answer::Sightings(_)) => self.carry_out(now, acts),
                }
            }
            State::Resting { .. } | State::Connecting { .. } | State::Serving(_) => {}
        }
    }

    /// The connection was reset, or refused.
    pub(super) fn on_broken(&mut self, now: Micros, line: u64, acts: &mut Vec<Act>) {
        let ours = match &self.state {
            State::Resting { .. } => None,
            State::Connecting { line, .. } => Some(*line),
            State::Serving(serving) => Some(serving.line),
        };
        if ours == Some(line) {
            self.lose(now, Loss::Broken, acts);
        }
    }

    pub(super) fn on_voice(&mut self, now: Micros, line: u64, voice: Voice, acts: &mut Vec<Act>) {
        let State::Serving(serving) = &mut self.state else { return };
        if serving.line != line {
            return;
        }
        let Post { from, number, frame, .. } = match voice {
            Voice::Own => {
                serving.voice_at = now;
                return;
            }
            Voice::Post(post) => post,
        };
        let last = self.heard.get(&from).copied();
        if last.is_some_and(|last| number <= last) {
            return;
        }
        self.heard.insert(from, number);
        if number != last.unwrap_or(0) + 1 {
            acts.push(Act::Tell(Reply::Gap { node: from }));
        }
        acts.push(Act::Tell(Reply::Heard { node: from, frame }));
    }

    fn tick(&mut self, now: Micros, acts: &mut Vec<Act>) {
        let nth = self.send_asked(now, Command::Ping, acts);
        self.set_tick(Tick::Pinging { nth, ticked: now });
    }

    fn set_tick(&mut self, tick: Tick) {
        if let State::Serving(serving) = &mut self.state {
            serving.tick = tick;
        }
    }

    /// The next batch, once the last one is answered.
    fn carry_out(&mut self, now: Micros, acts: &mut Vec<Act>) {
        let State::Serving(serving) = &self.state else { return };
        let beats = match serving.tick {
            Tick::Due(_) => 0,
            Tick::Pinging { .. } | Tick::Beating { .. } => 1,
        };
        if self.queue.is_empty() || serving.asked.len() > beats {
            return;
        }
        if std::mem::take(&mut self.dropped) {
            self.numbers.values_mut().for_each(|number| *number += 1);
        }
        let mut posts = Vec::new();
        let mut asked = Vec::new();
        for request in self.queue.drain(..self.queue.len().min(BATCH)) {
            match request {
                Request::Tell { node, frame } => {
                    let number = next_number(&mut self.numbers, node);
                    posts.push(Post { from: self.me, to: node, number, frame });
                }
                other => asked.push(other),
            }
        }
        if !posts.is_empty() {
            self.send_asked(now, Command::Publish(posts), acts);
        }
        for request in asked {
            self.send_asked(now, Command::Ask(request), acts);
        }
    }

    fn lose(&mut self, now: Micros, loss: Loss, acts: &mut Vec<Act>) {
        if let State::Connecting { line, .. } | State::Serving(Serving { line, .. }) = &self.state {
            acts.push(Act::Send { line: *line, nth: 0, command: Command::Close });
        }
        acts.push(Act::Lost(loss));
        acts.push(Act::Tell(Reply::Away));
        for request in self.queue.drain(..) {
            if let Request::Tell { node, .. } = request {
                next_number(&mut self.numbers, node);
            }
        }
        let jittered = self.pause / 2 + self.chance.below(self.pause + 1);
        self.state = State::Resting { until: now + jittered };
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    fn send_asked(&mut self, now: Micros, command: Command, acts: &mut Vec<Act>) -> u64 {
        let Some(line) = self.line() else { return 0 };
        let nth = self.send(line, command, acts);
        if let State::Serving(serving) = &mut self.state {
            serving.asked.insert(nth, now + ANSWER);
        }
        nth
    }

    fn send(&mut self, line: u64, command: Command, acts: &mut Vec<Act>) -> u64 {
        self.sent += 1;
        acts.push(Act::Send { line, nth: self.sent, command });
        self.sent
    }
}

fn next_number(numbers: &mut BTreeMap<NodeId, u64>, node: NodeId) -> u64 {
    let number = numbers.entry(node).or_default();
    *number += 1;
    *number
}
