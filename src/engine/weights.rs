//! From files to tensors on the device: opening a model's parts, number formats, and the check of every shape.

use crate::base::{Problem, ProblemKind};
use crate::catalog::{Dtype, ModelFolder, WeightsSet, open_all};
use crate::engine::interrupt::Interrupt;
use crate::engine::kernels::Isa;
use crate::engine::kernels::packed::Precision as Products;
use crate::engine::nets::native::{Format, Scheme};
use crate::engine::nets::ops::Place;
use crate::recipe::{Cancel, Phase, Precision, Stop};
use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a family needs to read a model: where to put it, in which format, whom to tell.
pub struct Loader<'a> {
    pub device: Device,
    pub precision: Precision,
    /// Networks are computed by candle on the processor, too: for tests that hold our kernels and that way together.
    pub by_candle: bool,
    /// Folder of the converted pickles.
    pub cache: &'a Path,
    pub cancel: Cancel,
    pub report: &'a mut dyn FnMut(Phase) -> ControlFlow<Stop>,
}

/// How networks compute on a processor with these instructions when `precision` is asked for.
///
/// Bytes are multiplied where the processor has instructions for it (VNNI, NEON's dot products), bf16 where it has those; elsewhere neither
/// is faster than f32.
pub fn scheme(precision: Precision, isa: Isa) -> Scheme {
    let full = Scheme::full(isa);
    let half = if isa.has_bf16() { Scheme { activations: Format::Bf16, products: Products::Bf16, isa } } else { full };
    match precision {
        Precision::F32 => full,
        Precision::Bf16 | Precision::F16 => half,
        Precision::Int8 => Scheme { products: Products::Int8, ..half },
        Precision::Auto if isa.has_vnni() => Scheme { products: Products::Int8, ..half },
        Precision::Auto => half,
    }
}

/// What a model comes to on a device: the precision that [`Precision::Auto`] stands for.
pub fn effective(precision: Precision, device: &Device) -> Precision {
    if !device.is_cpu() {
        return match precision {
            Precision::Auto | Precision::Int8 => Precision::F16,
            other => other,
        };
    }
    let scheme = scheme(precision, Isa::best());
    match scheme.products {
        Products::F32 => Precision::F32,
        Products::Bf16 => Precision::Bf16,
        Products::Int8 => Precision::Int8,
    }
}

impl Loader<'_> {
    /// Where and how a part computes. Only the UNet, which runs many times, is worth less than what its activations
    /// are; a text is worth f32.
    fn place(&self, part: &str) -> Place {
        if !self.device.is_cpu() || self.by_candle {
            return Place::Plain(match effective(self.precision, &self.device) {
                Precision::F32 => DType::F32,
                Precision::Bf16 => DType::BF16,
                _ => DType::F16,
            });
        }
        let scheme = scheme(self.precision, Isa::best());
        Place::Native(if part == "unet" { scheme } else { scheme.unquantised() })
    }

    /// Opens the weights of a part; a pickle is converted first, once.
    ///
    /// # Errors
    /// Those of [`crate::catalog::open_weights`].
    pub fn open(&mut self, folder: &ModelFolder, part: &str) -> Result<Weights, Problem> {
        self.stored(folder, part)?.open(&self.cancel, self.report)
    }

    /// Where a part's weights lie, to be opened at any time.
    ///
    /// # Errors
    /// That the folder has no such part.
    pub fn stored(&self, folder: &ModelFolder, part: &str) -> Result<Stored, Problem> {
        Ok(Stored {
            files: folder.component(part)?.weights.clone(),
            cache: self.cache.to_path_buf(),
            device: self.device.clone(),
            place: self.place(part),
        })
    }
}

/// The weights of a part on the disk.
pub struct Stored {
    files: Vec<PathBuf>,
    cache: PathBuf,
    device: Device,
    place: Place,
}

impl Stored {
    /// Where the part computes.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Opens them; a pickle is converted first, once.
    ///
    /// # Errors
    /// Those of [`crate::catalog::open_weights`].
    pub fn open(
        &self,
        cancel: &Cancel,
        report: &mut dyn FnMut(Phase) -> ControlFlow<Stop>,
    ) -> Result<Weights, Problem> {
        // A conversion reports between 0 and 1; a mapping does not report at all.
        let cancelled = || Problem::new(ProblemKind::Cancelled);
        if report(Phase::Loading { fraction: 0.0 }).is_break() || cancel.is_requested() {
            return Err(cancelled());
        }
        let set = open_all(&self.files, &self.cache, &mut |fraction| {
            if cancel.is_requested() {
                ControlFlow::Break(Stop::Cancelled)
            } else {
                report(Phase::Converting { fraction })
            }
        })?;
        Ok(Weights {
            origin: Origin::Files(set),
            held: AtomicUsize::new(0),
            device: self.device.clone(),
            place: self.place,
            cancel: cancel.clone(),
        })
    }
}

/// Where parameters come from.
enum Origin {
    Files(WeightsSet),
    /// Drawn: of any name and shape, the same for the same name.
    Drawn,
}

/// So many bytes of a file are looked at before its pages are let go: they count as this process's memory.
const HELD: usize = 32 << 20;

/// The parameters of one part.
pub struct Weights {
    origin: Origin,
    /// Bytes of the files that were given out since pages were let go.
    held: AtomicUsize,
    device: Device,
    place: Place,
    cancel: Cancel,
}

impl Weights {
    /// Random parameters of any name and shape, for measurements.
    pub fn drawn(device: Device, place: Place, cancel: Cancel) -> Self {
        Self { origin: Origin::Drawn, held: AtomicUsize::new(0), device, place, cancel }
    }

    pub fn has(&self, name: &str) -> bool {
        match &self.origin {
            Origin::Files(set) => set.contains(name),
            Origin::Drawn => false,
        }
    }

    /// Where the part computes.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The values of the tensor `name`, which must have `shape`.
    ///
    /// # Errors
    /// [`ProblemKind::WeightsMismatch`] if it is absent or of another shape or kind, [`ProblemKind::Cancelled`].
    pub fn source(&self, name: &str, shape: &[usize]) -> Result<Source<'_>, Problem> {
        if self.cancel.is_requested() {
            return Err(Problem::new(ProblemKind::Cancelled));
        }
        let mismatch = |found: &str| {
            let problem = Problem::new(ProblemKind::WeightsMismatch).with("tensor", name);
            problem.with("expected", format!("{shape:?}")).with("found", found)
        };
        let row = shape.iter().skip(1).product();
        let set = match &self.origin {
            Origin::Files(set) => set,
            Origin::Drawn => {
                let seed = name.bytes().fold(0u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
                return Ok(Source { numbers: Numbers::Drawn(seed), row, rows: shape.first().copied().unwrap_or(1) });
            }
        };
        if !set.contains(name) {
            return Err(mismatch("-"));
        }
        if self.held.load(Ordering::Relaxed) > HELD {
            set.release();
            self.held.store(0, Ordering::Relaxed);
        }
        let view = set.tensor(name)?;
        self.held.fetch_add(view.bytes.len(), Ordering::Relaxed);
        if view.shape != shape {
            return Err(mismatch(&format!("{:?}", view.shape)));
        }
        let numbers = match view.dtype {
            Dtype::F32 => Numbers::F32(view.bytes.as_chunks::<4>().0),
            Dtype::F16 => Numbers::F16(view.bytes.as_chunks::<2>().0),
            Dtype::BF16 => Numbers::Bf16(view.bytes.as_chunks::<2>().0),
            other => return Err(mismatch(&format!("{other:?}"))),
        };
        Ok(Source { numbers, row, rows: shape.first().copied().unwrap_or(1) })
    }

    /// The tensor `name`, which must have `shape`, on the device.
    ///
    /// # Errors
    /// As [`Self::source`], and [`ProblemKind::OutOfMemory`].
    pub fn get(&self, name: &str, shape: &[usize], dtype: DType) -> Result<Tensor, Problem> {
        let source = self.source(name, shape)?;
        let problem = |e: candle_core::Error| Problem::from(Interrupt::from(e));
        if let Some(bytes) = source.stored_as(dtype) {
            return Tensor::from_raw_buffer(bytes, dtype, shape, &self.device).map_err(problem);
        }
        let count = shape.iter().product();
        let mut values: Vec<f32> = Vec::new();
        let refused = |_| Problem::from(Interrupt::OutOfMemory(count * size_of::<f32>()));
        values.try_reserve_exact(count).map_err(refused)?;
        values.resize(count, 0.0);
        source.fill(0, &mut values);
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu).map_err(problem)?;
        tensor.to_dtype(dtype).and_then(|t| t.to_device(&self.device)).map_err(problem)
    }
}

/// A stored tensor, little-endian.
#[derive(Clone, Copy)]
enum Numbers<'a> {
    F32(&'a [[u8; 4]]),
    F16(&'a [[u8; 2]]),
    Bf16(&'a [[u8; 2]]),
    /// Uniform, of variance 1 over the length of a row: what a layer of such weights gives is as large as what it got.
    Drawn(u64),
}

/// The values of a tensor, read as f32 from where they are stored.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    numbers: Numbers<'a>,
    /// Values of an entry of the first dimension.
    row: usize,
    rows: usize,
}

impl Source<'_> {
    /// Entries of the first dimension.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The bytes of all values, if they are stored in this format.
    fn stored_as(&self, dtype: DType) -> Option<&[u8]> {
        match (self.numbers, dtype) {
            (Numbers::F32(values), DType::F32) => Some(values.as_flattened()),
            (Numbers::F16(values), DType::F16) | (Numbers::Bf16(values), DType::BF16) => Some(values.as_flattened()),
            _ => None,
        }
    }

    /// One of them.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        self.fill(row * self.row, out);
    }

    /// All values.
    pub fn all(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.rows * self.row];
        self.fill(0, &mut values);
        values
    }

    /// Values from the `first` one on.
    fn fill(&self, first: usize, out: &mut [f32]) {
        match self.numbers {
            Numbers::F32(from) => {
                out.iter_mut().zip(from.iter().skip(first)).for_each(|(o, b)| *o = f32::from_le_bytes(*b))
            }
            Numbers::F16(from) => {
                out.iter_mut().zip(from.iter().skip(first)).for_each(|(o, b)| *o = f16::from_le_bytes(*b).to_f32());
            }
            Numbers::Bf16(from) => {
                out.iter_mut().zip(from.iter().skip(first)).for_each(|(o, b)| *o = bf16::from_le_bytes(*b).to_f32());
            }
            Numbers::Drawn(seed) => {
                let size = (3.0 / self.row as f32).sqrt();
                let mut state = (seed ^ first as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
                for value in out {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    *value = ((state >> 40) as f32 / 8_388_608.0 - 1.0) * size;
                }
            }
        }
    }
}
