//! What `danqing bench` measures, as values: the port between the command line and the engine, and the file that people
//! send to each other. The keys of the JSON do not change between versions.

use super::{DeviceChoice, Precision};
use serde::{Deserialize, Serialize};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BenchOptions {
    /// Runs of which the median is taken, at least 1; one more goes before them to warm up.
    pub repeats: usize,
    pub depth: Depth,
    pub device: DeviceChoice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The fastest precision alone.
    Quick,
    /// Every precision that the device has instructions for, short and long texts, one thread and all.
    Usual,
    /// Other sizes and batches as well.
    Full,
}

/// A thing that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Arithmetic of a large matrix product.
    Peak,
    /// Parameters drawn and brought to the device.
    UnetLoad,
    VaeLoad,
    /// What the UNet hears of a text: once a picture.
    UnetListen,
    /// One look of the UNet at the latents.
    UnetPass,
    /// Latents to pictures.
    VaeDecode,
    /// The most memory held with UNet and VAE in use.
    PeakMemory,
    /// A small picture of a real model, loading included.
    PictureFirst,
    /// The same, once it is loaded.
    Picture,
}

impl Measure {
    pub const fn unit(self) -> Unit {
        match self {
            Measure::Peak => Unit::Gflops,
            Measure::PeakMemory => Unit::Mib,
            _ => Unit::Seconds,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    #[serde(rename = "s")]
    Seconds,
    /// 10⁹ multiplications and additions a second.
    #[serde(rename = "gflops")]
    Gflops,
    #[serde(rename = "mib")]
    Mib,
}

/// What is measured, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub measure: Measure,
    pub precision: Precision,
    pub threads: usize,
    /// Pictures at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// Side of the square picture in pixels; of the matrices in a product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<usize>,
    /// Tokens of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<usize>,
}

impl Task {
    pub fn new(measure: Measure, precision: Precision, threads: usize) -> Self {
        Self { measure, precision, threads, batch: None, side: None, tokens: None }
    }

    #[must_use]
    pub fn of(self, batch: usize, side: usize) -> Self {
        Self { batch: Some(batch), side: Some(side), ..self }
    }

    #[must_use]
    pub fn tokens(self, tokens: usize) -> Self {
        Self { tokens: Some(tokens), ..self }
    }
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    #[serde(flatten)]
    pub task: Task,
    pub unit: Unit,
    pub median: f64,
    pub least: f64,
    pub greatest: f64,
    pub runs: usize,
}

impl Figure {
    /// Of one value a run; none of no runs.
    pub fn new(task: Task, mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let runs = values.len();
        let median = (values.get((runs.max(1) - 1) / 2)? + values.get(runs / 2)?) / 2.0;
        let (least, greatest) = (*values.first()?, *values.last()?);
        Some(Self { task, unit: task.measure.unit(), median, least, greatest, runs })
    }
}

/// A kind of work inside a UNet pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    pub precision: Precision,
    /// `convolution`, `linear`, `attention`, `packing`, `norm`, `pointwise`, or `other` for the time between them.
    pub kind: String,
    /// Seconds of a pass, the mean of the runs.
    pub seconds: f64,
    /// Of the pass, 0 to 1.
    pub of_time: f64,
    /// Where arithmetic is what it does.
    pub gflops: Option<f64>,
    /// Of the greatest [`Measure::Peak`] in the precision that it multiplies in. Convolutions after an enlargement need
    /// less arithmetic than they are counted for, so that it may come out above 1.
    pub of_peak: Option<f64>,
}

/// The machine at hand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub processor: Option<String>,
    /// Which of the processor's instructions are used.
    pub instructions: String,
    /// Processors that the system lends to this process.
    pub cores: usize,
    pub threads: usize,
    pub memory_mib: Option<f64>,
    pub system: String,
    /// The graphics card that was measured; without one it was the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// All that was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BenchReport {
    /// Of this program.
    pub version: String,
    pub machine: Machine,
    /// Whether all was measured that was asked for.
    pub complete: bool,
    pub figures: Vec<Figure>,
    /// Where the time of a UNet pass goes.
    pub shares: Vec<Share>,
}

impl BenchReport {
    /// The first figure of a measure in a precision.
    pub fn figure(&self, measure: Measure, precision: Precision) -> Option<&Figure> {
        self.figures.iter().find(|figure| (figure.task.measure, figure.task.precision) == (measure, precision))
    }
}

/// Hears of each task before it is measured.
pub type Tell<'a> = &'a mut dyn FnMut(&Task);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        let task = Task::new(Measure::Picture, Precision::Auto, 2);
        let median = |values: &[f64]| Figure::new(task, values.to_vec()).map(|f| (f.median, f.least, f.greatest));
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some((3.0, 3.0, 3.0)));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some((2.0, 1.0, 9.0)));
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some((3.0, 1.0, 9.0)));
    }

    #[test]
    fn keys_that_others_read() {
        let task = Task::new(Measure::UnetPass, Precision::Bf16, 2).of(2, 512).tokens(77);
        let figure = Figure::new(task, vec![1.5]).unwrap();
        let value = serde_json::to_value(&figure).unwrap();
        let expected = serde_json::json!({
            "measure": "unet_pass", "precision": "bf16", "threads": 2, "batch": 2, "side": 512, "tokens": 77,
            "unit": "s", "median": 1.5, "least": 1.5, "greatest": 1.5, "runs": 1,
        });
        assert_eq!(value, expected);
        assert_eq!(serde_json::from_value::<Figure>(value).unwrap(), figure);
        let bare = serde_json::to_value(Task::new(Measure::PeakMemory, Precision::F32, 1)).unwrap();
        assert_eq!(bare.as_object().unwrap().len(), 3);
    }
}
