//! Visitors who hide their address, and operators who hide everybody's.

use super::{A, B, C, Script, Value, find, frame};
use crate::{Config, SessionSecret, Span};

const SDP: &str = "v=0\r\nc=IN IP4 203.0.113.7\r\na=candidate:1 1 udp 1 203.0.113.7 9 typ host\r\n";
const HIDDEN: &str = "v=0\r\nc=IN IP4 0.0.0.0\r\n";
const HOST: &str = "candidate:1 1 udp 1 203.0.113.7 9 typ host";
const RELAY: &str = "candidate:1 1 udp 1 198.51.100.9 9 typ relay raddr 203.0.113.7 rport 9";
const HIDDEN_RELAY: &str = "candidate:1 1 udp 1 198.51.100.9 9 typ relay raddr 0.0.0.0 rport 9";

fn config(relay_only: bool) -> Config {
    Config { relay_only, waiting_interval: Span::from_secs(1_000_000), ..Config::default() }
}

fn offer_in(found: &Value) -> &str {
    found["offer"]["sdp"].as_str().unwrap()
}

fn candidate(text: &str) -> Value {
    frame!("ice_candidate", candidate: { "candidate": text })
}

fn hears(script: &mut Script, visitor: super::Visitor) -> String {
    script.hear(visitor).to_string()
}

#[test]
fn the_switch_hides_the_one_who_set_it_and_nobody_else() {
    let mut script = Script::with(config(false));
    script.open(A);
    script.open(B);
    script.say(A, find!("video", relay_only: true, offer: { "sdp": SDP }));
    script.expect_waiting(A);
    script.say(B, find!("video"));
    script.hear(A);
    assert_eq!(offer_in(&script.hear(B)), HIDDEN);
    script.say(B, frame!("answer", sdp: SDP));
    assert_eq!(script.hear(A)["sdp"], SDP);
    script.say(B, candidate(HOST));
    assert!(hears(&mut script, A).contains(HOST));
    for kind in ["offer", "answer"] {
        script.say(A, frame!(kind, sdp: SDP));
        assert_eq!(script.hear(B)["sdp"], HIDDEN, "{kind}");
    }
    script.say(A, candidate(HOST));
    script.nothing_left();
    script.say(A, candidate(RELAY));
    assert!(hears(&mut script, B).contains(HIDDEN_RELAY));
}

#[test]
fn the_policy_hides_both_in_every_message() {
    let mut script = Script::with(config(true));
    script.open(A);
    script.open(B);
    script.say(A, find!("video"));
    script.expect_waiting(A);
    script.say(A, frame!("ticket_offer", sdp: SDP));
    script.say(B, find!("video"));
    script.hear(A);
    assert_eq!(offer_in(&script.hear(B)), HIDDEN);
    script.say(B, frame!("answer", sdp: SDP));
    assert_eq!(script.hear(A)["sdp"], HIDDEN);
    for (one, other) in [(A, B), (B, A)] {
        script.say(one, candidate(HOST));
        script.nothing_left();
        script.say(one, candidate(RELAY));
        assert!(hears(&mut script, other).contains(HIDDEN_RELAY));
    }
    script.say(B, frame!("next", offer: { "sdp": SDP }));
    script.discard();
    script.open(C);
    script.say(C, find!("video"));
    script.hear(B);
    assert_eq!(offer_in(&script.hear(C)), HIDDEN);
}

#[test]
fn who_sets_the_switch_while_waiting_is_not_given_away_by_an_older_offer() {
    let mut script = Script::with(config(false));
    script.open(A);
    script.open(B);
    script.say(A, find!("video", offer: { "sdp": SDP }));
    script.expect_waiting(A);
    script.say(A, find!("video", relay_only: true));
    script.nothing_left();
    script.say(B, find!("video"));
    let found = script.hear(A);
    assert_eq!((&found["mode"], found.get("offer")), (&"negotiate".into(), None));
    assert_eq!(script.hear(B).get("offer"), None);
}

/// A waits in the open, and has used up its allowance of this.
fn waits_with_nothing_left(mut config: Config) -> Script {
    config.next_burst = 1;
    config.next_interval = Span::from_secs(60);
    let mut script = Script::with(config);
    script.open(A);
    script.say(A, find!("video", offer: { "sdp": SDP }));
    script.expect_waiting(A);
    script.say(A, find!("video", offer: { "sdp": SDP }));
    script
}

#[test]
fn a_switch_to_hiding_takes_effect_whatever_the_rates_say() {
    let mut script = waits_with_nothing_left(config(false));
    script.say(A, find!("video", relay_only: true));
    script.expect_too_fast(A, 60_000);
    // What it sends after that is hidden, too: it may not know yet that the rest was refused.
    script.say(A, frame!("ticket_offer", sdp: SDP));
    script.open(B);
    script.say(B, find!("video"));
    script.hear(A);
    assert_eq!(offer_in(&script.hear(B)), HIDDEN);

    let mut script = waits_with_nothing_left(config(false));
    script.say(A, find!("video", relay_only: true));
    script.expect_too_fast(A, 60_000);
    script.open(B);
    script.say(B, find!("video"));
    script.hear(A);
    assert_eq!(script.hear(B).get("offer"), None, "the offer of before is gone");
}

#[test]
fn a_switch_to_hiding_holds_though_the_rest_of_the_search_is_wrong() {
    for wrong in [
        find!("video", relay_only: true, languages: ["no language"]),
        find!("video", relay_only: true, age: 9),
    ] {
        let mut script = Script::with(config(false));
        script.open(A);
        script.say(A, find!("video", offer: { "sdp": SDP }));
        script.expect_waiting(A);
        script.say(A, wrong);
        script.expect_refusal(A, "bad_field", "");
        script.open(B);
        script.say(B, find!("video"));
        script.hear(A);
        assert_eq!(script.hear(B).get("offer"), None);
    }
}

#[test]
fn a_switch_to_hiding_is_in_the_newest_token_though_the_search_was_refused() {
    let secrets = vec![SessionSecret([7; 32])];
    let config = Config { session_secrets: secrets, next_burst: 1, ..config(false) };
    let mut script = Script::with(config.clone());
    script.open(A);
    script.say(A, frame!("hello", version: 1));
    script.hear(A);
    for _ in 0..2 {
        script.say(A, find!("video", requeue: true));
        script.hear(A);
    }
    script.say(A, find!("video", requeue: true, relay_only: true));
    assert_eq!(script.hear(A)["code"], "too_fast");
    let token = script.hear(A)["resume_token"].clone();
    script.restart(config, 8);
    script.open(B);
    script.say(B, frame!("hello", version: 1, resume: token));
    script.discard();
    script.say(B, frame!("ticket_offer", sdp: SDP));
    script.open(C);
    script.say(C, find!("video"));
    script.hear(B);
    assert_eq!(offer_in(&script.hear(C)), HIDDEN);
}

#[test]
fn what_a_stranger_has_not_read_yet_does_not_give_away_who_hides_meanwhile() {
    let config = Config { session_secrets: vec![SessionSecret([7; 32])], ..config(false) };
    let mut script = Script::with(config);
    for visitor in [A, B] {
        script.open(visitor);
        script.say(visitor, frame!("hello", version: 1));
        script.hear(visitor);
    }
    script.say(A, find!("video", requeue: true, offer: { "sdp": SDP }));
    script.hear(A);
    script.say(B, find!("video", requeue: true));
    let id = script.hear(A)["match_id"].clone();
    let token = script.hear(B)["resume_token"].clone();
    script.say(A, frame!("ice_candidate", match_id: id, candidate: { "candidate": HOST }));
    script.discard();
    // B's line is lost before it has read any of it.
    script.close(B, crate::Ending::Broken);
    script.discard();
    script.say(A, find!("video", requeue: true, relay_only: true));
    script.discard();
    script.open(C);
    script.say(C, frame!("hello", version: 1, resume: token, received: 0));
    let mut told = String::new();
    script.unread().for_each(|message| told.push_str(&message));
    assert!(told.contains("partner_found") && told.contains("partner_left"), "{told}");
    assert!(!told.contains("203.0.113.7"), "{told}");
}

#[test]
fn next_and_a_resume_in_another_process_keep_hiding() {
    let config = Config { session_secrets: vec![SessionSecret([7; 32])], ..config(false) };
    let mut script = Script::with(config.clone());
    script.open(A);
    script.say(A, frame!("hello", version: 1));
    script.hear(A);
    script.say(A, find!("video", relay_only: true, requeue: true));
    let token = script.hear(A)["resume_token"].clone();
    script.say(A, frame!("ticket_offer", sdp: SDP));

    script.restart(config, 8);
    script.open(B);
    script.say(B, frame!("hello", version: 1, resume: token));
    assert_eq!(script.hear(B)["resumed"], true);
    script.discard();
    script.say(B, frame!("ticket_offer", sdp: SDP));
    script.open(C);
    script.say(C, find!("video"));
    script.hear(B);
    assert_eq!(offer_in(&script.hear(C)), HIDDEN);
}

#[test]
fn who_asks_to_hide_before_it_says_who_it_is_hides() {
    let mut script = Script::with(Config { session_secrets: vec![SessionSecret([7; 32])], ..config(false) });
    script.open(A);
    script.say(A, frame!("hello", version: 1));
    script.hear(A);
    script.say(A, find!("video", requeue: true, offer: { "sdp": SDP }));
    let token = script.hear(A)["resume_token"].clone();
    script.open(B);
    // Refused, but heard: its hello comes behind it.
    script.say(B, find!("video", relay_only: true, languages: ["no language"]));
    script.discard();
    script.say(B, frame!("hello", version: 1, resume: token));
    assert!(script.unread().any(|message| message.contains(r#""resumed":true"#)));
    script.say(B, frame!("ticket_offer", sdp: SDP));
    script.discard();
    script.open(C);
    script.say(C, find!("video"));
    script.hear(B);
    assert_eq!(offer_in(&script.hear(C)), HIDDEN);
}
