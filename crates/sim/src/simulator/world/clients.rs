//! The visitors' ends of the sockets.

use super::{Event, World};
use crate::simulator::guest::{Act, Alarm, Line};
use crate::simulator::network::{BROKEN, Down, Socket, Up, connection_id};
use crate::simulator::promises::Breach;
use visavis_lobby::{ConnectionId, Ending, Input, Limiting, Source};
use visavis_protocol::{ClientMessage, Hello, ResumeToken, SessionMessage};

impl World<'_> {
    /// Opens a socket: the visitor's own, or another one that shows a token.
    pub(super) fn open(&mut self, guest: u32, token: Option<ResumeToken>) {
        let number = self.opened.entry(guest).or_default();
        *number += 1;
        let connection = connection_id(guest, *number);
        let stray = token.is_some();
        self.sockets.insert(connection, Socket::new(guest, stray));
        if !stray && let Some(guest) = self.guests.get_mut(&guest) {
            guest.line = Line::Opening;
        }
        let delay = self.delay(guest, connection)(0);
        self.after(delay, Event::Opened(connection, token));
    }

    pub(super) fn on_opened(
        &mut self,
        connection: ConnectionId,
        token: Option<ResumeToken>,
    ) -> Result<(), Breach> {
        let Some(socket) = self.sockets.get_mut(&connection) else { return Ok(()) };
        let guest = socket.guest;
        if self.node.lobby.is_none() || self.node.draining {
            // Nobody answers: the visitor tries again.
            self.sockets.remove(&connection);
            if token.is_none() {
                if let Some(guest) = self.guests.get_mut(&guest) {
                    guest.line = Line::Away;
                }
                self.after(400_000 + u64::from(guest % 7) * 60_000, Event::Reopen(guest));
            }
            return Ok(());
        }
        socket.server_open = true;
        socket.opening = false;
        let host = self.guests.get(&guest).map_or(0, |guest| guest.persona.host);
        let limiting =
            if host == 0 { Limiting::Exempt } else { Limiting::Bound(Source { host, site: None }) };
        self.tell(Input::Opened { connection, limiting })?;
        if let Some(token) = token {
            let hello = Hello { resume: Some(token), ..Hello::plain() };
            self.send(connection, Up::Message(ClientMessage::Session(SessionMessage::Hello(hello))));
            self.after(1_500_000, Event::ClientNotices(connection));
            self.after(1_600_000, Event::ServerNotices(connection));
            return Ok(());
        }
        let mut acts = Vec::new();
        if let Some(guest) = self.guests.get_mut(&guest) {
            guest.opened(connection, &mut acts);
        }
        self.act(guest, acts);
        Ok(())
    }

    pub(super) fn send(&mut self, connection: ConnectionId, up: Up) {
        let now = self.now;
        let Some(guest) = self.sockets.get(&connection).map(|socket| socket.guest) else { return };
        let delay = self.delay(guest, connection);
        let Some(socket) = self.sockets.get_mut(&connection).filter(|socket| !socket.severed) else { return };
        socket.up.push_back(up);
        let at = socket.arrives_up(now, delay);
        self.at(at, Event::Up(connection));
    }

    pub(super) fn act(&mut self, id: u32, acts: Vec<Act>) {
        let Some(Line::On(connection)) = self.guests.get(&id).map(|guest| guest.line) else { return };
        for act in acts {
            match act {
                Act::Say(message) => self.send(connection, Up::Message(message)),
                Act::Later(span, alarm) => self.after(span, Event::Alarm(id, connection, alarm)),
            }
        }
    }

    pub(super) fn on_alarm(&mut self, id: u32, connection: ConnectionId, alarm: Alarm) -> Result<(), Breach> {
        if let Some(until) = self.frozen.get(&id).copied().filter(|until| *until > self.now) {
            self.at(until, Event::Alarm(id, connection, alarm));
            return Ok(());
        }
        let Some(guest) = self.guests.get_mut(&id).filter(|guest| guest.line == Line::On(connection)) else {
            return Ok(());
        };
        if alarm == Alarm::Move {
            guest.lost();
            self.send(connection, Up::Bye);
            if let Some(socket) = self.sockets.get_mut(&connection) {
                socket.client_open = false;
            }
            self.after(250_000, Event::Reopen(id));
            return Ok(());
        }
        let mut acts = Vec::new();
        guest.alarm(alarm, &mut acts);
        self.act(id, acts);
        Ok(())
    }

    pub(super) fn on_up(&mut self, connection: ConnectionId) -> Result<(), Breach> {
        let Some(socket) = self.sockets.get_mut(&connection) else { return Ok(()) };
        let Some(up) = socket.up.pop_front() else { return Ok(()) };
        if let Some(input) = up.read(connection) {
            return self.tell(input);
        }
        socket.ending = Ending::CloseFrame;
        let done = self.server_notices(connection);
        if let Some(socket) = self.sockets.get_mut(&connection) {
            socket.ending = BROKEN;
        }
        done
    }

    pub(super) fn on_down(&mut self, connection: ConnectionId) -> Result<(), Breach> {
        let Some(socket) = self.sockets.get_mut(&connection) else { return Ok(()) };
        if socket.deaf && !socket.severed {
            let pings = socket.down.len();
            if socket.frozen {
                socket.down.retain(|down| !matches!(down, Down::Ping(_)));
            }
            // Their marks are left out: what the browser has, the page may never read.
            for _ in socket.down.len()..pings {
                self.send(connection, Up::Pong(0));
            }
            return Ok(());
        }
        match socket.down.pop_front() {
            Some(down) => self.deliver(connection, down),
            None => Ok(()),
        }
    }

    pub(super) fn hears_again(&mut self, connection: ConnectionId) -> Result<(), Breach> {
        let Some(socket) = self.sockets.get_mut(&connection).filter(|socket| socket.deaf) else {
            return Ok(());
        };
        socket.deaf = false;
        socket.frozen = false;
        // Those still on their way find nothing when they arrive.
        let unread = std::mem::take(&mut socket.down);
        for down in unread {
            self.deliver(connection, down)?;
        }
        Ok(())
    }

    fn deliver(&mut self, connection: ConnectionId, down: Down) -> Result<(), Breach> {
        let Some(socket) = self.sockets.get(&connection).filter(|socket| socket.client_open) else {
            return Ok(());
        };
        let (id, stray) = (socket.guest, socket.stray);
        match down {
            Down::Ping(mark) => {
                if !stray {
                    self.send(connection, Up::Pong(mark));
                }
                Ok(())
            }
            Down::Close(reason) => {
                let own = self.guests.get(&id).is_some_and(|guest| guest.line == Line::On(connection));
                if own && reason == "resumed elsewhere" {
                    if let Some(guest) = self.guests.get_mut(&id) {
                        guest.was_superseded();
                    }
                    self.after(2_000_000, Event::Reopen(id));
                }
                self.client_loses(connection);
                Ok(())
            }
            Down::Message(message) => {
                let Some(guest) = self.guests.get_mut(&id).filter(|guest| guest.line == Line::On(connection))
                else {
                    return Ok(());
                };
                let mut acts = Vec::new();
                guest.hear(&message, &mut acts);
                if guest.counts() {
                    self.observer.delivered(connection, &message)?;
                }
                self.act(id, acts);
                Ok(())
            }
        }
    }

    /// The client notices that its socket is gone.
    pub(super) fn client_loses(&mut self, connection: ConnectionId) {
        let Some(socket) = self.sockets.get_mut(&connection).filter(|socket| socket.client_open) else {
            return;
        };
        socket.client_open = false;
        let id = socket.guest;
        let Some(guest) = self.guests.get_mut(&id).filter(|guest| guest.line == Line::On(connection)) else {
            return;
        };
        guest.lost();
        let back_ms = guest.persona.back_ms;
        if back_ms > 0 {
            let jitter = self.delay(id, connection)(7);
            self.after(back_ms * 1_000 + jitter, Event::Reopen(id));
        }
    }
}
