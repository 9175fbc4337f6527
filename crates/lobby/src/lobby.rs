use crate::{Config, Counters, Gauges, Input, Outputs, Time};

/// Why the lobby wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    Session,
    Ticket,
    Match,
}

pub struct Lobby {}

impl Lobby {
    pub fn new(_config: Config, _seed: u64) -> Self {
        Lobby {}
    }
    pub fn handle(&mut self, _now: Time, _input: Input, _outputs: &mut Outputs) {}
    pub fn poll_timeout(&self) -> Option<(Time, Reason)> {
        None
    }
    pub fn online(&self) -> usize {
        0
    }
    pub fn counters(&self) -> &Counters {
        unreachable!()
    }
    pub fn gauges(&self) -> Gauges {
        Gauges::default()
    }
}
