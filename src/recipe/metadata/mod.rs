//! The recipe as text in PNG files, and the way back.
//!
//! A picture carries two texts: `parameters` in the form of Stable Diffusion web UI (A1111), which most programs and
//! picture sites understand, and `danqing`, our own JSON, which is exact.

mod a1111;
mod own;

use super::recipe::{Precision, Recipe, TextOptions};
use super::sampling::{NoiseSource, SamplerId, ScheduleId};
use crate::base::Extent;

/// Key of A1111's text.
pub const PARAMETERS: &str = "parameters";
/// Key of our own JSON.
pub const OWN: &str = "danqing";

/// What a picture says about its making. Nothing is validated: see [`super::check`] before using it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadRecipe {
    pub prompt: String,
    pub negative: String,
    pub sampler: Option<SamplerId>,
    pub schedule: Option<ScheduleId>,
    pub steps: Option<u32>,
    pub guidance: Option<f64>,
    pub eta: Option<f64>,
    /// The picture's own seed: as the seed of a batch of one it gives this picture.
    pub seed: Option<u64>,
    pub noise: Option<NoiseSource>,
    pub size: Option<Extent>,
    /// A name, never a path.
    pub model: Option<String>,
    pub strength: Option<f64>,
    pub text: Option<TextOptions>,
    pub precision: Option<Precision>,
    /// What has no field here, or could not be understood, in the order of the text.
    pub extra: Vec<(String, String)>,
    /// Where it was read: `danqing` or `a1111`.
    pub source: &'static str,
}

/// The texts for the PNG of one picture of the recipe's batch.
///
/// `seed_of_picture` is the recipe's seed plus `index` (wrapping), the picture's place in the batch. `model_name` is
/// written in place of the recipe's path, which may tell more about a computer than its owner wants to share.
pub fn to_texts(recipe: &Recipe, seed_of_picture: u64, index: u32, model_name: &str) -> Vec<(String, String)> {
    let mut texts = vec![(PARAMETERS.to_owned(), a1111::write(recipe, seed_of_picture, model_name))];
    if let Some(json) = own::write(recipe, seed_of_picture, index, model_name) {
        texts.push((OWN.to_owned(), json));
    }
    texts
}

/// Reads our JSON if there is one of a version that we know, else A1111's text; `None` if there is neither.
pub fn from_texts(texts: &[(String, String)]) -> Option<ReadRecipe> {
    let of_key =
        |wanted: &'static str| texts.iter().filter(move |(key, _)| key == wanted).map(|(_, text)| text.as_str());
    of_key(OWN).find_map(own::read).or_else(|| of_key(PARAMETERS).find_map(a1111::read))
}

impl ReadRecipe {
    /// Labels and values for a listing on a terminal, absent ones left out. Control characters but line breaks and
    /// tabs are replaced, since a picture from elsewhere could hide terminal commands in them.
    pub fn to_lines(&self) -> Vec<(String, String)> {
        let given = |label: &'static str, value: Option<String>| value.map(|value| (label.to_owned(), value));
        let words = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let text_length = self.text.and_then(|t| t.length);
        let known = [
            given("source", words(self.source)),
            given("prompt", words(&self.prompt)),
            given("negative", words(&self.negative)),
            given("model", self.model.clone()),
            given("size", self.size.map(|v| v.to_string())),
            given("seed", self.seed.map(|v| v.to_string())),
            given("noise", self.noise.map(|v| v.key().to_owned())),
            given("sampler", self.sampler.map(|v| v.title().to_owned())),
            given("schedule", self.schedule.map(|v| v.title().to_owned())),
            given("steps", self.steps.map(|v| v.to_string())),
            given("guidance", self.guidance.map(|v| v.to_string())),
            given("eta", self.eta.map(|v| v.to_string())),
            given("strength", self.strength.map(|v| v.to_string())),
            given("text length", text_length.map(|v| v.to_string())),
            given("attention mask", self.text.map(|v| v.attention_mask.to_string())),
            given("precision", self.precision.map(|v| v.name().to_owned())),
        ];
        let all = known.into_iter().flatten().chain(self.extra.iter().cloned());
        all.map(|(label, value)| (harmless(&label), harmless(&value))).collect()
    }
}

fn harmless(text: &str) -> String {
    let replaced = |c: char| {
        if c.is_control() && c != '\n' && c != '\t' { char::REPLACEMENT_CHARACTER } else { c }
    };
    text.chars().map(replaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::{Mask, Pixmap};
    use crate::recipe::{Inpaint, Sampling, Source};
    use proptest::prelude::*;
    use std::sync::Arc;

    pub(super) fn recipe(prompt: &str, negative: &str) -> Recipe {
        Recipe {
            model: "/家/模型/xiaotu".into(),
            prompt: prompt.to_owned(),
            negative: negative.to_owned(),
            sampling: Sampling {
                sampler: SamplerId::DpmPp2M,
                schedule: ScheduleId::Karras,
                steps: 20,
                guidance: 7.5,
                eta: 0.0,
            },
            size: Extent::new(512, 768),
            seed: 42,
            batch: 2,
            noise: NoiseSource::TorchCuda,
            source: Source::Text,
            inpaint: None,
            text: TextOptions { length: Some(77), attention_mask: true },
            precision: Precision::Bf16,
        }
    }

    pub(super) fn repainting(prompt: &str) -> Recipe {
        let size = Extent::new(64, 64);
        Recipe {
            source: Source::Picture { picture: Arc::new(Pixmap::new(size)), strength: 0.6 },
            inpaint: Some(Inpaint { mask: Arc::new(Mask::new(size)), feather: 8.5, paste: true }),
            size,
            ..recipe(prompt, "")
        }
    }

    pub(super) fn words() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("飞流直下三千尺，油画"),
            Just("\""),
            Just("\\"),
            Just("\n"),
            Just("🎨👩‍🎨"),
            Just(", "),
            Just(": "),
            Just("Negative prompt:"),
            Just("\nNegative prompt: x"),
            Just("\nSteps: 3, Sampler: Euler"),
            Just("\r\n"),
            Just("<script>"),
            Just("{\"danqing\":1}"),
            Just("\u{202e}"),
            Just("\0"),
            Just("  "),
            Just("(词:1.2)"),
        ];
        prop_oneof![proptest::collection::vec(piece, 0..8).prop_map(|v| v.concat()), any::<String>(),]
    }

    fn expect(recipe: &Recipe, seed: u64, model: &str) -> ReadRecipe {
        ReadRecipe {
            prompt: recipe.prompt.clone(),
            negative: recipe.negative.clone(),
            sampler: Some(recipe.sampling.sampler),
            schedule: Some(recipe.sampling.schedule),
            steps: Some(recipe.sampling.steps),
            guidance: Some(recipe.sampling.guidance),
            eta: Some(recipe.sampling.eta),
            seed: Some(seed),
            noise: Some(recipe.noise),
            size: Some(recipe.size),
            model: Some(model.to_owned()),
            strength: None,
            text: Some(recipe.text),
            precision: Some(recipe.precision),
            extra: Vec::new(),
            source: OWN,
        }
    }

    #[test]
    fn the_path_of_the_model_is_not_told() {
        for (_, text) in to_texts(&recipe("山", "水"), 42, 0, "小图") {
            assert!(text.contains("小图") && !text.contains("模型"), "{text}");
        }
    }

    #[test]
    fn ours_is_read_before_theirs_unless_it_is_from_the_future() {
        let mut texts = to_texts(&repainting("竹"), 43, 1, "小图");
        let read = from_texts(&texts).unwrap();
        assert_eq!((read.source, read.strength), ("danqing", Some(0.6)));
        texts[1].1 = texts[1].1.replace("\"danqing\":1", "\"danqing\":2");
        let read = from_texts(&texts).unwrap();
        assert_eq!((read.source, read.strength, read.seed), ("a1111", Some(0.6), Some(43)));
        assert_eq!(from_texts(&[]), None);
        assert_eq!(from_texts(&[("Comment".into(), "Steps: 3".into())]), None);
    }

    #[test]
    fn a_listing_disarms_control_characters() {
        let mut read = from_texts(&to_texts(&recipe("山\n水\u{1b}]0;x\u{7}", ""), 7, 0, "小图")).unwrap();
        read.extra.push(("k\u{9b}".into(), "v\r".into()));
        let lines = read.to_lines();
        let value = |label: &str| lines.iter().find(|(l, _)| l == label).map(|(_, v)| v.as_str());
        assert_eq!(value("prompt"), Some("山\n水\u{fffd}]0;x\u{fffd}"));
        assert_eq!((value("negative"), value("size"), value("seed")), (None, Some("512×768"), Some("7")));
        assert_eq!(value("k\u{fffd}"), Some("v\u{fffd}"));
    }

    proptest! {
        #[test]
        fn every_recipe_comes_back(
            prompt in words(), negative in words(), model in words(), seed: u64, index in 0u32..16, steps in 1u32..1000,
            guidance in 0u32..500, sampler in 0..SamplerId::ALL.len(), schedule in 0..ScheduleId::ALL.len(),
        ) {
            let mut recipe = recipe(&prompt, &negative);
            recipe.sampling.sampler = SamplerId::ALL[sampler];
            recipe.sampling.schedule = ScheduleId::ALL[schedule];
            recipe.sampling.steps = steps;
            recipe.sampling.guidance = f64::from(guidance) / 10.0;
            let mut read = from_texts(&to_texts(&recipe, seed, index, &model)).unwrap();
            prop_assert!(read.extra.iter().any(|(k, v)| k == "index" && *v == index.to_string()));
            read.extra.clear();
            prop_assert_eq!(read, expect(&recipe, seed, &model));
        }

        #[test]
        fn no_text_makes_the_readers_panic(own in words(), theirs in words(), bytes: Vec<u8>) {
            for text in [own, theirs.clone(), format!("{theirs}\nSteps: 20, A: \"{theirs}"), String::from_utf8_lossy(&bytes).into()] {
                for key in [OWN, PARAMETERS] {
                    if let Some(read) = from_texts(&[(key.to_owned(), text.clone())]) {
                        read.to_lines();
                    }
                }
            }
        }
    }
}
