//! A second user of the sessions: a room in which everybody hears what they said themselves. It knows no strangers, tickets or
//! nodes, and has everything else: tokens, replay, rates, admission and signs of life.

use super::{A, B, Value, Visitor, frame, key};
use crate::crowd::Act;
use crate::ids::SessionKey;
use crate::session::Engagement;
use crate::sessions::{Recognised, Sessions, Sign, Silence, Welcome};
use crate::{Config, Ending, Input, Limiting, Output, Outputs, SessionSecret, Source, Span, Time};
use std::sync::Arc;
use visavis_protocol::{
    ClientMessage, Hello, MatchId, Message, ServerMessage, SessionMessage, SignalMessage, read_client_message,
};

struct EchoRoom {
    sessions: Sessions,
    now: Time,
    outputs: Outputs,
}

impl EchoRoom {
    fn new(config: Config) -> Self {
        let config = Config { session_secrets: vec![SessionSecret([7; 32])], ..config };
        let sessions = Sessions::new(Arc::new(config), &key(7));
        EchoRoom { sessions, now: Time::from_micros(1_000_000_000), outputs: Outputs::new() }
    }

    fn handle(&mut self, input: Input) -> Vec<Output> {
        self.sessions.tell_time(self.now);
        match input {
            Input::Opened { connection, limiting } => {
                let session = self.sessions.open(connection, limiting);
                self.sessions.engage(session, Engagement::Engaged);
            }
            Input::Received { connection, message } => {
                if let Some(life) = self.sessions.note_seen(connection, Sign::Frame) {
                    let session = life.session;
                    self.sessions.note_said(session, Some(message.message_type()));
                    if self.sessions.take(session, Act::Message, &mut self.outputs)
                        && self.sessions.admit(session, &message, &mut self.outputs)
                    {
                        self.on_message(session, message);
                    }
                }
            }
            Input::Alive { connection, mark } => {
                if let (Some(life), Some(mark)) = (self.sessions.note_seen(connection, Sign::Socket), mark) {
                    self.sessions.acknowledge(life.session, mark);
                }
            }
            Input::Closed { connection, ending } => match (self.sessions.at(connection), ending) {
                (Some(session), Ending::CloseFrame) => self.end(session),
                (Some(session), Ending::Broken) => self.detach(session),
                (None, _) => {}
            },
            Input::Drain { spread } => self.sessions.drain(spread, &mut self.outputs),
            Input::Timeout => self.run_timers(),
            Input::Malformed { .. } | Input::Reported(_) | Input::Cluster(_) => {
                panic!("nobody says that here")
            }
        }
        for session in self.sessions.take_expelled() {
            self.end(session);
        }
        if let Err(violation) = self.sessions.audit() {
            panic!("{violation}");
        }
        self.outputs.drain().collect()
    }

    fn on_message(&mut self, session: SessionKey, message: ClientMessage) {
        match message {
            ClientMessage::Session(SessionMessage::Hello(hello)) => self.on_hello(session, &hello),
            ClientMessage::Session(SessionMessage::Ping(_)) => {
                self.sessions.on_ping(session, &mut self.outputs);
            }
            ClientMessage::Signal(SignalMessage::Message(Message { text, .. })) => {
                let echo = ServerMessage::Message { match_id: MatchId(1), text };
                self.sessions.say(session, echo, &mut self.outputs);
            }
            other => panic!("nobody says that here: {other:?}"),
        }
    }

    fn on_hello(&mut self, session: SessionKey, hello: &Hello) {
        self.sessions.note_greeting(session, hello);
        let recognised = hello.resume.as_ref().and_then(|token| self.sessions.recognise(token));
        match recognised {
            Some(Recognised { opened, here: Some(known) }) => {
                let generation = opened.claims.generation;
                self.sessions.take_over(session, known, generation, &mut self.outputs);
                let missed = self.sessions.take_missed(known, hello.received.unwrap_or(0));
                self.welcome(known, Some(true));
                for message in missed {
                    self.sessions.say_again(known, message, &mut self.outputs);
                }
            }
            Some(Recognised { here: None, .. }) | None => {
                self.sessions.identify(session);
                self.welcome(session, hello.resume.as_ref().map(|_| false));
            }
        }
    }

    fn welcome(&mut self, session: SessionKey, resumed: Option<bool>) {
        let claims = self.sessions.claims(session);
        let resume_token = claims.and_then(|claims| self.sessions.tokens.seal(&claims));
        let online = u32::try_from(self.sessions.online()).unwrap();
        let welcome = Welcome { resumed, online, resume_token, match_id: None };
        self.sessions.welcome(session, welcome, &mut self.outputs);
    }

    fn detach(&mut self, session: SessionKey) {
        if !self.sessions.is_recognisable(session) || !self.sessions.may_keep(session) {
            return self.end(session);
        }
        self.sessions.disconnect(session);
        self.sessions.keep_until(session, self.now + self.sessions.config.grace);
    }

    fn end(&mut self, session: SessionKey) {
        self.sessions.disconnect(session);
        self.sessions.remove(session);
    }

    fn run_timers(&mut self) {
        while let Some(session) = self.sessions.pop_due() {
            match self.sessions.on_silence_check(session, &mut self.outputs) {
                Silence::Bearable => {}
                Silence::TooLong => {
                    self.sessions.close_silent(session, &mut self.outputs);
                    self.detach(session);
                }
                Silence::GraceIsOver => self.end(session),
            }
        }
    }

    /// Lets time pass. What happens meanwhile, in order.
    fn advance(&mut self, span: Span) -> Vec<Output> {
        let until = self.now + span;
        let mut happened = Vec::new();
        while let Some(at) = self.sessions.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            happened.extend(self.handle(Input::Timeout));
        }
        self.now = until;
        happened
    }

    fn open(&mut self, visitor: Visitor) {
        let limiting = Limiting::Bound(Source { host: visitor.0, site: None });
        assert!(self.handle(Input::Opened { connection: visitor.connection(), limiting }).is_empty());
    }

    /// The answers to this frame, as on the wire.
    fn say(&mut self, visitor: Visitor, frame: Value) -> Vec<Value> {
        let message = read_client_message(&frame.to_string(), &Config::default().limits).expect("well said");
        let answers = self.handle(Input::Received { connection: visitor.connection(), message });
        let heard = |output| match output {
            Output::Send { connection, message } if connection == visitor.connection() => {
                super::wire(&message)
            }
            other => panic!("{visitor:?} spoke, and this came: {other:?}"),
        };
        answers.into_iter().map(heard).collect()
    }

    /// Says `hello`, and gives the token of the welcome.
    fn greet(&mut self, visitor: Visitor) -> Value {
        let answers = self.say(visitor, frame!("hello", version: 1));
        assert_eq!(answers.len(), 1, "{answers:?}");
        answers[0]["resume_token"].clone()
    }

    fn lose(&mut self, visitor: Visitor) {
        let lost = Input::Closed { connection: visitor.connection(), ending: Ending::Broken };
        assert!(self.handle(lost).is_empty());
    }
}

fn text(text: &str) -> Value {
    frame!("message", match_id: "0000000000000001", text: text)
}

#[test]
fn a_room_without_strangers_hears_and_answers() {
    let mut room = EchoRoom::new(Config::default());
    room.open(A);
    room.greet(A);
    assert_eq!(room.say(A, text("hello?")), [text("hello?")]);
    assert_eq!(room.say(A, frame!("ping")), [frame!("pong", received: 3)]);
}

#[test]
fn what_was_said_to_somebody_who_is_away_is_heard_after_a_resume() {
    let mut room = EchoRoom::new(Config::default());
    room.open(A);
    let token = room.greet(A);
    room.say(A, text("one"));
    room.say(A, text("two"));
    room.lose(A);
    room.open(B);
    // It had received the welcome, and one message since.
    let answers = room.say(B, frame!("hello", version: 1, resume: token, received: 1));
    assert_eq!((&answers[0]["resumed"], &answers[0]["online"]), (&Value::Bool(true), &Value::from(1)));
    assert_eq!(answers[1..], [text("two")]);
    // The token is used up.
    room.open(Visitor(9));
    let refused = room.say(Visitor(9), frame!("hello", version: 1, resume: token));
    assert_eq!(refused[0]["resumed"], Value::Bool(false));
}

#[test]
fn a_session_that_nobody_comes_back_for_ends() {
    let mut room = EchoRoom::new(Config::default());
    room.open(A);
    let token = room.greet(A);
    room.lose(A);
    assert_eq!((room.sessions.online(), room.sessions.len()), (0, 1));
    room.advance(Config::default().grace);
    assert_eq!(room.sessions.len(), 0);
    room.open(B);
    let answers = room.say(B, frame!("hello", version: 1, resume: token));
    assert_eq!(answers[0]["resumed"], Value::Bool(false));
}

#[test]
fn whoever_says_nothing_is_pinged_and_then_cut() {
    let Config { ping_after, cut_after, .. } = Config::default();
    let mut room = EchoRoom::new(Config::default());
    room.open(A);
    let connection = A.connection();
    assert_eq!(room.advance(ping_after), [Output::Ping { connection, mark: 0 }]);
    assert!(room.handle(Input::Alive { connection, mark: Some(0) }).is_empty());
    assert_eq!(room.advance(ping_after), [Output::Ping { connection, mark: 0 }]);
    let last = room.advance(cut_after - ping_after).pop();
    assert!(
        matches!(last, Some(Output::Close { connection: closed, .. }) if closed == connection),
        "{last:?}"
    );
    assert_eq!(room.sessions.len(), 0);
}

#[test]
fn whoever_says_too_much_is_refused_and_at_last_expelled() {
    let config = Config { message_burst: 2, max_refusals: 1, ..Config::default() };
    let mut room = EchoRoom::new(config);
    room.open(A);
    for _ in 0..2 {
        assert_eq!(room.say(A, text("again")).len(), 1);
    }
    assert_eq!(room.say(A, text("again"))[0]["code"], "too_fast");
    let message =
        read_client_message(&text("again").to_string(), &Config::default().limits).expect("well said");
    let outputs = room.handle(Input::Received { connection: A.connection(), message });
    assert!(matches!(outputs[..], [Output::Send { .. }, Output::Close { .. }]), "{outputs:?}");
    assert_eq!((room.sessions.online(), room.sessions.len()), (0, 0));
}

#[test]
fn a_herd_is_told_when_to_come_again() {
    let mut room = EchoRoom::new(Config { admission_rate: 1, ..Config::default() });
    let refused = (0..40).filter(|n| {
        let visitor = Visitor(*n);
        room.open(visitor);
        room.say(visitor, text("anybody?"))[0]["code"] == "too_fast"
    });
    assert!(refused.count() > 30);
}
