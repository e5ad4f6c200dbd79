//! What the wall keeps in memory of pictures: bounded, the longest unused go first.

use crate::gallery::{EntryId, Stamp};
use crate::imaging::Pixmap;
use ahash::AHashMap;
use std::sync::Arc;

/// A picture that is shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    Ready(Arc<Pixmap>),
    /// The file cannot be shown.
    Broken,
}

/// Pictures by entry. One that was made of an older state of its file is as good as none.
#[derive(Debug)]
pub struct Cache {
    /// Bytes that the pixels may take.
    budget: usize,
    used: usize,
    clock: u64,
    pictures: AHashMap<EntryId, (Stamp, Shown, u64)>,
}

impl Cache {
    pub fn new(budget: usize) -> Self {
        Self { budget, used: 0, clock: 0, pictures: AHashMap::new() }
    }

    pub fn get(&mut self, id: EntryId, stamp: Stamp) -> Option<&Shown> {
        self.clock += 1;
        let (old, shown, used) = self.pictures.get_mut(&id)?;
        *used = self.clock;
        (*old == stamp).then_some(&*shown)
    }

    /// Takes a picture in; the last one is kept even if it is beyond the budget alone.
    pub fn put(&mut self, id: EntryId, stamp: Stamp, shown: Shown) {
        self.clock += 1;
        self.used += bytes(&shown);
        if let Some((_, old, _)) = self.pictures.insert(id, (stamp, shown, self.clock)) {
            self.used -= bytes(&old);
        }
        while self.used > self.budget && self.pictures.len() > 1 {
            let oldest = self.pictures.iter().min_by_key(|(_, (_, _, used))| *used).map(|(id, _)| *id);
            let Some((_, gone, _)) = oldest.and_then(|id| self.pictures.remove(&id)) else { break };
            self.used -= bytes(&gone);
        }
    }
}

fn bytes(shown: &Shown) -> usize {
    // A mark takes a little, too, so that they do not heap up.
    64 + match shown {
        Shown::Ready(picture) => picture.rgba().len(),
        Shown::Broken => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Extent;

    #[test]
    fn the_longest_unused_go_first_and_old_states_are_none() {
        let stamp = Stamp { modified: 1, bytes: 1 };
        let picture = || Shown::Ready(Arc::new(Pixmap::new(Extent::new(10, 10))));
        let mut cache = Cache::new(1000);
        cache.put(EntryId(1), stamp, picture());
        cache.put(EntryId(2), stamp, picture());
        assert!(cache.get(EntryId(1), stamp).is_some());
        cache.put(EntryId(3), stamp, picture());
        assert!(cache.get(EntryId(2), stamp).is_none());
        assert!(cache.get(EntryId(1), stamp).is_some() && cache.get(EntryId(3), stamp).is_some());
        assert!(cache.get(EntryId(3), Stamp { modified: 2, bytes: 1 }).is_none());
        cache.put(EntryId(3), stamp, Shown::Broken);
        assert_eq!(cache.used, 64 * 2 + 400);
        cache.put(EntryId(4), stamp, Shown::Ready(Arc::new(Pixmap::new(Extent::new(100, 100)))));
        assert!(cache.get(EntryId(4), stamp).is_some() && cache.pictures.len() == 1);
    }
}
