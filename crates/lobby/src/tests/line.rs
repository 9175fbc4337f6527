//! The line: what a waiting visitor is told, and what changes its place.

use super::{A, B, C, Found, Requeued, Script, find, frame};
use crate::{Config, Span};

#[test]
fn who_waits_is_told_every_five_seconds_and_not_sooner() {
    let mut script = Script::new();
    script.open(A);
    script.say(A, find!("video"));
    script.expect(A, frame!("waiting", online: 1));
    script.open(B);
    for _ in 0..4 {
        script.advance(Span::from_micros(4_999_999));
        script.nothing_left();
        script.advance(Span::from_micros(1));
        script.expect(A, frame!("waiting", online: 2));
    }
}

#[test]
fn who_matches_on_arrival_never_hears_waiting() {
    let mut script = Script::new();
    script.open(A);
    script.open(B);
    script.say(A, find!("video"));
    script.expect_waiting(A);
    script.say(B, find!("video"));
    script.expect_match(A, B);
    script.advance(Span::from_secs(120));
}

#[test]
fn news_stretch_when_very_many_wait() {
    let mut script = Script::with(Config { waiting_interval: Span::from_micros(1_000), ..Config::default() });
    for (visitor, language) in [(A, "de"), (B, "fr"), (C, "it")] {
        script.open(visitor);
        script.say(visitor, find!("video", languages: [language], pin: ["language"]));
        script.expect_waiting(visitor);
    }
    // Three at half a millisecond each are more than the interval of one.
    script.advance(Span::from_micros(1_499));
    script.nothing_left();
    script.advance(Span::from_micros(1));
    for visitor in [A, B, C] {
        script.expect_waiting(visitor);
    }
}

#[test]
fn the_estimate_is_what_is_left_of_a_typical_wait() {
    let mut script = Script::new();
    script.open(A);
    script.open(B);
    script.say(A, find!("video"));
    script.expect(A, frame!("waiting", online: 2));
    script.advance_ms(2_000);
    script.say(B, find!("video"));
    script.expect_match(A, B);
    // B waited not at all and A 2 s, which counts for an eighth.
    let typical = 2_000 / 8;
    script.open(C);
    script.say(C, find!("video", interests: ["jazz"], pin: ["interests"]));
    script.expect(C, frame!("waiting", online: 3, estimate_ms: typical));
    script.advance_ms(5_000);
    script.expect(C, frame!("waiting", online: 3, estimate_ms: 0));
}

#[test]
fn pools_that_nobody_is_in_are_forgotten_the_one_longest_empty_first() {
    let mut script = Script::with(Config { next_burst: 10_000, message_burst: 10_000, ..Config::default() });
    script.open(A);
    script.open(B);
    let estimate = |script: &mut Script, pool: &str| {
        script.say(A, find!("text", pool: pool));
        let told = script.hear(A);
        script.say(A, frame!("stop"));
        script.expect(A, frame!("stopped"));
        told.get("estimate_ms").is_some()
    };
    let meet = |script: &mut Script, pool: &str| {
        script.say(A, find!("text", pool: pool));
        script.hear(A);
        script.say(B, find!("text", pool: pool));
        let present = script.expect_found(A, B, Found { mode: "text", ..Found::default() });
        script.say(B, frame!("block", match_id: present));
        script.expect_left(A, present, "next", Requeued::No);
        script.expect_blocked(B, present);
        script.say(B, frame!("stop"));
        script.expect(B, frame!("stopped"));
    };
    meet(&mut script, "here before all others");
    assert!(estimate(&mut script, "here before all others"), "known while it is not too long empty");
    // More than are kept; whoever is in one keeps it.
    for n in 0..300 {
        estimate(&mut script, &format!("pool {n}"));
    }
    assert!(!estimate(&mut script, "here before all others"), "its place went to a newer one");
}

#[test]
fn another_kind_has_an_estimate_of_its_own() {
    let mut script = Script::new();
    script.open(A);
    script.open(B);
    script.pair(A, B, find!("video"));
    script.open(C);
    script.say(C, find!("audio"));
    script.expect(C, frame!("waiting", online: 3));
}

#[test]
fn find_partner_while_waiting_replaces_the_wishes_and_keeps_the_age() {
    let mut script = Script::without_news();
    script.open(A);
    script.open(B);
    script.open(C);
    script.say(A, find!("video", languages: ["it"], pin: ["language"]));
    script.expect_waiting(A);
    script.advance_ms(10);
    script.say(B, find!("video", languages: ["fr"], pin: ["language"]));
    script.expect_waiting(B);
    script.advance_ms(10);
    // No second `waiting`: A never left the line.
    script.say(A, find!("video", languages: ["de"], pin: ["language"]));
    script.say(C, find!("video", languages: ["fr", "de"]));
    script.expect_found(A, C, Found { language: Some("de"), ..Found::default() });
}

#[test]
fn find_partner_while_waiting_matches_at_once_if_the_new_wishes_fit() {
    let mut script = Script::new();
    script.open(A);
    script.open(B);
    script.say(A, find!("video", interests: ["jazz"], pin: ["interests"]));
    script.expect_waiting(A);
    script.say(B, find!("video"));
    script.expect_waiting(B);
    script.say(A, find!("video"));
    script.expect_match(A, B);
}

#[test]
fn find_partner_of_another_kind_starts_at_the_end_of_the_line() {
    let mut script = Script::without_news();
    script.open(A);
    script.open(B);
    script.say(A, find!("audio"));
    script.expect_waiting(A);
    script.advance_ms(10);
    script.say(B, find!("video"));
    script.expect_waiting(B);
    script.advance_ms(10);
    script.say(A, find!("video"));
    script.expect_match(B, A);
}

#[test]
fn next_while_waiting_keeps_the_place_and_may_bring_an_offer() {
    let mut script = Script::without_news();
    script.open(A);
    script.open(B);
    script.open(C);
    script.say(A, find!("video", languages: ["de"], pin: ["language"]));
    script.expect_waiting(A);
    script.advance_ms(10);
    script.say(B, find!("video", languages: ["fr"], pin: ["language"]));
    script.expect_waiting(B);
    script.advance_ms(10);
    script.say(A, frame!("next"));
    script.say(A, frame!("next", offer: {"sdp": "of A"}));
    script.say(C, find!("video", languages: ["fr", "de"]));
    let found = Found { mode: "answer_offer", language: Some("de"), offer: Some("of A"), ..Found::default() };
    script.expect_found(A, C, found);
}

#[test]
fn next_that_names_a_match_while_waiting_is_ignored_with_its_offer() {
    let mut script = Script::new();
    script.open(A);
    script.open(B);
    script.say(A, find!("video"));
    script.expect_waiting(A);
    script.say(A, frame!("next", match_id: "00000000000000ff", offer: {"sdp": "of A"}));
    script.say(B, find!("video"));
    script.expect_match(A, B);
}

#[test]
fn next_before_any_search_is_refused() {
    let mut script = Script::new();
    script.open(A);
    script.say(A, frame!("next"));
    script.expect_refusal(A, "not_searching", "find_partner");
    script.say(A, frame!("next", match_id: "00000000000000ff"));
    script.expect_refusal(A, "not_searching", "find_partner");
}

#[test]
fn next_after_stop_searches_with_the_same_wishes() {
    let mut script = Script::new();
    script.open(A);
    script.say(A, find!("audio", interests: ["jazz"]));
    script.expect_waiting(A);
    script.say(A, frame!("stop"));
    script.expect(A, frame!("stopped"));
    script.say(A, frame!("next"));
    script.expect_waiting(A);
    script.open(B);
    script.say(B, find!("audio", interests: ["jazz"]));
    script.expect_found(A, B, Found { shared: &["jazz"], ..Found::default() });
}
