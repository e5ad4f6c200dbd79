//! A listener that says nothing and never stops a job.

use danqing::recipe::{Cancel, Phase, Progress, Step, Stop};
use std::ops::ControlFlow;

pub struct Quiet;

impl Progress for Quiet {
    fn phase(&mut self, _: Phase) -> ControlFlow<Stop> {
        ControlFlow::Continue(())
    }

    fn step(&mut self, _: Step<'_>) -> ControlFlow<Stop> {
        ControlFlow::Continue(())
    }

    fn cancel(&self) -> Cancel {
        Cancel::new()
    }
}
