//! `danqing bench`: how fast this machine paints, as a table for people and as a file to send.

use super::Tools;
use super::arguments::Bench;
use super::paint::try_file;
use super::report::{notice, problem_lines, result};
use crate::base::files::write_atomically;
use crate::base::{Extent, Problem, ProblemKind};
use crate::jobs::guarded;
use crate::recipe::bench::{BenchOptions, BenchReport, Depth, Figure, Measure, Task, Unit};
use crate::recipe::{
    Cancel, FamilyInfo, NoiseSource, Phase, Precision, Preset, Progress, Recipe, Source, Step, Stop, TextOptions,
};
use crate::words::{Language, text, text_with};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

/// The model that comes with the program; a machine without it is measured, too.
pub const OWN_MODEL: &str = "xiaotu";

/// Measures, prints what was measured, and writes it if asked: also after a cancel or a failure.
///
/// # Errors
/// The first problem.
pub fn run(args: &Bench, tools: &Tools) -> Result<(), Problem> {
    let language = tools.language;
    args.json.as_deref().map_or(Ok(()), try_file)?;
    let family = match (tools.family)(&args.model) {
        Ok(family) => Some(family),
        Err(problem) if problem.kind == ProblemKind::ModelMissing && args.model == Path::new(OWN_MODEL) => {
            notice(&text(language, "cli-bench-no-picture"));
            None
        }
        Err(problem) => return Err(problem),
    };
    let depth = match (args.quick, args.full) {
        (true, _) => Depth::Quick,
        (_, true) => Depth::Full,
        _ => Depth::Usual,
    };
    let options = BenchOptions { repeats: args.repeats as usize, depth, device: args.device };
    let mut report = BenchReport::default();
    let mut tell = |task: &Task| notice(&task_line(task, language));
    let mut measured = guarded(|| (tools.bench)(&options, &tools.cancel, &mut report, &mut tell));
    if let (Ok(()), Some(family)) = (&measured, family) {
        measured = pictures(&recipe(args, &family), &options, tools, &mut report);
    }
    report.complete = measured.is_ok();
    table(&report, language).iter().for_each(|line| result(line));
    if let Some(path) = &args.json {
        let written = write_atomically(path, |out| {
            serde_json::to_writer_pretty(&mut *out, &report).map_err(std::io::Error::other)?;
            writeln!(out)
        });
        match (written, &measured) {
            (Ok(()), _) => {}
            (Err(problem), Ok(())) => return Err(problem),
            // The first problem is the one that is told in the end.
            (Err(problem), Err(_)) => notice(&problem_lines(&problem, language)),
        }
    }
    measured
}

/// A small picture, as somebody would try the program.
fn recipe(args: &Bench, family: &FamilyInfo) -> Recipe {
    Recipe {
        model: args.model.clone(),
        prompt: "红色的宝塔，雪，水墨".to_owned(),
        negative: String::new(),
        sampling: Preset::Quick.sampling(family.guidance),
        size: Extent::new(256, 256),
        seed: 7,
        batch: 1,
        noise: NoiseSource::TorchCpu,
        source: Source::Text,
        inpaint: None,
        text: TextOptions::default(),
        precision: Precision::Auto,
    }
}

/// The whole time of a picture: with the model to be loaded, and without.
fn pictures(recipe: &Recipe, options: &BenchOptions, tools: &Tools, report: &mut BenchReport) -> Result<(), Problem> {
    let mut generator = (tools.generator)()?;
    generator.use_device(options.device);
    let side = recipe.size.width as usize;
    let (mut first, mut later) = (Vec::new(), Vec::new());
    let mut task = Task::new(Measure::Picture, recipe.precision, report.machine.threads).of(1, side);
    notice(&task_line(&task, tools.language));
    for run in 0..=options.repeats.max(1) {
        let began = Instant::now();
        let mut listener = Listener { cancel: tools.cancel.clone(), let_down: None };
        let output = guarded(|| generator.generate(recipe, &mut listener));
        // What another device does was not asked for.
        let output = listener.let_down.map_or(output, Err)?;
        if run == 0 { &mut first } else { &mut later }.push(began.elapsed().as_secs_f64());
        task.precision = Precision::ALL.into_iter().find(|p| p.name() == output.timings.precision).unwrap_or_default();
    }
    report.figures.extend(Figure::new(Task { measure: Measure::PictureFirst, ..task }, first));
    report.figures.extend(Figure::new(task, later));
    Ok(())
}

struct Listener {
    cancel: Cancel,
    /// Why the device that is measured does not go on.
    let_down: Option<Problem>,
}

impl Listener {
    fn verdict(&self) -> ControlFlow<Stop> {
        if self.cancel.is_requested() || self.let_down.is_some() {
            ControlFlow::Break(Stop::Cancelled)
        } else {
            ControlFlow::Continue(())
        }
    }
}

impl Progress for Listener {
    fn phase(&mut self, _: Phase) -> ControlFlow<Stop> {
        self.verdict()
    }

    fn step(&mut self, _: Step<'_>) -> ControlFlow<Stop> {
        self.verdict()
    }

    fn restarted(&mut self, why: Problem) {
        self.let_down = Some(why);
    }

    fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }
}

fn measure_text(measure: Measure, language: Language) -> String {
    let id = match measure {
        Measure::Peak => "cli-bench-peak",
        Measure::UnetLoad => "cli-bench-unet-load",
        Measure::VaeLoad => "cli-bench-vae-load",
        Measure::UnetListen => "cli-bench-unet-listen",
        Measure::UnetPass => "cli-bench-unet-pass",
        Measure::VaeDecode => "cli-bench-vae-decode",
        Measure::PeakMemory => "cli-bench-peak-memory",
        Measure::PictureFirst => "cli-bench-picture-first",
        Measure::Picture => "cli-bench-picture",
    };
    text(language, id)
}

/// The words for a kind of work; one that is not known stays as it is.
fn kind_text(kind: &str, language: Language) -> String {
    let id = match kind {
        "convolution" => "cli-bench-kind-convolution",
        "linear" => "cli-bench-kind-linear",
        "attention" => "cli-bench-kind-attention",
        "packing" => "cli-bench-kind-packing",
        "norm" => "cli-bench-kind-norm",
        "pointwise" => "cli-bench-kind-pointwise",
        "other" => "cli-bench-kind-other",
        _ => return kind.to_owned(),
    };
    text(language, id)
}

/// `batch × side²`, as far as there is such.
fn size_text(task: &Task) -> String {
    match (task.batch, task.side) {
        (Some(batch), Some(side)) => format!("{batch} × {side}²"),
        (Some(batch), None) => format!("{batch}"),
        (None, Some(side)) => format!("{side}²"),
        (None, None) => String::new(),
    }
}

fn task_line(task: &Task, language: Language) -> String {
    let words = [measure_text(task.measure, language), task.precision.name().to_owned(), size_text(task)];
    let tokens = task.tokens.map(|tokens| text_with(language, "cli-bench-of-tokens", &[("count", tokens.to_string())]));
    let words: Vec<_> = words.into_iter().chain(tokens).filter(|word| !word.is_empty()).collect();
    text_with(language, "cli-bench-doing", &[("task", words.join(" · "))])
}

/// Three digits that count, and the unit.
fn value_text(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds if value < 1.0 => format!("{:.1} ms", value * 1e3),
        Unit::Seconds => format!("{value:.2} s"),
        Unit::Gflops => format!("{value:.0} GFLOP/s"),
        Unit::Mib => format!("{:.2} GiB", value / 1024.0),
    }
}

/// The lines that people read.
pub fn table(report: &BenchReport, language: Language) -> Vec<String> {
    let say = |id: &str| text(language, id);
    let machine = &report.machine;
    let unknown = || "–".to_owned();
    let facts = [
        (say("cli-bench-version"), report.version.clone()),
        (say("cli-bench-processor"), machine.processor.clone().unwrap_or_else(unknown)),
        (say("cli-bench-instructions"), machine.instructions.clone()),
        (say("cli-bench-cores"), machine.cores.to_string()),
        (say("cli-bench-memory"), machine.memory_mib.map_or_else(unknown, |mib| value_text(mib, Unit::Mib))),
        (say("cli-bench-system"), machine.system.clone()),
    ];
    let device = machine.device.clone().map(|device| (say("cli-bench-device"), device));
    let facts: Vec<_> = facts.into_iter().chain(device).map(|(label, value)| vec![label, value]).collect();
    let mut lines = aligned(&facts, 2);
    if !report.figures.is_empty() {
        let titles = [
            say("cli-bench-measure"),
            say("cli-bench-precision"),
            say("cli-bench-size"),
            say("cli-bench-tokens"),
            say("cli-bench-threads"),
            say("cli-bench-median"),
            say("cli-bench-least"),
            say("cli-bench-greatest"),
        ];
        let rows = report.figures.iter().map(|figure| {
            let task = &figure.task;
            let value = |value| value_text(value, figure.unit);
            let spread = |v: f64| if figure.runs > 1 { value(v) } else { String::new() };
            vec![
                measure_text(task.measure, language),
                task.precision.name().to_owned(),
                size_text(task),
                task.tokens.map(|tokens| tokens.to_string()).unwrap_or_default(),
                task.threads.to_string(),
                value(figure.median),
                spread(figure.least),
                spread(figure.greatest),
            ]
        });
        lines.push(String::new());
        lines.extend(aligned(&std::iter::once(titles.to_vec()).chain(rows).collect::<Vec<_>>(), 2));
    }
    if !report.shares.is_empty() {
        let titles = [
            say("cli-bench-shares"),
            say("cli-bench-precision"),
            say("cli-bench-time"),
            say("cli-bench-of-time"),
            say("cli-bench-speed"),
            say("cli-bench-of-peak"),
        ];
        let percent = |share: f64| format!("{:.1}%", share * 100.0);
        let rows = report.shares.iter().map(|share| {
            vec![
                kind_text(&share.kind, language),
                share.precision.name().to_owned(),
                value_text(share.seconds, Unit::Seconds),
                percent(share.of_time),
                share.gflops.map(|gflops| value_text(gflops, Unit::Gflops)).unwrap_or_default(),
                share.of_peak.map(percent).unwrap_or_default(),
            ]
        });
        lines.push(String::new());
        lines.extend(aligned(&std::iter::once(titles.to_vec()).chain(rows).collect::<Vec<_>>(), 2));
    }
    if !report.complete {
        lines.push(String::new());
        lines.push(say("cli-bench-incomplete"));
    }
    lines
}

/// Rows with the first `left` columns flush left and the others flush right.
fn aligned(rows: &[Vec<String>], left: usize) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> =
        (0..columns).map(|c| rows.iter().filter_map(|row| row.get(c)).map(|t| width(t)).max().unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, widest))| {
            let space = " ".repeat(widest - width(cell));
            if column < left { format!("{cell}{space}") } else { format!("{space}{cell}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Cells of a terminal that a text takes: two for each Chinese character and its punctuation.
fn width(text: &str) -> usize {
    text.chars().map(|c| if matches!(c, '\u{2E80}'..='\u{D7A3}' | '\u{FE30}'..='\u{FF60}') { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::bench::Share;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["测量", "f32", "9 s"], ["UNet", "int8", "12.5 s"]].map(|row| row.map(String::from).to_vec());
        assert_eq!(aligned(&rows, 2), ["测量  f32      9 s", "UNet  int8  12.5 s"]);
        assert_eq!(width("（图）x²"), 8);
    }

    #[test]
    fn values_have_units() {
        let texts = [(0.0123, Unit::Seconds), (4.321, Unit::Seconds), (917.4, Unit::Gflops), (2048.0, Unit::Mib)]
            .map(|(value, unit)| value_text(value, unit));
        assert_eq!(texts, ["12.3 ms", "4.32 s", "917 GFLOP/s", "2.00 GiB"]);
    }

    #[test]
    fn every_measure_and_kind_is_in_the_table() {
        let measures = [
            Measure::Peak,
            Measure::UnetLoad,
            Measure::VaeLoad,
            Measure::UnetListen,
            Measure::UnetPass,
            Measure::VaeDecode,
            Measure::PeakMemory,
            Measure::PictureFirst,
            Measure::Picture,
        ];
        let kinds = ["convolution", "linear", "attention", "packing", "norm", "pointwise", "other"];
        let figures = measures.map(|measure| {
            Figure::new(Task::new(measure, Precision::Int8, 2).of(2, 512).tokens(77), vec![1.5, 2.0, 3.0]).unwrap()
        });
        let shares = kinds.map(|kind| Share {
            precision: Precision::Int8,
            kind: kind.to_owned(),
            seconds: 0.5,
            of_time: 0.25,
            gflops: Some(100.0),
            of_peak: None,
        });
        let mut report =
            BenchReport { figures: figures.to_vec(), shares: shares.to_vec(), complete: true, ..Default::default() };
        for language in Language::ALL {
            let lines = table(&report, language);
            assert_eq!(lines.len(), 6 + 2 + measures.len() + 2 + kinds.len(), "{lines:#?}");
            assert!(lines.iter().all(|line| !line.contains("cli-")), "{lines:#?}");
            assert!(lines.iter().filter(|line| line.contains("2 × 512²")).count() == measures.len());
            assert!(lines.iter().filter(|line| line.contains("25.0%")).count() == kinds.len());
            assert!(!task_line(&report.figures[0].task, language).contains("cli-"));
        }
        report.machine.device = Some("某显卡".into());
        assert!(table(&report, Language::ZhCn).iter().any(|line| line.contains("设备") && line.contains("某显卡")));
        report.complete = false;
        assert!(table(&report, Language::ZhCn).last().unwrap().contains("没有测完"));
        assert_eq!(table(&BenchReport { complete: true, ..Default::default() }, Language::En).len(), 6);
    }
}
