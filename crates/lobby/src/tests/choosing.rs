//! Whom the search prefers among those that fit: a shared interest first, the rarest first, then the oldest.

use super::{A, B, C, D, Found, Script, Value, Visitor, find};

/// Opens a visitor who searches, and waits. A moment passes, so that nobody is as old as anybody else.
fn waits(script: &mut Script, visitor: Visitor, search: Value) {
    script.open(visitor);
    script.say(visitor, search);
    script.expect_waiting(visitor);
    script.advance_ms(1);
}

#[test]
fn among_equals_the_oldest_goes_first() {
    let mut script = Script::new();
    waits(&mut script, A, find!("video", languages: ["de"]));
    waits(&mut script, B, find!("video", languages: ["fr"]));
    script.open(C);
    script.say(C, find!("video", languages: ["fr", "de"]));
    script.expect_found(A, C, Found { language: Some("de"), ..Found::default() });
}

#[test]
fn a_shared_interest_goes_before_age() {
    let mut script = Script::without_news();
    waits(&mut script, C, find!("video", interests: ["chess"], pin: ["interests"]));
    waits(&mut script, A, find!("video", languages: ["de"], pin: ["language"]));
    waits(&mut script, B, find!("video", interests: ["jazz"], languages: ["fr"], pin: ["language"]));
    script.advance_ms(2_000);
    // C is past insisting on an interest, so both fit; A is older than B.
    script.say(C, find!("video", interests: ["jazz"], languages: ["de", "fr"]));
    script.expect_found(C, B, Found { shared: &["jazz"], language: Some("fr"), ..Found::default() });
}

#[test]
fn a_shared_language_goes_before_age_when_no_interest_is_shared() {
    let mut script = Script::without_news();
    waits(&mut script, C, find!("video", interests: ["chess"], pin: ["interests"]));
    waits(&mut script, A, find!("video"));
    waits(&mut script, B, find!("video", languages: ["fr"], pin: ["language"]));
    script.advance_ms(4_000);
    script.say(C, find!("video", languages: ["fr"]));
    script.expect_found(C, B, Found { language: Some("fr"), ..Found::default() });
}

#[test]
fn the_rarest_shared_interest_goes_first() {
    let mut script = Script::new();
    waits(&mut script, A, find!("video", interests: ["music"], languages: ["de"]));
    waits(&mut script, D, find!("video", interests: ["music"], languages: ["fr"]));
    waits(&mut script, B, find!("video", interests: ["theremin"], languages: ["de"]));
    script.open(C);
    script.say(C, find!("video", interests: ["music", "theremin"], languages: ["de"]));
    script.expect_found(B, C, Found { shared: &["theremin"], language: Some("de"), ..Found::default() });
}

#[test]
fn who_insists_on_more_goes_before_age() {
    let mut script = Script::without_news();
    waits(&mut script, B, find!("video", interests: ["jazz"], languages: ["fr"]));
    script.advance_ms(3_000);
    waits(&mut script, A, find!("video", interests: ["jazz"], languages: ["de"], pin: ["language"]));
    script.open(C);
    script.say(C, find!("video", interests: ["jazz"], languages: ["fr", "de"]));
    script.expect_found(A, C, Found { shared: &["jazz"], language: Some("de"), ..Found::default() });
}

#[test]
fn the_oldest_that_fits_is_passed_over_eight_times_and_not_a_ninth() {
    let mut script = Script::new();
    waits(&mut script, A, find!("video", interests: ["music"]));
    let mut newcomers = (10..).map(Visitor);
    for round in 0..9 {
        let (scarce, seeker) = (newcomers.next().unwrap(), newcomers.next().unwrap());
        waits(&mut script, scarce, find!("video", interests: ["theremin"]));
        script.open(seeker);
        script.say(seeker, find!("video", interests: ["theremin", "music"]));
        if round < 8 {
            script.expect_found(scarce, seeker, Found { shared: &["theremin"], ..Found::default() });
        } else {
            script.expect_found(A, seeker, Found { shared: &["music"], ..Found::default() });
        }
    }
}

#[test]
fn all_shared_interests_are_told_to_both_in_one_order() {
    let mut script = Script::new();
    waits(&mut script, A, find!("video", interests: ["  Jazz ", "CHESS", "tea"]));
    script.open(B);
    script.say(B, find!("video", interests: ["chess", "go", "jazz"]));
    script.expect_found(A, B, Found { shared: &["jazz", "chess"], ..Found::default() });
}

#[test]
fn the_language_told_is_the_exact_tag_or_what_is_shared_of_it() {
    for (first, second, language) in [
        (["pt-BR"], ["pt-BR"], "pt-BR"),
        (["PT-br"], ["pt-BR"], "pt-BR"),
        (["pt-BR"], ["pt-PT"], "pt"),
        (["pt-BR"], ["pt"], "pt"),
        (["zh-Hant-TW"], ["zh-Hans"], "zh"),
    ] {
        let mut script = Script::new();
        waits(&mut script, A, find!("audio", languages: first));
        script.open(B);
        script.say(B, find!("audio", languages: second));
        script.expect_found(A, B, Found { language: Some(language), ..Found::default() });
    }
}

#[test]
fn the_first_language_of_the_initiator_that_both_speak_is_told() {
    let mut script = Script::new();
    waits(&mut script, A, find!("video", languages: ["it", "en-US", "de"]));
    script.open(B);
    script.say(B, find!("video", languages: ["de", "en-GB", "fr"]));
    script.expect_found(A, B, Found { language: Some("en"), ..Found::default() });
}

#[test]
fn ten_interests_and_five_languages_find_their_one_match() {
    let mut script = Script::new();
    let many: Vec<String> = (0..10).map(|n| format!("interest {n}")).collect();
    let languages = ["de", "fr", "it", "es", "pl"];
    waits(&mut script, A, find!("video", interests: many, languages: languages));
    waits(&mut script, B, find!("video", interests: ["interest 9"], languages: ["sv"]));
    script.open(C);
    script.say(C, find!("video", interests: ["interest 9"], languages: ["pl"]));
    script.expect_found(A, C, Found { shared: &["interest 9"], language: Some("pl"), ..Found::default() });
}
