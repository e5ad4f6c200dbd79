//! What the worker and the clerk report, and what it does to the state.

use super::clerk::Report;
use super::state::{Painting, Said, State, Trail, View};
use super::update::{Effect, start_next};
use super::wall;
use crate::base::ImageId;
use crate::jobs::Event;
use crate::recipe::Recipe;
use std::sync::Arc;
use std::time::Instant;

/// Takes note of an event of the worker.
pub fn apply(state: &mut State, event: Event) -> Vec<Effect> {
    state.ledger.apply(&event);
    match event {
        Event::Started { .. } | Event::Phase { .. } => Vec::new(),
        Event::Step { id, previews, .. } => {
            if let Some(forming) = state.forming.as_mut().filter(|forming| forming.job == id) {
                forming.previews = previews.into_iter().map(Arc::new).collect();
                forming.trails.resize_with(forming.previews.len(), Trail::default);
                for (trail, preview) in forming.trails.iter_mut().zip(&forming.previews) {
                    Arc::make_mut(trail).push(preview.clone());
                }
                forming.serial += 1;
                forming.stepped = Instant::now();
            }
            Vec::new()
        }
        Event::Finished { recipe, output, .. } => {
            let model = state.model_name(&recipe);
            let trails = state.forming.as_ref().map(|forming| forming.trails.clone()).unwrap_or_default();
            let paintings: Vec<Painting> = (0u64..)
                .zip(output.pictures)
                .map(|(k, picture)| {
                    let trail = trails.get(k as usize).cloned().unwrap_or_default();
                    let recipe = Recipe { seed: recipe.seed.wrapping_add(k), batch: 1, ..(*recipe).clone() };
                    let (picture, recipe) = (Arc::new(picture), Arc::new(recipe));
                    let model = model.clone();
                    Painting { id: ImageId::fresh(), picture, recipe, model, thumbnail: None, file: None, trail }
                })
                .collect();
            // Hung from the last to the first, so that the strip reads in the order of the seeds.
            paintings.iter().rev().for_each(|painting| state.hang(painting.clone()));
            let mut effects: Vec<_> = paintings.into_iter().map(Effect::Keep).collect();
            effects.extend(settled(state));
            effects
        }
        Event::Failed { problem, .. } => {
            if problem.is_cancelled() {
                state.say(Said::Note("note-stopped", Vec::new()));
            } else {
                state.complain(problem);
            }
            settled(state)
        }
    }
}

/// The easel is free: what was made last is looked at, and the next job begins.
fn settled(state: &mut State) -> Vec<Effect> {
    state.forming = None;
    let effects = start_next(state);
    // A queue of jobs does not take the easel away from who watches it.
    if state.view == View::Easel
        && effects.is_empty()
        && let Some(newest) = state.paintings.front()
    {
        state.view = View::Painting(newest.id);
    }
    effects
}

/// Takes note of a report of the clerk.
pub(super) fn note(state: &mut State, report: Report) {
    match report {
        Report::Thumbnail { id, thumbnail } => {
            if let Some(painting) = state.paintings.iter_mut().find(|painting| painting.id == id) {
                painting.thumbnail = Some(Arc::new(thumbnail));
            }
        }
        Report::Kept { id, file } => {
            if let Some(painting) = state.paintings.iter_mut().find(|painting| painting.id == id) {
                painting.file = Some(file.clone());
            }
            state.wall.add(file);
        }
        Report::Exported(file) => {
            state.say(Said::Note("note-saved", vec![("file", file.display().to_string())]));
        }
        Report::Failed(problem) | Report::Remembered(Err(problem)) => state.complain(problem),
        Report::Remembered(Ok(())) => {}
        Report::Looked { id, stamp, picture } => wall::looked_up(&mut state.wall, id, stamp, picture),
        Report::ForClipboard(picture) => {
            state.wall.clipboard = Some(picture);
            state.say(Said::Note("note-wall-copied", Vec::new()));
        }
        Report::Imported(files) => wall::imported(state, files),
    }
}
