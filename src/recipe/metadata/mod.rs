//! The recipe as text in PNG files, and the way back.
//!
//! A picture carries two texts: `parameters` in the form of Stable Diffusion web UI (A1111), which most programs and
//! picture sites understand, and `danqing`, our own JSON, which is exact. What other programs write is read as well:
//! one file a program, and a line in `READERS`.

mod a1111;
mod comfyui;
mod draw_things;
mod exif_comment;
mod fooocus;
mod invokeai;
mod json;
mod names;
mod novelai;
mod own;

use super::recipe::{Precision, Recipe, TextOptions};
use super::sampling::{Interval, NoiseSource, SamplerId, ScheduleId};
use crate::base::{Extent, IntRect, Problem, ProblemKind};
use crate::imaging::png_text::read_texts;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::path::Path;

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
    pub interval: Option<Interval>,
    pub reuse: Option<u32>,
    /// The picture's own seed: as the seed of a batch of one it gives this picture.
    pub seed: Option<u64>,
    pub noise: Option<NoiseSource>,
    pub size: Option<Extent>,
    /// A name, never a path.
    pub model: Option<String>,
    pub strength: Option<f64>,
    pub text: Option<TextOptions>,
    pub precision: Option<Precision>,
    /// A part of a picture was painted anew, through a mask that the file does not hold; `size` is the part's.
    pub repaint: bool,
    pub spot: Option<Spot>,
    /// What has no field here, or could not be understood, in the order of the text.
    pub extra: Vec<(String, String)>,
    /// Where it was read: a name of `READERS`.
    pub source: &'static str,
}

/// Where on a canvas a picture belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// Size of the canvas.
    pub canvas: Extent,
    /// The part that the picture fills, whatever size it was painted in. It may reach beyond the canvas.
    pub frame: IntRect,
}

/// The texts for the PNG of one picture of the recipe's batch.
///
/// `seed_of_picture` is the recipe's seed plus `index` (wrapping), the picture's place in the batch. `model_name` is
/// written in place of the recipe's path, which may tell more about a computer than its owner wants to share. `spot` is
/// where the picture lay, if it is of a canvas.
pub fn to_texts(
    recipe: &Recipe,
    seed_of_picture: u64,
    index: u32,
    model_name: &str,
    spot: Option<Spot>,
) -> Vec<(String, String)> {
    let mut texts = vec![(PARAMETERS.to_owned(), a1111::write(recipe, seed_of_picture, model_name))];
    if let Some(json) = own::write(recipe, seed_of_picture, index, model_name, spot) {
        texts.push((OWN.to_owned(), json));
    }
    texts
}

/// The texts of a picture, as (key, text).
#[derive(Clone, Copy)]
struct Texts<'a>(&'a [(String, String)]);

impl<'a> Texts<'a> {
    /// The texts under a key, in their order.
    fn of(self, key: &'static str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == key).map(|(_, text)| text.as_str())
    }
}

type Reader = fn(Texts<'_>) -> Option<ReadRecipe>;

/// Who writes what is understood, and how it is read. Earlier lines come first where a picture has several texts:
/// ours is exact, a declared program's own form says more than A1111's, and a ComfyUI graph has to be guessed at.
static READERS: [(&str, Reader); 7] = [
    (OWN, own::read),
    (invokeai::SOURCE, invokeai::read),
    (novelai::SOURCE, novelai::read),
    (fooocus::SOURCE, fooocus::read),
    (a1111::SOURCE, a1111::read),
    (draw_things::SOURCE, draw_things::read),
    (comfyui::SOURCE, comfyui::read),
];

/// Reads what a picture's texts say; `None` if no program is recognised in them.
pub fn from_texts(texts: &[(String, String)]) -> Option<ReadRecipe> {
    READERS.iter().find_map(|(source, read)| read(Texts(texts)).map(|recipe| ReadRecipe { source, ..recipe }))
}

/// Reads what a picture file says: the texts of a PNG, the EXIF comment of a JPEG or WebP.
///
/// # Errors
/// Those of [`file_texts`].
pub fn from_file(path: &Path) -> Result<Option<ReadRecipe>, Problem> {
    Ok(from_texts(&file_texts(path)?))
}

/// The texts of a picture file. The EXIF comment of a JPEG or WebP is given as [`PARAMETERS`], which it is where
/// programs write it.
///
/// # Errors
/// [`ProblemKind::Unreadable`] if the file cannot be read, [`ProblemKind::PictureUnreadable`] if it is of another kind.
pub fn file_texts(path: &Path) -> Result<Vec<(String, String)>, Problem> {
    match FileKind::of(path)? {
        Some(FileKind::Png) => read_texts(path),
        Some(FileKind::Jpeg | FileKind::WebP) => {
            Ok(exif_comment::comment(path)?.map(|text| (PARAMETERS.to_owned(), text)).into_iter().collect())
        }
        None => Err(Problem::new(ProblemKind::PictureUnreadable).at(path).detail("not PNG, JPEG or WebP")),
    }
}

/// The kinds of picture files that have recipes in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Png,
    Jpeg,
    WebP,
}

impl FileKind {
    /// By the first bytes, since endings lie; `None` if it is none of these.
    ///
    /// # Errors
    /// [`ProblemKind::Unreadable`].
    pub fn of(path: &Path) -> Result<Option<Self>, Problem> {
        let unreadable = |error: std::io::Error| Problem::new(ProblemKind::Unreadable).at(path).detail(error);
        let file = File::open(path).map_err(unreadable)?;
        // Reading a pipe would wait for ever.
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err(unreadable(std::io::Error::other("not a regular file")));
        }
        let mut head = Vec::new();
        file.take(12).read_to_end(&mut head).map_err(unreadable)?;
        let webp = head.starts_with(b"RIFF") && head.ends_with(b"WEBP");
        Ok(match head.as_slice() {
            [0x89, b'P', b'N', b'G', ..] => Some(FileKind::Png),
            [0xff, 0xd8, 0xff, ..] => Some(FileKind::Jpeg),
            _ => webp.then_some(FileKind::WebP),
        })
    }

    pub const fn title(self) -> &'static str {
        match self {
            FileKind::Png => "PNG",
            FileKind::Jpeg => "JPEG",
            FileKind::WebP => "WebP",
        }
    }
}

impl std::fmt::Display for Spot {
    /// `256×256+64+32 / 1024×768`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { canvas, frame } = self;
        write!(f, "{}{:+}{:+} / {canvas}", frame.extent(), frame.x, frame.y)
    }
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
            given("guidance interval", self.interval.map(|v| v.to_string())),
            given("reuse", self.reuse.map(|v| v.to_string())),
            given("strength", self.strength.map(|v| v.to_string())),
            given("text length", text_length.map(|v| v.to_string())),
            given("attention mask", self.text.map(|v| v.attention_mask.to_string())),
            given("precision", self.precision.map(|v| v.name().to_owned())),
            given("repaint", self.repaint.then(|| self.repaint.to_string())),
            given("place", self.spot.map(|spot| spot.to_string())),
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
                interval: Interval::WHOLE,
                reuse: 1,
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

    pub(super) const SPOT: Spot = Spot { canvas: Extent::new(1024, 768), frame: IntRect::new(-8, 32, 64, 64) };

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

    fn json_values() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::{Value, json};
        prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
            Just(Value::Null),
            Just(json!({"name": ["x"], "model_name": 3})),
            Just(json!("(8, 99999999999)")),
            Just(json!([["1", 0], {}])),
            Just(json!("Fooocus")),
        ]
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
            interval: Some(recipe.sampling.interval).filter(|interval| !interval.is_whole()),
            reuse: Some(recipe.sampling.reuse).filter(|reuse| *reuse != 1),
            seed: Some(seed),
            noise: Some(recipe.noise),
            size: Some(recipe.size),
            model: Some(model.to_owned()),
            strength: None,
            text: Some(recipe.text),
            precision: Some(recipe.precision),
            repaint: false,
            spot: None,
            extra: Vec::new(),
            source: OWN,
        }
    }

    #[test]
    fn the_path_of_the_model_is_not_told() {
        for (_, text) in to_texts(&recipe("山", "水"), 42, 0, "小图", None) {
            assert!(text.contains("小图") && !text.contains("模型"), "{text}");
        }
    }

    #[test]
    fn ours_is_read_before_theirs_unless_it_is_from_the_future() {
        let mut texts = to_texts(&repainting("竹"), 43, 1, "小图", Some(SPOT));
        let read = from_texts(&texts).unwrap();
        assert_eq!((read.source, read.strength), ("danqing", Some(0.6)));
        assert_eq!((read.repaint, read.spot), (true, Some(SPOT)));
        let place = ("place".to_owned(), "64×64-8+32 / 1024×768".to_owned());
        assert!(read.to_lines().contains(&place), "{:?}", read.to_lines());
        texts[1].1 = texts[1].1.replace("\"danqing\":1", "\"danqing\":2");
        let read = from_texts(&texts).unwrap();
        assert_eq!((read.source, read.strength, read.seed), ("a1111", Some(0.6), Some(43)));
        assert_eq!((read.repaint, read.spot), (true, None));
        assert_eq!(from_texts(&[]), None);
        assert_eq!(from_texts(&[("Comment".into(), "Steps: 3".into())]), None);
    }

    #[test]
    fn the_comment_of_other_files_is_read() {
        use super::exif_comment::tests::{TEXT, jpeg, webp};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("墨竹");
        for bytes in [jpeg(TEXT, false), jpeg(TEXT, true), webp(TEXT, false), webp(TEXT, true)] {
            std::fs::write(&path, bytes).unwrap();
            let read = from_file(&path).unwrap().unwrap();
            assert_eq!((read.source, read.prompt.as_str(), read.negative.as_str()), ("a1111", "墨竹🎨, ink", "水印"));
            assert_eq!((read.sampler, read.seed), (Some(SamplerId::EulerAncestral), Some(42)));
        }
        std::fs::write(&path, b"\xff\xd8\xff\xe0 no comment").unwrap();
        assert_eq!(from_file(&path).unwrap(), None);
        std::fs::write(&path, "文字").unwrap();
        assert_eq!(from_file(&path).unwrap_err().kind, ProblemKind::PictureUnreadable);
        assert_eq!(from_file(folder.path()).unwrap_err().kind, ProblemKind::Unreadable);
    }

    #[test]
    fn a_listing_disarms_control_characters() {
        let mut read = from_texts(&to_texts(&recipe("山\n水\u{1b}]0;x\u{7}", ""), 7, 0, "小图", None)).unwrap();
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
            interval in prop_oneof![Just(Interval::WHOLE), (0.0..1.0, 1.0..20.0).prop_map(|(low, high)| Interval { low, high })],
            reuse in 1u32..=10, placed: bool, at: (i32, i32), extents: [(u32, u32); 2],
        ) {
            let [canvas, (width, height)] = extents;
            let frame = IntRect { x: at.0, y: at.1, width, height };
            let spot = placed.then_some(Spot { canvas: Extent::new(canvas.0, canvas.1), frame });
            let mut recipe = recipe(&prompt, &negative);
            recipe.sampling.sampler = SamplerId::ALL[sampler];
            recipe.sampling.schedule = ScheduleId::ALL[schedule];
            recipe.sampling.steps = steps;
            (recipe.sampling.interval, recipe.sampling.reuse) = (interval, reuse);
            recipe.sampling.guidance = f64::from(guidance) / 10.0;
            let mut read = from_texts(&to_texts(&recipe, seed, index, &model, spot)).unwrap();
            let theirs = a1111::read(Texts(&[(PARAMETERS.into(), a1111::write(&recipe, seed, ""))])).unwrap();
            prop_assert!(theirs.interval.unwrap_or_default() == interval && theirs.reuse.unwrap_or(1) == reuse);
            prop_assert!(read.extra.iter().any(|(k, v)| k == "index" && *v == index.to_string()));
            read.extra.clear();
            prop_assert_eq!(read, ReadRecipe { spot, ..expect(&recipe, seed, &model) });
        }

        #[test]
        fn no_json_makes_the_readers_panic(values in proptest::collection::vec(json_values(), 24)) {
            let keys = [
                "positive_prompt", "negative_prompt", "seed", "steps", "cfg_scale", "scheduler", "model", "width", "height",
                "c", "uc", "scale", "sampler", "size", "prompt", "resolution", "guidance_scale", "version", "strength",
                "noise_schedule", "rand_device", "base_model", "danqing", "name",
            ];
            let object: serde_json::Map<_, _> = keys.iter().map(|k| (*k).to_owned()).zip(values).collect();
            let text = serde_json::Value::from(object).to_string();
            for key in [OWN, PARAMETERS, "invokeai_metadata", "prompt", "Comment"] {
                let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
                for other in [pair("Software", "NovelAI"), pair("fooocus_scheme", "fooocus")] {
                    if let Some(read) = from_texts(&[pair(key, &text), other]) {
                        read.to_lines();
                    }
                }
            }
        }

        #[test]
        fn no_text_makes_the_readers_panic(own in words(), theirs in words(), bytes: Vec<u8>) {
            for text in [own, theirs.clone(), format!("{theirs}\nSteps: 20, A: \"{theirs}"), String::from_utf8_lossy(&bytes).into()] {
                for key in [OWN, PARAMETERS, "invokeai_metadata", "prompt", "Comment"] {
                    let software = ("Software".to_owned(), "NovelAI".to_owned());
                    if let Some(read) = from_texts(&[(key.to_owned(), text.clone()), software]) {
                        read.to_lines();
                    }
                }
            }
        }
    }
}
