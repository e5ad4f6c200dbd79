//! Whether a job fits into memory: asked before it starts, because where memory is promised and not kept (Linux), an
//! allocation that goes through may still end the program later.

use crate::base::{Problem, ProblemKind};
use crate::catalog::ModelFolder;
use crate::engine::kernels::Isa;
use crate::engine::nets::native::Format;
use crate::engine::weights;
use crate::recipe::{Precision, Recipe};

/// Bytes that may be taken without harm, if the system tells.
pub fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

fn check(need: u64, what: &str) -> Result<(), Problem> {
    match available() {
        Some(free) if free < need => {
            let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
            let detail = format!("{what}: about {:.1} GiB needed, {:.1} GiB available", gib(need), gib(free));
            Err(Problem::new(ProblemKind::OutOfMemory).detail(detail))
        }
        _ => Ok(()),
    }
}

/// # Errors
/// [`ProblemKind::OutOfMemory`] if the model's parameters would not fit.
pub fn check_model(folder: &ModelFolder, precision: Precision) -> Result<(), Problem> {
    let on_disk: u64 = folder.components.iter().map(|c| crate::catalog::folder::size_of(&c.weights)).sum();
    let need = match precision {
        Precision::F32 => on_disk,
        Precision::Auto | Precision::Bf16 | Precision::F16 | Precision::Int8 => on_disk / 2,
    };
    check(need, "model")
}

/// Values for each pixel of the decoder's largest maps: 256 channels in, 128 out, and a third of that for small things.
const DECODED: u64 = (256 + 128) * 4 / 3;

/// # Errors
/// [`ProblemKind::OutOfMemory`] if the decoder's activations would not fit.
pub fn check_picture(recipe: &Recipe) -> Result<(), Problem> {
    let bytes = match weights::scheme(recipe.precision, Isa::best()).activations {
        Format::Bf16 => 2,
        Format::F32 | Format::Bytes => 4,
    };
    check(recipe.size.area() * DECODED * bytes + (64 << 20), "decoding")
}
