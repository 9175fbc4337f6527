//! Whom a session has met: the last partners, which pause, those it blocked, which never come back, and those it could not be
//! connected with.

use crate::ids::PersonId;
use crate::matches::Written;
use crate::persons::Someone;
use crate::planted::planted;
use std::collections::VecDeque;
use std::sync::Arc;
use visavis_protocol::MatchId;

/// How two sessions stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquaintance {
    Strangers,
    /// One is among the other's last partners.
    Recent,
    /// One has blocked the other, or their browsers found no way to each other.
    Blocked,
}

/// Bounded: beyond [`Acquaintances::MAX_BLOCKED`] the oldest block is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Acquaintances {
    recent: VecDeque<PersonId>,
    blocked: VecDeque<PersonId>,
    /// In memory only, and few: on another network they may well reach each other.
    unreached: VecDeque<PersonId>,
    /// The match that ended last, and with whom: it may yet be blocked.
    pub(crate) last_match: Option<(MatchId, Someone)>,
    /// What was written in it, for a report that comes after its end.
    pub(crate) last_written: Option<Arc<Written>>,
}

impl Acquaintances {
    /// A visit in which more people are blocked than this is no ordinary visit.
    pub(crate) const MAX_BLOCKED: usize = 256;

    /// Who could not reach more than these has another trouble than those strangers.
    const MAX_UNREACHED: usize = 8;

    pub(crate) fn met(&mut self, partner: PersonId, keep: usize) {
        if planted!(PartnersAreForgotten) {
            return;
        }
        self.recent.retain(|known| *known != partner);
        self.recent.push_back(partner);
        while self.recent.len() > keep {
            self.recent.pop_front();
        }
    }

    /// Whom the oldest block was for, if it had to be forgotten for this one.
    pub(crate) fn block(&mut self, partner: PersonId) -> Option<PersonId> {
        if self.blocked.contains(&partner) || planted!(BlockIsForgotten) {
            return None;
        }
        self.blocked.push_back(partner);
        (self.blocked.len() > Self::MAX_BLOCKED).then(|| self.blocked.pop_front()).flatten()
    }

    /// Their browsers found no way to each other: not again.
    pub(crate) fn did_not_reach(&mut self, partner: PersonId) {
        if self.unreached.contains(&partner) {
            return;
        }
        self.unreached.push_back(partner);
        while self.unreached.len() > Self::MAX_UNREACHED {
            self.unreached.pop_front();
        }
    }

    pub(crate) fn unblock(&mut self, partner: PersonId) {
        self.blocked.retain(|known| *known != partner);
    }

    /// Remembers, too, what somebody else has kept of an earlier time.
    pub(crate) fn remember(&mut self, recent: Vec<PersonId>, blocked: Vec<PersonId>, keep: usize) {
        let later = std::mem::take(&mut self.recent);
        recent.into_iter().chain(later).for_each(|partner| self.met(partner, keep));
        let later = std::mem::take(&mut self.blocked);
        for partner in blocked.into_iter().chain(later) {
            self.block(partner);
        }
    }

    pub(crate) fn recent(&self) -> impl Iterator<Item = PersonId> {
        self.recent.iter().copied()
    }

    pub(crate) fn blocked(&self) -> impl Iterator<Item = PersonId> {
        self.blocked.iter().copied()
    }

    /// Whom it must not meet, whatever the reason.
    pub(crate) fn kept_apart(&self) -> impl Iterator<Item = PersonId> {
        self.blocked.iter().chain(&self.unreached).copied()
    }

    pub(crate) fn met_anyone(&self) -> bool {
        !self.recent.is_empty()
    }

    /// How this side sees the other; both sides have to be asked.
    pub(crate) fn sees(&self, other: Someone) -> Acquaintance {
        let is_among = |known: &VecDeque<PersonId>| known.iter().any(|person| other.is(*person));
        if is_among(&self.blocked) || is_among(&self.unreached) {
            Acquaintance::Blocked
        } else if is_among(&self.recent) {
            Acquaintance::Recent
        } else {
            Acquaintance::Strangers
        }
    }

    /// Within the bounds, each once, and never `own`.
    #[cfg(any(test, feature = "audit"))]
    pub(crate) fn are_bounded(&self, own: PersonId, recent_partners: usize) -> bool {
        let well_kept = |known: &VecDeque<PersonId>, bound: usize| {
            let distinct: std::collections::BTreeSet<_> = known.iter().filter(|key| **key != own).collect();
            distinct.len() == known.len() && known.len() <= bound
        };
        well_kept(&self.recent, recent_partners)
            && well_kept(&self.blocked, Self::MAX_BLOCKED)
            && well_kept(&self.unreached, Self::MAX_UNREACHED)
    }
}
