//! Visitors of different nodes meet, speak, part and move.

use super::crowd::Crowd;
use super::place::{Guest, Redis, match_up, nodes, speak};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn visitors_of_two_nodes_meet_shake_hands_write_and_press_next() {
    let redis = Redis::start().await;
    let nodes = nodes(&redis.url(), 2).await;
    let (mut a, mut b) = (Guest::greet(&nodes[0]).await, Guest::greet(&nodes[1]).await);
    a.say(
        json!({ "type": "find_partner", "kind": "video", "requeue": true, "offer": { "sdp": "v=0 secret" } }),
    )
    .await;
    b.search("video").await;
    let (mine, theirs) = (a.hear("partner_found").await, b.hear("partner_found").await);
    let id = mine["match_id"].clone();
    assert_eq!((&theirs["match_id"], &theirs["mode"]), (&id, &json!("answer_offer")));
    assert_eq!(theirs["offer"]["sdp"], "v=0 secret");
    for signal in [
        json!({ "type": "answer", "match_id": id, "sdp": "v=0" }),
        json!({ "type": "ice_candidate", "match_id": id, "candidate": [{ "candidate": "x" }] }),
        json!({ "type": "message", "match_id": id, "text": "hello" }),
        json!({ "type": "typing", "match_id": id, "on": true }),
    ] {
        b.say(signal.clone()).await;
        assert_eq!(a.hear(signal["type"].as_str().unwrap()).await, signal);
    }
    b.say(json!({ "type": "next", "match_id": id })).await;
    let left = a.hear("partner_left").await;
    assert_eq!((&left["reason"], &left["requeued"]), (&json!("next"), &json!(true)));
    let keys = redis.ask(&["KEYS", "*"]).await;
    assert!(!keys.contains("secret") && keys.contains("visavis:"), "{keys}");
    assert_eq!(nodes[0].figure("visavis_redis_dropped_total").await, 0.0);
}

#[tokio::test]
async fn a_block_holds_across_nodes_and_everybody_is_counted() {
    let redis = Redis::start().await;
    let nodes = nodes(&redis.url(), 3).await;
    let mut guests = Vec::new();
    for node in &nodes {
        guests.push(Guest::greet(node).await);
    }
    let [a, b, c] = guests.as_mut_slice() else { panic!("three") };
    let id = match_up(a, b, "text").await;
    a.say(json!({ "type": "block", "match_id": id })).await;
    assert_eq!(b.hear("partner_left").await["reason"], "next");
    assert_eq!(a.hear("blocked").await["match_id"], id);
    a.search("text").await;
    a.hear("waiting").await;
    // Longer than partners pause: it is the block that keeps them apart.
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    assert_eq!(nodes[0].figure("visavis_waiting{kind=\"text\"}").await, 1.0);
    assert_eq!(nodes[1].figure("visavis_waiting{kind=\"text\"}").await, 1.0);
    c.search("text").await;
    c.hear("partner_found").await;
    let online = nodes[2].get("/api/online").await.json();
    assert_eq!(online["online"], 3);
}

#[tokio::test]
async fn a_report_that_comes_to_any_node_parts_two_of_others() {
    let redis = Redis::start().await;
    let nodes = nodes(&redis.url(), 3).await;
    let (mut a, mut b) = (Guest::greet(&nodes[0]).await, Guest::greet(&nodes[1]).await);
    a.search("text").await;
    b.search("text").await;
    let found = a.hear("partner_found").await;
    b.hear("partner_found").await;
    let report = json!({ "receipt": found["receipt"], "category": "spam" }).to_string();
    assert_eq!(nodes[2].post("/api/reports", &[], &report).await.status, 201);
    assert_eq!(b.hear("partner_left").await["reason"], "next");
    assert_eq!(a.hear("partner_left").await["match_id"], found["match_id"]);
    assert_eq!(a.hear("blocked").await["match_id"], found["match_id"]);
    a.hear("waiting").await;
    let keys = redis.ask(&["KEYS", "*"]).await;
    assert!(!keys.contains("127.0.0.1") && !keys.contains(found["receipt"].as_str().unwrap()), "{keys}");
}

#[tokio::test]
async fn a_session_moves_while_its_node_lives_and_when_it_is_dead() {
    let redis = Redis::start().await;
    let mut nodes = nodes(&redis.url(), 3).await;
    let (mut a, mut b) = (Guest::greet(&nodes[0]).await, Guest::greet(&nodes[1]).await);
    let id = match_up(&mut a, &mut b, "video").await;
    let (mut a2, welcome) = Guest::come(&nodes[2], Some(a.token.clone())).await;
    assert_eq!((&welcome["resumed"], &welcome["match_id"]), (&json!(true), &id));
    assert_eq!(a.client.closed().await.1, "resumed elsewhere");
    speak(&mut a2, &mut b, &id, "I moved").await;
    speak(&mut b, &mut a2, &id, "I see").await;
    // The old token is used up, on whatever node.
    let (_, welcome) = Guest::come(&nodes[1], Some(a.token.clone())).await;
    assert_eq!(welcome["resumed"], false);
    // A's node dies; A comes back to the first one, and finds B still there.
    nodes[2].signal("KILL");
    let (mut a3, welcome) = Guest::come(&nodes[0], Some(a2.token.clone())).await;
    assert_eq!((&welcome["resumed"], &welcome["match_id"]), (&json!(true), &id));
    b.hear("partner_reconnecting").await;
    b.hear("partner_back").await;
    speak(&mut a3, &mut b, &id, "and again").await;
    speak(&mut b, &mut a3, &id, "welcome back").await;
    nodes.remove(2);
}

#[tokio::test]
async fn five_hundred_visitors_of_three_nodes_are_each_matched_once() {
    let redis = Redis::start().await;
    let nodes = nodes(&redis.url(), 3).await;
    let crowd = Crowd::arrive(&nodes, 501).await;
    crowd.everybody_is_matched_but(1, Duration::from_secs(20)).await;
    crowd.audit();
    crowd.part().await;
}
