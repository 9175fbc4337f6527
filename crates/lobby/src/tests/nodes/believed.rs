//! Sessions that hop from node to node while nobody can be asked: what they were told, they are not told again.

use super::{At, Town};
use crate::tests::{Value, find, frame, json};

/// A and B in a match at node 0, B's node out of reach of the others; A has lost its socket and hopped to node 1.
fn hopped(search: Value) -> (Town, At, At, Value) {
    let mut town = Town::new(3);
    let (a, b) = (town.greeted(0), town.greeted(0));
    town.say(a, with_requeue(search.clone()));
    town.hear_type(a, "waiting");
    town.say(b, with_requeue(search));
    let id = town.hear_type(a, "partner_found")["match_id"].clone();
    town.hear_type(b, "partner_found");
    town.away();
    town.drop_socket(a);
    town.hear_type(b, "partner_reconnecting");
    let hopped = town.go_on(1, a, 0);
    assert_eq!(town.hear_type(hopped, "welcome")["match_id"], id, "its token says so");
    town.hear_type(hopped, "partner_reconnecting");
    town.nothing_left();
    (town, hopped, b, id)
}

fn pair_here(town: &mut Town, a: At, b: At) -> Value {
    town.say(a, with_requeue(find!("text")));
    town.hear_type(a, "waiting");
    town.say(b, with_requeue(find!("text")));
    town.hear_type(b, "partner_found");
    town.hear_type(a, "partner_found")["match_id"].clone()
}

fn with_requeue(mut search: Value) -> Value {
    search["requeue"] = true.into();
    search
}

#[test]
fn who_comes_back_to_its_old_node_hears_of_its_match_once_and_of_what_was_said_meanwhile() {
    let (mut town, a, b, id) = hopped(find!("video", offer: { "sdp": "of one of them" }));
    town.say(b, frame!("message", match_id: id, text: "are you there?"));
    town.drop_socket(a);
    let back = town.go_on(0, a, 0);
    assert_eq!(town.hear_type(back, "welcome")["match_id"], id);
    assert_eq!(town.hear(back), frame!("message", match_id: id, text: "are you there?"));
    assert_eq!(town.hear_type(back, "partner_back")["match_id"], id, "node 1 had said that it is away");
    town.hear_type(b, "partner_back");
    town.nothing_left();
    town.say(back, frame!("message", match_id: id, text: "yes"));
    assert_eq!(town.hear(b), frame!("message", match_id: id, text: "yes"));
}

#[test]
fn over_two_other_nodes_too() {
    let (mut town, a, b, id) = hopped(find!("text"));
    town.drop_socket(a);
    let third = town.go_on(2, a, 0);
    assert_eq!(town.hear_type(third, "welcome")["match_id"], id);
    town.hear_type(third, "partner_reconnecting");
    town.drop_socket(third);
    let back = town.go_on(0, third, 0);
    assert_eq!(town.hear_type(back, "welcome")["match_id"], id);
    town.hear_type(back, "partner_back");
    town.hear_type(b, "partner_back");
    town.nothing_left();
    // An earlier one of its tokens is used up.
    let again = town.go_on(0, a, 0);
    assert_eq!(town.hear_type(again, "welcome")["resumed"], false);
    town.nothing_left();
}

#[test]
fn who_had_not_heard_of_its_match_hears_of_it_where_it_was_made() {
    let mut town = Town::new(3);
    let (a, b) = (town.greeted(0), town.greeted(0));
    town.say(a, with_requeue(find!("text")));
    town.hear_type(a, "waiting");
    let waiting = town.tokens[&a].clone();
    town.away();
    town.say(b, with_requeue(find!("text")));
    town.hear_type(b, "partner_found");
    town.hear_type(a, "partner_found");
    // That one did not arrive.
    town.tokens.insert(a, waiting);
    town.drop_socket(a);
    town.hear_type(b, "partner_reconnecting");
    let hopped = town.go_on(1, a, 1);
    assert_eq!(town.hear_type(hopped, "welcome").get("match_id"), None);
    town.hear_type(hopped, "waiting");
    town.drop_socket(hopped);
    // It waited elsewhere since: what is left of it here is older.
    let back = town.go_on(0, hopped, 0);
    assert_eq!(town.hear_type(back, "welcome").get("match_id"), None);
    assert_eq!(town.hear(b)["type"], "partner_left");
    town.hear_type(b, "waiting");
    town.hear_type(back, "waiting");
    town.live_ms(3_500);
    town.hear_type(b, "partner_found");
    town.hear_type(back, "partner_found");
    town.nothing_left();
}

#[test]
fn who_met_somebody_else_meanwhile_does_not_fall_back_into_the_old_match() {
    let (mut town, a, b, id) = hopped(find!("text"));
    let c = town.greeted(1);
    town.say(c, with_requeue(find!("text")));
    town.hear_type(c, "waiting");
    town.say(a, frame!("next", match_id: id));
    let other = town.hear_type(a, "partner_found")["match_id"].clone();
    town.hear_type(c, "partner_found");
    town.drop_socket(a);
    town.hear_type(c, "partner_reconnecting");
    let back = town.go_on(0, a, 0);
    assert_eq!(town.hear_type(back, "welcome")["match_id"], other, "the newer match counts");
    town.hear_type(back, "partner_reconnecting");
    assert_eq!(town.hear(b), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
    town.hear_type(b, "waiting");
    town.nothing_left();
    // And when the nodes see each other again, the two of the newer match do, too.
    town.heartbeat();
    town.hear_type(back, "partner_back");
    town.hear_type(c, "partner_back");
    town.say(c, frame!("message", match_id: other, text: "hello"));
    assert_eq!(town.hear(back), frame!("message", match_id: other, text: "hello"));
    town.nothing_left();
}

#[test]
fn when_the_nodes_see_each_other_again_both_halves_find_together_with_what_was_said() {
    let (mut town, a, b, id) = hopped(find!("text"));
    town.say(b, frame!("message", match_id: id, text: "still there?"));
    town.advance_ms(5_000);
    town.heartbeat();
    assert_eq!(town.hear(b)["type"], "partner_back");
    assert_eq!(town.hear(a), frame!("message", match_id: id, text: "still there?"));
    assert_eq!(town.hear(a)["type"], "partner_back");
    town.nothing_left_but_more_of("partner_back");
    town.say(a, frame!("message", match_id: id, text: "yes"));
    assert_eq!(town.hear(b), frame!("message", match_id: id, text: "yes"));
    town.live_ms(60_000);
    town.nothing_left();
}

#[test]
fn halves_that_hopped_to_two_other_nodes_find_together_when_those_see_each_other() {
    let (mut town, a, b, id) = hopped(find!("text"));
    town.drop_socket(b);
    let moved = town.go_on(2, b, 0);
    assert_eq!(town.hear_type(moved, "welcome")["match_id"], id);
    town.hear_type(moved, "partner_reconnecting");
    town.heartbeat();
    for at in [a, moved] {
        town.hear_type(at, "partner_back");
    }
    town.nothing_left_but_more_of("partner_back");
    town.say(a, frame!("message", match_id: id, text: "hello"));
    assert_eq!(town.hear(moved), frame!("message", match_id: id, text: "hello"));
    town.say(moved, frame!("message", match_id: id, text: "you, too"));
    assert_eq!(town.hear(a), frame!("message", match_id: id, text: "you, too"));
    town.live_ms(60_000);
    town.nothing_left();
}

#[test]
fn a_node_that_had_not_noticed_gives_up_the_socket_that_is_left_there() {
    let mut town = Town::new(2);
    let a = town.greeted(0);
    town.say(a, with_requeue(find!("text")));
    town.hear_type(a, "waiting");
    town.away();
    // Its old socket is dead, but node 0 does not know.
    let hopped = town.go_on(1, a, 0);
    town.hear_type(hopped, "welcome");
    town.hear_type(hopped, "waiting");
    assert!(!town.was_closed(a));
    town.heartbeat();
    assert!(town.was_closed(a));
    assert_eq!(town.lobby(0).gauges().sessions, 0);
    assert_eq!(town.lobby(1).gauges().waiting.text, 1);
    town.nothing_left();
}

#[test]
fn a_match_that_ended_at_the_old_node_is_over_for_who_comes_back_there() {
    let (mut town, a, b, id) = hopped(find!("text"));
    town.say(b, frame!("next", match_id: id));
    town.hear_type(b, "waiting");
    town.drop_socket(a);
    let back = town.go_on(0, a, 0);
    assert_eq!(town.hear_type(back, "welcome").get("match_id"), None);
    assert_eq!(town.hear(back), frame!("partner_left", match_id: id, reason: "next", requeued: true));
    town.hear_type(back, "waiting");
    town.nothing_left();
}

#[test]
fn blocks_and_partners_of_before_are_known_when_it_comes_back() {
    let (mut town, a, b, id) = hopped(find!("text"));
    // At node 1 it searches on: its token knows nothing of a match any more.
    town.say(a, frame!("next", match_id: id));
    town.hear_type(a, "waiting");
    town.drop_socket(a);
    let back = town.go_on(0, a, 0);
    town.hear_type(back, "welcome");
    town.hear_type(b, "partner_left");
    town.hear_type(b, "waiting");
    town.hear_type(back, "waiting");
    town.nothing_left();
    town.advance_ms(2_900);
    town.nothing_left();
    town.advance_ms(200);
    assert_eq!(town.hear_type(b, "partner_found")["mode"], json!("text"), "after the pause of old partners");
    town.hear_type(back, "partner_found");
}

#[test]
fn a_token_newer_than_what_the_meeting_place_remembers_is_asked_about_where_it_was_sealed() {
    let mut town = Town::new(3);
    let a = town.greeted(0);
    // Node 1 resumed it, and the meeting place knows.
    let second = town.go_on(1, a, 0);
    town.hear_type(second, "welcome");
    // Then node 2 did, which cannot reach it.
    town.reply(2, crate::Reply::Away);
    town.drop_socket(second);
    let third = town.go_on(2, second, 0);
    assert_eq!(town.hear_type(third, "welcome")["resumed"], true);
    town.say(third, with_requeue(find!("text")));
    town.hear_type(third, "waiting");
    town.heartbeat();
    let fourth = town.go_on(0, third, 0);
    assert_eq!(town.hear_type(fourth, "welcome")["resumed"], true);
    town.hear_type(fourth, "waiting");
    town.nothing_left();
    let sessions: usize = (0..3).map(|node| town.lobby(node).gauges().sessions).sum();
    assert_eq!(sessions, 1, "nothing of it is left anywhere else");
}

#[test]
fn what_is_left_and_what_comes_from_elsewhere_is_heard_once_and_in_order() {
    let (mut town, a, b, id) = hopped(find!("text"));
    town.say(b, frame!("message", match_id: id, text: "one"));
    // Node 0 sees the others again, node 1 does not yet; then A comes back to node 0, which can ask by now.
    town.held_back = Some(1);
    town.heartbeat();
    town.held.clear();
    town.held_back = None;
    town.drop_socket(a);
    let back = town.go_on(0, a, 0);
    assert_eq!(town.hear_type(back, "welcome")["match_id"], id);
    assert_eq!(town.hear(back), frame!("message", match_id: id, text: "one"));
    assert_eq!(town.hear_type(back, "partner_back")["match_id"], id);
    town.nothing_left_but_more_of("partner_back");
    town.say(b, frame!("message", match_id: id, text: "two"));
    assert_eq!(town.hear(back), frame!("message", match_id: id, text: "two"));
    town.live_ms(60_000);
    town.nothing_left();
    assert_eq!(town.lobby(1).gauges().sessions, 0);
    assert_eq!(town.lobby(0).gauges().matches.text, 1);
}

#[test]
fn what_was_left_behind_ends_and_the_session_that_went_on_does_not() {
    let (mut town, a, _, id) = hopped(find!("text"));
    town.drop_socket(a);
    let third = town.go_on(2, a, 0);
    assert_eq!(town.hear_type(third, "welcome")["match_id"], id);
    town.hear_type(third, "partner_reconnecting");
    // At nodes 0 and 1 the grace ends.
    town.advance_ms(11_000);
    town.drop_socket(third);
    let back = town.go_on(1, third, 0);
    assert_eq!(town.hear_type(back, "welcome")["resumed"], true);
    // Its older tokens are used up all the same.
    let again = town.go_on(1, a, 0);
    assert_eq!(town.hear_type(again, "welcome")["resumed"], false);
}

#[test]
fn a_block_holds_where_nobody_can_be_asked() {
    let mut town = Town::new(2);
    let (a, b) = (town.greeted(0), town.greeted(0));
    let id = pair_here(&mut town, a, b);
    town.say(a, frame!("block", match_id: id));
    town.hear_type(a, "blocked");
    town.hear_type(b, "partner_left");
    town.hear_type(b, "waiting");
    town.say(a, with_requeue(find!("text")));
    town.hear_type(a, "waiting");
    town.away();
    for at in [a, b] {
        town.drop_socket(at);
        let hopped = town.go_on(1, at, 0);
        assert_eq!(town.hear_type(hopped, "welcome")["resumed"], true);
        town.hear_type(hopped, "waiting");
    }
    town.advance_ms(60_000);
    town.nothing_left();
    assert_eq!(town.lobby(1).gauges().waiting.text, 2, "both wait on one node, and do not meet");
}

#[test]
fn a_newer_match_that_cannot_be_rebuilt_is_over_and_the_session_goes_on() {
    let (mut town, a, b, id) = hopped(find!("text"));
    // Somebody who cannot be recognised.
    let c = town.open(1);
    town.say(c, with_requeue(find!("text")));
    town.hear_type(c, "waiting");
    town.say(a, frame!("next", match_id: id));
    let other = town.hear_type(a, "partner_found")["match_id"].clone();
    town.hear_type(c, "partner_found");
    town.drop_socket(a);
    town.hear_type(c, "partner_reconnecting");
    let back = town.go_on(0, a, 0);
    let welcome = town.hear_type(back, "welcome");
    assert_eq!((&welcome["resumed"], welcome.get("match_id")), (&json!(true), None));
    assert_eq!(town.hear(back), frame!("partner_left", match_id: other, reason: "lost", requeued: true));
    town.hear_type(back, "waiting");
    assert_eq!(town.hear(b), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
    town.hear_type(b, "waiting");
    town.nothing_left();
}

#[test]
fn of_two_nodes_that_believed_one_token_the_one_with_the_visitor_has_the_session() {
    let mut town = Town::new(3);
    let (a, b) = (town.greeted(0), town.greeted(0));
    let id = pair_here(&mut town, a, b);
    town.away();
    town.kill(0);
    let there = town.go_on(1, b, 0);
    assert_eq!(town.hear_type(there, "welcome")["match_id"], id);
    town.hear_type(there, "partner_reconnecting");
    // It says at the meeting place where it is.
    town.heartbeat_of(1);
    let here = town.go_on(1, a, 0);
    assert_eq!(town.hear_type(here, "welcome")["match_id"], id);
    town.hear_type(here, "partner_back");
    town.hear_type(there, "partner_back");
    // A knock that a sleeping node finds only when it wakes, with nobody behind it any more.
    let late = town.go_on(2, a, 0);
    assert_eq!(town.hear_type(late, "welcome")["match_id"], id);
    town.hear_type(late, "partner_reconnecting");
    town.drop_socket(late);
    town.heartbeat();
    town.live_ms(3_000);
    assert_eq!(town.lobby(2).gauges().matches.text, 0, "what is left there is over");
    town.say(here, frame!("message", match_id: id, text: "all is well"));
    assert_eq!(town.hear(there), frame!("message", match_id: id, text: "all is well"));
    town.live_ms(40_000);
    town.nothing_left();
}
