//! Ghosts: a match whose side shows no sign of life is dissolved, and the survivor loses nothing by it.

use super::{A, B, C, Requeued, Script, find, frame};
use crate::Span;
use visavis_protocol::{CloseCode, LeftReason};

#[test]
fn a_side_without_a_sign_of_life_is_pinged_at_5_seconds_and_a_ghost_at_10() {
    let (mut script, present) = Script::matched(find!("video", requeue: true));
    script.goes_silent(B);
    script.advance(Span::from_micros(4_999_999));
    script.nothing_left();
    script.advance(Span::from_micros(1));
    script.expect_ping(B);
    script.advance(Span::from_micros(4_999_999));
    script.nothing_left();
    script.advance(Span::from_micros(1));
    script.expect_close(B, CloseCode::GoingAway);
    script.expect_left(A, present, "lost", Requeued::Yes);
    script.expect_waiting(A);
    assert_eq!(script.lobby().counters().cut, 1);
}

#[test]
fn the_survivor_of_a_ghost_goes_back_with_its_age() {
    let mut script = Script::without_news();
    script.open(A);
    script.open(B);
    script.say(A, find!("video", requeue: true));
    script.expect_waiting(A);
    script.advance_ms(1_000);
    script.say(B, find!("video"));
    let present = script.expect_match(A, B);
    script.goes_silent(B);
    script.open(C);
    script.say(C, find!("video"));
    script.expect_waiting(C);
    script.advance_ms(5_000);
    script.expect_ping(B);
    script.advance_ms(5_000);
    script.expect_close(B, CloseCode::GoingAway);
    script.expect_left(A, present, "lost", Requeued::Yes);
    script.expect_match(A, C);
}

#[test]
fn a_survivor_of_a_ghost_without_requeue_gets_its_age_back_if_it_asks_within_five_seconds() {
    let mut script = Script::without_news();
    script.open(A);
    script.open(B);
    script.say(A, find!("video"));
    script.expect_waiting(A);
    script.advance_ms(1_000);
    script.say(B, find!("video"));
    let present = script.expect_match(A, B);
    script.goes_silent(B);
    script.open(C);
    script.say(C, find!("video"));
    script.expect_waiting(C);
    script.advance_ms(5_000);
    script.expect_ping(B);
    script.advance_ms(5_000);
    script.expect_close(B, CloseCode::GoingAway);
    script.expect_left(A, present, "lost", Requeued::No);
    script.advance_ms(4_000);
    script.say(A, frame!("next"));
    script.expect_match(A, C);
}

#[test]
fn two_ghosts_are_cut_and_given_to_nobody() {
    let (mut script, _) = Script::matched(find!("video", requeue: true));
    script.goes_silent(A);
    script.goes_silent(B);
    script.open(C);
    script.say(C, find!("video"));
    script.expect_waiting(C);
    script.advance_ms(5_000);
    script.expect_ping(A);
    script.expect_ping(B);
    script.advance_ms(5_000);
    script.expect_close(A, CloseCode::GoingAway);
    script.expect_close(B, CloseCode::GoingAway);
    assert_eq!(script.lobby().online(), 1);
    assert_eq!(script.lobby().counters().ended, [(LeftReason::Lost, 1)], "one match, one end");
}

#[test]
fn any_frame_or_pong_of_the_match_s_time_is_a_sign_of_life() {
    let (mut script, present) = Script::matched(find!("video"));
    script.goes_silent(A);
    script.goes_silent(B);
    script.say(A, frame!("typing", match_id: "of another match", on: true));
    script.advance_ms(5_000);
    script.expect_ping(B);
    script.advance_ms(4_999);
    script.pong(B);
    script.advance_ms(1_000);
    script.say(A, frame!("message", text: "both alive"));
    script.expect(B, frame!("message", match_id: present, text: "both alive"));
}

#[test]
fn the_frame_that_made_the_match_is_no_sign_of_life_in_it() {
    // It may have been the last one: B's network can die right after it.
    let mut script = Script::without_news();
    script.open(A);
    script.open(B);
    script.goes_silent(B);
    script.say(A, find!("video"));
    script.expect_waiting(A);
    script.say(B, find!("video"));
    script.expect_match(A, B);
    script.advance_ms(5_000);
    script.expect_ping(B);
}

#[test]
fn two_living_sides_are_left_in_peace() {
    let (mut script, present) = Script::matched(find!("text"));
    script.advance(Span::from_secs(3_600));
    script.say(A, frame!("message", text: "an hour later"));
    script.expect(B, frame!("message", match_id: present, text: "an hour later"));
}

#[test]
fn leaving_before_the_deadline_leaves_no_deadline_behind() {
    let (mut script, present) = Script::matched(find!("video"));
    script.goes_silent(B);
    script.advance_ms(4_000);
    script.say(A, frame!("stop"));
    script.expect_left(B, present, "stop", Requeued::No);
    script.expect(A, frame!("stopped"));
    // B is idle now, and idle silence has more patience.
    script.advance_ms(20_999);
    script.nothing_left();
    script.advance_ms(1);
    script.expect_ping(B);
}
