//! What less work costs in quality: `cargo bench --bench quality [-- MODEL [PRECISION [PICTURES]]]`.
//!
//! Each setting paints the same captions and seeds (24 of them unless told otherwise); its final latents are held against
//! those of 200 steps in f32 with guidance everywhere. 20 steps of DPM++ 2M in f32 with guidance everywhere are the
//! yardstick: what is no worse than it for less work is a gain. MODEL is a diffusers folder, 小徒 if absent; PRECISION is
//! that of the settings, neither of the reference nor of the yardstick. What a precision alone does is said beside the
//! difference that another seed makes.
//!
//! Columns: mean squared error (mean over pictures), its ratio to the yardstick's, share of pictures that are no worse
//! than by the yardstick, UNet rows through the whole network and through its outermost level a picture (a guided step
//! has two), seconds of sampling a picture (median).

#[path = "../common/quiet.rs"]
mod quiet;

use danqing::base::Problem;
use danqing::engine::families::{self, Model};
use danqing::engine::nets::ops::Pass;
use danqing::engine::preview::LinearPreview;
use danqing::engine::texts::Texts;
use danqing::engine::{pipeline, weights::Loader};
use danqing::recipe::*;
use quiet::Quiet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// From the captions that 小徒 was trained for; other models of the family understand them, too.
const CAPTIONS: [&str; 24] = [
    "一只小船在湖上，夕阳，水彩",
    "孤舟蓑笠翁，独钓寒江雪，水墨",
    "飞流直下三千尺，疑是银河落九天，青绿山水",
    "冬夜里的红梅，剪纸",
    "大漠孤烟直，长河落日圆，油画",
    "春天的柳树，清晨，水彩画",
    "月光下的荷花，粉色，水墨画",
    "秋天的山，黄昏，青绿山水",
    "采菊东篱下，悠然见南山，水墨",
    "停车坐爱枫林晚，霜叶红于二月花，油画",
    "三只白鹤飞过天空，春天，青绿山水",
    "雪中的村庄，夜晚，油画",
    "竹林，雨，水墨",
    "红色的宝塔，秋天，白天，剪纸",
    "海上生明月，天涯共此时，水彩",
    "左边一座亭子，绿色，夏天，水彩",
    "两棵松树，冬天，大雪，水墨",
    "石桥，薄雾，清晨，水彩",
    "四朵紫色的菊花，秋天，油画",
    "五只小鸟，黄昏，剪纸",
    "月落乌啼霜满天，江枫渔火对愁眠，水墨",
    "蓝色的帆船，夏天，白天，油画",
    "小荷才露尖尖角，早有蜻蜓立上头，剪纸",
    "星空下的沙漠，油画",
];

/// A model in one precision, and the texts that it has read.
struct Painter {
    model: Box<dyn Model>,
    texts: Texts,
    path: PathBuf,
    precision: Precision,
}

/// What one picture came to.
struct Painted {
    latent: Vec<f32>,
    runs: Runs,
    seconds: f64,
}

impl Painter {
    fn load(path: &Path, precision: Precision) -> Result<Self, Problem> {
        let (folder, family) = families::detect(path)?;
        let mut report = |_: Phase| ControlFlow::Continue(());
        let cache = std::env::temp_dir().join("danqing-bench");
        let device = candle_core::Device::Cpu;
        let mut loader =
            Loader { device, precision, by_candle: false, cache: &cache, cancel: Cancel::new(), report: &mut report };
        let model = (family.load)(&folder, &mut loader)?;
        Ok(Self { model, texts: Texts::default(), path: path.into(), precision })
    }

    fn paint(&mut self, number: usize, sampling: Sampling) -> Result<Painted, Problem> {
        self.paint_from(number, 1000 + number as u64, sampling)
    }

    fn paint_from(&mut self, number: usize, seed: u64, sampling: Sampling) -> Result<Painted, Problem> {
        let recipe = Recipe {
            model: self.path.clone(),
            prompt: CAPTIONS[number % CAPTIONS.len()].into(),
            negative: String::new(),
            sampling,
            size: self.model.info().native,
            seed,
            batch: 1,
            noise: NoiseSource::TorchCpu,
            source: Source::Text,
            inpaint: None,
            text: TextOptions::default(),
            precision: self.precision,
        };
        let preview = LinearPreview { matrix: Vec::new(), bias: [0.0; 3] };
        let mut output = Output::default();
        let (pass, device) = (Pass::default(), candle_core::Device::Cpu);
        let model = self.model.as_ref();
        pipeline::latents(model, &preview, &mut self.texts, (&pass, &device), &recipe, &mut Quiet, &mut output)?;
        let latent = output.trace.last().map(|last| last.x.to_vec()).unwrap_or_default();
        Ok(Painted { latent, runs: output.timings.runs, seconds: output.timings.step_s.iter().sum() })
    }
}

fn squared_error(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    sum / a.len() as f64
}

fn each(pictures: usize, paint: impl FnMut(usize) -> Result<Vec<f32>, Problem>) -> Result<Vec<Vec<f32>>, Problem> {
    (0..pictures).map(paint).collect()
}

fn yardstick(guidance: f64) -> Sampling {
    Sampling {
        sampler: SamplerId::DpmPp2M,
        schedule: ScheduleId::Model,
        steps: 20,
        guidance,
        eta: 0.0,
        interval: Interval::WHOLE,
        reuse: 1,
    }
}

/// The yardstick first.
fn settings(guidance: f64) -> Vec<Sampling> {
    let yardstick = yardstick(guidance);
    let mut all = vec![yardstick];
    let interval = |low, high| Interval { low, high };
    for (sampler, schedule, steps) in combined() {
        let fewer = Sampling { sampler, schedule, steps, ..yardstick };
        for reuse in [2, 3] {
            all.push(Sampling { reuse, ..fewer });
        }
        for interval in [interval(0.5, 1000.0), interval(1.0, 1000.0)] {
            for reuse in [1, 2] {
                all.push(Sampling { interval, reuse, ..fewer });
            }
        }
    }
    let intervals = [interval(0.2, 1000.0), interval(0.5, 1000.0), interval(0.0, 6.0), interval(0.2, 6.0)];
    for interval in intervals {
        all.push(Sampling { interval, ..yardstick });
    }
    for reuse in [2, 3, 5] {
        all.push(Sampling { reuse, ..yardstick });
    }
    for sampler in [SamplerId::DpmPp2M, SamplerId::UniPc] {
        for schedule in [ScheduleId::Model, ScheduleId::Karras, ScheduleId::AlignYourSteps] {
            for steps in [8, 10, 12, 15, 20] {
                let fewer = Sampling { sampler, schedule, steps, ..yardstick };
                if fewer == yardstick {
                    continue;
                }
                all.push(fewer);
            }
        }
    }
    // How sure the reference is of itself: two hundred steps, laid out otherwise.
    all.push(Sampling { steps: 199, ..yardstick });
    all
}

/// Samplers, schedules and steps that interval and reuse are tried with.
fn combined() -> [(SamplerId, ScheduleId, u32); 4] {
    [
        (SamplerId::DpmPp2M, ScheduleId::Karras, 10),
        (SamplerId::DpmPp2M, ScheduleId::Karras, 12),
        (SamplerId::DpmPp2M, ScheduleId::Karras, 15),
        (SamplerId::UniPc, ScheduleId::Karras, 10),
    ]
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn main() -> Result<(), Problem> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("models/xiaotu");
    let path = arguments.first().map_or_else(own, PathBuf::from);
    let named = |name: &String| Precision::ALL.into_iter().find(|p| p.name() == name);
    let precision = arguments.get(1).and_then(named).unwrap_or(Precision::F32);
    let pictures = arguments.get(2).and_then(|n| n.parse().ok()).unwrap_or(24);

    let mut exact = Painter::load(&path, Precision::F32)?;
    let guidance = exact.model.info().guidance;
    let reference = Sampling { schedule: ScheduleId::Karras, steps: 200, ..Preset::Article.sampling(guidance) };
    let references = each(pictures, |n| Ok(exact.paint(n, reference)?.latent))?;
    println!("{}, {}, {pictures} pictures, guidance {guidance}", path.display(), precision.name());
    let usual = yardstick(guidance);
    let plain = each(pictures, |n| Ok(exact.paint(n, usual)?.latent))?;
    let bounds: Vec<f64> = plain.iter().zip(&references).map(|(a, b)| squared_error(a, b)).collect();
    println!("the yardstick: MSE {:.5}", mean(&bounds));
    let reseeded = each(pictures, |n| Ok(exact.paint_from(n, 5000 + n as u64, usual)?.latent))?;
    let mut painter = if precision == Precision::F32 { exact } else { Painter::load(&path, precision)? };
    if precision != Precision::F32 {
        let rounded = each(pictures, |n| Ok(painter.paint(n, usual)?.latent))?;
        let apart =
            |others: &[Vec<f32>]| mean(&plain.iter().zip(others).map(|(a, b)| squared_error(a, b)).collect::<Vec<_>>());
        let (here, there) = (apart(&rounded), apart(&reseeded));
        println!(
            "{} against f32, 20 steps: MSE {here:.5}; two seeds: {there:.5}; ratio {:.4}",
            precision.name(),
            here / there
        );
    }
    println!("sampler   schedule    steps interval  reuse |     MSE  ratio  no worse | whole  shell  seconds");
    for sampling in settings(guidance) {
        let mut errors = Vec::new();
        let mut painted = Vec::new();
        for (n, reference) in references.iter().enumerate() {
            let picture = painter.paint(n, sampling)?;
            errors.push(squared_error(&picture.latent, reference));
            painted.push(picture);
        }
        let no_worse = errors.iter().zip(&bounds).filter(|(error, bound)| error <= bound).count();
        let runs = painted.first().map(|p| p.runs).unwrap_or_default();
        println!(
            "{:9} {:11} {:5} {:9} {:5} | {:7.5} {:6.3} {:8.0}% | {:5} {:6} {:8.3}",
            sampling.sampler.key(),
            sampling.schedule.key(),
            sampling.steps,
            if sampling.interval.is_whole() { "-".to_owned() } else { sampling.interval.to_string() },
            sampling.reuse,
            mean(&errors),
            mean(&errors) / mean(&bounds),
            100.0 * no_worse as f64 / pictures.max(1) as f64,
            runs.whole,
            runs.shell,
            median(painted.iter().map(|p| p.seconds).collect()),
        );
    }
    Ok(())
}
