//! What the command line says, in the language of the person: notices and errors on stderr, results on stdout.

use crate::base::machine::peak_rss_mb;
use crate::base::{Extent, Problem, Severity};
use crate::recipe::{Phase, Timings};
use crate::words::{Language, ProblemText, problem_text, text, text_with};
use serde_json::{Value, json};
use std::io::Write;

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
    let mut lines = match problem.severity {
        Severity::Note => summary,
        Severity::Warning => text_with(language, "cli-warning", &[("summary", summary)]),
        Severity::Error => text_with(language, "cli-error", &[("summary", summary)]),
    };
    if !advice.is_empty() {
        lines.push('\n');
        lines.push_str(&advice);
    }
    if let Some(detail) = &problem.detail {
        lines.push('\n');
        lines.push_str(&text_with(language, "cli-detail", &[("detail", detail.clone())]));
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
        let sizes = |from: Extent, to: Extent| [("from", from.to_string()), ("to", to.to_string())];
        match self {
            Notice::Seed(seed) => text_with(language, "cli-seed", &[("seed", seed.to_string())]),
            Notice::Cropped { from, to } => text_with(language, "cli-cropped", &sizes(from, to)),
            Notice::Fitted { from, to } => text_with(language, "cli-fitted", &sizes(from, to)),
        }
    }
}

/// What the engine does in a phase.
pub fn phase_text(phase: Phase, language: Language) -> String {
    let id = match phase {
        Phase::Converting { .. } => "cli-phase-converting",
        Phase::Loading { .. } => "cli-phase-loading",
        Phase::Encoding => "cli-phase-encoding",
        Phase::Sampling => "cli-phase-sampling",
        Phase::Decoding => "cli-phase-decoding",
    };
    text(language, id)
}

/// Pace and seconds left, of steps.
pub fn pace_text(seconds_a_step: f64, seconds_left: f64, language: Language) -> String {
    let left = duration_text(seconds_left, language);
    text_with(language, "cli-pace", &[("pace", format!("{seconds_a_step:.2}")), ("left", left)])
}

/// Whole seconds, minutes and hours; rounded up, so that it is 0 only at the end.
fn duration_text(seconds: f64, language: Language) -> String {
    let whole = seconds.max(0.0).ceil() as u64;
    let hours = ("hours", (whole / 3600).to_string());
    let minutes = ("minutes", (whole / 60 % 60).to_string());
    let seconds = ("seconds", (whole % 60).to_string());
    match whole {
        0..60 => text_with(language, "cli-seconds", &[seconds]),
        60..3600 => text_with(language, "cli-minutes", &[minutes, seconds]),
        3600.. => text_with(language, "cli-hours", &[hours, minutes]),
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
        "unet_rows": { "whole": timings.runs.whole, "shell": timings.runs.shell },
        "peak_rss_mb": peak_rss_mb(),
        "precision": timings.precision,
        "threads": timings.threads,
        "device": timings.device,
    })
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
    fn notices_and_pace_are_whole() {
        let (from, to) = (Extent::new(101, 67), Extent::new(96, 64));
        let notices = [Notice::Seed(42), Notice::Cropped { from, to }, Notice::Fitted { from, to }];
        let [zh, en] = Language::ALL.map(|language| notices.map(|notice| notice.text(language)));
        assert_eq!(zh, ["种子：42", "原图 101×67 居中裁剪为 96×64", "原图 101×67 缩放并居中裁剪为 96×64"]);
        assert_eq!(en[0], "Seed: 42");
        assert_eq!(en[1], "The picture of 101×67 is cropped to its middle 96×64");
        assert_eq!(
            Language::ALL.map(|l| pace_text(1.5, 80.0, l)),
            ["每步 1.50 秒，还要 1分20秒", "1.50 s a step, 1 min 20 s left"]
        );
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
        let expected = [
            "load_s",
            "encode_s",
            "step_s",
            "decode_s",
            "preview_s",
            "unet_rows",
            "peak_rss_mb",
            "precision",
            "threads",
            "device",
        ];
        assert_eq!(keys, expected);
        if cfg!(target_os = "linux") {
            assert!(value["peak_rss_mb"].as_f64().unwrap() > 0.1);
        }
    }
}
