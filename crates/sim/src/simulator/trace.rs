//! The whole run, every input and every output in order with its time: in one number, and in words where somebody asks.

use super::script::Micros;
use rustc_hash::FxHasher;
use std::hash::{Hash, Hasher};
use visavis_lobby::{Ending, Input, Output, Time};

/// What happened, line by line; nothing if nobody wants to read it.
pub(crate) struct Story(Option<Vec<String>>);

impl Story {
    pub(crate) fn new(is_told: bool) -> Self {
        Story(is_told.then(Vec::new))
    }

    pub(crate) fn tell(&mut self, now: Micros, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.0 {
            lines.push(format!("{:>12.6} {}", now as f64 / 1e6, line()));
        }
    }

    pub(crate) fn lines(self) -> Vec<String> {
        self.0.unwrap_or_default()
    }
}

#[derive(Default)]
pub(crate) struct Trace {
    hasher: FxHasher,
    line: Vec<u8>,
}

impl Trace {
    pub(crate) fn add(&mut self, now: Time, input: &Input, outputs: &[Output]) {
        now.as_micros().hash(&mut self.hasher);
        match input {
            Input::Opened { connection, .. } => (1, connection.0).hash(&mut self.hasher),
            Input::Received { connection, message } => {
                (2, connection.0).hash(&mut self.hasher);
                self.add_json(message);
            }
            Input::Malformed { connection, refusal } => {
                (3, connection.0, refusal.code).hash(&mut self.hasher);
            }
            Input::Alive { connection, mark } => (4, connection.0, mark).hash(&mut self.hasher),
            Input::Closed { connection, ending } => {
                (5, connection.0, *ending == Ending::CloseFrame).hash(&mut self.hasher);
            }
            Input::Drain { spread } => (6, spread.as_micros()).hash(&mut self.hasher),
            Input::Reported(receipt) => (12, format!("{receipt:?}")).hash(&mut self.hasher),
            Input::Cluster(reply) => (11, format!("{reply:?}")).hash(&mut self.hasher),
            Input::Timeout => 7.hash(&mut self.hasher),
        }
        for output in outputs {
            match output {
                Output::Send { connection, message } => {
                    (8, connection.0).hash(&mut self.hasher);
                    self.add_json(message);
                }
                Output::Ping { connection, mark } => (9, connection.0, mark).hash(&mut self.hasher),
                Output::Cluster(request) => (12, format!("{request:?}")).hash(&mut self.hasher),
                Output::Close { connection, code, .. } => (10, connection.0, code).hash(&mut self.hasher),
            }
        }
    }

    fn add_json(&mut self, message: &impl serde::Serialize) {
        self.line.clear();
        // Messages of the protocol are always JSON.
        if serde_json::to_writer(&mut self.line, message).is_ok() {
            self.hasher.write(&self.line);
        }
    }

    pub(crate) fn digest(&self) -> u64 {
        self.hasher.finish()
    }
}
