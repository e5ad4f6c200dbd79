//! What flows through the networks, and what is done with it between the layers that hold parameters: our kernels on the
//! processor ([`super::native`]), candle elsewhere ([`super::plain`]).

use super::native::{self, Map, Scheme};
use super::plain;
use super::pool::Pool;
use super::profile::{Kind, Profile};
use crate::engine::interrupt::Interrupt;
use crate::engine::kernels::attention::PackedKv;
use crate::engine::kernels::pointwise::Function;
use crate::recipe::Cancel;
use candle_core::{D, DType, Device, Storage, Tensor};
use std::sync::Arc;
use std::time::Instant;

/// Bytes of a map that are normed at a time on the way into a convolution: few beside the maps of large pictures, and
/// enough to occupy all cores.
const AT_ONCE: usize = 16 << 20;

/// The runs of a job through networks: the flag that ends them early, and memory that each finds ready from the last.
#[derive(Clone)]
pub struct Pass {
    pub cancel: Cancel,
    pub pool: Arc<Pool>,
    /// Where the time goes, if somebody asks.
    pub profile: Option<Arc<Profile>>,
    /// Bytes of a map that are worked at together where the whole is not needed at once.
    pub at_once: usize,
}

impl Default for Pass {
    fn default() -> Self {
        Self::new(Cancel::default())
    }
}

impl Pass {
    pub fn new(cancel: Cancel) -> Self {
        Self { cancel, pool: Arc::default(), profile: None, at_once: AT_ONCE }
    }

    /// # Errors
    /// [`Interrupt::Cancelled`] if the job was asked to stop.
    pub fn check(&self) -> Result<(), Interrupt> {
        if self.cancel.is_requested() { Err(Interrupt::Cancelled) } else { Ok(()) }
    }

    /// Does `work` of so many floating-point operations, on the profile's account.
    pub fn timed<R>(&self, kind: Kind, operations: f64, work: impl FnOnce() -> R) -> R {
        let Some(profile) = &self.profile else { return work() };
        let began = Instant::now();
        let result = work();
        profile.note(kind, began.elapsed(), operations);
        result
    }

    /// What kernels ask.
    pub fn stop(&self) -> impl Fn() -> bool + Sync + '_ {
        || self.cancel.is_requested()
    }
}

/// Lends the values of a tensor as f32, row-major; half precision is widened, and what lies on a graphics card is
/// fetched, once everything is done there that was asked of it.
pub fn with_values<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R, candle_core::Error> {
    let tensor = tensor.to_dtype(DType::F32)?.contiguous()?.to_device(&Device::Cpu)?;
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(cpu) = &*storage else {
        candle_core::bail!("a tensor that came from a device is not on the processor");
    };
    let values = cpu.as_slice::<f32>()?;
    let start = layout.start_offset();
    match values.get(start..start + layout.shape().elem_count()) {
        Some(values) => Ok(f(values)),
        None => candle_core::bail!("a tensor's layout leaves its storage"),
    }
}

/// Padding of a convolution: zeros before and after, in both directions.
#[derive(Clone, Copy, Debug)]
pub struct Padding {
    pub before: usize,
    pub after: usize,
}

impl Padding {
    pub const fn same(n: usize) -> Self {
        Self { before: n, after: n }
    }
}

/// Where a network computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the processor, by our kernels.
    Native(Scheme),
    /// By candle, in this format.
    Plain(DType),
}

/// A map of features, or tokens, on its way through a network.
#[derive(Clone)]
pub enum Feature {
    Native(Map),
    Plain(Tensor),
}

fn mixed() -> Interrupt {
    candle_core::Error::Msg("features of two kinds meet".into()).into()
}

impl Feature {
    /// A tensor [batch, channels, height, width] of any format.
    pub fn from_map(pass: &Pass, x: &Tensor, place: Place) -> Result<Self, Interrupt> {
        let (batch, channels, height, width) = x.dims4()?;
        match place {
            Place::Plain(dtype) => Ok(Self::Plain(x.to_dtype(dtype)?)),
            Place::Native(scheme) => {
                let dims = [batch, height, width, channels];
                Ok(Self::Native(with_values(x, |x| Map::from_planes(pass, x, dims, scheme))??))
            }
        }
    }

    /// Rows [batch, rows, width] of any format.
    pub fn from_rows(pass: &Pass, x: &Tensor, place: Place) -> Result<Self, Interrupt> {
        let dims = x.dims3()?;
        match place {
            Place::Plain(dtype) => Ok(Self::Plain(x.to_dtype(dtype)?)),
            Place::Native(scheme) => Ok(Self::Native(with_values(x, |x| Map::from_rows(pass, x, dims, scheme))??)),
        }
    }

    /// [batch, channels, height, width] in f32.
    pub fn to_map(&self, pass: &Pass, place: Place) -> Result<Tensor, Interrupt> {
        match (self, place) {
            (Self::Plain(x), _) => Ok(x.to_dtype(DType::F32)?),
            (Self::Native(x), Place::Native(scheme)) => {
                let shape = (x.batch, x.channels, x.height, x.width);
                Ok(Tensor::from_vec(x.to_planes(pass, scheme.isa)?, shape, &Device::Cpu)?)
            }
            (Self::Native(_), Place::Plain(_)) => Err(mixed()),
        }
    }

    /// [batch, rows, width] in the place's format; f32 on the processor.
    pub fn to_rows(&self, pass: &Pass, place: Place) -> Result<Tensor, Interrupt> {
        match (self, place) {
            (Self::Plain(x), _) => Ok(x.clone()),
            (Self::Native(x), Place::Native(scheme)) => {
                let shape = (x.batch, x.height * x.width, x.channels);
                Ok(Tensor::from_vec(x.to_rows(pass, scheme.isa)?, shape, &Device::Cpu)?)
            }
            (Self::Native(_), Place::Plain(_)) => Err(mixed()),
        }
    }

    /// Height and width of a map.
    pub fn sides(&self) -> Result<(usize, usize), Interrupt> {
        match self {
            Self::Native(x) => Ok((x.height, x.width)),
            Self::Plain(x) => Ok((x.dim(2)?, x.dim(3)?)),
        }
    }

    /// A map's pixels as tokens.
    pub fn into_tokens(self) -> Result<Self, Interrupt> {
        match self {
            Self::Native(x) => {
                let n = x.height * x.width;
                Ok(Self::Native(x.reshaped(n, 1)))
            }
            Self::Plain(x) => Ok(Self::Plain(x.flatten_from(2)?.transpose(1, 2)?.contiguous()?)),
        }
    }

    /// Tokens as the pixels of a map.
    pub fn into_pixels(self, (height, width): (usize, usize)) -> Result<Self, Interrupt> {
        match self {
            Self::Native(x) => Ok(Self::Native(x.reshaped(height, width))),
            Self::Plain(x) => {
                let (batch, _, channels) = x.dims3()?;
                Ok(Self::Plain(x.transpose(1, 2)?.contiguous()?.reshape((batch, channels, height, width))?))
            }
        }
    }

    /// The channels of both, side by side.
    pub fn beside(&self, pass: &Pass, other: &Self, place: Place) -> Result<Self, Interrupt> {
        pass.check()?;
        match (self, other, place) {
            (Self::Native(a), Self::Native(b), Place::Native(scheme)) => {
                Ok(Self::Native(a.beside(pass, b, scheme.isa)?))
            }
            (Self::Plain(a), Self::Plain(b), _) => Ok(Self::Plain(Tensor::cat(&[a, b], 1)?)),
            _ => Err(mixed()),
        }
    }

    pub fn activated(&self, pass: &Pass, function: Activation, place: Place) -> Result<Self, Interrupt> {
        pass.check()?;
        match (self, place) {
            (Self::Native(x), Place::Native(scheme)) => {
                let kernel = match function {
                    Activation::Silu => Function::Silu,
                    Activation::Gelu => Function::Gelu,
                };
                Ok(Self::Native(x.mapped(pass, kernel, x.format, scheme.isa)?))
            }
            (Self::Plain(x), _) => Ok(Self::Plain(match function {
                Activation::Silu => x.silu()?,
                Activation::Gelu => x.gelu_erf()?,
            })),
            _ => Err(mixed()),
        }
    }
}

/// A pointwise function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    Silu,
    /// The exact form, with erf.
    Gelu,
}

/// Keys and values that any number of queries look at.
pub enum KeysValues {
    Native(PackedKv),
    Plain(Tensor, Tensor),
}

impl KeysValues {
    /// Of tokens [batch, n, heads·width] each.
    pub fn new(pass: &Pass, k: &Feature, v: &Feature, heads: usize, place: Place) -> Result<Self, Interrupt> {
        pass.check()?;
        match (k, v, place) {
            (Feature::Native(k), Feature::Native(v), Place::Native(scheme)) => {
                let heads = (heads, k.channels / heads.max(1));
                Ok(Self::Native(native::keys_and_values(pass, (k, v), (0, 0), heads, None, scheme)?))
            }
            (Feature::Plain(k), Feature::Plain(v), _) => Ok(Self::Plain(k.clone(), v.clone())),
            _ => Err(mixed()),
        }
    }
}

/// softmax(q·kᵀ/√width)·v with heads side by side, for each query of `q` [batch, n, heads·width].
pub fn attend(pass: &Pass, q: &Feature, kv: &KeysValues, heads: usize) -> Result<Feature, Interrupt> {
    pass.check()?;
    match (q, kv) {
        (Feature::Native(q), KeysValues::Native(kv)) => {
            Ok(Feature::Native(native::attend(pass, q, kv, q.channels, false)?))
        }
        (Feature::Plain(q), KeysValues::Plain(k, v)) => {
            Ok(Feature::Plain(plain::attention(pass, (q, k, v), heads, None)?))
        }
        _ => Err(mixed()),
    }
}

/// Attention of tokens to each other: queries, keys and values side by side in [batch, n, 3·heads·width]. `hidden`
/// [batch × n] are not looked at.
pub fn attend_to_each_other(
    pass: &Pass,
    qkv: &Feature,
    heads: usize,
    hidden: Option<&[bool]>,
    place: Place,
) -> Result<Feature, Interrupt> {
    pass.check()?;
    match (qkv, place) {
        (Feature::Native(x), Place::Native(scheme)) => {
            let channels = x.channels / 3;
            let first = (channels, 2 * channels);
            let kv = native::keys_and_values(pass, (x, x), first, (heads, channels / heads.max(1)), hidden, scheme)?;
            Ok(Feature::Native(native::attend(pass, x, &kv, channels, false)?))
        }
        (Feature::Plain(x), _) => {
            let channels = x.dim(D::Minus1)? / 3;
            let part = |i: usize| x.narrow(D::Minus1, i * channels, channels)?.contiguous();
            Ok(Feature::Plain(plain::attention(pass, (&part(0)?, &part(1)?, &part(2)?), heads, hidden)?))
        }
        _ => Err(mixed()),
    }
}
