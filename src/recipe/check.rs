//! Whether a recipe makes sense for a family of models, asked before any work begins.

use super::family::FamilyInfo;
use super::inpaint::Inpaint;
use super::recipe::{Recipe, Source};
use super::sampling::Interval;
use crate::base::{Extent, Problem, ProblemKind};
use std::fmt::Display;

/// Characters of the prompt, and of the negative prompt. Far beyond what any text encoder of today looks at.
pub const PROMPT_LIMIT: usize = 2000;
/// The least and the most pixels of a side.
pub const SIDE_LIMITS: (u32, u32) = (64, 4096);
/// The most that one side may be of the other.
pub const ASPECT_LIMIT: u32 = 8;
pub const STEPS_LIMIT: u32 = 1000;
pub const GUIDANCE_LIMIT: f64 = 50.0;
pub const REUSE_LIMIT: u32 = 10;
pub const BATCH_LIMIT: u32 = 16;
/// Pixels.
pub const FEATHER_LIMIT: f32 = 256.0;

/// From this coverage on, a pixel of a mask is repainted.
const INSIDE: u8 = 128;
/// Tokens of the shortest prompt that says anything: its beginning, one character, its end.
const LEAST_TOKENS: usize = 3;

/// Checks everything that can be known without the model's files; the first fault found is told.
///
/// # Errors
/// * [`ProblemKind::PromptTooLong`]: a prompt has more than 2000 characters.
/// * [`ProblemKind::SizeInvalid`]: a side is outside 64 to 4096, the area is more than the family's, or the size is not
///   that of the source picture.
/// * [`ProblemKind::SizeTooLong`]: one side is more than 8 times the other.
/// * [`ProblemKind::SizeUneven`]: a side is no multiple of the family's factor; `suggestion` is the nearest valid size.
/// * [`ProblemKind::ValueInvalid`]: steps outside 1 to 1000, guidance outside 0 to 50 (below 1 means none), batch
///   outside 1 to 16, eta outside 0 to 1, an end of the guidance's interval outside 0 to 1000 or
///   the high one below the low one, reuse outside 1 to 10, strength outside 1/steps to 1 (less would run no step), feather outside 0 to
///   256, text length outside 3 to the family's tokens.
/// * [`ProblemKind::MaskWithoutPicture`], [`ProblemKind::MaskSizeDiffers`], [`ProblemKind::MaskEmpty`] (no pixel of
///   the mask is 128 or more).
/// * [`ProblemKind::AbilityMissing`]: the family has no negative prompt, image-to-image or inpainting, and it is asked.
pub fn check(recipe: &Recipe, family: &FamilyInfo) -> Result<(), Problem> {
    for prompt in [&recipe.prompt, &recipe.negative] {
        let length = prompt.chars().count();
        if length > PROMPT_LIMIT {
            return Err(Problem::new(ProblemKind::PromptTooLong).with("length", length).with("limit", PROMPT_LIMIT));
        }
    }
    check_size(recipe.size, family)?;
    check_numbers(recipe, family)?;
    check_source(recipe)?;
    check_abilities(recipe, family)
}

/// Checks a picture size alone, for input fields; see [`check`].
///
/// # Errors
/// [`ProblemKind::SizeInvalid`], [`ProblemKind::SizeTooLong`] and [`ProblemKind::SizeUneven`].
pub fn check_size(size: Extent, family: &FamilyInfo) -> Result<(), Problem> {
    if let Some(fault) = bounds_fault(size, family) {
        let side = square_limit(family);
        return Err(Problem::new(ProblemKind::SizeInvalid)
            .with("size", size)
            .with("least", Extent::new(SIDE_LIMITS.0, SIDE_LIMITS.0))
            .with("most", Extent::new(side, side))
            .detail(fault));
    }
    if is_too_long(size) {
        return Err(Problem::new(ProblemKind::SizeTooLong).with("size", size).with("times", ASPECT_LIMIT));
    }
    let factor = family.factor.max(1);
    if !size.is_multiple_of(factor) {
        return Err(Problem::new(ProblemKind::SizeUneven)
            .with("size", size)
            .with("factor", factor)
            .with("suggestion", nearest_valid(size, family)));
    }
    Ok(())
}

/// Which bound the size breaks, in words; `None` if it keeps all.
fn bounds_fault(size: Extent, family: &FamilyInfo) -> Option<String> {
    let (least, most) = SIDE_LIMITS;
    let (short, long) = (size.width.min(size.height), size.width.max(size.height));
    if short < least || long > most {
        Some(format!("a side is {least} to {most} pixels"))
    } else if size.area() > family.most_area {
        Some(format!("{} pixels; the model takes at most {}", size.area(), family.most_area))
    } else {
        None
    }
}

fn is_too_long(size: Extent) -> bool {
    size.width.max(size.height) > size.width.min(size.height).saturating_mul(ASPECT_LIMIT)
}

/// The side of the largest square that is accepted.
fn square_limit(family: &FamilyInfo) -> u32 {
    let side = u32::try_from(family.most_area.isqrt()).unwrap_or(u32::MAX).min(SIDE_LIMITS.1);
    side - side % family.factor.max(1)
}

/// Each side down or up to a multiple of the factor, whichever valid pair is nearest; the native size if none is.
fn nearest_valid(size: Extent, family: &FamilyInfo) -> Extent {
    let factor = family.factor.max(1);
    let around = |side: u32| {
        let down = side - side % factor;
        [down, if down == side { side } else { down.saturating_add(factor) }]
    };
    let distance = |e: &Extent| {
        let (x, y) = (u64::from(e.width.abs_diff(size.width)), u64::from(e.height.abs_diff(size.height)));
        x * x + y * y
    };
    let pairs = around(size.width).into_iter().flat_map(|w| around(size.height).map(|h| Extent::new(w, h)));
    let valid = pairs.filter(|e| bounds_fault(*e, family).is_none() && !is_too_long(*e));
    valid.min_by_key(distance).unwrap_or(family.native)
}

fn check_numbers(recipe: &Recipe, family: &FamilyInfo) -> Result<(), Problem> {
    let sampling = &recipe.sampling;
    require("steps", sampling.steps, 1, STEPS_LIMIT)?;
    require("guidance", sampling.guidance, 0.0, GUIDANCE_LIMIT)?;
    require("eta", sampling.eta, 0.0, 1.0)?;
    let (Interval { low, high }, whole) = (sampling.interval, Interval::WHOLE);
    require("guidance-interval", low, whole.low, whole.high)?;
    require("guidance-interval", high, low, whole.high)?;
    require("reuse", sampling.reuse, 1, REUSE_LIMIT)?;
    require("batch", recipe.batch, 1, BATCH_LIMIT)?;
    if let Some(length) = recipe.text.length {
        require("text-length", length, LEAST_TOKENS, family.tokens.max(LEAST_TOKENS))?;
    }
    if let Source::Picture { strength, .. } = recipe.source {
        check_strength(strength, sampling.steps)?;
    }
    if let Some(Inpaint { feather, .. }) = recipe.inpaint {
        require("feather", feather, 0.0, FEATHER_LIMIT)?;
    }
    Ok(())
}

/// NaN is in no range.
fn require<T: PartialOrd + Display>(name: &str, value: T, least: T, most: T) -> Result<(), Problem> {
    if value >= least && value <= most { Ok(()) } else { Err(value_invalid(name, value, least, most)) }
}

fn value_invalid(name: &str, value: impl Display, least: impl Display, most: impl Display) -> Problem {
    let problem = Problem::new(ProblemKind::ValueInvalid);
    problem.with("name", name).with("value", value).with("least", least).with("most", most)
}

/// The run has floor(steps · strength) steps, of which there must be one.
fn check_strength(strength: f64, steps: u32) -> Result<(), Problem> {
    if strength <= 1.0 && strength * f64::from(steps) >= 1.0 {
        return Ok(());
    }
    // Rounded up, so that the value that is told is itself accepted.
    let least = (1e4 / f64::from(steps)).ceil() / 1e4;
    Err(value_invalid("strength", strength, least, 1))
}

fn check_source(recipe: &Recipe) -> Result<(), Problem> {
    let picture = match &recipe.source {
        Source::Picture { picture, .. } => Some(picture.extent()),
        Source::Text => None,
    };
    if let Some(Inpaint { mask, .. }) = &recipe.inpaint {
        let Some(picture) = picture else {
            return Err(Problem::new(ProblemKind::MaskWithoutPicture));
        };
        if mask.extent() != picture {
            let problem = Problem::new(ProblemKind::MaskSizeDiffers);
            return Err(problem.with("mask", mask.extent()).with("picture", picture));
        }
        if mask.bytes().iter().all(|&v| v < INSIDE) {
            return Err(Problem::new(ProblemKind::MaskEmpty));
        }
    }
    match picture {
        Some(picture) if picture != recipe.size => Err(Problem::new(ProblemKind::SizeInvalid)
            .with("size", recipe.size)
            .with("least", picture)
            .with("most", picture)
            .detail(format!("the source picture is {picture}; scale it to the recipe's size first"))),
        _ => Ok(()),
    }
}

fn check_abilities(recipe: &Recipe, family: &FamilyInfo) -> Result<(), Problem> {
    let can = family.abilities;
    let asked = [
        (!recipe.negative.is_empty() && !can.negative_prompt, "negative-prompt"),
        (recipe.inpaint.is_some() && !can.inpaint, "inpaint"),
        (recipe.inpaint.is_none() && recipe.source != Source::Text && !can.image_to_image, "image-to-image"),
    ];
    match asked.into_iter().find(|(missing, _)| *missing) {
        Some((_, ability)) => Err(Problem::new(ProblemKind::AbilityMissing)
            .with("model", recipe.model.display())
            .with("ability", ability)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::{Mask, Pixmap};
    use crate::recipe::{Abilities, NoiseSource, Precision, Preset, TextOptions};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn family() -> FamilyInfo {
        FamilyInfo {
            key: "taiyi",
            title: "太乙",
            native: Extent::new(512, 512),
            factor: 8,
            latent_channels: 4,
            most_area: 1024 * 1024,
            guidance: 7.5,
            tokens: 512,
            abilities: Abilities { negative_prompt: true, image_to_image: true, inpaint: true },
        }
    }

    fn recipe() -> Recipe {
        Recipe {
            model: "xiaotu".into(),
            prompt: "飞流直下三千尺，油画".into(),
            negative: "水印".into(),
            sampling: Preset::Article.sampling(7.5),
            size: Extent::new(512, 512),
            seed: 42,
            batch: 1,
            noise: NoiseSource::TorchCpu,
            source: Source::Text,
            inpaint: None,
            text: TextOptions::default(),
            precision: Precision::Auto,
        }
    }

    fn inpainting(white: u8) -> Recipe {
        let size = Extent::new(128, 64);
        let mask = Mask::from_bytes(size, vec![white; 128 * 64]).unwrap();
        Recipe {
            size,
            source: Source::Picture { picture: Arc::new(Pixmap::new(size)), strength: 0.75 },
            inpaint: Some(Inpaint { mask: Arc::new(mask), feather: 8.0, paste: true }),
            ..recipe()
        }
    }

    fn refused(recipe: &Recipe) -> Problem {
        check(recipe, &family()).unwrap_err()
    }

    fn sized(width: u32, height: u32) -> Recipe {
        Recipe { size: Extent::new(width, height), ..recipe() }
    }

    #[test]
    fn good_recipes_pass() {
        check(&recipe(), &family()).unwrap();
        check(&inpainting(255), &family()).unwrap();
        for (width, height) in [(64, 64), (64, 512), (1024, 1024), (2048, 512)] {
            check(&sized(width, height), &family()).unwrap();
        }
    }

    #[test]
    fn a_prompt_is_measured_in_characters() {
        let at_limit = Recipe { prompt: "字".repeat(2000), ..recipe() };
        check(&at_limit, &family()).unwrap();
        let problem = refused(&Recipe { negative: "字".repeat(2001), ..recipe() });
        assert_eq!(problem.kind, ProblemKind::PromptTooLong);
        assert_eq!((problem.arg("length"), problem.arg("limit")), (Some("2001"), Some("2000")));
    }

    #[test]
    fn impossible_sizes_are_invalid() {
        for (width, height) in [(0, 0), (1, 20000), (63, 64), (4104, 512), (1032, 1024), (u32::MAX, u32::MAX)] {
            let problem = refused(&sized(width, height));
            assert_eq!(problem.kind, ProblemKind::SizeInvalid, "{width}×{height}");
            assert_eq!(problem.arg("size"), Some(format!("{width}×{height}").as_str()));
            assert_eq!((problem.arg("least"), problem.arg("most")), (Some("64×64"), Some("1024×1024")));
        }
    }

    #[test]
    fn a_strip_is_too_long() {
        let problem = refused(&sized(64, 520));
        assert_eq!(problem.kind, ProblemKind::SizeTooLong);
        assert_eq!((problem.arg("size"), problem.arg("times")), (Some("64×520"), Some("8")));
    }

    #[test]
    fn an_uneven_size_gets_the_nearest_good_one() {
        for ((width, height), suggestion) in
            [((513, 512), "512×512"), ((517, 77), "520×80"), ((1023, 1025), "1024×1024")]
        {
            let problem = check_size(Extent::new(width, height), &FamilyInfo { most_area: 1025 * 1024, ..family() });
            let problem = problem.unwrap_err();
            assert_eq!(problem.kind, ProblemKind::SizeUneven);
            assert_eq!((problem.arg("factor"), problem.arg("suggestion")), (Some("8"), Some(suggestion)));
        }
    }

    #[test]
    fn numbers_keep_their_ranges() {
        let sampling = recipe().sampling;
        let with = |change: &dyn Fn(&mut Recipe)| {
            let mut recipe = inpainting(255);
            change(&mut recipe);
            recipe
        };
        let strength = |value: f64| {
            with(&|r| {
                if let Source::Picture { strength, .. } = &mut r.source {
                    *strength = value;
                }
            })
        };
        let feather = |value: f32| {
            with(&|r| {
                if let Some(inpaint) = &mut r.inpaint {
                    inpaint.feather = value;
                }
            })
        };
        let length = |value| with(&|r| r.text.length = Some(value));
        let mut bad = vec![
            ("steps", with(&|r| r.sampling.steps = 0)),
            ("steps", with(&|r| r.sampling.steps = 1001)),
            ("reuse", with(&|r| r.sampling.reuse = 0)),
            ("reuse", with(&|r| r.sampling.reuse = 11)),
            ("guidance-interval", with(&|r| r.sampling.interval = Interval { low: 3.0, high: 2.9 })),
            ("batch", with(&|r| r.batch = 0)),
            ("batch", with(&|r| r.batch = 17)),
            ("text-length", length(1)),
            ("text-length", length(513)),
        ];
        for value in [-0.1, 50.5, f64::NAN, f64::INFINITY] {
            bad.push(("guidance", with(&|r| r.sampling.guidance = value)));
            bad.push(("eta", with(&|r| r.sampling.eta = value)));
            let low = value * 100.0;
            bad.push(("guidance-interval", with(&|r| r.sampling.interval.low = low)));
            bad.push(("guidance-interval", with(&|r| r.sampling.interval.high = low)));
            bad.push(("strength", strength(value)));
            bad.push(("feather", feather(value as f32 * 10.0)));
        }
        bad.push(("strength", strength(0.0)));
        for (name, recipe) in bad {
            let problem = refused(&recipe);
            assert_eq!(problem.kind, ProblemKind::ValueInvalid);
            assert_eq!(problem.arg("name"), Some(name));
        }
        for good in [strength(1.0), strength(0.05), feather(256.0), length(77), with(&|r| r.sampling.guidance = 0.0)] {
            check(&good, &family()).unwrap();
        }
        assert_eq!(sampling.steps, 20);
        assert_eq!(refused(&strength(0.049)).arg("least"), Some("0.05"));
    }

    #[test]
    fn masks_must_fit_their_picture() {
        let mut recipe = inpainting(255);
        recipe.source = Source::Text;
        assert_eq!(refused(&recipe).kind, ProblemKind::MaskWithoutPicture);
        assert_eq!(refused(&inpainting(0)).kind, ProblemKind::MaskEmpty);
        assert_eq!(refused(&inpainting(127)).kind, ProblemKind::MaskEmpty);
        let mut recipe = inpainting(255);
        let other = Arc::new(Pixmap::new(Extent::new(64, 64)));
        recipe.source = Source::Picture { picture: other, strength: 0.5 };
        let problem = refused(&recipe);
        assert_eq!(problem.kind, ProblemKind::MaskSizeDiffers);
        assert_eq!((problem.arg("mask"), problem.arg("picture")), (Some("128×64"), Some("64×64")));
        recipe.inpaint = None;
        let problem = refused(&recipe);
        assert_eq!(problem.kind, ProblemKind::SizeInvalid);
        assert_eq!((problem.arg("size"), problem.arg("most")), (Some("128×64"), Some("64×64")));
    }

    #[test]
    fn what_a_family_cannot_do_is_refused() {
        let none = Abilities { negative_prompt: false, image_to_image: false, inpaint: false };
        let family = FamilyInfo { abilities: none, ..family() };
        let mut picture = inpainting(255);
        picture.negative.clear();
        for ability in ["negative-prompt", "inpaint", "image-to-image"] {
            let recipe = if ability == "negative-prompt" { &recipe() } else { &picture };
            let problem = check(recipe, &family).unwrap_err();
            assert_eq!(problem.kind, ProblemKind::AbilityMissing);
            assert_eq!((problem.arg("model"), problem.arg("ability")), (Some("xiaotu"), Some(ability)));
            if ability == "inpaint" {
                picture.inpaint = None;
            }
        }
    }

    proptest! {
        #[test]
        fn a_suggestion_is_itself_accepted(width in 0u32..5000, height in 0u32..5000, factor in 0u32..=64) {
            let side = factor.max(1) * 64;
            let family = FamilyInfo { factor, native: Extent::new(side, side), most_area: 4096 * 4096, ..family() };
            if let Err(problem) = check_size(Extent::new(width, height), &family)
                && problem.kind == ProblemKind::SizeUneven
            {
                let (w, h) = problem.arg("suggestion").unwrap().split_once('×').unwrap();
                prop_assert!(check_size(Extent::new(w.parse().unwrap(), h.parse().unwrap()), &family).is_ok());
            }
        }

        #[test]
        fn the_least_strength_that_is_told_is_accepted(steps in 1u32..=1000) {
            let problem = check_strength(0.0, steps).unwrap_err();
            prop_assert!(check_strength(problem.arg("least").unwrap().parse().unwrap(), steps).is_ok());
        }
    }
}
