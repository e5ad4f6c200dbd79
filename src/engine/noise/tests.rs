//! Agreement with goldens that `tests/goldens/noise/make.py` wrote.

use safetensors::SafeTensors;

use super::stream;
use crate::recipe::NoiseSource;

static GOLDENS: &[u8] = include_bytes!("../../../tests/goldens/noise/noise.safetensors");

/// Bit-equal elements, all elements, largest difference.
#[derive(Default)]
struct Agreement {
    equal: usize,
    all: usize,
    largest: f32,
}

impl Agreement {
    fn add(&mut self, ours: &[f32], golden: &[f32]) {
        assert_eq!(ours.len(), golden.len());
        for (a, b) in ours.iter().zip(golden) {
            self.equal += usize::from(a.to_bits() == b.to_bits());
            self.all += 1;
            self.largest = self.largest.max((a - b).abs());
        }
    }

    fn share(&self) -> f64 {
        self.equal as f64 / self.all as f64
    }

    fn print(&self, name: &str) {
        println!("{name}: {} of {} bit-equal, largest difference {:e}", self.equal, self.all, self.largest);
    }
}

/// The goldens of one group: `group/seed/step` holds the result of one call; the steps of a seed share a generator.
fn compare(source: NoiseSource, group: &str) -> Agreement {
    let goldens = SafeTensors::deserialize(GOLDENS).unwrap();
    let mut calls: Vec<(u64, usize, Vec<f32>)> = goldens
        .iter()
        .filter_map(|(name, view)| {
            let (seed, step) = name.strip_prefix(group)?.strip_prefix('/')?.split_once('/')?;
            let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            Some((seed.parse().unwrap(), step.parse().unwrap(), values.collect()))
        })
        .collect();
    calls.sort_by_key(|(seed, step, _)| (*seed, *step));
    let mut agreement = Agreement::default();
    let mut current = None;
    for (seed, step, golden) in calls {
        if step == 0 {
            current = Some(stream(source, seed));
        }
        agreement.add(&current.as_mut().unwrap().randn(golden.len()), &golden);
    }
    agreement.print(group);
    assert!(agreement.all > 0);
    agreement
}

#[test]
fn torch_cpu_sizes_1_to_33_match() {
    let mut sum = Agreement::default();
    for n in 1..=33 {
        let one = compare(NoiseSource::TorchCpu, &format!("cpu-{n}"));
        sum.equal += one.equal;
        sum.all += one.all;
        sum.largest = sum.largest.max(one.largest);
    }
    sum.print("cpu, sizes 1 to 33");
    assert!(sum.largest <= 2e-6);
    assert_eq!(sum.share(), 1.0);
}

#[test]
fn torch_cpu_latents_match() {
    for group in ["cpu-latents-512x512", "cpu-latents-pair-768x512"] {
        let agreement = compare(NoiseSource::TorchCpu, group);
        assert!(agreement.largest <= 2e-6);
        assert_eq!(agreement.share(), 1.0);
    }
}

#[test]
fn torch_cpu_sequences_of_calls_match() {
    let agreement = compare(NoiseSource::TorchCpu, "cpu-sequence");
    assert!(agreement.largest <= 2e-6);
    assert_eq!(agreement.share(), 1.0);
}

#[test]
fn torch_cuda_follows_the_double_precision_reference() {
    let agreement = compare(NoiseSource::TorchCuda, "cuda-sequence");
    assert!(agreement.largest <= 2e-6);
}

#[test]
fn samples_are_standard_normal() {
    for source in [NoiseSource::TorchCpu, NoiseSource::TorchCuda] {
        let values = stream(source, 2026).randn(1 << 18);
        let n = values.len() as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let variance = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n;
        // Five standard errors: 1/sqrt(n) of the mean, sqrt(2/n) of the variance.
        assert!(mean.abs() < 5.0 / n.sqrt(), "{mean}");
        assert!((variance - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{variance}");
    }
}
