//! The kinds of Redis that operators have: with a password, over TLS, as a cluster; and messages that cannot be read.

use super::place::{Guest, Redis, ask, match_up, node, speak};
use serde_json::json;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_password_is_sent_and_not_shown() {
    let redis = Redis::start_with(&["--requirepass", "open-sesame"]).await;
    let url = format!("redis://:open-sesame@127.0.0.1:{}", redis.port);
    let (one, two) = (node(&url, "one", &[]), node(&url, "two", &[]));
    two.figure_becomes("visavis_nodes", 2.0).await;
    let (mut a, mut b) = (Guest::greet(&one).await, Guest::greet(&two).await);
    match_up(&mut a, &mut b, "video").await;
    let wrong = node(&redis.url(), "three", &["--log-level", "trace"]);
    wrong.log_says("redis.url: away");
    assert!(!one.log().contains("open-sesame") && !wrong.log().contains("open-sesame"));
}

#[tokio::test]
async fn over_tls_with_a_certificate_that_the_system_trusts() {
    let dir = tempfile::tempdir().unwrap();
    let made = super::harness::visavis().args(["self-signed", "--out"]).arg(dir.path()).output().unwrap();
    assert!(made.status.success());
    let file = |name: &str| dir.path().join(name).display().to_string();
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    let tls_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = tls_port.to_string();
    let redis = Redis::start_with(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "no",
        "--tls-ca-cert-file",
        &cert,
    ])
    .await;
    let url = format!("rediss://127.0.0.1:{tls_port}");
    // Whom the system trusts: the usual variable of OpenSSL, read by the server too.
    let flags = ["--redis", &url, "--node", "tls", "--session-secret", super::place::SECRET];
    let one = super::harness::Server::start_with_env(&flags, &[("SSL_CERT_FILE", &cert)]);
    one.log_says("redis.url: connected");
    let distrusts = node(&url, "distrusts", &[]);
    distrusts.log_says("redis.url: away");
    drop(redis);
}

#[tokio::test]
async fn nodes_with_different_secrets_say_so_and_stay_apart() {
    let redis = Redis::start().await;
    let one = node(&redis.url(), "one", &[]);
    let flags = ["--redis", &redis.url(), "--node", "two", "--session-secret"];
    let flags: Vec<&str> = flags.into_iter().chain(["quite another secret, of as many characters"]).collect();
    let two = super::harness::Server::start(&flags);
    one.log_says("give all nodes the same session.secret");
    let (mut a, mut b) = (Guest::greet(&one).await, Guest::greet(&two).await);
    a.search("video").await;
    b.search("video").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(one.figure("visavis_waiting{kind=\"video\"}").await, 1.0);
}

#[tokio::test]
async fn two_nodes_of_one_name_are_told_apart_and_the_operator_is_told() {
    let redis = Redis::start().await;
    let first = node(&redis.url(), "same", &[]);
    first.figure_becomes("visavis_redis_up", 1.0).await;
    let _second = node(&redis.url(), "same", &[]);
    first.log_says("another server called same runs");
}

/// Three masters, no replicas: every script must name keys of one slot only.
#[tokio::test]
async fn a_redis_cluster_serves_as_well() {
    let mut masters = Vec::new();
    while masters.len() < 3 {
        masters
            .push(Redis::start_with(&["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]).await);
    }
    for (master, (first, last)) in masters.iter().zip([(0, 5460), (5461, 10922), (10923, 16383)]) {
        let answer = master.ask(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]).await;
        assert!(answer.starts_with("+OK"), "{answer}");
    }
    for other in &masters[1..] {
        masters[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &other.port.to_string()]).await;
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    for master in &masters {
        while !ask(SocketAddr::from(([127, 0, 0, 1], master.port)), &["CLUSTER", "INFO"])
            .await
            .contains("cluster_state:ok")
        {
            assert!(Instant::now() < deadline, "the cluster does not form");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    // Each node knows another of the masters.
    let (one, two) = (node(&masters[0].url(), "one", &[]), node(&masters[2].url(), "two", &[]));
    for node in [&one, &two] {
        node.figure_becomes("visavis_nodes", 2.0).await;
    }
    let mut pairs = Vec::new();
    for kind in ["video", "audio", "text"] {
        let (mut a, mut b) = (Guest::greet(&one).await, Guest::greet(&two).await);
        let id = match_up(&mut a, &mut b, kind).await;
        speak(&mut a, &mut b, &id, "across the cluster").await;
        let (mut a, welcome) = Guest::come(&two, Some(a.token.clone())).await;
        assert_eq!((&welcome["resumed"], &welcome["match_id"]), (&json!(true), &id));
        speak(&mut b, &mut a, &id, "and moved").await;
        pairs.push((a, b));
    }
    assert_eq!(one.figure("visavis_redis_connects_total").await, 1.0, "no script crossed a slot");
}
