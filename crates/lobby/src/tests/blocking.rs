//! Blocks beyond one session: after a reload of either side, after a restart, and taken back.

use super::{A, B, C, D, Script, Value, Visitor, find, frame};
use crate::{Config, Ending, SessionSecret, Span};
use std::collections::BTreeMap;

const ANNE: &str = "anne-keeps-this-name";
const BERT: &str = "bert-keeps-this-name";

fn config() -> Config {
    Config {
        session_secrets: vec![SessionSecret([7; 32])],
        waiting_interval: Span::from_secs(1_000_000),
        ..Config::default()
    }
}

/// A script whose clients are pages: each keeps its newest token.
struct Pages {
    script: Script,
    tokens: BTreeMap<Visitor, Value>,
}

impl Pages {
    fn new() -> Self {
        Pages { script: Script::with(config()), tokens: BTreeMap::new() }
    }

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

    /// A page opens: a session of its own, on this device and with these blocks.
    fn open(&mut self, visitor: Visitor, device: &str, blocks: &[Value]) {
        self.script.open(visitor);
        self.script.say(visitor, frame!("hello", version: 1, device: device, blocks: blocks));
        self.hear_type(visitor, "welcome");
    }

    fn come_back(&mut self, old: Visitor, new: Visitor) -> Value {
        let token = self.tokens[&old].clone();
        self.script.open(new);
        self.script.say(new, frame!("hello", version: 1, resume: token));
        let mut welcome = self.hear_type(new, "welcome");
        assert_eq!(welcome["resumed"], true);
        welcome["match_id"].take()
    }

    fn pair(&mut self, first: Visitor, second: Visitor) -> Value {
        self.script.say(first, find!("text"));
        self.hear_type(first, "waiting");
        self.script.say(second, find!("text"));
        let id = self.hear_type(first, "partner_found")["match_id"].take();
        self.hear_type(second, "partner_found");
        id
    }

    /// Anne and Bert meet, and Anne blocks Bert; her handle of it.
    fn blocked() -> (Self, Value) {
        let mut pages = Pages::new();
        pages.open(A, ANNE, &[]);
        pages.open(B, BERT, &[]);
        let id = pages.pair(A, B);
        pages.script.say(A, frame!("block", match_id: id));
        assert_eq!(pages.hear_type(B, "partner_left")["reason"], "next");
        let handle = pages.hear_type(A, "blocked")["block"].take();
        (pages, handle)
    }

    /// These two wait, and do not meet however long that takes.
    fn stay_apart(&mut self, one: Visitor, other: Visitor) {
        for visitor in [one, other] {
            self.script.say(visitor, find!("text"));
            self.hear_type(visitor, "waiting");
        }
        self.script.advance(Span::from_secs(600));
    }

    fn close(&mut self, visitor: Visitor) {
        self.script.close(visitor, Ending::CloseFrame);
    }
}

#[test]
fn a_block_outlives_a_reload_of_either_side_and_of_both() {
    for (anne_reloads, bert_reloads) in [(true, false), (false, true), (true, true)] {
        let (mut pages, handle) = Pages::blocked();
        let (mut anne, mut bert) = (A, B);
        if anne_reloads {
            pages.close(A);
            anne = C;
            pages.open(C, ANNE, std::slice::from_ref(&handle));
        }
        if bert_reloads {
            pages.close(B);
            bert = D;
            pages.open(D, BERT, &[]);
        }
        pages.stay_apart(anne, bert);
    }
}

#[test]
fn a_block_outlives_a_restart_of_a_node_that_is_alone() {
    for bert_comes_first in [true, false] {
        let mut pages = Pages::new();
        pages.open(A, ANNE, &[]);
        pages.open(B, BERT, &[]);
        let id = pages.pair(A, B);
        // Bert's line is lost: the token that he comes back with is one of the match.
        pages.script.close(B, Ending::Broken);
        pages.hear_type(A, "partner_reconnecting");
        pages.script.say(A, frame!("block", match_id: id));
        pages.hear_type(A, "blocked");
        pages.script.restart(config(), 9);
        let (anne, bert) = (C, D);
        if bert_comes_first {
            assert_eq!(pages.come_back(B, bert), id, "his token says so, and nobody knows better yet");
            pages.hear_type(bert, "partner_reconnecting");
        }
        let token = pages.tokens[&A].clone();
        pages.script.open(anne);
        pages.script.say(anne, frame!("hello", version: 1, resume: token));
        if bert_comes_first {
            assert_eq!(pages.hear_type(bert, "partner_left")["match_id"], id);
        }
        let welcome = pages.hear_type(anne, "welcome");
        assert_eq!(
            (&welcome["resumed"], welcome.get("match_id")),
            (&true.into(), None),
            "not in that match again"
        );
        if !bert_comes_first {
            assert_eq!(pages.come_back(B, bert), Value::Null);
            assert_eq!(pages.hear_type(bert, "partner_left")["match_id"], id);
        }
        pages.stay_apart(anne, bert);
    }
}

#[test]
fn the_last_stranger_can_be_blocked_after_a_restart_and_after_having_left_first() {
    let mut pages = Pages::new();
    pages.open(A, ANNE, &[]);
    pages.open(B, BERT, &[]);
    let id = pages.pair(A, B);
    pages.close(B);
    pages.hear_type(A, "partner_left");
    pages.script.restart(config(), 9);
    pages.come_back(A, C);
    pages.script.say(C, frame!("block", match_id: id));
    assert_eq!(pages.hear_type(C, "blocked")["match_id"], id);
    pages.open(D, BERT, &[]);
    pages.stay_apart(C, D);
}

#[test]
fn a_block_that_is_taken_back_is_forgotten_in_memory_and_in_the_newest_token() {
    let (mut pages, handle) = Pages::blocked();
    pages.script.say(A, frame!("unblock", block: handle));
    assert_eq!(pages.hear(A), frame!("unblocked", block: handle));
    pages.script.restart(config(), 9);
    pages.come_back(A, C);
    pages.come_back(B, D);
    pages.script.say(C, find!("text"));
    pages.hear_type(C, "waiting");
    pages.script.say(D, find!("text"));
    pages.hear_type(D, "waiting");
    pages.script.advance_ms(3_000);
    pages.hear_type(C, "partner_found");
    pages.hear_type(D, "partner_found");
}

#[test]
fn two_who_wait_meet_as_soon_as_the_block_between_them_is_taken_back() {
    let (mut pages, handle) = Pages::blocked();
    pages.stay_apart(A, B);
    pages.script.say(A, frame!("unblock", block: handle));
    pages.hear_type(A, "partner_found");
    pages.hear_type(B, "partner_found");
    pages.hear_type(A, "unblocked");
}

#[test]
fn a_handle_that_is_none_is_refused_by_unblock_and_ignored_by_hello() {
    let mut pages = Pages::new();
    pages.open(A, ANNE, &["no handle".into(), "".into()]);
    pages.script.say(A, frame!("unblock", block: "no handle"));
    pages.script.expect_refusal(A, "bad_field", "block");
}

#[test]
fn a_page_that_turns_out_to_have_blocked_its_stranger_loses_it() {
    let (mut pages, handle) = Pages::blocked();
    pages.close(A);
    // Without a greeting nobody knows yet who this is.
    pages.script.open(C);
    pages.script.say(C, find!("text"));
    pages.hear_type(C, "waiting");
    pages.script.say(B, find!("text"));
    let id = pages.hear_type(C, "partner_found")["match_id"].take();
    pages.hear_type(B, "partner_found");
    pages.script.say(C, frame!("hello", version: 1, device: ANNE, blocks: [handle]));
    for visitor in [C, B] {
        let left = pages.hear_type(visitor, "partner_left");
        assert_eq!((&left["match_id"], &left["reason"]), (&id, &"next".into()));
    }
    pages.hear_type(C, "welcome");
}

#[test]
fn two_tabs_of_one_device_meet() {
    let mut pages = Pages::new();
    pages.open(A, ANNE, &[]);
    pages.open(B, ANNE, &[]);
    pages.pair(A, B);
}

#[test]
fn a_visitor_without_a_device_is_blocked_for_its_session() {
    let mut pages = Pages::new();
    pages.open(A, ANNE, &[]);
    pages.script.open(B);
    let id = pages.pair(A, B);
    pages.script.say(A, frame!("block", match_id: id));
    pages.hear_type(B, "partner_left");
    pages.hear_type(A, "blocked");
    pages.stay_apart(A, B);
}

#[test]
fn recent_partners_pause_after_a_reload_and_meet_again_in_time() {
    let mut pages = Pages::new();
    pages.open(A, ANNE, &[]);
    pages.open(B, BERT, &[]);
    let id = pages.pair(A, B);
    pages.close(B);
    assert_eq!(pages.hear_type(A, "partner_left")["match_id"], id);
    pages.script.say(A, find!("text"));
    pages.hear_type(A, "waiting");
    pages.script.advance_ms(10_000);
    pages.open(D, BERT, &[]);
    pages.script.say(D, find!("text"));
    pages.hear_type(D, "waiting");
    pages.script.advance_ms(2_999);
    pages.script.nothing_left();
    pages.script.advance_ms(1);
    pages.hear_type(A, "partner_found");
    pages.hear_type(D, "partner_found");
}
