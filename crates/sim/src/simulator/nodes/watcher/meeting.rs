//! Matches: who was told of them, and who may be.

use super::{Breach, Case, ConnectionId, MatchId, Micros, NodeId, Promise, VisitId, Watcher, hold};
use crate::simulator::guest::Guest;
use std::collections::{BTreeMap, BTreeSet};
use visavis_protocol::{Mode, PartnerFound};

/// Two visits, the lower one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair(VisitId, VisitId);

impl Pair {
    fn of(one: VisitId, other: VisitId) -> Self {
        Pair(one.min(other), one.max(other))
    }
}

#[derive(Debug)]
pub(super) struct Meeting {
    /// Who initiates, and who does not: once told.
    sides: [Option<VisitId>; 2],
    /// Where each was when it was told.
    at: [Option<NodeId>; 2],
    /// When each side was known to leave it, or hear of its end.
    ended: [Option<Micros>; 2],
    mode: Mode,
    shared_interests: Vec<String>,
    began: Micros,
}

impl Meeting {
    fn side_of(&self, visit: VisitId) -> Option<usize> {
        self.sides.iter().position(|side| *side == Some(visit))
    }
}

impl Watcher {
    pub(super) fn finds(
        &mut self,
        visit: VisitId,
        process: NodeId,
        found: &PartnerFound,
    ) -> Result<(), Breach> {
        let id = found.match_id;
        let now = self.now;
        let meeting = self.meetings.entry(id).or_insert_with(|| Meeting {
            sides: [None; 2],
            at: [None; 2],
            ended: [None; 2],
            mode: found.mode,
            shared_interests: found.shared_interests.clone(),
            began: now,
        });
        let side = usize::from(!found.initiator);
        let [mine, theirs] = [meeting.sides[side], meeting.sides[1 - side]];
        hold(mine.is_none_or(|known| known == visit), Promise::TwoInAMatch, || {
            format!("{id:?}: {visit:?} is told the same as {mine:?}")
        })?;
        hold(theirs != Some(visit), Promise::TwoInAMatch, || format!("{id:?}: {visit:?} is both sides"))?;
        let agrees = meeting.mode == found.mode && meeting.shared_interests == found.shared_interests;
        // What is told again holds no offer any more.
        hold(agrees || mine.is_some(), Promise::BothHearTheSame, || {
            format!("{id:?}: {visit:?} hears {found:?}")
        })?;
        meeting.sides[side] = Some(visit);
        meeting.at[side] = Some(process);
        let across = theirs.is_some() && meeting.at[0] != meeting.at[1];
        if let Some(offer) = &found.offer {
            let mark = offer.sdp.reveal_json().trim_matches('"').to_owned();
            if across && mine.is_none() {
                self.coverage.note(Case::OfferAcross);
            }
            self.shows_offer(visit, theirs, &mark)?;
        }
        if mine.is_none()
            && let Some(partner) = theirs
        {
            self.judge_pair(id, Pair::of(visit, partner))?;
        }
        if let Some(known) = self.visits.get_mut(&visit) {
            known.last = known.present.filter(|present| *present != id).or(known.last);
            known.present = Some(id);
        }
        Ok(())
    }

    /// A waiting offer is used once, and only by the partner of who made it.
    fn shows_offer(&mut self, to: VisitId, partner: Option<VisitId>, mark: &str) -> Result<(), Breach> {
        let maker = guest_of(mark);
        let shown = *self.offers.entry(mark.to_owned()).or_insert(to);
        hold(shown == to, Promise::AnOfferIsForOne, || format!("{mark} for {shown:?} and for {to:?}"))?;
        let theirs = partner.is_none_or(|partner| maker == Some(partner.guest));
        hold(theirs, Promise::OffersAreThePartners, || format!("{mark} for {to:?}, who meets {partner:?}"))
    }

    fn judge_pair(&mut self, id: MatchId, pair: Pair) -> Result<(), Breach> {
        let now = self.now;
        // Who came back elsewhere while nobody could be asked is still believed to be where it was. What becomes of that
        // one its client never hears.
        let is_there = |visit: VisitId| {
            let told_at = self.meetings.get(&id).and_then(|told| told.at[told.side_of(visit)?]);
            self.visits.get(&visit).and_then(|visit| visit.at).map(|(at, _)| at) == told_at
        };
        if !(is_there(pair.0) && is_there(pair.1)) {
            return Ok(());
        }
        if let Some(since) = self.blocked.get(&pair).copied() {
            let excused = self.has_moved_in_trouble(pair, since);
            hold(excused, Promise::BlocksHoldEverywhere, || {
                format!("{id:?} of {pair:?}, blocked at {since}")
            })?;
        }
        let earlier = self
            .meetings
            .iter()
            .filter(|(other, meeting)| {
                let sides = [[pair.0, pair.1], [pair.1, pair.0]].map(|sides| sides.map(Some));
                **other != id && sides.contains(&meeting.sides)
            })
            .filter_map(|(_, meeting)| {
                let ended = meeting.ended.iter().flatten().max().copied()?;
                Some((ended, meeting.began))
            })
            .max();
        let Some((ended, began)) = earlier else { return Ok(()) };
        self.coverage.note(Case::MetAgainSomewhere);
        let pause = self.config.recent_pause.as_micros();
        let stayed = [pair.0, pair.1].iter().all(|visit| {
            self.visits.get(visit).and_then(|visit| visit.at).is_some_and(|(_, since)| since <= began)
        });
        let met_since = |visit: VisitId| {
            let its = self.meetings.values().filter(|meeting| meeting.side_of(visit).is_some());
            its.filter(|meeting| meeting.began > began).count()
        };
        let judged = met_since(pair.0).max(met_since(pair.1)) < self.config.recent_partners
            && stayed
            && !self.fault_windows.has_jumped(began, now)
            && !self.fault_windows.has_slept(began, now);
        hold(!judged || now >= ended + pause, Promise::OldPartnersPause, || {
            format!("{id:?} of {pair:?} at {now}, whose last match ended at {ended}")
        })
    }

    /// Whether one of the two came to another process, after that moment, when something was wrong.
    fn has_moved_in_trouble(&self, pair: Pair, since: Micros) -> bool {
        [pair.0, pair.1].iter().any(|visit| {
            let moved = self.visits.get(visit).and_then(|visit| visit.at).map_or(0, |(_, at)| at);
            moved > since && !self.fault_windows.was_fine(since.saturating_sub(2_000_000), moved)
        })
    }

    /// The present match of a visit ends for it, no sooner than then.
    pub(super) fn ends(&mut self, visit: VisitId, since: Option<Micros>) {
        let Some(known) = self.visits.get_mut(&visit) else { return };
        let Some(id) = known.present.take() else { return };
        known.last = Some(id);
        if let Some(meeting) = self.meetings.get_mut(&id)
            && let Some(side) = meeting.side_of(visit)
        {
            meeting.ended[side] = meeting.ended[side].or(since);
        }
    }

    pub(super) fn blocks(&mut self, visit: VisitId, named: MatchId) {
        let Some(known) = self.visits.get(&visit) else { return };
        let since = known.at.map_or(0, |(_, since)| since);
        let Some(meeting) = self.meetings.get(&named) else { return };
        // Whoever came back by its token alone has no last match any more.
        let knows = known.present == Some(named) || (known.last == Some(named) && since <= meeting.began);
        let Some(side) = meeting.side_of(visit).filter(|_| knows) else { return };
        if known.present == Some(named) {
            self.ends(visit, Some(self.now));
        }
        let Some(partner) = self.meetings.get(&named).and_then(|meeting| meeting.sides[1 - side]) else {
            return;
        };
        let now = self.now;
        self.blocked.entry(Pair::of(visit, partner)).or_insert(now);
    }

    pub(super) fn is_of_the_partner(
        &self,
        connection: ConnectionId,
        id: MatchId,
        text: &str,
    ) -> Result<(), Breach> {
        let guest = (connection.0 >> 12) as u32;
        let Some(meeting) = self.meetings.get(&id) else { return Ok(()) };
        let is = meeting.sides.iter().flatten().any(|side| Some(side.guest) == guest_of(text))
            && guest_of(text) != Some(guest);
        hold(is, Promise::WordsAreThePartners, || format!("visitor {guest} reads {text} in {id:?}"))
    }

    /// Of those who wait when all is calm, no two fit.
    pub(in super::super) fn judge_line(
        &mut self,
        waiting: &[(ConnectionId, u32)],
        guests: &BTreeMap<u32, Guest>,
    ) -> Result<(), Breach> {
        let perhaps_blocked: BTreeSet<Pair> = self
            .wanted_blocks
            .iter()
            .filter_map(|id| match self.meetings.get(id)?.sides {
                [Some(one), Some(other)] => Some(Pair::of(one, other)),
                [_, _] => None,
            })
            .collect();
        // Of a match that the other side never heard of nobody can say from outside who was blocked.
        let perhaps_anybody: BTreeSet<VisitId> = self
            .wanted_blocks
            .iter()
            .filter_map(|id| match self.meetings.get(id)?.sides {
                [Some(one), None] | [None, Some(one)] => Some(one),
                [_, _] => None,
            })
            .collect();
        for (index, one) in waiting.iter().enumerate() {
            for other in waiting.iter().skip(index + 1) {
                let visit_of = |connection| self.sockets.get(connection).and_then(|seen| seen.visit);
                let (Some(mine), Some(theirs)) = (visit_of(&one.0), visit_of(&other.0)) else { continue };
                let (Some(a), Some(b)) = (guests.get(&one.1), guests.get(&other.1)) else { continue };
                if !a.persona.wish.fits(&b.persona.wish) {
                    continue;
                }
                if perhaps_blocked.contains(&Pair::of(mine, theirs)) {
                    self.coverage.note(Case::BlockHeldAcross);
                    continue;
                }
                let excused = perhaps_anybody.contains(&mine) || perhaps_anybody.contains(&theirs);
                hold(excused, Promise::EverybodyMeets, || format!("{mine:?} and {theirs:?} both wait"))?;
            }
        }
        Ok(())
    }
}

/// Who made a mark: see `Guest::mark`.
fn guest_of(mark: &str) -> Option<u32> {
    mark.split('.').next()?.parse().ok()
}
