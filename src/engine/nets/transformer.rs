//! The spatial transformer of the UNet (diffusers' Transformer2DModel with one kind of block).

use super::layers::{GroupNorm, LayerNorm, Linear};
use super::ops::{self, Pass, Sight};
use super::params::Params;
use crate::base::Problem;
use crate::engine::interrupt::Interrupt;
use candle_core::Tensor;

/// Attention with projections in and out.
struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    heads: usize,
}

impl Attention {
    fn load(p: &Params<'_>, width: usize, context: usize, heads: usize) -> Result<Self, Problem> {
        Ok(Self {
            q: Linear::load_without_bias(&p.at("to_q"), width, width)?,
            k: Linear::load_without_bias(&p.at("to_k"), context, width)?,
            v: Linear::load_without_bias(&p.at("to_v"), context, width)?,
            out: Linear::load(&p.at("to_out.0"), width, width)?,
            heads,
        })
    }

    fn forward(&self, pass: &Pass, x: &Tensor, context: &Tensor) -> Result<Tensor, Interrupt> {
        let q = self.q.forward(pass, x)?;
        let k = self.k.forward(pass, context)?;
        let v = self.v.forward(pass, context)?;
        let attended = ops::attention(pass, &q, &k, &v, self.heads, Sight::default())?;
        self.out.forward(pass, &attended)
    }
}

/// Self-attention, attention to the text, feed-forward (GEGLU), each on normed input and added.
struct Block {
    norm1: LayerNorm,
    own: Attention,
    norm2: LayerNorm,
    text: Attention,
    norm3: LayerNorm,
    widen: Linear,
    narrow: Linear,
}

impl Block {
    fn load(p: &Params<'_>, width: usize, context: usize, heads: usize) -> Result<Self, Problem> {
        const EPS: f64 = 1e-5;
        Ok(Self {
            norm1: LayerNorm::load(&p.at("norm1"), width, EPS)?,
            own: Attention::load(&p.at("attn1"), width, width, heads)?,
            norm2: LayerNorm::load(&p.at("norm2"), width, EPS)?,
            text: Attention::load(&p.at("attn2"), width, context, heads)?,
            norm3: LayerNorm::load(&p.at("norm3"), width, EPS)?,
            widen: Linear::load(&p.at("ff.net.0.proj"), width, 8 * width)?,
            narrow: Linear::load(&p.at("ff.net.2"), 4 * width, width)?,
        })
    }

    fn forward(&self, pass: &Pass, x: &Tensor, context: &Tensor) -> Result<Tensor, Interrupt> {
        let normed = self.norm1.forward(pass, x)?;
        let x = ops::add(pass, x, &self.own.forward(pass, &normed, &normed)?)?;
        let normed = self.norm2.forward(pass, &x)?;
        let x = ops::add(pass, &x, &self.text.forward(pass, &normed, context)?)?;
        let wide = self.widen.forward(pass, &self.norm3.forward(pass, &x)?)?;
        let fed = self.narrow.forward(pass, &ops::geglu(pass, &wide)?)?;
        ops::add(pass, &x, &fed)
    }
}

/// Feature map to tokens, blocks, tokens to feature map, added to the input.
pub struct SpatialTransformer {
    norm: GroupNorm,
    proj_in: Linear,
    blocks: Vec<Block>,
    proj_out: Linear,
}

/// Sizes of a spatial transformer.
#[derive(Clone, Copy)]
pub struct TransformerShape {
    pub channels: usize,
    pub context: usize,
    pub heads: usize,
    pub groups: usize,
    pub layers: usize,
    /// `use_linear_projection`: the projections are stored as matrices, not as 1 × 1 convolutions.
    pub linear: bool,
}

impl SpatialTransformer {
    pub fn load(p: &Params<'_>, s: TransformerShape) -> Result<Self, Problem> {
        let projection = |name: &str| {
            let p = p.at(name);
            if s.linear {
                Linear::load(&p, s.channels, s.channels)
            } else {
                Linear::load_from_1x1(&p, s.channels, s.channels)
            }
        };
        Ok(Self {
            norm: GroupNorm::load(&p.at("norm"), s.channels, s.groups, 1e-6)?,
            proj_in: projection("proj_in")?,
            blocks: (0..s.layers)
                .map(|i| Block::load(&p.at(format!("transformer_blocks.{i}")), s.channels, s.context, s.heads))
                .collect::<Result<_, _>>()?,
            proj_out: projection("proj_out")?,
        })
    }

    /// x [batch, channels, h, w], context [batch, tokens, context width].
    pub fn forward(&self, pass: &Pass, x: &Tensor, context: &Tensor) -> Result<Tensor, Interrupt> {
        let (batch, channels, height, width) = x.dims4()?;
        let normed = self.norm.forward(pass, x)?.reshape((batch, channels, height * width))?;
        let mut tokens = self.proj_in.forward(pass, &ops::transpose(pass, &normed)?)?;
        for block in &self.blocks {
            tokens = block.forward(pass, &tokens, context)?;
        }
        let map = ops::transpose(pass, &self.proj_out.forward(pass, &tokens)?)?;
        ops::add(pass, x, &map.reshape((batch, channels, height, width))?)
    }
}
