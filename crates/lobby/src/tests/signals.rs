//! The switchboard: signals reach the present partner, unchanged and in order, and nobody else ever.

use super::{A, B, C, Requeued, Script, Value, find, frame, json};
use visavis_protocol::MatchId;

fn every_signal(id: MatchId) -> Vec<Value> {
    vec![
        frame!("offer", match_id: id, sdp: "v=0\r\no=offer"),
        frame!("ice_candidate", match_id: id, candidate: {"candidate": "candidate:1", "sdpMid": "0"}),
        frame!("ice_candidate", match_id: id, candidate: [{"candidate": "a"}, {"candidate": "b"}, null]),
        frame!("ice_candidate", match_id: id, candidate: null),
        frame!("ice_candidate", match_id: id, candidate: ""),
        frame!("answer", match_id: id, sdp: "v=0\r\no=answer"),
        frame!("message", match_id: id, text: "<b>hello</b> \u{1f44b}"),
        frame!("typing", match_id: id, on: true),
        frame!("typing", match_id: id, on: false),
    ]
}

fn without_id(mut signal: Value) -> Value {
    signal.as_object_mut().unwrap().remove("match_id");
    signal
}

#[test]
fn every_signal_reaches_the_other_side_as_sent() {
    let (mut script, present) = Script::matched(find!("video", requeue: true));
    for (from, to) in [(A, B), (B, A)] {
        for signal in every_signal(present) {
            script.say(from, signal.clone());
            script.expect(to, signal);
        }
    }
}

#[test]
fn a_signal_without_an_id_means_the_present_match_and_arrives_with_its_id() {
    let (mut script, present) = Script::matched(find!("video"));
    for signal in every_signal(present) {
        script.say(A, without_id(signal.clone()));
        script.expect(B, signal);
    }
}

#[test]
fn who_said_hello_or_requeue_names_the_match_on_every_signal() {
    for greeted in [true, false] {
        let mut script = Script::new();
        script.open(A);
        script.open(B);
        if greeted {
            script.say(A, frame!("hello", version: 1));
            script.expect_welcome(A);
        }
        script.say(A, find!("video", requeue: (!greeted)));
        script.expect_waiting(A);
        script.say(B, find!("video"));
        let present = script.expect_match(A, B);
        for signal in every_signal(present) {
            script.say(A, without_id(signal));
            script.expect_refusal(A, "match_id_required", "match_id");
        }
        script.say(A, frame!("typing", match_id: present, on: true));
        script.expect(B, frame!("typing", match_id: present, on: true));
        script.say(B, frame!("typing", on: true));
        script.expect(A, frame!("typing", match_id: present, on: true));
    }
}

#[test]
fn a_signal_before_any_match_is_refused() {
    let mut script = Script::new();
    script.open(A);
    script.say(A, frame!("offer", sdp: "x"));
    script.expect_refusal(A, "not_matched", "partner_found");
    script.say(A, find!("video"));
    script.expect_waiting(A);
    for signal in every_signal(MatchId(0xff)) {
        script.say(A, signal);
        script.expect_refusal(A, "not_matched", "partner_found");
    }
    script.say(A, frame!("connected", match_id: "x", path: "direct", elapsed_ms: 1));
    script.expect_refusal(A, "not_matched", "partner_found");
}

#[test]
fn a_signal_of_an_earlier_match_is_dropped_and_counted() {
    let (mut script, first) = Script::matched(find!("video", requeue: true));
    script.say(A, frame!("next"));
    script.expect_left(B, first, "next", Requeued::Yes);
    script.expect_waiting(B);
    script.expect_waiting(A);
    for (from, signal) in every_signal(first).into_iter().flat_map(|s| [(A, s.clone()), (B, s)]) {
        script.say(from, signal);
    }
    script.open(C);
    script.say(C, find!("video"));
    let second = script.expect_match(B, C);
    assert_ne!(first, second);
    for signal in every_signal(first) {
        script.say(B, signal);
    }
    script.say(B, frame!("connected", match_id: first, path: "direct", elapsed_ms: 1));
    let dropped = every_signal(first).len() as u64 * 3 + 1;
    assert_eq!(script.lobby().counters().stale_signals, dropped);
    assert_eq!(script.lobby().counters().paths.direct.count(), 0);
}

#[test]
fn a_signal_after_the_end_is_dropped_with_or_without_an_id() {
    let (mut script, present) = Script::matched(find!("video"));
    script.say(B, frame!("stop"));
    script.expect_left(A, present, "stop", Requeued::No);
    script.expect(B, frame!("stopped"));
    for (from, signal) in every_signal(present).into_iter().flat_map(|s| [(A, s.clone()), (B, s)]) {
        script.say(from, signal.clone());
        script.say(from, without_id(signal));
    }
    assert_eq!(script.lobby().counters().stale_signals, every_signal(present).len() as u64 * 4);
}

#[test]
fn an_id_that_is_none_of_ours_reaches_nobody() {
    let (mut script, present) = Script::matched(find!("video"));
    let upper = present.to_string().to_uppercase();
    for id in [json!(""), json!("0000000000000000"), json!("guess"), json!(upper), json!("00000000000000ff")]
    {
        if id != json!(present) {
            script.say(A, frame!("message", match_id: id, text: "hello"));
        }
    }
}

#[test]
fn a_stranger_s_id_opens_no_door() {
    let (mut script, first) = Script::matched(find!("video"));
    let (c, d) = (C, super::D);
    script.open(c);
    script.open(d);
    let second = script.pair(c, d, find!("video"));
    script.say(c, frame!("message", match_id: first, text: "let me in"));
    script.say(A, frame!("message", match_id: second, text: "let me in"));
    assert_eq!(script.lobby().counters().stale_signals, 2);
}

#[test]
fn connected_is_counted_and_goes_to_nobody() {
    let (mut script, present) = Script::matched(find!("video"));
    script.advance_ms(1_000);
    script.say(
        A,
        frame!("connected", match_id: present, path: "direct", elapsed_ms: 312.5,
        local_type: "host", remote_type: "srflx", protocol: "udp", family: "ipv6"),
    );
    script.say(B, frame!("connected", match_id: present, path: "relay", elapsed_ms: 900));
    let paths = &script.lobby().counters().paths;
    assert_eq!((paths.matches, paths.direct.count(), paths.relay.count()), (1, 1, 1));
    assert_eq!(paths.direct.sum(), crate::Span::from_micros(312_500));
    assert_eq!(paths.relay.sum(), crate::Span::from_micros(900_000));
    assert_eq!(paths.direct_share(), Some(0.5));
    let counted = |tally: &mut dyn Iterator<Item = (&'static str, u64)>| {
        tally.filter(|(_, count)| *count > 0).map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(counted(&mut paths.local.by_name()), ["host", "unknown"]);
    assert_eq!(counted(&mut paths.remote.by_name()), ["srflx", "unknown"]);
    assert_eq!(counted(&mut paths.transport.by_name()), ["udp", "unknown"]);
    assert_eq!(counted(&mut paths.family.by_name()), ["ipv6", "unknown"]);
    // Whoever says it again is not counted again.
    for path in ["direct", "relay"] {
        script.say(A, frame!("connected", match_id: present, path: path, elapsed_ms: 1));
        script.say(B, frame!("connected", match_id: present, path: path, elapsed_ms: 1));
    }
    let paths = &script.lobby().counters().paths;
    assert_eq!((paths.matches, paths.direct.count(), paths.relay.count()), (1, 1, 1));
}

#[test]
fn a_call_connects_in_no_more_time_than_its_match_is_old() {
    let (mut script, present) = Script::matched(find!("video"));
    script.advance_ms(1_000);
    script.say(A, frame!("connected", match_id: present, path: "direct", elapsed_ms: 1e300));
    assert_eq!(script.lobby().counters().paths.direct.sum(), crate::Span::from_millis(1_000));
}

#[test]
fn sixty_four_candidates_pass_and_the_next_is_refused() {
    let (mut script, present) = Script::matched(find!("video"));
    let batch = |n: usize| frame!("ice_candidate", match_id: present, candidate: (vec![json!({}); n]));
    for signal in [batch(60), batch(4)] {
        script.say(A, signal.clone());
        script.expect(B, signal);
    }
    script.say(A, batch(1));
    script.expect_refusal(A, "too_large", "candidate");
    // The end of candidates is none, and the other side has a budget of its own.
    script.say(A, frame!("ice_candidate", match_id: present));
    script.expect(B, frame!("ice_candidate", match_id: present, candidate: null));
    script.say(B, batch(64));
    script.expect(A, batch(64));
    script.say(B, batch(1));
    script.expect_refusal(B, "too_large", "candidate");
}

#[test]
fn a_batch_beyond_the_budget_is_refused_whole_and_costs_nothing() {
    let (mut script, present) = Script::matched(find!("video"));
    let batch = |n: usize| frame!("ice_candidate", match_id: present, candidate: (vec![json!({}); n]));
    script.say(A, batch(65));
    script.expect_refusal(A, "too_large", "candidate");
    script.say(A, batch(64));
    script.expect(B, batch(64));
}

#[test]
fn an_offer_or_an_answer_starts_the_budget_anew() {
    let (mut script, present) = Script::matched(find!("video"));
    let batch = frame!("ice_candidate", match_id: present, candidate: (vec![json!({}); 64]));
    for description in ["offer", "answer", "offer"] {
        script.say(A, batch.clone());
        script.expect(B, batch.clone());
        let restart = frame!(description, match_id: present, sdp: "v=0");
        script.say(A, restart.clone());
        script.expect(B, restart);
    }
}

#[test]
fn a_new_match_has_a_new_budget() {
    let (mut script, first) = Script::matched(find!("video", requeue: true));
    let batch = |id: MatchId| frame!("ice_candidate", match_id: id, candidate: (vec![json!({}); 64]));
    script.say(A, batch(first));
    script.expect(B, batch(first));
    script.say(B, frame!("stop"));
    script.expect_left(A, first, "stop", Requeued::Yes);
    script.expect_waiting(A);
    script.expect(B, frame!("stopped"));
    script.open(C);
    script.say(C, find!("video"));
    let second = script.expect_match(A, C);
    script.say(A, batch(second));
    script.expect(C, batch(second));
}
