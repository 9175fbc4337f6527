//! Whom a session has met: the last partners, which pause, and those it blocked, which never come back.

use crate::planted::planted;
use crate::session::SessionKey;
use std::collections::VecDeque;

/// How two sessions stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquaintance {
    Strangers,
    /// One is among the other's last partners.
    Recent,
    /// One has blocked the other.
    Blocked,
}

/// Bounded: beyond [`Acquaintances::MAX_BLOCKED`] the oldest block is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Acquaintances {
    recent: VecDeque<SessionKey>,
    blocked: VecDeque<SessionKey>,
}

impl Acquaintances {
    /// A visit in which more people are blocked than this is no ordinary visit.
    const MAX_BLOCKED: usize = 256;

    pub(crate) fn met(&mut self, partner: SessionKey, keep: usize) {
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
    pub(crate) fn block(&mut self, partner: SessionKey) -> Option<SessionKey> {
        if self.blocked.contains(&partner) || planted!(BlockIsForgotten) {
            return None;
        }
        self.blocked.push_back(partner);
        (self.blocked.len() > Self::MAX_BLOCKED).then(|| self.blocked.pop_front()).flatten()
    }

    pub(crate) fn met_anyone(&self) -> bool {
        !self.recent.is_empty()
    }

    /// How this side sees the other; both sides have to be asked.
    pub(crate) fn sees(&self, other: SessionKey) -> Acquaintance {
        if self.blocked.contains(&other) {
            Acquaintance::Blocked
        } else if self.recent.contains(&other) {
            Acquaintance::Recent
        } else {
            Acquaintance::Strangers
        }
    }

    /// Within the bounds, each once, and never `own`.
    #[cfg(any(test, feature = "audit"))]
    pub(crate) fn are_bounded(&self, own: SessionKey, recent_partners: usize) -> bool {
        let well_kept = |known: &VecDeque<SessionKey>, bound: usize| {
            let distinct: std::collections::BTreeSet<_> = known.iter().filter(|key| **key != own).collect();
            distinct.len() == known.len() && known.len() <= bound
        };
        well_kept(&self.recent, recent_partners) && well_kept(&self.blocked, Self::MAX_BLOCKED)
    }
}
