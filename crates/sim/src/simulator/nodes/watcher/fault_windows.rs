//! What went wrong when, as far as it excuses anybody.

use crate::simulator::script::Micros;

#[derive(Debug, Default)]
pub(super) struct FaultWindows {
    /// Nodes could not reach Redis or each other, or died, or Redis forgot: spans.
    troubles: Vec<(Micros, Micros)>,
    /// A node slept, or its time stood still.
    sleeps: Vec<(Micros, Micros)>,
    /// A clock of a node jumped.
    jumps: Vec<Micros>,
}

impl FaultWindows {
    pub(super) fn troubled(&mut self, from: Micros, to: Micros) {
        self.troubles.push((from, to));
    }

    pub(super) fn sleeps(&mut self, from: Micros, to: Micros) {
        self.sleeps.push((from, to));
        self.troubles.push((from, to.saturating_add(4_000_000)));
    }

    /// The time of a node does, as its clock was set back: it does nothing by itself, and answers those who ask.
    pub(super) fn stands_still(&mut self, from: Micros, to: Micros) {
        self.sleeps.push((from, to));
    }

    pub(super) fn jumped(&mut self, now: Micros) {
        self.jumps.push(now);
    }

    pub(super) fn was_fine(&self, from: Micros, to: Micros) -> bool {
        !meets(&self.troubles, from, to)
    }

    pub(super) fn has_slept(&self, from: Micros, to: Micros) -> bool {
        meets(&self.sleeps, from, to)
    }

    pub(super) fn has_jumped(&self, from: Micros, to: Micros) -> bool {
        self.jumps.iter().any(|at| from <= *at && *at <= to)
    }
}

fn meets(spans: &[(Micros, Micros)], from: Micros, to: Micros) -> bool {
    spans.iter().any(|(begins, ends)| *begins <= to && from <= *ends)
}
