//! Less work for the same picture: guidance in an interval, deep features used again, texts encoded once. What is
//! switched off changes no bit; what is switched on saves exactly the runs that it says.

#[path = "common/quiet.rs"]
mod quiet;

use candle_core::{Device, Tensor};
use danqing::base::Extent;
use danqing::engine::families::{self, Model};
use danqing::engine::interrupt::Interrupt;
use danqing::engine::nets::ops::{Pass, with_values};
use danqing::engine::nets::unet::{Deep, Heard, Reuse};
use danqing::engine::preview::LinearPreview;
use danqing::engine::schedules::{BetaSchedule, NoiseTable};
use danqing::engine::texts::Texts;
use danqing::engine::{CandleGenerator, EngineFolders, pipeline, weights::Loader};
use danqing::recipe::*;
use quiet::Quiet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

fn recipe(sampling: Sampling) -> Recipe {
    Recipe {
        model: checkpoint(),
        prompt: "山".into(),
        negative: "水".into(),
        sampling,
        size: Extent::new(64, 64),
        seed: 5,
        batch: 1,
        noise: NoiseSource::TorchCpu,
        source: Source::Text,
        inpaint: None,
        text: TextOptions::default(),
        precision: Precision::F32,
    }
}

fn sampling(sampler: SamplerId, steps: u32) -> Sampling {
    Sampling { sampler, steps, ..Preset::Article.sampling(7.5) }
}

fn checkpoint() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/parity/checkpoint-0")
}

/// What a fake was asked: rows of the batch, and W for a whole run, K for one that keeps its features, t for one that
/// takes them.
type Asked = Arc<Mutex<Vec<(usize, char)>>>;

/// Predicts the same whatever it hears, and remembers what it was asked.
struct Fake {
    info: FamilyInfo,
    noise: Arc<NoiseTable>,
    asked: Asked,
    encoded: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn new() -> Self {
        let abilities = Abilities { negative_prompt: true, image_to_image: true, inpaint: true };
        Self {
            info: FamilyInfo {
                key: "fake",
                title: "fake",
                native: Extent::new(64, 64),
                factor: 8,
                latent_channels: 4,
                most_area: 1 << 20,
                guidance: 7.5,
                tokens: 8,
                abilities,
            },
            noise: Arc::new(NoiseTable::new(BetaSchedule::ScaledLinear, 0.00085, 0.012, 1000).unwrap()),
            asked: Asked::default(),
            encoded: Arc::default(),
        }
    }

    /// What it is asked by a job, and what the job says that it ran.
    fn paint(&self, recipe: &Recipe, texts: &mut Texts) -> (Vec<(usize, char)>, Runs) {
        let preview = LinearPreview { matrix: Vec::new(), bias: [0.0; 3] };
        let output = pipeline::paint(self, &preview, texts, &Device::Cpu, recipe, &mut Quiet).unwrap();
        (std::mem::take(&mut *self.asked.lock().unwrap()), output.timings.runs)
    }

    /// The same as a word, each run as often as it has rows.
    fn letters(&self, sampling: Sampling) -> String {
        let (asked, runs) = self.paint(&recipe(sampling), &mut Texts::default());
        let word: String = asked.iter().flat_map(|&(rows, letter)| vec![letter; rows]).collect();
        let shell = word.matches('t').count();
        assert_eq!((runs.shell as usize, runs.whole as usize), (shell, word.len() - shell));
        word
    }
}

impl Model for Fake {
    fn info(&self) -> &FamilyInfo {
        &self.info
    }

    fn noise(&self) -> &Arc<NoiseTable> {
        &self.noise
    }

    fn encode_texts(&self, _: &Pass, texts: &[&str], _: TextOptions) -> Result<Vec<Tensor>, Interrupt> {
        self.encoded.lock().unwrap().extend(texts.iter().map(|text| (*text).to_owned()));
        let zeros = || Ok(Tensor::zeros((1, 8, 4), candle_core::DType::F32, &Device::Cpu)?);
        texts.iter().map(|_| zeros()).collect()
    }

    fn listen(&self, _: &Pass, _: &Tensor) -> Result<Heard, Interrupt> {
        Ok(Heard::default())
    }

    fn predict(&self, _: &Pass, x: &Tensor, _: f64, _: &Heard, reuse: Reuse<'_>) -> Result<Tensor, Interrupt> {
        let letter = match reuse {
            Reuse::Off => 'W',
            Reuse::Keep(_) => 'K',
            Reuse::Take(_) => 't',
        };
        self.asked.lock().unwrap().push((x.dim(0)?, letter));
        Ok((x * 0.5)?)
    }

    fn encode_picture(&self, _: &Pass, picture: &Tensor) -> Result<(Tensor, Tensor), Interrupt> {
        let (_, _, height, width) = picture.dims4()?;
        let zeros = Tensor::zeros((1, 4, height / 8, width / 8), candle_core::DType::F32, &Device::Cpu)?;
        Ok((zeros.clone(), zeros))
    }

    fn decode(&self, _: &Pass, latent: &Tensor) -> Result<Tensor, Interrupt> {
        let (_, _, height, width) = latent.dims4()?;
        Ok(Tensor::zeros((1, 3, height * 8, width * 8), candle_core::DType::F32, &Device::Cpu)?)
    }
}

#[test]
fn runs_are_those_of_the_interval_and_the_rhythm() {
    let fake = Fake::new();
    let usual = sampling(SamplerId::DpmPp2M, 10);
    assert_eq!(fake.letters(usual), "W".repeat(20), "prompt and negative prompt at each step");
    assert_eq!(fake.letters(Sampling { guidance: 1.0, ..usual }), "W".repeat(10));
    let part = |low, high| Sampling { interval: Interval { low, high }, ..usual };
    assert_eq!(fake.letters(part(0.0, 500.0)), "W".repeat(20));
    assert_eq!(fake.letters(part(500.0, 500.0)), "W".repeat(10));
    let some = fake.letters(part(0.5, 3.0)).len();
    assert!((11..20).contains(&some), "{some}");
    assert_eq!(fake.letters(Sampling { reuse: 3, ..usual }), "KKKKttttKKttttKKttKK");
    assert_eq!(fake.letters(Sampling { reuse: 2, guidance: 1.0, ..usual }), "KKtKtKtKtK");
    // Heun evaluates twice a step but the last.
    assert_eq!(fake.letters(Sampling { reuse: 3, ..sampling(SamplerId::Heun, 10) }), "W".repeat(38));
    // Both at once: no features go from a guided step to one that is not.
    let both = fake.letters(Sampling { reuse: 10, ..part(0.5, 3.0) });
    assert!(both.starts_with("KKt") && both.contains("tKKt") && both.ends_with("tK"), "{both}");
}

#[test]
fn each_picture_of_a_batch_has_features_of_its_own() {
    let fake = Fake::new();
    let batch = Recipe { batch: 3, ..recipe(Sampling { reuse: 2, ..sampling(SamplerId::Euler, 4) }) };
    let (asked, runs) = fake.paint(&batch, &mut Texts::default());
    assert_eq!(asked, ["K", "K", "t", "K"].map(|letter| vec![(2, letter.chars().next().unwrap()); 3]).concat());
    assert_eq!(runs, Runs { whole: 18, shell: 6 });
}

#[test]
fn texts_are_encoded_when_they_matter_and_once() {
    let fake = Fake::new();
    let mut texts = Texts::default();
    let mut paint = |change: &dyn Fn(&mut Recipe)| {
        let mut recipe = recipe(sampling(SamplerId::Euler, 2));
        change(&mut recipe);
        fake.paint(&recipe, &mut texts);
        std::mem::take(&mut *fake.encoded.lock().unwrap())
    };
    assert_eq!(paint(&|r| r.sampling.guidance = 1.0), ["山"]);
    assert_eq!(paint(&|r| r.sampling.interval = Interval { low: 900.0, high: 900.0 }), [""; 0]);
    assert_eq!(paint(&|_| ()), ["水"]);
    assert_eq!(paint(&|r| r.prompt = "竹".into()), ["竹"]);
    assert_eq!(paint(&|r| r.text.attention_mask = true), ["山", "水"]);
}

#[test]
fn what_is_off_changes_no_bit() {
    let cache = tempfile::tempdir().unwrap();
    let folders = EngineFolders { models: vec![], cache: cache.path().into() };
    let mut generator = CandleGenerator::new(folders);
    let mut trace = |sampling: Sampling| {
        let output = generator.generate(&recipe(sampling), &mut Quiet).unwrap();
        (output.trace.last().unwrap().x.to_vec(), output.pictures)
    };
    let usual = sampling(SamplerId::DpmPp2M, 6);
    let whole = trace(usual);
    // All noise levels, by number; and so few steps of reuse that none is left.
    assert_eq!(trace(Sampling { interval: Interval { low: 0.0, high: 999.0 }, reuse: 1, ..usual }), whole);
    let three = sampling(SamplerId::DpmPp2M, 3);
    assert_eq!(trace(Sampling { reuse: 4, ..three }), trace(three));
    // Nowhere is no guidance.
    let nowhere = Sampling { interval: Interval { low: 999.0, high: 999.0 }, ..usual };
    assert_eq!(trace(nowhere), trace(Sampling { guidance: 1.0, ..usual }));
    // And what is on does.
    assert_ne!(trace(Sampling { interval: Interval { low: 0.0, high: 3.0 }, ..usual }).0, whole.0);
    assert_ne!(trace(Sampling { reuse: 2, ..usual }).0, whole.0);
}

/// On its own features of just now, the outermost level gives what the whole network gives.
#[test]
fn kept_features_are_those_that_are_taken() {
    let cache = tempfile::tempdir().unwrap();
    let (folder, family) = families::detect(&checkpoint()).unwrap();
    for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
        let mut report = |_: Phase| ControlFlow::Continue(());
        let (device, cancel) = (Device::Cpu, Cancel::new());
        let mut loader =
            Loader { device, precision, by_candle: false, cache: cache.path(), cancel, report: &mut report };
        let model = (family.load)(&folder, &mut loader).unwrap();
        let pass = Pass::default();
        let text = model.encode_texts(&pass, &["山"], TextOptions::default()).unwrap().remove(0);
        let heard = model.listen(&pass, &text).unwrap();
        // Odd sides: the way up must know the size of the next skip.
        for (height, width) in [(8, 8), (9, 13)] {
            let values = (0..4 * height * width).map(|i| (i as f32 * 0.37).sin()).collect();
            let x = Tensor::from_vec(values, (1, 4, height, width), &Device::Cpu).unwrap();
            let run = |t: f64, reuse: Reuse<'_>| {
                let out = model.predict(&pass, &x, t, &heard, reuse).unwrap();
                with_values(&out, <[f32]>::to_vec).unwrap()
            };
            let mut deep = Deep::default();
            let whole = run(500.0, Reuse::Off);
            assert_eq!(run(500.0, Reuse::Keep(&mut deep)), whole);
            assert_eq!(run(500.0, Reuse::Take(&deep)), whole);
            let (near, exact) = (run(480.0, Reuse::Take(&deep)), run(480.0, Reuse::Off));
            let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
            assert!(
                near != whole && near != exact && distance(&near, &exact) < distance(&whole, &vec![0.0; whole.len()])
            );
        }
        let none = Deep::default();
        let x = Tensor::zeros((1, 4, 8, 8), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(model.predict(&pass, &x, 500.0, &heard, Reuse::Take(&none)).is_err());
    }
}
