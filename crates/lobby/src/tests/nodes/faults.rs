//! What is lost, late or gone between nodes: nobody is ever in two matches, and nobody waits for somebody who is not there.

use super::Town;
use crate::Reply;
use crate::ids::NodeId;
use crate::tests::{find, frame, json};

/// A is in the pool, B's node has claimed it, and the proposal is held back.
fn proposed() -> (Town, super::At, super::At) {
    let mut town = Town::new(2);
    let (a, b) = (town.greeted(0), town.greeted(1));
    town.say(a, find!("video", requeue: true));
    town.advance_ms(300);
    town.say(b, find!("video", requeue: true));
    town.hear_type(a, "waiting");
    town.hear_type(b, "waiting");
    town.held_back = Some(0);
    town.advance_ms(300);
    town.nothing_left();
    (town, a, b)
}

#[test]
fn a_proposal_that_nobody_answers_runs_out_and_the_ticket_waits_again_with_its_age() {
    let (mut town, a, b) = proposed();
    let c = town.greeted(1);
    town.say(c, find!("video"));
    town.hear_type(c, "waiting");
    town.nothing_left();
    town.advance_ms(299);
    town.nothing_left();
    town.advance_ms(1);
    // Whoever arrived meanwhile is met here.
    let id = town.hear_type(b, "partner_found")["match_id"].clone();
    assert_eq!(town.hear_type(c, "partner_found")["match_id"], id);
    // And what comes now, comes too late.
    town.let_go();
    town.live_ms(2_000);
    town.hears_nothing(a);
    town.hears_nothing(b);
    assert_eq!(town.lobby(1).gauges().matches.video, 1);
    assert_eq!(town.lobby(0).gauges().matches.video, 0);
}

#[test]
fn a_late_proposal_and_its_release_leave_both_waiting_and_they_meet_in_the_end() {
    let (mut town, a, b) = proposed();
    town.advance_ms(400);
    town.let_go();
    town.live_ms(3_000);
    let id = town.hear_type(a, "partner_found")["match_id"].clone();
    assert_eq!(town.hear_type(b, "partner_found")["match_id"], id);
    town.nothing_left();
}

#[test]
fn a_commit_that_comes_too_late_is_answered_by_the_end_of_the_match() {
    let (mut town, a, b) = proposed();
    // The proposal comes in time; what A's node answers and B's then says is held.
    let (to, from, frame) = town.held.remove(0);
    assert_eq!(to, 0);
    town.reply(to, Reply::Heard { node: from, frame: Box::new(frame) });
    let (to, from, promise) = town.held.remove(0);
    assert_eq!(to, 1);
    town.reply(to, Reply::Heard { node: from, frame: Box::new(promise) });
    let id = town.hear_type(b, "partner_found")["match_id"].clone();
    town.hears_nothing(a);
    town.advance_ms(300);
    town.hears_nothing(a);
    town.let_go();
    assert_eq!(town.hear(b), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
    town.hear_type(b, "waiting");
    town.live_ms(5_000);
    let again = town.hear_type(a, "partner_found")["match_id"].clone();
    assert_eq!(town.hear_type(b, "partner_found")["match_id"], again);
    assert_ne!(again, id);
    town.nothing_left();
}

#[test]
fn a_committed_match_that_the_other_node_never_confirms_ends() {
    let (mut town, a, b) = proposed();
    let (to, from, frame) = town.held.remove(0);
    town.reply(to, Reply::Heard { node: from, frame: Box::new(frame) });
    let (to, from, promise) = town.held.remove(0);
    town.reply(to, Reply::Heard { node: from, frame: Box::new(promise) });
    let id = town.hear_type(b, "partner_found")["match_id"].clone();
    // The commit is lost.
    town.held.clear();
    town.held_back = None;
    town.advance_ms(1_000);
    assert_eq!(town.hear(b), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
    town.hear_type(b, "waiting");
    town.live_ms(5_000);
    assert_eq!(
        town.hear_type(a, "partner_found")["match_id"],
        town.hear_type(b, "partner_found")["match_id"]
    );
    town.nothing_left();
}

#[test]
fn a_signal_for_a_match_that_the_other_node_does_not_know_is_answered_by_partner_left() {
    let (mut town, a, b, id) = Town::matched(find!("video"));
    town.held_back = Some(1);
    town.say(b, frame!("stop"));
    town.hear_type(b, "stopped");
    town.held.clear();
    town.held_back = None;
    town.say(a, frame!("offer", match_id: id, sdp: "v=0"));
    assert_eq!(town.hear(a), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
    town.hear_type(a, "waiting");
    town.nothing_left();
}

#[test]
fn who_stops_while_reserved_is_let_go_at_once() {
    let (mut town, a, b) = proposed();
    town.say(b, frame!("stop"));
    town.hear_type(b, "stopped");
    town.let_go();
    town.live_ms(2_000);
    town.nothing_left();
    assert_eq!(town.lobby(0).gauges().waiting.video, 1, "A waits again");
    let c = town.greeted(0);
    town.say(c, find!("video"));
    assert_eq!(
        town.hear_type(a, "partner_found")["match_id"],
        town.hear_type(c, "partner_found")["match_id"]
    );
}

#[test]
fn crossed_proposals_let_the_same_one_win_on_both_sides() {
    let mut town = Town::new(2);
    let (a, b) = (town.greeted(0), town.greeted(1));
    town.say(a, find!("video", requeue: true));
    town.say(b, find!("video", requeue: true));
    town.hear_type(a, "waiting");
    town.hear_type(b, "waiting");
    // As after a failover that lost what was taken: each is told that it took the other.
    let pool: Vec<_> = {
        town.held_back = Some(0);
        town.advance_ms(300);
        town.held.clear();
        let exported = |index: usize| town.lobby(index).exported_ids();
        vec![exported(0), exported(1)]
    };
    town.advance_ms(300);
    town.held.clear();
    let (mine, theirs) = (pool[0][0], pool[1][0]);
    let (one, other) = (town.id(0), town.id(1));
    town.reply(
        0,
        Reply::Claimed { ticket: mine, found: Some(crate::Claimed { node: other, ticket: theirs }) },
    );
    town.reply(1, Reply::Claimed { ticket: theirs, found: Some(crate::Claimed { node: one, ticket: mine }) });
    assert_eq!(town.held.len(), 2, "two proposals under way");
    town.let_go();
    let id = town.hear_type(a, "partner_found")["match_id"].clone();
    assert_eq!(town.hear_type(b, "partner_found")["match_id"], id);
    town.nothing_left();
    town.live_ms(2_000);
    town.nothing_left();
}

#[test]
fn when_a_node_dies_its_strangers_are_said_to_be_reconnecting_and_then_lost() {
    let (mut town, a, b, id) = Town::matched(find!("video"));
    town.kill(1);
    town.heartbeat();
    assert_eq!(town.hear(a), frame!("partner_reconnecting", match_id: id, grace_ms: 10000));
    town.live_ms(10_000);
    assert_eq!(town.hear(a), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
    town.hear_type(a, "waiting");
    let _ = b;
    town.nothing_left();
}

#[test]
fn a_stranger_without_a_token_is_lost_with_its_node() {
    let mut town = Town::new(2);
    let (a, b) = (town.greeted(0), town.open(1));
    town.say(a, find!("video", requeue: true));
    town.say(b, find!("video"));
    town.advance_ms(300);
    town.hear_type(a, "waiting");
    let id = town.hear_type(a, "partner_found")["match_id"].clone();
    town.kill(1);
    town.heartbeat();
    assert_eq!(town.hear(a), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
    town.hear_type(a, "waiting");
}

#[test]
fn a_later_start_of_a_node_ends_the_earlier_one_at_once() {
    let (mut town, a, _, id) = Town::matched(find!("video"));
    let earlier = town.id(1);
    town.start(NodeId { epoch: 2, ..earlier });
    town.heartbeat_of(0);
    assert_eq!(town.hear(a), frame!("partner_reconnecting", match_id: id, grace_ms: 10000));
}

#[test]
fn with_the_meeting_place_away_local_matching_goes_on_and_calls_stay() {
    let (mut town, a, b, id) = Town::matched(find!("video"));
    town.say(a, frame!("connected", match_id: id, path: "direct", elapsed_ms: 1.0));
    for node in 0..3 {
        town.reply(node, Reply::Away);
    }
    let (c, d) = (town.greeted(0), town.greeted(0));
    town.say(c, find!("video"));
    town.say(d, find!("video"));
    town.hear_type(c, "waiting");
    assert_eq!(
        town.hear_type(c, "partner_found")["match_id"],
        town.hear_type(d, "partner_found")["match_id"]
    );
    // What is said meanwhile is kept, and arrives when the way is open again.
    town.say(a, frame!("message", match_id: id, text: "still there?"));
    town.advance_ms(60_000);
    town.nothing_left();
    town.heartbeat();
    assert_eq!(town.hear(b), frame!("message", match_id: id, text: "still there?"));
    town.nothing_left();
    town.say(b, frame!("message", match_id: id, text: "yes"));
    assert_eq!(town.hear(a), frame!("message", match_id: id, text: "yes"));
}

#[test]
fn an_empty_meeting_place_ends_nobody_who_comes_back_to_it() {
    let (mut town, a, b, id) = Town::matched(find!("video"));
    town.reply(0, Reply::Away);
    town.reply(0, Reply::Nodes(Vec::new()));
    town.advance_ms(2_000);
    town.reply(0, Reply::Nodes(Vec::new()));
    town.heartbeat();
    town.nothing_left();
    town.say(a, frame!("typing", match_id: id, on: true));
    assert_eq!(town.hear(b), frame!("typing", match_id: id, on: true));
    // But who is missing for long is gone.
    town.reply(0, Reply::Nodes(Vec::new()));
    town.advance_ms(3_000);
    town.reply(0, Reply::Nodes(Vec::new()));
    town.hear_type(a, "partner_reconnecting");
}

#[test]
fn a_node_that_slept_and_was_given_up_finds_its_matches_again_or_ends_them() {
    let (mut town, a, b, id) = Town::matched(find!("video"));
    let (c, d) = (town.greeted(0), town.greeted(1));
    let other = town.pair(c, d, find!("audio"));
    // Node 1 is stopped, and its lease lapses.
    town.kill(1);
    town.live_ms(1_000);
    town.hear_type(a, "partner_reconnecting");
    town.hear_type(c, "partner_reconnecting");
    // One of the survivors presses Next meanwhile.
    town.say(c, frame!("stop"));
    town.hear_type(c, "stopped");
    town.wake(1);
    town.heartbeat();
    assert_eq!(town.hear(a)["type"], "partner_back");
    assert_eq!(town.hear(d), frame!("partner_left", match_id: other, reason: "lost", requeued: true));
    town.hear_type(d, "waiting");
    town.say(b, frame!("typing", match_id: id, on: true));
    assert_eq!(town.hear(a), frame!("typing", match_id: id, on: true));
    town.nothing_left();
}

#[test]
fn after_lost_frames_a_handshake_is_not_waited_for_and_a_call_goes_on() {
    let (mut town, a, b, id) = Town::matched(find!("video"));
    let (c, d) = (town.greeted(0), town.greeted(1));
    let other = town.pair(c, d, find!("audio"));
    town.say(c, frame!("connected", match_id: other, path: "direct", elapsed_ms: 1.0));
    let node = town.id(1);
    town.reply(0, Reply::Gap { node });
    for at in [a, b] {
        assert_eq!(town.hear(at), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
        town.hear_type(at, "waiting");
    }
    town.say(c, frame!("typing", match_id: other, on: true));
    assert_eq!(town.hear(d)["type"], json!("typing"));
    town.nothing_left();
}

/// The timer of an export that is never made must not be due again and again: the lobby would do nothing else any more.
#[test]
fn who_waits_while_a_node_drains_is_shown_to_nobody_and_keeps_the_lobby_from_nothing() {
    let mut town = Town::new(2);
    let a = town.greeted(0);
    town.say(a, find!("video", requeue: true));
    town.hear_type(a, "waiting");
    town.advance_ms(300);
    town.drain(0);
    town.hear_type(a, "draining");
    town.live_ms(4_000);
    let b = town.greeted(1);
    town.say(b, find!("video"));
    town.hear_type(b, "waiting");
    town.live_ms(4_000);
    town.nothing_left();
}

#[test]
fn a_handshake_across_nodes_is_not_waited_for_while_the_meeting_place_is_away() {
    let (mut town, a, b, id) = Town::matched(find!("video"));
    town.away();
    town.advance_ms(999);
    town.nothing_left();
    town.advance_ms(1);
    for at in [a, b] {
        assert_eq!(town.hear(at), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
        town.hear_type(at, "waiting");
    }
    // They are given to whoever comes to their nodes.
    let c = town.greeted(0);
    town.say(c, find!("video"));
    town.hear_type(c, "partner_found");
    town.hear_type(a, "partner_found");
    town.live_ms(5_000);
    town.nothing_left();
}

#[test]
fn what_was_said_while_the_way_was_shut_comes_before_what_is_said_after_it() {
    let (mut town, a, b, id) = Town::matched(find!("text"));
    town.say(a, frame!("message", match_id: id, text: "hello"));
    town.hear_type(b, "message");
    town.away();
    town.say(a, frame!("message", match_id: id, text: "one"));
    // Node 0 reaches the others again, but node 1 is not there yet.
    town.heartbeat_of(0);
    town.say(a, frame!("message", match_id: id, text: "two"));
    town.nothing_left();
    town.heartbeat();
    for text in ["one", "two"] {
        assert_eq!(town.hear(b), frame!("message", match_id: id, text: text));
    }
    town.say(a, frame!("message", match_id: id, text: "three"));
    assert_eq!(town.hear(b), frame!("message", match_id: id, text: "three"));
    town.nothing_left();
}

#[test]
fn nobody_is_matched_by_a_promise_that_comes_to_a_node_that_drains() {
    let (mut town, a, b) = proposed();
    town.drain(1);
    town.hear_type(b, "draining");
    town.let_go();
    town.live_ms(3_000);
    town.nothing_left();
    assert_eq!(town.lobby(0).gauges().waiting.video, 1, "A waits on");
    let _ = a;
}

/// What has become due while a node slept is not put off by what it hears first when it wakes.
#[test]
fn a_node_that_slept_looks_at_its_line_again_whatever_it_hears_first() {
    let mut town = Town::new(1);
    let (a, b) = (town.greeted(0), town.greeted(0));
    town.say(a, find!("text"));
    town.hear_type(a, "waiting");
    town.say(b, find!("text"));
    let id = town.hear_type(a, "partner_found")["match_id"].clone();
    town.hear_type(b, "partner_found");
    town.say(a, frame!("next", match_id: id));
    town.hear_type(a, "waiting");
    town.hear_type(b, "partner_left");
    town.say(b, find!("text"));
    town.hear_type(b, "waiting");
    town.kill(0);
    town.advance_ms(4_000);
    town.start(NodeId { name: 200, epoch: 1 });
    town.wake(0);
    town.heartbeat_of(0);
    town.advance_ms(0);
    town.hear_type(a, "partner_found");
    town.hear_type(b, "partner_found");
}

#[test]
fn an_end_that_is_lost_is_said_again_though_nothing_else_is() {
    let (mut town, a, b, id) = Town::matched(find!("text"));
    town.held_back = Some(1);
    town.close(b);
    town.held.clear();
    town.held_back = None;
    town.hears_nothing(a);
    // It is lost once more.
    town.held_back = Some(1);
    town.advance_ms(1_000);
    assert_eq!(town.held.len(), 1);
    town.held.clear();
    town.held_back = None;
    town.hears_nothing(a);
    town.advance_ms(2_000);
    assert_eq!(town.hear(a)["match_id"], id);
    town.hear_type(a, "waiting");
    // And then there is an end of it.
    town.advance_ms(4_000);
    let said = town.carried.len();
    town.advance_ms(8_000);
    assert_eq!(town.carried.len(), said);
}
