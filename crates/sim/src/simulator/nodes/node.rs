//! One server process: its lobby, its shell, and what has come while it was not able to look.

use super::host::Line;
use super::shell::{Act, Answer, Shell, Voice};
use crate::Prng;
use crate::simulator::script::Micros;
use std::collections::VecDeque;
use visavis_lobby::{Config, Input, Lobby, NodeId, Time};

/// What a node's clock shows when a run begins: late enough that it can step back.
const BEGINNING: Micros = 1_000_000_000_000;

pub(super) struct Node {
    /// The process that runs, or ran last.
    pub(super) id: NodeId,
    config: Config,
    seed: u64,
    pub(super) lobby: Option<Lobby>,
    pub(super) shell: Shell,
    /// Its clock against the world's.
    skew: i64,
    /// The latest that it showed before it was set back: a lobby's time stands still until then.
    latest: i64,
    pub(super) hung: bool,
    pub(super) backlog: VecDeque<Arrival>,
    pub(super) draining: bool,
    pub(super) redis: RedisWay,
}

/// The way between a node and Redis.
#[derive(Default)]
pub(super) struct RedisWay {
    /// Nothing passes until then.
    pub(super) cut_until: Micros,
    /// So much longer, until then.
    pub(super) slow: (Micros, Micros),
    /// Of the next command of this sort the reply is lost.
    pub(super) loses_reply: Option<i64>,
    /// Frames that do not arrive.
    pub(super) loses_frames: i64,
    /// When the latest arrives: commands, answers, voices; each of one line.
    last: [(u64, Micros); 3],
}

/// One of the streams in which nothing overtakes anything.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Commands,
    Answers,
    Voices,
}

/// Something for a process.
pub(super) enum Arrival {
    Input(Input),
    Answer { line: Line, nth: u64, answer: Answer },
    Voice { line: Line, voice: Voice },
    Broken(Line),
}

impl Node {
    pub(super) fn new(index: u32, config: Config, seed: u64) -> Self {
        // Not in the order of their numbers: who wins when proposals cross must not always be the first.
        let name = Prng::new(seed ^ u64::from(index) << 17).next_u64();
        let id = NodeId { name, epoch: 0 };
        let mut node = Node {
            id,
            config,
            seed,
            lobby: None,
            shell: Shell::new(id, 0, 0),
            skew: 0,
            latest: 0,
            hung: false,
            backlog: VecDeque::new(),
            draining: false,
            redis: RedisWay::default(),
        };
        node.begin_life(0);
        node
    }

    /// A process starts.
    pub(super) fn begin_life(&mut self, now: Micros) {
        self.id.epoch += 1;
        let mut chance = Prng::new(self.seed ^ self.id.name ^ self.id.epoch << 32);
        let config = Config { node: Some(self.id), ..self.config.clone() };
        self.lobby = Some(Lobby::new(config, chance.lobby_key()));
        self.shell = Shell::new(self.id, now, chance.next_u64());
        self.draining = false;
    }

    pub(super) fn end_life(&mut self) -> Option<Lobby> {
        self.backlog.clear();
        self.hung = false;
        self.lobby.take()
    }

    pub(super) fn runs(&self) -> bool {
        self.lobby.is_some() && !self.hung
    }

    pub(super) fn takes_visitors(&self) -> bool {
        self.lobby.is_some() && !self.draining
    }

    pub(super) fn time(&self, now: Micros) -> Time {
        Time::from_micros((BEGINNING as i64 + now as i64 + self.skew).max(0) as u64)
    }

    /// Sets its clock. How long its lobby's time stands still now.
    pub(super) fn step_clock(&mut self, now: Micros, by: i64) -> Micros {
        self.latest = self.latest.max(now as i64 + self.skew);
        self.skew += by;
        (self.latest - now as i64 - self.skew).max(0) as Micros
    }

    /// When one of its timers is due, by the world's clock.
    pub(super) fn wakes_at(&self, now: Micros) -> Option<Micros> {
        let lobby = self.lobby.as_ref().filter(|_| !self.hung)?;
        let shell = self.shell.poll_timeout();
        let due = lobby
            .poll_timeout()
            .map(|(due, _)| (due.as_micros() as i64 - BEGINNING as i64 - self.skew).max(0) as Micros);
        Some(due.map_or(shell, |due| due.min(shell)).max(now))
    }

    pub(super) fn lobby_is_due(&self, now: Micros) -> bool {
        let now = self.time(now);
        self.lobby.as_ref().and_then(Lobby::poll_timeout).is_some_and(|(due, _)| due <= now)
    }

    /// What comes for the shell.
    pub(super) fn hear(&mut self, now: Micros, arrival: Arrival, acts: &mut Vec<Act>) -> Option<Input> {
        self.shell.online = self.lobby.as_ref().map_or(0, |lobby| lobby.online() as u32);
        match arrival {
            Arrival::Input(input) => return Some(input),
            Arrival::Answer { line, nth, answer } => {
                self.shell.on_answer(now, (line.number, nth), answer, acts);
            }
            Arrival::Voice { line, voice } => self.shell.on_voice(now, line.number, voice, acts),
            Arrival::Broken(line) => self.shell.on_broken(now, line.number, acts),
        }
        None
    }
}

impl RedisWay {
    /// When something that leaves now, and takes so long, arrives.
    pub(super) fn arrives(&mut self, now: Micros, stream: Stream, line: u64, delay: Micros) -> Micros {
        let (more, until) = self.slow;
        let more = if now < until { more } else { 0 };
        let mut at = now + delay + more;
        if now < self.cut_until {
            // Sent again until it passes.
            at = at.max(self.cut_until + delay);
        }
        let last = &mut self.last[stream as usize];
        if last.0 == line {
            at = at.max(last.1);
        }
        *last = (line, at);
        at
    }
}
