//! How visitors of two nodes meet, speak and part.

use super::{At, Town};
use crate::tests::{find, frame, json};

fn search() -> serde_json::Value {
    find!("video", requeue: true)
}

#[test]
fn two_visitors_of_two_nodes_meet_after_the_overflow_time_and_each_is_told_once() {
    let mut town = Town::new(2);
    let (a, b) = (town.greeted(0), town.greeted(1));
    town.say(a, search());
    town.say(b, search());
    town.hear_type(a, "waiting");
    town.hear_type(b, "waiting");
    town.advance_ms(299);
    town.nothing_left();
    assert_eq!(town.pooled(), 0, "nobody is shown to others before");
    town.advance_ms(1);
    let (mine, theirs) = (town.hear_type(a, "partner_found"), town.hear_type(b, "partner_found"));
    assert_eq!(mine["match_id"], theirs["match_id"]);
    assert_ne!(mine["initiator"], theirs["initiator"]);
    assert_eq!([&mine["mode"], &theirs["mode"]], ["negotiate", "negotiate"]);
    town.nothing_left();
    assert_eq!(town.pooled(), 0);
}

#[test]
fn who_finds_somebody_here_is_shown_to_nobody() {
    let mut town = Town::new(2);
    let (a, b) = (town.greeted(0), town.greeted(0));
    town.say(a, search());
    town.say(b, search());
    town.live_ms(2_000);
    assert_eq!(town.lobby(0).counters().exports, 0);
    assert_eq!(town.carried.iter().filter(|frame| !frame.contains("Sync")).count(), 0);
}

#[test]
fn the_older_ones_offer_travels_with_the_promise_and_only_then() {
    let mut town = Town::new(2);
    let (a, b) = (town.greeted(0), town.greeted(1));
    town.say(a, find!("video", offer: { "sdp": "offer of a" }));
    town.advance_ms(300);
    town.say(b, find!("video"));
    assert!(town.carried.iter().all(|frame| !frame.contains("offer of a")), "{:?}", town.carried);
    town.advance_ms(300);
    town.hear_type(a, "waiting");
    town.hear_type(b, "waiting");
    let (mine, theirs) = (town.hear_type(a, "partner_found"), town.hear_type(b, "partner_found"));
    assert_eq!((&mine["initiator"], &mine["mode"]), (&json!(true), &json!("answer_offer")));
    assert_eq!((&theirs["initiator"], &theirs["offer"]["sdp"]), (&json!(false), &json!("offer of a")));
    assert_eq!(mine.get("offer"), None);
}

#[test]
fn the_claimers_offer_travels_with_the_commit() {
    let mut town = Town::new(2);
    let (a, b) = (town.greeted(0), town.greeted(1));
    town.say(a, find!("video"));
    town.advance_ms(300);
    town.say(b, find!("video", offer: { "sdp": "offer of b" }));
    town.advance_ms(300);
    town.hear_type(a, "waiting");
    town.hear_type(b, "waiting");
    let (mine, theirs) = (town.hear_type(a, "partner_found"), town.hear_type(b, "partner_found"));
    assert_eq!((&mine["initiator"], &mine["offer"]["sdp"]), (&json!(false), &json!("offer of b")));
    assert_eq!((&theirs["initiator"], &theirs["mode"]), (&json!(true), &json!("answer_offer")));
}

#[test]
fn signals_go_to_the_partner_and_to_nobody_else_under_the_id_of_the_match() {
    let (mut town, a, b, id) = Town::matched(find!("video"));
    for (from, to) in [(a, b), (b, a)] {
        for said in [
            frame!("offer", match_id: id, sdp: "v=0"),
            frame!("answer", match_id: id, sdp: "v=0"),
            frame!("ice_candidate", match_id: id, candidate: { "candidate": "x" }),
            frame!("message", match_id: id, text: "hello"),
            frame!("typing", match_id: id, on: true),
        ] {
            town.say(from, said.clone());
            assert_eq!(town.hear(to), said);
            town.nothing_left();
        }
    }
    town.say(a, frame!("message", match_id: "0000000000000001", text: "to an earlier one"));
    town.nothing_left();
}

#[test]
fn next_tells_the_partner_and_both_meet_others() {
    let (mut town, a, b, id) = Town::matched(find!("text"));
    let c = town.greeted(2);
    town.say(c, search());
    town.say(a, frame!("next", match_id: id));
    let left = frame!("partner_left", match_id: id, reason: "next", requeued: true);
    assert_eq!(town.hear(b), left);
    town.hear_type(b, "waiting");
    town.hear_type(a, "waiting");
    town.hear_type(c, "waiting");
    town.live_ms(2_500);
    town.nothing_left();
    town.live_ms(1_500);
    let again = town.hear_type(a, "partner_found")["match_id"].clone();
    assert_eq!(town.hear_type(b, "partner_found")["match_id"], again, "after the pause of recent partners");
    assert_ne!(again, id);
}

#[test]
fn stop_and_close_and_a_lost_socket_tell_the_partner_each_in_its_way() {
    for (act, reason) in [("stop", "stop"), ("close", "closed")] {
        let (mut town, a, b, id) = Town::matched(find!("video"));
        match act {
            "stop" => {
                town.say(a, frame!("stop"));
                town.hear_type(a, "stopped");
            }
            _ => town.close(a),
        }
        assert_eq!(town.hear(b), frame!("partner_left", match_id: id, reason: reason, requeued: true));
        town.hear_type(b, "waiting");
        town.nothing_left();
    }
    let (mut town, a, b, id) = Town::matched(find!("video"));
    town.drop_socket(a);
    assert_eq!(town.hear(b), frame!("partner_reconnecting", match_id: id, grace_ms: 10000));
    town.live_ms(10_000);
    assert_eq!(town.hear(b), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
}

#[test]
fn a_block_holds_across_nodes() {
    let (mut town, a, b, id) = Town::matched(find!("text"));
    town.say(a, frame!("block", match_id: id));
    assert_eq!(town.hear(b), frame!("partner_left", match_id: id, reason: "next", requeued: true));
    town.hear_type(a, "blocked");
    town.hear_type(b, "waiting");
    town.say(a, frame!("find_partner", kind: "text"));
    town.hear_type(a, "waiting");
    town.live_ms(60_000);
    town.nothing_left();
    let c = town.greeted(2);
    town.say(c, find!("text"));
    town.live_ms(1_500);
    town.hear_type(c, "waiting");
    town.hear_type(c, "partner_found");
}

#[test]
fn interests_languages_kinds_and_pools_hold_across_nodes() {
    for (mine, theirs, within_ms) in [
        (find!("video"), find!("audio"), None),
        (find!("video", pool: "x"), find!("video", pool: "y"), None),
        (find!("video", languages: ["de"], pin: ["language"]), find!("video", languages: ["fr"]), None),
        (find!("video", interests: ["jazz"], pin: ["interests"]), find!("video", interests: ["golf"]), None),
        (find!("video", interests: ["jazz"]), find!("video", interests: ["golf"]), Some(2_500)),
        (find!("video", languages: ["de"]), find!("video", languages: ["fr"]), Some(4_500)),
        (
            find!("video", interests: ["jazz"], languages: ["de-AT"]),
            find!("video", interests: ["golf", "jazz"], languages: ["de"]),
            Some(500),
        ),
    ] {
        let mut town = Town::new(2);
        let (a, b) = (town.greeted(0), town.greeted(1));
        town.say(a, mine.clone());
        town.say(b, theirs.clone());
        town.hear_type(a, "waiting");
        town.hear_type(b, "waiting");
        town.live_ms(within_ms.unwrap_or(20_000));
        let Some(_) = within_ms else {
            town.nothing_left();
            continue;
        };
        let (found, other) = (town.hear_type(a, "partner_found"), town.hear_type(b, "partner_found"));
        assert_eq!(found["shared_interests"], other["shared_interests"]);
        assert_eq!(found["language"], other["language"]);
        if within_ms == Some(500) {
            assert_eq!((&found["shared_interests"], &found["language"]), (&json!(["jazz"]), &json!("de")));
        }
    }
}

#[test]
fn many_visitors_over_three_nodes_are_each_matched_once() {
    let mut town = Town::new(3);
    let visitors: Vec<At> = (0..60).map(|index| town.greeted(index % 3)).collect();
    for (index, at) in visitors.iter().enumerate() {
        town.say(*at, find!("video", pool: (format!("{}", index / 2))));
    }
    town.live_ms(3_000);
    let mut ids = std::collections::BTreeMap::new();
    for at in visitors {
        town.hear_type(at, "waiting");
        let id = town.hear_type(at, "partner_found")["match_id"].to_string();
        *ids.entry(id).or_insert(0) += 1;
        town.hears_nothing(at);
    }
    assert!(ids.len() == 30 && ids.values().all(|sides| *sides == 2), "{ids:?}");
    assert_eq!(town.pooled(), 0);
}

#[test]
fn everybody_hears_how_many_are_online_on_all_nodes() {
    let mut town = Town::new(3);
    for node in [0, 0, 1, 1, 1, 2] {
        town.open(node);
    }
    town.heartbeat();
    assert_eq!(town.lobby(0).online(), 2);
    assert_eq!(town.lobby(0).online_everywhere(), 6);
    town.reply(0, crate::Reply::Away);
    assert_eq!(town.lobby(0).online_everywhere(), 2, "nobody vouches for the others");
}

#[test]
fn what_lies_in_the_pool_tells_neither_names_nor_interests() {
    let mut town = Town::new(2);
    let a = town.greeted(0);
    town.say(
        a,
        find!("video", interests: ["jazz"], languages: ["de"], pool: "room 7", offer: { "sdp": "secret" }),
    );
    town.hear_type(a, "waiting");
    town.advance_ms(300);
    let pooled: Vec<String> =
        town.pool.values().flatten().map(|pooled| format!("{:?}", pooled.export)).collect();
    assert_eq!(pooled.len(), 1);
    for private in ["jazz", "room 7", "secret", "\"de\""] {
        assert!(!pooled[0].contains(private), "{pooled:?}");
    }
}

#[test]
fn a_pair_that_could_not_connect_is_not_put_together_again_across_nodes() {
    let (mut town, a, b, id) = Town::matched(find!("video"));
    town.say(a, frame!("next", match_id: id, failed: true));
    town.hear_type(b, "partner_left");
    town.hear_type(b, "waiting");
    town.hear_type(a, "waiting");
    // The pause of recent partners is over long since.
    town.live_ms(20_000);
    town.nothing_left();
}

#[test]
fn what_a_stranger_of_another_node_has_not_read_yet_does_not_give_away_who_hides_meanwhile() {
    const HOST: &str = "candidate:1 1 udp 1 203.0.113.7 9 typ host";
    let (mut town, a, b, id) = Town::matched(find!("video"));
    town.drop_socket(b);
    town.hear_type(a, "partner_reconnecting");
    town.say(a, frame!("ice_candidate", match_id: id, candidate: { "candidate": HOST }));
    town.say(a, find!("video", relay_only: true, languages: ["no language"]));
    assert_eq!(town.hear_type(a, "error")["code"], "bad_field", "but it hides");
    town.say(a, frame!("message", match_id: id, text: "still here"));
    let back = town.go_on(1, b, 0);
    assert_eq!(town.hear_type(back, "welcome")["match_id"], id);
    assert_eq!(town.hear(back), frame!("message", match_id: id, text: "still here"));
    town.hear_type(a, "partner_back");
    town.nothing_left();
}
