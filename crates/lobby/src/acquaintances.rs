//! Whom a session has met: the last partners, which pause, and those it blocked, which never come back.

use crate::planted::planted;
use crate::tokens::SessionId;
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
    recent: VecDeque<SessionId>,
    blocked: VecDeque<SessionId>,
}

impl Acquaintances {
    /// A visit in which more people are blocked than this is no ordinary visit.
    const MAX_BLOCKED: usize = 256;

    /// A token travels with every match: the newest blocks go along, the others only by way of Redis.
    const MAX_CARRIED: usize = 32;

    pub(crate) fn met(&mut self, partner: SessionId, keep: usize) {
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
    pub(crate) fn block(&mut self, partner: SessionId) -> Option<SessionId> {
        if self.blocked.contains(&partner) || planted!(BlockIsForgotten) {
            return None;
        }
        self.blocked.push_back(partner);
        (self.blocked.len() > Self::MAX_BLOCKED).then(|| self.blocked.pop_front()).flatten()
    }

    /// As another node had them.
    pub(crate) fn restored(recent: Vec<SessionId>, blocked: Vec<SessionId>, keep: usize) -> Self {
        let mut known = Acquaintances::default();
        recent.into_iter().for_each(|partner| known.met(partner, keep));
        for partner in blocked {
            known.block(partner);
        }
        known
    }

    pub(crate) fn recent(&self) -> impl Iterator<Item = SessionId> {
        self.recent.iter().copied()
    }

    pub(crate) fn blocked(&self) -> impl Iterator<Item = SessionId> {
        self.blocked.iter().copied()
    }

    /// As many as a token carries.
    pub(crate) fn newest_blocked(&self) -> Vec<SessionId> {
        let older = self.blocked.len().saturating_sub(Self::MAX_CARRIED);
        self.blocked.iter().skip(older).copied().collect()
    }

    pub(crate) fn met_anyone(&self) -> bool {
        !self.recent.is_empty()
    }

    /// How this side sees the other; both sides have to be asked.
    pub(crate) fn sees(&self, other: SessionId) -> Acquaintance {
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
    pub(crate) fn are_bounded(&self, own: SessionId, recent_partners: usize) -> bool {
        let well_kept = |known: &VecDeque<SessionId>, bound: usize| {
            let distinct: std::collections::BTreeSet<_> = known.iter().filter(|key| **key != own).collect();
            distinct.len() == known.len() && known.len() <= bound
        };
        well_kept(&self.recent, recent_partners) && well_kept(&self.blocked, Self::MAX_BLOCKED)
    }
}
