//! The engine against diffusers, on two small checkpoints of Taiyi's make: pictures, and the networks one by one.
//! The goldens are made by `tests/goldens/parity/make.py`.

#[path = "common/quiet.rs"]
mod quiet;

use danqing::engine::nets::ops::{Pass, with_values};
use danqing::engine::nets::unet::Reuse;
use danqing::engine::{CandleGenerator, EngineFolders, families, weights::Loader};
use danqing::imaging::{Mask, read::read_picture};
use danqing::recipe::*;
use quiet::Quiet;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest difference of a byte, and the largest mean difference, that rounding may make.
const MOST: u8 = 2;
const MOST_MEAN: f64 = 0.02;

/// The goldens of this repository, or those that `DANQING_PARITY` names (made by the same script elsewhere).
fn goldens() -> PathBuf {
    std::env::var_os("DANQING_PARITY")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/parity"), PathBuf::from)
}

fn recipe(case: &Value, folder: &Path) -> Recipe {
    let text = |key: &str| case[key].as_str().unwrap().to_owned();
    let picture = |key: &str| case[key].as_str().map(|file| read_picture(&folder.join(file), 1 << 24).unwrap());
    let init = picture("init").map(Arc::new);
    let side = |key: &str| case[key].as_u64().unwrap() as u32;
    let size = danqing::base::Extent::new(side("width"), side("height"));
    let sampler = SamplerId::from_key(&text("sampler")).unwrap();
    Recipe {
        model: folder.join(text("checkpoint")),
        prompt: text("prompt"),
        negative: text("negative"),
        sampling: Sampling {
            sampler,
            schedule: ScheduleId::from_key(&text("schedule")).unwrap(),
            steps: case["steps"].as_u64().unwrap() as u32,
            guidance: case["guidance"].as_f64().unwrap(),
            eta: sampler.default_eta(),
            interval: Interval::WHOLE,
            reuse: 1,
        },
        size,
        seed: case["seed"].as_u64().unwrap(),
        batch: 1,
        noise: NoiseSource::TorchCpu,
        source: match init {
            Some(picture) => Source::Picture { picture, strength: case["strength"].as_f64().unwrap() },
            None => Source::Text,
        },
        inpaint: picture("mask").map(|p| Inpaint { mask: Arc::new(Mask::from_luma(&p)), feather: 0.0, paste: false }),
        text: TextOptions::default(),
        precision: Precision::F32,
    }
}

#[test]
fn pictures_are_those_of_diffusers() {
    let folder = goldens();
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join("cases.json")).unwrap()).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let mut generator = CandleGenerator::new(EngineFolders { models: vec![], cache: cache.path().into() });
    let mut table: BTreeMap<String, (usize, u8, f64)> = BTreeMap::new();
    let only = std::env::var("DANQING_PARITY_ONLY").unwrap_or_default();
    for case in cases.iter().filter(|case| case["file"].as_str().is_some_and(|file| file.contains(&only))) {
        let output = generator.generate(&recipe(case, &folder), &mut Quiet).unwrap();
        let golden = read_picture(&folder.join(case["file"].as_str().unwrap()), 1 << 24).unwrap();
        assert_eq!(output.pictures[0].extent(), golden.extent());
        let differences: Vec<u8> =
            output.pictures[0].rgba().iter().zip(golden.rgba()).map(|(a, b)| a.abs_diff(*b)).collect();
        let most = differences.iter().copied().max().unwrap();
        // Of the colours; the alpha channel is the same by definition.
        let mean = differences.iter().map(|&d| f64::from(d)).sum::<f64>() / (differences.len() as f64 * 0.75);
        let name = format!(
            "{} {} {}{}",
            case["task"].as_str().unwrap(),
            case["sampler"].as_str().unwrap(),
            case["schedule"].as_str().unwrap(),
            case["strength"].as_f64().map_or(String::new(), |s| format!(" {s}")),
        );
        let row = table.entry(name).or_default();
        *row = (row.0 + 1, row.1.max(most), row.2.max(mean));
    }
    let mut good = true;
    for (name, (count, most, mean)) in table {
        println!("{name:32} {count:2} pictures: at most {most}/255, mean at most {mean:.5}/255");
        good &= most <= MOST && mean <= MOST_MEAN;
    }
    assert!(cases.len() >= 108 || std::env::var_os("DANQING_PARITY").is_some());
    assert!(good, "a picture differs by more than {MOST}/255 or {MOST_MEAN}/255 on average");
}

/// Largest difference relative to the golden's own largest value.
fn difference(ours: &candle_core::Tensor, golden: &[f32]) -> f32 {
    let scale = golden.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    with_values(ours, |v| {
        assert_eq!(v.len(), golden.len());
        v.iter().zip(golden).fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / scale
    })
    .unwrap()
}

#[test]
fn networks_are_those_of_diffusers() {
    let folder = goldens();
    let cache = tempfile::tempdir().unwrap();
    for n in 0..2 {
        let bytes = std::fs::read(folder.join(format!("checkpoint-{n}.safetensors"))).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let floats = |name: &str| -> Vec<f32> {
            let data = file.tensor(name).unwrap();
            data.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
        };
        let tensor = |name: &str| {
            let shape = file.tensor(name).unwrap().shape().to_vec();
            candle_core::Tensor::from_vec(floats(name), shape, &candle_core::Device::Cpu).unwrap()
        };
        let (model_folder, family) = families::detect(&folder.join(format!("checkpoint-{n}"))).unwrap();
        let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join("cases.json")).unwrap()).unwrap();
        let of_checkpoint = |c: &&Value| c["checkpoint"].as_str() == Some(&format!("checkpoint-{n}"));
        let prompt = cases.iter().find(of_checkpoint).unwrap()["prompt"].as_str().unwrap();
        // Our kernels and candle in f32; then both in what the processor has of less, which texts do not get.
        for (precision, by_candle, most) in [
            (Precision::F32, false, 2e-5),
            (Precision::F32, true, 2e-5),
            (Precision::Bf16, false, 0.08),
            (Precision::Bf16, true, 0.08),
            (Precision::Int8, false, 0.08),
        ] {
            let mut report = |_: Phase| ControlFlow::Continue(());
            let mut loader = Loader {
                device: candle_core::Device::Cpu,
                precision,
                by_candle,
                cache: cache.path(),
                cancel: Cancel::new(),
                report: &mut report,
            };
            let model = (family.load)(&model_folder, &mut loader).unwrap();
            let pass = Pass::default();
            let texts = model.encode_texts(&pass, &[prompt, ""], TextOptions::default()).unwrap();
            let heard = model.listen(&pass, &tensor("embeddings")).unwrap();
            let eps =
                model.predict(&pass, &tensor("unet_x"), f64::from(floats("unet_t")[0]), &heard, Reuse::Off).unwrap();
            let z = (tensor("vae_z") * 0.18215).unwrap();
            let picture = model.decode(&pass, &z).unwrap();
            for (name, d, most) in [
                ("text", difference(&texts[0], &floats("embeddings")), 2e-5),
                ("empty text", difference(&texts[1], &floats("negative_embeddings")), 2e-5),
                ("unet", difference(&eps, &floats("unet_eps")), most),
                ("decode", difference(&picture, &floats("vae_picture")), most),
            ] {
                let way = if by_candle { "candle" } else { "kernels" };
                println!("checkpoint {n}, {way} {}, {name}: relative difference {d:.1e}", precision.name());
                assert!(d < most, "{name}: {d}");
            }
        }
    }
}

/// Weights change nothing where they are 1, and at 0 the words are those of an empty prompt.
#[test]
fn weights_move_the_text_between_the_empty_prompt_and_beyond() {
    let cache = tempfile::tempdir().unwrap();
    let (folder, family) = families::detect(&goldens().join("checkpoint-0")).unwrap();
    let mut report = |_: Phase| ControlFlow::Continue(());
    let mut loader = Loader {
        device: candle_core::Device::Cpu,
        precision: Precision::F32,
        by_candle: false,
        cache: cache.path(),
        cancel: Cancel::new(),
        report: &mut report,
    };
    let model = (family.load)(&folder, &mut loader).unwrap();
    for attention_mask in [false, true] {
        let options = TextOptions { attention_mask, ..TextOptions::default() };
        // One row a token.
        let encode = |text: &str| -> Vec<Vec<f32>> {
            let states = model.encode_texts(&Pass::default(), &[text], options).unwrap().remove(0);
            states.squeeze(0).unwrap().to_vec2().unwrap()
        };
        let (plain, empty) = (encode("冬夜里的红梅，剪纸"), encode(""));
        for same in ["(冬夜里的红梅，剪纸:1)", "冬夜里的（红梅：1.0），剪纸", "([冬夜里的])红梅，剪纸"]
        {
            assert_eq!(encode(same), plain, "{same}");
        }
        let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
        // [CLS] and four words come before the two that are weighted.
        let (weighted, mut last) = (5..7usize, 0.0);
        for weight in [0.0, 0.5, 1.0, 1.5, 3.0] {
            let states = encode(&format!("冬夜里的(红梅:{weight})，剪纸"));
            for (i, state) in states.iter().enumerate().filter(|(i, _)| !weighted.contains(i)) {
                assert_eq!(state, &plain[i], "token {i}");
            }
            let far: f32 = weighted.clone().map(|i| distance(&states[i], &empty[i])).sum();
            let whole: f32 = weighted.clone().map(|i| distance(&plain[i], &empty[i])).sum();
            assert!((far - weight * whole).abs() < 1e-3 * whole, "{weight}: {far} of {whole}");
            assert!(far >= last);
            last = far;
        }
    }
}
