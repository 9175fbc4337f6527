//! Who waits, and who fits whom.
//!
//! Two tickets are *compatible* when they are in the same lane (kind and pool), share what either still insists on
//! (an interest, a language), neither session has blocked the other, and they have not just met. The search prefers
//! somebody who shares an interest (the rarest first), then a language, then whoever insists on more, then the oldest;
//! an oldest compatible ticket that was passed over too often goes first. Partners met lately come last of all.
//!
//! Everything here is a look-up: it never matches by itself and knows no sessions beyond their keys.

#[cfg(any(test, feature = "audit"))]
mod audit;
mod lane;
mod names;

pub(crate) use lane::Needs;

use crate::acquaintances::Acquaintance;
use crate::ids::{SessionKey, TicketId, TicketKey};
use crate::planted::planted;
use crate::{Config, Span, Time};
use lane::{Lane, Place, Shelf};
use names::{NameId, Names};
use rustc_hash::FxHashSet;
use slotmap::SlotMap;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use visavis_protocol::{Kind, Offer, Wishes};

/// What a waiting session offers and asks for.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) session: SessionKey,
    pub(crate) wishes: Arc<Wishes>,
    /// Since when this visitor has waited; survives a match that came to nothing.
    pub(crate) since: Time,
    /// When this ticket was made; recent partners count from here.
    pub(crate) created: Time,
    pub(crate) offer: Option<WaitingOffer>,
    /// How often it was the oldest that fitted and another was taken.
    pub(crate) overtaken: u32,
    /// When the last `waiting` message went out, if one did.
    pub(crate) told: Option<Time>,
    /// When its compatibility grows next: it relaxes, or its pause from old partners ends.
    pub(crate) changes_at: Option<Time>,
    pub(crate) timer: Option<Time>,
    /// By which other nodes know it, once it was shown to them.
    pub(crate) exported: Option<TicketId>,
    /// When to show it to other nodes, for the first time or anew.
    pub(crate) export_at: Time,
}

/// An offer that waits with its ticket. Single-use, and shown to nobody before the match.
#[derive(Clone, Debug)]
pub(crate) struct WaitingOffer {
    pub(crate) offer: Offer,
    pub(crate) expires: Time,
}

impl WaitingOffer {
    pub(crate) fn is_live(&self, now: Time) -> bool {
        self.expires > now || planted!(OffersNeverExpire)
    }
}

impl Ticket {
    /// Whether its offer can be shown at `now`.
    pub(crate) fn has_live_offer(&self, now: Time) -> bool {
        self.offer.as_ref().is_some_and(|waiting| waiting.is_live(now))
    }

    /// Takes the place of an earlier ticket of its session, if the kind is the same.
    pub(crate) fn inherit(&mut self, old: Ticket) {
        if old.wishes.kind == self.wishes.kind {
            self.since = old.since;
            self.created = old.created;
            self.overtaken = old.overtaken;
            self.told = old.told;
            // One that was made before the visitor wished to hide would give them away.
            let fits = old.wishes.relay_only || !self.wishes.relay_only;
            self.offer = self.offer.take().or(old.offer.filter(|_| fits));
        }
    }

    /// What it insists on at `now`.
    pub(crate) fn needs(&self, now: Time, config: &Config) -> Needs {
        Needs {
            interest: !self.wishes.interests.is_empty()
                && (self.wishes.pin_interests || now < self.since + config.relax_interests_after),
            language: !self.wishes.languages.is_empty()
                && ((self.wishes.pin_language && !planted!(PinsAreRelaxed))
                    || now < self.since + config.relax_language_after),
        }
    }

    /// When its needs change next, if they will.
    pub(crate) fn relaxes_at(&self, now: Time, config: &Config) -> Option<Time> {
        let steps = [
            (!self.wishes.interests.is_empty() && !self.wishes.pin_interests)
                .then_some(self.since + config.relax_interests_after),
            (!self.wishes.languages.is_empty() && (!self.wishes.pin_language || planted!(PinsAreRelaxed)))
                .then_some(self.since + config.relax_language_after),
        ];
        steps.into_iter().flatten().filter(|at| *at > now).min()
    }
}

#[derive(Debug)]
pub(crate) struct Matchmaker {
    tickets: SlotMap<TicketKey, Standing>,
    lanes: BTreeMap<LaneKey, LaneEntry>,
    /// Lanes without anybody in them, kept for their typical wait, by when they became empty.
    empty: BTreeMap<u64, LaneKey>,
    /// How often a lane became empty, ever.
    emptied: u64,
    interests: Names,
    languages: Names,
    /// Tickets looked at by searches, ever: the cost that must not grow with the number waiting.
    pub(crate) probes: u64,
}

/// Kind and pool: who differs in one of them never meets.
type LaneKey = (Kind, Arc<str>);

#[derive(Debug)]
struct Standing {
    ticket: Ticket,
    place: Place,
}

#[derive(Debug, Default)]
struct LaneEntry {
    lane: Lane,
    /// Its place among the empty ones; `None` while somebody waits here.
    empty: Option<u64>,
    /// Smoothed over the lane's last matches.
    typical_wait: Option<Span>,
}

impl Matchmaker {
    /// Beyond this many empty lanes the one that has been empty longest is forgotten: visitors choose the names of pools.
    const MAX_EMPTY_LANES: usize = 256;

    pub(crate) fn new() -> Self {
        Matchmaker {
            tickets: SlotMap::with_key(),
            lanes: BTreeMap::new(),
            empty: BTreeMap::new(),
            emptied: 0,
            interests: Names::default(),
            languages: Names::default(),
            probes: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.tickets.len()
    }

    pub(crate) fn ticket(&self, key: TicketKey) -> Option<&Ticket> {
        self.tickets.get(key).map(|standing| &standing.ticket)
    }

    pub(crate) fn ticket_mut(&mut self, key: TicketKey) -> Option<&mut Ticket> {
        self.tickets.get_mut(key).map(|standing| &mut standing.ticket)
    }

    pub(crate) fn keys(&self) -> Vec<TicketKey> {
        self.tickets.keys().collect()
    }

    #[cfg(any(test, feature = "audit"))]
    pub(crate) fn tickets(&self) -> impl Iterator<Item = (TicketKey, &Ticket, Needs)> {
        self.tickets.iter().map(|(key, standing)| (key, &standing.ticket, standing.place.needs))
    }

    /// Puts a ticket into its line.
    pub(crate) fn insert(&mut self, ticket: Ticket, needs: Needs) -> TicketKey {
        let place = Place {
            interests: ticket.wishes.interests.iter().map(|name| self.interests.acquire(name)).collect(),
            languages: primaries(&ticket.wishes).map(|name| self.languages.acquire(name)).collect(),
            needs,
        };
        let lane_key = lane_key(&ticket.wishes);
        let since = ticket.since;
        let key = self.tickets.insert(Standing { ticket, place });
        if let Some(standing) = self.tickets.get(key) {
            let entry = self.lanes.entry(lane_key).or_default();
            entry.lane.put((since, key), &standing.place);
            if let Some(place) = entry.empty.take() {
                self.empty.remove(&place);
            }
        }
        key
    }

    /// Takes a ticket out of its line.
    pub(crate) fn remove(&mut self, key: TicketKey) -> Option<Ticket> {
        let Standing { ticket, place } = self.tickets.remove(key)?;
        let lane_key = lane_key(&ticket.wishes);
        if let Some(entry) = self.lanes.get_mut(&lane_key) {
            entry.lane.take((ticket.since, key), &place);
            if entry.lane.len() == 0 {
                // A crowd that has gone leaves no tables of its size behind.
                entry.lane = Lane::default();
                entry.empty = Some(self.emptied);
                self.empty.insert(self.emptied, lane_key);
                self.emptied += 1;
            }
        }
        if self.empty.len() > Self::MAX_EMPTY_LANES
            && let Some((_, longest)) = self.empty.pop_first()
        {
            self.lanes.remove(&longest);
        }
        for id in place.interests.iter() {
            self.interests.release(*id);
        }
        for id in place.languages.iter() {
            self.languages.release(*id);
        }
        Some(ticket)
    }

    pub(crate) fn typical_wait(&self, wishes: &Wishes) -> Option<Span> {
        self.lanes.get(&lane_key(wishes))?.typical_wait
    }

    /// Learns from one more match how long people of this lane wait.
    pub(crate) fn note_wait(&mut self, wishes: &Wishes, wait: Span) {
        let Some(entry) = self.lanes.get_mut(&lane_key(wishes)) else { return };
        entry.typical_wait = Some(match entry.typical_wait {
            None => wait,
            Some(old) => Span::from_micros((old.as_micros() * 7 + wait.as_micros()) / 8),
        });
    }

    /// The best partner for `seeker` at `now`, among those who wait. The seeker itself may be one of them.
    pub(crate) fn best_for(
        &mut self,
        seeker: &Ticket,
        needs: Needs,
        now: Time,
        config: &Config,
        acquaintance: impl Fn(SessionKey) -> Acquaintance,
    ) -> Option<TicketKey> {
        let entry = self.lanes.get(&lane_key(&seeker.wishes))?;
        let mut search = Search {
            tickets: &self.tickets,
            lane: &entry.lane,
            seeker,
            now,
            pause: config.recent_pause,
            acquaintance,
            best: None,
            oldest: None,
            fallback: None,
            acquaintances: FxHashSet::default(),
            probes: 0,
        };
        search.run(
            needs,
            seeker.wishes.interests.iter().filter_map(|name| self.interests.find(name)).collect(),
            primaries(&seeker.wishes).filter_map(|name| self.languages.find(name)).collect(),
        );
        let (best, oldest, fallback) = (search.best, search.oldest, search.fallback);
        self.probes += search.probes;
        let Some((_, best)) = best else { return fallback.map(|(_, key)| key) };
        let Some((_, oldest)) = oldest.filter(|(_, oldest)| *oldest != best) else { return Some(best) };
        match self.ticket_mut(oldest) {
            Some(ticket) if ticket.overtaken < config.max_overtakes => {
                ticket.overtaken += u32::from(!planted!(OvertakingIsNotCounted));
                Some(best)
            }
            _ => Some(oldest),
        }
    }
}

fn lane_key(wishes: &Wishes) -> LaneKey {
    (wishes.kind, Arc::from(if planted!(PoolsMix) { "" } else { wishes.pool.as_str() }))
}

/// The primary subtags of the wished languages, each once.
pub(crate) fn primaries(wishes: &Wishes) -> impl Iterator<Item = &str> {
    wishes.languages.iter().enumerate().filter_map(|(index, language)| {
        let primary = language.primary();
        let earlier = wishes.languages.iter().take(index).any(|other| other.primary() == primary);
        (!earlier).then_some(primary)
    })
}

/// How good a candidate is; smaller is better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Sharing the rarest interest first; sharing none last.
    interest: usize,
    shares_no_language: bool,
    /// Who insists on more has fewer chances.
    insists: Reverse<u8>,
    since: Time,
}

/// One search, shelf by shelf.
///
/// It takes the first stranger of a shelf, so it is only as long as there are acquaintances before. Those are few, however
/// many the seeker knows: everybody on a shelf that is looked at shares what the shelf is named after and insists on
/// nothing else, so any two of them would be matched if they were not acquaintances of each other, too. A shelf where
/// all know all holds at most twice as many as one session remembers, and one more.
struct Search<'a, F> {
    tickets: &'a SlotMap<TicketKey, Standing>,
    lane: &'a Lane,
    seeker: &'a Ticket,
    now: Time,
    pause: Span,
    acquaintance: F,
    best: Option<(Rank, TicketKey)>,
    oldest: Option<(Time, TicketKey)>,
    /// The oldest of the recent partners whose pause is over.
    fallback: Option<(Time, TicketKey)>,
    /// Judged already, and no strangers. They stand on many shelves, and judging costs more than meeting them again: a
    /// crowd in which everybody has blocked everybody would make every search dear.
    acquaintances: FxHashSet<TicketKey>,
    probes: u64,
}

impl<F: Fn(SessionKey) -> Acquaintance> Search<'_, F> {
    fn run(&mut self, needs: Needs, mut interests: Vec<NameId>, languages: Vec<NameId>) {
        interests.sort_by_key(|interest| self.lane.popularity(*interest));
        for (rarity, interest) in interests.iter().enumerate() {
            self.look_at_rack(needs, Some(*interest), rarity, &languages);
        }
        if !needs.interest {
            self.look_at_rack(needs, None, usize::MAX, &languages);
        }
    }

    fn look_at_rack(&mut self, needs: Needs, interest: Option<NameId>, rarity: usize, languages: &[NameId]) {
        for theirs in Needs::ALL {
            // On the rack of any interest stand also those who insist on one, and need not share the seeker's.
            if interest.is_none() && theirs.interest {
                continue;
            }
            for language in languages {
                self.look_at_shelf(interest, Some(*language), theirs, rarity);
            }
            if !needs.or(theirs).language {
                self.look_at_shelf(interest, None, theirs, rarity);
            }
        }
    }

    fn look_at_shelf(
        &mut self,
        interest: Option<NameId>,
        language: Option<NameId>,
        theirs: Needs,
        rarity: usize,
    ) {
        let shelf: Option<&Shelf> = self.lane.shelf(interest, language, theirs);
        for (since, key) in shelf.into_iter().flatten() {
            self.probes += 1;
            if self.acquaintances.contains(key) {
                continue;
            }
            let Some(Standing { ticket, .. }) = self.tickets.get(*key) else { continue };
            if ticket.session == self.seeker.session {
                continue;
            }
            match (self.acquaintance)(ticket.session) {
                Acquaintance::Blocked => {}
                Acquaintance::Recent => {
                    let pause_over = self.now >= self.seeker.created.max(ticket.created) + self.pause;
                    if pause_over && self.fallback.is_none_or(|best| (*since, *key) < best) {
                        self.fallback = Some((*since, *key));
                    }
                }
                Acquaintance::Strangers => {
                    let rank = Rank {
                        interest: rarity,
                        shares_no_language: language.is_none(),
                        insists: Reverse(u8::from(theirs.interest) + u8::from(theirs.language)),
                        since: *since,
                    };
                    if self.best.is_none_or(|best| (rank, *key) < best) {
                        self.best = Some((rank, *key));
                    }
                    if self.oldest.is_none_or(|oldest| (*since, *key) < oldest) {
                        self.oldest = Some((*since, *key));
                    }
                    // The shelf is ordered by age: nobody behind is better.
                    return;
                }
            }
            self.acquaintances.insert(*key);
        }
    }
}

/// Whether two tickets are compatible, by the definition and not by the shelves: for tickets of two nodes, and what the
/// audit and the tests compare the search against.
pub(crate) fn compatible(
    a: (&Ticket, Needs),
    b: (&Ticket, Needs),
    now: Time,
    config: &Config,
    acquaintance: Acquaintance,
) -> bool {
    let (one, other) = (&a.0.wishes, &b.0.wishes);
    let both = a.1.or(b.1);
    let shares_interest = one.interests.iter().any(|interest| other.interests.contains(interest));
    let shares_language = primaries(one).any(|language| primaries(other).any(|theirs| theirs == language));
    let met_well = match acquaintance {
        Acquaintance::Blocked => false,
        Acquaintance::Recent => now >= a.0.created.max(b.0.created) + config.recent_pause,
        Acquaintance::Strangers => true,
    };
    one.kind == other.kind
        && one.pool == other.pool
        && (!both.interest || shares_interest)
        && (!both.language || shares_language)
        && met_well
}
