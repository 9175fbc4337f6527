//! Leaving: `next`, `stop`, a new search and a closed socket, in every state, and what the survivor hears.

use super::{A, B, C, Requeued, Script, Visitor, find, frame};
use crate::Ending;

#[test]
fn stop_while_matched_tells_the_partner_and_then_says_stopped() {
    let (mut script, present) = Script::matched(find!("video"));
    script.say(A, frame!("stop"));
    script.expect_left(B, present, "stop", Requeued::No);
    script.expect(A, frame!("stopped"));
}

#[test]
fn stop_while_waiting_takes_the_ticket_out_of_the_line() {
    let mut script = Script::new();
    script.open(A);
    script.open(B);
    script.say(A, find!("video", offer: {"sdp": "of A"}));
    script.expect_waiting(A);
    script.say(A, frame!("stop"));
    script.expect(A, frame!("stopped"));
    script.say(B, find!("video"));
    script.expect_waiting(B);
}

#[test]
fn stop_is_answered_in_any_state() {
    let mut script = Script::new();
    script.open(A);
    script.say(A, frame!("stop"));
    script.expect(A, frame!("stopped"));
    script.say(A, frame!("stop"));
    script.expect(A, frame!("stopped"));
}

#[test]
fn stopped_comes_after_anything_of_the_earlier_ticket_and_nothing_comes_after_it() {
    let (mut script, present) = Script::matched(find!("video", requeue: true));
    script.open(C);
    script.say(C, find!("video", requeue: true));
    script.expect_waiting(C);
    script.say(A, frame!("stop"));
    script.expect_left(B, present, "stop", Requeued::Yes);
    let following = script.expect_match(B, C);
    script.expect(A, frame!("stopped"));
    script.say(B, frame!("message", match_id: present, text: "too late"));
    script.say(B, frame!("message", match_id: following, text: "hello"));
    script.expect(C, frame!("message", match_id: following, text: "hello"));
    script.advance_ms(100_000);
}

#[test]
fn next_leaves_first_and_then_searches_with_the_same_wishes() {
    let (mut script, present) = Script::matched(find!("audio"));
    script.say(B, frame!("next", match_id: present));
    script.expect_left(A, present, "next", Requeued::No);
    script.expect_waiting(B);
    script.open(C);
    script.say(C, find!("audio"));
    script.expect_match(B, C);
}

#[test]
fn next_without_an_id_means_the_present_match() {
    let (mut script, present) = Script::matched(find!("video", requeue: true));
    script.say(B, frame!("next"));
    script.expect_left(A, present, "next", Requeued::Yes);
    script.expect_waiting(A);
    script.expect_waiting(B);
}

#[test]
fn next_that_names_another_match_is_ignored() {
    let (mut script, first) = Script::matched(find!("video"));
    script.say(A, frame!("next", match_id: "not one of ours"));
    script.say(A, frame!("next", match_id: "00000000000000ff"));
    script.say(A, frame!("next", match_id: first));
    script.expect_left(B, first, "next", Requeued::No);
    script.expect_waiting(A);
    script.open(C);
    script.say(C, find!("video"));
    let second = script.expect_match(A, C);
    // Two quick clicks send the same id twice: the second stranger is not skipped unseen.
    script.say(A, frame!("next", match_id: first));
    script.say(A, frame!("typing", match_id: second, on: true));
    script.expect(C, frame!("typing", match_id: second, on: true));
}

#[test]
fn both_press_next_and_neither_meets_the_other_again_at_once() {
    let (mut script, present) = Script::matched(find!("video", requeue: true));
    script.say(A, frame!("next", match_id: present));
    script.expect_left(B, present, "next", Requeued::Yes);
    script.expect_waiting(B);
    script.expect_waiting(A);
    script.say(B, frame!("next", match_id: present));
}

#[test]
fn the_survivor_is_served_before_the_one_who_left() {
    let (mut script, present) = Script::matched(find!("video", requeue: true));
    script.open(C);
    script.say(C, find!("video"));
    script.expect_waiting(C);
    script.say(A, frame!("next"));
    script.expect_left(B, present, "next", Requeued::Yes);
    script.expect_match(B, C);
    script.expect_waiting(A);
}

#[test]
fn find_partner_while_matched_leaves_first() {
    let (mut script, present) = Script::matched(find!("video"));
    script.say(A, find!("audio"));
    script.expect_left(B, present, "next", Requeued::No);
    script.expect_waiting(A);
    script.say(A, frame!("typing", on: true));
    assert_eq!(script.lobby().counters().stale_signals, 1);
}

#[test]
fn find_partner_that_is_refused_leaves_nobody() {
    let (mut script, present) = Script::matched(find!("video"));
    script.say(A, find!("video", languages: ["not a language"]));
    script.expect_refusal(A, "bad_field", "languages[0]");
    script.say(A, frame!("message", text: "still here"));
    script.expect(B, frame!("message", match_id: present, text: "still here"));
}

#[test]
fn a_closed_socket_is_told_to_the_partner_at_once() {
    for (ending, reason) in [(Ending::CloseFrame, "closed"), (Ending::Broken, "lost")] {
        for (leaver, survivor) in [(A, B), (B, A)] {
            let (mut script, present) = Script::matched(find!("video"));
            script.close(leaver, ending);
            script.expect_left(survivor, present, reason, Requeued::No);
            script.say(survivor, frame!("message", text: "anybody?"));
        }
    }
}

#[test]
fn a_closed_socket_leaves_the_line() {
    for ending in [Ending::CloseFrame, Ending::Broken] {
        let mut script = Script::new();
        script.open(A);
        script.say(A, find!("video"));
        script.expect_waiting(A);
        script.close(A, ending);
        script.open(B);
        script.say(B, find!("video"));
        script.expect(B, frame!("waiting", online: 1));
    }
}

#[test]
fn a_closed_socket_that_did_nothing_is_forgotten() {
    for ending in [Ending::CloseFrame, Ending::Broken] {
        let mut script = Script::new();
        script.open(A);
        script.close(A, ending);
        assert_eq!(script.lobby().online(), 0);
        assert_eq!(script.lobby().poll_timeout(), None);
        script.say(A, find!("video"));
    }
}

#[test]
fn when_all_have_gone_nothing_is_left_behind() {
    let mut script = Script::without_news();
    let crowd: Vec<Visitor> = (0..20).map(Visitor).collect();
    for visitor in &crowd {
        script.open(*visitor);
        let interests: Vec<String> = (0..visitor.0 % 4).map(|n| format!("{n}")).collect();
        script.say(*visitor, find!("text", interests: interests, pool: (format!("{}", visitor.0 % 3))));
        script.discard();
    }
    for visitor in crowd {
        script.close(visitor, Ending::CloseFrame);
        script.discard();
    }
    assert_eq!(script.lobby().gauges(), crate::Gauges::default());
    assert_eq!(script.lobby().poll_timeout(), None);
}
