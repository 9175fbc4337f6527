//! The visitors' ends of the sockets.

use super::{Event, Wire, World};
use crate::Prng;
use crate::simulator::guest::{Act, Alarm, Line};
use crate::simulator::network::{BROKEN, Down, Socket, Up, connection_id};
use crate::simulator::nodes::node::Arrival;
use crate::simulator::promises::Breach;
use crate::simulator::script::Micros;
use visavis_lobby::{ConnectionId, Ending, Input, Limiting};
use visavis_protocol::ServerMessage;

/// How long a visitor waits for the first word of a node.
const PATIENCE: Micros = 6_000_000;

impl World<'_> {
    pub(super) fn open(&mut self, guest: u32) {
        let number = self.opened.entry(guest).or_default();
        *number += 1;
        let connection = connection_id(guest, *number);
        let socket = Socket::new(guest, false);
        let wire = Wire { socket, node: 0, process: None, retired: false, heard: false };
        self.wires.insert(connection, wire);
        if let Some(guest) = self.guests.get_mut(&guest) {
            guest.line = Line::Opening;
        }
        let delay = self.delay(guest, connection)(0);
        self.after(delay, Event::Opened(connection));
    }

    /// Where the proxy sends a new socket: to any node that takes visitors, one that sleeps included.
    fn land(&self, guest: u32, connection: ConnectionId) -> Option<usize> {
        let count = self.nodes.len();
        let first = Prng::new(self.script.seed ^ u64::from(guest) << 32 ^ connection.0).below(count as u64);
        (0..count)
            .map(|step| (first as usize + step) % count)
            .find(|node| self.nodes.get(*node).is_some_and(|node| node.takes_visitors()))
    }

    pub(super) fn on_opened(&mut self, connection: ConnectionId) -> Result<(), Breach> {
        let Some(guest) = self.wires.get(&connection).map(|wire| wire.socket.guest) else { return Ok(()) };
        let Some(node) = self.land(guest, connection) else {
            // Nobody answers: the visitor tries again.
            self.wires.remove(&connection);
            if let Some(guest) = self.guests.get_mut(&guest) {
                guest.line = Line::Away;
            }
            self.after(400_000 + u64::from(guest % 7) * 60_000, Event::Reopen(guest));
            return Ok(());
        };
        let process = self.nodes.get(node).map(|node| node.id);
        if let Some(wire) = self.wires.get_mut(&connection) {
            (wire.node, wire.process) = (node, process);
            wire.socket.server_open = true;
            wire.socket.opening = false;
        }
        let limiting = Limiting::Exempt;
        self.arrive(node, Arrival::Input(Input::Opened { connection, limiting }))?;
        let mut acts = Vec::new();
        if let Some(guest) = self.guests.get_mut(&guest) {
            guest.opened(connection, &mut acts);
        }
        self.act(guest, acts);
        self.after(PATIENCE, Event::Patience(connection));
        Ok(())
    }

    pub(super) fn on_patience(&mut self, connection: ConnectionId) {
        let Some(wire) = self.wires.get(&connection).filter(|wire| !wire.heard && !wire.retired) else {
            return;
        };
        let asks = self.guests.get(&wire.socket.guest).is_some_and(|guest| {
            guest.line == Line::On(connection) && (guest.persona.hello || guest.searches)
        });
        if asks {
            self.sever(connection);
            self.after(1_000, Event::ServerNotices(connection));
            self.client_loses(connection);
        }
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

    pub(super) fn on_alarm(&mut self, id: u32, connection: ConnectionId, alarm: Alarm) {
        if let Some(until) = self.frozen.get(&id).copied().filter(|until| *until > self.now) {
            return self.at(until, Event::Alarm(id, connection, alarm));
        }
        let Some(guest) = self.guests.get_mut(&id).filter(|guest| guest.line == Line::On(connection)) else {
            return;
        };
        if alarm == Alarm::Move {
            return self.moves(id, connection);
        }
        let mut acts = Vec::new();
        guest.alarm(alarm, &mut acts);
        self.act(id, acts);
    }

    /// Opens another socket first, and gives up the old one when it is welcomed there.
    pub(super) fn moves(&mut self, id: u32, connection: ConnectionId) {
        let Some(guest) = self.guests.get_mut(&id) else { return };
        guest.lost();
        let comes_back = guest.persona.hello;
        if let Some(wire) = self.wires.get_mut(&connection) {
            wire.retired = true;
        }
        if !comes_back {
            self.give_up_retired(id);
        }
        self.open(id);
    }

    pub(super) fn give_up_retired(&mut self, id: u32) {
        let its = self
            .wires
            .iter()
            .filter(|(_, wire)| wire.socket.guest == id && wire.retired && wire.socket.client_open);
        let retired: Vec<ConnectionId> = its.map(|(connection, _)| *connection).collect();
        for connection in retired {
            self.send(connection, Up::Bye);
            if let Some(wire) = self.wires.get_mut(&connection) {
                wire.socket.client_open = false;
            }
        }
    }

    pub(super) fn on_up(&mut self, connection: ConnectionId) -> Result<(), Breach> {
        let Some(wire) = self.wires.get_mut(&connection) else { return Ok(()) };
        let Some(up) = wire.socket.up.pop_front() else { return Ok(()) };
        let Some(process) = wire.process.filter(|_| wire.socket.server_open) else { return Ok(()) };
        if let Some(input) = up.read(connection) {
            return self.at_process(process, Arrival::Input(input));
        }
        // One that was given up for another is closed with 4000, which counts as lost.
        wire.socket.ending = if wire.retired { BROKEN } else { Ending::CloseFrame };
        self.server_notices(connection)
    }

    pub(super) fn on_down(&mut self, connection: ConnectionId) -> Result<(), Breach> {
        let Some(wire) = self.wires.get_mut(&connection) else { return Ok(()) };
        if wire.socket.deaf && !wire.socket.severed {
            return Ok(());
        }
        match wire.socket.down.pop_front() {
            Some(down) => self.deliver(connection, down),
            None => Ok(()),
        }
    }

    pub(super) fn hears_again(&mut self, connection: ConnectionId) -> Result<(), Breach> {
        let Some(wire) = self.wires.get_mut(&connection).filter(|wire| wire.socket.deaf) else {
            return Ok(());
        };
        wire.socket.deaf = false;
        // Those still on their way find nothing when they arrive.
        let unread = std::mem::take(&mut wire.socket.down);
        for down in unread {
            self.deliver(connection, down)?;
        }
        Ok(())
    }

    fn deliver(&mut self, connection: ConnectionId, down: Down) -> Result<(), Breach> {
        let Some(wire) = self.wires.get_mut(&connection).filter(|wire| wire.socket.client_open) else {
            return Ok(());
        };
        wire.heard = true;
        let id = wire.socket.guest;
        let own = self.guests.get(&id).is_some_and(|guest| guest.line == Line::On(connection));
        match down {
            Down::Ping(mark) => self.send(connection, Up::Pong(mark)),
            Down::Close(reason) => {
                if own && reason == "resumed elsewhere" {
                    if let Some(guest) = self.guests.get_mut(&id) {
                        guest.was_superseded();
                    }
                    self.after(2_000_000, Event::Reopen(id));
                }
                self.client_loses(connection);
            }
            Down::Message(message) => {
                let Some(guest) = self.guests.get_mut(&id).filter(|_| own) else { return Ok(()) };
                let mut acts = Vec::new();
                self.watcher.delivered(self.now, connection, guest, &message)?;
                guest.hear(&message, &mut acts);
                self.act(id, acts);
                if matches!(*message, ServerMessage::Welcome { .. }) {
                    self.give_up_retired(id);
                }
            }
        }
        Ok(())
    }

    /// The client notices that its socket is gone.
    pub(super) fn client_loses(&mut self, connection: ConnectionId) {
        let Some(wire) = self.wires.get_mut(&connection).filter(|wire| wire.socket.client_open) else {
            return;
        };
        wire.socket.client_open = false;
        let id = wire.socket.guest;
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
