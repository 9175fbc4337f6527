//! Ghosts, and sessions that outlive their sockets: what `docs/protocol.md` promises, on real sockets.

use super::harness::{Client, Server};
use serde_json::{Value, json};
use tokio::net::TcpStream;

const FIND: &str = r#"{"type":"find_partner","kind":"text","requeue":true}"#;

/// From now on it neither reads nor answers, and closes nothing: a phone in a tunnel.
fn half_open(client: Client) -> TcpStream {
    client.0.into_inner()
}

/// Says `hello` as the first message; the answer.
async fn greet(server: &Server, hello: Value) -> (Client, Value) {
    let mut client = server.connect().await;
    client.say(&hello.to_string()).await;
    let welcome = client.hear_type("welcome").await;
    (client, welcome)
}

/// Two who can be recognised, matched: the clients, their newest tokens, and the match.
async fn pair(server: &Server) -> ([Client; 2], [Value; 2], Value) {
    let hello = json!({ "type": "hello", "version": 1 });
    let (mut one, _) = greet(server, hello.clone()).await;
    let (mut two, _) = greet(server, hello).await;
    one.say(FIND).await;
    one.hear_type("waiting").await;
    two.say(FIND).await;
    let found = [one.hear_type("partner_found").await, two.hear_type("partner_found").await];
    let tokens = found.each_ref().map(|found| found["resume_token"].clone());
    assert!(tokens.iter().all(Value::is_string), "{found:?}");
    ([one, two], tokens, found[0]["match_id"].clone())
}

#[tokio::test]
async fn a_ghost_in_a_match_costs_its_partner_the_deadline_and_no_more() {
    let server = Server::start(&["--lobby-sign-of-life-ms", "400"]);
    let mut ghost = server.connect().await;
    ghost.say(FIND).await;
    ghost.hear_type("waiting").await;
    let ghost = half_open(ghost);
    let mut survivor = server.connect().await;
    survivor.say(FIND).await;
    let found = survivor.hear_type("partner_found").await;
    let left = survivor.hear_type("partner_left").await;
    assert_eq!(
        left,
        json!({"type": "partner_left", "match_id": found["match_id"], "reason": "lost", "requeued": true})
    );
    survivor.hear_type("waiting").await;
    let mut third = server.connect().await;
    third.say(FIND).await;
    let next = survivor.hear_type("partner_found").await;
    assert_eq!(third.hear_type("partner_found").await["match_id"], next["match_id"]);
    drop(ghost);
}

#[tokio::test]
async fn a_waiting_visitor_who_answers_no_ping_is_cut_and_given_to_nobody() {
    let flags = ["--lobby-waiting-ping-after-ms", "150", "--lobby-waiting-cut-after-ms", "400"];
    let server = Server::start(&[&flags[..], &["--metrics-listen", "127.0.0.1:0"]].concat());
    let mut ghost = server.connect().await;
    ghost.say(FIND).await;
    ghost.hear_type("waiting").await;
    let ghost = half_open(ghost);
    server.figure_becomes("visavis_silent_cut_total", 1.0).await;
    let mut next = server.connect().await;
    next.say(FIND).await;
    assert_eq!(next.hear().await["type"], "waiting");
    drop(ghost);
}

/// A browser answers WebSocket pings for a page that is frozen, as this client's library does.
#[tokio::test]
async fn a_frozen_page_that_waits_is_cut_though_its_socket_answers() {
    let server =
        Server::start(&["--lobby-waiting-ping-after-ms", "150", "--lobby-waiting-cut-after-ms", "400"]);
    let hello = json!({ "type": "hello", "version": 1, "answers_ping": true });
    let (mut living, _) = greet(&server, hello.clone()).await;
    let (mut frozen, _) = greet(&server, hello).await;
    frozen.say(&FIND.replace("text", "audio")).await;
    living.say(FIND).await;
    frozen.hear_type("waiting").await;
    living.hear_type("waiting").await;
    // One answers, the other does not.
    for _ in 0..4 {
        living.hear_type("ping").await;
        living.say(r#"{"type":"pong"}"#).await;
    }
    frozen.hear_type("ping").await;
    assert_eq!(frozen.closed().await.0, 1001);
    let mut next = server.connect().await;
    next.say(&FIND.replace("text", "audio")).await;
    assert_eq!(next.hear().await["type"], "waiting", "nobody else is in line");
    next.say(FIND).await;
    next.hear_type("partner_found").await;
}

#[tokio::test]
async fn a_block_holds_after_a_crash_and_a_reload() {
    let secret = "07".repeat(32);
    let flags = ["--session-secret", &secret, "--lobby-recent-pause-ms", "50"];
    let server = Server::start(&flags);
    let hello = |device: &str| json!({ "type": "hello", "version": 1, "device": device });
    let (mut anne, _) = greet(&server, hello("anne-keeps-this-name")).await;
    let (mut bert, _) = greet(&server, hello("bert-keeps-this-name")).await;
    anne.say(FIND).await;
    anne.hear_type("waiting").await;
    bert.say(FIND).await;
    let found = bert.hear_type("partner_found").await;
    anne.say(&json!({ "type": "block", "match_id": found["match_id"] }).to_string()).await;
    let block = anne.hear_type("blocked").await["block"].clone();
    assert_eq!(bert.hear_type("partner_left").await["reason"], "next");
    server.signal("KILL");
    drop((anne, bert));
    let server = Server::start(&flags);
    // He comes back by a token of the match that was blocked, she by a page that was opened anew.
    let back = json!({ "type": "hello", "version": 1, "resume": found["resume_token"] });
    let (mut bert, welcome) = greet(&server, back).await;
    assert_eq!(welcome["resumed"], true);
    let mut again = hello("anne-keeps-this-name");
    again["blocks"] = json!([block]);
    let (mut anne, _) = greet(&server, again).await;
    bert.say(&json!({ "type": "stop" }).to_string()).await;
    bert.hear_type("stopped").await;
    for client in [&mut bert, &mut anne] {
        client.say(FIND).await;
        client.hear_type("waiting").await;
    }
    // Longer than old partners pause, they still wait: whoever comes is given to one of them.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let (mut third, _) = greet(&server, hello("third-keeps-this-name")).await;
    third.say(FIND).await;
    third.hear_type("partner_found").await;
    bert.hear_type("partner_found").await;
}

#[tokio::test]
async fn a_lost_socket_is_waited_for_and_what_it_missed_is_kept_within_bounds() {
    let server = Server::start(&[]);
    let ([lost, mut stays], [token, _], id) = pair(&server).await;
    drop(lost);
    let told = stays.hear_type("partner_reconnecting").await;
    assert_eq!((&told["match_id"], &told["grace_ms"]), (&id, &json!(10_000)));
    // `partner_found` was read, but nothing has said so: it is one of the 64.
    let candidate = json!({ "type": "ice_candidate", "match_id": id, "candidate": null }).to_string();
    for _ in 0..64 {
        stays.say(&candidate).await;
    }
    let full = stays.hear_type("error").await;
    assert_eq!(
        (&full["code"], &full["of"], &full["nth"]),
        (&json!("too_fast"), &json!("ice_candidate"), &json!(66))
    );
    let resume = json!({ "type": "hello", "version": 1, "resume": token, "received": 2 });
    let (mut back, welcome) = greet(&server, resume.clone()).await;
    assert_eq!((&welcome["resumed"], &welcome["match_id"]), (&json!(true), &id));
    stays.hear_type("partner_back").await;
    for _ in 0..63 {
        assert_eq!(back.hear().await["type"], "ice_candidate");
    }
    // The token is used up. It opens a new session, and closes nobody's.
    let (_other, welcome) = greet(&server, resume).await;
    assert_eq!(welcome["resumed"], json!(false));
    stays.say(&json!({ "type": "message", "match_id": id, "text": "still there?" }).to_string()).await;
    assert_eq!(back.hear().await["text"], "still there?");
}

#[tokio::test]
async fn a_resume_closes_the_half_open_socket_of_its_session() {
    let server = Server::start(&[]);
    let ([mut old, mut stays], [token, _], id) = pair(&server).await;
    let (mut back, welcome) =
        greet(&server, json!({ "type": "hello", "version": 1, "resume": token, "received": 2 })).await;
    assert_eq!((&welcome["resumed"], &welcome["match_id"]), (&json!(true), &id));
    assert_eq!(old.closed().await, (1008, "resumed elsewhere".to_owned()));
    stays.say(&json!({ "type": "typing", "match_id": id, "on": true }).to_string()).await;
    assert_eq!(back.hear_type("typing").await["match_id"], id);
}

#[tokio::test]
async fn a_pair_is_rebuilt_after_a_crash_although_the_secret_was_rotated() {
    let [past, present] = [1u8, 2].map(|n| format!("{n:02x}").repeat(32));
    let server = Server::start(&["--session-secret", &past]);
    let ([one, two], tokens, id) = pair(&server).await;
    server.signal("KILL");
    drop((one, two));
    let server = Server::start(&["--session-secret", &present, "--session-secret", &past]);
    let hello = |token: &Value| json!({ "type": "hello", "version": 1, "resume": token, "received": 2 });
    let (mut one, welcome) = greet(&server, hello(&tokens[0])).await;
    assert_eq!((&welcome["resumed"], &welcome["match_id"]), (&json!(true), &id));
    assert_eq!(one.hear_type("partner_reconnecting").await["grace_ms"], 30_000);
    let (mut two, welcome) = greet(&server, hello(&tokens[1])).await;
    assert_eq!((&welcome["resumed"], &welcome["match_id"]), (&json!(true), &id));
    assert_eq!(one.hear_type("partner_back").await["match_id"], id);
    two.say(&json!({ "type": "message", "match_id": id, "text": "here again" }).to_string()).await;
    assert_eq!(one.hear_type("message").await["text"], "here again");
    // Without the past secret a token is nobody's.
    let server = Server::start(&["--session-secret", &present]);
    let (_, welcome) = greet(&server, hello(&tokens[0])).await;
    assert_eq!(welcome["resumed"], json!(false));
}

#[tokio::test]
async fn half_a_pair_waits_for_the_other_half_and_then_searches_on() {
    let secret = "07".repeat(32);
    let flags = ["--session-secret", &secret, "--lobby-half-pair-grace-ms", "300"];
    let server = Server::start(&flags);
    let (clients, tokens, id) = pair(&server).await;
    server.signal("KILL");
    drop(clients);
    let server = Server::start(&flags);
    let (mut one, _) = greet(&server, json!({ "type": "hello", "version": 1, "resume": tokens[0] })).await;
    one.hear_type("partner_reconnecting").await;
    let left = one.hear_type("partner_left").await;
    assert_eq!((&left["match_id"], &left["reason"], &left["requeued"]), (&id, &json!("lost"), &json!(true)));
    one.hear_type("waiting").await;
}
