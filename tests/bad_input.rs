//! What goes wrong is said, and nothing is left behind: the engine on damaged models and impossible recipes.

use danqing::base::{Extent, Problem, ProblemKind};
use danqing::engine::{CandleGenerator, EngineFolders};
use danqing::imaging::{Mask, Pixmap};
use danqing::recipe::*;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct Watch(Cancel);

impl Progress for Watch {
    fn phase(&mut self, _: Phase) -> ControlFlow<Stop> {
        ControlFlow::Continue(())
    }

    fn step(&mut self, _: Step<'_>) -> ControlFlow<Stop> {
        ControlFlow::Continue(())
    }

    fn cancel(&self) -> Cancel {
        self.0.clone()
    }
}

/// A copy of a small checkpoint that a test may harm.
struct Harmed {
    folder: tempfile::TempDir,
}

impl Harmed {
    fn new(checkpoint: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("模型 ").tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/parity").join(checkpoint);
        copy(&source, &folder.path().join("太乙"));
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("太乙")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.file(name), bytes).unwrap();
        self
    }

    fn generator(&self) -> CandleGenerator {
        CandleGenerator::new(EngineFolders { models: vec![], cache: self.folder.path().join("缓存") })
    }

    fn recipe(&self) -> Recipe {
        Recipe {
            model: self.path(),
            prompt: "孤舟蓑笠翁，水墨".into(),
            negative: String::new(),
            sampling: Sampling { steps: 2, ..Preset::Article.sampling(7.5) },
            size: Extent::new(64, 64),
            seed: 1,
            batch: 1,
            noise: NoiseSource::TorchCpu,
            source: Source::Text,
            inpaint: None,
            text: TextOptions::default(),
            precision: Precision::Auto,
        }
    }

    fn problem(&self) -> Problem {
        self.generator().generate(&self.recipe(), &mut Watch(Cancel::new())).expect_err("a problem was expected")
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn damaged_models_are_named() {
    let truncate = |harmed: &Harmed, name: &str| {
        let bytes = std::fs::read(harmed.file(name)).unwrap();
        harmed.write(name, &bytes[..bytes.len() / 2]);
    };
    let safetensors = "unet/diffusion_pytorch_model.safetensors";

    let harmed = Harmed::new("checkpoint-1");
    truncate(&harmed, safetensors);
    assert_eq!(harmed.problem().kind, ProblemKind::WeightsDamaged);

    let harmed = Harmed::new("checkpoint-0");
    truncate(&harmed, "unet/diffusion_pytorch_model.bin");
    assert_eq!(harmed.problem().kind, ProblemKind::WeightsDamaged);
    let cache = std::fs::read_dir(harmed.folder.path().join("缓存"));
    assert!(cache.is_ok_and(|files| files.flatten().all(|f| !f.path().to_string_lossy().ends_with(".part"))));

    let harmed = Harmed::new("checkpoint-1");
    std::fs::remove_file(harmed.file(safetensors)).unwrap();
    let problem = harmed.problem();
    assert_eq!(problem.kind, ProblemKind::WeightsMissing);
    assert!(problem.arg("file").is_some_and(|f| f.contains("太乙")));

    for (name, text, kind) in [
        ("unet/config.json", "{ no json", ProblemKind::ConfigInvalid),
        ("unet/config.json", "{\"in_channels\": 4}", ProblemKind::ConfigInvalid),
        ("vae/config.json", "[]", ProblemKind::ConfigInvalid),
        ("scheduler/scheduler_config.json", "{\"beta_start\": -1}", ProblemKind::ConfigInvalid),
        ("tokenizer/vocab.txt", "飞\n流\n", ProblemKind::VocabularyInvalid),
        ("model_index.json", "not json", ProblemKind::ConfigInvalid),
    ] {
        let harmed = Harmed::new("checkpoint-1");
        harmed.write(name, text);
        assert_eq!(harmed.problem().kind, kind, "{name}");
    }

    // A width that the weights do not have.
    let harmed = Harmed::new("checkpoint-1");
    let config = std::fs::read_to_string(harmed.file("unet/config.json")).unwrap();
    harmed.write("unet/config.json", config.replace("\"layers_per_block\": 2", "\"layers_per_block\": 3"));
    let problem = harmed.problem();
    assert_eq!(problem.kind, ProblemKind::WeightsMismatch);
    assert!(problem.arg("tensor").is_some_and(|t| t.contains("blocks")));

    // Another text encoder is another family.
    let harmed = Harmed::new("checkpoint-1");
    let index = std::fs::read_to_string(harmed.file("model_index.json")).unwrap();
    harmed.write("model_index.json", index.replace("BertModel", "UnheardOfModel"));
    assert_eq!(harmed.problem().kind, ProblemKind::ModelUnknown);

    let mut recipe = harmed.recipe();
    recipe.model = "没有这个模型".into();
    let result = harmed.generator().generate(&recipe, &mut Watch(Cancel::new()));
    assert_eq!(result.expect_err("no model").kind, ProblemKind::ModelMissing);
}

#[test]
fn weights_of_nan_are_noticed() {
    let harmed = Harmed::new("checkpoint-1");
    let name = "unet/diffusion_pytorch_model.safetensors";
    let mut bytes = std::fs::read(harmed.file(name)).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for value in bytes[header..].chunks_exact_mut(4) {
        value.copy_from_slice(&f32::NAN.to_le_bytes());
    }
    harmed.write(name, bytes);
    assert_eq!(harmed.problem().kind, ProblemKind::NotANumber);
}

#[test]
fn impossible_recipes_are_refused_before_any_work() {
    let model = Harmed::new("checkpoint-1");
    let mut generator = model.generator();
    let picture = Arc::new(Pixmap::new(Extent::new(64, 64)));
    let mask = |side| Inpaint { mask: Arc::new(Mask::new(Extent::new(side, side))), feather: 4.0, paste: true };
    type Change<'a> = Box<dyn Fn(&mut Recipe) + 'a>;
    let cases: Vec<(ProblemKind, Change<'_>)> = vec![
        (ProblemKind::PromptTooLong, Box::new(|r| r.prompt = "画".repeat(10_000))),
        (ProblemKind::SizeInvalid, Box::new(|r| r.size = Extent::new(0, 0))),
        (ProblemKind::SizeInvalid, Box::new(|r| r.size = Extent::new(1, 20_000))),
        (ProblemKind::SizeUneven, Box::new(|r| r.size = Extent::new(100, 100))),
        (ProblemKind::ValueInvalid, Box::new(|r| r.sampling.steps = 0)),
        (ProblemKind::ValueInvalid, Box::new(|r| r.sampling.guidance = f64::NAN)),
        (ProblemKind::ValueInvalid, Box::new(|r| r.batch = 0)),
        (ProblemKind::MaskWithoutPicture, Box::new(|r| r.inpaint = Some(mask(64)))),
        (
            ProblemKind::MaskSizeDiffers,
            Box::new(|r| {
                r.source = Source::Picture { picture: picture.clone(), strength: 1.0 };
                r.inpaint = Some(mask(32));
            }),
        ),
        (
            ProblemKind::MaskEmpty,
            Box::new(|r| {
                r.source = Source::Picture { picture: picture.clone(), strength: 1.0 };
                r.inpaint = Some(mask(64));
            }),
        ),
    ];
    for (kind, change) in cases {
        let mut recipe = model.recipe();
        change(&mut recipe);
        let problem = generator.generate(&recipe, &mut Watch(Cancel::new())).expect_err("refused");
        assert_eq!(problem.kind, kind, "{problem}");
    }
    // And the generator still works.
    let output = generator.generate(&model.recipe(), &mut Watch(Cancel::new())).unwrap();
    assert_eq!(output.pictures.len(), 1);
    assert_eq!(output.trace.len(), 2);
}

#[test]
fn a_picture_of_a_batch_is_the_picture_alone() {
    let model = Harmed::new("checkpoint-1");
    let mut generator = model.generator();
    let mut paint = |seed: u64, batch: u32| {
        let recipe = Recipe { seed, batch, ..model.recipe() };
        generator.generate(&recipe, &mut Watch(Cancel::new())).unwrap().pictures
    };
    let three = paint(7, 3);
    for (k, picture) in three.iter().enumerate() {
        assert_eq!(picture, &paint(7 + k as u64, 1)[0]);
    }
    assert_ne!(three[0], three[1]);
}

#[test]
fn a_cancelled_job_ends_and_the_next_one_works() {
    let model = Harmed::new("checkpoint-1");
    let mut generator = model.generator();
    let cancel = Cancel::new();
    cancel.request();
    let problem = generator.generate(&model.recipe(), &mut Watch(cancel)).expect_err("cancelled");
    assert!(problem.is_cancelled());
    assert!(generator.generate(&model.recipe(), &mut Watch(Cancel::new())).is_ok());
}

/// Asks for the end a moment after the first step, when the next pass has begun, and notes what comes after.
struct Impatient {
    cancel: Cancel,
    steps: usize,
    decoding: bool,
}

impl Progress for Impatient {
    fn phase(&mut self, phase: Phase) -> ControlFlow<Stop> {
        self.decoding |= phase == Phase::Decoding;
        ControlFlow::Continue(())
    }

    fn step(&mut self, _: Step<'_>) -> ControlFlow<Stop> {
        self.steps += 1;
        let cancel = self.cancel.clone();
        std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            cancel.request();
        });
        ControlFlow::Continue(())
    }

    fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }
}

#[test]
fn a_job_ends_inside_a_pass_and_decodes_nothing() {
    let model = Harmed::new("checkpoint-1");
    let mut generator = model.generator();
    // Large enough for a pass to take many times what the request waits.
    let recipe = Recipe { size: Extent::new(768, 768), ..model.recipe() };
    let mut watch = Impatient { cancel: Cancel::new(), steps: 0, decoding: false };
    let problem = generator.generate(&recipe, &mut watch).expect_err("cancelled");
    assert!(problem.is_cancelled(), "{problem}");
    assert_eq!((watch.steps, watch.decoding), (1, false));
}

#[test]
fn repainting_keeps_what_is_outside_bit_for_bit() {
    let model = Harmed::new("checkpoint-1");
    let mut generator = model.generator();
    let extent = Extent::new(128, 96);
    let noise = (0..extent.area() * 4).map(|i| if i % 4 == 3 { 255 } else { (i * 97 % 251) as u8 }).collect();
    let picture = Arc::new(Pixmap::from_rgba(extent, noise).unwrap());
    let mut mask = Mask::new(extent);
    for (i, v) in mask.bytes_mut().iter_mut().enumerate() {
        let (x, y) = (i % 128, i / 128);
        *v = if (40..80).contains(&x) && (30..60).contains(&y) { 255 } else { 0 };
    }
    let mask = Arc::new(mask);
    let feather = 6.0;
    let recipe = Recipe {
        size: extent,
        source: Source::Picture { picture: picture.clone(), strength: 1.0 },
        inpaint: Some(Inpaint { mask, feather, paste: true }),
        ..model.recipe()
    };
    let painted = &generator.generate(&recipe, &mut Watch(Cancel::new())).unwrap().pictures[0];
    let mut changed = 0;
    for y in 0..96u32 {
        for x in 0..128u32 {
            let far = !(33..87).contains(&x) || !(23..67).contains(&y);
            let same = painted.pixel(x, y) == picture.pixel(x, y);
            assert!(same || !far, "{x},{y} changed");
            changed += u32::from(!same);
        }
    }
    assert!(changed > 900, "only {changed} pixels were repainted");
}

/// A copy of `bytes` with a small harm: flipped bits, a cut, a digit that grew, or a stretch that is there twice.
fn harm(bytes: &[u8], state: &mut u64) -> Vec<u8> {
    let mut next = |below: usize| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) as usize % below.max(1)
    };
    let mut bytes = bytes.to_vec();
    match next(4) {
        0 => {
            for _ in 0..=next(4) {
                let at = next(bytes.len());
                bytes[at] ^= 1 << next(8);
            }
        }
        1 => bytes.truncate(next(bytes.len())),
        2 => {
            let digits: Vec<usize> = (0..bytes.len()).filter(|&i| bytes[i].is_ascii_digit()).collect();
            if let Some(&at) = digits.get(next(digits.len())) {
                let grown = (0..=next(12)).map(|_| b'0' + next(10) as u8).collect::<Vec<_>>();
                bytes.splice(at..=at, grown);
            }
        }
        _ => {
            let (from, length) = (next(bytes.len()), next(64));
            let piece = bytes[from..(from + length).min(bytes.len())].to_vec();
            bytes.splice(from..from, piece);
        }
    }
    bytes
}

#[test]
fn harmed_configs_and_vocabularies_paint_or_say_why() {
    let model = Harmed::new("checkpoint-1");
    let mut state = 20_261_122;
    let (mut painted, mut refused) = (0, 0);
    for (name, copies) in [
        ("model_index.json", 60),
        ("unet/config.json", 60),
        ("vae/config.json", 60),
        ("text_encoder/config.json", 60),
        ("scheduler/scheduler_config.json", 60),
        ("tokenizer/tokenizer_config.json", 30),
        ("tokenizer/vocab.txt", 60),
    ] {
        let sound = std::fs::read(model.file(name)).unwrap();
        for _ in 0..copies {
            model.write(name, harm(&sound, &mut state));
            let recipe = Recipe { sampling: Sampling { steps: 1, ..model.recipe().sampling }, ..model.recipe() };
            match model.generator().generate(&recipe, &mut Watch(Cancel::new())) {
                Ok(_) => painted += 1,
                Err(problem) => {
                    refused += 1;
                    assert!(!problem.args.is_empty() || problem.detail.is_some(), "{name}: {problem}");
                }
            }
        }
        model.write(name, sound);
    }
    println!("{painted} painted all the same, {refused} were refused with a message");
    assert!(refused > 100);
}
