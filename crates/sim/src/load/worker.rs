//! One worker process: one loop over its visitors' sockets, driven by the conductor's commands.
//!
//! A press of everybody is written before anything is read, so that each Next names the match the visitor was in.

mod sockets;
mod witness;

use super::clock::Clock;
use super::options::{Options, Scenario, Target};
use super::socket::Socket;
use super::wire::{Command, Loss, Progress, Report, Tale};
use crate::{Act, Habit, Input, Prng, Status, Visitor};
use mio::{Events, Poll, Token, Waker};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::Duration;
use visavis_lobby::{Ending, Span, Time};

const WAKE: Token = Token(usize::MAX);
const PROGRESS_INTERVAL: Span = Span::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_millis(200);
/// Larger than any frame the server sends.
const READ_BUFFER: usize = 256 * 1024;

struct Client {
    visitor: Visitor,
    socket: Option<Socket>,
    status: Status,
    /// Its place among the tale's meetings.
    meeting: Option<usize>,
    /// Told to press, not matched since.
    pressed: bool,
    lost_at: Option<Time>,
    /// Attempts to come back since it was last taken in.
    failures: u32,
    /// How often it had to come back, and so moved on to the next node.
    moves: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Visitor,
    Connect,
    Press,
}

pub(super) struct Worker {
    options: Options,
    targets: Vec<Target>,
    clock: Clock,
    first: u32,
    poll: Poll,
    clients: Vec<Client>,
    timers: BinaryHeap<Reverse<(Time, u32, Due)>>,
    /// Visitors who wait for their turn to connect.
    to_connect: VecDeque<u32>,
    next_connect: Time,
    connecting: u32,
    press_at: Option<(u32, Time)>,
    scatter_at: Option<(Loss, Time)>,
    speak_at: Option<Time>,
    round: u32,
    tale: Tale,
    progress: Progress,
    told: Progress,
    told_at: Time,
    chance: Prng,
    acts: Vec<Act>,
    buffer: Vec<u8>,
    payload: Vec<u8>,
    /// Frames of the visitor that is being served, not yet written.
    out: Vec<u8>,
}

/// Runs until told to quit, or until the conductor is gone.
pub(super) fn run(options: Options, first: u32, count: u32, clock: Clock) -> io::Result<()> {
    let targets = options.targets().map_err(io::Error::other)?;
    let poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
    let commands = listen(waker);
    let client = |id| Client {
        visitor: Visitor::new(id, options.script_of(id), options.seed),
        socket: None,
        status: Status::Offline,
        meeting: None,
        pressed: false,
        lost_at: None,
        failures: 0,
        moves: 0,
    };
    let mut worker = Worker {
        clients: (first..first + count).map(client).collect(),
        targets,
        clock,
        first,
        poll,
        timers: BinaryHeap::new(),
        to_connect: VecDeque::new(),
        next_connect: Time::ZERO,
        connecting: 0,
        press_at: None,
        scatter_at: None,
        speak_at: None,
        round: 0,
        tale: Tale::default(),
        progress: Progress::default(),
        told: Progress::default(),
        told_at: Time::ZERO,
        chance: Prng::new(options.seed ^ u64::from(first) << 8),
        acts: Vec::new(),
        buffer: vec![0; READ_BUFFER],
        payload: Vec::new(),
        out: Vec::new(),
        options,
    };
    worker.serve(&commands)
}

/// Commands come line by line; a thread turns them into something that the poller can wait for.
fn listen(waker: Arc<Waker>) -> Receiver<Command> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Some(command) = line.ok().and_then(|line| serde_json::from_str(&line).ok()) else { break };
            if sender.send(command).is_err() || waker.wake().is_err() {
                return;
            }
        }
        drop(sender);
        let _ = waker.wake();
    });
    receiver
}

impl Worker {
    fn serve(&mut self, commands: &Receiver<Command>) -> io::Result<()> {
        let mut events = Events::with_capacity(1_024);
        loop {
            let pause = self.pause();
            match self.poll.poll(&mut events, Some(pause)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                Ok(()) | Err(_) => {}
            }
            loop {
                match commands.try_recv() {
                    Ok(Command::Quit) | Err(TryRecvError::Disconnected) => return Ok(()),
                    Ok(command) => self.obey(command)?,
                    Err(TryRecvError::Empty) => break,
                }
            }
            self.press_if_due();
            for event in &events {
                if event.token() != WAKE {
                    self.on_ready(
                        event.token().0,
                        event.is_readable() || event.is_read_closed(),
                        event.is_writable(),
                    );
                }
            }
            self.on_time();
            self.tell_progress()?;
        }
    }

    fn pause(&self) -> Duration {
        let now = self.clock.now();
        let timer = self.timers.peek().map(|Reverse((at, ..))| *at);
        let connect = (!self.to_connect.is_empty()).then_some(self.next_connect);
        let tell = (self.progress != self.told).then_some(self.told_at + PROGRESS_INTERVAL);
        let press = self.press_at.map(|(_, at)| at);
        let scatter = self.scatter_at.map(|(_, at)| at);
        let soonest = [timer, connect, tell, press, scatter, self.speak_at].into_iter().flatten().min();
        soonest.map_or(MAX_PAUSE, |at| Duration::from_micros(at.since(now).as_micros()).min(MAX_PAUSE))
    }

    fn obey(&mut self, command: Command) -> io::Result<()> {
        match command {
            Command::Connect => {
                self.next_connect = self.clock.now();
                self.to_connect = (0..self.clients.len() as u32).collect();
            }
            Command::Press { round, at_us } => self.press_at = Some((round, Time::from_micros(at_us))),
            Command::Scatter { at_us, by } => self.scatter_at = Some((by, Time::from_micros(at_us))),
            Command::Speak { at_us } => self.speak_at = Some(Time::from_micros(at_us)),
            Command::Calm => {
                let now = self.clock.now();
                (0..self.clients.len()).for_each(|index| self.feed(index, now, Input::Calmed));
            }
            Command::Tell => {
                self.clients.iter_mut().for_each(|client| client.meeting = None);
                let tale = std::mem::take(&mut self.tale);
                say(&Report::Told(Box::new(tale)))?;
            }
            Command::Quit => {}
        }
        Ok(())
    }

    fn press_if_due(&mut self) {
        let now = self.clock.now();
        let Some((round, at)) = self.press_at.take_if(|(_, at)| *at <= now) else { return };
        self.round = round;
        self.progress.rounds += 1;
        if self.options.scenario == Scenario::Churn {
            return self.spread_presses(at);
        }
        for index in 0..self.clients.len() {
            self.clients[index].pressed = true;
            // The instant is the same for all; how long it takes to write is this client's fault, and told.
            self.feed(index, at, Input::Pressed);
        }
        self.tale.press_spread_us = self.clock.now().since(at).as_micros();
    }

    /// A usual evening has no common instant: the first press comes within one stay; of a deviant, in the first quarter.
    fn spread_presses(&mut self, from: Time) {
        for index in 0..self.clients.len() {
            let within_ms = match self.options.script_of(self.first + index as u32).habit {
                Habit::Ghost | Habit::Stalls => self.options.seconds * 250,
                Habit::Patient | Habit::Restless { .. } | Habit::Returns => self.options.stay_ms,
            };
            let at = from + Span::from_micros(self.chance.below(within_ms * 1_000));
            self.timers.push(Reverse((at, index as u32, Due::Press)));
        }
    }

    fn scatter_if_due(&mut self, now: Time) {
        let Some((by, _)) = self.scatter_at.take_if(|(_, at)| *at <= now) else { return };
        self.round += 1;
        self.progress.rounds += 1;
        for index in 0..self.clients.len() {
            self.clients[index].pressed = true;
            if by == Loss::Visitors {
                let pause = self.backoff(index);
                self.let_go(index, now, Ending::Broken, pause);
            }
        }
    }

    fn speak_if_due(&mut self, now: Time) {
        if self.speak_at.take_if(|at| *at <= now).is_some() {
            self.progress.rounds += 1;
            (0..self.clients.len()).for_each(|index| self.feed(index, now, Input::Spoken));
        }
    }

    fn on_time(&mut self) {
        let now = self.clock.now();
        self.scatter_if_due(now);
        self.speak_if_due(now);
        while let Some(Reverse((at, index, due))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            match due {
                Due::Connect => self.to_connect.push_back(index),
                Due::Press => {
                    self.clients[index as usize].pressed = true;
                    self.feed(index as usize, now, Input::Pressed);
                }
                Due::Visitor => {
                    let client = &self.clients[index as usize];
                    if client.visitor.poll_timeout() == Some(at) {
                        self.feed(index as usize, now, Input::Timeout);
                    }
                }
            }
        }
        self.connect_some(now);
    }

    /// Gives a visitor an input, does what it says, and writes what is to be sent.
    fn feed(&mut self, index: usize, now: Time, input: Input<'_>) {
        self.handle(index, now, input);
        self.flush(index);
    }

    /// The same without the writing.
    fn handle(&mut self, index: usize, now: Time, input: Input<'_>) {
        let mut acts = std::mem::take(&mut self.acts);
        let client = &mut self.clients[index];
        let alarm_before = client.visitor.poll_timeout();
        client.visitor.handle(now, input, &mut acts);
        let alarm = client.visitor.poll_timeout();
        for act in acts.drain(..) {
            match act {
                Act::Send(message) => self.send(index, &message),
                Act::StopReading => {
                    if let Some(socket) = &mut self.clients[index].socket {
                        socket.stop_reading();
                    }
                }
                Act::Reopen { ending, after } => self.let_go(index, now, ending, after),
                Act::Note(note) => self.witness(index, note),
            }
        }
        self.acts = acts;
        if let Some(at) = alarm.filter(|_| alarm != alarm_before) {
            self.timers.push(Reverse((at, index as u32, Due::Visitor)));
        }
        self.note_status(index);
    }

    fn note_status(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let status = client.visitor.status();
        let before = std::mem::replace(&mut client.status, status);
        if before != status {
            if let Some(count) = self.count_of(before) {
                *count -= 1;
            }
            if let Some(count) = self.count_of(status) {
                *count += 1;
            }
        }
    }

    fn count_of(&mut self, status: Status) -> Option<&mut u32> {
        match status {
            Status::Offline | Status::Idle | Status::Searching => None,
            Status::Greeting => Some(&mut self.progress.greeting),
            Status::Matched => Some(&mut self.progress.matched),
            Status::Connected => Some(&mut self.progress.connected),
            Status::Silent => Some(&mut self.progress.silent),
        }
    }

    /// Whether this visitor's socket is opened again when it ends.
    fn comes_back(&self, index: usize) -> bool {
        match self.options.script_of(self.first + index as u32).habit {
            Habit::Returns | Habit::Restless { .. } => true,
            Habit::Patient | Habit::Ghost | Habit::Stalls => false,
        }
    }

    fn tell_progress(&mut self) -> io::Result<()> {
        let now = self.clock.now();
        if self.progress == self.told || now.since(self.told_at) < PROGRESS_INTERVAL {
            return Ok(());
        }
        self.told = self.progress;
        self.told_at = now;
        say(&Report::Progress(self.progress))
    }
}

fn say(report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_vec(report).map_err(io::Error::other)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}
