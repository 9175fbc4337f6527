//! A node that goes away.

use super::{A, B, C, D, Script, find, frame};
use crate::{Config, Ending, Input, SessionSecret, Span};

const SPREAD: Span = Span::from_millis(3_000);

fn drain(script: &mut Script) {
    script.input(Input::Drain { spread: SPREAD });
}

#[test]
fn everybody_is_asked_once_to_move_evenly_spread() {
    let mut script = Script::new();
    for visitor in [A, B, C] {
        script.open(visitor);
    }
    drain(&mut script);
    for (visitor, after) in [(A, 0), (B, 1_000), (C, 2_000)] {
        script.expect(visitor, frame!("draining", reconnect_after_ms: after));
    }
    drain(&mut script);
    script.nothing_left();
}

#[test]
fn nobody_is_matched_any_more_and_calls_go_on() {
    let (mut script, id) = Script::matched(find!("text", requeue: true));
    script.open(C);
    script.open(D);
    script.say(C, find!("text", requeue: true));
    script.expect_waiting(C);
    drain(&mut script);
    script.discard();
    script.say(D, find!("text"));
    script.expect_waiting(D);
    script.say(A, frame!("message", match_id: id, text: "still here"));
    script.expect(B, frame!("message", match_id: id, text: "still here"));
    script.say(A, frame!("next", match_id: id));
    script.expect_left(B, id, "next", super::Requeued::Yes);
    script.expect_waiting(B);
    script.expect_waiting(A);
    // Relaxing and the end of the pause between old partners change nothing either.
    script.advance(Span::from_secs(5));
}

#[test]
fn a_closed_socket_is_one_that_moved_and_the_pair_meets_on_the_next_node() {
    let config = Config {
        session_secrets: vec![SessionSecret([7; 32])],
        waiting_interval: Span::from_secs(1_000_000),
        ..Config::default()
    };
    let mut script = Script::with(config.clone());
    for visitor in [A, B] {
        script.open(visitor);
        script.say(visitor, frame!("hello", version: 1));
        script.hear(visitor);
    }
    script.say(A, find!("video", requeue: true));
    script.hear(A);
    script.say(B, find!("video", requeue: true));
    let tokens = [script.hear(A), script.hear(B)].map(|found| found["resume_token"].clone());
    drain(&mut script);
    script.discard();
    script.close(A, Ending::CloseFrame);
    assert_eq!(script.hear(B)["type"], "partner_reconnecting", "not partner_left");
    script.close(B, Ending::CloseFrame);

    script.restart(config, 8);
    let [first, second] = tokens;
    script.open(C);
    script.say(C, frame!("hello", version: 1, resume: first));
    let welcome = script.hear(C);
    assert_eq!(
        (&welcome["resumed"], script.hear(C)["type"].as_str()),
        (&true.into(), Some("partner_reconnecting"))
    );
    script.open(D);
    script.say(D, frame!("hello", version: 1, resume: second));
    assert_eq!(script.hear(C)["type"], "partner_back");
    let back = script.hear(D);
    assert_eq!((&back["resumed"], &back["match_id"]), (&true.into(), &welcome["match_id"]));
    script.discard();
}
