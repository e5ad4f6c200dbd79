//! How long a job takes to stop, asked at 20 moments spread over all of it: `cargo bench --bench cancel -- MODEL [SIDE]`.
//!
//! MODEL is a diffusers folder. Prints each phase that was hit, and the median, 95th percentile and maximum of the time
//! from the request to the return of the generator.

use danqing::base::{Extent, ProblemKind};
use danqing::engine::{CandleGenerator, EngineFolders};
use danqing::recipe::*;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Remembers where the job is.
struct Watch {
    cancel: Cancel,
    phase: Phase,
}

impl Progress for Watch {
    fn phase(&mut self, phase: Phase) -> ControlFlow<Stop> {
        self.phase = phase;
        ControlFlow::Continue(())
    }

    fn step(&mut self, _: Step<'_>) -> ControlFlow<Stop> {
        ControlFlow::Continue(())
    }

    fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let Some(model) = arguments.first().map(PathBuf::from) else {
        eprintln!("cargo bench --bench cancel -- MODEL [SIDE]");
        return;
    };
    let side = arguments.get(1).and_then(|s| s.parse().ok()).unwrap_or(512);
    let cache = std::env::temp_dir().join("danqing-bench");
    let mut generator = CandleGenerator::new(EngineFolders { models: vec![], cache });
    let recipe = Recipe {
        model,
        prompt: "飞流直下三千尺，油画".into(),
        negative: String::new(),
        sampling: Sampling { steps: 1, ..Preset::Article.sampling(7.5) },
        size: Extent::new(side, side),
        seed: 1,
        batch: 1,
        noise: NoiseSource::TorchCpu,
        source: Source::Text,
        inpaint: None,
        text: TextOptions::default(),
        precision: Precision::Auto,
    };
    let mut run = |delay: Option<Duration>| {
        let cancel = Cancel::new();
        let mut watch = Watch { cancel: cancel.clone(), phase: Phase::Encoding };
        let began = Instant::now();
        let asker = delay.map(|delay| {
            std::thread::spawn(move || {
                std::thread::sleep(delay);
                let asked = Instant::now();
                cancel.request();
                asked
            })
        });
        let result = generator.generate(&recipe, &mut watch);
        let ended = Instant::now();
        let stopped = asker.map(|a| ended.saturating_duration_since(a.join().unwrap()));
        (result, ended - began, watch.phase, stopped)
    };
    let (result, whole, ..) = run(None);
    result.expect("the model paints");
    // The first run has loaded the model: the second tells how long a job takes, with one pass and the decoding.
    let (_, whole_again, ..) = run(None);
    println!("first job {:.1} s, then {:.1} s", whole.as_secs_f64(), whole_again.as_secs_f64());
    let mut times = Vec::new();
    for i in 0..20 {
        let delay = whole_again.mul_f64((f64::from(i) + 0.5) / 20.0);
        let (result, _, phase, stopped) = run(Some(delay));
        match (result, stopped) {
            (Err(problem), Some(stopped)) if problem.kind == ProblemKind::Cancelled => {
                println!(
                    "asked after {:.2} s, in {phase:?}: stopped in {:.3} s",
                    delay.as_secs_f64(),
                    stopped.as_secs_f64()
                );
                times.push(stopped.as_secs_f64());
            }
            (Err(problem), _) => panic!("{problem}"),
            (Ok(_), _) => println!("asked after {:.2} s: it was done already", delay.as_secs_f64()),
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| {
        times.get(((times.len() as f64 * share).ceil() as usize).saturating_sub(1)).copied().unwrap_or(0.0)
    };
    println!("{} stops: median {:.3} s, 95 % {:.3} s, most {:.3} s", times.len(), at(0.5), at(0.95), at(1.0));
}
