//! The samplers against diffusers' schedulers, with a formula in place of the network. The goldens and the formula are
//! in `goldens/samplers/make.py`.

use candle_core::{Device, Tensor};
use danqing::engine::samplers::{self, Run};
use danqing::engine::schedules::{NoiseTable, Schedule, sigmas};
use danqing::recipe::sampling::{SamplerId, ScheduleId};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// Largest difference that rounding may make, relative to the largest value.
const TOLERANCE: f64 = 1e-5;

fn goldens() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/samplers/samplers.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn tensor(values: impl IntoIterator<Item = f64>) -> Tensor {
    let values: Vec<f32> = values.into_iter().map(|v| v as f32).collect();
    Tensor::from_vec(values, (1, 4, 2, 2), &Device::Cpu).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f64::from).collect()
}

fn difference(ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(0.0f64, |most, v| most.max(v.abs()));
    ours.iter().zip(theirs).fold(0.0f64, |most, (a, b)| most.max((a - b).abs())) / largest
}

/// The variance exploding wrapper round the formula.
fn denoise(schedule: &Schedule, x: &Tensor, sigma: f64) -> Tensor {
    let t = schedule.timestep(sigma);
    tensor(values(x).into_iter().map(|x| {
        let z = x / sigma.hypot(1.0);
        let eps = 0.8 * (1.3 * z + 0.3 * (t / 150.0).sin()).tanh() + 0.1 * z * (t / 400.0).cos();
        x - sigma * eps
    }))
}

fn table(spacing: &str) -> Arc<NoiseTable> {
    let config = json!({"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
        "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1, "timestep_spacing": spacing});
    Arc::new(NoiseTable::from_config(&config).unwrap())
}

#[test]
fn the_noise_levels_are_pytorchs() {
    let table = table("leading");
    let theirs = numbers(&goldens()["sigmas"]);
    assert_eq!(table.train_steps(), theirs.len());
    for (t, theirs) in theirs.iter().enumerate() {
        let ours = table.sigma_of(t as f64);
        assert!((ours / theirs - 1.0).abs() < 2e-6, "t {t}: {ours} {theirs}");
    }
}

#[test]
fn every_case_goes_where_diffusers_goes() {
    let goldens = goldens();
    let (latent, noise) = (numbers(&goldens["latent"]), numbers(&goldens["noise"]));
    let mut faults = Vec::new();
    for case in goldens["cases"].as_array().unwrap() {
        let number = |key: &str| case[key].as_f64().unwrap();
        let sampler = SamplerId::from_key(case["sampler"].as_str().unwrap()).unwrap();
        let kind = ScheduleId::from_key(case["schedule"].as_str().unwrap()).unwrap();
        let strength = number("strength");
        let name = format!("{sampler:?} {kind:?} {} {} {strength}", case["spacing"], case["steps"]);

        let table = table(case["spacing"].as_str().unwrap());
        let schedule = sigmas(&table, kind, sampler, number("steps") as usize).start_at(strength);
        // Heun's class names each time step twice, once a stage.
        let mut told = numbers(&case["timesteps"]);
        if sampler == SamplerId::Heun {
            told.dedup();
        }
        if schedule.timesteps().len() != told.len()
            || schedule.timesteps().iter().zip(&told).any(|(a, b)| (a - b).abs() > 2e-3)
        {
            faults.push(format!("{name}: time steps {:?}, theirs {told:?}", schedule.timesteps()));
            continue;
        }

        let start = if strength < 1.0 {
            let sigma = schedule.first_sigma();
            tensor(latent.iter().zip(&noise).map(|(latent, noise)| latent + sigma * noise))
        } else {
            tensor(noise.iter().map(|noise| noise * schedule.noise_scale()))
        };
        let (mut k, mut seen) = (0, 0);
        let entry = samplers::entry(sampler);
        let total = entry.sampler.passes(&schedule);
        let mut run = Run {
            schedule: &schedule,
            denoise: &mut |x, sigma| Ok(denoise(&schedule, x, sigma)),
            noise: &mut || {
                let step = f64::from(k);
                k += 1;
                Ok(tensor((0..16).map(|i| {
                    let i = f64::from(i);
                    2f64.sqrt() * (1.7 * step + 0.9 * i + 0.3 * step * i).sin()
                })))
            },
            eta: number("eta"),
            after_pass: &mut |pass| {
                seen += 1;
                assert_eq!((pass.index, pass.total), (seen, total));
                Ok(None)
            },
        };
        let last = entry.sampler.sample(&mut run, start).unwrap();
        assert_eq!(seen, total);
        let ours: Vec<f64> = values(&last).into_iter().map(|v| v * schedule.final_scale()).collect();
        let apart = difference(&ours, &numbers(&case["result"]));
        println!("{name}: {apart:.1e}");
        if apart.is_nan() || apart > TOLERANCE {
            faults.push(format!("{name}: {apart:.2e} apart"));
        }
    }
    assert!(faults.is_empty(), "{} differ:\n{}", faults.len(), faults.join("\n"));
}
