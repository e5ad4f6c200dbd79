//! [`Selection`]: which pictures of the wall are chosen, the way file managers do it.

use crate::gallery::EntryId;
use ahash::AHashSet;

/// How a click or a key chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// This one and no other.
    Only,
    /// This one besides, or not any more.
    Toggle,
    /// Everything between the last one picked and this one.
    Range,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    chosen: AHashSet<EntryId>,
    /// Where a range begins.
    anchor: Option<EntryId>,
    /// Where the keyboard is.
    cursor: Option<EntryId>,
}

impl Selection {
    pub fn contains(&self, id: EntryId) -> bool {
        self.chosen.contains(&id)
    }

    pub fn len(&self) -> usize {
        self.chosen.len()
    }

    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }

    pub const fn cursor(&self) -> Option<EntryId> {
        self.cursor
    }

    /// The chosen ones in the order of the wall.
    pub fn in_order(&self, ids: &[EntryId]) -> Vec<EntryId> {
        match (self.chosen.len(), self.cursor) {
            (0, _) => Vec::new(),
            (1, Some(cursor)) if self.chosen.contains(&cursor) => vec![cursor],
            _ => ids.iter().copied().filter(|id| self.chosen.contains(id)).collect(),
        }
    }

    /// `place` tells where an id stands in `ids`.
    pub fn pick(&mut self, id: EntryId, pick: Pick, ids: &[EntryId], place: impl Fn(EntryId) -> Option<usize>) {
        match pick {
            Pick::Only => {
                self.chosen.clear();
                self.chosen.insert(id);
                self.anchor = Some(id);
            }
            Pick::Toggle => {
                if !self.chosen.remove(&id) {
                    self.chosen.insert(id);
                }
                self.anchor = Some(id);
            }
            Pick::Range => {
                let to = place(id);
                let from = self.anchor.and_then(&place).or(to);
                if let (Some(from), Some(to)) = (from, to) {
                    self.chosen.clear();
                    self.chosen.extend(ids.get(from.min(to)..=from.max(to)).unwrap_or_default());
                }
                self.anchor = self.anchor.or(Some(id));
            }
        }
        self.cursor = Some(id);
    }

    pub fn all(&mut self, ids: &[EntryId]) {
        self.chosen = ids.iter().copied().collect();
        self.cursor = self.cursor.or(ids.first().copied());
        self.anchor = self.cursor;
    }

    /// Chooses these alone.
    pub fn set(&mut self, ids: &[EntryId]) {
        self.chosen = ids.iter().copied().collect();
        self.cursor = ids.first().copied();
        self.anchor = self.cursor;
    }

    /// Chooses nothing; the keyboard stays where it is.
    pub fn clear(&mut self) {
        self.chosen.clear();
        self.anchor = self.cursor;
    }

    /// Forgets what is not there any more, so that nothing is done to what nobody sees.
    pub fn keep(&mut self, is_there: impl Fn(EntryId) -> bool) {
        self.chosen.retain(|id| is_there(*id));
        self.anchor = self.anchor.filter(|id| is_there(*id));
        self.cursor = self.cursor.filter(|id| is_there(*id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(selection: &Selection, ids: &[EntryId]) -> Vec<i64> {
        selection.in_order(ids).into_iter().map(|id| id.0).collect()
    }

    #[test]
    fn one_several_a_range_and_all() {
        let ids: Vec<_> = (0..10).map(EntryId).collect();
        let place = |id: EntryId| ids.iter().position(|other| *other == id);
        let mut selection = Selection::default();
        selection.pick(EntryId(4), Pick::Range, &ids, place);
        assert_eq!(chosen(&selection, &ids), [4], "without an anchor a range is one");
        selection.pick(EntryId(2), Pick::Range, &ids, place);
        assert_eq!(chosen(&selection, &ids), [2, 3, 4]);
        selection.pick(EntryId(6), Pick::Range, &ids, place);
        assert_eq!(chosen(&selection, &ids), [4, 5, 6], "the anchor stays");
        selection.pick(EntryId(5), Pick::Toggle, &ids, place);
        selection.pick(EntryId(9), Pick::Toggle, &ids, place);
        assert_eq!(chosen(&selection, &ids), [4, 6, 9]);
        assert_eq!(selection.cursor(), Some(EntryId(9)));
        selection.keep(|id| id.0 < 9);
        assert_eq!((chosen(&selection, &ids), selection.cursor()), (vec![4, 6], None));
        selection.all(&ids);
        assert_eq!(selection.len(), 10);
        selection.pick(EntryId(1), Pick::Only, &ids, place);
        assert_eq!(chosen(&selection, &ids), [1]);
        selection.clear();
        assert!(selection.is_empty() && selection.cursor() == Some(EntryId(1)));
    }
}
