//! A visitor who never complains proves nothing: every kind of broken promise, planted, is noticed.

use visavis_lobby::{Span, Time};
use visavis_protocol::{ErrorCode, Kind, LeftReason, MatchId, Mode};
use visavis_sim::{
    Act, Breach, Found, Habit, Heard, Input, Marker, Note, Order, Part, Script, Status, Visitor,
};

const OWN: u32 = 1;
const STRANGER: u32 = 2;
const MATCH: MatchId = MatchId(0x51);

struct Stage {
    visitor: Visitor,
    acts: Vec<Act>,
}

impl Stage {
    fn searching(order: Order) -> Self {
        let requeue = order == Order::Ticket;
        let habit = Habit::Patient;
        let trickle = Span::ZERO;
        let script = Script {
            kind: Kind::Video,
            order,
            handshake: true,
            requeue,
            hello: false,
            trickle,
            pool: None,
            habit,
        };
        let mut stage = Stage { visitor: Visitor::new(OWN, script, 1), acts: Vec::new() };
        stage.feed(Input::Opened);
        stage.feed(Input::Pressed);
        stage
    }

    fn met() -> Self {
        let mut stage = Stage::searching(Order::Classic);
        stage.hears(found(MATCH, true, Mode::Negotiate, None));
        stage
    }

    fn feed(&mut self, input: Input<'_>) {
        self.visitor.handle(Time::from_micros(9), input, &mut self.acts);
    }

    fn hears(&mut self, heard: Heard<'_>) {
        self.feed(Input::Heard(heard));
    }

    fn breaches(&self) -> Vec<Breach> {
        let breach = |act: &Act| match act {
            Act::Note(Note::Breach(breach)) => Some(*breach),
            Act::Send(_) | Act::StopReading | Act::Reopen { .. } | Act::Note(_) => None,
        };
        self.acts.iter().filter_map(breach).collect()
    }
}

fn found(match_id: MatchId, initiator: bool, mode: Mode, offer: Option<&str>) -> Heard<'_> {
    Heard::PartnerFound(Found { match_id, initiator, mode, offer, resume_token: None })
}

fn marker(sender: u32, match_id: MatchId) -> Marker {
    Marker { sender, serial: 0, match_id, sent_at: Time::from_micros(1) }
}

#[test]
fn a_handshake_in_order_is_no_breach() {
    let mut stage = Stage::met();
    let answer = marker(STRANGER, MATCH).description(Part::Answer).unwrap();
    stage.hears(Heard::Answer { match_id: MATCH, sdp: answer.reveal_json() });
    assert_eq!(stage.visitor.status(), Status::Matched);
    let candidates = marker(STRANGER, MATCH).candidates().unwrap();
    stage.hears(Heard::IceCandidate { match_id: MATCH, candidate: candidates.reveal_json() });
    assert_eq!((stage.breaches(), stage.visitor.status()), (vec![], Status::Connected));
}

#[test]
fn a_second_match_at_once_is_caught() {
    let mut stage = Stage::met();
    stage.hears(found(MatchId(7), false, Mode::Negotiate, None));
    assert_eq!(stage.breaches(), [Breach::TwoMatchesAtOnce { first: MATCH, second: MatchId(7) }]);
}

#[test]
fn a_match_for_an_idle_visitor_is_caught() {
    let mut stage = Stage::met();
    stage.hears(Heard::PartnerLeft {
        match_id: MATCH,
        reason: LeftReason::Stop,
        requeued: false,
        resume_token: None,
    });
    stage.hears(found(MatchId(7), true, Mode::Negotiate, None));
    assert_eq!(stage.breaches(), [Breach::UnwantedMatch(MatchId(7))]);
}

#[test]
fn a_late_candidate_of_an_earlier_match_is_caught() {
    let mut stage = Stage::met();
    let late = marker(3, MatchId(7)).candidate(0).unwrap();
    stage.hears(Heard::IceCandidate { match_id: MatchId(7), candidate: late.reveal_json() });
    stage.hears(Heard::IceCandidate { match_id: MATCH, candidate: late.reveal_json() });
    let foreign = Breach::ForeignMatch(MatchId(7));
    assert_eq!(stage.breaches(), [foreign, Breach::SignalOfAnotherMatch { frame: MATCH, mark: MatchId(7) }]);
}

#[test]
fn a_second_sender_in_one_match_is_caught() {
    let mut stage = Stage::met();
    for sender in [STRANGER, 3] {
        let candidate = marker(sender, MATCH).candidate(0).unwrap();
        stage.hears(Heard::IceCandidate { match_id: MATCH, candidate: candidate.reveal_json() });
    }
    assert_eq!(stage.breaches(), [Breach::TwoSenders { match_id: MATCH, first: STRANGER, second: 3 }]);
}

#[test]
fn an_altered_description_is_caught() {
    let mut stage = Stage::met();
    let answer = marker(STRANGER, MATCH).description(Part::Answer).unwrap();
    let cut = answer.reveal_json().replace("opus", "opvs");
    stage.hears(Heard::Answer { match_id: MATCH, sdp: &cut });
    assert_eq!(stage.breaches(), [Breach::Altered(MATCH)]);
}

#[test]
fn an_offer_that_is_missing_or_unasked_is_caught() {
    let mut stage = Stage::searching(Order::Ticket);
    stage.hears(found(MATCH, false, Mode::AnswerOffer, None));
    assert_eq!(stage.breaches(), [Breach::OfferAmiss { match_id: MATCH, mode: Mode::AnswerOffer }]);
    let offer = marker(STRANGER, MatchId::FOREIGN).description(Part::Offer).unwrap();
    let mut stage = Stage::searching(Order::Ticket);
    stage.hears(found(MATCH, true, Mode::AnswerOffer, Some(offer.reveal_json())));
    assert_eq!(stage.breaches(), [Breach::OfferAmiss { match_id: MATCH, mode: Mode::AnswerOffer }]);
}

#[test]
fn a_refusal_of_what_was_in_order_is_caught_and_a_rate_is_not() {
    let mut stage = Stage::met();
    stage.hears(Heard::Error { code: ErrorCode::TooFast, retry_after_ms: Some(5) });
    stage.hears(Heard::Error { code: ErrorCode::BadField, retry_after_ms: None });
    stage.feed(Input::Unreadable);
    assert_eq!(stage.breaches(), [Breach::Refusal(ErrorCode::BadField), Breach::Unreadable]);
}
