//! From the draft to a recipe that the engine will take.

use super::placing::{Place, Placed, Preparation};
use super::state::State;
use crate::base::{Extent, JobId, Problem, ProblemKind};
use crate::recipe::check::check;
use crate::recipe::{FamilyInfo, NoiseSource, Recipe, Source, TextOptions};
use std::hash::{BuildHasher, RandomState};

/// The recipe of the draft with its styles on, and with the draft's seed.
///
/// # Errors
/// [`ProblemKind::ModelMissing`] if no model is chosen, and those of [`check`].
pub fn plan(state: &State) -> Result<Recipe, Problem> {
    let draft = &state.draft;
    let model = state.model().ok_or_else(|| Problem::new(ProblemKind::ModelMissing).with("model", "-"))?;
    let (prompt, negative) = state.styles.apply(&state.worn, &draft.prompt, &draft.negative);
    let negative = if model.family.abilities.negative_prompt { negative } else { String::new() };
    let recipe = Recipe {
        model: model.path.clone(),
        prompt,
        negative,
        sampling: draft.sampling,
        size: draft.size,
        seed: draft.seed.value,
        batch: draft.batch,
        noise: NoiseSource::TorchCpu,
        source: Source::Text,
        inpaint: None,
        text: TextOptions::default(),
        precision: draft.sampling.precision(),
    };
    check(&recipe, &model.family)?;
    Ok(recipe)
}

/// What the canvas asks for beside the words.
///
/// # Errors
/// Those of [`plan`].
pub fn plan_on_canvas(state: &State) -> Result<Planned, Problem> {
    let recipe = plan(state)?;
    let document = state.desk.document();
    let frame = document.frame();
    let able = state.model().map(|model| model.family.abilities);
    let canvas = document.canvas();
    let masked = document.mask().bounds().is_some_and(|bounds| bounds.intersect(canvas).is_some());
    let masked = masked && able.is_some_and(|able| able.inpaint);
    let strength = state.draft.strength;
    let seen = strength < 1.0 && state.desk.has_paint(frame) && able.is_some_and(|able| able.image_to_image);
    let Some(model) = state.model().filter(|_| masked || seen) else {
        let placed = Placed { place: Place::Frame(frame), sheet: state.desk.sheet(), canvas: document.extent() };
        return Ok(Planned::Ready(Box::new(recipe), placed));
    };
    let (family, document) = (model.family.clone(), document.clone());
    let (ticket, sheet) = (JobId::fresh(), state.desk.sheet());
    let preparation = Preparation { ticket, sheet, recipe, family, document, strength, masked };
    Ok(Planned::Unfinished(Box::new(preparation)))
}

/// See [`plan_on_canvas`].
#[derive(Clone, Debug)]
pub enum Planned {
    /// Words alone; the pictures fill the frame.
    Ready(Box<Recipe>, Placed),
    /// The canvas is needed, too.
    Unfinished(Box<Preparation>),
}

/// A seed of 32 bits, as other programs draw them, from the system's randomness.
pub fn draw_seed() -> u64 {
    RandomState::new().hash_one(std::time::SystemTime::now()) >> 32
}

/// Shapes that are offered: width to height.
pub const SHAPES: [(u32, u32); 7] = [(1, 1), (4, 3), (3, 4), (3, 2), (2, 3), (16, 9), (9, 16)];

/// The size of a shape for a family: about as many pixels as its native size, in whole factors, eight at a time where
/// that leaves enough choice.
pub fn shaped((across, down): (u32, u32), family: &FamilyInfo) -> Extent {
    let native = family.native;
    if across == down && native.width == native.height {
        return native;
    }
    let factor = family.factor.max(1);
    let unit = if native.width.min(native.height) >= factor * 48 { factor * 8 } else { factor };
    let ratio = f64::from(across) / f64::from(down.max(1));
    let height = (native.area() as f64 / ratio).sqrt();
    let whole = |side: f64| ((side / f64::from(unit)).round() as u32).max(1) * unit;
    Extent::new(whole(height * ratio), whole(height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::settings::Settings;
    use crate::app::state::Model;
    use crate::jobs::fake::fake_family;
    use crate::recipe::check::check_size;
    use crate::words::Language;

    fn state(models: Vec<Model>) -> State {
        State::new(models, &Settings::default(), Language::ZhCn)
    }

    fn models() -> Vec<Model> {
        vec![Model { name: "小图".into(), path: "xiaotu".into(), family: fake_family() }]
    }

    #[test]
    fn a_plan_is_checked() {
        assert_eq!(plan(&state(vec![])).unwrap_err().kind, ProblemKind::ModelMissing);
        let mut state = state(models());
        state.draft.prompt = " 大漠孤烟直，水墨\n".into();
        let recipe = plan(&state).unwrap();
        assert_eq!((recipe.prompt.as_str(), recipe.size), ("大漠孤烟直，水墨", Extent::new(512, 512)));
        state.draft.size = Extent::new(500, 512);
        assert_eq!(plan(&state).unwrap_err().kind, ProblemKind::SizeUneven);
    }

    #[test]
    fn styles_are_put_on_where_a_plan_is_made() {
        let mut state = state(models());
        state.draft.prompt = "山".into();
        state.draft.negative = "水印".into();
        state.worn = vec!["水墨".into(), "没有的".into()];
        let recipe = plan(&state).unwrap();
        assert!(recipe.prompt.starts_with("山，水墨画") && recipe.negative.starts_with("水印，"), "{recipe:?}");
        assert_eq!((state.draft.prompt.as_str(), state.draft.negative.as_str()), ("山", "水印"));
    }

    #[test]
    fn a_negative_prompt_is_left_out_where_it_has_no_effect() {
        let mut models = models();
        models[0].family.abilities.negative_prompt = false;
        let mut state = state(models);
        state.draft.negative = "模糊".into();
        assert_eq!(plan(&state).unwrap().negative, "");
    }

    #[test]
    fn every_shape_is_a_valid_size() {
        for native in [(512, 512), (256, 256), (768, 768), (128, 128), (512, 768)] {
            let family = FamilyInfo { native: Extent::new(native.0, native.1), ..fake_family() };
            for shape in SHAPES {
                let size = shaped(shape, &family);
                check_size(size, &family).unwrap();
                let ratio = size.width as f64 / size.height as f64 * f64::from(shape.1) / f64::from(shape.0);
                assert!((0.8..1.25).contains(&ratio), "{size} {shape:?}");
            }
        }
        assert_eq!(shaped((3, 2), &fake_family()), Extent::new(640, 448));
    }

    #[test]
    fn seeds_differ_and_have_32_bits() {
        let seeds: Vec<_> = (0..8).map(|_| draw_seed()).collect();
        assert!(seeds.iter().all(|&s| s <= u64::from(u32::MAX)));
        assert!(seeds.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
