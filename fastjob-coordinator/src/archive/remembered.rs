//! The last values that were used, up to a number of them.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

#[derive(Debug)]
pub(super) struct Remembered<K, V> {
    most: usize,
    values: HashMap<K, (u64, V)>,
    /// When each was used last, by a counter.
    used: BTreeMap<u64, K>,
    count: u64,
}

impl<K: Clone + Eq + Hash, V: Clone> Remembered<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, values: HashMap::new(), used: BTreeMap::new(), count: 0 }
    }

    pub(super) fn get(&mut self, key: &K) -> Option<V> {
        let (at, value) = self.values.get_mut(key)?;
        self.count += 1;
        self.used.remove(at);
        *at = self.count;
        self.used.insert(self.count, key.clone());
        Some(value.clone())
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        self.remove(&key);
        self.count += 1;
        self.used.insert(self.count, key.clone());
        self.values.insert(key, (self.count, value));
        if self.values.len() > self.most
            && let Some((_, oldest)) = self.used.pop_first()
        {
            self.values.remove(&oldest);
        }
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some((at, _)) = self.values.remove(key) {
            self.used.remove(&at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_is_forgotten_first() {
        let mut all = Remembered::new(2);
        all.insert("a", 1);
        all.insert("b", 2);
        assert_eq!(all.get(&"a"), Some(1));
        all.insert("c", 3);
        assert_eq!((all.get(&"a"), all.get(&"b"), all.get(&"c")), (Some(1), None, Some(3)));
        all.remove(&"a");
        all.insert("c", 4);
        assert_eq!((all.get(&"c"), all.values.len(), all.used.len()), (Some(4), 1, 1));
    }
}
