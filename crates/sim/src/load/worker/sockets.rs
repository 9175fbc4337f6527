//! A worker's sockets: opening them at the wanted rate, reading frames for the visitors, writing theirs, letting go.

use super::super::dialect::Meaning;
use super::super::frame;
use super::super::socket::{Socket, Stage, read_upgrade};
use super::{Due, Target, Worker};
use crate::{Heard, Input};
use mio::{Interest, Token};
use std::cmp::Reverse;
use std::io;
use std::net::Ipv4Addr;
use visavis_lobby::{Ending, Span, Time};
use visavis_protocol::ClientMessage;

/// Connections under way at once: more would overflow a server's backlog and measure its kernel.
const MAX_CONNECTING: u32 = 256;
const NORMAL_CLOSURE: [u8; 2] = 1000_u16.to_be_bytes();

impl Worker {
    pub(super) fn connect_some(&mut self, now: Time) {
        let interval = 1_000_000 * u64::from(self.options.processes) / u64::from(self.options.connect_rate);
        while self.next_connect <= now && self.connecting < MAX_CONNECTING {
            let Some(index) = self.to_connect.pop_front() else {
                self.next_connect = now;
                return;
            };
            self.next_connect = self.next_connect + Span::from_micros(interval);
            if let Err(error) = self.connect(index) {
                self.on_failure(index as usize, error.to_string());
            }
        }
    }

    fn connect(&mut self, index: u32) -> io::Result<()> {
        let id = self.first + index;
        let addresses = u32::from(self.options.source_addresses);
        let from = (addresses > 0).then(|| Ipv4Addr::new(127, 0, 0, 1 + (id % addresses.max(1)) as u8));
        let mut socket = Socket::connect(
            self.targets[self.place_of(index as usize)].address,
            from,
            self.chance.next_u64() as u32,
        )?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket.stream, Token(index as usize), interest)?;
        self.connecting += 1;
        self.clients[index as usize].socket = Some(socket);
        Ok(())
    }

    /// Which of the targets a visitor connects to now.
    fn place_of(&self, index: usize) -> usize {
        let turn = u64::from(self.first) + index as u64 + u64::from(self.clients[index].moves);
        (turn % self.targets.len() as u64) as usize
    }

    pub(super) fn on_ready(&mut self, index: usize, readable: bool, writable: bool) {
        let target = self.place_of(index);
        let Some(socket) = &mut self.clients[index].socket else { return };
        let result = match socket.stage {
            Stage::Connecting => {
                let Target { host, path, .. } = &self.targets[target];
                socket.upgrade(host, path).map(drop)
            }
            Stage::Upgrading | Stage::Open | Stage::Deaf if writable => socket.flush(),
            Stage::Upgrading | Stage::Open | Stage::Deaf => Ok(()),
        };
        let readable = readable && matches!(socket.stage, Stage::Upgrading | Stage::Open);
        let result = result.and_then(|()| if readable { self.read(index) } else { Ok(()) });
        if let Err(error) = result {
            self.on_end(index, &error);
        }
    }

    fn read(&mut self, index: usize) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.read_into(index, &mut buffer);
        self.buffer = buffer;
        result
    }

    fn read_into(&mut self, index: usize, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            let Some(socket) = &mut self.clients[index].socket else { return Ok(()) };
            let filled = socket.read(buffer)?;
            let mut rest = &buffer[..filled.bytes];
            if socket.stage == Stage::Upgrading && !rest.is_empty() {
                match read_upgrade(rest).map_err(io::Error::other)? {
                    None => {
                        socket.keep(rest);
                        rest = &[];
                    }
                    Some(head) => {
                        rest = &rest[head..];
                        self.on_open(index);
                    }
                }
            }
            let now = self.clock.now();
            while self.reads(index) {
                let broken = |frame::Broken| io::Error::other("the server broke the framing");
                let Some(frame) = frame::read(rest).map_err(broken)? else { break };
                rest = &rest[frame.len..];
                self.on_frame(index, now, frame.opcode, frame.payload)?;
            }
            self.flush(index);
            if let Some(socket) = self.clients[index].socket.as_mut().filter(|_| !rest.is_empty()) {
                socket.keep(rest);
            }
            if filled.drained || !self.reads(index) {
                return Ok(());
            }
        }
    }

    fn reads(&self, index: usize) -> bool {
        self.clients[index].socket.as_ref().is_some_and(|socket| socket.stage == Stage::Open)
    }

    fn on_open(&mut self, index: usize) {
        let now = self.clock.now();
        self.connecting -= 1;
        self.progress.open += 1;
        let client = &mut self.clients[index];
        if let Some(socket) = &mut client.socket {
            socket.stage = Stage::Open;
        }
        if let Some(lost_at) = client.lost_at {
            self.tale.reopened.record(now.since(lost_at));
        }
        if self.options.protocol.ready_when_open() {
            self.on_speakable(index, now);
        }
    }

    fn on_speakable(&mut self, index: usize, now: Time) {
        if !self.options.script_of(self.first + index as u32).hello {
            self.on_back(index, now);
        }
        self.handle(index, now, Input::Opened);
    }

    /// Taken in by the server, after a loss or for the first time.
    fn on_back(&mut self, index: usize, now: Time) {
        let client = &mut self.clients[index];
        client.failures = 0;
        if let Some(lost_at) = client.lost_at.take() {
            self.tale.back.record(now.since(lost_at));
        }
    }

    fn on_frame(&mut self, index: usize, now: Time, opcode: u8, payload: &[u8]) -> io::Result<()> {
        match opcode {
            frame::TEXT => {
                self.tale.received += 1;
                let meaning = std::str::from_utf8(payload).map(|text| self.options.protocol.read(text));
                match meaning.unwrap_or(Meaning::Unreadable) {
                    Meaning::Heard(heard) => {
                        if let Heard::Welcome { .. } = heard {
                            *self.tale.welcomed.entry(now.as_micros() / 10_000).or_default() += 1;
                            self.on_back(index, now);
                        }
                        self.handle(index, now, Input::Heard(heard));
                    }
                    Meaning::Ready => self.on_speakable(index, now),
                    Meaning::Reply(reply) => self.write(index, frame::TEXT, reply.as_bytes()),
                    Meaning::Nothing => {}
                    Meaning::Unreadable => self.handle(index, now, Input::Unreadable),
                }
            }
            frame::PING => self.write(index, frame::PONG, payload),
            frame::CLOSE => return Err(io::Error::other(close_reason(payload))),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn send(&mut self, index: usize, message: &ClientMessage) {
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        self.options.protocol.write(message, &mut payload);
        self.tale.sent += 1;
        self.write(index, frame::TEXT, &payload);
        self.payload = payload;
    }

    fn write(&mut self, index: usize, opcode: u8, payload: &[u8]) {
        if let Some(socket) = &mut self.clients[index].socket {
            socket.frame(opcode, payload, &mut self.out);
        }
    }

    /// What a visitor says in one go is one write: a system call costs more than all the rest of a message.
    pub(super) fn flush(&mut self, index: usize) {
        if self.out.is_empty() {
            return;
        }
        if let Some(socket) = &mut self.clients[index].socket {
            // A socket that cannot be written ends for the poller too; the end is handled there.
            let _ = socket.send(&self.out);
        }
        self.out.clear();
    }

    /// The visitor's side ends its socket; it connects again after the pause.
    pub(super) fn let_go(&mut self, index: usize, now: Time, ending: Ending, after: Span) {
        match ending {
            Ending::CloseFrame => {
                self.write(index, frame::CLOSE, &NORMAL_CLOSURE);
                self.flush(index);
            }
            Ending::Broken => self.clients[index].socket.iter().for_each(Socket::lose),
        }
        // Without a socket it is on its way back already.
        let Some(socket) = self.clients[index].socket.take() else { return };
        match socket.stage {
            Stage::Connecting | Stage::Upgrading => self.connecting -= 1,
            Stage::Open | Stage::Deaf => {
                self.progress.open -= 1;
                self.progress.lost += 1;
            }
        }
        self.tale.closed += 1;
        self.clients[index].moves += 1;
        self.clients[index].lost_at = Some(now);
        self.feed(index, now, Input::Lost);
        self.timers.push(Reverse((now + after, index as u32, Due::Connect)));
    }

    /// The server's side, or the network, ended it.
    fn on_end(&mut self, index: usize, error: &io::Error) {
        let now = self.clock.now();
        self.out.clear();
        let Some(socket) = self.clients[index].socket.take() else { return };
        match socket.stage {
            Stage::Connecting | Stage::Upgrading => {
                self.connecting -= 1;
                self.on_failure(index, error.to_string());
            }
            Stage::Open | Stage::Deaf => {
                self.progress.open -= 1;
                self.progress.lost += 1;
                self.tale.cut += 1;
                *self.tale.failures.entry(format!("cut: {error}")).or_default() += 1;
                self.clients[index].lost_at = Some(now);
                self.feed(index, now, Input::Lost);
                self.come_back(index, now);
            }
        }
    }

    fn on_failure(&mut self, index: usize, why: String) {
        *self.tale.failures.entry(why).or_default() += 1;
        if self.comes_back(index) {
            self.come_back(index, self.clock.now());
        } else {
            self.progress.failed += 1;
        }
    }

    fn come_back(&mut self, index: usize, now: Time) {
        if self.comes_back(index) {
            self.clients[index].moves += 1;
            let pause = self.backoff(index);
            self.timers.push(Reverse((now + pause, index as u32, Due::Connect)));
        }
    }

    /// As the SDK does: 0 to 1 s, then 2 and 3 s, each ± 25 %, then 7 s for good, ± 50 %.
    pub(super) fn backoff(&mut self, index: usize) -> Span {
        let failures = &mut self.clients[index].failures;
        *failures += 1;
        match *failures {
            1 => Span::from_micros(self.chance.below(1_000_000)),
            2 => Span::from_micros(1_500_000 + self.chance.below(1_000_000)),
            3 => Span::from_micros(2_250_000 + self.chance.below(1_500_000)),
            _ => self.chance.about(Span::from_secs(7)),
        }
    }
}

fn close_reason(payload: &[u8]) -> String {
    match payload {
        [a, b, reason @ ..] => {
            format!("{} {}", u16::from_be_bytes([*a, *b]), String::from_utf8_lossy(reason))
                .trim_end()
                .to_owned()
        }
        _ => "close frame without a code".into(),
    }
}
