//! Sessions that outlive their sockets: detaching, resuming, what was missed, and pairs rebuilt after a restart.

use super::{A, B, C, D, Script, Value, Visitor, find, frame};
use crate::{Config, Ending, SessionSecret, Span};
use std::collections::BTreeMap;
use visavis_protocol::CloseCode;

/// Sockets that take over the sessions of A and B.
const A2: Visitor = Visitor(10);
const B2: Visitor = Visitor(11);
const A3: Visitor = Visitor(20);

/// A script whose clients hold tokens: each keeps the newest it was given, and counts what it hears.
struct Town {
    script: Script,
    tokens: BTreeMap<Visitor, Value>,
}

fn config() -> Config {
    Config {
        session_secrets: vec![SessionSecret([7; 32])],
        waiting_interval: Span::from_secs(1_000_000),
        ..Config::default()
    }
}

impl Town {
    fn new() -> Self {
        Town { script: Script::with(config()), tokens: BTreeMap::new() }
    }

    /// The next message to `visitor`, without its token, which is kept.
    fn hear(&mut self, visitor: Visitor) -> Value {
        let mut message = self.script.hear(visitor);
        if let Some(token) = message.as_object_mut().and_then(|fields| fields.remove("resume_token")) {
            self.tokens.insert(visitor, token);
        }
        message
    }

    fn hear_type(&mut self, visitor: Visitor, kind: &str) -> Value {
        let message = self.hear(visitor);
        assert_eq!(message["type"], kind, "{message}");
        message
    }

    fn arrive(&mut self, visitor: Visitor) {
        self.script.open(visitor);
        self.script.say(visitor, frame!("hello", version: 1));
        self.hear_type(visitor, "welcome");
    }

    /// A and B in a match, through `hello`; its id.
    fn matched(kind: &str) -> (Self, Value) {
        let mut town = Town::new();
        town.arrive(A);
        town.arrive(B);
        let id = town.pair(A, B, kind);
        (town, id)
    }

    fn pair(&mut self, first: Visitor, second: Visitor, kind: &str) -> Value {
        self.script.say(first, find!(kind, requeue: true));
        self.hear_type(first, "waiting");
        self.script.say(second, find!(kind, requeue: true));
        let id = self.hear_type(first, "partner_found")["match_id"].clone();
        assert_eq!(self.hear_type(second, "partner_found")["match_id"], id);
        id
    }

    /// The socket of `old` is lost without a word.
    fn lose(&mut self, old: Visitor) {
        self.script.close(old, Ending::Broken);
    }

    /// A new socket brings the token of `old`.
    fn come_back(&mut self, old: Visitor, new: Visitor) {
        let token = self.tokens[&old].clone();
        self.come_with(token, new);
    }

    fn come_with(&mut self, token: Value, new: Visitor) {
        self.script.open(new);
        self.script.say(new, frame!("hello", version: 1, resume: token));
    }
}

#[test]
fn a_lost_socket_leaves_the_match_alive_and_the_partner_is_told() {
    let (mut town, id) = Town::matched("video");
    town.lose(A);
    let told = town.hear(B);
    assert_eq!(told, frame!("partner_reconnecting", match_id: id, grace_ms: 10_000));
    town.script.advance(Span::from_secs(4));
    town.come_back(A, A2);
    assert_eq!(town.hear(B), frame!("partner_back", match_id: id, grace_ms: 6_000));
    let welcome = town.hear_type(A2, "welcome");
    assert_eq!((&welcome["resumed"], &welcome["match_id"]), (&true.into(), &id));
    assert_eq!(town.hear_type(A2, "partner_found")["match_id"], id, "it never said that this came");
    town.script.say(A2, frame!("typing", match_id: id, on: true));
    assert_eq!(town.hear(B), frame!("typing", match_id: id, on: true));
    town.script.say(B, frame!("typing", match_id: id, on: false));
    assert_eq!(town.hear(A2), frame!("typing", match_id: id, on: false));
}

#[test]
fn a_client_that_comes_back_hears_how_much_of_its_old_socket_was_taken() {
    let (mut town, id) = Town::matched("text");
    town.script.say(A, frame!("message", match_id: id, text: "one"));
    town.hear_type(B, "message");
    town.script.say(A, frame!("ping"));
    assert_eq!(town.hear(A), frame!("pong", received: 4));
    town.script.say(A, frame!("message", match_id: id, text: "two"));
    town.hear_type(B, "message");
    // What it says from now on is lost with the line.
    town.lose(A);
    town.hear_type(B, "partner_reconnecting");
    town.come_back(A, A2);
    town.hear_type(B, "partner_back");
    let welcome = town.hear_type(A2, "welcome");
    assert_eq!(welcome["received"], 5, "hello, find_partner, two texts and a ping");
    town.hear_type(A2, "partner_found");
    // Its present socket is counted anew.
    town.script.say(A2, frame!("ping"));
    assert_eq!(town.hear(A2), frame!("pong", received: 2));
}

#[test]
fn after_a_restart_nobody_knows_how_much_was_taken() {
    let mut town = Town::new();
    town.arrive(A);
    town.script.restart(config(), 9);
    town.come_back(A, A2);
    let welcome = town.hear_type(A2, "welcome");
    assert_eq!(welcome["resumed"], true);
    assert_eq!(welcome.get("received"), None);
}

#[test]
fn wishes_that_are_replaced_while_waiting_hold_after_a_restart() {
    let mut town = Town::new();
    town.arrive(A);
    town.script.say(A, find!("text", requeue: true));
    town.hear_type(A, "waiting");
    town.script.say(A, find!("text", requeue: true, pool: "adults"));
    town.hear_type(A, "waiting");
    town.script.restart(config(), 9);
    town.come_back(A, A2);
    town.hear_type(A2, "welcome");
    town.hear_type(A2, "waiting");
    town.arrive(B);
    town.script.say(B, find!("text"));
    town.hear_type(B, "waiting");
    town.arrive(C);
    town.script.say(C, find!("text", pool: "adults"));
    assert_eq!(
        town.hear_type(A2, "partner_found")["match_id"],
        town.hear_type(C, "partner_found")["match_id"]
    );
}

#[test]
fn what_is_typed_takes_no_place_from_what_is_said_to_somebody_who_is_away() {
    let mut town =
        Town { script: Script::with(Config { replay_messages: 12, ..config() }), tokens: BTreeMap::new() };
    town.arrive(A);
    town.arrive(B);
    let id = town.pair(A, B, "text");
    town.lose(A);
    town.hear_type(B, "partner_reconnecting");
    for _ in 0..40 {
        town.script.say(B, frame!("typing", match_id: id, on: true));
        town.script.say(B, frame!("typing", match_id: id, on: false));
    }
    // What it heard of its match is one of the twelve.
    for n in 0..11 {
        town.script.say(B, frame!("message", match_id: id, text: (n.to_string())));
    }
    town.script.say(B, frame!("typing", match_id: id, on: true));
    town.script.say(B, frame!("message", match_id: id, text: "one too many"));
    assert_eq!(town.hear_type(B, "error")["code"], "too_fast");
    town.come_back(A, A2);
    town.hear_type(B, "partner_back");
    town.hear_type(A2, "welcome");
    town.hear_type(A2, "partner_found");
    for n in 0..11 {
        assert_eq!(town.hear(A2)["text"], n.to_string());
    }
}

#[test]
fn of_what_is_typed_to_somebody_who_is_away_the_latest_alone_is_kept() {
    let (mut town, id) = Town::matched("text");
    town.lose(A);
    town.hear_type(B, "partner_reconnecting");
    for on in [true, false, true] {
        town.script.say(B, frame!("typing", match_id: id, on: on));
    }
    town.come_back(A, A2);
    town.hear_type(B, "partner_back");
    town.hear_type(A2, "welcome");
    town.hear_type(A2, "partner_found");
    assert_eq!(town.hear(A2), frame!("typing", match_id: id, on: true));
}

#[test]
fn pings_do_not_count_among_what_was_heard() {
    let (mut town, id) = Town::matched("text");
    town.script.say(A, frame!("ping"));
    town.hear_type(A, "pong");
    town.script.say(B, frame!("message", match_id: id, text: "heard"));
    town.hear_type(A, "message");
    town.script.say(B, frame!("message", match_id: id, text: "missed"));
    town.hear_type(A, "message");
    town.lose(A);
    town.hear_type(B, "partner_reconnecting");
    let token = town.tokens[&A].clone();
    town.script.open(A2);
    // waiting, partner_found and the first message: the pong is not one of them.
    town.script.say(A2, frame!("hello", version: 1, resume: token, received: 3));
    town.hear_type(B, "partner_back");
    town.hear_type(A2, "welcome");
    assert_eq!(town.hear(A2), frame!("message", match_id: id, text: "missed"));
}

#[test]
fn who_never_heard_of_its_match_hears_of_it_and_of_its_end() {
    let mut town = Town::new();
    town.arrive(A);
    town.arrive(B);
    town.script.say(A, find!("video"));
    town.hear_type(A, "waiting");
    town.script.say(B, find!("video"));
    // Both messages to A are lost with its socket, which the server notices later.
    let id = town.script.hear(A)["match_id"].clone();
    town.hear_type(B, "partner_found");
    town.script.say(B, frame!("stop"));
    town.script.hear(A);
    town.hear_type(B, "stopped");
    town.lose(A);
    town.script.open(A2);
    let token = town.tokens[&A].clone();
    town.script.say(A2, frame!("hello", version: 1, resume: token, received: 1));
    assert_eq!(town.hear_type(A2, "welcome")["resumed"], true);
    assert_eq!(town.hear_type(A2, "partner_found")["match_id"], id);
    let left = town.hear_type(A2, "partner_left");
    assert_eq!((&left["match_id"], &left["requeued"]), (&id, &false.into()), "it does not wait any more");
}

#[test]
fn what_came_again_and_was_missed_again_comes_once_more() {
    let mut town = Town::new();
    town.arrive(A);
    town.arrive(B);
    town.script.say(A, find!("video"));
    town.hear_type(A, "waiting");
    town.script.say(B, find!("video"));
    let id = town.hear_type(A, "partner_found")["match_id"].clone();
    town.hear_type(B, "partner_found");
    town.lose(A);
    town.hear_type(B, "partner_reconnecting");
    town.script.say(B, frame!("stop"));
    town.hear_type(B, "stopped");
    // Of what comes with the first socket only the welcome arrives.
    for (old, new) in [(A, A2), (A2, A3)] {
        town.come_back(old, new);
        town.hear_type(new, "welcome");
        town.hear_type(new, "partner_found");
        assert_eq!(town.hear_type(new, "partner_left")["match_id"], id);
        town.lose(new);
    }
}

#[test]
fn who_comes_back_within_the_sign_of_life_is_no_ghost() {
    let (mut town, id) = Town::matched("video");
    town.script.say(B, frame!("typing", match_id: id, on: true));
    town.hear_type(A, "typing");
    town.script.goes_silent(A);
    town.script.goes_silent(A2);
    town.script.advance(Span::from_secs(6));
    town.script.discard();
    town.lose(A);
    town.hear_type(B, "partner_reconnecting");
    town.script.advance(Span::from_secs(3));
    town.come_back(A, A2);
    town.hear_type(B, "partner_back");
    town.script.discard();
    town.script.advance(Span::from_secs(2));
    town.script.say(B, frame!("typing", match_id: id, on: false));
    assert_eq!(town.hear(A2), frame!("typing", match_id: id, on: false));
}

#[test]
fn who_does_not_come_back_in_time_is_lost() {
    let (mut town, id) = Town::matched("video");
    town.lose(A);
    town.hear_type(B, "partner_reconnecting");
    town.script.say(B, frame!("connected", match_id: id, path: "direct", elapsed_ms: 100));
    town.script.advance(Span::from_millis(9_999));
    town.script.advance(Span::from_millis(1));
    let left = town.hear(B);
    assert_eq!(left, frame!("partner_left", match_id: id, reason: "lost", requeued: true));
    town.hear_type(B, "waiting");
    town.come_back(A, A2);
    assert_eq!(town.hear_type(A2, "welcome")["resumed"], false);
}

#[test]
fn a_close_frame_is_leaving_and_ends_the_session() {
    let (mut town, id) = Town::matched("video");
    town.script.close(A, Ending::CloseFrame);
    assert_eq!(town.hear(B), frame!("partner_left", match_id: id, reason: "closed", requeued: true));
    town.hear_type(B, "waiting");
    town.come_back(A, A2);
    assert_eq!(town.hear_type(A2, "welcome")["resumed"], false);
}

#[test]
fn the_partner_may_press_next_while_one_is_away() {
    let (mut town, id) = Town::matched("video");
    town.lose(A);
    town.hear_type(B, "partner_reconnecting");
    town.script.say(B, frame!("next", match_id: id));
    town.hear_type(B, "waiting");
    town.come_back(A, A2);
    let welcome = town.hear_type(A2, "welcome");
    assert_eq!(welcome["resumed"], true);
    assert!(welcome.get("match_id").is_none(), "the match is over: {welcome}");
    town.hear_type(A2, "partner_found");
    assert_eq!(town.hear(A2), frame!("partner_left", match_id: id, reason: "next", requeued: true));
    town.hear_type(A2, "waiting");
}

#[test]
fn a_waiting_visitor_keeps_the_place_and_is_given_to_nobody_meanwhile() {
    let mut town = Town::new();
    for visitor in [A, B, C] {
        town.arrive(visitor);
    }
    town.script.say(A, find!("video", interests: ["jazz"], pin: ["interests"]));
    town.hear_type(A, "waiting");
    town.script.advance(Span::from_secs(1));
    town.lose(A);
    town.script.say(B, find!("video", interests: ["jazz"], pin: ["interests"]));
    town.hear_type(B, "waiting");
    town.script.say(B, frame!("stop"));
    town.hear_type(B, "stopped");
    town.come_back(A, A2);
    town.hear_type(A2, "welcome");
    town.hear_type(A2, "waiting");
    town.script.say(B, find!("video", interests: ["jazz", "chess"], pin: ["interests"]));
    // The older one initiates where neither has an offer.
    assert_eq!(town.hear_type(A2, "partner_found")["initiator"], true);
    town.hear_type(B, "partner_found");
}

#[test]
fn what_was_missed_comes_again_and_what_was_heard_does_not() {
    let (mut town, id) = Town::matched("text");
    for text in ["one", "two"] {
        town.script.say(B, frame!("message", match_id: id, text: text));
        assert_eq!(town.hear(A)["text"], text);
    }
    town.lose(A);
    town.hear_type(B, "partner_reconnecting");
    town.script.say(B, frame!("message", match_id: id, text: "three"));
    let token = town.tokens[&A].clone();
    town.script.open(A2);
    // After the last welcome A heard: waiting, partner_found, one. The second word was lost with the socket.
    town.script.say(A2, frame!("hello", version: 1, resume: token, received: 3));
    town.hear_type(B, "partner_back");
    town.hear_type(A2, "welcome");
    assert_eq!(town.hear(A2)["text"], "two");
    assert_eq!(town.hear(A2)["text"], "three");
}

#[test]
fn a_pong_says_what_need_not_come_again() {
    let (mut town, id) = Town::matched("text");
    town.script.say(B, frame!("message", match_id: id, text: "one"));
    town.hear(A);
    // waiting, partner_found, message.
    town.script.input(crate::Input::Alive { connection: A.connection(), mark: Some(3) });
    town.lose(A);
    town.hear_type(B, "partner_reconnecting");
    town.come_back(A, A2);
    town.hear_type(B, "partner_back");
    town.hear_type(A2, "welcome");
}

#[test]
fn a_stranger_who_is_away_takes_only_so_much() {
    let (mut town, id) = Town::matched("video");
    town.lose(A);
    town.hear_type(B, "partner_reconnecting");
    // `partner_found` is one of the 64.
    for _ in 0..63 {
        town.script.say(B, frame!("ice_candidate", match_id: id, candidate: {}));
    }
    town.script.say(B, frame!("answer", match_id: id, sdp: "one too many"));
    assert_eq!(town.hear_type(B, "error")["code"], "too_fast");
    town.come_back(A, A2);
    town.hear_type(B, "partner_back");
    town.hear_type(A2, "welcome");
    town.hear_type(A2, "partner_found");
    for _ in 0..63 {
        town.hear_type(A2, "ice_candidate");
    }
}

#[test]
fn an_error_names_the_message_of_the_socket_that_it_came_by() {
    let (mut town, id) = Town::matched("video");
    town.script.say(A, frame!("message", match_id: id, text: ("x".repeat(2_001))));
    let refused = town.hear_type(A, "error");
    assert_eq!((&refused["of"], &refused["nth"]), (&"message".into(), &3.into()));
    town.lose(A);
    town.hear_type(B, "partner_reconnecting");
    town.come_back(A, A2);
    town.hear_type(B, "partner_back");
    town.hear_type(A2, "welcome");
    town.hear_type(A2, "partner_found");
    // Said again, of a message that this socket does not know by its number.
    let again = town.hear_type(A2, "error");
    assert_eq!((&again["of"], &again["nth"]), (&"message".into(), &Value::Null));
    town.script.say(A2, frame!("message", match_id: id, text: ("x".repeat(2_001))));
    assert_eq!(town.hear_type(A2, "error")["nth"], 2);
}

#[test]
fn who_says_hello_once_more_in_a_match_counts_anew_and_hears_nothing_twice() {
    let (mut town, id) = Town::matched("video");
    town.script.say(B, frame!("typing", match_id: id, on: true));
    town.hear_type(A, "typing");
    town.script.say(A, frame!("hello", version: 1));
    assert_eq!(town.hear_type(A, "welcome")["match_id"], id);
    town.script.say(B, frame!("typing", match_id: id, on: false));
    town.hear_type(A, "typing");
    town.lose(A);
    town.hear_type(B, "partner_reconnecting");
    town.script.say(B, frame!("message", match_id: id, text: "are you there?"));
    // One message came after the second welcome, and arrived.
    town.script.open(A2);
    let token = town.tokens[&A].clone();
    town.script.say(A2, frame!("hello", version: 1, resume: token, received: 1));
    town.hear_type(B, "partner_back");
    town.hear_type(A2, "welcome");
    assert_eq!(town.hear_type(A2, "message")["text"], "are you there?");
}

#[test]
fn a_token_works_once_and_a_forged_one_never() {
    let (mut town, _) = Town::matched("video");
    let used = town.tokens[&A].clone();
    town.lose(A);
    town.hear_type(B, "partner_reconnecting");
    town.come_back(A, A2);
    town.hear_type(B, "partner_back");
    town.hear_type(A2, "welcome");
    town.hear_type(A2, "partner_found");
    town.come_with(used, A3);
    assert_eq!(town.hear_type(A3, "welcome")["resumed"], false);
    town.come_with("AAAA".into(), D);
    assert_eq!(town.hear_type(D, "welcome")["resumed"], false);
}

#[test]
fn a_resume_closes_the_half_open_socket_at_once() {
    let (mut town, id) = Town::matched("video");
    town.come_back(A, A2);
    town.script.expect_close(A, CloseCode::Policy);
    let welcome = town.hear_type(A2, "welcome");
    assert_eq!((&welcome["resumed"], &welcome["match_id"]), (&true.into(), &id));
    town.hear_type(A2, "partner_found");
    // The old socket is nobody's: what still comes of it changes nothing.
    town.script.close(A, Ending::Broken);
}

#[test]
fn resume_comes_in_the_first_message_or_not_at_all() {
    let (mut town, _) = Town::matched("video");
    let token = town.tokens[&A].clone();
    town.script.say(B, frame!("hello", version: 1, resume: token));
    assert_eq!(town.hear_type(B, "error")["code"], "bad_field");
}

#[test]
fn after_a_restart_both_tokens_rebuild_the_pair() {
    let (mut town, id) = Town::matched("video");
    town.script.restart(config(), 8);
    town.come_back(A, A2);
    let welcome = town.hear_type(A2, "welcome");
    assert_eq!((&welcome["resumed"], &welcome["match_id"]), (&true.into(), &id));
    assert_eq!(town.hear(A2), frame!("partner_reconnecting", match_id: id, grace_ms: 30_000));
    town.script.advance(Span::from_secs(10));
    town.come_back(B, B2);
    assert_eq!(town.hear(A2), frame!("partner_back", match_id: id, grace_ms: 20_000));
    let welcome = town.hear_type(B2, "welcome");
    assert_eq!((&welcome["resumed"], &welcome["match_id"]), (&true.into(), &id));
    // The server before may have told it that A is away.
    assert_eq!(town.hear(B2), frame!("partner_back", match_id: id, grace_ms: 0));
    for (from, to) in [(A2, B2), (B2, A2)] {
        town.script.say(from, frame!("typing", match_id: id, on: true));
        assert_eq!(town.hear(to), frame!("typing", match_id: id, on: true));
    }
    town.script.say(B2, frame!("next", match_id: id));
    assert_eq!(town.hear(A2), frame!("partner_left", match_id: id, reason: "next", requeued: true));
    town.hear_type(A2, "waiting");
    town.hear_type(B2, "waiting");
}

#[test]
fn half_a_pair_waits_thirty_seconds_and_then_searches() {
    let (mut town, id) = Town::matched("video");
    town.script.restart(config(), 8);
    town.come_back(A, A2);
    town.hear_type(A2, "welcome");
    town.hear_type(A2, "partner_reconnecting");
    town.script.advance(Span::from_secs(30));
    assert_eq!(town.hear(A2), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
    town.hear_type(A2, "waiting");
    // Too late: the other has gone on.
    town.come_back(B, B2);
    assert!(town.hear_type(B2, "welcome").get("match_id").is_none());
    assert_eq!(town.hear(B2), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
    town.hear_type(B2, "waiting");
    town.script.advance(Span::from_secs(3));
    let id = town.hear_type(A2, "partner_found")["match_id"].clone();
    assert_eq!(town.hear_type(B2, "partner_found")["match_id"], id, "after the pause of recent partners");
}

#[test]
fn after_a_restart_the_highest_generation_wins_and_older_ones_close_nobody() {
    let (mut town, id) = Town::matched("video");
    let old = town.tokens[&A].clone();
    town.lose(A);
    town.hear_type(B, "partner_reconnecting");
    town.come_back(A, A2);
    town.hear_type(B, "partner_back");
    town.hear_type(A2, "welcome");
    town.hear_type(A2, "partner_found");
    town.script.restart(config(), 8);
    town.come_with(old.clone(), A);
    assert_eq!(town.hear_type(A, "welcome")["match_id"], id, "nobody knows better yet");
    town.hear_type(A, "partner_reconnecting");
    let third = Visitor(30);
    town.come_back(A2, third);
    town.script.expect_close(A, CloseCode::Policy);
    assert_eq!(town.hear_type(third, "welcome")["resumed"], true);
    town.hear_type(third, "partner_reconnecting");
    town.come_with(old, A3);
    assert_eq!(town.hear_type(A3, "welcome")["resumed"], false);
}

#[test]
fn after_a_restart_who_waited_waits_on_with_its_age() {
    let mut town = Town::new();
    town.arrive(A);
    town.script.say(A, find!("video"));
    town.hear_type(A, "waiting");
    town.script.advance(Span::from_secs(5));
    town.script.restart(config(), 8);
    town.arrive(B);
    town.script.say(B, find!("video", interests: ["jazz"], pin: ["interests"]));
    town.hear_type(B, "waiting");
    town.come_back(A, A2);
    assert_eq!(town.hear_type(A2, "welcome")["resumed"], true);
    town.hear_type(A2, "waiting");
    town.arrive(C);
    town.script.say(C, find!("video"));
    assert_eq!(town.hear_type(A2, "partner_found")["initiator"], true, "the older one");
    town.hear_type(C, "partner_found");
}

#[test]
fn who_waited_before_two_restarts_waits_on_though_only_the_welcome_arrived() {
    let mut town = Town::new();
    town.arrive(A);
    town.script.say(A, find!("video", requeue: true));
    town.hear_type(A, "waiting");
    town.script.restart(config(), 8);
    town.come_back(A, A2);
    let token = town.script.hear(A2)["resume_token"].clone();
    // Killed again before its `waiting` was on the way.
    town.script.discard();
    town.script.restart(config(), 9);
    town.come_with(token, A3);
    assert_eq!(town.hear_type(A3, "welcome")["resumed"], true);
    town.hear_type(A3, "waiting");
}

#[test]
fn after_a_restart_a_pair_that_parted_meets_again_when_the_pause_is_over() {
    let (mut town, id) = Town::matched("video");
    town.script.restart(config(), 8);
    town.come_back(A, A2);
    town.hear_type(A2, "welcome");
    town.hear_type(A2, "partner_reconnecting");
    town.script.say(A2, frame!("next", match_id: id));
    town.hear_type(A2, "waiting");
    town.script.advance(Span::from_secs(1));
    // It forgot with the process whom it had met; the other has not.
    town.come_back(B, B2);
    town.hear_type(B2, "welcome");
    town.hear_type(B2, "partner_left");
    town.hear_type(B2, "waiting");
    town.script.advance(Span::from_secs(3));
    town.hear_type(A2, "partner_found");
    town.hear_type(B2, "partner_found");
}

#[test]
fn a_session_that_ended_after_a_restart_does_not_come_back_once_more() {
    let mut town = Town::new();
    town.arrive(A);
    town.script.restart(config(), 8);
    let token = town.tokens[&A].clone();
    town.come_back(A, A2);
    assert_eq!(town.hear_type(A2, "welcome")["resumed"], true);
    town.script.close(A2, Ending::CloseFrame);
    town.come_with(token, A3);
    assert_eq!(town.hear_type(A3, "welcome")["resumed"], false);
}

#[test]
fn without_a_secret_there_are_no_tokens_and_a_lost_socket_is_lost() {
    let mut script = Script::new();
    script.open(A);
    script.say(A, frame!("hello", version: 1));
    assert!(script.hear(A).get("resume_token").is_none());
    script.close(A, Ending::Broken);
    assert_eq!(script.lobby().online(), 0);
}

#[test]
fn a_ghost_may_come_back_but_not_to_its_partner() {
    let (mut town, id) = Town::matched("video");
    town.script.goes_silent(A);
    town.script.say(B, frame!("connected", match_id: id, path: "direct", elapsed_ms: 100));
    town.script.advance(Span::from_secs(5));
    // Both are asked: the one for a sign of life, the other for what of the handshake has arrived.
    town.script.discard();
    town.script.advance(Span::from_secs(5));
    town.script.expect_close(A, CloseCode::GoingAway);
    assert_eq!(town.hear(B), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
    town.hear_type(B, "waiting");
    town.come_back(A, A2);
    let welcome = town.hear_type(A2, "welcome");
    assert_eq!(welcome["resumed"], true);
    assert!(welcome.get("match_id").is_none());
    // It may never have heard that it met somebody: now it does, and waits again as it had asked to.
    assert_eq!(town.hear_type(A2, "partner_found")["match_id"], id);
    assert_eq!(town.hear(A2), frame!("partner_left", match_id: id, reason: "lost", requeued: true));
    town.hear_type(A2, "waiting");
}
