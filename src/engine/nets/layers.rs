//! Layers that hold parameters: packed for our kernels on the processor, tensors for candle elsewhere.

use super::native::{self, Format, Groups, Product, Scheme, Tail as NativeTail};
use super::ops::{Feature, Padding, Pass, Place};
use super::params::Params;
use super::plain;
use crate::base::{Problem, ProblemKind};
use crate::engine::interrupt::Interrupt;
use crate::engine::kernels::packed::{Columns, Geometry, PackedWeights, Spec};
use crate::engine::weights::Source;
use candle_core::Tensor;

fn mixed() -> Interrupt {
    candle_core::Error::Msg("a feature of another kind than the layer".into()).into()
}

fn native(feature: &Feature) -> Result<&native::Map, Interrupt> {
    match feature {
        Feature::Native(map) => Ok(map),
        Feature::Plain(_) => Err(mixed()),
    }
}

/// In which format a layer reads; norms before it write that at once. `None`: as they come.
pub type Wanted = Option<Format>;

/// What is added to a layer's result, in the same go.
#[derive(Clone, Copy, Default)]
pub struct Tail<'a> {
    /// For each channel: [1, 1, n] tokens.
    pub shift: Option<&'a Feature>,
    /// As large as the result.
    pub residual: Option<&'a Feature>,
}

impl<'a> Tail<'a> {
    pub fn plus(residual: &'a Feature) -> Self {
        Self { residual: Some(residual), ..Self::default() }
    }

    fn native(&self) -> Result<NativeTail<'a>, Interrupt> {
        let (shift, residual) = (self.shift.map(native).transpose()?, self.residual.map(native).transpose()?);
        Ok(NativeTail { shift, residual, in_f32: false })
    }

    fn added(&self, y: Tensor, on_map: bool) -> Result<Feature, Interrupt> {
        let mut y = y;
        if let Some(shift) = self.shift {
            let Feature::Plain(shift) = shift else { return Err(mixed()) };
            let (shift, n) = (shift.to_dtype(y.dtype())?, shift.elem_count());
            y = y.broadcast_add(&if on_map { shift.reshape((1, n, 1, 1))? } else { shift.reshape((1, 1, n))? })?;
        }
        if let Some(residual) = self.residual {
            let Feature::Plain(residual) = residual else { return Err(mixed()) };
            y = (y + residual)?;
        }
        Ok(Feature::Plain(y))
    }
}

enum Weights {
    Native(Product),
    Plain { weight: Tensor, bias: Option<Tensor> },
}

/// Packs what rows of several sources say, one source after the other.
fn pack(spec: Spec<'_>, sources: &[Source<'_>]) -> Result<PackedWeights, Problem> {
    let packed = PackedWeights::pack(spec, |row, out| {
        let mut row = row;
        for source in sources {
            if row < source.rows() {
                source.row(row, out);
                return;
            }
            row -= source.rows();
        }
    });
    packed.map_err(|refused| Interrupt::from(refused).into())
}

/// A convolution with bias.
pub struct Conv2d {
    weights: Weights,
    /// For upsampling: the same weights folded for exact doubling.
    doubled: Option<PackedWeights>,
    kernel: usize,
    stride: usize,
    padding: Padding,
}

impl Conv2d {
    /// `kernel` × `kernel`; parameters `weight` `[out, in, k, k]` and `bias` `[out]`.
    pub fn load(
        p: &Params<'_>,
        (input, output): (usize, usize),
        kernel: usize,
        stride: usize,
        padding: Padding,
    ) -> Result<Self, Problem> {
        let shape = [output, input, kernel, kernel];
        let weights = match p.place() {
            Place::Plain(_) => {
                Weights::Plain { weight: p.get("weight", &shape)?, bias: Some(p.get("bias", &[output])?) }
            }
            Place::Native(scheme) => {
                let spec = Spec { taps: kernel * kernel, ..Spec::linear(scheme.products, scheme.isa, output, input) };
                let weights = pack(spec, &[p.source("weight", &shape)?])?;
                Weights::Native(Product { weights, bias: Some(p.source("bias", &[output])?.all()), scheme })
            }
        };
        Ok(Self { weights, doubled: None, kernel, stride, padding })
    }

    /// 3 × 3, stride 1, the size is kept.
    pub fn load_3x3(p: &Params<'_>, input: usize, output: usize) -> Result<Self, Problem> {
        Self::load(p, (input, output), 3, 1, Padding::same(1))
    }

    pub fn load_1x1(p: &Params<'_>, input: usize, output: usize) -> Result<Self, Problem> {
        Self::load(p, (input, output), 1, 1, Padding::same(0))
    }

    /// 3 × 3 after a doubling of the size.
    pub fn load_doubling(p: &Params<'_>, channels: usize) -> Result<Self, Problem> {
        let mut conv = Self::load_3x3(p, channels, channels)?;
        if let Place::Native(Scheme { products, isa, .. }) = p.place() {
            let spec = Spec { doubled: true, ..Spec::conv3x3(products, isa, channels, channels) };
            conv.doubled = Some(pack(spec, &[p.source("weight", &[channels, channels, 3, 3])?])?);
        }
        Ok(conv)
    }

    pub fn wants(&self) -> Wanted {
        self.weights.wants()
    }

    pub fn forward(&self, pass: &Pass, x: &Feature, tail: Tail<'_>) -> Result<Feature, Interrupt> {
        pass.check()?;
        match (x, &self.weights) {
            (Feature::Native(x), Weights::Native(product)) => {
                let geometry = self.geometry(x.batch, (x.height, x.width));
                Ok(Feature::Native(product.convolve(pass, x, geometry, tail.native()?)?))
            }
            (Feature::Plain(x), Weights::Plain { weight, bias }) => {
                tail.added(plain::conv2d(x, weight, bias.as_ref(), self.stride, self.padding)?, true)
            }
            _ => Err(mixed()),
        }
    }

    /// The convolution of SiLU(norm(x)), plus `shift` for each channel ([1, 1, n] tokens), plus `onto`, whose memory the
    /// result takes where nobody else has it. Stride 1, and the size is kept. Of a large normed map only a band is there
    /// at a time.
    pub fn forward_normed(
        &self,
        pass: &Pass,
        norm: &GroupNorm,
        x: &Feature,
        shift: Option<&Feature>,
        onto: Option<Feature>,
    ) -> Result<Feature, Interrupt> {
        pass.check()?;
        if let (Feature::Native(x), Weights::Native(product), Affine::Native { weight, bias, .. }) =
            (x, &self.weights, &norm.affine)
        {
            let norm = Groups { groups: norm.groups, eps: norm.eps, weight, bias, silu: true };
            let geometry = self.geometry(x.batch, (x.height, x.width));
            let shift = shift.map(native).transpose()?;
            let onto = match onto {
                Some(Feature::Native(map)) => Some(map),
                Some(Feature::Plain(_)) => return Err(mixed()),
                None => None,
            };
            let y = native::normed_convolution(pass, x, &norm, product, geometry, (shift, onto))?;
            return Ok(Feature::Native(y));
        }
        let x = norm.forward_silu(pass, x, self.wants())?;
        self.forward(pass, &x, Tail { shift, residual: onto.as_ref() })
    }

    /// As [`Self::forward`]; a large result takes the memory of `x` where it can.
    pub fn forward_over(&self, pass: &Pass, x: Feature) -> Result<Feature, Interrupt> {
        match (x, &self.weights) {
            (Feature::Native(x), Weights::Native(product)) if self.kernel == 1 && self.stride == 1 => {
                pass.check()?;
                Ok(Feature::Native(native::linear_over(pass, x, product)?))
            }
            (x, _) => self.forward(pass, &x, Tail::default()),
        }
    }

    fn geometry(&self, batch: usize, (height, width): (usize, usize)) -> Geometry {
        Geometry {
            batch,
            height,
            width,
            kernel: self.kernel,
            stride: self.stride,
            pad_before: self.padding.before,
            pad_after: self.padding.after,
            pad_lines: None,
            enlarge: None,
        }
    }

    /// The convolution of `x` with its pixels repeated, height and width twice as many; the last row or column of the
    /// repeated ones goes where `size` (the result's) is odd.
    pub fn forward_doubled(
        &self,
        pass: &Pass,
        x: &Feature,
        size: Option<(usize, usize)>,
    ) -> Result<Feature, Interrupt> {
        pass.check()?;
        let (height, width) = x.sides()?;
        let twice = (2 * height, 2 * width);
        let size = size.unwrap_or(twice);
        match (x, &self.weights) {
            (Feature::Native(x), Weights::Native(product)) => {
                let geometry = Geometry { enlarge: Some(size), ..self.geometry(x.batch, (height, width)) };
                let folded = self.doubled.as_ref().filter(|_| size == twice);
                Ok(Feature::Native(product.convolve_by(pass, x, geometry, folded)?))
            }
            (Feature::Plain(x), Weights::Plain { weight, bias }) => {
                let large = x.upsample_nearest2d(twice.0, twice.1)?;
                let large = if size == twice {
                    large
                } else {
                    large.narrow(2, 0, size.0)?.narrow(3, 0, size.1)?.contiguous()?
                };
                Ok(Feature::Plain(plain::conv2d(&large, weight, bias.as_ref(), self.stride, self.padding)?))
            }
            _ => Err(mixed()),
        }
    }
}

impl Weights {
    fn wants(&self) -> Wanted {
        match self {
            Weights::Native(product) => Some(product.reads()),
            Weights::Plain { .. } => None,
        }
    }
}

/// A fully connected layer.
pub struct Linear {
    weights: Weights,
    gated: bool,
}

impl Linear {
    pub fn load(p: &Params<'_>, input: usize, output: usize) -> Result<Self, Problem> {
        Self::load_joined(std::slice::from_ref(p), input, output, true)
    }

    pub fn load_without_bias(p: &Params<'_>, input: usize, output: usize) -> Result<Self, Problem> {
        Self::load_joined(std::slice::from_ref(p), input, output, false)
    }

    /// Layers that read the same, as one whose results lie side by side; each has `output` results.
    pub fn load_joined(parts: &[Params<'_>], input: usize, output: usize, bias: bool) -> Result<Self, Problem> {
        Self::load_as(parts, &[output, input], Columns::Plain, bias)
    }

    /// Parameters that are stored as a 1 × 1 convolution [out, in, 1, 1].
    pub fn load_from_1x1(p: &Params<'_>, input: usize, output: usize) -> Result<Self, Problem> {
        Self::load_as(std::slice::from_ref(p), &[output, input, 1, 1], Columns::Plain, true)
    }

    /// A layer of `output` values and as many gates; what comes out is values · GELU(gates) (GEGLU, Shazeer 2020).
    pub fn load_gated(p: &Params<'_>, input: usize, output: usize) -> Result<Self, Problem> {
        Self::load_as(std::slice::from_ref(p), &[2 * output, input], Columns::Gated, true)
    }

    fn load_as(parts: &[Params<'_>], shape: &[usize], columns: Columns, bias: bool) -> Result<Self, Problem> {
        let gated = columns == Columns::Gated;
        let (Some(first), &[output, input, ..]) = (parts.first(), shape) else {
            return Err(Problem::new(ProblemKind::Internal).detail("a layer without parameters"));
        };
        let weights = match first.place() {
            Place::Plain(_) => {
                let candle = |e: candle_core::Error| Problem::from(Interrupt::from(e));
                let all = |name: &str, shape: &[usize]| -> Result<Tensor, Problem> {
                    let tensors = parts.iter().map(|p| p.get(name, shape)).collect::<Result<Vec<_>, _>>()?;
                    Tensor::cat(&tensors, 0).map_err(candle)
                };
                let weight = all("weight", shape)?.reshape((parts.len() * output, input)).map_err(candle)?;
                Weights::Plain { weight, bias: bias.then(|| all("bias", &[output])).transpose()? }
            }
            Place::Native(scheme) => {
                let sources = parts.iter().map(|p| p.source("weight", shape)).collect::<Result<Vec<_>, _>>()?;
                let spec = Spec { columns, ..Spec::linear(scheme.products, scheme.isa, parts.len() * output, input) };
                let bias = bias
                    .then(|| {
                        let each = parts.iter().map(|p| Ok(p.source("bias", &[output])?.all()));
                        each.collect::<Result<Vec<_>, Problem>>().map(|each| each.concat())
                    })
                    .transpose()?;
                Weights::Native(Product { weights: pack(spec, &sources)?, bias, scheme })
            }
        };
        Ok(Self { weights, gated })
    }

    pub fn wants(&self) -> Wanted {
        self.weights.wants()
    }

    /// [.., in] to [.., out].
    pub fn forward(&self, pass: &Pass, x: &Feature, tail: Tail<'_>) -> Result<Feature, Interrupt> {
        pass.check()?;
        match (x, &self.weights) {
            (Feature::Native(x), Weights::Native(product)) => {
                Ok(Feature::Native(product.linear(pass, x, tail.native()?)?))
            }
            (Feature::Plain(x), Weights::Plain { weight, bias }) => {
                let y = plain::linear(x, weight, bias.as_ref())?;
                tail.added(if self.gated { plain::geglu(&y)? } else { y }, false)
            }
            _ => Err(mixed()),
        }
    }
}

/// Weight and bias of a norm.
enum Affine {
    Native { weight: Vec<f32>, bias: Vec<f32>, scheme: Scheme },
    Plain { weight: Tensor, bias: Tensor },
}

impl Affine {
    fn load(p: &Params<'_>, n: usize) -> Result<Self, Problem> {
        Ok(match p.place() {
            // Norms are computed in f32 everywhere.
            Place::Plain(_) => {
                let p = p.full();
                Affine::Plain { weight: p.get("weight", &[n])?, bias: p.get("bias", &[n])? }
            }
            Place::Native(scheme) => {
                Affine::Native { weight: p.source("weight", &[n])?.all(), bias: p.source("bias", &[n])?.all(), scheme }
            }
        })
    }
}

/// Group norm over channels.
pub struct GroupNorm {
    affine: Affine,
    groups: usize,
    eps: f64,
}

impl GroupNorm {
    pub fn load(p: &Params<'_>, channels: usize, groups: usize, eps: f64) -> Result<Self, Problem> {
        if groups == 0 || !channels.is_multiple_of(groups) {
            let shape = format!("{channels} channels in {groups} groups");
            return Err(Problem::new(ProblemKind::ConfigInvalid).with("file", "config.json").detail(shape));
        }
        Ok(Self { affine: Affine::load(p, channels)?, groups, eps })
    }

    pub fn forward(&self, pass: &Pass, x: &Feature, wanted: Wanted) -> Result<Feature, Interrupt> {
        self.run(pass, x, false, wanted)
    }

    pub fn forward_silu(&self, pass: &Pass, x: &Feature, wanted: Wanted) -> Result<Feature, Interrupt> {
        self.run(pass, x, true, wanted)
    }

    fn run(&self, pass: &Pass, x: &Feature, silu: bool, wanted: Wanted) -> Result<Feature, Interrupt> {
        pass.check()?;
        match (x, &self.affine) {
            (Feature::Native(x), Affine::Native { weight, bias, scheme }) => {
                let norm = Groups { groups: self.groups, eps: self.eps, weight, bias, silu };
                let format = wanted.unwrap_or(scheme.activations);
                Ok(Feature::Native(native::group_norm(pass, x, &norm, format, scheme.isa)?))
            }
            (Feature::Plain(x), Affine::Plain { weight, bias }) => {
                Ok(Feature::Plain(plain::group_norm(x, (weight, bias), self.groups, self.eps, silu)?))
            }
            _ => Err(mixed()),
        }
    }
}

/// Layer norm over the last dimension.
pub struct LayerNorm {
    affine: Affine,
    eps: f64,
}

impl LayerNorm {
    pub fn load(p: &Params<'_>, width: usize, eps: f64) -> Result<Self, Problem> {
        Ok(Self { affine: Affine::load(p, width)?, eps })
    }

    pub fn forward(&self, pass: &Pass, x: &Feature, wanted: Wanted) -> Result<Feature, Interrupt> {
        pass.check()?;
        match (x, &self.affine) {
            (Feature::Native(x), Affine::Native { weight, bias, scheme }) => {
                let format = wanted.unwrap_or(scheme.activations);
                Ok(Feature::Native(native::layer_norm(pass, x, (weight, bias), self.eps, format, scheme.isa)?))
            }
            (Feature::Plain(x), Affine::Plain { weight, bias }) => {
                Ok(Feature::Plain(plain::layer_norm(x, weight, bias, self.eps)?))
            }
            _ => Err(mixed()),
        }
    }
}
