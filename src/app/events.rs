//! What the worker and the clerk report, and what it does to the state.

use super::clerk::Report;
use super::filing;
use super::masking;
use super::placing::Placed;
use super::staging::{self, Purpose, Staging};
use super::state::{Landing, Painting, Said, State, Trail};
use super::update::{Effect, lay, start_next};
use super::wall;
use crate::base::{ImageId, LayerId, Problem};
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
        Event::Restarted { id, why } => {
            if let Some(forming) = state.forming.as_mut().filter(|forming| forming.job == id) {
                // The timeline begins anew, too.
                forming.trails.clear();
                forming.stepped = Instant::now();
            }
            state.complain(why);
            Vec::new()
        }
        Event::Finished { id, recipe, output } => {
            // It stays for a retry, as long as the job is known.
            let placed = state.places.get(&id);
            let (place, spot) = (placed.map(|placed| placed.place.clone()), placed.map(Placed::spot));
            let lies_here = state.place_of(id).is_some();
            let model = state.model_name(&recipe);
            let formed = state.forming.as_ref().filter(|forming| forming.job == id);
            let trails = formed.map(|forming| forming.trails.clone()).unwrap_or_default();
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
                        spot,
                    }
                })
                .collect();
            // Hung from the last to the first, so that the strip reads in the order of the seeds.
            paintings.iter().rev().for_each(|painting| state.hang(painting.clone()));
            // The canvas first, which one looks at; the disk can wait.
            let first = paintings.first().filter(|_| lies_here).cloned();
            if lies_here {
                state.staging = Staging::of(paintings.clone(), state.desk.sheet());
            }
            let purpose = if state.staging.is_some() { Purpose::Stage } else { Purpose::Lay };
            let mut effects: Vec<_> = first.map(|painting| lay(state, painting, purpose)).into_iter().collect();
            effects.extend(paintings.into_iter().map(Effect::Keep));
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

/// The easel is free: the next job begins.
fn settled(state: &mut State) -> Vec<Effect> {
    state.forming = None;
    state.tidy_places();
    start_next(state)
}

/// Lays on the canvas what waits for it, unless the artist is at work there; true if there was anything. What was meant
/// for a document that is gone hangs in the strip and nowhere else.
pub(super) fn land(state: &mut State) -> bool {
    if state.landing.is_empty() || state.desk.is_busy() {
        return false;
    }
    while let Some(landing) = state.landing.pop_front() {
        if landing.sheet != state.desk.sheet() {
            continue;
        }
        let laid = match landing.purpose {
            Purpose::Lay => lay_plainly(state, landing).map(|_| ()),
            Purpose::Stage | Purpose::Leaf => staging::land(state, landing),
        };
        if let Err(problem) = laid {
            state.complain(problem);
        }
    }
    true
}

/// Lays a picture on the document that is on the desk; gives its layer.
pub(super) fn lay_plainly(state: &mut State, landing: Landing) -> Result<LayerId, Problem> {
    let Landing { id, name, pixels, fills, texts, .. } = landing;
    let step = if fills { "edit-paint" } else { "edit-repaint" };
    let layer = state.desk.lay(step, &name, pixels, fills)?;
    state.desk.paper.texts = texts;
    state.landed = Some(id);
    Ok(layer)
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
                painting.file = Some(file.clone());
            }
            state.wall.add(file);
        }
        Report::Exported(file) => {
            state.say(Said::Note("note-saved", vec![("file", file.display().to_string())]));
        }
        Report::Prepared { ticket, result } => {
            match *result {
                Ok((recipe, placed)) => {
                    // It may have been cancelled meanwhile.
                    if state.ledger.fill(ticket, recipe) {
                        state.places.insert(ticket, placed);
                    }
                }
                Err(problem) => {
                    if state.ledger.give_up(ticket) {
                        state.complain(problem);
                    }
                }
            }
            return start_next(state);
        }
        Report::Joined { id, purpose, name, pixels, fills, sheet, texts } => {
            state.joining = state.joining.saturating_sub(1);
            state.landing.push_back(Landing { id, purpose, name, pixels, fills, sheet, texts });
            land(state);
        }
        Report::Devices(list) => state.devices.note(list),
        Report::Masked { ticket, result } => return masking::note(state, ticket, result),
        Report::File(report) => return filing::note(state, *report),
        Report::Failed(problem) | Report::Remembered(Err(problem)) => state.complain(problem),
        Report::Remembered(Ok(())) => {}
        Report::Looked { id, stamp, picture } => wall::looked_up(&mut state.wall, id, stamp, picture),
        Report::ForClipboard(picture) => {
            state.wall.clipboard = Some(picture);
            state.say(Said::Note("note-wall-copied", Vec::new()));
        }
        Report::Imported(files) => wall::imported(state, files),
    }
    Vec::new()
}
