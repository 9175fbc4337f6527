//! Keys of one sort, each with the moment at which it dies.

use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Keys<K: Ord, T>(BTreeMap<K, Key<T>>);

#[derive(Clone, Debug, PartialEq)]
struct Key<T> {
    value: T,
    /// Dead once the clock is past it. `None`: `PEXPIRE` did not come yet.
    dies_at_ms: Option<i64>,
}

impl<T> Key<T> {
    fn is_dead(&self, now_ms: i64) -> bool {
        self.dies_at_ms.is_some_and(|dies_at_ms| dies_at_ms < now_ms)
    }
}

impl<K: Ord, T> Default for Keys<K, T> {
    fn default() -> Self {
        Keys(BTreeMap::new())
    }
}

impl<K: Ord + Copy, T: Default> Keys<K, T> {
    pub(super) fn get(&self, key: K, now_ms: i64) -> Option<&T> {
        self.0.get(&key).filter(|key| !key.is_dead(now_ms)).map(|key| &key.value)
    }

    pub(super) fn get_mut(&mut self, key: K, now_ms: i64) -> Option<&mut T> {
        self.0.get_mut(&key).filter(|key| !key.is_dead(now_ms)).map(|key| &mut key.value)
    }

    /// The value that is there, or an empty one that lives on until it is told to expire.
    pub(super) fn make(&mut self, key: K, now_ms: i64) -> &mut T {
        if self.0.get(&key).is_some_and(|key| key.is_dead(now_ms)) {
            self.0.remove(&key);
        }
        &mut self.0.entry(key).or_insert_with(|| Key { value: T::default(), dies_at_ms: None }).value
    }

    /// `PEXPIRE`: the end is set anew; at once if there is no time left.
    pub(super) fn expire(&mut self, key: K, now_ms: i64, ttl_ms: i64) {
        if ttl_ms <= 0 {
            self.0.remove(&key);
        } else if let Some(key) = self.0.get_mut(&key) {
            key.dies_at_ms = Some(now_ms + ttl_ms);
        }
    }

    pub(super) fn remove(&mut self, key: K) {
        self.0.remove(&key);
    }

    /// Those alive, and when they die.
    pub(super) fn iter(&self, now_ms: i64) -> impl Iterator<Item = (K, &T, Option<i64>)> {
        self.0
            .iter()
            .filter(move |(_, key)| !key.is_dead(now_ms))
            .map(|(name, key)| (*name, &key.value, key.dies_at_ms))
    }
}
