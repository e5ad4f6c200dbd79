//! [`Editor`]: the document at hand, its history, and the one transaction that may be open.

use super::change::Change;
use super::document::Document;
use super::history::{BUDGET, History, Revision};
use super::transaction::Transaction;
use crate::base::{LayerId, Problem, ProblemKind};

/// Owns a document. Everything that changes it goes through here.
#[derive(Debug)]
pub struct Editor {
    document: Document,
    history: History,
    /// The step in hand: its name, and the document as it was.
    open: Option<(&'static str, Document)>,
    /// The document as [`Self::take_change`] last saw it.
    shown: Document,
}

impl Editor {
    /// With the usual memory budget for the history; the document counts as saved.
    pub fn new(document: Document) -> Self {
        Self { history: History::new(document.clone(), BUDGET), open: None, shown: document.clone(), document }
    }

    /// The document as it is to be seen, with the step in hand.
    pub const fn document(&self) -> &Document {
        &self.document
    }

    pub const fn history(&self) -> &History {
        &self.history
    }

    /// How many bytes the history may hold beside the document.
    pub fn set_budget(&mut self, bytes: usize) {
        self.history.set_budget(bytes);
    }

    /// One step, at once. If `work` fails, the document stays as it was. If it changes nothing, there is no step.
    ///
    /// # Errors
    /// What `work` gives, or [`ProblemKind::StrokeOpen`] while a step is in hand.
    pub fn edit<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        self.begin(name)?;
        // The work is done on a clone, so that nothing is left of it even when it panics.
        let mut document = self.document.clone();
        let (_, before) = self.open.take().unwrap_or_else(|| (name, self.document.clone()));
        let result = work(&mut Transaction::new(&before, &mut document))?;
        self.document = document;
        self.finish(name, before);
        Ok(result)
    }

    /// Changes what the last step made, without a step of its own; what was undone is forgotten. If `work` fails, or
    /// changes nothing, all is as it was.
    ///
    /// # Errors
    /// What `work` gives, or [`ProblemKind::StrokeOpen`] while a step is in hand.
    pub fn amend<T>(&mut self, work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Problem>) -> Result<T, Problem> {
        if self.open.is_some() {
            return Err(Problem::new(ProblemKind::StrokeOpen));
        }
        let mut document = self.document.clone();
        let result = work(&mut Transaction::new(&self.document, &mut document))?;
        document.settle(&self.document);
        if !Change::between(&self.document, &document).is_nothing() {
            self.history.replace(document.clone());
            self.document = document;
        }
        Ok(result)
    }

    /// Opens a step that lasts (a stroke, a slider being dragged), to be changed through [`Self::transaction`] and
    /// ended by [`Self::commit`] or [`Self::cancel`].
    ///
    /// # Errors
    /// [`ProblemKind::StrokeOpen`] if one is open already.
    pub fn begin(&mut self, name: &'static str) -> Result<(), Problem> {
        if self.open.is_some() {
            return Err(Problem::new(ProblemKind::StrokeOpen));
        }
        self.open = Some((name, self.document.clone()));
        Ok(())
    }

    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The open step, for changing; `None` if there is none.
    pub fn transaction(&mut self) -> Option<Transaction<'_>> {
        let (_, before) = self.open.as_ref()?;
        Some(Transaction::new(before, &mut self.document))
    }

    /// Ends the open step. True if it changed something and so became a step of the history.
    pub fn commit(&mut self) -> bool {
        match self.open.take() {
            Some((name, before)) => self.finish(name, before),
            None => false,
        }
    }

    /// Drops the open step: the document is again as it was. True if there was one.
    pub fn cancel(&mut self) -> bool {
        match self.open.take() {
            Some((_, before)) => {
                self.document = before;
                true
            }
            None => false,
        }
    }

    fn finish(&mut self, name: &'static str, before: Document) -> bool {
        self.document.settle(&before);
        let changed = !Change::between(&before, &self.document).is_nothing();
        if changed {
            self.history.push(name, self.document.clone());
        } else {
            let active = self.document.active;
            self.document = before;
            self.activate(active);
        }
        changed
    }

    /// Takes back the last step; while a step is in hand, that one instead. True if there was one.
    pub fn undo(&mut self) -> bool {
        self.cancel() || self.history.position().checked_sub(1).is_some_and(|position| self.go(position))
    }

    /// Does again what was undone. False if there is nothing, or a step is in hand.
    pub fn redo(&mut self) -> bool {
        self.open.is_none() && self.go(self.history.position() + 1)
    }

    /// To the state after `position` steps. A step in hand is dropped. False if there are not so many.
    pub fn jump(&mut self, position: usize) -> bool {
        self.cancel();
        self.go(position)
    }

    fn go(&mut self, position: usize) -> bool {
        match self.history.go(position) {
            Some(document) => {
                self.document = document;
                true
            }
            None => false,
        }
    }

    /// Chooses the layer that tools work on: no change of the document, hence no step. Unknown layers are not taken.
    pub fn activate(&mut self, id: LayerId) {
        if self.document.layer(id).is_some() {
            self.document.active = id;
            if self.open.is_none() {
                self.history.amend(|document| document.active = id);
            }
        }
    }

    /// True if the document is as it was when last saved, and no step in hand has changed it.
    pub fn is_saved(&self) -> bool {
        let untouched = |(_, before): &(&'static str, Document)| Change::between(before, &self.document).is_nothing();
        self.history.is_saved() && self.open.as_ref().is_none_or(untouched)
    }

    /// The state of the last finished step, for [`Self::mark_saved`] when its writing, elsewhere, has ended.
    pub fn revision(&self) -> Revision {
        self.history.revision()
    }

    /// That state is on the disk.
    pub fn mark_saved(&mut self, revision: Revision) {
        self.history.mark_saved(revision);
    }

    /// No state is on the disk: a new picture that nobody has saved, or a recovered one.
    pub fn mark_unsaved(&mut self) {
        self.history.mark_unsaved();
    }

    /// What has changed since the last call (since [`Self::new`] at first), by whatever way: strokes in hand, steps,
    /// undo. For the one display; others keep a clone of the document and call [`Change::between`].
    pub fn take_change(&mut self) -> Change {
        self.take_change_to(self.document.clone())
    }

    /// As [`Self::take_change`], for a display that shows another document for a while.
    pub fn take_change_to(&mut self, shown: Document) -> Change {
        let change = Change::between(&self.shown, &shown);
        self.shown = shown;
        change
    }
}
