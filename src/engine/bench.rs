//! How fast this machine paints: networks of Stable Diffusion 1.x's shape with drawn parameters, so that nothing need be
//! downloaded.

use super::device::{self, Opened};
use super::interrupt::Interrupt;
use super::kernels::packed::{self, Epilogue, Input, Out, PackedWeights, Precision as Products, Quantised, Spec};
use super::kernels::{Isa, attention};
use super::nets::Params;
use super::nets::native::{Format, Scheme};
use super::nets::ops::{Pass, Place};
use super::nets::profile::{Kind, Profile};
use super::nets::unet::{Reuse, Unet, UnetConfig};
use super::nets::vae::{Vae, VaeConfig};
use super::weights::{Weights, scheme};
use crate::base::{Problem, ProblemKind, machine};
use crate::recipe::bench::{BenchOptions, BenchReport, Depth, Figure, Machine, Measure, Share, Task, Tell};
use crate::recipe::{Cancel, Precision};
use candle_core::{DType, Device, Tensor};
use half::bf16;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is measured, but for the options.
struct Shape {
    /// The configs in diffusers' form.
    unet: &'static str,
    vae: &'static str,
    /// Side of the picture in pixels, a multiple of 8.
    side: usize,
    /// Other sides.
    sides: &'static [usize],
    /// Pictures at once: both halves of guidance.
    batch: usize,
    batches: &'static [usize],
    /// Tokens of a text; the first is the usual.
    tokens: &'static [usize],
    /// Side of the matrices of a large product.
    product: usize,
}

const STABLE_DIFFUSION_1: Shape = Shape {
    unet: r#"{
        "in_channels": 4, "out_channels": 4, "block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2,
        "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
        "cross_attention_dim": 768, "attention_head_dim": 8
    }"#,
    vae: r#"{ "latent_channels": 4, "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2 }"#,
    side: 512,
    sides: &[256, 768, 1024],
    batch: 2,
    batches: &[1, 3, 4],
    tokens: &[77, 512],
    product: 2048,
};

/// Measures, and lays down each figure in `report` as soon as it is there.
///
/// # Errors
/// [`ProblemKind::Cancelled`] and [`ProblemKind::OutOfMemory`]; what was measured before is in the report.
/// [`ProblemKind::DeviceMissing`] and [`ProblemKind::DeviceFailed`]: no other device is measured in its stead.
pub fn run(options: &BenchOptions, cancel: &Cancel, report: &mut BenchReport, tell: Tell<'_>) -> Result<(), Problem> {
    introduce(report);
    let Opened { device, name, .. } = device::open(options.device)?;
    let by_candle = !device.is_cpu();
    report.machine.device = by_candle.then_some(name);
    let (shape, options, cancel) = (&STABLE_DIFFUSION_1, *options, cancel.clone());
    Bench { shape, options, device, by_candle, cancel, report, tell }.run()
}

/// Says what measures, and where.
fn introduce(report: &mut BenchReport) {
    report.version = env!("CARGO_PKG_VERSION").to_owned();
    report.machine = Machine {
        processor: machine::processor(),
        instructions: Isa::best().title(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        threads: rayon::current_num_threads(),
        memory_mib: machine::memory_mb(),
        system: machine::system(),
        device: None,
    };
}

struct Bench<'a> {
    shape: &'a Shape,
    options: BenchOptions,
    device: Device,
    /// Candle computes, not our kernels.
    by_candle: bool,
    cancel: Cancel,
    report: &'a mut BenchReport,
    tell: Tell<'a>,
}

impl Bench<'_> {
    fn run(mut self) -> Result<(), Problem> {
        let isa = Isa::best();
        let mut precisions = vec![Precision::F32];
        if self.by_candle {
            precisions.extend([Precision::Bf16, Precision::F16]);
        } else {
            precisions.extend(isa.has_bf16().then_some(Precision::Bf16));
            precisions.extend(isa.has_vnni().then_some(Precision::Int8));
        }
        for &precision in &precisions {
            match self.place(precision, isa) {
                Place::Native(scheme) => self.peak(precision, scheme.products, isa)?,
                Place::Plain(dtype) => self.peak_of_candle(precision, dtype)?,
            }
        }
        // Each is faster than the one before.
        let fastest = precisions.pop().unwrap_or(Precision::F32);
        if self.options.depth != Depth::Quick {
            for precision in precisions {
                self.networks(precision, isa, false)?;
            }
        }
        self.networks(fastest, isa, true)
    }

    /// Where networks compute in a precision.
    fn place(&self, precision: Precision, isa: Isa) -> Place {
        match precision {
            _ if !self.by_candle => Place::Native(scheme(precision, isa)),
            Precision::F32 => Place::Plain(DType::F32),
            Precision::Bf16 => Place::Plain(DType::BF16),
            _ => Place::Plain(DType::F16),
        }
    }

    /// Runs `work` until there are enough values, one more before them, and lays down seconds, or what `value` makes of
    /// them. Gives the mean of the seconds.
    fn timed(
        &mut self,
        task: Task,
        value: impl Fn(f64) -> f64,
        mut work: impl FnMut(bool) -> Result<(), Problem>,
    ) -> Result<f64, Problem> {
        (self.tell)(&task);
        let mut values = Vec::new();
        let mut sum = 0.0;
        for run in 0..=self.options.repeats.max(1) {
            if self.cancel.is_requested() {
                return Err(Problem::new(ProblemKind::Cancelled));
            }
            let began = Instant::now();
            work(run == 0)?;
            if run > 0 {
                let seconds = began.elapsed().as_secs_f64();
                sum += seconds;
                values.push(value(seconds));
            }
        }
        let mean = sum / values.len() as f64;
        self.report.figures.extend(Figure::new(task, values));
        Ok(mean)
    }

    /// Makes something, once.
    fn made<T>(&mut self, task: Task, make: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
        (self.tell)(&task);
        let began = Instant::now();
        let made = make()?;
        self.report.figures.extend(Figure::new(task, vec![began.elapsed().as_secs_f64()]));
        Ok(made)
    }

    fn task(&self, measure: Measure, precision: Precision) -> Task {
        Task::new(measure, precision, rayon::current_num_threads())
    }

    /// The most that products reach: a square one, large enough to be bound by arithmetic alone.
    fn peak(&mut self, precision: Precision, products: Products, isa: Isa) -> Result<(), Problem> {
        let side = self.shape.product;
        let task = Task { side: Some(side), ..self.task(Measure::Peak, precision) };
        let values = wave(side * side);
        let cancelled = || Problem::new(ProblemKind::Cancelled);
        let weights = PackedWeights::from_slice(Spec::linear(products, isa, side, side), &values);
        let halves: Vec<bf16> = values.iter().map(|value| bf16::from_f32(*value)).collect();
        let mut bytes = Quantised::new();
        bytes.fill(&values, side, None, isa);
        let mut out = vec![0.0f32; side * side];
        let cancel = self.cancel.clone();
        let operations = 2.0 * (side as f64).powi(3);
        let product = |_| {
            let input = match products {
                Products::F32 => Input::F32(&values),
                Products::Bf16 => Input::Bf16(&halves),
                Products::Int8 => Input::Int8(bytes.view()),
            };
            let out = Out::rows(&mut out, side);
            let done = packed::linear(out, input, &weights, &Epilogue::default(), isa, &|| cancel.is_requested());
            if done { Ok(()) } else { Err(cancelled()) }
        };
        self.timed(task, |seconds| operations / seconds / 1e9, product)?;
        Ok(())
    }

    fn peak_of_candle(&mut self, precision: Precision, dtype: DType) -> Result<(), Problem> {
        let side = self.shape.product;
        let task = Task { side: Some(side), ..self.task(Measure::Peak, precision) };
        let operations = 2.0 * (side as f64).powi(3);
        let x = tensor(&self.device, (1, 1, side, side))?;
        let x = x.to_dtype(dtype).and_then(|x| x.reshape((side, side))).map_err(Interrupt::from)?;
        let product = |_| done(&x.matmul(&x).map_err(Interrupt::from)?);
        self.timed(task, |seconds| operations / seconds / 1e9, product)?;
        Ok(())
    }

    /// UNet and VAE in a precision, as a picture needs them. Only one UNet is in memory at a time.
    fn networks(&mut self, precision: Precision, isa: Isa, fastest: bool) -> Result<(), Problem> {
        let place = self.place(precision, isa);
        let forgot = !self.by_candle && machine::forget_peak_rss();
        let config: UnetConfig = parsed(self.shape.unet)?;
        let weights = Weights::drawn(self.device.clone(), place, self.cancel.clone());
        let task = self.task(Measure::UnetLoad, precision);
        let unet = self.made(task, || Unet::load(&Params::root(&weights), &config))?;
        let pass = Pass::new(self.cancel.clone());
        let pictures = (self.shape.batch, self.shape.side);
        let texts = self.shape.tokens.iter().take(if self.options.depth == Depth::Quick { 1 } else { usize::MAX });
        for (at, &tokens) in texts.enumerate() {
            self.unet(&unet, (&config, place), (pictures, tokens), (&pass, precision), at == 0)?;
        }
        pass.pool.trim();
        self.vae((place, precision), &pass)?;
        if forgot && let Some(peak) = machine::peak_rss_mb() {
            let task = self.task(Measure::PeakMemory, precision).of(pictures.0, pictures.1);
            self.report.figures.extend(Figure::new(task, vec![peak]));
        }
        if !fastest || self.options.depth == Depth::Quick {
            return Ok(());
        }
        let usual = self.shape.tokens.first().copied().unwrap_or(1);
        if rayon::current_num_threads() > 1 && !self.by_candle {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
            let pool = pool.map_err(|e| Problem::new(ProblemKind::Internal).detail(e))?;
            let task = Task::new(Measure::UnetPass, precision, 1).of(pictures.0, pictures.1).tokens(usual);
            let run = Run::new(&unet, &config, (pictures, usual), (&pass, &self.device))?;
            self.timed(task, |s| s, |_| pool.install(|| run.pass(&pass)))?;
        }
        if self.options.depth == Depth::Full {
            let sides = self.shape.sides.iter().map(|&side| (pictures.0, side));
            let batches = self.shape.batches.iter().map(|&batch| (batch, pictures.1));
            for pictures in sides.chain(batches) {
                pass.pool.trim();
                let task = self.task(Measure::UnetPass, precision).of(pictures.0, pictures.1).tokens(usual);
                let run = Run::new(&unet, &config, (pictures, usual), (&pass, &self.device))?;
                self.timed(task, |s| s, |_| run.pass(&pass))?;
            }
        }
        Ok(())
    }

    fn unet(
        &mut self,
        unet: &Unet,
        (config, place): (&UnetConfig, Place),
        (pictures, tokens): ((usize, usize), usize),
        (pass, precision): (&Pass, Precision),
        shares: bool,
    ) -> Result<(), Problem> {
        let task = self.task(Measure::UnetListen, precision).tokens(tokens);
        let task = Task { batch: Some(pictures.0), ..task };
        let text = text(&self.device, (pictures.0, tokens, config.cross_attention_dim))?;
        let device = self.device.clone();
        self.timed(
            task,
            |s| s,
            |_| {
                unet.listen(pass, &text)?;
                Ok(device.synchronize().map_err(Interrupt::from)?)
            },
        )?;

        let run = Run::new(unet, config, (pictures, tokens), (pass, &device))?;
        let profile = Arc::new(Profile::default());
        // Only our kernels tell where the time goes.
        let native = match place {
            Place::Native(scheme) if shares => Some(scheme),
            _ => None,
        };
        let watched = Pass { profile: native.map(|_| profile.clone()), ..pass.clone() };
        let task = self.task(Measure::UnetPass, precision).of(pictures.0, pictures.1).tokens(tokens);
        let mean = self.timed(task, |s| s, |warming| run.pass(if warming { pass } else { &watched }))?;
        if let Some(scheme) = native {
            self.shares(&profile, scheme, precision, mean);
        }
        Ok(())
    }

    /// Where the time of passes went that took `whole` seconds each.
    fn shares(&mut self, profile: &Profile, scheme: Scheme, precision: Precision, whole: f64) {
        let runs = self.options.repeats.max(1) as f64;
        let peak = |precision| self.report.figure(Measure::Peak, precision).map(|figure| figure.greatest);
        let products = peak(of_products(scheme.products));
        let values = peak(of_activations(scheme));
        // Scores may be products of bytes where the sums of values are not; each is half of the arithmetic.
        let in_bytes = scheme.attention() == attention::Precision::Bytes;
        let scores = if in_bytes { products } else { values };
        let attention = scores.zip(values).map(|(scores, values)| 2.0 / (1.0 / scores + 1.0 / values));
        let mut other = whole;
        let mut shares = Vec::new();
        for (kind, spent) in profile.spent() {
            let seconds = spent.time.as_secs_f64() / runs;
            other -= seconds;
            let gflops = (spent.operations > 0.0 && spent.time > Duration::ZERO)
                .then(|| spent.operations / spent.time.as_secs_f64() / 1e9);
            let peak = if kind == Kind::Attention { attention } else { products };
            shares.push(Share {
                precision,
                kind: kind.name().to_owned(),
                seconds,
                of_time: seconds / whole,
                gflops,
                of_peak: gflops.zip(peak).map(|(gflops, peak)| gflops / peak),
            });
        }
        let other = other.max(0.0);
        let kind = "other".to_owned();
        shares.push(Share { precision, kind, seconds: other, of_time: other / whole, gflops: None, of_peak: None });
        self.report.shares.extend(shares);
    }

    /// The VAE as it is when the UNet computes like this: never in bytes. What was measured already is only run once,
    /// for the memory that it needs.
    fn vae(&mut self, (place, precision): (Place, Precision), pass: &Pass) -> Result<(), Problem> {
        let (place, precision) = match place {
            Place::Native(scheme) => {
                let scheme = scheme.unquantised();
                (Place::Native(scheme), of_products(scheme.products))
            }
            Place::Plain(_) => (place, precision),
        };
        let config: VaeConfig = parsed(self.shape.vae)?;
        let known = self.report.figure(Measure::VaeDecode, precision).is_some();
        let weights = Weights::drawn(self.device.clone(), place, self.cancel.clone());
        let load = || Vae::load(&Params::root(&weights), &config);
        let latent = self.shape.side / config.factor() as usize;
        let z = tensor(&self.device, (1, config.latent_channels, latent, latent))?;
        if known {
            return Ok(load()?.decode(pass, &z).map(drop)?);
        }
        let vae = self.made(self.task(Measure::VaeLoad, precision), load)?;
        let task = self.task(Measure::VaeDecode, precision).of(1, self.shape.side);
        self.timed(task, |s| s, |_| done(&vae.decode(pass, &z)?))?;
        Ok(())
    }
}

/// What a UNet needs for a pass.
struct Run<'a> {
    unet: &'a Unet,
    x: Tensor,
    heard: super::nets::unet::Heard,
}

impl<'a> Run<'a> {
    fn new(
        unet: &'a Unet,
        config: &UnetConfig,
        ((batch, side), tokens): ((usize, usize), usize),
        (pass, device): (&Pass, &Device),
    ) -> Result<Self, Problem> {
        let heard = unet.listen(pass, &text(device, (batch, tokens, config.cross_attention_dim))?)?;
        Ok(Self { unet, x: tensor(device, (batch, config.in_channels, side / 8, side / 8))?, heard })
    }

    fn pass(&self, pass: &Pass) -> Result<(), Problem> {
        done(&self.unet.forward(pass, &self.x, 500.0, &self.heard, Reuse::Off)?)
    }
}

fn of_products(products: Products) -> Precision {
    match products {
        Products::F32 => Precision::F32,
        Products::Bf16 => Precision::Bf16,
        Products::Int8 => Precision::Int8,
    }
}

fn of_activations(scheme: Scheme) -> Precision {
    if scheme.activations == Format::Bf16 { Precision::Bf16 } else { Precision::F32 }
}

/// Values of mean 0 and variance 1, the same each time.
fn wave(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i % 100_003) as f32).sin() * std::f32::consts::SQRT_2).collect()
}

fn tensor(device: &Device, shape: (usize, usize, usize, usize)) -> Result<Tensor, Interrupt> {
    let (batch, channels, height, width) = shape;
    Ok(Tensor::from_vec(wave(batch * channels * height * width), shape, device)?)
}

fn text(device: &Device, shape: (usize, usize, usize)) -> Result<Tensor, Interrupt> {
    Ok(Tensor::from_vec(wave(shape.0 * shape.1 * shape.2), shape, device)?)
}

/// Returns when a result is there and not only asked for, as graphics cards have it.
fn done(result: &Tensor) -> Result<(), Problem> {
    Ok(result.device().synchronize().map_err(Interrupt::from)?)
}

fn parsed<T: DeserializeOwned>(config: &str) -> Result<T, Problem> {
    serde_json::from_str(config).map_err(|e| Problem::new(ProblemKind::Internal).detail(e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::DeviceChoice;

    const TINY: Shape = Shape {
        unet: r#"{
            "in_channels": 4, "out_channels": 4, "block_out_channels": [32, 64], "layers_per_block": 1,
            "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
            "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
            "cross_attention_dim": 32, "attention_head_dim": 2
        }"#,
        vae: r#"{ "latent_channels": 4, "block_out_channels": [32, 32], "layers_per_block": 1 }"#,
        side: 64,
        sides: &[32],
        batch: 2,
        batches: &[1],
        tokens: &[7, 12],
        product: 64,
    };

    /// Measures the tiny shape; `before` is asked before each task whether to stop.
    fn measured(depth: Depth, before: impl Fn(&Task) -> bool) -> (BenchReport, Result<(), Problem>) {
        let (mut report, cancel) = (BenchReport::default(), Cancel::new());
        let flag = cancel.clone();
        let mut tell = |task: &Task| {
            if before(task) {
                flag.request();
            }
        };
        introduce(&mut report);
        let result = bench(depth, false, cancel, &mut report, &mut tell).run();
        (report, result)
    }

    fn bench<'a>(
        depth: Depth,
        by_candle: bool,
        cancel: Cancel,
        report: &'a mut BenchReport,
        tell: Tell<'a>,
    ) -> Bench<'a> {
        let options = BenchOptions { repeats: 1, depth, device: DeviceChoice::Cpu };
        Bench { shape: &TINY, options, device: Device::Cpu, by_candle, cancel, report, tell }
    }

    #[test]
    fn what_a_card_would_do_is_measured_the_same_way() {
        let (mut report, mut nothing) = (BenchReport::default(), |_: &Task| {});
        bench(Depth::Full, true, Cancel::new(), &mut report, &mut nothing).run().unwrap();
        for precision in [Precision::F32, Precision::Bf16, Precision::F16] {
            for measure in
                [Measure::Peak, Measure::UnetLoad, Measure::UnetListen, Measure::UnetPass, Measure::VaeDecode]
            {
                assert!(report.figure(measure, precision).is_some(), "{measure:?} {precision:?}");
            }
        }
        assert!(report.shares.is_empty() && report.figure(Measure::PeakMemory, Precision::F16).is_none());
        assert!(report.figures.iter().all(|figure| figure.task.threads == rayon::current_num_threads()));
    }

    #[test]
    fn a_card_that_is_not_there_is_no_reason_to_measure_another() {
        let options = BenchOptions { repeats: 1, depth: Depth::Quick, device: DeviceChoice::Cuda(1000) };
        let mut report = BenchReport::default();
        let problem = run(&options, &Cancel::new(), &mut report, &mut |_| {}).unwrap_err();
        assert_eq!((problem.kind, report.figures.len()), (ProblemKind::DeviceMissing, 0));
        assert!(!report.version.is_empty() && report.machine.device.is_none());
    }

    #[test]
    fn every_row_is_there_and_comes_back_from_the_file() {
        let (report, result) = measured(Depth::Full, |_| false);
        result.unwrap();
        let has = |measure, precision| report.figure(measure, precision).is_some();
        let isa = Isa::best();
        let all = [(Precision::F32, true), (Precision::Bf16, isa.has_bf16()), (Precision::Int8, isa.has_vnni())];
        for (precision, expected) in all {
            for measure in [Measure::Peak, Measure::UnetLoad, Measure::UnetListen, Measure::UnetPass] {
                assert_eq!(has(measure, precision), expected, "{measure:?} {precision:?}");
            }
            let shares = report.shares.iter().filter(|share| share.precision == precision);
            assert_eq!(shares.clone().count(), if expected { Kind::ALL.len() + 1 } else { 0 });
            let whole: f64 = shares.map(|share| share.of_time).sum();
            assert!(!expected || (whole - 1.0).abs() < 0.05, "{whole}");
        }
        assert!(has(Measure::VaeDecode, Precision::F32) && !has(Measure::VaeDecode, Precision::Int8));
        let passes = report.figures.iter().filter(|figure| figure.task.measure == Measure::UnetPass);
        let sizes: Vec<_> = passes.map(|figure| (figure.task.batch, figure.task.side, figure.task.tokens)).collect();
        assert!([(2, 32, 7), (1, 64, 7)].iter().all(|&(b, s, t)| sizes.contains(&(Some(b), Some(s), Some(t)))));
        for figure in &report.figures {
            assert!(0.0 < figure.least && figure.least <= figure.median && figure.median <= figure.greatest);
            assert!(figure.greatest.is_finite() && figure.runs == 1 && figure.task.threads > 0, "{figure:?}");
        }
        for share in &report.shares {
            assert!(share.seconds >= 0.0 && share.of_time.is_finite(), "{share:?}");
            assert!(share.gflops.is_none_or(|v| v.is_finite() && v > 0.0) && share.of_peak.is_none_or(f64::is_finite));
        }
        assert!(!report.machine.instructions.is_empty() && report.machine.cores > 0);
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<BenchReport>(&text).unwrap(), report);
    }

    #[test]
    fn one_precision_is_enough_in_a_hurry() {
        let (report, result) = measured(Depth::Quick, |_| false);
        result.unwrap();
        let passes: Vec<_> = report.figures.iter().filter(|f| f.task.measure == Measure::UnetPass).collect();
        assert_eq!((passes.len(), passes[0].task.tokens), (1, Some(7)));
    }

    #[test]
    fn it_stops_when_asked_and_keeps_what_it_has() {
        let (report, result) = measured(Depth::Usual, |task| task.measure == Measure::UnetPass);
        assert!(result.unwrap_err().is_cancelled());
        assert!(report.figure(Measure::UnetListen, Precision::F32).is_some());
        assert!(report.figure(Measure::UnetPass, Precision::F32).is_none());
        let (report, result) = measured(Depth::Usual, |task| task.measure == Measure::Peak);
        assert!(result.unwrap_err().is_cancelled());
        assert!(report.figures.is_empty() && !report.version.is_empty());
    }

    #[test]
    fn the_configs_are_sound() {
        parsed::<UnetConfig>(STABLE_DIFFUSION_1.unet).unwrap().check().unwrap();
        assert_eq!(parsed::<VaeConfig>(STABLE_DIFFUSION_1.vae).unwrap().factor(), 8);
    }
}
