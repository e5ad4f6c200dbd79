//! [`Guard`]: keeps the document safe while it is unsaved, and brings back what earlier sessions have left.

use super::Lost;
use super::errands::{FileErrand, FileReport};
use super::reports::{may_give_way, restore};
use crate::app::desk::Desk;
use crate::app::desk::Sheet;
use crate::app::recovery::document::{Kept, title};
use crate::app::recovery::{Found, Keeper, News};
use crate::app::state::State;
use crate::app::update::{Card, Effect};
use crate::canvas::history::Revision;
use std::path::PathBuf;

/// See the module.
#[derive(Debug)]
pub struct Guard {
    keeper: Option<Keeper>,
    /// The document that was kept last.
    seen: Option<Seen>,
    lost: Vec<(u64, Found)>,
    /// Is on the desk; it goes when the keeper has the desk safe, or nobody needs it.
    taken: Vec<Found>,
    /// The newest that is found at the start is opened without asking.
    at_once: bool,
}

#[derive(Debug, PartialEq)]
struct Seen {
    sheet: Sheet,
    revision: Revision,
    saved: bool,
    path: Option<PathBuf>,
}

impl Guard {
    /// Keeps under `root`. If `at_once`, the newest of what is found there comes onto the desk.
    pub fn new(root: PathBuf, at_once: bool, waker: impl Fn() + Send + 'static) -> Self {
        let keeper = Some(Keeper::spawn(root, waker));
        Self { keeper, seen: None, lost: Vec::new(), taken: Vec::new(), at_once }
    }

    /// Hands the document over if it is another than before. Cheap: call it often.
    pub fn watch(&mut self, desk: &Desk) {
        let Some(keeper) = &self.keeper else { return };
        let editor = desk.editor();
        let (revision, saved) = (editor.revision(), editor.history().is_saved());
        let same = self.seen.as_ref().is_some_and(|seen| {
            seen.revision == revision
                && seen.saved == saved
                && seen.sheet == desk.sheet()
                && seen.path == desk.paper.path
        });
        if same {
            return;
        }
        let path = desk.paper.path.clone();
        if saved {
            keeper.clear();
            self.taken.drain(..).for_each(Found::discard);
        } else {
            let (document, paper) = (desk.document().clone(), desk.paper.clone());
            // What was just brought back has one copy on the disk already, which goes when there is another.
            keeper.keep(Kept { document, paper }.snapshot(), !self.taken.is_empty());
        }
        self.seen = Some(Seen { sheet: desk.sheet(), revision, saved, path });
    }

    /// Takes note of what the keeper reports; true if there was something to tell.
    pub fn poll(&mut self, state: &mut State) -> bool {
        let mut told = false;
        while let Some(news) = self.keeper.as_ref().and_then(Keeper::poll) {
            match news {
                News::Kept => {
                    tracing::info!("the document is kept safe");
                    self.taken.drain(..).for_each(Found::discard);
                }
                News::Failed(problem) => {
                    state.complain(problem);
                    told = true;
                }
            }
        }
        told
    }

    /// Takes note of what was found and restored; other reports are given back.
    pub fn note(&mut self, state: &mut State, report: FileReport) -> Result<Vec<Effect>, FileReport> {
        match report {
            FileReport::Found(found) => {
                self.lost = (1..).zip(found).collect();
                let lost = self.lost.iter().map(|(number, found)| Lost {
                    number: *number,
                    name: title(&found.about).map(|(name, _)| name).unwrap_or_default(),
                    saved: found.saved,
                });
                state.filing.lost = lost.collect();
                let newest = state.filing.lost.first().map(|lost| lost.number);
                Ok(match newest {
                    Some(number) if self.at_once && state.desk.is_fresh() => vec![Effect::RestoreLost(number)],
                    Some(_) => vec![Effect::Show(Card::Lost)],
                    None => Vec::new(),
                })
            }
            FileReport::Restored { number, found, asked, result } => {
                match result {
                    Ok(kept) if may_give_way(state, asked) => {
                        tracing::info!(layers = kept.document.layers().len(), "an unsaved document is restored");
                        state.filing.lost.retain(|lost| lost.number != number);
                        restore(state, *kept);
                        self.taken.push(*found);
                    }
                    // It is still there to be chosen.
                    Ok(_) => self.lost.push((number, *found)),
                    Err(problem) => {
                        tracing::warn!(%problem, "an unsaved document cannot be restored");
                        state.complain(problem);
                        self.lost.push((number, *found));
                    }
                }
                // Who has chosen one from the card has seen the others.
                let others = std::mem::take(&mut self.at_once) && !state.filing.lost.is_empty();
                Ok(if others { vec![Effect::Show(Card::Lost)] } else { Vec::new() })
            }
            other => Err(other),
        }
    }

    /// The errand that brings one back; `None` if it is on its way, or gone.
    pub fn restore(&mut self, number: u64, asked: Revision) -> Option<FileErrand> {
        let found = Box::new(self.take(number)?);
        Some(FileErrand::Restore { number, found, asked })
    }

    /// Takes one away for good.
    pub fn discard(&mut self, number: u64) {
        if let Some(found) = self.take(number) {
            found.discard();
        }
    }

    fn take(&mut self, number: u64) -> Option<Found> {
        let at = self.lost.iter().position(|(own, _)| *own == number)?;
        Some(self.lost.swap_remove(at).1)
    }

    /// The session ends, and nothing of its document is to come back.
    pub fn end(&mut self) {
        self.taken.drain(..).for_each(Found::discard);
        if let Some(keeper) = self.keeper.take() {
            keeper.end();
        }
    }
}
