//! `hello`, frames that cannot be read, and a shell that says odd things.

use super::{A, B, Requeued, Script, find, frame};
use crate::{Ending, Input, Span, Time};

#[test]
fn hello_is_answered_by_welcome() {
    let mut script = Script::new();
    script.open(A);
    script.open(B);
    script.say(A, frame!("hello", version: 1));
    script.expect_welcome(A);
    script.say(A, frame!("hello", version: 1, resume: "a token of another life"));
    script.expect_welcome_not_resumed(A);
}

#[test]
fn another_version_is_refused_and_changes_nothing() {
    for version in [0, 2, 4_294_967_295_u32] {
        let mut script = Script::new();
        script.open(A);
        script.open(B);
        script.say(A, frame!("hello", version: version));
        script.expect_refusal(A, "unsupported_version", &version.to_string());
        // Still a client of version 1 that said no hello: ids are not asked for.
        let present = script.pair(A, B, find!("text"));
        script.say(A, frame!("typing", on: true));
        script.expect(B, frame!("typing", match_id: present, on: true));
    }
}

#[test]
fn a_frame_that_cannot_be_read_is_refused_and_harms_nobody() {
    let (mut script, present) = Script::matched(find!("text"));
    script.say(A, frame!("ticket"));
    script.expect_refusal(A, "unknown_type", "ticket");
    script.say(A, frame!("stop", why: "because"));
    script.expect_refusal(A, "bad_field", "why");
    script.say(A, super::json!(["stop"]));
    script.expect_refusal(A, "bad_json", "object");
    script.say(A, frame!("message", text: "still here"));
    script.expect(B, frame!("message", match_id: present, text: "still here"));
}

#[test]
fn inputs_of_unknown_connections_are_ignored() {
    let mut script = Script::new();
    script.say(A, find!("video"));
    script.say(A, frame!("no such type"));
    script.pong(A);
    script.close(A, Ending::Broken);
    script.open(A);
    script.close(A, Ending::CloseFrame);
    script.say(A, find!("video"));
    script.close(A, Ending::CloseFrame);
    assert_eq!(script.lobby().online(), 0);
}

#[test]
fn a_timeout_that_comes_early_or_twice_does_nothing() {
    let mut script = Script::new();
    script.input(Input::Timeout);
    script.open(A);
    script.say(A, find!("video"));
    script.expect_waiting(A);
    script.input(Input::Timeout);
    script.advance_ms(5_000);
    script.expect_waiting(A);
    script.input(Input::Timeout);
}

#[test]
fn a_clock_that_steps_back_stands_still() {
    let mut script = Script::without_news();
    script.open(A);
    script.open(B);
    script.say(A, find!("video", interests: ["jazz"], requeue: true));
    script.expect_waiting(A);
    let start = script.now();
    script.advance_ms(1_000);
    script.input(Input::Timeout);
    script.clock_says(Time::ZERO);
    script.say(B, find!("video", interests: ["rock"]));
    script.expect_waiting(B);
    script.input(Input::Timeout);
    script.clock_says(start);
    script.advance(Span::from_millis(2_499));
    script.nothing_left();
    script.advance_ms(1);
    let present = script.expect_match(A, B);
    script.clock_says(Time::ZERO);
    script.say(B, frame!("stop"));
    script.expect_left(A, present, "stop", Requeued::Yes);
    script.expect_waiting(A);
    script.expect(B, frame!("stopped"));
}

#[test]
fn a_clock_that_leaps_ahead_does_not_break_anything() {
    let mut script = Script::without_news();
    script.open(A);
    script.open(B);
    script.say(A, find!("video", offer: {"sdp": "of A"}));
    script.expect_waiting(A);
    script.clock_says(Time::from_micros(u64::MAX / 2));
    script.say(B, find!("video"));
    script.expect_match(A, B);
}

#[test]
fn a_shell_that_comes_late_finds_everything_done_in_order() {
    let mut script = Script::without_news();
    script.open(A);
    script.open(B);
    script.say(A, find!("video", interests: ["jazz"]));
    script.expect_waiting(A);
    script.say(B, find!("video", interests: ["rock"]));
    script.expect_waiting(B);
    script.clock_says(script.now() + Span::from_millis(7_000));
    script.input(Input::Timeout);
    script.expect_match(A, B);
}
