//! The harness: a script of inputs in virtual time against the exact outputs, nothing left over.
//!
//! Frames are written as on the wire and pass through the real reader. Every output has to be expected, in order,
//! before the next input; a script that ends with outputs unread fails. The audit looks at the lobby after every input.

mod acquaintances;
mod asking;
mod blocking;
mod choosing;
mod cost;
mod draining;
mod echo;
mod floods;
mod ghosts;
mod greeting;
mod guessing;
mod leaving;
mod line;
mod matching;
mod modes;
mod nodes;
mod rates;
mod relaxing;
mod relay_only;
mod reporting;
mod requeue;
mod resuming;
mod signals;
mod signs_of_life;

use crate::ids::ConnectionId;
use crate::{Config, Ending, Input, Limiting, Lobby, LobbyKey, Output, Outputs, Source, Span, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use visavis_protocol::{CloseCode, MatchId, MessageType, ServerMessage, read_client_message};

pub(crate) use serde_json::{Value, json};

/// A frame as on the wire: `frame!("typing", match_id: m, on: true)`.
macro_rules! frame {
    ($type:expr $(, $field:ident: $value:tt)* $(,)?) => {
        $crate::tests::json!({ "type": $type $(, (stringify!($field)): $value)* })
    };
}

/// A search: `find!("video", interests: ["jazz"])`.
macro_rules! find {
    ($kind:expr $(, $field:ident: $value:tt)* $(,)?) => {
        $crate::tests::frame!("find_partner", kind: ($kind) $(, $field: $value)*)
    };
}

pub(crate) use {find, frame};

/// One visitor and its only connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Visitor(pub(crate) u64);

pub(crate) const A: Visitor = Visitor(0);
pub(crate) const B: Visitor = Visitor(1);
pub(crate) const C: Visitor = Visitor(2);
pub(crate) const D: Visitor = Visitor(3);

impl Visitor {
    pub(crate) fn connection(self) -> ConnectionId {
        ConnectionId(self.0)
    }
}

impl fmt::Debug for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u32::try_from(self.0).ok().and_then(|n| char::from_digit(n + 10, 36)) {
            Some(letter) => write!(f, "{}", letter.to_ascii_uppercase()),
            None => write!(f, "visitor {}", self.0),
        }
    }
}

/// What both sides of a match are told. The default: strangers without wishes, in the classic order.
pub(crate) struct Found {
    pub(crate) mode: &'static str,
    pub(crate) shared: &'static [&'static str],
    pub(crate) language: Option<&'static str>,
    /// Comes with the responder's `partner_found`.
    pub(crate) offer: Option<&'static str>,
}

impl Default for Found {
    fn default() -> Self {
        Found { mode: "negotiate", shared: &[], language: None, offer: None }
    }
}

/// A lobby's key that anybody can guess.
pub(crate) fn key(number: u64) -> LobbyKey {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&number.to_be_bytes());
    LobbyKey::new(key)
}

pub(crate) struct Script {
    lobby: Lobby,
    now: Time,
    unread: VecDeque<Output>,
    here: BTreeSet<Visitor>,
    /// How many frames each has sent, and the type of the last one.
    said: BTreeMap<Visitor, (u32, Option<Value>)>,
    /// Those who answer no ping. Everybody else does, at once and unmentioned.
    silent: BTreeSet<Visitor>,
}

impl Script {
    pub(crate) fn new() -> Self {
        Script::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        Script {
            lobby: Lobby::new(config, key(7)),
            now: Time::from_micros(1_000_000_000),
            unread: VecDeque::new(),
            here: BTreeSet::new(),
            said: BTreeMap::new(),
            silent: BTreeSet::new(),
        }
    }

    /// A script in which nobody is told how the waiting goes, past the first time.
    pub(crate) fn without_news() -> Self {
        Script::with(Config { waiting_interval: Span::from_secs(1_000_000), ..Config::default() })
    }

    /// A and B, matched by the same search; A initiates.
    pub(crate) fn matched(search: Value) -> (Self, MatchId) {
        let mut script = Script::without_news();
        script.open(A);
        script.open(B);
        let present = script.pair(A, B, search);
        (script, present)
    }

    /// A and B in a text chat whose rate of text is this.
    pub(crate) fn with_text_burst(text_burst: u32) -> (Self, MatchId) {
        let waiting_interval = Span::from_secs(1_000_000);
        let mut script = Script::with(Config { text_burst, waiting_interval, ..Config::default() });
        script.open(A);
        script.open(B);
        let present = script.pair(A, B, find!("text"));
        (script, present)
    }

    /// How many frames a visitor has sent.
    pub(crate) fn frames_of(&self, visitor: Visitor) -> u32 {
        self.said.get(&visitor).map_or(0, |(count, _)| *count)
    }

    /// Two open visitors match by the same search, the first of them waiting before.
    pub(crate) fn pair(&mut self, first: Visitor, second: Visitor, search: Value) -> MatchId {
        let mode = if search["kind"] == "text" { "text" } else { "negotiate" };
        self.say(first, search.clone());
        self.expect_waiting(first);
        self.say(second, search);
        self.expect_found(first, second, Found { mode, ..Found::default() })
    }

    pub(crate) fn open(&mut self, visitor: Visitor) {
        self.open_as(visitor, Limiting::Bound(Source { host: visitor.0, site: None }));
    }

    pub(crate) fn open_as(&mut self, visitor: Visitor, limiting: Limiting) {
        self.here.insert(visitor);
        self.input(Input::Opened { connection: visitor.connection(), limiting });
    }

    /// The visitor's client sends this frame.
    pub(crate) fn say(&mut self, visitor: Visitor, frame: Value) {
        let connection = visitor.connection();
        let read = read_client_message(&frame.to_string(), &Config::default().limits);
        let known = frame["type"].as_str().and_then(MessageType::named);
        let (count, last) = self.said.entry(visitor).or_default();
        *count += 1;
        *last = known.map(|of| json!(of));
        self.input(match read {
            Ok(message) => Input::Received { connection, message },
            Err(refusal) => Input::Malformed { connection, refusal },
        });
    }

    pub(crate) fn pong(&mut self, visitor: Visitor) {
        self.input(Input::Alive { connection: visitor.connection(), mark: None });
    }

    /// From now on this visitor answers no ping.
    pub(crate) fn goes_silent(&mut self, visitor: Visitor) {
        self.silent.insert(visitor);
    }

    pub(crate) fn close(&mut self, visitor: Visitor, ending: Ending) {
        self.here.remove(&visitor);
        self.input(Input::Closed { connection: visitor.connection(), ending });
    }

    /// Lets time pass; what is due on the way happens at its moment.
    pub(crate) fn advance(&mut self, span: Span) {
        self.nothing_left();
        let until = self.now + span;
        while let Some((at, _)) = self.lobby.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            self.handle(Input::Timeout);
        }
        self.now = until;
    }

    pub(crate) fn advance_ms(&mut self, millis: u64) {
        self.advance(Span::from_millis(millis));
    }

    /// The shell's clock tells another time, earlier perhaps; nothing due is run.
    pub(crate) fn clock_says(&mut self, now: Time) {
        self.now = now;
    }

    pub(crate) fn now(&self) -> Time {
        self.now
    }

    pub(crate) fn lobby(&self) -> &Lobby {
        &self.lobby
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.nothing_left();
        self.handle(input);
    }

    fn handle(&mut self, input: Input) {
        let mut outputs = Outputs::new();
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.lobby.handle(self.now, input, &mut outputs);
            for output in outputs.drain() {
                match output {
                    Output::Ping { connection, .. } if !self.silent.contains(&Visitor(connection.0)) => {
                        inputs.push_back(Input::Alive { connection, mark: None });
                    }
                    Output::Close { connection, .. } => {
                        self.here.remove(&Visitor(connection.0));
                        self.unread.push_back(output);
                    }
                    Output::Ping { .. } | Output::Send { .. } | Output::Cluster(_) => {
                        self.unread.push_back(output)
                    }
                }
            }
            if let Err(violation) = self.lobby.audit() {
                panic!("{violation}");
            }
        }
    }

    fn next_output(&mut self, wanted: impl fmt::Debug) -> Output {
        self.unread.pop_front().unwrap_or_else(|| panic!("expected {wanted:?}, and nothing came"))
    }

    /// The next thing sent, to whomever, as on the wire.
    fn next_message(&mut self, wanted: impl fmt::Debug) -> (Visitor, Value) {
        match self.next_output(&wanted) {
            Output::Send { connection, message } => (Visitor(connection.0), wire(&message)),
            other => panic!("expected {wanted:?}, got {other:?}"),
        }
    }

    /// The next thing sent, which must go to `visitor`, whatever it says.
    pub(crate) fn hear(&mut self, visitor: Visitor) -> Value {
        let (to, message) = self.next_message(visitor);
        assert_eq!(to, visitor, "{message}");
        message
    }

    /// The process ends without a word, and another one with the same settings begins.
    pub(crate) fn restart(&mut self, config: Config, seed: u64) {
        self.nothing_left();
        self.lobby = Lobby::new(config, key(seed));
        self.here.clear();
    }

    pub(crate) fn expect(&mut self, visitor: Visitor, frame: Value) {
        assert_eq!(self.next_message((visitor, &frame)), (visitor, frame));
    }

    /// `waiting` with the right number of people; whatever estimate comes with it.
    pub(crate) fn expect_waiting(&mut self, visitor: Visitor) {
        let (to, mut message) = self.next_message((visitor, "waiting"));
        if let Some(fields) = message.as_object_mut() {
            fields.remove("estimate_ms");
        }
        assert_eq!((to, message), (visitor, frame!("waiting", online: (self.here.len()))));
    }

    pub(crate) fn expect_match(&mut self, initiator: Visitor, responder: Visitor) -> MatchId {
        self.expect_found(initiator, responder, Found::default())
    }

    /// `partner_found` on both sides, exactly; returns the id that both were told.
    pub(crate) fn expect_found(&mut self, initiator: Visitor, responder: Visitor, found: Found) -> MatchId {
        let (_, first) = match self.unread.front() {
            Some(Output::Send { message, .. }) => ((), wire(message)),
            other => panic!("expected a match of {initiator:?} and {responder:?}, got {other:?}"),
        };
        let id = &first["match_id"];
        let told = |initiates: bool| {
            frame!("partner_found", match_id: id, initiator: initiates, mode: (found.mode),
                shared_interests: (found.shared), language: (found.language))
        };
        self.expect(initiator, told(true));
        let mut to_responder = told(false);
        if let Some(sdp) = found.offer {
            to_responder["offer"] = json!({ "sdp": sdp });
        }
        self.expect(responder, to_responder);
        serde_json::from_value(id.clone()).expect("a match id")
    }

    pub(crate) fn expect_left(&mut self, visitor: Visitor, id: MatchId, reason: &str, requeued: Requeued) {
        let requeued = requeued == Requeued::Yes;
        self.expect(visitor, frame!("partner_left", match_id: id, reason: reason, requeued: requeued));
    }

    /// An error to `visitor`, which says that it is about the frame that this visitor sent last.
    fn next_error(&mut self, visitor: Visitor, code: &str) -> (Visitor, Value) {
        let (to, mut message) = self.next_message((visitor, code));
        if let Some(fields) = message.as_object_mut() {
            let about = (fields.remove("of"), fields.remove("nth"));
            let (count, last) = self.said.get(&visitor).cloned().unwrap_or_default();
            assert_eq!(about, (last, Some(json!(count))), "which frame is this about? {message}");
        }
        (to, message)
    }

    /// An error that no waiting mends, and that names its culprit.
    pub(crate) fn expect_refusal(&mut self, visitor: Visitor, code: &str, culprit: &str) {
        let (to, message) = self.next_error(visitor, code);
        let sentence = message["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!((to, &message), (visitor, &frame!("error", code: code, retry: false, message: sentence)));
        assert!(sentence.contains(culprit), "{sentence:?} does not name {culprit:?}");
    }

    /// `too_fast`, and for how long to pause.
    pub(crate) fn expect_too_fast(&mut self, visitor: Visitor, retry_after_ms: u64) {
        let (to, message) = self.next_error(visitor, "too_fast");
        let sentence = &message["message"];
        let wanted = frame!("error", code: "too_fast", retry: true, message: sentence,
            retry_after_ms: retry_after_ms);
        assert_eq!((to, &message), (visitor, &wanted));
    }

    /// Told that a block holds; the handle.
    pub(crate) fn expect_blocked(&mut self, visitor: Visitor, id: MatchId) -> Value {
        let mut told = self.hear(visitor);
        let fields = told.as_object_mut().expect("an object");
        let handle = fields.remove("block").unwrap_or_else(|| panic!("no handle in {fields:?}"));
        fields.remove("resume_token");
        assert_eq!(told, frame!("blocked", match_id: id));
        handle
    }

    pub(crate) fn expect_ping(&mut self, visitor: Visitor) {
        assert_eq!(self.next_output("a ping"), Output::Ping { connection: visitor.connection(), mark: 0 });
    }

    pub(crate) fn expect_close(&mut self, visitor: Visitor, code: CloseCode) {
        match self.next_output((visitor, code)) {
            Output::Close { connection, code: told, .. } => {
                assert_eq!((Visitor(connection.0), told), (visitor, code));
            }
            other => panic!("expected {code:?} for {visitor:?}, got {other:?}"),
        }
    }

    pub(crate) fn expect_welcome(&mut self, visitor: Visitor) {
        let welcome = frame!("welcome", version: 1, online: (self.here.len()));
        self.expect_but_for_token(visitor, welcome);
    }

    pub(crate) fn expect_welcome_not_resumed(&mut self, visitor: Visitor) {
        let welcome = frame!("welcome", version: 1, online: (self.here.len()), resumed: false);
        self.expect_but_for_token(visitor, welcome);
    }

    fn expect_but_for_token(&mut self, visitor: Visitor, frame: Value) {
        let (to, mut message) = self.next_message((visitor, &frame));
        if let Some(fields) = message.as_object_mut() {
            fields.remove("resume_token");
        }
        assert_eq!((to, message), (visitor, frame));
    }

    /// All that is left to read, as text.
    pub(crate) fn unread(&mut self) -> impl Iterator<Item = String> {
        std::mem::take(&mut self.unread).into_iter().map(|output| describe(&output))
    }

    /// What was said is of no interest.
    pub(crate) fn discard(&mut self) {
        self.unread.clear();
    }

    pub(crate) fn nothing_left(&self) {
        let unread: Vec<_> = self.unread.iter().map(describe).collect();
        assert!(unread.is_empty(), "not expected: {unread:#?}");
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.nothing_left();
        }
    }
}

/// Whether the survivor was told that it waits again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Requeued {
    Yes,
    No,
}

fn wire(message: &ServerMessage) -> Value {
    serde_json::to_value(message).expect("every message has a form on the wire")
}

fn describe(output: &Output) -> String {
    match output {
        Output::Send { connection, message } => format!("to {:?}: {}", Visitor(connection.0), wire(message)),
        Output::Ping { connection, .. } => format!("ping to {:?}", Visitor(connection.0)),
        Output::Cluster(request) => format!("{request:?}"),
        Output::Close { connection, code, reason } => {
            format!("close {:?}: {code:?}, {reason}", Visitor(connection.0))
        }
    }
}
