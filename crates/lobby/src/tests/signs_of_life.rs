//! Signs of life: who is pinged after which silence, and who is cut.

use super::{A, B, C, Requeued, Script, find, frame};
use crate::{Span, Time};
use visavis_protocol::CloseCode;

/// Exactly `span` passes with nothing happening before its last microsecond.
fn quiet_until(script: &mut Script, span: Span) {
    script.advance((Time::ZERO + span - Span::from_micros(1)).since(Time::ZERO));
    script.nothing_left();
    script.advance(Span::from_micros(1));
}

#[test]
fn an_idle_visitor_is_pinged_at_25_and_50_seconds_and_cut_at_60() {
    let mut script = Script::new();
    script.open(A);
    script.goes_silent(A);
    quiet_until(&mut script, Span::from_secs(25));
    script.expect_ping(A);
    quiet_until(&mut script, Span::from_secs(25));
    script.expect_ping(A);
    quiet_until(&mut script, Span::from_secs(10));
    script.expect_close(A, CloseCode::GoingAway);
    assert_eq!(script.lobby().online(), 0);
    assert_eq!(script.lobby().poll_timeout(), None);
}

#[test]
fn a_waiting_visitor_is_pinged_at_10_seconds_and_cut_at_20() {
    let mut script = Script::without_news();
    script.open(A);
    script.say(A, find!("video"));
    script.expect_waiting(A);
    script.goes_silent(A);
    quiet_until(&mut script, Span::from_secs(10));
    script.expect_ping(A);
    quiet_until(&mut script, Span::from_secs(10));
    script.expect_close(A, CloseCode::GoingAway);
    script.open(B);
    script.say(B, find!("video"));
    script.expect_waiting(B);
}

#[test]
fn a_pong_or_any_frame_starts_the_silence_anew() {
    let mut script = Script::without_news();
    script.open(A);
    script.say(A, find!("video"));
    script.expect_waiting(A);
    script.goes_silent(A);
    for n in 0..4 {
        quiet_until(&mut script, Span::from_secs(10));
        script.expect_ping(A);
        script.advance_ms(9_999);
        match n % 2 {
            0 => script.pong(A),
            _ => script.say(A, frame!("ticket_offer", sdp: "fresh")),
        }
    }
}

#[test]
fn a_frame_that_cannot_be_read_is_a_sign_of_life_too() {
    let mut script = Script::new();
    script.open(A);
    script.goes_silent(A);
    script.advance_ms(24_000);
    script.say(A, frame!("no such type"));
    script.expect_refusal(A, "unknown_type", "no such type");
    quiet_until(&mut script, Span::from_secs(25));
    script.expect_ping(A);
}

#[test]
fn who_answers_pings_stays_for_ever() {
    let mut script = Script::without_news();
    script.open(A);
    script.open(B);
    script.say(B, find!("video"));
    script.expect_waiting(B);
    script.advance(Span::from_secs(24 * 60 * 60));
    assert_eq!(script.lobby().online(), 2);
}

#[test]
fn a_matched_visitor_is_pinged_at_25_seconds_and_cut_at_60() {
    let (mut script, present) = Script::matched(find!("video", requeue: true));
    script.pong(A);
    script.pong(B);
    script.goes_silent(B);
    quiet_until(&mut script, Span::from_secs(25));
    script.expect_ping(B);
    quiet_until(&mut script, Span::from_secs(25));
    script.expect_ping(B);
    quiet_until(&mut script, Span::from_secs(10));
    script.expect_close(B, CloseCode::GoingAway);
    script.expect_left(A, present, "lost", Requeued::Yes);
    script.expect_waiting(A);
    assert_eq!(script.lobby().counters().cut, 1);
}

#[test]
fn a_survivor_that_was_quiet_in_its_call_is_asked_before_it_is_cut() {
    // In a call the media goes from peer to peer: silence towards the server means nothing.
    let (mut script, present) = Script::matched(find!("video", requeue: true));
    script.pong(A);
    script.pong(B);
    script.goes_silent(A);
    script.advance_ms(24_000);
    script.say(B, frame!("stop"));
    script.expect_left(A, present, "stop", Requeued::Yes);
    script.expect_waiting(A);
    script.expect(B, frame!("stopped"));
    script.advance_ms(0);
    script.expect_ping(A);
    script.advance_ms(9_999);
    script.pong(A);
    script.advance_ms(1);
    script.open(C);
    script.say(C, find!("video"));
    script.expect_match(A, C);
}

#[test]
fn a_survivor_that_does_not_answer_is_cut_ten_seconds_after_it_was_asked() {
    let (mut script, present) = Script::matched(find!("video", requeue: true));
    script.pong(A);
    script.pong(B);
    script.goes_silent(A);
    script.advance_ms(24_000);
    script.say(B, frame!("stop"));
    script.expect_left(A, present, "stop", Requeued::Yes);
    script.expect_waiting(A);
    script.expect(B, frame!("stopped"));
    script.advance_ms(0);
    script.expect_ping(A);
    quiet_until(&mut script, Span::from_secs(10));
    script.expect_close(A, CloseCode::GoingAway);
}

#[test]
fn a_visitor_who_starts_to_search_after_a_silence_is_not_pinged_late() {
    let mut script = Script::without_news();
    script.open(A);
    script.goes_silent(A);
    script.advance_ms(20_000);
    script.say(A, find!("video"));
    script.expect_waiting(A);
    quiet_until(&mut script, Span::from_secs(10));
    script.expect_ping(A);
    quiet_until(&mut script, Span::from_secs(10));
    script.expect_close(A, CloseCode::GoingAway);
}
