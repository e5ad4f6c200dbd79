//! What each act does to the wall.

use super::super::clerk::Errand;
use super::super::state::{Said, State, View};
use super::super::update::Effect;
use super::act::{Act, Step};
use super::selection::Pick;
use super::{Ask, Comparison, Wall};
use crate::app::take_over;
use crate::gallery::{Details, EntryId, Request};

/// Carries out an act of the gallery; what remains is for the window.
pub fn carry_out(state: &mut State, act: Act) -> Vec<Effect> {
    match act {
        Act::Back => back(state),
        Act::Reuse => {
            if let Some(id) = state.wall.target() {
                reuse(state, id);
            }
        }
        Act::ToCanvas => {
            if let Some(file) = state.wall.target().and_then(|id| state.wall.file(id)) {
                return super::super::update::update(state, super::super::Command::SendToCanvas(file));
            }
        }
        Act::Export => {
            let file = state.wall.target().and_then(|id| state.wall.file(id));
            return file.map(Effect::AskCopyPath).into_iter().collect();
        }
        Act::Undo if !state.wall.can_undo() => state.say(Said::Note("note-wall-nothing-to-undo", Vec::new())),
        act => state.wall.act(act),
    }
    Vec::new()
}

/// One step back to where one came from.
fn back(state: &mut State) {
    let wall = &mut state.wall;
    if wall.comparing.take().is_some() {
        return;
    }
    if let Some(id) = wall.looking.take() {
        wall.details = None;
        if let Some(place) = wall.place(id) {
            wall.go_to(place, Pick::Only);
        }
    } else if !wall.selection.is_empty() {
        wall.selection.clear();
    } else {
        state.view = View::Easel;
    }
}

/// Makes what the file says the draft, if it says anything.
pub(super) fn take_over(state: &mut State, details: &Details) {
    match &details.recipe {
        Some(recipe) => take_over::take_over(state, recipe),
        None => state.say(Said::Note("note-wall-no-recipe", Vec::new())),
    }
}

fn reuse(state: &mut State, id: EntryId) {
    match state.wall.details.take_if(|details| details.entry.id == id) {
        Some(details) => {
            take_over(state, &details);
            state.wall.details = Some(details);
        }
        None => {
            state.wall.reusing = Some(id);
            state.wall.ask(Request::Details(id));
        }
    }
}

impl Wall {
    /// The acts that ask nothing of the rest of the state.
    fn act(&mut self, act: Act) {
        match act {
            Act::Pick(id, pick) => {
                let Self { selection, ids, places, .. } = self;
                selection.pick(id, pick, ids, |id| places.get(&id).copied());
            }
            Act::Go(step, extend) => self.go(step, if extend { Pick::Range } else { Pick::Only }),
            Act::SelectAll => self.selection.all(&self.ids),
            Act::SelectNone => self.selection.clear(),
            Act::Look(id) => self.look(id),
            Act::LookAtChosen => {
                if let Some(id) = self.target().or_else(|| self.ids.first().copied()) {
                    self.look(id);
                }
            }
            Act::Next => self.leaf(1),
            Act::Previous => self.leaf(-1),
            Act::Compare => self.compare(),
            Act::Swap => {
                if let Some(comparison) = &mut self.comparing {
                    comparison.pair.reverse();
                }
            }
            Act::Slider => {
                if let Some(comparison) = &mut self.comparing {
                    comparison.slider = !comparison.slider;
                }
            }
            Act::Favourite => {
                let ids = self.targets();
                self.set_favourite(ids);
            }
            Act::Star(id) => self.set_favourite(vec![id]),
            Act::Delete => {
                let ids = self.targets();
                if !ids.is_empty() {
                    self.ask(Request::Delete(ids));
                }
            }
            Act::Undo => {
                if let Some(token) = self.deletions.pop() {
                    self.ask(Request::Restore(token));
                }
            }
            Act::Reveal => self.errand(Errand::Reveal),
            Act::Copy => self.errand(Errand::CopyPicture),
            Act::ExportTo(from, to) => self.asks.push_back(Ask::Clerk(Errand::CopyFile { from, to })),
            Act::Import(files) => {
                let folder = self.folder.clone();
                self.asks.push_back(Ask::Clerk(Errand::Import { files, folder }));
            }
            Act::ClearFilter => self.filter.clear(),
            Act::Refresh => self.refresh(),
            Act::Back | Act::Reuse | Act::ToCanvas | Act::Export => {}
        }
    }

    fn errand(&mut self, make: impl FnOnce(std::path::PathBuf) -> Errand) {
        if let Some(file) = self.target().and_then(|id| self.file(id)) {
            self.asks.push_back(Ask::Clerk(make(file)));
        }
    }

    pub(super) fn look(&mut self, id: EntryId) {
        if self.looking != Some(id) {
            self.details = None;
            self.ask(Request::Details(id));
        }
        self.looking = Some(id);
        if let Some(place) = self.place(id) {
            self.go_to(place, Pick::Only);
        }
    }

    fn leaf(&mut self, step: isize) {
        let place = self.looking.and_then(|id| self.place(id));
        let next = place.and_then(|place| self.ids.get(place.checked_add_signed(step)?).copied());
        if let Some(id) = next {
            self.look(id);
        }
    }

    fn go(&mut self, step: Step, pick: Pick) {
        let Some(last) = self.ids.len().checked_sub(1) else { return };
        let (columns, page) = (self.columns.max(1), self.columns.max(1) * self.lines.max(1));
        let place = match self.selection.cursor().and_then(|id| self.place(id)) {
            // The first key only shows where the keyboard is.
            None => {
                if step == Step::Last {
                    last
                } else {
                    0
                }
            }
            Some(at) => match step {
                Step::Left => at.saturating_sub(1),
                Step::Right => at + 1,
                Step::Up => at.checked_sub(columns).unwrap_or(at),
                // From the row before the last, down is the last even if nothing is straight below.
                Step::Down if at / columns < last / columns => (at + columns).min(last),
                Step::Down => at,
                Step::PageUp => at.checked_sub(page).unwrap_or(at % columns),
                Step::PageDown => at + page,
                Step::First => 0,
                Step::Last => last,
            },
        };
        self.go_to(place.min(last), pick);
    }

    pub(super) fn go_to(&mut self, place: usize, pick: Pick) {
        if let Some(id) = self.ids.get(place).copied() {
            self.act(Act::Pick(id, pick));
            self.reveal = true;
        }
    }

    fn compare(&mut self) {
        let chosen = self.selection.in_order(&self.ids);
        let pair = match (chosen.as_slice(), self.looking) {
            (&[a, b, ..], None) => Some([a, b]),
            (_, looking) => looking.or_else(|| self.target()).and_then(|id| {
                let place = self.place(id)?;
                let beside = self.ids.get(place + 1).or_else(|| self.ids.get(place.checked_sub(1)?))?;
                Some([id, *beside])
            }),
        };
        if let Some(pair) = pair {
            self.comparing = Some(Comparison { pair, slider: false, parting: 0.5 });
        }
    }

    /// All of them become favourites; if they are that already, none is.
    fn set_favourite(&mut self, ids: Vec<EntryId>) {
        if ids.is_empty() {
            return;
        }
        let favourite = !ids.iter().all(|id| self.entry(*id).is_some_and(|entry| entry.favourite));
        for id in &ids {
            // Shown before the librarian has done it.
            if let Some(entry) = self.rows.get_mut(id) {
                entry.favourite = favourite;
            }
        }
        if let Some(details) = self.details.as_mut().filter(|details| ids.contains(&details.entry.id)) {
            details.entry.favourite = favourite;
        }
        self.ask(Request::SetFavourite { ids, favourite });
    }
}
