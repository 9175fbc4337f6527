//! A visitor whose socket is lost comes back as docs/protocol.md says: by the newest token, counting what it has heard.

use visavis_lobby::{Span, Time};
use visavis_protocol::{
    ClientMessage, ErrorCode, Hello, Kind, MatchId, Mode, Next, SearchMessage, SessionMessage, SignalMessage,
};
use visavis_sim::{Act, Found, Habit, Heard, Input, Marker, Order, Part, Script, Status, Visitor};

const MATCH: MatchId = MatchId(0x51);

struct Stage {
    visitor: Visitor,
    now: Time,
    sent: Vec<ClientMessage>,
}

impl Stage {
    fn of(script: Script) -> Self {
        Stage { visitor: Visitor::new(1, script, 1), now: Time::from_micros(9), sent: Vec::new() }
    }

    /// Welcomed, and in a match.
    fn met() -> Self {
        let mut stage = Stage::of(SCRIPT);
        stage.feed(Input::Opened);
        stage.hears(welcome("first", None));
        stage.feed(Input::Pressed);
        stage.hears(found("second"));
        stage
    }

    fn feed(&mut self, input: Input<'_>) {
        let mut acts = Vec::new();
        self.visitor.handle(self.now, input, &mut acts);
        self.sent = acts
            .into_iter()
            .filter_map(|act| match act {
                Act::Send(message) => Some(message),
                Act::StopReading | Act::Reopen { .. } | Act::Note(_) => None,
            })
            .collect();
    }

    fn hears(&mut self, heard: Heard<'_>) {
        self.feed(Input::Heard(heard));
    }

    fn loses_its_socket_and_opens_another(&mut self) -> Hello {
        self.feed(Input::Lost);
        self.feed(Input::Opened);
        self.said_hello()
    }

    fn said_hello(&self) -> Hello {
        match self.sent.as_slice() {
            [ClientMessage::Session(SessionMessage::Hello(hello))] => hello.clone(),
            other => panic!("expected a hello, not {other:?}"),
        }
    }
}

const SCRIPT: Script = Script {
    kind: Kind::Video,
    order: Order::Ticket,
    handshake: true,
    requeue: true,
    hello: true,
    trickle: Span::ZERO,
    pool: None,
    habit: Habit::Returns,
};

fn welcome(token: &str, resumed: Option<MatchId>) -> Heard<'_> {
    Heard::Welcome { resumed: resumed.is_some(), resume_token: Some(token), match_id: resumed }
}

fn found(token: &str) -> Heard<'_> {
    Heard::PartnerFound(Found {
        match_id: MATCH,
        initiator: true,
        mode: Mode::AnswerOffer,
        offer: None,
        resume_token: Some(token),
    })
}

#[test]
fn it_presents_the_newest_token_and_what_it_has_heard_since_the_welcome() {
    let mut stage = Stage::met();
    stage.hears(Heard::Typing);
    let hello = stage.loses_its_socket_and_opens_another();
    assert_eq!(hello.resume.unwrap().0, "second");
    assert_eq!(hello.received, Some(2));
    stage.hears(welcome("third", Some(MATCH)));
    assert_eq!(stage.visitor.status(), Status::Matched);
    let hello = stage.loses_its_socket_and_opens_another();
    assert_eq!((hello.resume.unwrap().0.as_str(), hello.received), ("third", Some(0)));
}

#[test]
fn told_to_wait_it_presents_the_same_token_once_more() {
    let mut stage = Stage::met();
    stage.loses_its_socket_and_opens_another();
    stage.hears(Heard::Error { code: ErrorCode::TooFast, retry_after_ms: Some(400) });
    let due = stage.visitor.poll_timeout().unwrap();
    let (asked, jitter) = (stage.now + Span::from_millis(400), Span::from_millis(200));
    assert!(due >= asked && due <= asked + jitter, "{due:?}");
    stage.now = due;
    stage.feed(Input::Timeout);
    assert_eq!(stage.said_hello().resume.unwrap().0, "second");
}

#[test]
fn a_match_that_was_over_meanwhile_is_not_gone_on_with() {
    let mut stage = Stage::met();
    stage.loses_its_socket_and_opens_another();
    stage.hears(Heard::Welcome { resumed: true, resume_token: Some("third"), match_id: None });
    assert_eq!(stage.visitor.status(), Status::Searching);
}

#[test]
fn a_next_that_was_lost_with_the_socket_is_pressed_again() {
    let mut stage = Stage::met();
    stage.feed(Input::Pressed);
    assert_eq!(stage.visitor.status(), Status::Searching);
    stage.loses_its_socket_and_opens_another();
    stage.hears(welcome("third", Some(MATCH)));
    let again = |message: &ClientMessage| {
        matches!(message, ClientMessage::Search(SearchMessage::Next(Next { match_id: Some(MATCH), .. })))
    };
    assert!(stage.sent.iter().any(again), "{:?}", stage.sent);
}

#[test]
fn trickled_candidates_go_one_by_one_within_the_time_given() {
    let classic = Script {
        order: Order::Classic,
        requeue: false,
        hello: false,
        trickle: Span::from_millis(400),
        habit: Habit::Patient,
        ..SCRIPT
    };
    let mut stage = Stage::of(classic);
    stage.feed(Input::Opened);
    stage.feed(Input::Pressed);
    stage.hears(Heard::PartnerFound(Found {
        match_id: MATCH,
        initiator: true,
        mode: Mode::Negotiate,
        offer: None,
        resume_token: None,
    }));
    assert!(
        matches!(stage.sent.as_slice(), [ClientMessage::Signal(SignalMessage::Offer(_))]),
        "{:?}",
        stage.sent
    );
    let begin = stage.now;
    for step in 1..=4 {
        stage.now = stage.visitor.poll_timeout().unwrap();
        assert_eq!(stage.now, begin + Span::from_millis(100 * step));
        stage.feed(Input::Timeout);
        assert!(
            matches!(stage.sent.as_slice(), [ClientMessage::Signal(SignalMessage::IceCandidate(_))]),
            "{:?}",
            stage.sent
        );
    }
    assert_eq!(stage.visitor.poll_timeout(), None);
    let stranger = Marker { sender: 2, serial: 0, match_id: MATCH, sent_at: begin };
    let (answer, candidates) = (stranger.description(Part::Answer).unwrap(), stranger.candidates().unwrap());
    stage.hears(Heard::Answer { match_id: MATCH, sdp: answer.reveal_json() });
    stage.hears(Heard::IceCandidate { match_id: MATCH, candidate: candidates.reveal_json() });
    assert_eq!(stage.visitor.status(), Status::Connected);
}
