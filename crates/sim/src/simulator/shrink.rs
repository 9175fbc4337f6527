//! Makes a failing script small: takes out visitors, steps and settings as long as the same promise is broken (delta
//! debugging; Zeller and Hildebrandt 2002).

use super::script::{Persona, Script, Step, Who, Wish};
use super::{Breach, run};
use visavis_lobby::Fault;
use visavis_protocol::Kind;

/// A script that fails like the one that it was made from, and from which nothing could be taken.
#[derive(Clone, Debug)]
pub struct Shrunk {
    pub script: Script,
    pub breach: Breach,
    pub events: u64,
    /// Runs that it took.
    pub runs: u64,
}

struct Shrinking {
    best: Script,
    breach: Breach,
    events: u64,
    fault: Option<Fault>,
    runs: u64,
    max_runs: u64,
}

/// Shrinks a script that fails with `breach`, in at most so many runs.
pub fn shrink(script: &Script, breach: &Breach, fault: Option<Fault>, max_runs: u64) -> Shrunk {
    let mut shrinking =
        Shrinking { best: script.clone(), breach: breach.clone(), events: 0, fault, runs: 0, max_runs };
    shrinking.run();
    Shrunk {
        script: shrinking.best,
        breach: shrinking.breach,
        events: shrinking.events,
        runs: shrinking.runs,
    }
}

impl Shrinking {
    fn run(&mut self) {
        self.cut_the_end();
        loop {
            let before = self.weight();
            self.drop_visitors();
            self.drop_steps();
            self.drop_settings();
            self.simplify();
            if self.weight() >= before || self.runs >= self.max_runs {
                return;
            }
        }
    }

    fn weight(&self) -> usize {
        self.best.steps.len() + self.best.cast.len() + self.best.settings.len()
    }

    /// Keeps a candidate if it fails in the same way.
    fn offer(&mut self, candidate: Script) -> bool {
        if self.runs >= self.max_runs {
            return false;
        }
        self.runs += 1;
        let outcome = run(&candidate, self.fault);
        match outcome.breach {
            Some(breach) if breach.promise == self.breach.promise => {
                self.best = candidate;
                self.breach = breach;
                self.events = outcome.events;
                true
            }
            Some(_) | None => false,
        }
    }

    /// What comes after the failure has no part in it.
    fn cut_the_end(&mut self) {
        let at = run(&self.best, self.fault).at;
        let mut candidate = self.best.clone();
        candidate.steps.retain(|step| step.at <= at);
        candidate.calm_at = candidate.calm_at.min(at + 1_000);
        if !self.offer(candidate) {
            let mut candidate = self.best.clone();
            candidate.steps.retain(|step| step.at <= at);
            self.offer(candidate);
        }
    }

    fn drop_visitors(&mut self) {
        let ids: Vec<u32> = self.best.cast.keys().copied().collect();
        let without = |script: &Script, gone: &[u32]| {
            let mut candidate = script.clone();
            candidate.cast.retain(|id, _| !gone.contains(id));
            candidate.steps.retain(|step| !matches!(step.who, Who::Visitor(id) if gone.contains(&id)));
            candidate
        };
        self.drop_chunks(&ids, without);
    }

    fn drop_steps(&mut self) {
        let all: Vec<(usize, Step)> = self.best.steps.iter().cloned().enumerate().collect();
        let without = |script: &Script, gone: &[(usize, Step)]| {
            let mut candidate = script.clone();
            for (_, step) in gone {
                if let Some(place) = candidate.steps.iter().position(|known| known == step) {
                    candidate.steps.remove(place);
                }
            }
            candidate
        };
        self.drop_chunks(&all, without);
    }

    fn drop_settings(&mut self) {
        let names: Vec<String> = self.best.settings.keys().cloned().collect();
        let without = |script: &Script, gone: &[String]| {
            let mut candidate = script.clone();
            candidate.settings.retain(|name, _| !gone.contains(name));
            candidate
        };
        self.drop_chunks(&names, without);
    }

    /// Halves first, then ever smaller pieces, each taken out if the rest still fails.
    fn drop_chunks<T: Clone>(&mut self, all: &[T], without: impl Fn(&Script, &[T]) -> Script) {
        let mut left: Vec<T> = all.to_vec();
        let mut size = left.len();
        while size > 0 {
            let mut at = 0;
            while at < left.len() {
                let end = (at + size).min(left.len());
                let Some(chunk) = left.get(at..end) else { break };
                let candidate = without(&self.best, chunk);
                if self.offer(candidate) {
                    left.drain(at..end);
                } else {
                    at = end;
                }
            }
            size /= 2;
        }
    }

    fn simplify(&mut self) {
        let mut candidate = self.best.clone();
        candidate.delay_us = (1_000, 1_000);
        self.offer(candidate);
        for id in self.best.cast.keys().copied().collect::<Vec<_>>() {
            let plain: [fn(&mut Persona); 6] = [
                |persona| {
                    let requeue = persona.wish.requeue;
                    persona.wish = Wish { requeue, ..Wish::anyone(Kind::Text) };
                },
                |persona| persona.wish.interests.clear(),
                |persona| persona.wish.languages.clear(),
                |persona| persona.handshake = false,
                |persona| persona.hello = false,
                |persona| persona.host = 0,
            ];
            for simplify in plain {
                let mut candidate = self.best.clone();
                if let Some(persona) = candidate.cast.get_mut(&id) {
                    simplify(persona);
                }
                if candidate != self.best {
                    self.offer(candidate);
                }
            }
        }
    }
}
