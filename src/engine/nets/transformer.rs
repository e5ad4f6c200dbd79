//! The spatial transformer of the UNet (diffusers' Transformer2DModel with one kind of block).

use super::layers::{GroupNorm, LayerNorm, Linear, Tail};
use super::ops::{self, Feature, KeysValues, Pass, Place};
use super::params::Params;
use crate::base::Problem;
use crate::engine::interrupt::Interrupt;

/// Attention of tokens to each other, with projections in and out.
struct OwnAttention {
    qkv: Linear,
    out: Linear,
    heads: usize,
}

impl OwnAttention {
    fn load(p: &Params<'_>, width: usize, heads: usize) -> Result<Self, Problem> {
        let qkv = Linear::load_joined(&["to_q", "to_k", "to_v"].map(|name| p.at(name)), width, width, false)?;
        Ok(Self { qkv, out: Linear::load(&p.at("to_out.0"), width, width)?, heads })
    }

    fn forward(&self, pass: &Pass, x: &Feature, residual: &Feature, place: Place) -> Result<Feature, Interrupt> {
        let qkv = self.qkv.forward(pass, x, Tail::default())?;
        let attended = ops::attend_to_each_other(pass, &qkv, self.heads, None, place)?;
        self.out.forward(pass, &attended, Tail::plus(residual))
    }
}

/// Attention of tokens to a text.
struct TextAttention {
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    heads: usize,
}

impl TextAttention {
    fn load(p: &Params<'_>, width: usize, context: usize, heads: usize) -> Result<Self, Problem> {
        // The text's side is computed once a job: exactness costs nothing there.
        let text = p.unquantised();
        Ok(Self {
            q: Linear::load_without_bias(&p.at("to_q"), width, width)?,
            k: Linear::load_without_bias(&text.at("to_k"), context, width)?,
            v: Linear::load_without_bias(&text.at("to_v"), context, width)?,
            out: Linear::load(&p.at("to_out.0"), width, width)?,
            heads,
        })
    }

    fn listen(&self, pass: &Pass, text: &Feature, place: Place) -> Result<KeysValues, Interrupt> {
        let k = self.k.forward(pass, text, Tail::default())?;
        let v = self.v.forward(pass, text, Tail::default())?;
        KeysValues::new(pass, &k, &v, self.heads, place)
    }

    fn forward(&self, pass: &Pass, x: &Feature, text: &KeysValues, residual: &Feature) -> Result<Feature, Interrupt> {
        let q = self.q.forward(pass, x, Tail::default())?;
        self.out.forward(pass, &ops::attend(pass, &q, text, self.heads)?, Tail::plus(residual))
    }
}

/// Self-attention, attention to the text, feed-forward (GEGLU), each on normed input and added.
struct Block {
    norm1: LayerNorm,
    own: OwnAttention,
    norm2: LayerNorm,
    text: TextAttention,
    norm3: LayerNorm,
    widen: Linear,
    narrow: Linear,
}

impl Block {
    fn load(p: &Params<'_>, width: usize, context: usize, heads: usize) -> Result<Self, Problem> {
        const EPS: f64 = 1e-5;
        Ok(Self {
            norm1: LayerNorm::load(&p.at("norm1"), width, EPS)?,
            own: OwnAttention::load(&p.at("attn1"), width, heads)?,
            norm2: LayerNorm::load(&p.at("norm2"), width, EPS)?,
            text: TextAttention::load(&p.at("attn2"), width, context, heads)?,
            norm3: LayerNorm::load(&p.at("norm3"), width, EPS)?,
            widen: Linear::load_gated(&p.at("ff.net.0.proj"), width, 4 * width)?,
            narrow: Linear::load(&p.at("ff.net.2"), 4 * width, width)?,
        })
    }

    fn forward(&self, pass: &Pass, x: &Feature, text: &KeysValues, place: Place) -> Result<Feature, Interrupt> {
        let normed = self.norm1.forward(pass, x, self.own.qkv.wants())?;
        let x = self.own.forward(pass, &normed, x, place)?;
        let normed = self.norm2.forward(pass, &x, self.text.q.wants())?;
        let x = self.text.forward(pass, &normed, text, &x)?;
        let normed = self.norm3.forward(pass, &x, self.widen.wants())?;
        let fed = self.widen.forward(pass, &normed, Tail::default())?;
        self.narrow.forward(pass, &fed, Tail::plus(&x))
    }
}

/// Feature map to tokens, blocks, tokens to feature map, added to the input.
pub struct SpatialTransformer {
    norm: GroupNorm,
    proj_in: Linear,
    blocks: Vec<Block>,
    proj_out: Linear,
    place: Place,
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
            place: p.place(),
        })
    }

    /// What the blocks hear of a text [batch, tokens, context width]; it does not change within a job.
    pub fn listen(&self, pass: &Pass, text: &Feature) -> Result<Vec<KeysValues>, Interrupt> {
        self.blocks.iter().map(|block| block.text.listen(pass, text, self.place)).collect()
    }

    /// `text`: from [`Self::listen`].
    pub fn forward(&self, pass: &Pass, x: &Feature, text: &[KeysValues]) -> Result<Feature, Interrupt> {
        let sides = x.sides()?;
        let normed = self.norm.forward(pass, x, self.proj_in.wants())?.into_tokens()?;
        let mut tokens = self.proj_in.forward(pass, &normed, Tail::default())?;
        for (block, text) in self.blocks.iter().zip(text) {
            tokens = block.forward(pass, &tokens, text, self.place)?;
        }
        let own = x.clone().into_tokens()?;
        self.proj_out.forward(pass, &tokens, Tail::plus(&own))?.into_pixels(sides)
    }
}
