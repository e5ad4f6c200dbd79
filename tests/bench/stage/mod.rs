//! What the benches of the window share: a window to act in, with a screen or without one, and what an artist does there.
// Each bench uses its own part of it.
#![allow(dead_code)]

pub mod headless;
pub mod play;
pub mod scene;

use danqing::ui::Shell;
use egui::{Context, Event};

/// A window that goes from frame to frame at the script's word.
pub trait Stage {
    /// What one frame with these events took.
    fn frame(&mut self, events: Vec<Event>) -> Cost;

    /// Between two frames.
    fn look<R: Send + 'static>(&mut self, see: impl FnOnce(&Context, &Shell) -> R + Send + 'static) -> R;
}

/// Milliseconds of a frame, counted from its first event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Until everything that changed was handed to the graphics card, the canvas's tiles among it; without a card until
    /// it could be.
    pub uploaded: f64,
    /// The processor's whole part, the commands for the graphics card included; without a card the same.
    pub frame: f64,
}

/// Prints the median, the 99th percentile and the maximum.
pub fn report(what: &str, costs: &[Cost]) {
    let line = |name: &str, pick: fn(&Cost) -> f64| {
        let mut times: Vec<f64> = costs.iter().map(pick).collect();
        times.sort_by(f64::total_cmp);
        let last = times.len().saturating_sub(1);
        let at = |share: f64| times.get((last as f64 * share).ceil() as usize).copied().unwrap_or(0.0);
        let (median, high, most) = (at(0.5), at(0.99), at(1.0));
        format!("{name} median {median:.2} ms, 99 % {high:.2} ms, most {most:.2} ms")
    };
    let frame = line("frame", |cost| cost.frame);
    if costs.iter().all(|cost| cost.uploaded == cost.frame) {
        println!("{what}, {} frames: {frame}", costs.len());
    } else {
        println!("{what}, {} frames: {frame}; {}", costs.len(), line("uploaded after", |cost| cost.uploaded));
    }
}
