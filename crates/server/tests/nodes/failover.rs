//! A master is killed, a replica takes over that may lack the last writes: calls go on, nobody is given away twice.

use super::crowd::Crowd;
use super::place::{Guest, Redis, Wire, ask, match_up, node, redis_becomes, speak};
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_replica_that_lacks_the_last_writes_takes_over() {
    let soon = ["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"];
    let mut master = Redis::start_with(&soon).await;
    let replica = Redis::start().await;
    let link = Wire::to(master.port).await;
    replica.ask(&["REPLICAOF", "127.0.0.1", &link.port.to_string()]).await;
    comes_true("the replica follows", || async {
        replica.ask(&["INFO", "replication"]).await.contains("master_link_status:up")
    })
    .await;

    let address = Wire::to(master.port).await;
    let url = format!("redis://127.0.0.1:{}", address.port);
    let nodes: Vec<_> = ["one", "two", "three"].map(|name| node(&url, name, &[])).into();
    for node in &nodes {
        node.figure_becomes("visavis_nodes", 3.0).await;
    }
    let crowd = Crowd::arrive(&nodes, 60).await;
    crowd.everybody_is_matched_but(0, Duration::from_secs(10)).await;
    let before = crowd.pairs();

    // One waits; that much the replica still hears of. That the ticket is taken it does not.
    let mut given = Guest::greet(&nodes[0]).await;
    given.search("audio").await;
    comes_true("the replica has the ticket", || async {
        replica.ask(&["KEYS", "visavis:{audio:*:tickets"]).await.starts_with("*1")
    })
    .await;
    link.cut();
    let mut taker = Guest::greet(&nodes[1]).await;
    taker.search("audio").await;
    let id = taker.hear("partner_found").await["match_id"].clone();
    assert_eq!(given.hear("partner_found").await["match_id"], id);
    for guest in [&mut given, &mut taker] {
        guest.connected(&id).await;
    }
    speak(&mut given, &mut taker, &id, "before").await;
    speak(&mut taker, &mut given, &id, "yes").await;

    // Between two masters a node has only its own.
    address.turn_to(1);
    master.kill();
    for node in &nodes {
        redis_becomes(node, "away").await;
    }
    let (mut c, mut d) = (Guest::greet(&nodes[0]).await, Guest::greet(&nodes[0]).await);
    match_up(&mut c, &mut d, "text").await;
    replica.ask(&["REPLICAOF", "NO", "ONE"]).await;
    address.turn_to(replica.port);
    for node in &nodes {
        redis_becomes(node, "ok").await;
    }

    // Whoever finds the old ticket is refused, and meets the next one instead.
    let (mut late, mut later) = (Guest::greet(&nodes[2]).await, Guest::greet(&nodes[1]).await);
    assert_ne!(match_up(&mut late, &mut later, "audio").await, id);
    speak(&mut given, &mut taker, &id, "after").await;
    speak(&mut taker, &mut given, &id, "still here").await;
    crowd.everybody_is_matched_but(0, Duration::from_secs(10)).await;
    assert_eq!(crowd.pairs(), before, "nobody lost anybody");
    crowd.part().await;
}

#[tokio::test]
async fn in_a_cluster_replicas_take_over_from_whichever_master_dies() {
    let mut members = Vec::new();
    let options =
        ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0"];
    while members.len() < 6 {
        members.push(Redis::start_with(&options).await);
    }
    let places: Vec<String> = members.iter().map(|member| format!("127.0.0.1:{}", member.port)).collect();
    let made = Command::new("redis-cli")
        .args(["--cluster", "create"])
        .args(&places)
        .args(["--cluster-replicas", "1", "--cluster-yes"])
        .output()
        .expect("redis-cli starts (Debian: apt-get install redis-tools)");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    comes_true("all replicas follow", || async {
        let mut following = 0;
        for member in &members {
            let info = member.ask(&["INFO", "replication"]).await;
            following += usize::from(info.contains("master_link_status:up"));
        }
        following == 3
    })
    .await;

    // All nodes were told of one member only, and it dies, too.
    let nodes: Vec<_> = ["one", "two"].map(|name| node(&members[0].url(), name, &[])).into();
    for node in &nodes {
        node.figure_becomes("visavis_nodes", 2.0).await;
    }
    let crowd = Crowd::arrive(&nodes, 40).await;
    crowd.everybody_is_matched_but(0, Duration::from_secs(10)).await;
    let before = crowd.pairs();
    let holder = master_of(&members[0], "visavis:{nodes}:lease").await;
    let holder = members.iter().position(|member| member.port == holder).expect("one of them");
    let victims = if holder == 0 { [0, 1] } else { [holder, 0] };
    for victim in victims {
        members[victim].kill();
        let witness = (0..3).find(|member| !victims.contains(member)).expect("three masters");
        let at = SocketAddr::from(([127, 0, 0, 1], members[witness].port));
        comes_true("a replica took over", || async {
            // All masters but those that failed serve slots: with fewer than three the cluster is not whole.
            ask(at, &["CLUSTER", "INFO"]).await.contains("cluster_state:ok")
                && ask(at, &["CLUSTER", "NODES"]).await.contains("master,fail")
        })
        .await;
        let (mut a, mut b) = (Guest::greet(&nodes[0]).await, Guest::greet(&nodes[1]).await);
        let id = match_up(&mut a, &mut b, "audio").await;
        speak(&mut a, &mut b, &id, "over whom?").await;
        for node in &nodes {
            redis_becomes(node, "ok").await;
        }
    }
    crowd.everybody_is_matched_but(0, Duration::from_secs(10)).await;
    assert_eq!(crowd.pairs(), before, "nobody lost anybody");
    crowd.part().await;
}

/// The port of the member that serves a key.
async fn master_of(member: &Redis, key: &str) -> u16 {
    let slot = member.ask(&["CLUSTER", "KEYSLOT", key]).await;
    let slot: u16 = slot.trim().trim_start_matches(':').parse().expect("a slot");
    let nodes = member.ask(&["CLUSTER", "NODES"]).await;
    let serves = |line: &&str| {
        line.split(' ').skip(8).filter_map(|range| range.split_once('-')).any(|(first, last)| {
            first.parse().is_ok_and(|first: u16| first <= slot)
                && last.parse().is_ok_and(|last: u16| slot <= last)
        })
    };
    let line = nodes.lines().find(serves).expect("every slot is served");
    let (address, _) =
        line.split(' ').nth(1).and_then(|address| address.split_once('@')).expect("an address");
    address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port")
}

async fn comes_true<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so().await {
        assert!(Instant::now() < deadline, "it never comes true that {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
