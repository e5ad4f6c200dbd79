//! Activations on the processor, and what the layers do with them: pixels in rows of channels (NHWC), in f32 or bf16,
//! or as bytes on the way into an int8 product.

mod bands;

pub use bands::{linear_over, normed_convolution};

use super::ops::Pass;
use super::pool::Buffer;
use super::profile::Kind;
use crate::engine::interrupt::Interrupt;
use crate::engine::kernels::attention::{self, KeyShape, PackedKv};
use crate::engine::kernels::element::{Data, DataMut, Float, Rows};
use crate::engine::kernels::norm::{self, Part};
use crate::engine::kernels::output::Output;
use crate::engine::kernels::packed::{
    self, ByteRows, Epilogue, Geometry, Input, Out, PackedWeights, Precision, Residual,
};
use crate::engine::kernels::pointwise::{self, Function};
use crate::engine::kernels::{Isa, layout};
use bytemuck::Pod;
use half::bf16;
use std::ops::Range;
use std::sync::Arc;

/// How networks compute on this processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme {
    pub isa: Isa,
    /// Of activations between layers: f32 or bf16.
    pub activations: Format,
    /// Of products. Layers that are sensitive raise it for themselves.
    pub products: Precision,
}

impl Scheme {
    /// f32 throughout.
    pub fn full(isa: Isa) -> Self {
        Self { isa, activations: Format::F32, products: Precision::F32 }
    }

    /// Products as exact as the activations are.
    pub fn unquantised(self) -> Self {
        let products = match self.activations {
            Format::Bf16 => Precision::Bf16,
            Format::F32 | Format::Bytes => Precision::F32,
        };
        Self { products, ..self }
    }

    /// What attention computes in on this processor. Where products are in bytes, scores are, but values stay in bf16: in a
    /// byte a weight below 1/510 of the greatest would be lost, and thousands of keys may have such weights.
    pub fn attention(self) -> attention::Precision {
        let wanted = match (self.activations, self.products) {
            (Format::Bf16, Precision::Int8) => attention::Precision::Bytes,
            (Format::Bf16, _) => attention::Precision::Bf16,
            (Format::F32 | Format::Bytes, _) => attention::Precision::F32,
        };
        wanted.settle(self.isa).1
    }
}

/// Number formats of a [`Map`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    F32,
    Bf16,
    /// u8 with a scale and an offset for each row.
    Bytes,
}

impl Format {
    /// The one that products of a precision read.
    pub fn read_by(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Format::F32,
            Precision::Bf16 => Format::Bf16,
            Precision::Int8 => Format::Bytes,
        }
    }

    /// Bytes of `rows` rows of `channels` values. Bytes are followed by scales and offsets.
    fn size(self, rows: usize, channels: usize) -> usize {
        match self {
            Format::F32 => 4 * rows * channels,
            Format::Bf16 => 2 * rows * channels,
            Format::Bytes => (rows * channels).next_multiple_of(64) + 8 * rows,
        }
    }
}

/// [batch, height, width, channels]. Tokens are maps of height = number and width = 1.
#[derive(Clone)]
pub struct Map {
    buffer: Arc<Buffer>,
    pub format: Format,
    pub batch: usize,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

/// Sizes of a map, [batch, height, width, channels].
pub type Dims = [usize; 4];

impl Map {
    pub fn dims(&self) -> Dims {
        [self.batch, self.height, self.width, self.channels]
    }

    pub fn rows(&self) -> usize {
        self.batch * self.height * self.width
    }

    /// Makes a map; `fill` says by false that it stopped early.
    fn build(
        pass: &Pass,
        dims: Dims,
        format: Format,
        fill: impl FnOnce(&mut Buffer) -> bool,
    ) -> Result<Self, Interrupt> {
        let [batch, height, width, channels] = dims;
        let mut buffer = pass.pool.take(format.size(batch * height * width, channels))?;
        if !fill(&mut buffer) {
            return Err(Interrupt::Cancelled);
        }
        Ok(Self { buffer: Arc::new(buffer), format, batch, height, width, channels })
    }

    /// Its memory, if nobody else has it.
    fn into_own(self) -> Result<Buffer, Self> {
        match Arc::try_unwrap(self.buffer) {
            Ok(buffer) => Ok(buffer),
            Err(buffer) => Err(Self { buffer, ..self }),
        }
    }

    /// From f32 in [batch, channels, height, width].
    pub fn from_planes(pass: &Pass, x: &[f32], dims: Dims, scheme: Scheme) -> Result<Self, Interrupt> {
        let [_, height, width, channels] = dims;
        let map = Self::build(pass, dims, Format::F32, |buffer| {
            layout::transpose(buffer.values_mut::<f32>(), x, (channels, height * width), &pass.stop())
        })?;
        map.to_format(pass, scheme.activations, scheme.isa)
    }

    /// From f32 in [batch, rows, channels].
    pub fn from_rows(
        pass: &Pass,
        x: &[f32],
        (batch, rows, channels): (usize, usize, usize),
        scheme: Scheme,
    ) -> Result<Self, Interrupt> {
        let map = Self::build(pass, [batch, rows, 1, channels], Format::F32, |buffer| {
            buffer.values_mut::<f32>().copy_from_slice(x);
            true
        })?;
        map.to_format(pass, scheme.activations, scheme.isa)
    }

    /// f32 in [batch, channels, height, width].
    pub fn to_planes(&self, pass: &Pass, isa: Isa) -> Result<Vec<f32>, Interrupt> {
        let map = self.to_format(pass, Format::F32, isa)?;
        let x = map.buffer.values::<f32>();
        let mut out = Vec::new();
        out.try_reserve_exact(x.len()).map_err(|_| Interrupt::OutOfMemory(4 * x.len()))?;
        out.resize(x.len(), 0.0);
        let done = layout::transpose(&mut out, x, (self.height * self.width, self.channels), &pass.stop());
        if done { Ok(out) } else { Err(Interrupt::Cancelled) }
    }

    /// f32 in [batch, rows, channels].
    pub fn to_rows(&self, pass: &Pass, isa: Isa) -> Result<Vec<f32>, Interrupt> {
        Ok(self.to_format(pass, Format::F32, isa)?.buffer.values::<f32>().to_vec())
    }

    /// The same pixels in rows of another number.
    pub fn reshaped(mut self, height: usize, width: usize) -> Self {
        debug_assert_eq!(self.height * self.width, height * width);
        (self.height, self.width) = (height, width);
        self
    }

    fn data(&self) -> Result<Data<'_>, Interrupt> {
        match self.format {
            Format::F32 => Ok(Data::F32(self.buffer.values())),
            Format::Bf16 => Ok(Data::Bf16(self.buffer.values())),
            Format::Bytes => Err(candle_core::Error::Msg("bytes go into products only".into()).into()),
        }
    }

    fn input(&self) -> Input<'_> {
        match self.format {
            Format::F32 => Input::F32(self.buffer.values()),
            Format::Bf16 => Input::Bf16(self.buffer.values()),
            Format::Bytes => {
                let rows = self.rows();
                let (data, sides) = self.buffer.bytes().split_at((rows * self.channels).next_multiple_of(64));
                let (scale, offset) = bytemuck::cast_slice::<u8, f32>(sides).split_at(rows);
                Input::Int8(ByteRows { data: &data[..rows * self.channels], scale, offset })
            }
        }
    }

    /// The same values in another format; nothing is done where it is the same.
    pub fn to_format(&self, pass: &Pass, format: Format, isa: Isa) -> Result<Self, Interrupt> {
        if self.format == format {
            return Ok(self.clone());
        }
        self.mapped(pass, Function::Same, format, isa)
    }

    pub fn mapped(&self, pass: &Pass, function: Function, format: Format, isa: Isa) -> Result<Self, Interrupt> {
        let data = self.data()?;
        Self::build(pass, self.dims(), format, |buffer| {
            let out = output(buffer, format, self.rows(), self.channels);
            let work = || pointwise::map(out, data, self.channels, function, None, isa, &pass.stop());
            pass.timed(Kind::Pointwise, 0.0, work)
        })
    }

    /// Channels of both, side by side.
    pub fn beside(&self, pass: &Pass, other: &Self, isa: Isa) -> Result<Self, Interrupt> {
        let other = other.to_format(pass, self.format, isa)?;
        let (a, b) = (self.channels, other.channels);
        let dims = [self.batch, self.height, self.width, a + b];
        Self::build(pass, dims, self.format, |buffer| {
            pass.timed(Kind::Pointwise, 0.0, || match self.format {
                Format::F32 => {
                    let parts = [(self.buffer.values(), a), (other.buffer.values(), b)];
                    layout::concat::<f32>(buffer.values_mut(), &parts, &pass.stop())
                }
                Format::Bf16 | Format::Bytes => {
                    let parts = [(self.buffer.values(), a), (other.buffer.values(), b)];
                    layout::concat::<u16>(buffer.values_mut(), &parts, &pass.stop())
                }
            })
        })
    }
}

/// A buffer as rows that a kernel writes.
fn output(buffer: &mut Buffer, format: Format, rows: usize, channels: usize) -> Output<'_> {
    match format {
        Format::F32 => Output::F32(buffer.values_mut()),
        Format::Bf16 => Output::Bf16(buffer.values_mut()),
        Format::Bytes => {
            let (data, sides) = buffer.bytes_mut().split_at_mut((rows * channels).next_multiple_of(64));
            let (scale, offset) = bytemuck::cast_slice_mut::<u8, f32>(sides).split_at_mut(rows);
            Output::Bytes { data: &mut data[..rows * channels], scale, offset }
        }
    }
}

/// Packed weights with their bias.
pub struct Product {
    pub weights: PackedWeights,
    /// [n]
    pub bias: Option<Vec<f32>>,
    pub scheme: Scheme,
}

/// What is added to a product before it is stored.
#[derive(Clone, Copy, Default)]
pub struct Tail<'a> {
    /// One row of n values, or one for each picture.
    pub shift: Option<&'a Map>,
    /// A map as large as the result.
    pub residual: Option<&'a Map>,
    /// The result in f32, whatever the activations are.
    pub in_f32: bool,
}

impl Product {
    /// The format that `x` is best handed in.
    pub fn reads(&self) -> Format {
        Format::read_by(self.weights.precision())
    }

    /// A linear layer over the rows of `x`.
    pub fn linear(&self, pass: &Pass, x: &Map, tail: Tail<'_>) -> Result<Map, Interrupt> {
        self.run(pass, x, (Geometry::linear(x.rows()), &self.weights), (x.height, x.width), tail)
    }

    pub fn convolve(&self, pass: &Pass, x: &Map, geometry: Geometry, tail: Tail<'_>) -> Result<Map, Interrupt> {
        self.run(pass, x, (geometry, &self.weights), (geometry.out_height(), geometry.out_width()), tail)
    }

    /// With the same weights packed in another way, if there are.
    pub fn convolve_by(
        &self,
        pass: &Pass,
        x: &Map,
        geometry: Geometry,
        weights: Option<&PackedWeights>,
    ) -> Result<Map, Interrupt> {
        let weights = weights.unwrap_or(&self.weights);
        self.run(pass, x, (geometry, weights), (geometry.out_height(), geometry.out_width()), Tail::default())
    }

    fn run(
        &self,
        pass: &Pass,
        x: &Map,
        (geometry, weights): (Geometry, &PackedWeights),
        (height, width): (usize, usize),
        tail: Tail<'_>,
    ) -> Result<Map, Interrupt> {
        if x.channels != self.weights.k() {
            let message = format!("{} channels into a layer for {}", x.channels, self.weights.k());
            return Err(candle_core::Error::Msg(message).into());
        }
        let isa = self.scheme.isa;
        let x = x.to_format(pass, self.reads(), isa)?;
        let format = if tail.in_f32 { Format::F32 } else { self.scheme.activations };
        let dims = [x.batch, height, width, self.weights.out_columns()];
        let residual = tail.residual.map(|residual| residual.to_format(pass, format, isa)).transpose()?;
        if residual.as_ref().is_some_and(|residual| residual.dims() != dims) {
            return Err(another_size());
        }
        let shift = tail.shift.map(|shift| shift.to_format(pass, Format::F32, isa)).transpose()?;
        let shift = shift.as_ref().map(|shift| shift.buffer.values::<f32>());
        let added = residual.as_ref().map_or(Added::None, Added::Map);
        Map::build(pass, dims, format, |buffer| {
            self.write(pass, x.input(), (geometry, weights), (buffer, format, 0), shift, added)
        })
    }

    /// Computes some rows of a result: those from `first` on, in a buffer of `format`. False when stopped.
    fn write(
        &self,
        pass: &Pass,
        x: Input<'_>,
        (geometry, weights): (Geometry, &PackedWeights),
        (buffer, format, first): (&mut Buffer, Format, usize),
        shift: Option<&[f32]>,
        added: Added<'_>,
    ) -> bool {
        let columns = self.weights.out_columns();
        let range = first * columns..(first + geometry.out_rows()) * columns;
        match format {
            Format::F32 => {
                let residual = added.rows(&range, columns);
                self.multiply(pass, x, (geometry, weights), &mut buffer.values_mut::<f32>()[range], shift, residual)
            }
            Format::Bf16 | Format::Bytes => {
                let residual = added.rows(&range, columns);
                self.multiply(pass, x, (geometry, weights), &mut buffer.values_mut::<bf16>()[range], shift, residual)
            }
        }
    }

    fn multiply<O: Float>(
        &self,
        pass: &Pass,
        x: Input<'_>,
        (geometry, weights): (Geometry, &PackedWeights),
        out: &mut [O],
        shift: Option<&[f32]>,
        residual: Residual<'_, O>,
    ) -> bool {
        let kind = if geometry.kernel > 1 { Kind::Convolution } else { Kind::Linear };
        let operations = 2.0 * (geometry.out_rows() * weights.k() * weights.n()) as f64 * geometry.kernel.pow(2) as f64;
        let epilogue = Epilogue { bias: self.bias.as_deref(), batch_bias: shift, residual, ..Epilogue::default() };
        let out = Out::rows(out, self.weights.out_columns());
        let work = || packed::conv(out, x, weights, geometry, &epilogue, self.scheme.isa, &pass.stop());
        pass.timed(kind, operations, work)
    }
}

/// What is added to rows of a result.
#[derive(Clone, Copy)]
enum Added<'a> {
    None,
    /// The same rows of a map of the result's format.
    Map(&'a Map),
    /// What lies where the result goes.
    There,
}

impl<'a> Added<'a> {
    fn rows<O: Pod>(self, range: &Range<usize>, columns: usize) -> Residual<'a, O> {
        match self {
            Added::None => Residual::None,
            Added::Map(map) => Residual::Rows { data: &map.buffer.values()[range.clone()], stride: columns },
            Added::There => Residual::Output,
        }
    }
}

fn another_size() -> Interrupt {
    candle_core::Error::Msg("a residual of another size".into()).into()
}

/// Group norm over channels, then SiLU if asked.
pub struct Groups<'a> {
    pub groups: usize,
    pub eps: f64,
    pub weight: &'a [f32],
    pub bias: &'a [f32],
    pub silu: bool,
}

impl<'a> Groups<'a> {
    fn kernel(&self) -> norm::GroupNorm<'a> {
        let &Groups { groups, eps, weight, bias, silu } = self;
        norm::GroupNorm { groups, eps, weight, bias, silu, factor: None }
    }
}

pub fn group_norm(pass: &Pass, x: &Map, norm: &Groups<'_>, format: Format, isa: Isa) -> Result<Map, Interrupt> {
    let parts = [Part { data: x.data()?, channels: x.channels }];
    Map::build(pass, x.dims(), format, |buffer| {
        let out = output(buffer, format, x.rows(), x.channels);
        let work = || norm::group_norm(out, &parts, (x.batch, x.height * x.width), norm.kernel(), isa, &pass.stop());
        pass.timed(Kind::Norm, 0.0, work)
    })
}

pub fn layer_norm(
    pass: &Pass,
    x: &Map,
    parameters: (&[f32], &[f32]),
    eps: f64,
    format: Format,
    isa: Isa,
) -> Result<Map, Interrupt> {
    let data = x.data()?;
    Map::build(pass, x.dims(), format, |buffer| {
        let out = output(buffer, format, x.rows(), x.channels);
        pass.timed(Kind::Norm, 0.0, || norm::layer_norm(out, data, parameters, eps, None, isa, &pass.stop()))
    })
}

/// Keys and values, the columns from `first.0` and `first.1` of the rows of `x`, packed for [`attend`].
pub fn keys_and_values(
    pass: &Pass,
    x: (&Map, &Map),
    first: (usize, usize),
    (heads, width): (usize, usize),
    hidden: Option<&[bool]>,
    scheme: Scheme,
) -> Result<PackedKv, Interrupt> {
    let k = Rows { data: x.0.data()?, first: first.0, stride: x.0.channels };
    let v = Rows { data: x.1.data()?, first: first.1, stride: x.1.channels };
    let shape = KeyShape { batch: x.0.batch, keys: x.0.height * x.0.width, heads, width };
    let work = || PackedKv::new((k, v), shape, hidden, scheme.attention(), scheme.isa);
    Ok(pass.timed(Kind::Packing, 0.0, work))
}

/// Attention of the queries in the first columns of `q` to keys and values.
pub fn attend(pass: &Pass, q: &Map, kv: &PackedKv, channels: usize, causal: bool) -> Result<Map, Interrupt> {
    let operations = 4.0 * (q.rows() * kv.keys() * channels) as f64;
    let rows = Rows { data: q.data()?, first: 0, stride: q.channels };
    Map::build(pass, [q.batch, q.height, q.width, channels], q.format, |buffer| {
        let out = match q.format {
            Format::F32 => DataMut::F32(buffer.values_mut()),
            Format::Bf16 | Format::Bytes => DataMut::Bf16(buffer.values_mut()),
        };
        let work = || attention::attention(out, rows, kv, q.height * q.width, causal, &pass.stop());
        pass.timed(Kind::Attention, operations, work)
    })
}
