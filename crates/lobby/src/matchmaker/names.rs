//! Interests, languages and pools as small numbers, for as long as somebody waits with them.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A name that is in use. Reused after nobody waits with it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NameId(u32);

/// A tree and not a hash table: visitors choose the names, and must not be able to make them collide.
#[derive(Debug, Default)]
pub(super) struct Names {
    ids: BTreeMap<Arc<str>, NameId>,
    entries: Vec<Entry>,
    free: Vec<NameId>,
}

#[derive(Debug)]
struct Entry {
    name: Arc<str>,
    uses: u32,
}

impl Names {
    /// The id of a name that somebody waits with.
    pub(super) fn find(&self, name: &str) -> Option<NameId> {
        self.ids.get(name).copied()
    }

    /// Takes a name into use once more.
    pub(super) fn acquire(&mut self, name: &str) -> NameId {
        if let Some(id) = self.find(name) {
            if let Some(entry) = self.entries.get_mut(id.0 as usize) {
                entry.uses += 1;
            }
            return id;
        }
        let name: Arc<str> = name.into();
        let entry = Entry { name: name.clone(), uses: 1 };
        let id = match self.free.pop() {
            Some(id) => {
                if let Some(slot) = self.entries.get_mut(id.0 as usize) {
                    *slot = entry;
                }
                id
            }
            None => {
                let id = NameId(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
                self.entries.push(entry);
                id
            }
        };
        self.ids.insert(name, id);
        id
    }

    pub(super) fn release(&mut self, id: NameId) {
        let Some(entry) = self.entries.get_mut(id.0 as usize) else { return };
        entry.uses = entry.uses.saturating_sub(1);
        if entry.uses == 0 {
            self.ids.remove(&entry.name);
            entry.name = Arc::from("");
            self.free.push(id);
        }
    }

    /// The names in use, and how often each is.
    #[cfg(any(test, feature = "audit"))]
    pub(super) fn in_use(&self) -> impl Iterator<Item = (&str, u32)> {
        self.ids
            .iter()
            .map(|(name, id)| (&**name, self.entries.get(id.0 as usize).map_or(0, |entry| entry.uses)))
    }

    /// Whether every number is either in use or free.
    #[cfg(any(test, feature = "audit"))]
    pub(super) fn is_tidy(&self) -> bool {
        self.ids.len() + self.free.len() == self.entries.len()
    }
}
