//! How fast a connection may speak, and what its wishes may hold.

use super::{A, B, C, Requeued, Script, Visitor, find, frame, json};
use crate::{Config, Limiting, Span};
use visavis_protocol::CloseCode;

#[test]
fn ten_nexts_pass_in_a_burst_and_then_one_a_second() {
    let mut script = Script::without_news();
    script.open(A);
    script.say(A, find!("video"));
    script.expect_waiting(A);
    for _ in 0..10 {
        script.say(A, frame!("next"));
    }
    script.say(A, frame!("next"));
    script.expect_too_fast(A, 1_000);
    script.advance_ms(400);
    script.say(A, find!("audio"));
    script.expect_too_fast(A, 600);
    script.advance_ms(600);
    script.say(A, find!("audio"));
    script.expect_waiting(A);
    script.say(A, frame!("next"));
    script.expect_too_fast(A, 1_000);
}

#[test]
fn a_next_that_is_too_fast_leaves_nobody() {
    let (mut script, mut present) = Script::matched(find!("video"));
    for n in 10..20 {
        script.say(A, frame!("next", match_id: present));
        let survivor = if n == 10 { B } else { Visitor(n - 1) };
        script.expect_left(survivor, present, "next", Requeued::No);
        script.expect_waiting(A);
        script.open(Visitor(n));
        script.say(Visitor(n), find!("video"));
        present = script.expect_match(A, Visitor(n));
    }
    script.say(A, frame!("next", match_id: present));
    script.expect_too_fast(A, 1_000);
    script.say(A, frame!("message", text: "still here"));
    script.expect(Visitor(19), frame!("message", match_id: present, text: "still here"));
}

#[test]
fn a_next_that_is_ignored_costs_no_next() {
    let (mut script, present) = Script::matched(find!("video"));
    for _ in 0..50 {
        script.say(A, frame!("next", match_id: "of another match"));
    }
    script.say(A, frame!("next", match_id: present));
    script.expect_left(B, present, "next", Requeued::No);
    script.expect_waiting(A);
}

#[test]
fn the_first_search_costs_no_next() {
    let mut script = Script::with(Config { next_burst: 1, ..Config::default() });
    script.open(A);
    script.say(A, find!("video"));
    script.expect_waiting(A);
    script.say(A, find!("audio"));
    script.expect_waiting(A);
    script.say(A, find!("video"));
    script.expect_too_fast(A, 1_000);
}

#[test]
fn messages_have_a_burst_and_a_rate() {
    let (mut script, present) = Script::matched(find!("text"));
    // The search was the first of the burst.
    for _ in 0..199 {
        script.say(A, frame!("typing", on: true));
        script.expect(B, frame!("typing", match_id: present, on: true));
    }
    script.say(A, frame!("typing", on: true));
    script.expect_too_fast(A, 20);
    // Frames that cannot be read cost the same, and are not answered otherwise.
    script.say(A, frame!("no such type"));
    script.expect_too_fast(A, 20);
    script.advance_ms(20);
    script.say(A, frame!("typing", on: false));
    script.expect(B, frame!("typing", match_id: present, on: false));
    script.say(A, frame!("typing", on: false));
    script.expect_too_fast(A, 20);
    // The other side is not punished.
    script.say(B, frame!("typing", on: true));
    script.expect(A, frame!("typing", match_id: present, on: true));
}

#[test]
fn who_does_not_heed_two_hundred_refusals_is_closed_for_policy() {
    let (mut script, present) = Script::matched(find!("video", requeue: true));
    for _ in 0..199 {
        script.say(A, frame!("typing", match_id: present, on: true));
        script.expect(B, frame!("typing", match_id: present, on: true));
    }
    for _ in 0..200 {
        script.say(A, frame!("typing", match_id: present, on: true));
        script.expect_too_fast(A, 20);
    }
    script.say(A, frame!("typing", match_id: present, on: true));
    script.expect_too_fast(A, 20);
    script.expect_close(A, CloseCode::Policy);
    script.expect_left(B, present, "lost", Requeued::Yes);
    script.expect_waiting(B);
    // What was still on its way counts for nothing.
    script.say(A, frame!("next"));
    assert_eq!(script.lobby().online(), 1);
}

#[test]
fn a_refused_text_can_be_told_from_those_that_arrived() {
    let (mut script, present) = Script::with_text_burst(2);
    for (nth, text) in [(2, "one"), (3, "two")] {
        script.say(A, frame!("message", match_id: present, text: text));
        script.expect(B, frame!("message", match_id: present, text: text));
        assert_eq!(script.frames_of(A), nth);
    }
    script.say(A, frame!("message", match_id: present, text: "three"));
    let refused = script.hear(A);
    assert_eq!((&refused["of"], &refused["nth"]), (&json!("message"), &json!(4)));
    script.advance_ms(refused["retry_after_ms"].as_u64().unwrap_or_default());
    script.say(A, frame!("message", match_id: present, text: "three"));
    script.expect(B, frame!("message", match_id: present, text: "three"));
}

#[test]
fn an_exempt_connection_has_no_rates_but_the_same_sizes() {
    let mut script = Script::without_news();
    script.open_as(A, Limiting::Exempt);
    script.say(A, find!("video"));
    script.expect_waiting(A);
    for _ in 0..1_000 {
        script.say(A, frame!("next"));
    }
    script.say(A, frame!("message", text: ("x".repeat(2_001))));
    script.expect_refusal(A, "too_large", "text");
    script.say(A, find!("video", languages: ["a", "b", "c", "d", "e", "f"]));
    script.expect_refusal(A, "bad_field", "languages");
}

#[test]
fn the_rates_of_one_connection_are_not_those_of_another() {
    let mut script = Script::without_news();
    for (visitor, kind) in [(A, "video"), (C, "audio")] {
        script.open(visitor);
        script.say(visitor, find!(kind));
        script.expect_waiting(visitor);
        for _ in 0..10 {
            script.say(visitor, frame!("next"));
        }
        script.say(visitor, frame!("next"));
        script.expect_too_fast(visitor, 1_000);
    }
    script.advance(Span::from_secs(100));
}

#[test]
fn wishes_beyond_their_limits_are_refused_and_name_the_culprit() {
    let mut script = Script::new();
    script.open(A);
    let long = "x".repeat(33);
    let pool = "p".repeat(65);
    for (search, culprit) in [
        (find!("video", interests: (vec!["a"; 11])), "interests: 11"),
        (find!("video", interests: ["ok", long]), "interests[1]"),
        (find!("video", languages: ["de", "fr", "it", "es", "pl", "sv"]), "languages: 6"),
        (find!("video", languages: ["de", "d"]), "languages[1]"),
        (find!("video", pool: pool), "pool"),
        (find!("video", pool: "new\nline"), "pool"),
        (find!("video", pin: ["everything"]), "pin"),
        (find!("carrier pigeon"), "kind"),
    ] {
        script.say(A, search);
        script.expect_refusal(A, "bad_field", culprit);
    }
    // None of these was a search.
    script.say(A, frame!("next"));
    script.expect_refusal(A, "not_searching", "find_partner");
    script.say(A, find!("video", interests: (vec!["y".repeat(32); 10]), pool: (pool[1..])));
    script.expect_waiting(A);
}

#[test]
fn a_socket_that_knocks_on_and_on_does_not_push_back_who_comes_after_it() {
    let mut script = Script::with(Config { admission_rate: 1, ..Config::default() });
    for visitor in [A, B, C] {
        script.open(visitor);
    }
    script.say(A, frame!("hello", version: 1));
    script.hear(A);
    // The rate is used up: B is told a moment, and goes on asking all the same.
    script.say(B, frame!("hello", version: 1));
    let promised = script.hear(B)["retry_after_ms"].as_u64().unwrap();
    for _ in 0..150 {
        script.say(B, frame!("hello", version: 1));
        assert_eq!(script.hear(B)["retry_after_ms"], promised);
    }
    script.say(C, frame!("hello", version: 1));
    let next = script.hear(C)["retry_after_ms"].as_u64().unwrap();
    assert!(next > promised && next <= 2 * promised, "{next} after {promised}");
    script.advance(Span::from_millis(promised));
    script.say(B, frame!("hello", version: 1));
    assert_eq!(script.hear(B)["type"], "welcome");
}
