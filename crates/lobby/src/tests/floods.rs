//! What strangers can put into the queue of one who reads nothing: never as much as it holds.

use super::{Value, find, frame, key};
use crate::ids::ConnectionId;
use crate::{
    Config, Ending, Input, Limiting, Lobby, Output, Outputs, RateLimit, SessionSecret, Source, Span, Time,
};
use std::collections::BTreeMap;
use visavis_protocol::{MatchId, ServerMessage, read_client_message};

/// The defaults of `limits.queue_bytes` and `limits.queue_messages`.
const QUEUE_BYTES: usize = 256 * 1024;
const QUEUE_MESSAGES: usize = 512;

const VICTIM: u64 = 0;

/// A crowd around one victim whose queue nobody empties.
struct Siege {
    lobby: Lobby,
    now: Time,
    bytes: usize,
    messages: usize,
    /// Of the victim, as it was told last.
    partner: Option<MatchId>,
    /// Of everybody else.
    matches: BTreeMap<u64, MatchId>,
    too_fast: usize,
}

impl Siege {
    fn new(attackers: u64) -> Self {
        let mut siege = Siege {
            lobby: Lobby::new(Config::default(), key(7)),
            now: Time::from_micros(1_000_000_000),
            bytes: 0,
            messages: 0,
            partner: None,
            matches: BTreeMap::new(),
            too_fast: 0,
        };
        for visitor in 0..=attackers {
            let source = Source { host: visitor, site: None };
            siege.input(Input::Opened {
                connection: ConnectionId(visitor),
                limiting: Limiting::Bound(source),
            });
        }
        siege
    }

    fn say(&mut self, visitor: u64, frame: Value) {
        let connection = ConnectionId(visitor);
        let message = read_client_message(&frame.to_string(), &Config::default().limits).unwrap();
        self.input(Input::Received { connection, message });
    }

    fn input(&mut self, input: Input) {
        let mut outputs = Outputs::new();
        self.lobby.handle(self.now, input, &mut outputs);
        for output in outputs.drain() {
            let Output::Send { connection: ConnectionId(visitor), message } = output else { continue };
            if visitor == VICTIM {
                self.bytes += message.payload_bytes() + 96;
                self.messages += 1;
            }
            match message {
                ServerMessage::PartnerFound(found) if visitor == VICTIM => {
                    self.partner = Some(found.match_id)
                }
                ServerMessage::PartnerFound(found) => {
                    self.matches.insert(visitor, found.match_id);
                }
                ServerMessage::PartnerLeft { .. } if visitor == VICTIM => self.partner = None,
                ServerMessage::Error { retry_after_ms: Some(_), .. } => self.too_fast += 1,
                _ => {}
            }
        }
    }

    /// The one who is with the victim now.
    fn present(&self) -> Option<(u64, MatchId)> {
        let present = self.partner?;
        self.matches.iter().find(|(_, id)| **id == present).map(|(visitor, id)| (*visitor, *id))
    }

    /// Time passes; everybody is alive, and the victim reads nothing.
    fn wait_ms(&mut self, millis: u64, attackers: u64) {
        self.now = self.now + Span::from_millis(millis);
        while self.lobby.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
            self.input(Input::Timeout);
        }
        for visitor in 0..=attackers {
            self.input(Input::Alive { connection: ConnectionId(visitor), mark: None });
        }
    }

    fn assert_nobody_was_cut(&self) {
        assert!(self.bytes <= QUEUE_BYTES, "{} bytes wait for one reader", self.bytes);
        assert!(self.messages <= QUEUE_MESSAGES, "{} messages wait for one reader", self.messages);
        assert!(self.too_fast > 0, "nobody was told to pause: the test shows nothing");
    }
}

fn description(bytes: usize) -> String {
    "v".repeat(bytes)
}

/// What a match may be flooded with.
fn floods(id: MatchId) -> Vec<Vec<Value>> {
    let candidate = "c".repeat(1_000);
    let candidates: Vec<Value> = (0..50).map(|_| super::json!({ "candidate": candidate })).collect();
    let text = "\u{1f600}".repeat(2_000);
    vec![
        vec![frame!("offer", match_id: id, sdp: (description(32_000))); 20],
        vec![frame!("answer", match_id: id, sdp: (description(43 * 700))); 20],
        vec![frame!("message", match_id: id, text: text); 30],
        vec![frame!("typing", match_id: id, on: true); 199],
        // Candidates are counted anew after each description.
        (0..40)
            .flat_map(|_| {
                [
                    frame!("answer", match_id: id, sdp: "v"),
                    frame!("ice_candidate", match_id: id, candidate: (candidates.clone())),
                ]
            })
            .collect(),
    ]
}

#[test]
fn one_sender_cannot_fill_the_queue_of_its_partner() {
    for flood in 0..5 {
        let mut siege = Siege::new(1);
        for visitor in [VICTIM, 1] {
            siege.say(visitor, find!("video", requeue: true));
        }
        let (attacker, id) = siege.present().unwrap();
        // Ten seconds, in which the server waits for a reader that stalls.
        for _ in 0..10 {
            for signal in &floods(id)[flood] {
                siege.say(attacker, signal.clone());
            }
            siege.wait_ms(1_000, 1);
            if siege.present().is_none() {
                // Whoever does not heed 200 refusals goes.
                break;
            }
        }
        siege.assert_nobody_was_cut();
    }
}

/// One attacker after the other says something to the victim and goes, when the next one is in line already; most of them in
/// the same moment, the others over ten seconds. How many it met.
fn come_and_go(siege: &mut Siege, offer: Option<Value>, signal: impl Fn(MatchId) -> Value) -> u32 {
    siege.say(VICTIM, find!("video", requeue: true));
    let mut met = 0;
    for attacker in 1..=ATTACKERS {
        let mut wished = find!("video");
        if let (Some(offer), Some(wished)) = (&offer, wished.as_object_mut()) {
            wished.insert("offer".into(), offer.clone());
        }
        let before = siege.present();
        siege.say(attacker, wished);
        if let Some((before, id)) = before {
            siege.say(before, signal(id));
            siege.say(before, frame!("stop"));
        }
        met += u32::from(siege.present().is_some_and(|(present, _)| present == attacker));
        if siege.present().is_none() {
            siege.say(attacker, frame!("stop"));
        }
        if attacker > ATTACKERS / 2 {
            siege.wait_ms(10_000 / (ATTACKERS / 2), ATTACKERS);
        }
    }
    met
}

const ATTACKERS: u64 = 400;

#[test]
fn several_senders_in_turn_cannot_fill_the_queue_of_one() {
    let mut heavy = Siege::new(ATTACKERS);
    let offer = super::json!({ "sdp": description(32_000) });
    let signal = |id| frame!("answer", match_id: id, sdp: (description(12_000)));
    let met = come_and_go(&mut heavy, Some(offer), signal);
    assert!(met >= 3, "{met}");
    heavy.assert_nobody_was_cut();
    assert!(heavy.lobby.counters().offers_withheld > 0);

    let mut light = Siege::new(ATTACKERS);
    let met = come_and_go(&mut light, None, |id| frame!("typing", match_id: id, on: true));
    assert!(met >= 40, "{met}");
    assert!(light.messages <= QUEUE_MESSAGES, "{} messages wait for one reader", light.messages);
    assert!(light.lobby.counters().not_requeued > 0);
}

#[test]
fn who_asks_for_a_stranger_itself_gets_one_with_all_that_it_brings() {
    let mut siege = Siege::new(12);
    siege.say(VICTIM, find!("video", requeue: true));
    for attacker in 1..=12 {
        siege.say(attacker, find!("audio"));
    }
    for stranger in 1..=10 {
        siege.say(stranger, find!("video", offer: { "sdp": (description(32_000)) }));
        let (present, id) = siege.present().unwrap();
        assert_eq!(present, stranger);
        siege.say(VICTIM, frame!("next", match_id: id));
        siege.say(stranger, find!("audio"));
    }
    assert_eq!(siege.lobby.counters().offers_withheld, 0);
}

#[test]
fn a_refused_signal_names_its_limit_and_leaves_no_trace() {
    let mut siege = Siege::new(1);
    for visitor in [VICTIM, 1] {
        siege.say(visitor, find!("text"));
    }
    let (attacker, id) = siege.present().unwrap();
    let text = "\u{1f600}".repeat(2_000);
    while siege.too_fast == 0 {
        siege.say(attacker, frame!("message", match_id: id, text: text));
    }
    let heard = siege.messages;
    assert!(heard < 30, "the bytes bind before the number of texts does");
    assert_eq!(siege.lobby.counters().too_fast, [(RateLimit::SignalBytes, 1)]);
    siege.say(attacker, frame!("message", match_id: id, text: text));
    assert_eq!(siege.messages, heard);
    siege.wait_ms(1_000, 1);
    siege.say(attacker, frame!("message", match_id: id, text: text));
    assert_eq!(siege.messages, heard + 1, "after the pause it goes on");
}

/// Visitors of one address who say hello, one socket after the other; the tokens of those who were taken in.
struct Door {
    lobby: Lobby,
    now: Time,
    sockets: u64,
}

impl Door {
    fn new(config: Config) -> Self {
        Door::of_process(7, config)
    }

    fn of_process(seed: u64, config: Config) -> Self {
        let session_secrets = vec![SessionSecret([7; 32])];
        let lobby = Lobby::new(Config { session_secrets, ..config }, key(seed));
        Door { lobby, now: Time::from_micros(1_000_000_000), sockets: 0 }
    }

    fn handle(&mut self, input: Input) -> Vec<ServerMessage> {
        let mut outputs = Outputs::new();
        self.lobby.handle(self.now, input, &mut outputs);
        if let Err(violation) = self.lobby.audit() {
            panic!("{violation}");
        }
        let said = outputs.drain().filter_map(|output| match output {
            Output::Send { message, .. } => Some(message),
            Output::Ping { .. } | Output::Close { .. } | Output::Cluster(_) => None,
        });
        said.collect()
    }

    fn open(&mut self, host: u64) -> ConnectionId {
        self.sockets += 1;
        let connection = ConnectionId(self.sockets);
        self.handle(Input::Opened { connection, limiting: Limiting::Bound(Source { host, site: None }) });
        connection
    }

    fn hello(&mut self, connection: ConnectionId, token: Option<&str>) -> Greeted {
        let frame = match token {
            Some(token) => frame!("hello", version: 1, resume: token),
            None => frame!("hello", version: 1),
        };
        let message = read_client_message(&frame.to_string(), &Config::default().limits).unwrap();
        let greeted = self.handle(Input::Received { connection, message });
        match greeted.into_iter().next() {
            Some(ServerMessage::Welcome { resume_token: Some(token), resumed, .. }) => {
                Greeted::Welcome { token: token.0, resumed: resumed == Some(true) }
            }
            Some(ServerMessage::Error { retry_after_ms: Some(pause_ms), .. }) => Greeted::Later(pause_ms),
            other => panic!("{other:?}"),
        }
    }

    fn lose(&mut self, connection: ConnectionId) {
        self.handle(Input::Closed { connection, ending: Ending::Broken });
    }
}

#[derive(Debug)]
enum Greeted {
    Welcome { token: String, resumed: bool },
    Later(u64),
}

impl Greeted {
    fn token(self) -> String {
        match self {
            Greeted::Welcome { token, .. } => token,
            Greeted::Later(pause_ms) => panic!("told to wait {pause_ms} ms"),
        }
    }
}

#[test]
fn one_address_that_says_hello_all_day_holds_nobody_at_the_door() {
    let mut door = Door::new(Config::default());
    let mut longest = 0;
    for second in 0..20 {
        // 2,600 sockets a second, of which 500 are open at a time; each asks, and the oldest goes.
        let mut open = std::collections::VecDeque::new();
        for number in 0..2_600_u64 {
            let connection = door.open(1);
            let _ = door.hello(connection, None);
            open.push_back(connection);
            if open.len() > 500
                && let Some(oldest) = open.pop_front()
            {
                door.handle(Input::Closed { connection: oldest, ending: Ending::CloseFrame });
            }
            if number % 100 == 0 {
                let honest = door.open(1_000 + second * 100 + number / 100);
                if let Greeted::Later(pause_ms) = door.hello(honest, None) {
                    longest = longest.max(pause_ms);
                }
            }
            door.now = door.now + Span::from_micros(385);
        }
        for connection in open {
            door.handle(Input::Closed { connection, ending: Ending::CloseFrame });
        }
    }
    assert!(longest <= 50, "somebody was told to wait {longest} ms");
}

#[test]
fn who_comes_back_by_its_token_waits_behind_nobody_and_a_forged_one_buys_nothing() {
    let mut door = Door::new(Config { admission_rate: 10, ..Config::default() });
    let lost = door.open(1);
    let token = door.hello(lost, None).token();
    door.lose(lost);
    // Everybody else comes in at once.
    for host in 2..1_000 {
        let connection = door.open(host);
        let _ = door.hello(connection, None);
    }
    let back = door.open(1);
    let greeted = door.hello(back, Some(&token));
    assert!(matches!(greeted, Greeted::Welcome { resumed: true, .. }), "{greeted:?}");
    // Used up, cut off, made up: these wait like anybody.
    for bad in [token.as_str(), &token[..token.len() - 2], "AAAA"] {
        let connection = door.open(1);
        let greeted = door.hello(connection, Some(bad));
        assert!(matches!(greeted, Greeted::Later(pause_ms) if pause_ms > 1_000), "{greeted:?}");
    }
}

#[test]
fn after_a_restart_too_tokens_come_before_newcomers() {
    let mut before = Door::new(Config::default());
    let tokens: Vec<String> = (0..50)
        .map(|host| {
            let connection = before.open(host);
            before.hello(connection, None).token()
        })
        .collect();
    let mut after = Door::of_process(8, Config { admission_rate: 1, ..Config::default() });
    for host in 0..100 {
        let connection = after.open(host);
        let _ = after.hello(connection, None);
    }
    for token in tokens {
        let connection = after.open(7);
        let greeted = after.hello(connection, Some(&token));
        assert!(matches!(greeted, Greeted::Welcome { resumed: true, .. }), "{greeted:?}");
    }
}

#[test]
fn a_session_that_resumes_again_and_again_is_told_to_pause() {
    let mut door = Door::new(Config::default());
    let mut connection = door.open(1);
    let mut token = door.hello(connection, None).token();
    let mut resumes = 0;
    let pause_ms = loop {
        door.lose(connection);
        connection = door.open(1);
        match door.hello(connection, Some(&token)) {
            Greeted::Welcome { token: newest, .. } => token = newest,
            Greeted::Later(pause_ms) => break pause_ms,
        }
        resumes += 1;
    };
    assert_eq!(resumes, 10);
    door.now = door.now + Span::from_millis(pause_ms);
    let greeted = door.hello(connection, Some(&token));
    assert!(matches!(greeted, Greeted::Welcome { resumed: true, .. }), "{greeted:?}");
}

#[test]
fn sessions_without_a_socket_count_towards_their_address() {
    let mut door = Door::new(Config::default());
    for host in [1, 2] {
        for _ in 0..5_000 {
            let connection = door.open(host);
            if let Greeted::Later(pause_ms) = door.hello(connection, None) {
                door.now = door.now + Span::from_millis(pause_ms);
                door.hello(connection, None);
            }
            door.lose(connection);
            door.handle(Input::Timeout);
        }
    }
    let kept = door.lobby.gauges().sessions;
    assert!(kept <= 2 * 500, "{kept} sessions of two addresses are kept");
    assert!(door.lobby.counters().not_kept > 0);
    // Another address has its own.
    let lost = door.open(3);
    let token = door.hello(lost, None).token();
    door.lose(lost);
    let back = door.open(3);
    let greeted = door.hello(back, Some(&token));
    assert!(matches!(greeted, Greeted::Welcome { resumed: true, .. }), "{greeted:?}");
}

#[test]
fn a_session_that_pings_first_is_told_to_pause_as_well() {
    let mut door = Door::new(Config::default());
    let mut connection = door.open(1);
    let mut token = door.hello(connection, None).token();
    let mut resumes = 0;
    loop {
        door.lose(connection);
        connection = door.open(1);
        let message = read_client_message(&frame!("ping").to_string(), &Config::default().limits).unwrap();
        door.handle(Input::Received { connection, message });
        match door.hello(connection, Some(&token)) {
            Greeted::Welcome { token: newest, .. } => token = newest,
            Greeted::Later(_) => break,
        }
        resumes += 1;
        assert!(resumes <= 10, "nobody stops it");
    }
    assert_eq!(resumes, 10);
}

#[test]
fn a_token_that_brings_nothing_back_opens_the_door_for_nobody() {
    let mut before = Door::new(Config::default());
    let connection = before.open(1);
    let _ = before.hello(connection, None);
    let stranger = before.open(2);
    let mut newest = None;
    // The stranger holds no token: their match cannot be rebuilt.
    for visitor in [connection, stranger] {
        let message = read_client_message(&find!("text").to_string(), &Config::default().limits).unwrap();
        for said in before.handle(Input::Received { connection: visitor, message }) {
            if let ServerMessage::PartnerFound(found) = said {
                newest = found.resume_token.or(newest);
            }
        }
    }
    let token = newest.unwrap().0;
    let mut after = Door::of_process(8, Config { admission_rate: 1, ..Config::default() });
    for host in 0..100 {
        let connection = after.open(host);
        let _ = after.hello(connection, None);
    }
    let mut last = None;
    for _ in 0..3 {
        let connection = after.open(7);
        match after.hello(connection, Some(&token)) {
            Greeted::Later(pause_ms) => last = Some((connection, pause_ms)),
            greeted => panic!("{greeted:?}"),
        }
    }
    let (connection, pause_ms) = last.unwrap();
    after.now = after.now + Span::from_millis(pause_ms);
    let greeted = after.hello(connection, Some(&token));
    assert!(matches!(greeted, Greeted::Welcome { resumed: false, .. }), "its turn has come: {greeted:?}");
}

#[test]
fn lists_of_many_empty_words_are_no_small_thing() {
    let limits = Config::default().limits;
    let many = vec![""; 5_000];
    let read = |frame: Value| read_client_message(&frame.to_string(), &limits).unwrap().payload_bytes();
    assert!(read(find!("text", interests: (many.clone()))) >= 5_000 * 24);
    // Of blocks only the last 256 are kept at all.
    let greeting = read(frame!("hello", version: 1, blocks: (many.clone())));
    assert!((256 * 24..1_000 * 24).contains(&greeting), "{greeting}");
}
