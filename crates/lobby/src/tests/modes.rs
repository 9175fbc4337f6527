//! Modes, and the offers that wait with a ticket: who initiates, who is shown what, and for how long.

use super::{A, B, C, Found, Requeued, Script, Value, find, frame};
use crate::Span;

fn answer_offer(offer: &'static str) -> Found {
    Found { mode: "answer_offer", offer: Some(offer), ..Found::default() }
}

/// A waits with the first search, B arrives a millisecond later with the second.
fn arrive(first: Value, second: Value) -> Script {
    let mut script = Script::without_news();
    script.open(A);
    script.open(B);
    script.say(A, first);
    script.expect_waiting(A);
    script.advance_ms(1);
    script.say(B, second);
    script
}

#[test]
fn the_one_side_with_an_offer_initiates_and_only_the_other_is_shown_it() {
    let mut script = arrive(find!("video", offer: {"sdp": "of A"}), find!("video"));
    script.expect_found(A, B, answer_offer("of A"));
    let mut script = arrive(find!("audio"), find!("audio", offer: {"sdp": "of B"}));
    script.expect_found(B, A, answer_offer("of B"));
}

#[test]
fn of_two_offers_the_one_that_waited_longer_counts() {
    let mut script = arrive(find!("video", offer: {"sdp": "of A"}), find!("video", offer: {"sdp": "of B"}));
    script.expect_found(A, B, answer_offer("of A"));
}

#[test]
fn without_an_offer_the_one_that_waited_longer_negotiates() {
    let mut script = arrive(find!("video"), find!("video"));
    script.expect_match(A, B);
}

#[test]
fn text_needs_no_offer_and_shows_none() {
    let mut script = arrive(find!("text", offer: {"sdp": "of A"}), find!("text"));
    script.expect_found(A, B, Found { mode: "text", ..Found::default() });

    let mut script = Script::new();
    script.open(A);
    script.say(A, find!("text"));
    script.expect_waiting(A);
    script.say(A, frame!("ticket_offer", sdp: "of A"));
    script.say(A, frame!("next", offer: {"sdp": "of A"}));
    script.open(B);
    script.say(B, find!("text", offer: {"sdp": "of B"}));
    script.expect_found(A, B, Found { mode: "text", ..Found::default() });
}

#[test]
fn an_offer_expires_at_sixty_seconds_exactly() {
    for (waits, found) in
        [(Span::from_micros(59_999_999), answer_offer("of A")), (Span::from_secs(60), Found::default())]
    {
        let mut script = Script::without_news();
        script.open(A);
        script.say(A, find!("video", offer: {"sdp": "of A"}));
        script.expect_waiting(A);
        script.advance(waits);
        script.open(B);
        script.say(B, find!("video"));
        script.expect_found(A, B, found);
    }
}

#[test]
fn an_expired_offer_does_not_decide_who_initiates() {
    let mut script = Script::without_news();
    script.open(A);
    script.say(A, find!("video", offer: {"sdp": "of A"}));
    script.expect_waiting(A);
    script.advance(Span::from_secs(60));
    script.open(B);
    script.say(B, find!("video", offer: {"sdp": "of B"}));
    script.expect_found(B, A, answer_offer("of B"));
}

#[test]
fn a_ticket_offer_replaces_the_offer_and_starts_its_time_anew() {
    let mut script = Script::without_news();
    script.open(A);
    script.say(A, find!("video", offer: {"sdp": "first of A"}));
    script.expect_waiting(A);
    script.advance(Span::from_secs(30));
    script.say(A, frame!("ticket_offer", sdp: "second of A"));
    script.advance(Span::from_micros(59_999_999));
    script.open(B);
    script.say(B, find!("video"));
    script.expect_found(A, B, answer_offer("second of A"));
}

#[test]
fn a_ticket_offer_is_silently_ignored_in_any_other_state() {
    let mut script = Script::new();
    script.open(A);
    script.open(B);
    script.say(A, frame!("ticket_offer", sdp: "before any search"));
    script.say(A, find!("video"));
    script.expect_waiting(A);
    script.say(B, find!("video"));
    let present = script.expect_match(A, B);
    script.say(A, frame!("ticket_offer", sdp: "in a match"));
    script.say(B, frame!("stop"));
    script.expect_left(A, present, "stop", Requeued::No);
    script.expect(B, frame!("stopped"));
    script.say(A, frame!("ticket_offer", sdp: "after a match"));
    script.say(A, find!("video"));
    script.expect_waiting(A);
    script.open(C);
    script.say(C, find!("video"));
    script.expect_match(A, C);
}

#[test]
fn a_requeued_survivor_has_no_offer_until_it_sends_a_new_one() {
    for fresh in [None, Some("second of A")] {
        let mut script = arrive(find!("video", offer: {"sdp": "first of A"}, requeue: true), find!("video"));
        let present = script.expect_found(A, B, answer_offer("first of A"));
        script.say(B, frame!("stop"));
        script.expect_left(A, present, "stop", Requeued::Yes);
        script.expect_waiting(A);
        script.expect(B, frame!("stopped"));
        if let Some(sdp) = fresh {
            script.say(A, frame!("ticket_offer", sdp: sdp));
        }
        script.open(C);
        script.say(C, find!("video"));
        script.expect_found(A, C, fresh.map_or(Found::default(), answer_offer));
    }
}

#[test]
fn next_brings_the_offer_of_the_new_ticket() {
    let mut script = arrive(find!("video", offer: {"sdp": "first of A"}), find!("video"));
    let present = script.expect_found(A, B, answer_offer("first of A"));
    script.say(A, frame!("next", match_id: present, offer: {"sdp": "second of A"}));
    script.expect_left(B, present, "next", Requeued::No);
    script.expect_waiting(A);
    script.open(C);
    script.say(C, find!("video"));
    script.expect_found(A, C, answer_offer("second of A"));
}

#[test]
fn next_without_an_offer_shows_nobody_the_old_one() {
    let mut script = arrive(find!("video"), find!("video", offer: {"sdp": "of B"}));
    let present = script.expect_found(B, A, answer_offer("of B"));
    script.say(B, frame!("next"));
    script.expect_left(A, present, "next", Requeued::No);
    script.expect_waiting(B);
    script.open(C);
    script.say(C, find!("video"));
    script.expect_match(B, C);
}

#[test]
fn new_wishes_keep_the_waiting_offer_of_the_same_kind_and_drop_it_with_the_kind() {
    for (kind, found) in [("video", answer_offer("of A")), ("audio", Found::default())] {
        let mut script = Script::new();
        script.open(A);
        script.open(B);
        script.say(A, find!("video", offer: {"sdp": "of A"}));
        script.expect_waiting(A);
        script.say(A, find!(kind, interests: ["jazz"]));
        if kind == "audio" {
            script.expect_waiting(A);
        }
        script.say(B, find!(kind, interests: ["jazz"]));
        script.expect_found(A, B, Found { shared: &["jazz"], ..found });
    }
}
