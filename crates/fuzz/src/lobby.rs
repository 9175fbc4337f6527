//! A lobby under everything that a hostile world can do to it, and its audit after every step.
//!
//! What must hold beside the audit: nothing is sent to a socket that is gone; at most two open sockets are in one match,
//! and only they hear of it; an error is about the message that its sender sent last; a token resumes once in a process,
//! and one that is refused closes nobody; one input has few outputs; time goes on after every timer; and when everybody
//! has gone, nothing is left.

mod client;
pub(crate) mod said;

pub(crate) use client::Known;

use crate::choices::Choices;
use client::Client;
use std::collections::{BTreeMap, BTreeSet};
use visavis_lobby::{
    Config, ConnectionId, CrowdBounds, CrowdRates, Ending, Gauges, Input, Limiting, Lobby, Output, Outputs,
    SessionSecret, Source, Span, Time,
};
use visavis_protocol::{ClientMessage, Hello, ServerMessage, SessionMessage};

/// The first bytes choose the settings, the others one step after the other.
pub fn lobby(bytes: &[u8]) {
    let mut choices = Choices::of(bytes);
    let mut world = World::new(config(&mut choices));
    while !choices.is_over() {
        world.step(&mut choices);
    }
    world.everybody_goes();
}

const MAX_CONNECTIONS: usize = 8;

/// What a step may wait, in milliseconds: around every deadline of the default settings, and far beyond.
const SPANS_MS: [u64; 16] = [
    0, 1, 20, 500, 1_000, 1_500, 2_999, 3_000, 5_000, 9_999, 10_000, 20_000, 30_000, 60_000, 3_600_000,
    90_000_000,
];

fn config(choices: &mut Choices<'_>) -> Config {
    let bits = choices.byte();
    let mut config = Config::default();
    if bits & 1 == 0 {
        config.session_secrets = vec![SessionSecret([1; 32])];
    }
    if bits & 2 != 0 {
        config.replay_messages = 3;
        config.replay_bytes = 400;
    }
    if bits & 4 != 0 {
        config.message_burst = 12;
        config.next_burst = 2;
        config.text_burst = 2;
        config.max_refusals = 3;
        config.admission_rate = 2;
    }
    if bits & 8 != 0 {
        let few = CrowdRates { messages_per_s: 5, nexts_per_s: 1, texts_per_s: 1 };
        config.crowds = CrowdBounds { host: few, site: few, node: few };
    }
    if bits & 16 != 0 {
        config.recent_partners = usize::from(bits >> 7);
        config.max_overtakes = u32::from(bits >> 7);
    }
    if bits & 32 != 0 {
        config.recent_pause = Span::ZERO;
        config.age_credit = Span::ZERO;
    }
    if bits & 64 != 0 {
        config.grace = Span::from_millis(1);
        config.half_pair_grace = Span::from_millis(1);
        config.token_ttl = Span::from_secs(20);
    }
    config
}

struct World {
    config: Config,
    lobby: Lobby,
    outputs: Outputs,
    /// What the shell's clock tells, which may step back.
    now: Time,
    latest: Time,
    /// Of this process.
    clients: BTreeMap<ConnectionId, Client>,
    connections: u64,
    known: Known,
    /// Tokens that resumed a session of this process.
    used: BTreeSet<String>,
    restarts: u64,
}

impl World {
    fn new(config: Config) -> Self {
        World {
            lobby: Lobby::new(config.clone(), crate::key(1)),
            config,
            outputs: Outputs::new(),
            now: Time::from_micros(1_000_000_000_000),
            latest: Time::ZERO,
            clients: BTreeMap::new(),
            connections: 0,
            known: Known::default(),
            used: BTreeSet::new(),
            restarts: 0,
        }
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.below(16) {
            0 | 1 => self.somebody_comes(choices),
            2 => self.somebody_goes(choices),
            3 | 4 => self.time_passes(Span::from_millis(choices.among(&SPANS_MS))),
            // The shell comes late: what is due is run by and by.
            5 => self.now = self.now + Span::from_millis(choices.among(&SPANS_MS)),
            6 => self.rare_event(choices),
            7 => self.everybody_shows_life(),
            _ => self.somebody_speaks(choices),
        }
    }

    fn somebody_comes(&mut self, choices: &mut Choices<'_>) {
        if self.clients.len() >= MAX_CONNECTIONS {
            return;
        }
        let connection = ConnectionId(self.connections);
        self.connections += 1;
        let from = choices.byte();
        let limiting = if from & 8 == 0 {
            let host = u64::from(from & 3);
            Limiting::Bound(Source { host, site: (from & 4 != 0).then_some(host / 2) })
        } else {
            Limiting::Exempt
        };
        self.clients.insert(connection, Client::default());
        self.handle(Input::Opened { connection, limiting });
    }

    fn somebody_goes(&mut self, choices: &mut Choices<'_>) {
        let Some(connection) = self.somebody(choices) else { return };
        let ending = choices.among(&[Ending::Broken, Ending::CloseFrame]);
        self.clients.remove(&connection);
        self.handle(Input::Closed { connection, ending });
    }

    fn somebody_speaks(&mut self, choices: &mut Choices<'_>) {
        let Some(connection) = self.somebody(choices) else { return };
        let present = self.clients.get(&connection).and_then(|client| client.present);
        let input = match said::message(choices, &self.known, present, &self.config.limits) {
            Ok(message) => Input::Received { connection, message },
            Err(refusal) => Input::Malformed { connection, refusal },
        };
        if let Some(client) = self.clients.get_mut(&connection) {
            client.said += 1;
        }
        self.handle(input);
    }

    fn rare_event(&mut self, choices: &mut Choices<'_>) {
        match choices.below(8) {
            0 => self.restart(choices),
            1 => self.handle(Input::Drain { spread: Span::from_secs(2) }),
            2 => self.handle(Input::Timeout),
            // The clock steps back.
            3 => self.now = self.now - Span::from_millis(choices.among(&SPANS_MS)),
            // Of a socket that nobody knows (any more).
            4 => {
                let connection = ConnectionId(u64::from(choices.byte()) + self.connections);
                self.handle(Input::Alive { connection, mark: Some(0) });
                self.handle(Input::Closed { connection, ending: Ending::Broken });
            }
            5 => {
                let Some(connection) = self.somebody(choices) else { return };
                let mark = choices.among(&[None, Some(0), Some(1), Some(2), Some(64), Some(u32::MAX)]);
                self.handle(Input::Alive { connection, mark });
            }
            6 => {
                // A flood: the same message again and again.
                let Some(connection) = self.somebody(choices) else { return };
                let present = self.clients.get(&connection).and_then(|client| client.present);
                let Ok(message) = said::message(choices, &self.known, present, &self.config.limits) else {
                    return;
                };
                for _ in 0..20 {
                    let Some(client) = self.clients.get_mut(&connection) else { return };
                    client.said += 1;
                    self.handle(Input::Received { connection, message: message.clone() });
                }
            }
            _ => {
                // Everybody's network is gone at once.
                for connection in self.clients.keys().copied().collect::<Vec<_>>() {
                    self.clients.remove(&connection);
                    self.handle(Input::Closed { connection, ending: Ending::Broken });
                }
            }
        }
    }

    /// The process ends without a word; another begins, with the same secrets or with rotated ones.
    fn restart(&mut self, choices: &mut Choices<'_>) {
        self.restarts += 1;
        let secret = SessionSecret([self.restarts as u8; 32]);
        match choices.below(4) {
            0 if !self.config.session_secrets.is_empty() => self.config.session_secrets.insert(0, secret),
            1 => self.config.session_secrets = vec![secret],
            _ => {}
        }
        self.config.session_secrets.truncate(2);
        self.lobby = Lobby::new(self.config.clone(), crate::key(1 + self.restarts));
        self.clients.clear();
        self.used.clear();
    }

    fn everybody_shows_life(&mut self) {
        for connection in self.clients.keys().copied().collect::<Vec<_>>() {
            let mark = self.clients.get_mut(&connection).and_then(|client| client.pinged.take());
            self.handle(Input::Alive { connection, mark });
        }
    }

    /// What is due on the way happens at its moment.
    fn time_passes(&mut self, span: Span) {
        let until = self.now + span;
        while let Some((at, _)) = self.lobby.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            self.handle(Input::Timeout);
            let next = self.lobby.poll_timeout();
            assert!(
                next.is_none_or(|(next, _)| next > self.now),
                "the same moment is due again and again: {next:?}"
            );
        }
        self.now = until;
    }

    fn everybody_goes(&mut self) {
        for connection in self.clients.keys().copied().collect::<Vec<_>>() {
            self.clients.remove(&connection);
            self.handle(Input::Closed { connection, ending: Ending::Broken });
        }
        self.now = self.latest;
        self.time_passes(Span::from_secs(100_000));
        assert_eq!(self.lobby.gauges(), Gauges::default(), "somebody is left");
        assert_eq!(self.lobby.online(), 0);
        assert_eq!(self.lobby.poll_timeout(), None, "something is due to nobody");
    }

    fn somebody(&self, choices: &mut Choices<'_>) -> Option<ConnectionId> {
        let chosen = choices.below(self.clients.len());
        self.clients.keys().nth(chosen).copied()
    }

    fn handle(&mut self, input: Input) {
        self.latest = self.latest.max(self.now);
        self.lobby.handle(self.now, input.clone(), &mut self.outputs);
        #[cfg(feature = "audit")]
        if let Err(violation) = self.lobby.audit() {
            panic!("{violation}, after {input:?}");
        }
        let outputs: Vec<Output> = self.outputs.drain().collect();
        let to_all = matches!(input, Input::Timeout | Input::Drain { .. });
        assert!(to_all || outputs.len() <= self.config.replay_messages + 16, "{} outputs", outputs.len());
        self.check_resume(&input, &outputs);
        for output in &outputs {
            self.hear(&input, output);
        }
        assert_eq!(self.lobby.online(), self.clients.len(), "after {input:?}");
        let mut present = BTreeMap::new();
        for id in self.clients.values().filter_map(|client| client.present) {
            *present.entry(id.0).or_insert(0) += 1;
        }
        assert!(present.values().all(|sides| *sides <= 2), "three in one match, after {input:?}");
    }

    fn check_resume(&mut self, input: &Input, outputs: &[Output]) {
        let Input::Received {
            connection,
            message: ClientMessage::Session(SessionMessage::Hello(Hello { resume: Some(token), .. })),
        } = input
        else {
            return;
        };
        let resumed = outputs.iter().any(|output| {
            matches!(output, Output::Send { connection: to, message: ServerMessage::Welcome { resumed: Some(true), .. } } if to == connection)
        });
        let closed = outputs.iter().filter(|output| matches!(output, Output::Close { .. })).count();
        let expelled = outputs
            .iter()
            .any(|output| matches!(output, Output::Close { connection: closed, .. } if closed == connection));
        if resumed {
            assert!(self.used.insert(token.0.clone()), "a token resumed twice");
            assert!(closed <= 1, "a resume closes the old socket and no other");
        } else {
            assert!(closed == 0 || expelled, "a token that is refused closes nobody");
        }
    }

    fn hear(&mut self, input: &Input, output: &Output) {
        match output {
            Output::Send { connection, message } => {
                let Some(client) = self.clients.get_mut(connection) else {
                    panic!("{message:?} to {connection:?}, which is gone")
                };
                client.hear(*connection, input, message);
                self.known.learn(message);
            }
            Output::Ping { connection, mark } => {
                let client = self.clients.get_mut(connection).expect("a ping to a socket that is gone");
                client.pinged = Some(*mark);
            }
            Output::Close { connection, .. } => {
                assert!(self.clients.remove(connection).is_some(), "{connection:?} is closed twice");
            }
            Output::Cluster(request) => panic!("this node is alone: {request:?}"),
        }
    }
}
