//! What the command line says, in the language of the person: notices and errors on stderr, results on stdout.

use crate::base::{Extent, Problem, Severity};
use crate::recipe::{Phase, Timings};
use crate::words::{Language, ProblemText, problem_text};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

/// The one of the two texts (Chinese, English) that `language` asks for.
pub fn pick<T>(language: Language, [chinese, english]: [T; 2]) -> T {
    match language {
        Language::ZhCn => chinese,
        Language::En => english,
    }
}

/// Writes a line to stderr. A closed stderr is no reason to stop.
pub fn notice(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Writes a line to stdout. A reader that has left is no reason to stop.
pub fn result(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A problem as lines: what happened, what to do, the technical detail.
pub fn problem_lines(problem: &Problem, language: Language) -> String {
    let ProblemText { summary, advice } = problem_text(problem, language);
    let head = match problem.severity {
        Severity::Note => "",
        Severity::Warning => pick(language, ["注意：", "Warning: "]),
        Severity::Error => pick(language, ["错误：", "Error: "]),
    };
    let mut lines = format!("{head}{summary}");
    if !advice.is_empty() {
        lines.push('\n');
        lines.push_str(&advice);
    }
    if let Some(detail) = &problem.detail {
        lines.push('\n');
        lines.push_str(pick(language, ["详情：", "Details: "]));
        lines.push_str(detail);
    }
    lines
}

/// Something worth knowing that is no problem.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Notice {
    /// The seed that was drawn.
    Seed(u64),
    /// The picture lost its edges to come to a size that the model can paint.
    Cropped { from: Extent, to: Extent },
    /// The picture was scaled to cover the size that was asked for, and lost what stood out.
    Fitted { from: Extent, to: Extent },
}

impl Notice {
    pub fn text(self, language: Language) -> String {
        let texts = match self {
            Notice::Seed(seed) => [format!("种子：{seed}"), format!("Seed: {seed}")],
            Notice::Cropped { from, to } => {
                [format!("原图 {from} 居中裁剪为 {to}"), format!("The picture of {from} is cropped to its middle {to}")]
            }
            Notice::Fitted { from, to } => [
                format!("原图 {from} 缩放并居中裁剪为 {to}"),
                format!("The picture of {from} is scaled and cropped to {to}"),
            ],
        };
        pick(language, texts)
    }
}

/// What the engine does in a phase.
pub fn phase_text(phase: Phase, language: Language) -> &'static str {
    let texts = match phase {
        Phase::Converting { .. } => ["转换模型", "Converting the model"],
        Phase::Loading { .. } => ["载入模型", "Loading the model"],
        Phase::Encoding => ["理解文字", "Reading the prompt"],
        Phase::Sampling => ["作画", "Painting"],
        Phase::Decoding => ["显影", "Decoding"],
    };
    pick(language, texts)
}

/// Pace and seconds left, of steps.
pub fn pace_text(seconds_a_step: f64, seconds_left: f64, language: Language) -> String {
    let left = duration_text(seconds_left, language);
    match language {
        Language::ZhCn => format!("每步 {seconds_a_step:.2} 秒，还要 {left}"),
        Language::En => format!("{seconds_a_step:.2} s a step, {left} left"),
    }
}

/// Whole seconds, minutes and hours; rounded up, so that it is 0 only at the end.
fn duration_text(seconds: f64, language: Language) -> String {
    let whole = seconds.max(0.0).ceil() as u64;
    let [hour, minute, second] = pick(language, [["小时", "分", "秒"], [" h ", " min ", " s"]]);
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s}{second}"),
        (0, m, s) => format!("{m}{minute}{s}{second}"),
        (h, m, _) => format!("{h}{hour}{m}{}", minute.trim_end()),
    }
}

/// The file of `--timings`: seconds, and the most memory that the process has held, in MiB (null where the system does
/// not tell).
pub fn timings_json(timings: &Timings) -> Value {
    json!({
        "load_s": timings.load_s,
        "encode_s": timings.encode_s,
        "step_s": timings.step_s,
        "decode_s": timings.decode_s,
        "preview_s": timings.preview_s,
        "peak_rss_mb": peak_rss_mb(),
        "precision": timings.precision,
        "threads": timings.threads,
    })
}

/// Peak resident memory of this process in MiB: `VmHWM` of Linux's procfs.
fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ProblemKind;

    #[test]
    fn the_detail_comes_after_the_summary() {
        let problem = Problem::new(ProblemKind::Unwritable).at("/画/一.png").detail("disk full");
        for (language, word) in Language::ALL.into_iter().zip(["详情：", "Details: "]) {
            let lines = problem_lines(&problem, language);
            assert!(lines.ends_with(&format!("\n{word}disk full")), "{lines}");
            assert!(!lines.starts_with('\n'));
        }
        let plain = problem_lines(&Problem::new(ProblemKind::Cancelled), Language::ZhCn);
        assert!(!plain.contains("详情"));
    }

    #[test]
    fn durations() {
        let both = |seconds| Language::ALL.map(|language| duration_text(seconds, language));
        assert_eq!(both(0.0), ["0秒", "0 s"]);
        assert_eq!(both(0.2), ["1秒", "1 s"]);
        assert_eq!(both(80.0), ["1分20秒", "1 min 20 s"]);
        assert_eq!(both(7260.0), ["2小时1分", "2 h 1 min"]);
        assert_eq!(both(f64::NAN), ["0秒", "0 s"]);
    }

    #[test]
    fn timings_have_their_keys() {
        let timings = Timings { step_s: vec![1.0, 2.0], precision: "f32", threads: 2, ..Timings::default() };
        let value = timings_json(&timings);
        let keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = ["load_s", "encode_s", "step_s", "decode_s", "preview_s", "peak_rss_mb", "precision", "threads"];
        assert_eq!(keys, expected);
        if cfg!(target_os = "linux") {
            assert!(value["peak_rss_mb"].as_f64().unwrap() > 0.1);
        }
    }
}
