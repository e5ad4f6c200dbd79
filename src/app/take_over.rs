//! The recipe of a picture file, whoever wrote it, as the draft: what a draft can hold is taken over.

use super::state::{Draft, Model, Said, State};
use crate::base::Extent;
use crate::recipe::Interval;
use crate::recipe::check::REUSE_LIMIT;
use crate::recipe::metadata::{OWN, ReadRecipe};

/// A side that no recipe of ours goes below, in pixels.
const LEAST_SIDE: u32 = 64;
const MOST_SIDE: u32 = 8192;
/// As little as the window's slider gives.
const LEAST_STRENGTH: f64 = 0.01;

/// Makes what the file says the draft, and tells the artist.
pub fn take_over(state: &mut State, recipe: &ReadRecipe) {
    let known = recipe.model.as_ref().map(|name| state.models.iter().position(|model| is_named(model, name)));
    if let Some(Some(model)) = known {
        state.draft.model = model;
    }
    let factor = state.model().map_or(8, |model| model.family.factor);
    // The recipe's words have the styles in them.
    state.worn.clear();
    fill(&mut state.draft, recipe, factor);
    state.avoiding |= !recipe.negative.is_empty();
    match (known, &recipe.model) {
        (Some(None), Some(model)) => {
            state.say(Said::Note("note-reused-other-model", vec![("model", model.clone())]));
        }
        _ if recipe.repaint => state.say(Said::Note("note-repaint-reused", Vec::new())),
        _ => state.say(Said::Note("note-recipe-reused", Vec::new())),
    }
}

/// By the name that people see or the one that recipes have, without case.
fn is_named(model: &Model, name: &str) -> bool {
    let same = |own: &str| own.to_lowercase() == name.to_lowercase();
    same(&model.name) || model.path.file_stem().is_some_and(|stem| same(&stem.to_string_lossy()))
}

fn fill(draft: &mut Draft, recipe: &ReadRecipe, factor: u32) {
    draft.prompt.clone_from(&recipe.prompt);
    draft.negative.clone_from(&recipe.negative);
    let sampling = &mut draft.sampling;
    if let Some(sampler) = recipe.sampler {
        sampling.sampler = sampler;
        sampling.eta = recipe.eta.unwrap_or(sampler.default_eta());
    }
    if let Some(schedule) = recipe.schedule {
        sampling.schedule = schedule;
    }
    if let Some(steps) = recipe.steps {
        sampling.steps = steps.clamp(1, 1000);
    }
    if let Some(guidance) = recipe.guidance.filter(|guidance| guidance.is_finite()) {
        sampling.guidance = guidance.clamp(1.0, 50.0);
    }
    // A picture that tells nothing of these was painted without.
    sampling.interval = recipe.interval.filter(Interval::is_sound).unwrap_or_default();
    sampling.reuse = recipe.reuse.unwrap_or(1).clamp(1, REUSE_LIMIT);
    // Ours say it of every picture that was painted over another.
    if recipe.source == OWN {
        let strength = recipe.strength.filter(|strength| strength.is_finite()).unwrap_or(1.0);
        draft.strength = strength.clamp(LEAST_STRENGTH, 1.0);
    }
    // The size of what is repainted follows from the mask.
    if let Some(size) = recipe.size.filter(|size| !size.is_empty() && !recipe.repaint) {
        draft.size = Extent::new(fit(size.width, factor), fit(size.height, factor));
    }
    if let Some(seed) = recipe.seed {
        (draft.seed.value, draft.seed.kept) = (seed, true);
    }
    draft.batch = 1;
}

/// The nearest multiple of `factor` within what can be painted.
fn fit(side: u32, factor: u32) -> u32 {
    let factor = factor.max(1);
    let side = side.clamp(LEAST_SIDE, MOST_SIDE);
    ((side + factor / 2) / factor).max(1) * factor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::settings::Settings;
    use crate::recipe::metadata::from_texts;
    use crate::words::Language;

    #[test]
    fn what_a_draft_can_hold_is_taken_over_and_the_rest_stays() {
        let mut state = State::new(vec![], &Settings::default(), Language::ZhCn);
        let before = state.draft.sampling;
        let text = "山，水\nNegative prompt: 雾\nSteps: 5000, Sampler: No Such, CFG scale: 0.5, Seed: 7, Size: 515x511, \
                    Model: 别家";
        take_over(&mut state, &from_texts(&[("parameters".into(), text.into())]).unwrap());
        let draft = &state.draft;
        assert_eq!((draft.prompt.as_str(), draft.negative.as_str()), ("山，水", "雾"));
        assert_eq!(
            (draft.sampling.sampler, draft.sampling.steps, draft.sampling.guidance),
            (before.sampler, 1000, 1.0)
        );
        assert_eq!((draft.size, draft.seed.value, draft.seed.kept), (Extent::new(512, 512), 7, true));
        assert!(state.avoiding);
        let other = vec![("model", "别家".to_owned())];
        assert_eq!(state.messages[0].said, Said::Note("note-reused-other-model", other));
    }

    #[test]
    fn of_a_repaint_the_strength_is_taken_over_and_the_size_is_not() {
        let mut state = State::new(vec![], &Settings::default(), Language::ZhCn);
        let size = state.draft.size;
        let own = |rest: &str| {
            let text = format!(r#"{{"danqing":1,"prompt":"竹","size":{{"width":256,"height":320}}{rest}}}"#);
            from_texts(&[("danqing".into(), text)]).unwrap()
        };
        take_over(&mut state, &own(r#","strength":0.6,"inpaint":{"feather":0.0,"paste":false}"#));
        assert_eq!((state.draft.size, state.draft.strength), (size, 0.6));
        assert_eq!(state.messages[0].said, Said::Note("note-repaint-reused", Vec::new()));
        take_over(&mut state, &own(r#","strength":-3.0"#));
        assert_eq!((state.draft.size, state.draft.strength), (Extent::new(256, 320), LEAST_STRENGTH));
        // From words alone: nothing of the canvas was seen.
        take_over(&mut state, &own(""));
        assert_eq!(state.draft.strength, 1.0);
    }
}
