//! Going back to the line: who does so by itself, and with which age.

use super::{A, B, C, Requeued, Script, Value, find, frame};
use crate::{Ending, Span};
use visavis_protocol::MatchId;

/// A has waited since the start and met B after a second; C has waited for another kind since half a second.
fn a_long_wait(search: Value) -> (Script, MatchId) {
    let mut script = Script::without_news();
    for visitor in [A, B, C] {
        script.open(visitor);
    }
    script.say(A, search.clone());
    script.expect_waiting(A);
    script.advance_ms(1_000);
    script.say(B, search);
    let present = script.expect_match(A, B);
    script.say(C, find!("video"));
    script.expect_waiting(C);
    script.advance_ms(1_000);
    (script, present)
}

#[test]
fn a_survivor_keeps_its_place_in_line() {
    let (mut script, present) = a_long_wait(find!("video", requeue: true));
    script.say(B, frame!("stop"));
    script.expect_left(A, present, "stop", Requeued::Yes);
    // Older than C, so A initiates.
    script.expect_match(A, C);
    script.expect(B, frame!("stopped"));
}

#[test]
fn a_survivor_of_a_real_meeting_goes_to_the_end_of_the_line() {
    for reporter in [A, B] {
        let (mut script, present) = a_long_wait(find!("video", requeue: true));
        script.say(reporter, frame!("connected", match_id: present, path: "direct", elapsed_ms: 300));
        script.say(B, frame!("stop"));
        script.expect_left(A, present, "stop", Requeued::Yes);
        script.expect_match(C, A);
        script.expect(B, frame!("stopped"));
    }
}

#[test]
fn a_message_is_a_real_meeting_in_a_text_chat_and_not_yet_in_a_video_chat() {
    for (kind, mode, initiator, responder) in [("text", "text", C, A), ("video", "negotiate", A, C)] {
        let mut script = Script::without_news();
        for visitor in [A, B, C] {
            script.open(visitor);
        }
        script.say(A, find!(kind, requeue: true));
        script.expect_waiting(A);
        script.say(B, find!(kind, requeue: true));
        let found = || super::Found { mode, ..super::Found::default() };
        let present = script.expect_found(A, B, found());
        script.advance_ms(1_000);
        script.say(C, find!(kind));
        script.expect_waiting(C);
        script.advance_ms(1_000);
        script.say(B, frame!("message", match_id: present, text: "hello"));
        script.expect(A, frame!("message", match_id: present, text: "hello"));
        script.say(B, frame!("stop"));
        script.expect_left(A, present, "stop", Requeued::Yes);
        script.expect_found(initiator, responder, found());
        script.expect(B, frame!("stopped"));
    }
}

#[test]
fn whoever_leaves_goes_to_the_end_of_the_line() {
    let (mut script, present) = a_long_wait(find!("video"));
    script.say(A, frame!("next", match_id: present));
    script.expect_left(B, present, "next", Requeued::No);
    script.expect_match(C, A);
}

#[test]
fn without_requeue_a_survivor_is_idle_and_hears_nothing() {
    let (mut script, present) = Script::matched(find!("video"));
    script.close(B, Ending::CloseFrame);
    script.expect_left(A, present, "closed", Requeued::No);
    script.open(C);
    script.say(C, find!("video"));
    script.expect_waiting(C);
    script.advance_ms(60_000);
}

#[test]
fn the_last_search_says_whether_to_requeue() {
    for (last, requeued) in [(true, Requeued::Yes), (false, Requeued::No)] {
        let mut script = Script::without_news();
        script.open(A);
        script.open(B);
        script.say(A, find!("video", requeue: (!last)));
        script.expect_waiting(A);
        script.say(A, find!("video", requeue: last));
        script.say(B, find!("video"));
        let present = script.expect_match(A, B);
        script.close(B, Ending::CloseFrame);
        script.expect_left(A, present, "closed", requeued);
        if requeued == Requeued::Yes {
            script.expect_waiting(A);
        }
    }
}

#[test]
fn a_survivor_that_asks_again_within_five_seconds_gets_its_age_back() {
    for again in [frame!("next"), find!("video")] {
        let (mut script, present) = a_long_wait(find!("video"));
        script.say(B, frame!("stop"));
        script.expect_left(A, present, "stop", Requeued::No);
        script.expect(B, frame!("stopped"));
        script.advance(Span::from_secs(5));
        script.say(A, again);
        script.expect_match(A, C);
    }
}

#[test]
fn a_survivor_that_asks_later_starts_at_the_end_of_the_line() {
    for again in [frame!("next"), find!("video")] {
        let (mut script, present) = a_long_wait(find!("video"));
        script.say(B, frame!("stop"));
        script.expect_left(A, present, "stop", Requeued::No);
        script.expect(B, frame!("stopped"));
        script.advance(Span::from_micros(5_000_001));
        script.say(A, again);
        script.expect_match(C, A);
    }
}

#[test]
fn a_survivor_of_a_real_meeting_has_no_age_to_get_back() {
    let (mut script, present) = a_long_wait(find!("video"));
    script.say(A, frame!("connected", match_id: present, path: "relay", elapsed_ms: 300));
    script.say(B, frame!("stop"));
    script.expect_left(A, present, "stop", Requeued::No);
    script.expect(B, frame!("stopped"));
    script.say(A, frame!("next"));
    script.expect_match(C, A);
}

#[test]
fn who_says_stop_gives_its_age_up() {
    let (mut script, present) = a_long_wait(find!("video"));
    script.say(B, frame!("stop"));
    script.expect_left(A, present, "stop", Requeued::No);
    script.expect(B, frame!("stopped"));
    script.say(A, frame!("stop"));
    script.expect(A, frame!("stopped"));
    script.say(A, frame!("next"));
    script.expect_match(C, A);
}

#[test]
fn an_age_survives_one_ghost_after_another() {
    let mut script = Script::without_news();
    script.open(A);
    script.say(A, find!("video", requeue: true));
    script.expect_waiting(A);
    for n in 10..15 {
        let passing = super::Visitor(n);
        script.advance_ms(1_000);
        script.open(passing);
        script.say(passing, find!("video"));
        let present = script.expect_match(A, passing);
        script.close(passing, Ending::Broken);
        script.expect_left(A, present, "lost", Requeued::Yes);
        script.expect_waiting(A);
    }
    // A carried its age along: an interest is past insisting on the moment it is wished.
    script.say(A, find!("video", interests: ["jazz"], requeue: true));
    script.open(B);
    script.say(B, find!("video"));
    script.expect_match(A, B);
}
