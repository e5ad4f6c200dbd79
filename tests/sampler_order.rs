//! How fast the samplers converge, on data for which the way is known: latents with the normal distribution N(m, s²).
//! The ideal denoiser is then `(s² x + sigma² m) / (s² + sigma²)`, and the probability flow ODE goes from `x` at sigma to
//! `m + (x - m) sqrt((s² + end²) / (s² + sigma²))` at the end.

use candle_core::{Device, Tensor};
use danqing::engine::samplers::{self, Interrupt, Run};
use danqing::engine::schedules::{BetaSchedule, NoiseTable, Schedule};
use danqing::recipe::sampling::SamplerId;
use std::sync::Arc;

const MEAN: f64 = 0.7;
const SPREAD: f64 = 0.6;
const HIGH: f64 = 12.0;
const LOW: f64 = 0.1;

fn table() -> Arc<NoiseTable> {
    Arc::new(NoiseTable::new(BetaSchedule::ScaledLinear, 0.00085, 0.012, 1000).unwrap())
}

/// `steps` steps down to `low`, uniform in log sigma.
fn uniform(sampler: SamplerId, steps: usize, low: f64) -> Schedule {
    let points: Vec<f64> = (0..steps).map(|i| HIGH * (low / HIGH).powf(i as f64 / steps as f64)).collect();
    Schedule::through(&table(), sampler, &points, low)
}

fn ideal(x: &Tensor, sigma: f64) -> Result<Tensor, Interrupt> {
    let share = SPREAD * SPREAD / (SPREAD * SPREAD + sigma * sigma);
    Ok(x.affine(share, (1.0 - share) * MEAN)?)
}

fn go(sampler: SamplerId, schedule: &Schedule, x: Tensor, eta: f64, random: &mut Random) -> Vec<f64> {
    let count = x.elem_count();
    let mut run = Run {
        schedule,
        denoise: &mut ideal,
        noise: &mut || Ok(random.tensor(count)),
        eta,
        after_pass: &mut |_| Ok(None),
    };
    let last = samplers::entry(sampler).sampler.sample(&mut run, x).unwrap();
    last.to_vec1::<f32>().unwrap().into_iter().map(f64::from).collect()
}

/// Normal numbers by SplitMix64 and Box-Muller.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn tensor(&mut self, count: usize) -> Tensor {
        let normal = |random: &mut Self| {
            let radius = (-2.0 * (1.0 - random.uniform()).ln()).sqrt();
            (radius * (std::f64::consts::TAU * random.uniform()).cos()) as f32
        };
        let values: Vec<f32> = (0..count).map(|_| normal(self)).collect();
        Tensor::from_vec(values, count, &Device::Cpu).unwrap()
    }
}

/// Mean slope of log error against log steps.
fn order(sampler: SamplerId, low: f64, steps: &[usize]) -> f64 {
    // One pass adds up in f64 but each state is stored in f32: the errors measured must stay well above 1e-6.
    let errors: Vec<f64> = steps
        .iter()
        .map(|&steps| {
            let start = Tensor::new(&[-20.0f32, -3.0, 9.0, 25.0], &Device::Cpu).unwrap();
            let scale = ((SPREAD * SPREAD + low * low) / (SPREAD * SPREAD + HIGH * HIGH)).sqrt();
            let ends = go(sampler, &uniform(sampler, steps, low), start.clone(), 0.0, &mut Random(1));
            let starts = start.to_vec1::<f32>().unwrap();
            let gap = |(end, start): (&f64, &f32)| (end - (MEAN + (f64::from(*start) - MEAN) * scale)).abs();
            ends.iter().zip(&starts).map(gap).fold(0.0, f64::max)
        })
        .collect();
    let slope = |pair: &[f64], counts: &[usize]| (pair[0] / pair[1]).ln() / (counts[1] as f64 / counts[0] as f64).ln();
    let slopes: Vec<f64> = errors.windows(2).zip(steps.windows(2)).map(|(e, n)| slope(e, n)).collect();
    println!("{sampler:?}: errors {errors:?}, slopes {slopes:?}");
    slopes.iter().sum::<f64>() / slopes.len() as f64
}

#[test]
fn halving_the_steps_shows_each_samplers_order() {
    // UniPC with its corrector is of order 3, but its last step is of order 1 and not corrected, which leaves an error of
    // order 2 that grows with the sigma it ends on. Between the two ends here the errors have opposite signs and about
    // the same size, and no slope can be read.
    for (sampler, low, least, most) in [
        (SamplerId::Euler, 0.1, 0.85, 1.15),
        (SamplerId::Ddim, 0.1, 0.85, 1.15),
        (SamplerId::Heun, 0.1, 1.8, 2.3),
        (SamplerId::DpmPp2M, 0.1, 1.8, 2.3),
        (SamplerId::DpmPp2MSde, 0.1, 1.8, 2.3),
        (SamplerId::UniPc, 0.02, 2.7, 3.3),
        (SamplerId::UniPc, 0.3, 1.8, 2.3),
        (SamplerId::Plms, 0.1, 1.8, 2.5),
    ] {
        let order = order(sampler, low, &[20, 40, 80]);
        assert!((least..=most).contains(&order), "{sampler:?} to {low}: order {order:.2}");
    }
}

#[test]
fn samplers_with_noise_give_the_distribution_of_the_data() {
    const COUNT: usize = 40_000;
    for (sampler, eta) in [
        (SamplerId::EulerAncestral, 1.0),
        (SamplerId::Ddim, 1.0),
        (SamplerId::Ddim, 0.5),
        (SamplerId::DpmPp2MSde, 1.0),
        (SamplerId::DpmPp2MSde, 0.5),
    ] {
        let mut random = Random(20);
        let deviation = (SPREAD * SPREAD + HIGH * HIGH).sqrt();
        let start = random.tensor(COUNT).affine(deviation, MEAN).unwrap();
        let ends = go(sampler, &uniform(sampler, 300, LOW), start, eta, &mut random);
        let mean = ends.iter().sum::<f64>() / COUNT as f64;
        let variance = ends.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / COUNT as f64;
        let wanted = SPREAD * SPREAD + LOW * LOW;
        println!("{sampler:?} {eta}: mean {mean:.4}, variance {variance:.4} (wanted {MEAN}, {wanted:.4})");
        // Four standard errors, and as much again for the steps' own error.
        assert!((mean - MEAN).abs() < 8.0 * (wanted / COUNT as f64).sqrt(), "{sampler:?} {eta}: mean {mean}");
        let error = (2.0 / COUNT as f64).sqrt();
        assert!((variance / wanted - 1.0).abs() < 8.0 * error, "{sampler:?} {eta}: variance {variance}");
    }
}

#[test]
fn a_cancelled_run_stops_at_once() {
    for entry in samplers::SAMPLERS {
        let schedule = uniform(entry.id, 10, LOW);
        let mut calls = 0;
        let start = Tensor::new(&[1.0f32], &Device::Cpu).unwrap();
        let mut run = Run {
            schedule: &schedule,
            denoise: &mut |x, sigma| {
                calls += 1;
                if calls == 3 { Err(Interrupt::Cancelled) } else { ideal(x, sigma) }
            },
            noise: &mut || Ok(Random(3).tensor(1)),
            eta: 1.0,
            after_pass: &mut |_| Ok(None),
        };
        assert!(matches!(entry.sampler.sample(&mut run, start), Err(Interrupt::Cancelled)), "{:?}", entry.id);
        assert_eq!(calls, 3);
    }
}

#[test]
fn a_state_given_back_is_the_one_gone_on_from() {
    for entry in samplers::SAMPLERS {
        let schedule = uniform(entry.id, 6, LOW);
        let mut expected: Option<f32> = None;
        let given = std::cell::Cell::new(None);
        let start = Tensor::new(&[5.0f32], &Device::Cpu).unwrap();
        let mut run = Run {
            schedule: &schedule,
            denoise: &mut |x, sigma| {
                if let Some(given) = given.take() {
                    assert_eq!(x.to_vec1::<f32>()?, [given], "{:?}", entry.id);
                }
                ideal(x, sigma)
            },
            noise: &mut || Ok(Random(3).tensor(1)),
            eta: 1.0,
            after_pass: &mut |pass| {
                let value = 0.25 + pass.index as f32;
                given.set(Some(value));
                expected = Some(value);
                Ok(Some(Tensor::new(&[value], &Device::Cpu)?))
            },
        };
        let last = entry.sampler.sample(&mut run, start).unwrap();
        assert_eq!(last.to_vec1::<f32>().unwrap(), [expected.unwrap()], "{:?}", entry.id);
    }
}
