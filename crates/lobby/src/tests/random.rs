//! Thousands of random inputs a seed: the audit looks after every one, and an observer from outside.

use super::key;
use super::observer::Observer;
use crate::ids::ConnectionId;
use crate::{Config, Ending, Input, Limiting, Lobby, Output, Outputs, Source, Span, Time};
use std::collections::{BTreeMap, BTreeSet};
use visavis_protocol::{
    Block, Candidate, ChatText, ClientMessage, Connected, ErrorCode, FindPartner, Hello, IceCandidate, Kind,
    MatchId, Message, Next, Offer, Path, Pin, Refusal, Sdp, SearchMessage, SessionMessage, Signal,
    SignalMessage, Stop, TicketOffer, Typing,
};

const SEEDS: u64 = 300;
const STEPS: u64 = 600;
const VISITORS: u64 = 40;

/// splitmix64: enough randomness for a test, and the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    /// True once in `times`.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn some_of(&mut self, choices: &[&str], at_most: u64) -> Vec<String> {
        let wanted = self.below(at_most + 1);
        let chosen: BTreeSet<&str> = (0..wanted).map(|_| self.one_of(choices)).collect();
        chosen.into_iter().map(str::to_owned).collect()
    }
}

struct World {
    lobby: Lobby,
    observer: Observer,
    dice: Dice,
    /// What the shell's clock says, and the latest it ever said.
    clock: Time,
    latest: Time,
    /// The connection of each visitor, if it has one.
    visitors: Vec<Option<ConnectionId>>,
    /// Connections whose other end is gone without a word.
    dead: BTreeSet<ConnectionId>,
    connections: u64,
    offers: u64,
    ids: Vec<MatchId>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let config = Config {
            recent_partners: dice.one_of(&[0, 1, 5, 5]),
            recent_pause: Span::from_millis(dice.one_of(&[0, 3_000, 3_000])),
            max_overtakes: dice.one_of(&[0, 1, 8]),
            next_burst: dice.one_of(&[1, 10]),
            message_burst: dice.one_of(&[5, 200]),
            max_refusals: dice.one_of(&[3, 200]),
            ..Config::default()
        };
        World {
            lobby: Lobby::new(config.clone(), key(seed)),
            observer: Observer::new(config),
            dice,
            clock: Time::from_micros(1_000_000_000),
            latest: Time::ZERO,
            visitors: vec![None; VISITORS as usize],
            dead: BTreeSet::new(),
            connections: 0,
            offers: 0,
            ids: vec![MatchId::FOREIGN, MatchId(0xff)],
        }
    }

    fn run(mut self) -> Observer {
        for _ in 0..STEPS {
            let visitor = self.dice.below(VISITORS) as usize;
            let input = match self.visitors[visitor] {
                None => self.opens(visitor),
                Some(connection) if self.dead.contains(&connection) => {
                    self.comes_to_an_end(visitor, connection)
                }
                Some(connection) => self.does_something(visitor, connection),
            };
            self.input(input);
            self.time_passes();
        }
        self.observer
    }

    fn opens(&mut self, visitor: usize) -> Input {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.visitors[visitor] = Some(connection);
        let bound = Limiting::Bound(Source { host: connection.0, site: None });
        let limiting = self.dice.one_of(&[bound, Limiting::Exempt, Limiting::Exempt]);
        Input::Opened { connection, limiting }
    }

    fn comes_to_an_end(&mut self, visitor: usize, connection: ConnectionId) -> Input {
        if self.dice.once_in(8) {
            self.visitors[visitor] = None;
            return Input::Closed { connection, ending: Ending::Broken };
        }
        Input::Timeout
    }

    fn does_something(&mut self, visitor: usize, connection: ConnectionId) -> Input {
        let message = match self.dice.below(100) {
            0..25 => ClientMessage::Search(SearchMessage::FindPartner(self.wishes())),
            25..45 => {
                let match_id = self.some_id(connection);
                ClientMessage::Search(SearchMessage::Next(Next {
                    match_id,
                    offer: self.some_offer(),
                    ..Next::default()
                }))
            }
            45..50 => ClientMessage::Search(SearchMessage::Stop(Stop {})),
            50..55 => {
                ClientMessage::Search(SearchMessage::TicketOffer(TicketOffer { sdp: self.fresh_sdp() }))
            }
            55..60 => ClientMessage::Session(SessionMessage::Block(Block { match_id: self.id(connection) })),
            60..63 => ClientMessage::Signal(SignalMessage::Connected(Connected {
                match_id: self.id(connection),
                path: self.dice.one_of(&[Path::Direct, Path::Relay]),
                elapsed_ms: self.dice.one_of(&[0.0, 312.5, f64::MAX]),
                local_type: None,
                remote_type: None,
                protocol: None,
                family: None,
            })),
            63..65 => {
                let version = self.dice.one_of(&[1, 1, 2]);
                ClientMessage::Session(SessionMessage::Hello(Hello { version, ..Hello::plain() }))
            }
            65..85 => self.signal(connection),
            85..87 => {
                let refusal = Refusal::new(ErrorCode::BadJson, "not JSON");
                return Input::Malformed { connection, refusal };
            }
            87..95 => return Input::Alive { connection, mark: None },
            95..97 => {
                self.dead.insert(connection);
                return Input::Timeout;
            }
            _ => {
                self.visitors[visitor] = None;
                let ending = self.dice.one_of(&[Ending::CloseFrame, Ending::Broken]);
                return Input::Closed { connection, ending };
            }
        };
        Input::Received { connection, message }
    }

    fn wishes(&mut self) -> FindPartner {
        let pins: &[&[Pin]] =
            &[&[], &[], &[], &[Pin::Interests], &[Pin::Language], &[Pin::Interests, Pin::Language]];
        FindPartner {
            kind: self.dice.one_of(&[Kind::Video, Kind::Video, Kind::Audio, Kind::Text]),
            interests: self.dice.some_of(&["chess", "jazz", "tea", "theremin"], 3),
            languages: self.dice.some_of(&["de", "de-AT", "en-US", "en-GB", "fr"], 2),
            offer: self.some_offer(),
            requeue: self.dice.once_in(2),
            pin: self.dice.one_of(pins).to_vec(),
            pool: self.dice.one_of(&[None, None, None, Some("adults")]).map(str::to_owned),
            relay_only: false,
        }
    }

    fn signal(&mut self, connection: ConnectionId) -> ClientMessage {
        let match_id = self.some_id(connection);
        match self.dice.below(5) {
            0 => ClientMessage::Signal(SignalMessage::Offer(Signal { match_id, sdp: self.fresh_sdp() })),
            1 => ClientMessage::Signal(SignalMessage::Answer(Signal { match_id, sdp: self.fresh_sdp() })),
            2 => {
                let json = self.dice.one_of(&["null", "{}", "[{},{}]", "\"\""]).to_owned();
                let candidate = Candidate::from_json(json).expect("JSON");
                ClientMessage::Signal(SignalMessage::IceCandidate(IceCandidate { match_id, candidate }))
            }
            3 => ClientMessage::Signal(SignalMessage::Message(Message {
                match_id,
                text: ChatText("hello".into()),
            })),
            _ => ClientMessage::Signal(SignalMessage::Typing(Typing { match_id, on: self.dice.once_in(2) })),
        }
    }

    fn some_id(&mut self, connection: ConnectionId) -> Option<MatchId> {
        (!self.dice.once_in(3)).then(|| self.id(connection))
    }

    /// Mostly the present match; else one of any time and of anybody, or none at all.
    fn id(&mut self, connection: ConnectionId) -> MatchId {
        let present = self.observer.present_match(connection).filter(|_| !self.dice.once_in(4));
        present.unwrap_or_else(|| {
            let recent = self.ids.len().saturating_sub(12);
            let from = if self.dice.once_in(2) { recent } else { 0 };
            self.ids[from + self.dice.below((self.ids.len() - from) as u64) as usize]
        })
    }

    fn some_offer(&mut self) -> Option<Offer> {
        self.dice.once_in(2).then(|| Offer { sdp: self.fresh_sdp() })
    }

    fn fresh_sdp(&mut self) -> Sdp {
        self.offers += 1;
        Sdp::from_text(&format!("description {}", self.offers)).expect("JSON")
    }

    fn time_passes(&mut self) {
        let millis = match self.dice.below(100) {
            0..50 => 0,
            50..90 => self.dice.below(100),
            90..98 => self.dice.below(2_000),
            98 => self.dice.below(15_000),
            _ => {
                // The clock steps back, and catches up later.
                self.clock = self.clock - Span::from_millis(self.dice.below(500));
                return;
            }
        };
        let until = self.clock + Span::from_millis(millis);
        // Once in a while the shell was busy and wakes the lobby too late, once for all.
        let late = self.dice.once_in(50);
        while let Some((at, _)) = self.lobby.poll_timeout().filter(|(at, _)| *at <= until) {
            self.clock = if late { until } else { at.max(self.clock) };
            self.input(Input::Timeout);
        }
        self.clock = until;
    }

    fn input(&mut self, input: Input) {
        self.latest = self.latest.max(self.clock);
        let mut outputs = Outputs::new();
        self.lobby.handle(self.clock, input.clone(), &mut outputs);
        let outputs: Vec<Output> = outputs.drain().collect();
        if let Err(violation) = self.lobby.audit() {
            panic!("{violation}\nafter {input:?}");
        }
        self.observer.saw(self.latest, &input, &outputs);
        self.observer.agrees_with(self.lobby.gauges());
        let known: BTreeSet<ConnectionId> = self.visitors.iter().flatten().copied().collect();
        for output in outputs {
            match output {
                Output::Ping { connection, .. }
                    if known.contains(&connection) && !self.dead.contains(&connection) =>
                {
                    self.input(Input::Alive { connection, mark: None });
                }
                Output::Ping { .. } => {}
                Output::Cluster(request) => panic!("{request:?} of a lobby that is alone"),
                Output::Close { connection, .. } => {
                    for visitor in self.visitors.iter_mut().filter(|visitor| **visitor == Some(connection)) {
                        *visitor = None;
                    }
                }
                Output::Send { connection, .. } => {
                    if let Some(id) =
                        self.observer.present_match(connection).filter(|id| !self.ids.contains(id))
                    {
                        self.ids.push(id);
                    }
                }
            }
        }
    }
}

#[test]
fn nothing_that_clients_do_breaks_what_always_holds() {
    let mut seen: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in 0..SEEDS {
        let run = std::panic::catch_unwind(|| World::new(seed).run().seen);
        let Ok(seen_now) = run else { panic!("seed {seed} failed") };
        for (what, times) in seen_now {
            *seen.entry(what).or_default() += times;
        }
    }
    // The interesting cases were really reached.
    for what in [
        "waiting",
        "negotiate",
        "answer_offer",
        "text",
        "offers shown",
        "shared interests",
        "met again",
        "signals",
        "cut",
        "next",
        "stop",
        "closed",
        "lost",
        "blocked",
        "too_fast",
        "not_matched",
        "not_searching",
        "match_id_required",
        "unsupported_version",
        "bad_json",
    ] {
        assert!(seen.get(what).is_some_and(|times| *times > 100), "{what} is rare: {seen:?}");
    }
}
