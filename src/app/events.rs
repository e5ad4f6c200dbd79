//! What the worker and the clerk report, and what it does to the state.

use super::clerk::Report;
use super::filing;
use super::state::{Painting, Said, State, Trail};
use super::update::{Effect, start_next};
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
        Event::Finished { id, recipe, output } => {
            let place = state.places.remove(&id);
            let model = state.model_name(&recipe);
            let trails = state.forming.as_ref().map(|forming| forming.trails.clone()).unwrap_or_default();
            let paintings: Vec<Painting> = (0u64..)
                .zip(output.pictures)
                .map(|(k, picture)| {
                    let trail = trails.get(k as usize).cloned().unwrap_or_default();
                    let recipe = Recipe { seed: recipe.seed.wrapping_add(k), batch: 1, ..(*recipe).clone() };
                    let (picture, recipe) = (Arc::new(picture), Arc::new(recipe));
                    let model = model.clone();
                    Painting {
                        id: ImageId::fresh(),
                        picture,
                        recipe,
                        model,
                        thumbnail: None,
                        file: None,
                        trail,
                        place: place.clone(),
                    }
                })
                .collect();
            // Hung from the last to the first, so that the strip reads in the order of the seeds.
            paintings.iter().rev().for_each(|painting| state.hang(painting.clone()));
            let first = paintings.first().cloned();
            let mut effects: Vec<_> = paintings.into_iter().map(Effect::Keep).collect();
            effects.extend(first.filter(|painting| painting.place.is_some()).map(Effect::Lay));
            effects.extend(settled(state));
            effects
        }
        Event::Failed { id, problem } => {
            state.places.remove(&id);
            if problem.is_cancelled() {
                state.say(Said::Note("note-stopped", Vec::new()));
            } else {
                state.complain(problem);
            }
            settled(state)
        }
    }
}

/// The easel is free: the next job begins.
fn settled(state: &mut State) -> Vec<Effect> {
    state.forming = None;
    start_next(state)
}

/// Takes note of a report of the clerk.
pub(super) fn note(state: &mut State, report: Report) -> Vec<Effect> {
    match report {
        Report::Thumbnail { id, thumbnail } => {
            if let Some(painting) = state.paintings.iter_mut().find(|painting| painting.id == id) {
                painting.thumbnail = Some(Arc::new(thumbnail));
            }
        }
        Report::Kept { id, file } => {
            if let Some(painting) = state.paintings.iter_mut().find(|painting| painting.id == id) {
                painting.file = Some(file);
            }
        }
        Report::Exported(file) => {
            state.say(Said::Note("note-saved", vec![("file", file.display().to_string())]));
        }
        Report::Prepared(prepared) => {
            state.preparing = state.preparing.saturating_sub(1);
            match *prepared {
                Ok((recipe, place)) => {
                    let id = state.ledger.enqueue(recipe);
                    state.places.insert(id, place);
                    return start_next(state);
                }
                Err(problem) => state.complain(problem),
            }
        }
        Report::Joined { name, patch, at, fills, texts } => {
            let step = if fills { "edit-paint" } else { "edit-repaint" };
            match state.desk.lay(step, &name, &patch, at, fills) {
                Ok(()) => state.desk.paper.texts = texts,
                Err(problem) => state.complain(problem),
            }
        }
        Report::File(report) => return filing::note(state, *report),
        Report::Failed(problem) | Report::Remembered(Err(problem)) => state.complain(problem),
        Report::Remembered(Ok(())) => {}
    }
    Vec::new()
}
