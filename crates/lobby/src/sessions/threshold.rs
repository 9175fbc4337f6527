//! Admission: which new sessions are let in at once, which have to wait, and how many sessions without a socket are kept.
//!
//! What always holds: a visitor who comes back with a valid token does not wait; a forged token gains nothing. Sessions
//! whose socket is lost still count for their address.

use super::Sessions;
use crate::admission::Admittance;
use crate::always::Always as _;
use crate::counters::RateLimit;
use crate::ids::SessionKey;
use crate::planted::planted;
use crate::{Limiting, Outputs, Source, Span};
use visavis_protocol::{ClientMessage, Hello, ServerMessage, SessionMessage, VERSION};

/// What a first message has to show.
enum Pass {
    /// A token that brings a session back.
    Good,
    /// The same, of a session that comes back again and again.
    TooOften(Span),
    None,
}

impl Sessions {
    /// Takes a session in. False: it was told when to come again, and nothing else may happen.
    pub(crate) fn admit(&mut self, key: SessionKey, message: &ClientMessage, outputs: &mut Outputs) -> bool {
        let Some(session) = self.all.get(key).always("it has just spoken") else { return false };
        let before = session.admittance;
        let Limiting::Bound(source) = session.limiting else {
            self.note_admittance(key, Admittance::Inside);
            return true;
        };
        // Also of who is inside: a resume costs the same after a `ping`.
        let pass = self.pass(key, message);
        if let Pass::TooOften(pause) = pass {
            self.refuse_too_fast(key, RateLimit::Resumes, pause, outputs);
            return false;
        }
        match (before, pass) {
            (Admittance::Inside | Admittance::Vouched, _) => true,
            (Admittance::Unasked | Admittance::Promised(_), Pass::Good) => {
                self.admission.release(self.now, before);
                self.note_admittance(key, Admittance::Vouched);
                true
            }
            (Admittance::Unasked | Admittance::Promised(_), Pass::None | Pass::TooOften(_)) => {
                self.stand_in_line(key, source, before, outputs)
            }
        }
    }

    /// A token that let a session in brought nothing back: it stands in line like anybody. False: it was told when to come
    /// again.
    pub(crate) fn admit_without_token(&mut self, key: SessionKey, outputs: &mut Outputs) -> bool {
        let Some(session) = self.all.get(key) else { return false };
        match (session.admittance, session.limiting) {
            (Admittance::Vouched, Limiting::Bound(source)) => {
                self.stand_in_line(key, source, Admittance::Unasked, outputs)
            }
            _ => true,
        }
    }

    fn stand_in_line(
        &mut self,
        key: SessionKey,
        source: Source,
        before: Admittance,
        outputs: &mut Outputs,
    ) -> bool {
        let (now, crowds) = (self.now, &mut self.crowds);
        let admittance = self.admission.ask(now, before, |share| crowds.arrive(now, source, share));
        self.note_admittance(key, admittance);
        match admittance {
            Admittance::Inside => true,
            Admittance::Promised(promise) => {
                self.refuse_admission(key, promise.at.since(now), outputs);
                false
            }
            Admittance::Unasked | Admittance::Vouched => false,
        }
    }

    fn note_admittance(&mut self, key: SessionKey, admittance: Admittance) {
        if let Some(session) = self.all.get_mut(key) {
            session.admittance = admittance;
        }
    }

    fn pass(&mut self, key: SessionKey, message: &ClientMessage) -> Pass {
        let ClientMessage::Session(SessionMessage::Hello(Hello {
            version: VERSION,
            resume: Some(token),
            ..
        })) = message
        else {
            return Pass::None;
        };
        if !self.is_untouched(key) || planted!(ResumesWaitInLine) {
            return Pass::None;
        }
        let Some(opened) = self.tokens.open(token) else { return Pass::None };
        if opened.claims.expires <= self.now {
            return Pass::None;
        }
        let session = opened.claims.session;
        let here = self.identities.get(&session).copied().filter(|known| !self.is_known_by_hearsay(*known));
        let Some(known) = here else {
            let generation = opened.claims.generation;
            let ended = opened.ours
                || self.ended.contains(session, generation)
                || self.spent.contains(session, generation);
            return if ended { Pass::None } else { Pass::Good };
        };
        if self.is_older(&opened.claims, known) {
            return Pass::None;
        }
        let allowance = self.resume_allowance();
        let Some(session) = self.all.get_mut(known) else { return Pass::None };
        match session.resumes.take(self.now, allowance) {
            Ok(()) => Pass::Good,
            Err(pause) => Pass::TooOften(pause),
        }
    }

    fn refuse_admission(&mut self, key: SessionKey, pause: Span, outputs: &mut Outputs) {
        self.counters.count_too_fast(RateLimit::Admission);
        let pause_ms = pause.as_millis_ceil();
        let sentence = RateLimit::Admission.sentence();
        self.blame(
            key,
            ServerMessage::too_fast(format!("{sentence}: ask again in {pause_ms} ms"), pause_ms),
            outputs,
        );
    }

    /// Whether a session whose socket is lost may wait for another: not if its address has left so many behind.
    pub(crate) fn may_keep(&mut self, key: SessionKey) -> bool {
        let Some(session) = self.all.get(key) else { return false };
        let Limiting::Bound(source) = session.limiting else { return true };
        let may = self.crowds.may_keep(source, self.config.sessions_per_host)
            && self.all.len() <= self.config.sessions;
        self.counters.not_kept += u64::from(!may);
        may
    }
}
