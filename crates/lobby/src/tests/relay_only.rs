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
