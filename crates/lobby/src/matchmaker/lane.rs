//! One waiting line (kind and pool), shelved so that a compatible ticket is found without looking at others.
//!
//! A ticket stands, by age, on one shelf for each pair of (an interest of its own or *any*) × (a language of its own or
//! *any*), among those with the same needs. Whoever is on the shelves that a seeker's wishes name is compatible with it,
//! so a search looks at a number of shelves that depends on the wishes alone, never on how many people wait.

use super::TicketKey;
use super::names::NameId;
use crate::Time;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// Which wishes a ticket insists on at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) interest: bool,
    pub(crate) language: bool,
}

impl Needs {
    /// The pickiest first: those have the fewest chances.
    pub(super) const ALL: [Needs; 4] = [
        Needs { interest: true, language: true },
        Needs { interest: true, language: false },
        Needs { interest: false, language: true },
        Needs { interest: false, language: false },
    ];

    /// What must be shared for two to be compatible: relaxation takes both sides' consent.
    pub(super) fn or(self, other: Needs) -> Needs {
        Needs { interest: self.interest || other.interest, language: self.language || other.language }
    }
}

/// The tickets of one shelf, oldest first.
pub(super) type Shelf = BTreeSet<(Time, TicketKey)>;

#[derive(Debug, Default)]
struct Shelves {
    picky: Shelf,
    by_interest: Shelf,
    by_language: Shelf,
    open: Shelf,
}

impl Shelves {
    fn of(&self, needs: Needs) -> &Shelf {
        match (needs.interest, needs.language) {
            (true, true) => &self.picky,
            (true, false) => &self.by_interest,
            (false, true) => &self.by_language,
            (false, false) => &self.open,
        }
    }

    fn of_mut(&mut self, needs: Needs) -> &mut Shelf {
        match (needs.interest, needs.language) {
            (true, true) => &mut self.picky,
            (true, false) => &mut self.by_interest,
            (false, true) => &mut self.by_language,
            (false, false) => &mut self.open,
        }
    }

    fn len(&self) -> usize {
        Needs::ALL.iter().map(|needs| self.of(*needs).len()).sum()
    }
}

/// The shelves of one interest (or of any), by language.
#[derive(Debug, Default)]
struct Rack {
    any_language: Shelves,
    languages: FxHashMap<NameId, Shelves>,
}

/// Where a ticket stands; kept with the ticket so that it can be taken off again.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) interests: Box<[NameId]>,
    pub(super) languages: Box<[NameId]>,
    pub(super) needs: Needs,
}

#[derive(Debug, Default)]
pub(super) struct Lane {
    any_interest: Rack,
    interests: FxHashMap<NameId, Rack>,
}

impl Lane {
    pub(super) fn len(&self) -> usize {
        self.any_interest.any_language.len()
    }

    /// How many wait with this interest.
    pub(super) fn popularity(&self, interest: NameId) -> usize {
        self.interests.get(&interest).map_or(0, |rack| rack.any_language.len())
    }

    /// The shelf of one interest (or any) and one language (or any).
    pub(super) fn shelf(
        &self,
        interest: Option<NameId>,
        language: Option<NameId>,
        needs: Needs,
    ) -> Option<&Shelf> {
        let rack = match interest {
            None => &self.any_interest,
            Some(interest) => self.interests.get(&interest)?,
        };
        let shelves = match language {
            None => &rack.any_language,
            Some(language) => rack.languages.get(&language)?,
        };
        Some(shelves.of(needs))
    }

    /// Every shelf that somebody stands on, or that was left behind empty.
    #[cfg(any(test, feature = "audit"))]
    pub(super) fn shelves(&self) -> impl Iterator<Item = &Shelf> {
        let by_interest = self
            .interests
            .values()
            .flat_map(|rack| [&rack.any_language].into_iter().chain(rack.languages.values()));
        let any_interest =
            [&self.any_interest.any_language].into_iter().chain(self.any_interest.languages.values());
        any_interest.chain(by_interest).flat_map(|shelves| Needs::ALL.map(|needs| shelves.of(needs)))
    }

    /// Whether racks and shelves that nobody stands on any more are gone.
    #[cfg(any(test, feature = "audit"))]
    pub(super) fn is_tidy(&self) -> bool {
        let in_use = |shelves: &Shelves| shelves.len() > 0;
        self.any_interest.languages.values().all(in_use)
            && self
                .interests
                .values()
                .all(|rack| in_use(&rack.any_language) && rack.languages.values().all(in_use))
    }

    pub(super) fn put(&mut self, entry: (Time, TicketKey), place: &Place) {
        let rack = &mut self.any_interest;
        put_on_rack(rack, entry, place);
        for interest in &place.interests {
            put_on_rack(self.interests.entry(*interest).or_default(), entry, place);
        }
    }

    pub(super) fn take(&mut self, entry: (Time, TicketKey), place: &Place) {
        take_from_rack(&mut self.any_interest, entry, place);
        for interest in &place.interests {
            if let Some(rack) = self.interests.get_mut(interest) {
                take_from_rack(rack, entry, place);
                if rack.any_language.len() == 0 {
                    self.interests.remove(interest);
                }
            }
        }
    }
}

fn put_on_rack(rack: &mut Rack, entry: (Time, TicketKey), place: &Place) {
    rack.any_language.of_mut(place.needs).insert(entry);
    for language in &place.languages {
        rack.languages.entry(*language).or_default().of_mut(place.needs).insert(entry);
    }
}

fn take_from_rack(rack: &mut Rack, entry: (Time, TicketKey), place: &Place) {
    rack.any_language.of_mut(place.needs).remove(&entry);
    for language in &place.languages {
        if let Some(shelves) = rack.languages.get_mut(language) {
            shelves.of_mut(place.needs).remove(&entry);
            if shelves.len() == 0 {
                rack.languages.remove(language);
            }
        }
    }
}
