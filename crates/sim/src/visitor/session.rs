//! A visitor's socket comes, goes and comes back: greeting, resuming, and beginning anew.

use super::script::{Act, Habit, Note};
use super::{Past, Phase, Visitor};
use visavis_lobby::Time;
use visavis_protocol::{ClientMessage, Hello};

impl Visitor {
    pub(super) fn on_opened(&mut self, now: Time, acts: &mut Vec<Act>) {
        self.searched = false;
        let past = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Offline { past } => past,
            Phase::Greeting { .. }
            | Phase::Idle
            | Phase::Searching { .. }
            | Phase::Met(_)
            | Phase::Stopping { .. }
            | Phase::Silent => Past::Nothing,
        };
        if self.script.hello {
            let hello =
                Hello { version: visavis_protocol::VERSION, resume: self.token.take(), received: None };
            acts.push(Act::Send(ClientMessage::Hello(hello)));
            self.phase = Phase::Greeting { past };
        } else {
            self.begin_anew(now, &past, acts);
        }
    }

    pub(super) fn on_welcome(&mut self, now: Time, resumed: bool, acts: &mut Vec<Act>) {
        let past = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Greeting { past } => past,
            phase @ (Phase::Offline { .. }
            | Phase::Idle
            | Phase::Searching { .. }
            | Phase::Met(_)
            | Phase::Stopping { .. }
            | Phase::Silent) => {
                self.phase = phase;
                return;
            }
        };
        if !resumed {
            return self.begin_anew(now, &past, acts);
        }
        acts.push(Act::Note(Note::Resumed));
        self.searched = true;
        self.phase = match past {
            Past::Nothing => Phase::Idle,
            Past::Searching => Phase::Searching { since: now, left: None },
            Past::Met(encounter) => Phase::Met(encounter),
        };
    }

    /// On a new session: who was searching or in a match searches again.
    fn begin_anew(&mut self, now: Time, past: &Past, acts: &mut Vec<Act>) {
        match (past, self.script.habit) {
            (Past::Searching | Past::Met(_), Habit::Returns | Habit::Restless { .. }) => {
                self.press(now, acts)
            }
            (Past::Nothing, _) | (_, Habit::Patient | Habit::Ghost | Habit::Stalls) => {}
        }
    }

    pub(super) fn on_lost(&mut self) {
        let past = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Offline { past } | Phase::Greeting { past } => past,
            Phase::Searching { .. } => Past::Searching,
            Phase::Met(encounter) => Past::Met(encounter),
            Phase::Idle | Phase::Stopping { .. } | Phase::Silent => Past::Nothing,
        };
        self.phase = Phase::Offline { past };
        self.alarm = None;
    }
}
