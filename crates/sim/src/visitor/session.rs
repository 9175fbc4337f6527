//! A visitor's socket comes, goes and comes back: greeting, resuming, and beginning anew.

use super::habits::ABSENCE;
use super::script::{Act, Habit, Note, Then};
use super::{Past, Phase, Visitor};
use visavis_lobby::Time;
use visavis_protocol::{ClientMessage, DeviceName, Hello, MatchId, SearchMessage, SessionMessage, Stop};

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
            self.phase = Phase::Greeting { past };
            self.greet(acts);
        } else {
            self.begin_anew(now, &past, acts);
        }
    }

    /// Says `hello`, with the newest token. It is kept until the answer: a server that takes nobody in yet has not used it.
    pub(super) fn greet(&self, acts: &mut Vec<Act>) {
        let received = self.token.as_ref().map(|_| self.received);
        let device = DeviceName(format!("visitor{:010}", self.id));
        let (resume, device) = (self.token.clone(), Some(device));
        let hello = Hello { resume, received, answers_ping: true, device, ..Hello::plain() };
        acts.push(Act::Send(ClientMessage::Session(SessionMessage::Hello(hello))));
    }

    pub(super) fn on_welcome(
        &mut self,
        now: Time,
        resumed: bool,
        present: Option<MatchId>,
        acts: &mut Vec<Act>,
    ) {
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
        match past {
            Past::Nothing => {}
            Past::Met(encounter) if present == Some(encounter.match_id) => {
                self.phase = Phase::Met(encounter);
            }
            // Over, or another one by now: what says so, and what follows from it, comes right behind.
            Past::Met(encounter) => {
                self.phase = Phase::Searching { since: now, left: Some(encounter.match_id) };
                if !self.script.requeue {
                    self.search(now, acts);
                }
            }
            Past::Searching { left } => {
                self.phase = Phase::Searching { since: now, left };
                match present {
                    // The Next that left it did not arrive.
                    Some(_) if present == left => self.search(now, acts),
                    Some(_) => {}
                    None => self.renew_offer(now, acts),
                }
            }
            Past::Stopping => {
                acts.push(Act::Send(ClientMessage::Search(SearchMessage::Stop(Stop {}))));
                self.phase = Phase::Stopping { live: present };
            }
        }
    }

    /// On a new session: who was searching or in a match searches again.
    fn begin_anew(&mut self, now: Time, past: &Past, acts: &mut Vec<Act>) {
        match (past, self.script.habit) {
            (Past::Searching { .. } | Past::Met(_), Habit::Returns | Habit::Restless { .. }) => {
                self.press(now, acts);
            }
            (Past::Stopping, Habit::Restless { .. }) => self.set_alarm_about(now, ABSENCE, Then::Press),
            (Past::Nothing | Past::Stopping, _) | (_, Habit::Patient | Habit::Ghost | Habit::Stalls) => {}
        }
    }

    pub(super) fn on_lost(&mut self) {
        let past = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Offline { past } | Phase::Greeting { past } => past,
            Phase::Searching { left, .. } => Past::Searching { left },
            Phase::Met(encounter) => Past::Met(encounter),
            Phase::Stopping { .. } => Past::Stopping,
            Phase::Idle | Phase::Silent => Past::Nothing,
        };
        self.phase = Phase::Offline { past };
        self.alarm = None;
        self.moves_at = None;
    }
}
