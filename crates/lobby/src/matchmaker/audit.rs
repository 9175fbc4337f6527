//! Checks [`Invariant`]s on who waits where. Reads everything, changes nothing.

use super::{Matchmaker, Standing, primaries};
use crate::audit::{Invariant, Violation, check};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Matchmaker {
    pub(crate) fn audit(&self) -> Result<(), Violation> {
        self.audit_shelves()?;
        self.audit_names()?;
        let empty = self.lanes.iter().filter(|(_, entry)| entry.lane.len() == 0);
        let listed = empty
            .clone()
            .all(|(name, entry)| entry.empty.is_some_and(|place| self.empty.get(&place) == Some(name)));
        let empty = empty.count();
        let bounded = empty <= Self::MAX_EMPTY_LANES && listed && empty == self.empty.len();
        check(bounded, Invariant::EmptyLanesAreBounded, || format!("{empty}, {} listed", self.empty.len()))
    }

    /// Each ticket stands where it should, and together they are all that stands there.
    fn audit_shelves(&self) -> Result<(), Violation> {
        let mut standing = 0;
        for (key, Standing { ticket, place }) in &self.tickets {
            let interests = ticket.wishes.interests.iter().map(|name| self.interests.find(name));
            let languages = primaries(&ticket.wishes).map(|name| self.languages.find(name));
            let interests: Option<Vec<_>> = interests.collect();
            let languages: Option<Vec<_>> = languages.collect();
            let named = interests.as_deref() == Some(&*place.interests)
                && languages.as_deref() == Some(&*place.languages);
            check(named, Invariant::ShelvesHoldTheLine, || format!("{key:?} stands under other wishes"))?;
            let lane = self.lanes.get(&(ticket.wishes.kind, Arc::from(ticket.wishes.pool.as_str())));
            for interest in place.interests.iter().copied().map(Some).chain([None]) {
                for language in place.languages.iter().copied().map(Some).chain([None]) {
                    standing += 1;
                    let shelf = lane.and_then(|entry| entry.lane.shelf(interest, language, place.needs));
                    let stands = shelf.is_some_and(|shelf| shelf.contains(&(ticket.since, key)));
                    check(stands, Invariant::ShelvesHoldTheLine, || {
                        format!("{key:?} is missing under {interest:?}, {language:?}")
                    })?;
                }
            }
        }
        let held: usize =
            self.lanes.values().flat_map(|entry| entry.lane.shelves()).map(|shelf| shelf.len()).sum();
        check(held == standing, Invariant::ShelvesHoldTheLine, || format!("{held} entries for {standing}"))?;
        let tidy = self.lanes.values().all(|entry| entry.lane.is_tidy());
        check(tidy, Invariant::ShelvesHoldTheLine, || "an empty shelf was left behind".into())
    }

    fn audit_names(&self) -> Result<(), Violation> {
        let mut interests: BTreeMap<&str, u32> = BTreeMap::new();
        let mut languages: BTreeMap<&str, u32> = BTreeMap::new();
        for Standing { ticket, .. } in self.tickets.values() {
            for name in &ticket.wishes.interests {
                *interests.entry(name).or_default() += 1;
            }
            for name in primaries(&ticket.wishes) {
                *languages.entry(name).or_default() += 1;
            }
        }
        for (names, used) in [(&self.interests, interests), (&self.languages, languages)] {
            let counted = names.in_use().eq(used) && names.is_tidy();
            check(counted, Invariant::NamesAreCounted, || {
                format!("kept: {:?}", names.in_use().map(|(_, uses)| uses).collect::<Vec<_>>())
            })?;
        }
        Ok(())
    }
}
