//! What the librarian and the clerk report of the gallery, and what it does to the wall.

use super::super::command::Command;
use super::super::state::{Said, State};
use super::Wall;
use super::act::Act;
use super::caches::Shown;
use super::carry_out::take_over;
use super::selection::Pick;
use crate::base::Problem;
use crate::gallery::{Deletion, EntryId, Report, Request, Stamp, Thumbnail};
use crate::imaging::Pixmap;
use std::path::PathBuf;
use std::sync::Arc;

/// Takes note of a report of the librarian.
pub fn note(state: &mut State, report: Report) {
    let wall = &mut state.wall;
    match report {
        // The first query has been asked before that.
        Report::Opened(_) | Report::Added(_) => {}
        Report::Progress(progress) => wall.scan = Some(progress),
        Report::Refreshed(_) => {
            wall.scan = None;
            wall.ask(Request::Models);
        }
        Report::Changed => {
            wall.asked = None;
            wall.fresh.clear();
        }
        Report::Found { serial, ids } if serial == wall.serial => {
            wall.answered = true;
            wall.hang(ids);
        }
        Report::Found { .. } => {}
        Report::Rows { rows, .. } => wall.rows.extend(rows.into_iter().map(|entry| (entry.id, entry))),
        Report::Thumbnail { id, thumbnail } => {
            wall.asked_thumbnails.remove(&id);
            let shown = match thumbnail {
                Thumbnail::Ready(picture) => Shown::Ready(picture),
                Thumbnail::Broken => Shown::Broken,
                Thumbnail::Postponed => return,
            };
            if let Some(stamp) = wall.stamp(id) {
                wall.thumbnails.put(id, stamp, shown);
            }
        }
        Report::Deleted(deletion) => deleted(state, &deletion),
        Report::Restored { ids, .. } => {
            wall.looking = None;
            wall.details = None;
            wall.comparing = None;
            wall.selection.set(&ids);
            wall.reveal = true;
            let undo = |said: &Said| matches!(said, Said::Offer(_, _, Command::Wall(Act::Undo)));
            state.messages.retain(|message| !undo(&message.said));
            if !ids.is_empty() {
                state.say(Said::Note("note-wall-restored", vec![("count", ids.len().to_string())]));
            }
        }
        Report::Details(None) => {}
        Report::Details(Some(details)) => {
            let id = details.entry.id;
            if wall.reusing.take_if(|wanted| *wanted == id).is_some() {
                take_over(state, &details);
            }
            if state.wall.looking == Some(id) {
                state.wall.details = Some(details);
            }
        }
        Report::Models(models) => wall.models = models,
        Report::Failed(problem) => state.complain(problem),
    }
}

fn deleted(state: &mut State, deletion: &Deletion) {
    let wall = &mut state.wall;
    wall.deletions.extend(deletion.token);
    wall.forget(&deletion.ids);
    if deletion.token.is_none() {
        return;
    }
    let count = vec![("count", deletion.ids.len().to_string())];
    let said = if deletion.held.is_some() { "note-wall-deleted-held" } else { "note-wall-deleted" };
    state.say(Said::Offer(said, count, Command::Wall(Act::Undo)));
}

/// The clerk has decoded a picture, or could not.
pub fn looked_up(wall: &mut Wall, id: EntryId, stamp: Stamp, picture: Result<Arc<Pixmap>, Problem>) {
    wall.decoding = None;
    wall.pictures.put(id, stamp, picture.map_or(Shown::Broken, Shown::Ready));
}

/// The clerk has copied pictures into the folder.
pub fn imported(state: &mut State, files: Vec<PathBuf>) {
    if files.is_empty() {
        return;
    }
    state.say(Said::Note("note-wall-imported", vec![("count", files.len().to_string())]));
    files.into_iter().for_each(|file| state.wall.ask(Request::Add(file)));
}

impl Wall {
    /// A picture was saved in the folder.
    pub(in super::super) fn add(&mut self, file: PathBuf) {
        self.ask(Request::Add(file));
    }

    /// Takes pictures down at once; the librarian's new list comes a little later. Who looked at one of them looks at
    /// the next.
    fn forget(&mut self, gone: &[EntryId]) {
        let gone: ahash::AHashSet<EntryId> = gone.iter().copied().collect();
        let anchor = self.looking.or(self.selection.cursor()).filter(|id| gone.contains(id));
        let next = anchor.and_then(|id| self.place(id)).and_then(|place| {
            let stays = |id: &&EntryId| !gone.contains(id);
            let after = self.ids.get(place..).unwrap_or_default().iter().find(stays);
            after.or_else(|| self.ids.get(..place).unwrap_or_default().iter().rev().find(stays)).copied()
        });
        if self.comparing.is_some_and(|comparison| comparison.pair.iter().any(|id| gone.contains(id))) {
            self.comparing = None;
        }
        self.hang(self.ids.iter().copied().filter(|id| !gone.contains(id)).collect());
        let looked = self.looking.take_if(|id| gone.contains(id)).is_some();
        match next {
            Some(id) if looked => self.look(id),
            Some(id) => {
                if let Some(place) = self.place(id) {
                    self.go_to(place, Pick::Only);
                }
            }
            None if looked => self.details = None,
            None => {}
        }
    }
}
