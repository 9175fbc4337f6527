//! `ping` and `pong` in frames: a client that asks whether the server is there, and a server that asks whether a page is.

use super::{A, B, C, Requeued, Script, Visitor, find, frame};
use crate::{Span, Time};
use visavis_protocol::CloseCode;

/// Opens, says hello and that it answers pings, and searches.
fn waits_as_page(script: &mut Script, visitor: Visitor) {
    script.open(visitor);
    script.say(visitor, frame!("hello", version: 1, answers_ping: true));
    script.expect_welcome(visitor);
    script.say(visitor, find!("video", requeue: true));
    script.expect_waiting(visitor);
}

#[test]
fn a_ping_is_answered_with_how_many_frames_were_taken() {
    let mut script = Script::new();
    script.open(A);
    script.say(A, frame!("ping"));
    script.expect(A, frame!("pong", received: 1));
    script.say(A, frame!("no such type"));
    script.expect_refusal(A, "unknown_type", "no such type");
    script.say(A, frame!("stop"));
    script.expect(A, frame!("stopped"));
    script.say(A, frame!("ping"));
    script.expect(A, frame!("pong", received: 4));
}

#[test]
fn a_frozen_page_that_waits_is_cut_though_its_browser_answers_for_it() {
    let mut script = Script::without_news();
    waits_as_page(&mut script, A);
    // From here on the socket answers, and the page does not.
    script.advance_ms(9_999);
    script.pong(A);
    script.advance_ms(1);
    script.expect(A, frame!("ping"));
    script.advance_ms(5_000);
    script.pong(A);
    script.advance_ms(5_000);
    script.expect_close(A, CloseCode::GoingAway);
    script.open(B);
    script.say(B, find!("video"));
    script.expect_waiting(B);
}

#[test]
fn a_page_that_answers_in_frames_stays_in_line() {
    let mut script = Script::without_news();
    waits_as_page(&mut script, A);
    for _ in 0..6 {
        script.advance_ms(10_000);
        script.expect(A, frame!("ping"));
        script.say(A, frame!("pong"));
    }
    script.open(B);
    script.say(B, find!("video"));
    script.expect_match(A, B);
}

#[test]
fn a_page_that_was_silent_in_its_call_is_asked_as_soon_as_it_waits_again() {
    let mut script = Script::without_news();
    waits_as_page(&mut script, A);
    script.open(B);
    script.say(B, find!("video"));
    let present = script.expect_match(A, B);
    script.say(A, frame!("ping"));
    script.expect(A, frame!("pong", received: 3));
    script.say(B, frame!("ping"));
    script.expect(B, frame!("pong", received: 2));
    // In a call the socket is enough.
    script.advance(Span::from_secs(120));
    script.say(B, frame!("stop"));
    script.expect_left(A, present, "stop", Requeued::Yes);
    script.expect_waiting(A);
    script.expect(B, frame!("stopped"));
    script.advance_ms(0);
    script.expect(A, frame!("ping"));
    script.pong(A);
    script.advance_ms(10_000);
    script.expect_close(A, CloseCode::GoingAway);
}

#[test]
fn the_socket_of_a_frozen_page_is_no_sign_of_life_of_a_match() {
    let mut script = Script::without_news();
    waits_as_page(&mut script, A);
    script.open(B);
    script.say(B, find!("video", requeue: true));
    let present = script.expect_match(A, B);
    script.pong(A);
    script.say(B, frame!("typing", match_id: present, on: true));
    script.expect(A, frame!("typing", match_id: present, on: true));
    script.advance_ms(5_000);
    script.expect(A, frame!("ping"));
    script.pong(A);
    script.advance_ms(5_000);
    script.expect_close(A, CloseCode::GoingAway);
    script.expect_left(B, present, "lost", Requeued::Yes);
    script.expect_waiting(B);
}

#[test]
fn a_client_that_does_not_say_so_is_asked_by_its_socket_alone() {
    let mut script = Script::without_news();
    script.open(C);
    script.say(C, find!("video"));
    script.expect_waiting(C);
    script.advance((Time::ZERO + Span::from_secs(60)).since(Time::ZERO));
    assert_eq!(script.lobby().online(), 1, "its pongs count");
}
