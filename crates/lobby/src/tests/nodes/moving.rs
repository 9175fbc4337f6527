//! Sessions that resume on another node.

use super::Town;
use crate::Frame;
use crate::nodes::Say;
use crate::tests::{find, frame, json};

#[test]
fn a_session_moves_to_another_node_and_its_old_socket_is_closed() {
    let mut town = Town::new(2);
    let a = town.greeted(0);
    town.say(a, find!("video", requeue: true));
    town.hear_type(a, "waiting");
    town.advance_ms(100);
    let moved = town.come_back(1, a);
    assert!(town.was_closed(a));
    assert_eq!(town.hear_type(moved, "welcome")["resumed"], true);
    town.hear_type(moved, "waiting");
    assert_eq!(town.lobby(0).gauges().sessions, 0);
    assert_eq!(town.lobby(1).gauges().waiting.video, 1, "it waits there, with its place");
    let b = town.greeted(1);
    town.say(b, find!("video"));
    assert_eq!(
        town.hear_type(moved, "partner_found")["match_id"],
        town.hear_type(b, "partner_found")["match_id"]
    );
}

#[test]
fn another_node_tells_how_much_of_the_old_socket_was_taken() {
    let mut town = Town::new(2);
    let a = town.greeted(0);
    town.say(a, find!("video", requeue: true));
    town.hear_type(a, "waiting");
    let moved = town.come_back(1, a);
    assert_eq!(town.hear_type(moved, "welcome")["received"], 2);
    town.hear_type(moved, "waiting");
}

#[test]
fn one_side_of_a_local_match_moves_and_the_match_goes_on_across_nodes() {
    let mut town = Town::new(2);
    let (a, b) = (town.greeted(0), town.greeted(0));
    town.say(a, find!("video", requeue: true));
    town.say(b, find!("video", requeue: true));
    town.hear_type(a, "waiting");
    let id = town.hear_type(a, "partner_found")["match_id"].clone();
    town.hear_type(b, "partner_found");
    town.drop_socket(a);
    town.hear_type(b, "partner_reconnecting");
    town.say(b, frame!("message", match_id: id, text: "hello?"));
    let moved = town.come_back(1, a);
    assert_eq!(town.hear_type(moved, "welcome")["match_id"], id);
    town.hear_type(moved, "partner_found");
    assert_eq!(
        town.hear(moved),
        frame!("message", match_id: id, text: "hello?"),
        "what was missed comes along"
    );
    town.hear_type(b, "partner_back");
    town.say(moved, frame!("message", match_id: id, text: "here"));
    assert_eq!(town.hear(b), frame!("message", match_id: id, text: "here"));
    // And home again.
    let home = town.come_back(0, moved);
    assert_eq!(town.hear_type(home, "welcome")["match_id"], id);
    town.say(home, frame!("message", match_id: id, text: "back"));
    assert_eq!(town.hear(b), frame!("message", match_id: id, text: "back"));
    town.nothing_left_but_replays(home);
    town.say(b, frame!("next", match_id: id));
    assert_eq!(town.hear(home), frame!("partner_left", match_id: id, reason: "next", requeued: true));
}

#[test]
fn both_sides_move_to_a_third_node_one_after_the_other() {
    let (mut town, a, b, id) = Town::matched(find!("video"));
    town.say(a, frame!("connected", match_id: id, path: "direct", elapsed_ms: 1.0));
    let a2 = town.come_back(2, a);
    assert_eq!(town.hear_type(a2, "welcome")["match_id"], id);
    town.nothing_left_but_replays(a2);
    town.say(a2, frame!("message", match_id: id, text: "from 2"));
    assert_eq!(town.hear(b), frame!("message", match_id: id, text: "from 2"), "node 1 knows where A is now");
    assert_eq!(town.lobby(0).gauges().matches.video, 0, "node 0 is out of it");
    let b2 = town.come_back(2, b);
    assert_eq!(town.hear_type(b2, "welcome")["match_id"], id);
    town.nothing_left_but_replays(b2);
    town.say(b2, frame!("message", match_id: id, text: "both here"));
    assert_eq!(town.hear(a2), frame!("message", match_id: id, text: "both here"));
    assert_eq!(town.lobby(1).gauges().sessions, 0);
    assert_eq!(town.lobby(2).gauges().across, 0);
}

#[test]
fn a_pair_across_nodes_outlives_one_of_them() {
    let (mut town, a, b, id) = Town::matched(find!("video"));
    town.kill(0);
    town.heartbeat();
    town.hear_type(b, "partner_reconnecting");
    let a2 = town.come_back(2, a);
    assert_eq!(town.hear_type(a2, "welcome")["match_id"], id);
    town.hear_type(a2, "partner_reconnecting");
    town.hear_type(a2, "partner_back");
    town.hear_type(b, "partner_back");
    town.say(a2, frame!("typing", match_id: id, on: true));
    assert_eq!(town.hear(b), frame!("typing", match_id: id, on: true));
    town.nothing_left();
}

#[test]
fn a_visitor_who_is_faster_than_the_lease_finds_its_partner_too() {
    let (mut town, a, b, id) = Town::matched(find!("video"));
    town.kill(0);
    // Nobody knows yet that node 0 is gone: it is asked, and does not answer.
    let a2 = town.come_back(2, a);
    town.hears_nothing(a2);
    town.say(a2, frame!("typing", match_id: id, on: true));
    town.advance_ms(1_000);
    assert_eq!(town.hear_type(a2, "welcome")["match_id"], id);
    town.hear_type(a2, "partner_reconnecting");
    town.heartbeat();
    town.hear_type(b, "partner_reconnecting");
    town.hear_type(b, "partner_back");
    town.hear_type(a2, "partner_back");
    assert_eq!(town.hear(b), frame!("typing", match_id: id, on: true), "what was said meanwhile arrives");
    town.nothing_left();
}

#[test]
fn both_halves_of_a_pair_of_a_dead_node_meet_from_two_other_nodes() {
    let mut town = Town::new(3);
    let (a, b) = (town.greeted(0), town.greeted(0));
    town.say(a, find!("video", requeue: true));
    town.say(b, find!("video", requeue: true));
    town.hear_type(a, "waiting");
    let id = town.hear_type(a, "partner_found")["match_id"].clone();
    town.hear_type(b, "partner_found");
    town.kill(0);
    town.heartbeat();
    let a2 = town.come_back(1, a);
    assert_eq!(town.hear_type(a2, "welcome")["match_id"], id);
    town.hear_type(a2, "partner_reconnecting");
    let b2 = town.come_back(2, b);
    assert_eq!(town.hear_type(b2, "welcome")["match_id"], id);
    town.hear_type(b2, "partner_reconnecting");
    town.hear_type(b2, "partner_back");
    town.hear_type(a2, "partner_back");
    town.say(a2, frame!("message", match_id: id, text: "there you are"));
    assert_eq!(town.hear(b2), frame!("message", match_id: id, text: "there you are"));
    town.nothing_left();
}

#[test]
fn a_token_is_good_once_on_whatever_node() {
    let mut town = Town::new(3);
    let a = town.greeted(0);
    let first = town.come_back(1, a);
    assert_eq!(town.hear_type(first, "welcome")["resumed"], true);
    for node in [0, 1, 2] {
        let again = town.come_back(node, a);
        assert_eq!(town.hear_type(again, "welcome")["resumed"], false, "node {node}");
    }
    assert!(!town.was_closed(first), "an old token closes nobody");
    let second = town.come_back(2, first);
    assert_eq!(town.hear_type(second, "welcome")["resumed"], true);
}

#[test]
fn a_session_that_ended_comes_back_nowhere() {
    let mut town = Town::new(2);
    let a = town.greeted(0);
    town.close(a);
    let again = town.come_back(1, a);
    assert_eq!(town.hear_type(again, "welcome")["resumed"], false);
}

#[test]
fn a_block_moves_with_the_session_and_outlives_its_node() {
    for dies in [false, true] {
        let (mut town, a, b, id) = Town::matched(find!("text"));
        town.say(a, frame!("block", match_id: id));
        town.hear_type(a, "blocked");
        town.hear_type(b, "partner_left");
        town.hear_type(b, "waiting");
        if dies {
            town.kill(0);
            town.heartbeat();
        }
        let a2 = town.come_back(1, a);
        town.hear_type(a2, "welcome");
        town.say(a2, find!("text"));
        town.live_ms(20_000);
        town.hears_nothing(b);
        assert_eq!(town.lobby(1).gauges().waiting.text, 2, "both wait on one node, and do not meet");
    }
}

/// Both on one node, for longer than nodes may disagree; then one of them comes to another node.
fn about_to_move() -> (Town, super::At, super::At, super::Value) {
    let mut town = Town::new(2);
    let (a, b) = (town.greeted(0), town.greeted(0));
    town.say(a, find!("text", requeue: true));
    town.hear_type(a, "waiting");
    town.say(b, find!("text", requeue: true));
    let id = town.hear_type(a, "partner_found")["match_id"].clone();
    town.hear_type(b, "partner_found");
    town.live_ms(3_000);
    (town, a, b, id)
}

#[test]
fn what_a_node_said_before_it_got_a_session_does_not_end_its_match() {
    let (mut town, a, b, id) = about_to_move();
    let a2 = town.come_back(1, a);
    assert_eq!(town.hear_type(a2, "welcome")["match_id"], id);
    let before = Frame(Say::Sync { matches: Vec::new() });
    town.reply(0, crate::Reply::Heard { node: town.id(1), frame: Box::new(before) });
    town.hears_nothing(b);
    town.say(a2, frame!("message", match_id: id, text: "still here"));
    assert_eq!(town.hear_type(b, "message")["text"], "still here");
    town.live_ms(3_000);
    assert_eq!(town.lobby(0).gauges().matches.text, 1);
}

#[test]
fn a_session_that_is_lost_on_its_way_is_missed_at_the_next_comparison() {
    let (mut town, a, b, id) = about_to_move();
    town.held_back = Some(1);
    let a2 = town.come_back(1, a);
    let (to, from, reclaim) = town.held.remove(0);
    town.reply(to, crate::Reply::Heard { node: from, frame: Box::new(reclaim) });
    town.held.clear();
    town.close(a2);
    town.held_back = None;
    let nothing = Frame(Say::Sync { matches: Vec::new() });
    town.reply(0, crate::Reply::Heard { node: town.id(1), frame: Box::new(nothing) });
    assert_eq!(town.hear(b), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
    town.hear_type(b, "waiting");
}

/// The `waiting` behind it may not arrive.
#[test]
fn the_welcome_on_another_node_brings_a_token_of_the_place_in_line() {
    let mut town = Town::new(3);
    let a = town.greeted(0);
    town.say(a, find!("video"));
    town.hear_type(a, "waiting");
    let a2 = town.come_back(1, a);
    town.tokens.insert(a2, town.welcomed_with[&a2].clone());
    town.kill(1);
    town.heartbeat();
    let a3 = town.come_back(2, a2);
    assert_eq!(town.hear_type(a3, "welcome")["resumed"], true);
    town.hear_type(a3, "waiting");
}

#[test]
fn the_partner_of_a_session_that_comes_to_a_node_too_late_does_not_wait_for_it() {
    let (mut town, a, b, id) = Town::matched(find!("text"));
    town.held_back = Some(2);
    let a2 = town.come_back(2, a);
    let (to, from, reclaim) = town.held.remove(0);
    town.reply(to, crate::Reply::Heard { node: from, frame: Box::new(reclaim) });
    town.close(a2);
    town.let_go();
    assert_eq!(town.hear(b), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
    town.hear_type(b, "waiting");
}

#[test]
fn whom_a_session_has_blocked_is_not_its_partner_again_when_its_node_dies() {
    let (mut town, a, b, id) = Town::matched(find!("text"));
    // Word of it does not reach the other one, who comes back with a token of the match, too.
    let token = town.tokens[&b].clone();
    town.say(a, frame!("block", match_id: id));
    town.hear_type(a, "blocked");
    town.hear_type(b, "partner_left");
    town.hear_type(b, "waiting");
    town.tokens.insert(b, token);
    town.kill(0);
    town.kill(1);
    town.heartbeat();
    let b2 = town.come_back(2, b);
    assert_eq!(town.hear_type(b2, "welcome")["match_id"], id);
    town.hear_type(b2, "partner_reconnecting");
    let a2 = town.come_back(2, a);
    let welcome = town.hear_type(a2, "welcome");
    assert_eq!((&welcome["resumed"], &welcome["match_id"]), (&true.into(), &super::Value::Null));
    assert_eq!(town.hear_type(b2, "partner_left")["reason"], "lost");
    town.hear_type(b2, "waiting");
    town.say(a2, find!("text"));
    town.hear_type(a2, "waiting");
    town.live_ms(4_000);
    town.nothing_left();
    // And the other way round.
    let (mut town, a, _, id) = Town::matched(find!("text"));
    let before = town.tokens[&a].clone();
    town.say(a, frame!("block", match_id: id));
    town.hear_type(a, "blocked");
    // Word of it does not reach the blocker either.
    town.tokens.insert(a, before);
    town.kill(0);
    town.heartbeat();
    let a2 = town.come_back(2, a);
    assert_eq!(town.hear_type(a2, "welcome")["match_id"], super::Value::Null);
}

#[test]
fn what_a_client_says_while_its_session_is_looked_for_is_not_lost() {
    let mut town = Town::new(2);
    let a = town.greeted(0);
    town.held_back = Some(0);
    let a2 = town.come_back(1, a);
    town.say(a2, find!("text"));
    town.say(a2, json!({ "type": "nonsense" }));
    town.let_go();
    assert_eq!(town.hear_type(a2, "error")["code"], "unknown_type");
    town.hear_type(a2, "welcome");
    town.hear_type(a2, "waiting");
    town.nothing_left();
}

#[test]
fn with_nobody_to_ask_the_token_is_all_there_is() {
    let mut town = Town::new(2);
    let a = town.greeted(0);
    town.say(a, find!("video", requeue: true));
    town.hear_type(a, "waiting");
    town.reply(1, crate::Reply::Away);
    let a2 = town.come_back(1, a);
    assert_eq!(town.hear_type(a2, "welcome")["resumed"], true);
    town.hear_type(a2, "waiting");
}

#[test]
fn asking_ends_when_the_place_or_the_node_is_lost() {
    let mut town = Town::new(2);
    let a = town.greeted(0);
    town.held_back = Some(0);
    let a2 = town.come_back(1, a);
    town.hears_nothing(a2);
    town.reply(1, crate::Reply::Away);
    assert_eq!(town.hear_type(a2, "welcome")["resumed"], true);
    let mut town = Town::new(2);
    let a = town.greeted(0);
    town.kill(0);
    let a2 = town.come_back(1, a);
    town.hears_nothing(a2);
    town.heartbeat();
    assert_eq!(town.hear_type(a2, "welcome")["resumed"], true);
}

/// A of a local match at node 0 moves to node 1, and the frame that hands it over is lost.
fn lost_on_the_way() -> (Town, super::At, super::At, serde_json::Value) {
    let mut town = Town::new(2);
    let (a, b) = (town.greeted(0), town.greeted(0));
    for at in [a, b] {
        town.say(at, find!("text", requeue: true));
    }
    town.hear_type(a, "waiting");
    let id = town.hear_type(a, "partner_found")["match_id"].clone();
    town.hear_type(b, "partner_found");
    town.say(a, frame!("message", match_id: id, text: "hello"));
    town.hear_type(b, "message");
    town.drop_socket(a);
    town.hear_type(b, "partner_reconnecting");
    town.held_back = Some(1);
    let moved = town.go_on(1, a, 0);
    let (to, from, reclaim) = town.held.remove(0);
    town.reply(to, crate::Reply::Heard { node: from, frame: Box::new(reclaim) });
    town.hear_type(b, "partner_back");
    town.held.clear();
    town.held_back = None;
    (town, moved, b, id)
}

#[test]
fn a_session_that_is_lost_on_its_way_is_believed_and_finds_its_partner() {
    let (mut town, moved, b, id) = lost_on_the_way();
    town.advance_ms(1_000);
    assert_eq!(town.hear_type(moved, "welcome")["match_id"], id);
    town.hear_type(moved, "partner_reconnecting");
    town.hear_type(moved, "partner_back");
    town.nothing_left_but_more_of("partner_back");
    town.say(b, frame!("message", match_id: id, text: "hello"));
    assert_eq!(town.hear(moved), frame!("message", match_id: id, text: "hello"));
    town.live_ms(60_000);
    town.nothing_left();
}

#[test]
fn nobody_waits_for_a_session_that_never_arrives_where_it_was_handed_to() {
    let (mut town, moved, b, id) = lost_on_the_way();
    town.close(moved);
    town.advance_ms(2_900);
    town.nothing_left();
    town.advance_ms(200);
    assert_eq!(town.hear(b), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
    town.hear_type(b, "waiting");
    town.nothing_left();
}

#[test]
fn nobody_waits_for_a_stranger_who_is_lost_between_two_other_nodes() {
    let (mut town, a, b, id) = Town::matched(find!("text"));
    town.say(a, frame!("message", match_id: id, text: "hello"));
    town.hear_type(b, "message");
    // What A brings is older than the match.
    let token = town.welcomed_with[&a].clone();
    town.tokens.insert(a, token);
    town.held_back = Some(2);
    let moved = town.come_back(2, a);
    let (to, from, reclaim) = town.held.remove(0);
    town.reply(to, crate::Reply::Heard { node: from, frame: Box::new(reclaim) });
    assert!(town.was_closed(a), "it was handed over");
    town.held.clear();
    town.held_back = None;
    town.advance_ms(2_900);
    assert!(town.hear_type(moved, "welcome").get("match_id").is_none(), "its token knows of none");
    town.nothing_left();
    town.advance_ms(200);
    assert_eq!(town.hear(b), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
    town.hear_type(b, "waiting");
    town.nothing_left();
}

#[test]
fn both_are_free_again_if_the_third_node_does_not_hear_of_the_move() {
    let (mut town, a, b, id) = Town::matched(find!("text"));
    town.held_back = Some(1);
    let moved = town.go_on(2, a, 0);
    assert_eq!(town.hear_type(moved, "welcome")["match_id"], id);
    town.held.clear();
    town.held_back = None;
    town.advance_ms(5_000);
    for at in [b, moved] {
        assert_eq!(town.hear(at), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
        town.hear_type(at, "waiting");
    }
}

#[test]
fn who_arrives_on_a_third_node_or_is_soon_back_is_not_taken_for_lost() {
    let (mut town, a, b, id) = Town::matched(find!("text"));
    let moved = town.go_on(2, a, 0);
    assert_eq!(town.hear_type(moved, "welcome")["match_id"], id);
    town.live_ms(10_000);
    let back = town.go_on(0, moved, 0);
    let again = town.go_on(2, back, 0);
    let home = town.go_on(0, again, 0);
    for at in [back, again, home] {
        assert_eq!(town.hear_type(at, "welcome")["match_id"], id);
    }
    town.live_ms(10_000);
    town.nothing_left();
    for (from, to) in [(home, b), (b, home)] {
        town.say(from, frame!("message", match_id: id, text: "still here"));
        assert_eq!(town.hear(to), frame!("message", match_id: id, text: "still here"));
    }
}

#[test]
fn a_partner_on_a_node_that_is_gone_is_awaited_and_then_lost() {
    let (mut town, a, b, id) = Town::matched(find!("video"));
    town.say(a, frame!("connected", match_id: id, path: "direct", elapsed_ms: 1.0));
    // Node 2 knows already that node 1 is gone; node 0 does not, when it hands A over.
    town.kill(1);
    town.heartbeat_of(2);
    let moved = town.go_on(2, a, 0);
    assert_eq!(town.hear_type(moved, "welcome")["match_id"], id);
    town.live_ms(30_000);
    assert_eq!(town.hear(moved), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
    town.hear_type(moved, "waiting");
    town.nothing_left();
    let _ = b;
}

#[test]
fn who_turns_out_to_have_blocked_its_stranger_when_it_comes_back_elsewhere_loses_it() {
    const ANNE: &str = "anne-keeps-this-name";
    const BERT: &str = "bert-keeps-this-name";
    let mut town = Town::new(2);
    let (a, b) = (town.open(0), town.open(0));
    town.say(a, frame!("hello", version: 1, device: ANNE));
    town.say(b, frame!("hello", version: 1, device: BERT));
    for at in [a, b] {
        town.hear_type(at, "welcome");
        town.say(at, find!("text"));
    }
    town.hear_type(a, "waiting");
    let id = town.hear_type(a, "partner_found")["match_id"].clone();
    town.hear_type(b, "partner_found");
    town.say(a, frame!("block", match_id: id));
    town.hear_type(b, "partner_left");
    let handle = town.hear_type(a, "blocked")["block"].clone();
    town.close(a);
    // The page opens again, and says only later whom it has blocked.
    let c = town.greeted(0);
    town.say(c, find!("text"));
    town.hear_type(c, "waiting");
    town.say(b, find!("text"));
    let id = town.hear_type(c, "partner_found")["match_id"].clone();
    town.hear_type(b, "partner_found");
    let (token, moved) = (town.tokens[&c].clone(), town.open(1));
    town.say(moved, frame!("hello", version: 1, resume: token, blocks: [handle]));
    assert_eq!(town.hear_type(moved, "welcome")["resumed"], true);
    let left = std::iter::from_fn(|| Some(town.hear(moved))).find(|told| told["type"] == "partner_left");
    assert_eq!(left.unwrap()["match_id"], id);
    assert_eq!(town.hear_type(b, "partner_left")["match_id"], id);
    assert_eq!(town.lobby(0).gauges().matches.text + town.lobby(1).gauges().matches.text, 0);
}
