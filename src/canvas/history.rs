//! [`History`]: the steps that can be undone and done again.
//!
//! Each state is a whole document that shares its tiles with its neighbours, so going back is bit for bit. What a step
//! costs is the memory of the tiles that differ between its two states; when the sum passes the budget, the oldest
//! steps go.

use super::document::Document;
use super::tiles::Tiles;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the history may hold beside the document itself, unless it is told otherwise: 1 GiB.
pub const BUDGET: usize = 1 << 30;

/// Names a state of a document for as long as the program runs; equal revisions are equal documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Revision(u64);

impl Revision {
    fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

#[derive(Debug)]
struct State {
    document: Document,
    revision: Revision,
    /// The step that led here: its message id, and its cost in bytes. The first state has none.
    name: &'static str,
    cost: usize,
}

/// States in their order, and where we are among them.
#[derive(Debug)]
pub struct History {
    /// Never empty.
    states: VecDeque<State>,
    position: usize,
    budget: usize,
    saved: Option<Revision>,
}

impl History {
    pub(super) fn new(document: Document, budget: usize) -> Self {
        let revision = Revision::fresh();
        let first = State { document, revision, name: "", cost: 0 };
        Self { states: VecDeque::from([first]), position: 0, budget, saved: Some(revision) }
    }

    /// Message ids of the steps, the oldest first. The first [`Self::position`] of them are done, the others undone.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = &'static str> {
        self.states.iter().skip(1).map(|state| state.name)
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.states.len() - 1
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of the steps are done, `0..=len`.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// The step that [`super::Editor::undo`] would take back.
    pub fn undo_name(&self) -> Option<&'static str> {
        self.states.get(self.position).filter(|_| self.position > 0).map(|state| state.name)
    }

    /// The step that [`super::Editor::redo`] would do again.
    pub fn redo_name(&self) -> Option<&'static str> {
        self.states.get(self.position + 1).map(|state| state.name)
    }

    /// An upper bound of the bytes that only the history holds, wherever in it we are.
    pub fn bytes(&self) -> usize {
        self.states.iter().map(|state| state.cost).sum()
    }

    pub const fn budget(&self) -> usize {
        self.budget
    }

    pub fn revision(&self) -> Revision {
        self.states.get(self.position).map_or(Revision(0), |state| state.revision)
    }

    /// True if the document is as it was when it was last saved.
    pub fn is_saved(&self) -> bool {
        self.saved == Some(self.revision())
    }

    pub(super) fn mark_saved(&mut self, revision: Revision) {
        self.saved = Some(revision);
    }

    pub(super) fn mark_unsaved(&mut self) {
        self.saved = None;
    }

    pub(super) fn set_budget(&mut self, bytes: usize) {
        self.budget = bytes;
        self.forget();
    }

    /// A step from the present state; what was undone is forgotten.
    pub(super) fn push(&mut self, name: &'static str, document: Document) {
        self.states.truncate(self.position + 1);
        let cost = self.states.back().map_or(0, |last| cost(&last.document, &document));
        self.states.push_back(State { document, revision: Revision::fresh(), name, cost });
        self.position = self.states.len() - 1;
        self.forget();
    }

    /// Another document in the place of the present state, as if the step to it had made that; what was undone is
    /// forgotten.
    pub(super) fn replace(&mut self, document: Document) {
        self.states.truncate(self.position + 1);
        let before = self.position.checked_sub(1).and_then(|before| self.states.get(before));
        let cost = before.map_or(0, |before| cost(&before.document, &document));
        if let Some(state) = self.states.back_mut() {
            *state = State { document, revision: Revision::fresh(), cost, name: state.name };
        }
        self.forget();
    }

    /// The state after `position` steps, as the present one; `None` if there are not so many.
    pub(super) fn go(&mut self, position: usize) -> Option<Document> {
        let state = self.states.get(position)?;
        self.position = position;
        Some(state.document.clone())
    }

    /// Changes the present state without a step: for what is no part of the picture (the active layer).
    pub(super) fn amend(&mut self, change: impl FnOnce(&mut Document)) {
        if let Some(state) = self.states.get_mut(self.position) {
            change(&mut state.document);
        }
    }

    /// Lets the oldest steps go until the budget is kept, and the farthest undone ones if the present state is the
    /// oldest. The step just done stays, whatever it costs: it can always be taken back.
    fn forget(&mut self) {
        let mut bytes = self.bytes();
        while bytes > self.budget && self.states.len() > 2 {
            if self.position > 0 {
                self.states.pop_front();
                self.position -= 1;
                if let Some(first) = self.states.front_mut() {
                    bytes -= std::mem::take(&mut first.cost);
                    first.name = "";
                }
            } else if let Some(last) = self.states.pop_back() {
                bytes -= last.cost;
            }
        }
    }
}

/// Bytes of the tiles in only one of two neighbouring states: what was replaced or what replaced it, whichever is more.
fn cost(before: &Document, after: &Document) -> usize {
    let (mut old, mut new) = (Count::default(), Count::default());
    for layer in &before.layers {
        match after.layer(layer.id) {
            Some(twin) => compare(&layer.pixels, &twin.pixels, &mut old, &mut new),
            None => compare(&layer.pixels, &Tiles::new(), &mut old, &mut new),
        }
    }
    for layer in after.layers.iter().filter(|layer| before.layer(layer.id).is_none()) {
        compare(&Tiles::new(), &layer.pixels, &mut old, &mut new);
    }
    compare(&before.mask, &after.mask, &mut old, &mut new);
    let none = Tiles::new();
    let selected = |document: &Document| document.selection.clone().unwrap_or_else(|| none.clone());
    compare(&selected(before), &selected(after), &mut old, &mut new);
    old.bytes.max(new.bytes)
}

#[derive(Default)]
struct Count {
    seen: HashSet<usize>,
    bytes: usize,
}

impl Count {
    fn add<T>(&mut self, tile: Option<&Arc<T>>) {
        if let Some(tile) = tile
            && self.seen.insert(Arc::as_ptr(tile) as usize)
        {
            self.bytes += size_of::<T>();
        }
    }
}

fn compare<const C: usize>(before: &Tiles<C>, after: &Tiles<C>, old: &mut Count, new: &mut Count) {
    before.for_differences(after, |_, was, is| {
        old.add(was);
        new.add(is);
    });
}
