//! Whoever dies or is cut off: the others go on, nobody is in two matches, and afterwards everybody is matched.

use super::crowd::Crowd;
use super::place::{Guest, Redis, Wire, match_up, node, nodes, redis_becomes, speak};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn without_redis_a_node_matches_its_own_and_with_it_others_again() {
    let mut redis = Redis::start().await;
    let nodes = nodes(&redis.url(), 2).await;
    let (mut a, mut b) = (Guest::greet(&nodes[0]).await, Guest::greet(&nodes[1]).await);
    let id = match_up(&mut a, &mut b, "video").await;
    a.connected(&id).await;
    speak(&mut b, &mut a, &id, "before").await;
    redis.kill();
    redis_becomes(&nodes[0], "away").await;
    redis_becomes(&nodes[1], "away").await;
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        let (mut c, mut d) = (Guest::greet(&nodes[0]).await, Guest::greet(&nodes[0]).await);
        match_up(&mut c, &mut d, "video").await;
    }
    a.say(json!({ "type": "message", "match_id": id, "text": "meanwhile" })).await;
    // It comes back empty, as after a failover that lost everything.
    redis.again().await;
    redis_becomes(&nodes[0], "ok").await;
    redis_becomes(&nodes[1], "ok").await;
    assert_eq!(b.hear("message").await["text"], "meanwhile");
    speak(&mut b, &mut a, &id, "after").await;
    let (mut c, mut d) = (Guest::greet(&nodes[0]).await, Guest::greet(&nodes[1]).await);
    match_up(&mut c, &mut d, "audio").await;
}

#[tokio::test]
async fn a_node_may_insist_on_redis_before_it_is_ready() {
    let insists = node("redis://127.0.0.1:1", "alone", &["--readiness-require-redis"]);
    let ready = insists.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["redis"]), (503, &json!("away")));
    assert_eq!(insists.get("/healthz").await.status, 200);
    let (mut a, mut b) = (Guest::greet(&insists).await, Guest::greet(&insists).await);
    match_up(&mut a, &mut b, "text").await;
}

#[tokio::test]
async fn when_a_node_is_killed_its_visitors_find_their_partners_and_the_rest_is_matched_anew() {
    let redis = Redis::start().await;
    let nodes = nodes(&redis.url(), 3).await;
    let crowd = Crowd::arrive(&nodes, 60).await;
    crowd.everybody_is_matched_but(0, Duration::from_secs(10)).await;
    let before = crowd.pairs();
    nodes[1].signal("KILL");
    crowd.node_is_gone(1);
    // Those who were on it come back elsewhere by their tokens; every pair holds.
    crowd.everybody_is_matched_but(0, Duration::from_secs(15)).await;
    crowd.audit();
    let kept = crowd.pairs().intersection(&before).count();
    assert!(kept * 10 >= before.len() * 9, "{kept} of {} pairs outlived the node", before.len());
    // And somebody whose partner never comes back is not left alone.
    let (mut a, b) = (Guest::greet(&nodes[0]).await, nodes[2].connect().await);
    let mut b = Guest { client: b, token: json!(null) };
    a.search("audio").await;
    b.say(json!({ "type": "find_partner", "kind": "audio" })).await;
    let id = a.hear("partner_found").await["match_id"].clone();
    nodes[2].signal("KILL");
    let left = a.hear("partner_left").await;
    assert_eq!((&left["match_id"], &left["requeued"]), (&id, &json!(true)));
    crowd.part().await;
}

#[tokio::test]
async fn a_node_that_sleeps_longer_than_its_lease_wakes_to_the_same_calls() {
    let redis = Redis::start().await;
    let nodes = nodes(&redis.url(), 2).await;
    let (mut a, mut b) = (Guest::greet(&nodes[0]).await, Guest::greet(&nodes[1]).await);
    let (mut c, mut d) = (Guest::greet(&nodes[0]).await, Guest::greet(&nodes[1]).await);
    let id = match_up(&mut a, &mut b, "video").await;
    let other = match_up(&mut c, &mut d, "audio").await;
    nodes[1].signal("STOP");
    a.hear("partner_reconnecting").await;
    c.hear("partner_reconnecting").await;
    // Who presses Next meanwhile is told nothing of the past when the node wakes.
    c.say(json!({ "type": "stop" })).await;
    c.hear("stopped").await;
    nodes[1].signal("CONT");
    a.hear("partner_back").await;
    speak(&mut a, &mut b, &id, "you slept").await;
    speak(&mut b, &mut a, &id, "did I?").await;
    assert_eq!(d.hear("partner_left").await["match_id"], other);
}

#[tokio::test]
async fn a_node_cut_off_from_redis_matches_its_own_and_is_one_of_all_again_when_it_heals() {
    let redis = Redis::start().await;
    let wire = Wire::to(redis.port).await;
    let cut_off = node(&format!("redis://127.0.0.1:{}", wire.port), "cut-off", &[]);
    let other = node(&redis.url(), "other", &[]);
    for node in [&cut_off, &other] {
        node.figure_becomes("visavis_nodes", 2.0).await;
    }
    let (mut a, mut b) = (Guest::greet(&cut_off).await, Guest::greet(&other).await);
    let id = match_up(&mut a, &mut b, "video").await;
    a.connected(&id).await;
    speak(&mut a, &mut b, &id, "I see you").await;
    wire.cut();
    redis_becomes(&cut_off, "away").await;
    other.figure_becomes("visavis_nodes", 1.0).await;
    b.hear("partner_reconnecting").await;
    let (mut c, mut d) = (Guest::greet(&cut_off).await, Guest::greet(&cut_off).await);
    match_up(&mut c, &mut d, "audio").await;
    wire.mend();
    redis_becomes(&cut_off, "ok").await;
    b.hear("partner_back").await;
    speak(&mut a, &mut b, &id, "through again").await;
    speak(&mut b, &mut a, &id, "both ways").await;
}

#[tokio::test]
async fn a_node_that_stops_says_so_and_nobody_waits_for_its_lease() {
    let redis = Redis::start().await;
    let mut nodes = nodes(&redis.url(), 2).await;
    let stopping = nodes.remove(1);
    stopping.signal("INT");
    nodes[0].figure_becomes("visavis_nodes", 1.0).await;
    nodes[0].figure_becomes("visavis_nodes_gone_total", 1.0).await;
}
