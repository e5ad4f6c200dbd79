//! The same engine without a window: `danqing paint`, `danqing inspect` and `danqing bench`. The engine itself is handed in.

pub mod arguments;
pub mod bench;
pub mod inspect;
pub mod paint;
pub mod pictures;
pub mod progress_bar;
pub mod report;

use crate::base::Problem;
use crate::recipe::bench::{BenchOptions, BenchReport, Tell};
use crate::recipe::{Cancel, FamilyInfo, Generator};
use crate::words::Language;
use arguments::Command;
use std::path::Path;
use std::process::ExitCode;

/// Measures as the options say, until the flag is set. What was measured before a problem is in the report.
pub type Bench = dyn Fn(&BenchOptions, &Cancel, &mut BenchReport, Tell<'_>) -> Result<(), Problem>;

/// What the commands need from outside.
pub struct Tools<'a> {
    /// Builds the engine.
    pub generator: &'a dyn Fn() -> Result<Box<dyn Generator>, Problem>,
    /// The facts of a model's family, by the model's name or path.
    pub family: &'a dyn Fn(&Path) -> Result<FamilyInfo, Problem>,
    /// Measures the networks, into the report.
    pub bench: &'a Bench,
    /// Stops the job when it is set from another thread.
    pub cancel: Cancel,
    pub language: Language,
}

/// Runs a command and says on stderr what went wrong. The status is 0 only if everything that was asked for is done,
/// 130 after a cancel, and 1 otherwise.
pub fn run(command: &Command, tools: &Tools) -> ExitCode {
    let result = match command {
        Command::Paint(paint) => paint::run(paint, tools),
        Command::Bench(bench) => bench::run(bench, tools),
        Command::Inspect(inspect) => inspect::run(inspect, tools.language),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            report::notice(&report::problem_lines(&problem, tools.language));
            ExitCode::from(if problem.is_cancelled() { 130 } else { 1 })
        }
    }
}
