//! Frames that no node sent: remembered ones, with something in them put in the place of something else.

use crate::choices::Choices;
use serde_json::Value;
use std::collections::VecDeque;
use visavis_lobby::Frame;

/// Frames, and things in frames, that are remembered.
const KEPT: usize = 48;

/// Of every kind one, as an old or a buggy node may send it.
const MADE_UP: [&str; 13] = [
    r#"{"Release":{"id":"00000000000000aa"}}"#,
    r#"{"Committed":{"id":"00000000000000aa"}}"#,
    r#"{"Commit":{"id":"00000000000000aa","offer":null}}"#,
    r#"{"Connected":{"id":"00000000000000aa"}}"#,
    r#"{"Left":{"id":"00000000000000aa","reason":"lost"}}"#,
    r#"{"Unclaimed":{"ticket":1}}"#,
    r#"{"Rejoined":{"id":"00000000000000aa"}}"#,
    r#"{"Rejoin":{"id":"00000000000000aa","side":"Initiator","session":1,"back":"WasAway"}}"#,
    r#"{"Sync":{"matches":["00000000000000aa","00000000000000ab"]}}"#,
    r#"{"Reclaim":{"connection":0,"session":1,"generation":4294967295,"received":3}}"#,
    r#"{"Handover":{"connection":0,"session":1,"standing":null}}"#,
    r#"{"Carry":{"id":"00000000000000aa","carried":{"Reconnecting":{"grace_ms":18446744073709551615}}}}"#,
    r#"{"Carry":{"id":"00000000000000aa","carried":{"Left":{"id":"00000000000000ab","reason":"next","requeued":true}}}}"#,
];

#[derive(Default)]
pub(super) struct Forger {
    frames: VecDeque<Value>,
    /// Ids, numbers and names that stood in frames.
    things: VecDeque<Value>,
}

impl Forger {
    pub(super) fn learn(&mut self, frame: &Frame) {
        let Some(value) = frame.to_bytes().and_then(|bytes| serde_json::from_slice(&bytes).ok()) else {
            return;
        };
        let mut things = Vec::new();
        walk(&value, &mut |thing| things.push(thing.clone()));
        for thing in things {
            let is_short = thing.as_str().is_none_or(|text| text.len() < 64);
            if is_short && !self.things.contains(&thing) {
                self.things.push_front(thing);
            }
        }
        self.things.truncate(KEPT);
        self.frames.push_front(value);
        self.frames.truncate(KEPT);
    }

    /// One that was sent before, or that nobody would send; perhaps altered.
    pub(super) fn forged(&self, choices: &mut Choices<'_>) -> Option<Frame> {
        let which = choices.below(KEPT + MADE_UP.len());
        let mut value = match which.checked_sub(KEPT) {
            Some(made_up) => serde_json::from_str(MADE_UP[made_up]).ok()?,
            None => self.frames.get(which)?.clone(),
        };
        for _ in 0..choices.below(4) {
            self.alter(&mut value, choices);
        }
        read(&value)
    }

    /// The same frame with one thing in it that is another. `None` if no node would take it for a frame.
    pub(super) fn altered(&self, frame: &Frame, choices: &mut Choices<'_>) -> Option<Frame> {
        let mut value: Value = serde_json::from_slice(&frame.to_bytes()?).ok()?;
        self.alter(&mut value, choices);
        read(&value)
    }

    fn alter(&self, value: &mut Value, choices: &mut Choices<'_>) {
        let mut count = 0;
        walk(value, &mut |_| count += 1);
        let chosen = choices.below(count);
        let new = match choices.below(8) {
            0 => Value::Null,
            1 => Value::Bool(true),
            2 => Value::from(0),
            3 => Value::from(u64::MAX),
            _ => self.things.get(choices.below(KEPT)).cloned().unwrap_or_default(),
        };
        let mut at = 0;
        put(value, &mut at, chosen, &new);
    }
}

fn read(value: &Value) -> Option<Frame> {
    Frame::from_bytes(&serde_json::to_vec(value).ok()?)
}

/// Everything that holds nothing else.
fn walk(value: &Value, look: &mut impl FnMut(&Value)) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| walk(one, look)),
        Value::Object(all) => all.values().for_each(|one| walk(one, look)),
        leaf => look(leaf),
    }
}

fn put(value: &mut Value, at: &mut usize, chosen: usize, new: &Value) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(|one| put(one, at, chosen, new)),
        Value::Object(all) => all.values_mut().for_each(|one| put(one, at, chosen, new)),
        leaf => {
            if *at == chosen {
                *leaf = new.clone();
            }
            *at += 1;
        }
    }
}
