//! What the script says, done: by visitors, by the network, to the server.

use super::{Event, World, span};
use crate::Prng;
use crate::simulator::coverage::Case;
use crate::simulator::guest::{Act, Guest, Line};
use crate::simulator::network::Up;
use crate::simulator::promises::Breach;
use crate::simulator::script::{Action, Step, Who, millis};
use visavis_lobby::{ConnectionId, Input};
use visavis_protocol::{
    ClientMessage, Connected, FindPartner, Hello, Kind, MatchId, Path, ResumeToken, SearchMessage,
    SessionMessage, Signal, SignalMessage, Stop, Typing,
};

impl World<'_> {
    pub(super) fn step(&mut self, index: usize) -> Result<(), Breach> {
        let Some(Step { who, action, .. }) = self.script.steps.get(index) else { return Ok(()) };
        if self.calm {
            return Ok(());
        }
        match who {
            Who::Server => self.befalls(action),
            Who::Node(_) | Who::Redis => Ok(()),
            Who::Visitor(id) => {
                if self.frozen.get(id).is_none_or(|until| *until <= self.now) {
                    self.does(*id, action);
                }
                Ok(())
            }
        }
    }

    /// Something happens to the server.
    fn befalls(&mut self, action: &Action) -> Result<(), Breach> {
        match *action {
            Action::Restart { down_ms, new_secret } => self.kill(millis(down_ms), new_secret != 0),
            Action::Clock { ms } => {
                self.node.skew += ms.clamp(-20_000_000, 20_000_000) * 1_000;
                self.observer.coverage.note(if ms < 0 { Case::ClockBack } else { Case::ClockForward });
                if self.node.lobby.is_some() && !self.node.hung && ms > 0 {
                    let now = self.server_time();
                    self.observer.leapt(now);
                    return self.run_timers();
                }
            }
            Action::Hang { ms } if self.node.lobby.is_some() => {
                self.node.hung = true;
                self.observer.coverage.note(Case::Hung);
                self.after(millis(ms), Event::Wakes);
            }
            Action::Drain { spread_ms, down_ms }
                if self.node.lobby.is_some() && !self.node.hung && !self.node.draining =>
            {
                self.node.draining = true;
                self.observer.coverage.note(Case::Drained);
                self.after(
                    millis(spread_ms) + 1_500_000,
                    Event::Kill { down: millis(down_ms), new_secret: false },
                );
                return self.tell(Input::Drain { spread: span(millis(spread_ms)) });
            }
            _ => {}
        }
        Ok(())
    }

    fn does(&mut self, id: u32, action: &Action) {
        let Some(guest) = self.guests.get_mut(&id) else { return };
        let line = guest.line;
        let mut acts = Vec::new();
        if !guest.does(action, &mut acts) {
            return self.suffers(id, line, action);
        }
        if line == Line::Away {
            self.open(id, None);
        }
        self.act(id, acts);
    }

    /// What a visitor's network does to it, and what a hostile visitor does.
    fn suffers(&mut self, id: u32, line: Line, action: &Action) {
        let Line::On(connection) = line else { return };
        match *action {
            Action::Leave {} => {
                self.send(connection, Up::Bye);
                if let Some(socket) = self.sockets.get_mut(&connection) {
                    socket.client_open = false;
                }
                if let Some(guest) = self.guests.get_mut(&id) {
                    guest.forget();
                }
            }
            Action::Drop { client_ms, server_ms } => {
                self.sever(connection);
                self.after(millis(client_ms), Event::ClientNotices(connection));
                self.after(millis(server_ms), Event::ServerNotices(connection));
            }
            Action::Vanish { client_ms } => {
                self.sever(connection);
                self.after(millis(client_ms), Event::ClientNotices(connection));
            }
            Action::Freeze { ms } => {
                self.frozen.insert(id, self.now + millis(ms));
                let is_page = self.guests.get(&id).is_some_and(|guest| guest.persona.answers);
                if let Some(socket) = self.sockets.get_mut(&connection) {
                    socket.frozen = is_page;
                }
                self.plug(connection, ms);
            }
            Action::Deaf { ms } => self.plug(connection, ms),
            _ => self.attacks(id, connection, action),
        }
    }

    fn plug(&mut self, connection: ConnectionId, ms: i64) {
        if let Some(socket) = self.sockets.get_mut(&connection) {
            socket.deaf = true;
            self.after(millis(ms), Event::Hears(connection));
        }
    }

    fn attacks(&mut self, id: u32, connection: ConnectionId, action: &Action) {
        let chance = &mut Prng::new(self.script.seed ^ self.now);
        match *action {
            Action::ForgeId {} => self.speaks_into(id, Some(MatchId(chance.next_u64()))),
            Action::StealId { from } => {
                let met = self.guests.get(&(from as u32)).and_then(Guest::met);
                self.speaks_into(id, met);
            }
            Action::LateSignal {} => {
                let last = self.guests.get(&id).and_then(|guest| guest.last_match);
                self.speaks_into(id, last);
            }
            Action::ForgeToken { kind } => {
                let token = self.guests.get(&id).and_then(Guest::token).map(|token| token.0.clone());
                let forged = match (kind % 3, token) {
                    (0, Some(mut token)) => {
                        // The last letter of unpadded base64 may hold unused bits; one before it does not.
                        let place = token.len() / 2;
                        let other = if token.get(place..=place) == Some("A") { "B" } else { "A" };
                        token.replace_range(place..=place, other);
                        token
                    }
                    (1, Some(mut token)) => {
                        token.truncate(token.len() / 2);
                        token
                    }
                    _ => format!("{:x}", chance.next_u64()),
                };
                self.open(id, Some(ResumeToken(forged)));
            }
            Action::OldToken { back } => {
                let token = self.guests.get(&id).and_then(|guest| guest.used_token(back.max(0) as usize));
                self.shows(id, token.cloned());
            }
            Action::StealToken { from } => {
                let token = self.guests.get(&(from as u32)).and_then(|guest| guest.used_token(0));
                self.shows(id, token.cloned());
            }
            Action::TwinToken {} => {
                let token = self.guests.get(&id).and_then(Guest::token);
                self.shows(id, token.cloned());
            }
            Action::Flood { messages } => {
                let met = self.guests.get(&id).and_then(Guest::met);
                for _ in 0..messages.clamp(0, 2_000) {
                    let typing = Typing { match_id: met, on: true };
                    self.send(connection, Up::Message(ClientMessage::Signal(SignalMessage::Typing(typing))));
                }
            }
            Action::Malformed { kind } => {
                const FRAMES: [&str; 6] = [
                    "",
                    "{\"type\":\"find_partner\"}",
                    "{\"type\":\"no_such\"}",
                    "[[[[[[[[[[[[]]]]]]]]]]]]",
                    "{\"type\":\"next\",\"match_id\":7}",
                    "{\"type\":\"message\",\"text\":\"x\",\"more\":1}",
                ];
                let frame = FRAMES.get(kind.rem_euclid(FRAMES.len() as i64) as usize).copied().unwrap_or("");
                self.send(connection, Up::Text(frame.to_owned()));
            }
            Action::Disorder { kind } => self.is_disorderly(id, connection, kind),
            _ => {}
        }
    }

    fn speaks_into(&mut self, id: u32, met: Option<MatchId>) {
        let mut acts: Vec<Act> = Vec::new();
        if let Some(guest) = self.guests.get_mut(&id) {
            guest.write(met, &mut acts);
        }
        self.act(id, acts);
    }

    /// Opens another socket with a token. What is sent there does not reach the visitor, so it cannot count any more.
    fn shows(&mut self, id: u32, token: Option<ResumeToken>) {
        if let Some(token) = token {
            for guest in self.guests.values_mut() {
                if guest.id == id || guest.used_token(0) == Some(&token) {
                    guest.persona.counts = false;
                }
            }
            self.open(id, Some(token));
        }
    }

    fn is_disorderly(&mut self, id: u32, connection: ConnectionId, kind: i64) {
        let hello = |resume| Hello { resume, received: Some(1_000), ..Hello::plain() };
        let Some(guest) = self.guests.get_mut(&id) else { return };
        let met = guest.met();
        let message = match kind.rem_euclid(7) {
            0 => {
                guest.persona.counts = false;
                ClientMessage::Session(SessionMessage::Hello(hello(None)))
            }
            1 => {
                guest.persona.counts = false;
                ClientMessage::Session(SessionMessage::Hello(hello(guest.token().cloned())))
            }
            2 => match guest.sdp() {
                Some(sdp) => ClientMessage::Signal(SignalMessage::Answer(Signal { match_id: met, sdp })),
                None => return,
            },
            3 => ClientMessage::Search(SearchMessage::Stop(Stop {})),
            4 => ClientMessage::Search(SearchMessage::FindPartner(FindPartner {
                languages: vec!["not a language".to_owned()],
                ..FindPartner::anyone(Kind::Video)
            })),
            5 => ClientMessage::Session(SessionMessage::Hello(Hello { version: 9, ..Hello::plain() })),
            _ => ClientMessage::Signal(SignalMessage::Connected(Connected {
                match_id: met.unwrap_or(MatchId(7)),
                path: Path::Relay,
                elapsed_ms: 1e300,
                local_type: None,
                remote_type: None,
                protocol: None,
                family: None,
            })),
        };
        if matches!(message, ClientMessage::Search(SearchMessage::Stop(_))) {
            let mut acts = Vec::new();
            guest.stop(&mut acts);
            return self.act(id, acts);
        }
        self.send(connection, Up::Message(message));
    }
}
