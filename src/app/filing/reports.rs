//! What came of the errands about files.

use super::carry_out::{changed_over, lay, request};
use super::errands::FileReport;
use super::paper::stem;
use super::reading::ForLayer;
use super::{Next, Opened, Paper};
use crate::app::command::Command;
use crate::app::recovery::document::Kept;
use crate::app::state::{Said, State};
use crate::app::update::Effect;
use crate::base::ProblemKind;
use crate::canvas::history::Revision;
use std::path::{Path, PathBuf};

/// Takes note of a report; those about lost documents are the guard's.
pub fn note(state: &mut State, report: FileReport) -> Vec<Effect> {
    match report {
        FileReport::Opened { path, asked, result: Ok(opened) } => {
            // What was done while the file was read would be lost.
            if !may_give_way(state, asked) {
                return request(state, Next::Put(path, opened));
            }
            put(state, path, *opened);
        }
        FileReport::Opened { path, result: Err(problem), .. } => {
            if problem.kind == ProblemKind::Unreadable {
                state.filing.forget(&path);
            }
            state.complain(problem);
        }
        FileReport::Saved { path, revision, sheet, result: Ok(()) } => {
            state.say(Said::Note("note-saved", file(&path)));
            if sheet == state.desk.sheet() {
                state.desk.mark_saved(revision);
                let paper = std::mem::take(&mut state.desk.paper);
                state.desk.paper = Paper { name: stem(&path), path: Some(path.clone()), ..paper };
            }
            state.filing.remember(path);
            // If it was changed meanwhile, that is asked about.
            return match state.filing.after.take() {
                Some(next) => request(state, next),
                None => Vec::new(),
            };
        }
        FileReport::Saved { result: Err(problem), .. } => {
            state.filing.after = None;
            state.complain(problem);
        }
        FileReport::Exported(Ok((path, complete))) => {
            state.say(Said::Note(if complete { "note-saved" } else { "note-saved-without-recipe" }, file(&path)));
        }
        FileReport::Read { path, canvas, result: Ok(ForLayer { picture, at }) } => {
            // Another document may have come meanwhile.
            let at = at.filter(|_| state.desk.document().extent() == canvas);
            lay(state, &stem(&path), &picture, at);
        }
        FileReport::Exported(Err(problem)) | FileReport::Read { result: Err(problem), .. } => state.complain(problem),
        FileReport::Copied(picture) => {
            state.filing.copied = Some(picture);
            state.say(Said::Note("note-copied", Vec::new()));
        }
        FileReport::Found(_) | FileReport::Restored { .. } => {}
    }
    Vec::new()
}

fn file(path: &Path) -> Vec<(&'static str, String)> {
    vec![("file", path.display().to_string())]
}

/// The document of a file comes onto the desk.
pub fn put(state: &mut State, path: PathBuf, opened: Opened) {
    let Opened { document, paper, warnings } = opened;
    state.desk.replace(document);
    state.desk.paper = paper;
    changed_over(state);
    state.filing.remember(path);
    // A project comes back as it was left; of a picture one may want to know how it was made.
    if state.desk.paper.path.is_none() && state.desk.paper.recipe().is_some() {
        state.say(Said::Offer("note-recipe-found", Vec::new(), Command::TakeRecipe));
    }
    warnings.into_iter().for_each(|warning| state.complain(warning));
}

/// What a session has left that ended suddenly comes onto the desk.
pub fn restore(state: &mut State, kept: Kept) {
    let Kept { document, paper } = kept;
    state.desk.replace(document);
    state.desk.mark_unsaved();
    state.desk.paper = paper;
    changed_over(state);
    state.say(Said::Note("note-restored", Vec::new()));
}

/// Nothing was done to the document since another was asked for.
pub fn may_give_way(state: &State, asked: Revision) -> bool {
    state.desk.editor().revision() == asked && !state.desk.editor().is_open()
}
