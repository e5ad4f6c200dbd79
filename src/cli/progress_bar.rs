//! How far the job is, on stderr: a bar on a terminal, a few plain lines elsewhere.

use super::report::{pace_text, phase_text};
use crate::recipe::Phase;
use crate::words::Language;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::mem::{Discriminant, discriminant};
use std::time::{Duration, Instant};

/// Between plain lines in the middle of the sampling.
const SPARSE: Duration = Duration::from_secs(15);

/// Where the lines go.
enum Outlet {
    Bar(ProgressBar),
    Lines(Box<dyn Write>),
}

/// Shows phases and steps of one job.
pub struct Meter {
    outlet: Outlet,
    language: Language,
    phase: Option<Discriminant<Phase>>,
    /// When the sampling began.
    began: Instant,
    /// When the last plain line was written.
    said: Instant,
}

impl Meter {
    /// One on stderr.
    pub fn stderr(language: Language) -> Self {
        let outlet = if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(200));
            Outlet::Bar(bar)
        } else {
            Outlet::Lines(Box::new(std::io::stderr()))
        };
        Self::new(outlet, language)
    }

    fn new(outlet: Outlet, language: Language) -> Self {
        let now = Instant::now();
        Self { outlet, language, phase: None, began: now, said: now }
    }

    /// A phase begins, or goes on.
    pub fn phase(&mut self, phase: Phase) {
        let new = self.phase.replace(discriminant(&phase)) != Some(discriminant(&phase));
        if new && phase == Phase::Sampling {
            self.began = Instant::now();
        }
        let fraction = match phase {
            Phase::Converting { fraction } | Phase::Loading { fraction } => Some(fraction),
            _ => None,
        };
        let text = phase_text(phase, self.language);
        match &self.outlet {
            Outlet::Bar(bar) => {
                if new {
                    bar.set_style(style(fraction.is_some(), phase == Phase::Sampling));
                    bar.set_message(text);
                    bar.set_prefix("");
                    bar.set_position(0);
                }
                if let Some(fraction) = fraction {
                    bar.set_length(100);
                    bar.set_position((fraction * 100.0) as u64);
                }
            }
            Outlet::Lines(_) if new => self.say(&text),
            Outlet::Lines(_) => {}
        }
    }

    /// Step `index` of `total` is done.
    pub fn step(&mut self, index: usize, total: usize) {
        let pace = self.began.elapsed().as_secs_f64() / index.max(1) as f64;
        let text = pace_text(pace, pace * total.saturating_sub(index) as f64, self.language);
        match &self.outlet {
            Outlet::Bar(bar) => {
                bar.set_length(total as u64);
                bar.set_position(index as u64);
                bar.set_prefix(text);
            }
            Outlet::Lines(_) if index == 1 || index == total || self.said.elapsed() >= SPARSE => {
                self.say(&format!("{index}/{total}  {text}"));
            }
            Outlet::Lines(_) => {}
        }
    }

    /// Lets something else be written between.
    pub fn aside(&mut self, write: impl FnOnce()) {
        // What was said of the phases before is no longer so.
        self.phase = None;
        match &self.outlet {
            Outlet::Bar(bar) => bar.suspend(write),
            Outlet::Lines(_) => write(),
        }
    }

    /// Takes the bar away.
    pub fn finish(self) {
        if let Outlet::Bar(bar) = self.outlet {
            bar.finish_and_clear();
        }
    }

    fn say(&mut self, text: &str) {
        if let Outlet::Lines(out) = &mut self.outlet {
            // A closed stderr is no reason to stop painting.
            let _ = writeln!(out, "{text}");
            self.said = Instant::now();
        }
    }
}

/// The look of a phase: with a known fraction, with steps, or with neither.
fn style(fraction: bool, steps: bool) -> ProgressStyle {
    let template = match (fraction, steps) {
        (true, _) => "{spinner} {msg} {bar:30} {percent}%",
        (_, true) => "{spinner} {msg} {bar:30} {pos}/{len} {prefix}",
        _ => "{spinner} {msg} {elapsed}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn run(meter: &mut Meter) {
        for fraction in [0.0, 0.5, 1.0] {
            meter.phase(Phase::Loading { fraction });
        }
        meter.phase(Phase::Encoding);
        meter.phase(Phase::Sampling);
        (1..=50).for_each(|index| meter.step(index, 50));
        meter.phase(Phase::Decoding);
    }

    #[test]
    fn plain_lines_are_sparse() {
        let page = Page::default();
        let mut meter = Meter::new(Outlet::Lines(Box::new(page.clone())), Language::ZhCn);
        run(&mut meter);
        meter.finish();
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let starts: Vec<_> = text.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
        assert_eq!(starts, ["载入模型", "理解文字", "作画", "1/50", "50/50", "显影"]);
    }

    #[test]
    fn the_bar_follows_the_job_and_is_cleared() {
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::hidden());
        let mut meter = Meter::new(Outlet::Bar(bar.clone()), Language::En);
        meter.phase(Phase::Loading { fraction: 0.5 });
        assert_eq!((bar.position(), bar.length(), bar.message().as_str()), (50, Some(100), "Loading the model"));
        meter.phase(Phase::Sampling);
        assert_eq!((bar.position(), bar.prefix().as_str()), (0, ""));
        meter.step(3, 50);
        assert_eq!((bar.position(), bar.length(), bar.message().as_str()), (3, Some(50), "Painting"));
        assert!(bar.prefix().contains("left"));
        meter.finish();
        assert!(bar.is_finished());
    }
}
