//! Relaxation: what a wish is worth after how long, by both sides' consent, and what a pin keeps.

use super::{A, B, Found, Script, Value, find};
use crate::Span;

/// A searches, B a second later; they meet exactly `after_ms` after B came, and not a microsecond sooner.
fn meet_after(first: Value, second: Value, after_ms: u64, found: Found) {
    let mut script = Script::without_news();
    script.open(A);
    script.open(B);
    script.say(A, first);
    script.expect_waiting(A);
    script.advance_ms(1_000);
    script.say(B, second);
    script.expect_waiting(B);
    script.advance(Span::from_micros(after_ms * 1_000 - 1));
    script.nothing_left();
    script.advance(Span::from_micros(1));
    script.expect_found(A, B, found);
}

fn never_meet(first: Value, second: Value) {
    let mut script = Script::without_news();
    script.open(A);
    script.open(B);
    script.say(A, first);
    script.expect_waiting(A);
    script.say(B, second);
    script.expect_waiting(B);
    script.advance_ms(600_000);
}

#[test]
fn interests_relax_when_both_have_waited_long_enough() {
    let (jazz, rock) = (find!("video", interests: ["jazz"]), find!("video", interests: ["rock"]));
    meet_after(jazz, rock, 1_500, Found::default());
}

#[test]
fn who_wishes_nothing_still_waits_for_the_other_to_relax() {
    meet_after(find!("video"), find!("video", interests: ["jazz"]), 1_500, Found::default());
    meet_after(find!("video", interests: ["jazz"]), find!("video"), 500, Found::default());
    meet_after(find!("video"), find!("video", languages: ["de"]), 3_000, Found::default());
    meet_after(find!("video", languages: ["de"]), find!("video"), 2_000, Found::default());
}

#[test]
fn interests_relax_before_languages() {
    let search = |interest, language| find!("video", interests: [interest], languages: [language]);
    let german = Found { language: Some("de"), ..Found::default() };
    meet_after(search("jazz", "de"), search("rock", "de"), 1_500, german);
    let jazz = Found { shared: &["jazz"], ..Found::default() };
    meet_after(search("jazz", "de"), search("jazz", "fr"), 3_000, jazz);
    meet_after(search("jazz", "de"), search("rock", "fr"), 3_000, Found::default());
}

#[test]
fn a_pin_keeps_its_wish_for_ever() {
    let pinned = find!("video", interests: ["jazz"], pin: ["interests"]);
    never_meet(pinned.clone(), find!("video"));
    never_meet(find!("video", interests: ["rock"]), pinned);
    let pinned = find!("video", languages: ["de"], pin: ["language"]);
    never_meet(pinned.clone(), find!("video", languages: ["fr"]));
    never_meet(find!("video"), pinned);
}

#[test]
fn a_pin_keeps_only_its_own_wish() {
    let pinned = |interest| find!("video", interests: [interest], languages: ["de"], pin: ["language"]);
    meet_after(pinned("jazz"), pinned("rock"), 1_500, Found { language: Some("de"), ..Found::default() });
    let pinned = |language| find!("video", interests: ["jazz"], languages: [language], pin: ["interests"]);
    meet_after(pinned("fr"), pinned("de"), 3_000, Found { shared: &["jazz"], ..Found::default() });
}

#[test]
fn a_pin_on_nothing_insists_on_nothing() {
    let mut script = Script::new();
    script.open(A);
    script.open(B);
    script.pair(A, B, find!("video", pin: ["language", "interests"]));
}

#[test]
fn a_ticket_that_relaxes_keeps_its_offer() {
    let mut script = Script::without_news();
    script.open(A);
    script.open(B);
    script.say(A, find!("video", interests: ["jazz"], offer: {"sdp": "of A"}));
    script.expect_waiting(A);
    script.say(B, find!("video"));
    script.expect_waiting(B);
    script.advance_ms(1_500);
    script.expect_found(A, B, Found { mode: "answer_offer", offer: Some("of A"), ..Found::default() });
}

#[test]
fn relaxing_does_not_make_anybody_younger() {
    let mut script = Script::without_news();
    for visitor in [A, B] {
        script.open(visitor);
    }
    script.say(A, find!("video", interests: ["jazz"], languages: ["de"], pin: ["language"]));
    script.expect_waiting(A);
    script.advance_ms(1_499);
    script.say(B, find!("video", languages: ["fr"], pin: ["language"]));
    script.expect_waiting(B);
    script.advance_ms(10);
    script.open(super::C);
    script.say(super::C, find!("video", languages: ["fr", "de"]));
    script.expect_found(A, super::C, Found { language: Some("de"), ..Found::default() });
}
