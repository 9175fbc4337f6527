//! The machine that Redis runs on: its condition, its clock, and who is connected.

use super::shell::{Answer, Command, LEASE_MS, Voice};
use crate::redis::{Channels, Redis, Subscription};
use crate::simulator::script::Micros;
use std::collections::BTreeMap;
use visavis_lobby::{NodeId, Span};

/// What its clock shows when a run begins, in milliseconds: enough that it can step back.
const BEGINNING_MS: i64 = 1_000_000_000;

/// One connection of one process. The process is known by its node's name for this start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub(super) node: NodeId,
    pub(super) number: u64,
}

/// A command on its way.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) line: Line,
    pub(super) nth: u64,
    pub(super) command: Command,
}

/// What leaves the machine.
pub(super) enum Sent {
    Answer { line: Line, nth: u64, answer: Answer },
    Voice { line: Line, voice: Voice },
    Reset(Line),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Up,
    /// Connections are refused.
    Down,
    /// Connections stay, and nothing is done.
    Stalled,
}

pub(super) struct Host {
    redis: Redis,
    channels: Channels,
    condition: Condition,
    lines: BTreeMap<Line, Subscription>,
    heard_by: BTreeMap<Subscription, Line>,
    waiting: Vec<Call>,
    /// Its clock against the world's: at this moment so far, and so many millionths faster since.
    clock: (Micros, i64, i64),
    /// What it had at some moments, for a failover to go back to.
    snapshots: BTreeMap<Micros, Redis>,
}

impl Host {
    pub(super) fn new() -> Self {
        Host {
            redis: Redis::default(),
            channels: Channels::default(),
            condition: Condition::Up,
            lines: BTreeMap::new(),
            heard_by: BTreeMap::new(),
            waiting: Vec::new(),
            clock: (0, 0, 0),
            snapshots: BTreeMap::new(),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.condition == Condition::Up
    }

    fn skew_us(&self, now: Micros) -> i64 {
        let (since, skew, ppm) = self.clock;
        skew + now.saturating_sub(since) as i64 * ppm / 1_000_000
    }

    fn now_ms(&self, now: Micros) -> i64 {
        BEGINNING_MS + (now as i64 + self.skew_us(now)) / 1_000
    }

    pub(super) fn step_clock(&mut self, now: Micros, by_us: i64) {
        self.clock = (now, self.skew_us(now) + by_us, self.clock.2);
    }

    pub(super) fn drift(&mut self, now: Micros, ppm: i64) {
        self.clock = (now, self.skew_us(now), ppm);
    }

    /// A command arrives.
    pub(super) fn take(&mut self, now: Micros, call: Call, sent: &mut Vec<Sent>) {
        match self.condition {
            Condition::Up => self.carry_out(now, call, sent),
            Condition::Down => {
                if !matches!(call.command, Command::Close) {
                    sent.push(Sent::Reset(call.line));
                }
            }
            Condition::Stalled => self.waiting.push(call),
        }
    }

    fn carry_out(&mut self, now: Micros, call: Call, sent: &mut Vec<Sent>) {
        let Call { line, nth, command } = call;
        let now_ms = self.now_ms(now);
        let answer = match command {
            Command::Connect => {
                self.close(line);
                let subscription = self.channels.subscribe(line.node);
                self.lines.insert(line, subscription);
                self.heard_by.insert(subscription, line);
                Answer::Done
            }
            Command::Close => return self.close(line),
            Command::Ping => {
                self.publish(line.node, &Voice::Own, sent);
                Answer::Done
            }
            Command::Publish(posts) => {
                for post in posts {
                    self.publish(post.to, &Voice::Post(post.clone()), sent);
                }
                Answer::Done
            }
            Command::Beat { online } => {
                let lease = Span::from_millis(LEASE_MS);
                let known = self.redis.beat(now_ms, line.node, lease, &online.to_string());
                Answer::Sightings(known.iter().map(|known| known.sighting()).collect())
            }
            Command::Leave => {
                self.redis.leave(now_ms, line.node);
                return;
            }
            Command::Ask(request) => match self.redis.carry_out(now_ms, line.node, &request) {
                Some(reply) => Answer::Reply(reply),
                None => Answer::Done,
            },
        };
        // Who has closed the connection meanwhile hears nothing; what it had asked is done nevertheless.
        if self.lines.contains_key(&line) {
            sent.push(Sent::Answer { line, nth, answer });
        }
    }

    fn publish(&self, channel: NodeId, voice: &Voice, sent: &mut Vec<Sent>) {
        for subscription in self.channels.publish(channel) {
            if let Some(line) = self.heard_by.get(&subscription) {
                sent.push(Sent::Voice { line: *line, voice: voice.clone() });
            }
        }
    }

    fn close(&mut self, line: Line) {
        if let Some(subscription) = self.lines.remove(&line) {
            self.channels.end(subscription);
            self.heard_by.remove(&subscription);
        }
    }

    /// The process of this node is gone, and its connections with it.
    pub(super) fn close_all_of(&mut self, node: NodeId) {
        let its: Vec<Line> = self.lines.keys().copied().filter(|line| line.node == node).collect();
        its.into_iter().for_each(|line| self.close(line));
    }

    /// The subscription of a node's connection dies; the connection does not show it.
    pub(super) fn deafen(&mut self, node: NodeId) {
        for (line, subscription) in &self.lines {
            if line.node == node {
                self.channels.end(*subscription);
            }
        }
    }

    /// The reply to what was asked is lost, with the connection.
    pub(super) fn reset(&mut self, line: Line, sent: &mut Vec<Sent>) {
        self.close(line);
        sent.push(Sent::Reset(line));
    }

    pub(super) fn stop(&mut self, sent: &mut Vec<Sent>) {
        self.condition = Condition::Down;
        let lines: Vec<Line> = self.lines.keys().copied().collect();
        lines.into_iter().for_each(|line| self.reset(line, sent));
        for call in std::mem::take(&mut self.waiting) {
            sent.push(Sent::Reset(call.line));
        }
    }

    pub(super) fn stall(&mut self) {
        if self.condition == Condition::Up {
            self.condition = Condition::Stalled;
        }
    }

    /// Goes on, or starts.
    pub(super) fn start(&mut self, now: Micros, sent: &mut Vec<Sent>) {
        self.condition = Condition::Up;
        for call in std::mem::take(&mut self.waiting) {
            self.carry_out(now, call, sent);
        }
    }

    pub(super) fn keep_snapshot(&mut self, now: Micros) {
        self.snapshots.insert(now, self.redis.clone());
    }

    /// What it had the last time that a snapshot was kept, no later than then.
    pub(super) fn go_back_to(&mut self, then: Micros) {
        if let Some((_, snapshot)) = self.snapshots.range(..=then).next_back() {
            self.redis = snapshot.clone();
        }
    }

    pub(super) fn forget_everything(&mut self) {
        self.redis = Redis::default();
    }
}
