//! From files to tensors on the device: opening a model's parts, number formats, and the check of every shape.

use crate::base::{Problem, ProblemKind};
use crate::catalog::{Dtype, ModelFolder, WeightsSet, open_all};
use crate::engine::interrupt::Interrupt;
use crate::recipe::{Cancel, Phase, Precision, Stop};
use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};
use std::ops::ControlFlow;
use std::path::Path;

/// What a family needs to read a model: where to put it, in which format, whom to tell.
pub struct Loader<'a> {
    pub device: Device,
    pub precision: Precision,
    /// Folder of the converted pickles.
    pub cache: &'a Path,
    pub cancel: Cancel,
    pub report: &'a mut dyn FnMut(Phase) -> ControlFlow<Stop>,
}

impl Loader<'_> {
    /// The format that parameters are kept in.
    fn storage(&self) -> DType {
        match (self.precision, self.device.is_cpu()) {
            (Precision::F32, _) | (Precision::Auto, true) => DType::F32,
            (Precision::Bf16, _) => DType::BF16,
            (Precision::F16, _) | (Precision::Auto, false) => DType::F16,
        }
    }

    /// The format that networks compute in: on the CPU always f32 (half formats save memory there, not time).
    pub fn activations(&self) -> DType {
        if self.device.is_cpu() { DType::F32 } else { self.storage() }
    }

    /// Opens the weights of a part; a pickle is converted first, once.
    ///
    /// # Errors
    /// Those of [`crate::catalog::open_weights`].
    pub fn open(&mut self, folder: &ModelFolder, part: &str) -> Result<Weights, Problem> {
        let component = folder.component(part)?;
        // A conversion reports between 0 and 1; a mapping does not report at all.
        let cancelled = || Problem::new(ProblemKind::Cancelled);
        if (self.report)(Phase::Loading { fraction: 0.0 }).is_break() || self.cancel.is_requested() {
            return Err(cancelled());
        }
        let (report, cancel) = (&mut *self.report, &self.cancel);
        let set = open_all(&component.weights, self.cache, &mut |fraction| {
            if cancel.is_requested() {
                ControlFlow::Break(Stop::Cancelled)
            } else {
                report(Phase::Converting { fraction })
            }
        })?;
        let dtype = self.storage();
        Ok(Weights { set, device: self.device.clone(), dtype, cancel: self.cancel.clone() })
    }
}

/// The parameters of one part.
pub struct Weights {
    set: WeightsSet,
    device: Device,
    dtype: DType,
    cancel: Cancel,
}

impl Weights {
    pub fn has(&self, name: &str) -> bool {
        self.set.contains(name)
    }

    /// The tensor `name`, which must have `shape`, in the loader's format on its device.
    ///
    /// # Errors
    /// [`ProblemKind::WeightsMismatch`] if it is absent or of another shape or kind, [`ProblemKind::Cancelled`].
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor, Problem> {
        if self.cancel.is_requested() {
            return Err(Problem::new(ProblemKind::Cancelled));
        }
        let mismatch = |found: &str| {
            let problem = Problem::new(ProblemKind::WeightsMismatch).with("tensor", name);
            problem.with("expected", format!("{shape:?}")).with("found", found)
        };
        if !self.set.contains(name) {
            return Err(mismatch("-"));
        }
        let view = self.set.tensor(name)?;
        if view.shape != shape {
            return Err(mismatch(&format!("{:?}", view.shape)));
        }
        let count = shape.iter().product();
        let mut values: Vec<f32> = Vec::new();
        let refused = |_| Problem::from(Interrupt::OutOfMemory(count * size_of::<f32>()));
        values.try_reserve_exact(count).map_err(refused)?;
        match view.dtype {
            Dtype::F32 => values.extend(view.bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b))),
            Dtype::F16 => values.extend(view.bytes.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32())),
            Dtype::BF16 => {
                values.extend(view.bytes.as_chunks::<2>().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()))
            }
            other => return Err(mismatch(&format!("{other:?}"))),
        }
        let problem = |e: candle_core::Error| Problem::from(Interrupt::from(e));
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu).map_err(problem)?;
        tensor.to_dtype(self.dtype).and_then(|t| t.to_device(&self.device)).map_err(problem)
    }
}
