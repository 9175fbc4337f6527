//! Receipts and reports: who gets which receipt, and what a report does to two visitors, wherever they are.

use super::nodes::{At, Town};
use super::{A, B, C, Script, Value, Visitor, find, frame};
use crate::{Author, Config, Ending, Input, Receipt, Receipts, SessionSecret, Source, Span, Time};
use visavis_protocol::ReportReceipt;

fn receipts() -> Receipts {
    Receipts::new(&[SessionSecret([7; 32])])
}

fn config() -> Config {
    Config {
        session_secrets: vec![SessionSecret([7; 32])],
        receipts: Some(receipts()),
        waiting_interval: Span::from_secs(1_000_000),
        ..Config::default()
    }
}

fn open(found: &Value, now: Time) -> Receipt {
    let receipt = ReportReceipt(found["receipt"].as_str().expect("a receipt").to_owned());
    receipts().open(&receipt, now).expect("it opens")
}

/// A and B said hello and met; what each was told.
fn met(kind: &str) -> (Script, Value, Value) {
    let mut script = Script::with(config());
    for visitor in [A, B] {
        script.open(visitor);
        script.say(visitor, frame!("hello", version: 1));
        script.hear(visitor);
    }
    script.say(A, find!(kind, requeue: true));
    script.hear(A);
    script.say(B, find!(kind, requeue: true));
    let (mine, theirs) = (script.hear(A), script.hear(B));
    (script, mine, theirs)
}

fn hear_type(script: &mut Script, visitor: Visitor, kind: &str) -> Value {
    let message = script.hear(visitor);
    assert_eq!(message["type"], kind, "{message}");
    message
}

#[test]
fn each_side_gets_a_receipt_that_says_who_was_matched_with_whom() {
    let (mut script, mine, theirs) = met("video");
    let (of_a, of_b) = (open(&mine, script.now()), open(&theirs, script.now()));
    assert_eq!(serde_json::json!(of_a.match_id()), mine["match_id"]);
    assert_eq!((of_a.reporter(), of_a.reported()), (of_b.reported(), of_b.reporter()));
    assert_ne!(of_a.side(), of_b.side());
    assert_eq!(of_a.made(), script.now());
    assert!(of_a.reporter().prefix().is_some() && of_a.reporter().prefix() != of_a.reported().prefix());
    // Without secrets that outlive the process there is none.
    let mut plain = Script::without_news();
    plain.open(A);
    plain.open(B);
    plain.pair(A, B, find!("text"));
    script.discard();
}

#[test]
fn a_report_ends_the_match_blocks_the_pair_and_starts_a_new_search() {
    let (mut script, mine, _) = met("video");
    script.input(Input::Reported(open(&mine, script.now())));
    let left = hear_type(&mut script, B, "partner_left");
    assert_eq!((&left["reason"], &left["requeued"]), (&"next".into(), &true.into()), "as after a Next");
    hear_type(&mut script, B, "waiting");
    let left = hear_type(&mut script, A, "partner_left");
    assert_eq!((&left["match_id"], &left["requeued"]), (&mine["match_id"], &true.into()));
    let blocked = hear_type(&mut script, A, "blocked");
    assert_eq!(blocked["match_id"], mine["match_id"]);
    hear_type(&mut script, A, "waiting");
    script.advance_ms(60_000);
    script.discard();
    script.open(C);
    script.say(C, find!("video"));
    hear_type(&mut script, B, "partner_found");
    hear_type(&mut script, C, "partner_found");
}

#[test]
fn a_report_of_a_stranger_of_old_leaves_the_present_match_alone() {
    let (mut script, mine, _) = met("text");
    let now = script.now();
    script.say(A, frame!("next"));
    script.discard();
    script.open(C);
    script.say(C, find!("text"));
    script.discard();
    script.input(Input::Reported(open(&mine, now)));
    assert_eq!(hear_type(&mut script, A, "blocked")["match_id"], mine["match_id"]);
    // Twice is no more than once.
    script.input(Input::Reported(open(&mine, now)));
    hear_type(&mut script, A, "blocked");
}

#[test]
fn who_has_lost_its_socket_can_report_and_hears_of_it_when_it_is_back() {
    let (mut script, mine, _) = met("video");
    let token = mine["resume_token"].clone();
    script.close(A, Ending::Broken);
    script.discard();
    script.input(Input::Reported(open(&mine, script.now())));
    hear_type(&mut script, B, "partner_left");
    hear_type(&mut script, B, "waiting");
    script.open(C);
    script.say(C, frame!("hello", version: 1, resume: token, received: 1));
    assert_eq!(hear_type(&mut script, C, "welcome")["resumed"], true);
    let said: Vec<String> = script.unread().collect();
    assert!(said.iter().any(|line| line.contains("\"blocked\"")), "{said:?}");
}

#[test]
fn a_report_that_comes_while_nobody_knows_the_reporter_holds_when_it_is_back() {
    let (mut script, mine, _) = met("video");
    let (token, receipt) = (mine["resume_token"].clone(), open(&mine, script.now()));
    script.restart(config(), 8);
    script.input(Input::Reported(receipt));
    script.open(C);
    script.say(C, frame!("hello", version: 1, resume: token));
    assert_eq!(hear_type(&mut script, C, "welcome")["resumed"], true);
    let said: Vec<String> = script.unread().collect();
    let position = |what: &str| said.iter().position(|line| line.contains(what));
    assert!(position("\"partner_left\"") < position("\"blocked\""), "{said:?}");
    assert!(position("\"waiting\"") > position("\"blocked\""), "{said:?}");
    // No more than once.
    script.open(A);
    script.say(A, frame!("hello", version: 1));
    hear_type(&mut script, A, "welcome");
}

#[test]
fn a_client_that_never_said_hello_can_report() {
    let mut script = Script::with(config());
    script.open(A);
    script.open(B);
    script.say(A, find!("text"));
    script.hear(A);
    script.say(B, find!("text"));
    let found = script.hear(A);
    script.hear(B);
    script.input(Input::Reported(open(&found, script.now())));
    hear_type(&mut script, B, "partner_left");
    for kind in ["partner_left", "blocked", "waiting"] {
        hear_type(&mut script, A, kind);
    }
}

#[test]
fn lines_that_went_through_the_server_are_told_from_invented_ones() {
    let (mut script, mine, theirs) = met("text");
    let receipt = open(&mine, script.now());
    let id = mine["match_id"].clone();
    script.say(A, frame!("message", match_id: id, text: "hello"));
    script.discard();
    script.say(B, frame!("message", match_id: id, text: "something vile"));
    script.discard();
    let lines = [
        (Author::Reported, "something vile"),
        (Author::Reporter, "hello"),
        (Author::Reporter, "something vile"),
        (Author::Reported, "something worse"),
    ];
    let expected = [true, true, false, false];
    assert_eq!(script.lobby().witnessed(&receipt, &lines), expected);
    // Still after the stranger has left, until the next match ends.
    script.say(B, frame!("stop"));
    script.discard();
    assert_eq!(script.lobby().witnessed(&receipt, &lines), expected);
    let other_side = open(&theirs, script.now());
    assert_eq!(script.lobby().witnessed(&other_side, &lines), [false, false, true, false]);
    script.discard();
}

#[test]
fn the_lines_of_a_match_that_are_remembered_are_bounded() {
    let (mut script, mine, _) = met("text");
    let receipt = open(&mine, script.now());
    for n in 0..100 {
        script.advance_ms(1_000);
        script.discard();
        script.say(A, frame!("message", match_id: (mine["match_id"]), text: (format!("line {n}"))));
        script.discard();
    }
    let texts: Vec<String> = (0..100).map(|n| format!("line {n}")).collect();
    let lines: Vec<_> = texts.iter().map(|text| (Author::Reporter, text.as_str())).collect();
    let witnessed = script.lobby().witnessed(&receipt, &lines);
    assert_eq!(witnessed.iter().filter(|known| **known).count(), 64);
    assert!(!witnessed[0] && witnessed[99]);
}

/// A on node 0 and B on node 1, matched.
fn met_across() -> (Town, At, At, Value) {
    let mut town = Town::with(3, Some(receipts()));
    let (a, b) = (town.greeted(0), town.greeted(1));
    town.say(a, find!("text", requeue: true));
    town.say(b, find!("text", requeue: true));
    town.advance_ms(600);
    town.hear_type(a, "waiting");
    town.hear_type(b, "waiting");
    let found = town.hear_type(a, "partner_found");
    town.hear_type(b, "partner_found");
    (town, a, b, found)
}

#[test]
fn a_report_that_comes_to_another_node_reaches_the_one_who_reports() {
    let (mut town, a, b, found) = met_across();
    let receipt = open(&found, town.now);
    town.say(b, frame!("message", match_id: (found["match_id"]), text: "vile"));
    town.hear_type(a, "message");
    assert_eq!(town.lobby(0).witnessed(&receipt, &[(Author::Reported, "vile")]), [true]);
    town.report(2, receipt);
    town.hear_type(b, "partner_left");
    for kind in ["partner_left", "blocked", "waiting"] {
        town.hear_type(a, kind);
    }
    town.hear_type(b, "waiting");
    town.live_ms(10_000);
    town.nothing_left();
}

#[test]
fn the_prefix_of_a_stranger_of_another_node_is_in_the_receipt() {
    let sealer = receipts().sealer([1; 16]).expect("a secret");
    let source = Source { host: 9, site: None };
    let (mut town, ..) = met_across();
    let (a, b) = (town.open_from(0, source), town.open_from(1, Source { host: 8, site: None }));
    town.say(a, find!("video"));
    town.say(b, find!("video"));
    town.advance_ms(600);
    town.hear_type(a, "waiting");
    town.hear_type(b, "waiting");
    for at in [a, b] {
        let found = town.hear_type(at, "partner_found");
        let receipt = open(&found, town.now);
        let digests = [receipt.reporter().prefix(), receipt.reported().prefix()];
        let expected = sealer.prefix(town.now, source).map(|prefix| prefix.0.get());
        assert!(digests.contains(&expected) && digests.iter().all(Option::is_some), "{digests:?}");
    }
}
