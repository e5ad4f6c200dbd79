//! BERT's encoder (Devlin et al. 2018; transformers' BertModel without pooler): Taiyi's text encoder.
//!
//! Ours and not candle-transformers' because that one can neither be stopped between layers nor take a mask in half
//! precision without NaN; a test holds the two together.

use super::layers::{LayerNorm, Linear};
use super::ops::{self, Activation, Pass, Sight};
use super::params::Params;
use crate::base::{Problem, ProblemKind};
use crate::engine::interrupt::Interrupt;
use candle_core::Tensor;
use serde::Deserialize;

/// `text_encoder/config.json`, the part that we understand.
#[derive(Clone, Debug, Deserialize)]
pub struct BertConfig {
    pub vocab_size: usize,
    pub hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    pub max_position_embeddings: usize,
    #[serde(default = "two")]
    type_vocab_size: usize,
    #[serde(default = "usual_eps")]
    layer_norm_eps: f64,
    #[serde(default)]
    hidden_act: Option<String>,
}

fn two() -> usize {
    2
}

fn usual_eps() -> f64 {
    1e-12
}

struct Layer {
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    norm1: LayerNorm,
    widen: Linear,
    narrow: Linear,
    norm2: LayerNorm,
}

/// Token ids to a sequence of vectors.
pub struct Bert {
    words: Tensor,
    positions: Tensor,
    /// The embedding of token type 0, the only one in use.
    kind: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
    heads: usize,
}

impl Bert {
    /// # Errors
    /// [`ProblemKind::ConfigInvalid`], or [`ProblemKind::WeightsMismatch`] for absent or misshapen parameters.
    pub fn load(p: &Params<'_>, config: &BertConfig) -> Result<Self, Problem> {
        let (hidden, eps) = (config.hidden_size, config.layer_norm_eps);
        let odd = |v: usize| v == 0 || v > 1 << 20;
        let invalid = |detail: String| {
            Problem::new(ProblemKind::ConfigInvalid).with("file", "text_encoder/config.json").detail(detail)
        };
        let sizes = [config.vocab_size, hidden, config.intermediate_size, config.max_position_embeddings];
        if sizes.into_iter().any(odd)
            || config.num_hidden_layers > 96
            || config.num_attention_heads == 0
            || hidden % config.num_attention_heads != 0
        {
            return Err(invalid(format!("{config:?}")));
        }
        if let Some(other) = config.hidden_act.as_deref().filter(|a| *a != "gelu") {
            return Err(invalid(format!("hidden_act {other}")));
        }
        let e = p.at("embeddings");
        let kinds = e.get("token_type_embeddings.weight", &[config.type_vocab_size, hidden])?;
        let kind = kinds.narrow(0, 0, 1).map_err(|e| Problem::from(Interrupt::from(e)))?;
        let layer = |i: usize| -> Result<Layer, Problem> {
            let p = p.at(format!("encoder.layer.{i}"));
            let square = |name: &str| Linear::load(&p.at(name), hidden, hidden);
            Ok(Layer {
                q: square("attention.self.query")?,
                k: square("attention.self.key")?,
                v: square("attention.self.value")?,
                out: square("attention.output.dense")?,
                norm1: LayerNorm::load(&p.at("attention.output.LayerNorm"), hidden, eps)?,
                widen: Linear::load(&p.at("intermediate.dense"), hidden, config.intermediate_size)?,
                narrow: Linear::load(&p.at("output.dense"), config.intermediate_size, hidden)?,
                norm2: LayerNorm::load(&p.at("output.LayerNorm"), hidden, eps)?,
            })
        };
        Ok(Self {
            words: e.get("word_embeddings.weight", &[config.vocab_size, hidden])?,
            positions: e.get("position_embeddings.weight", &[config.max_position_embeddings, hidden])?,
            kind,
            norm: LayerNorm::load(&e.at("LayerNorm"), hidden, eps)?,
            layers: (0..config.num_hidden_layers).map(layer).collect::<Result<_, _>>()?,
            heads: config.num_attention_heads,
        })
    }

    /// Ids of one text (each below the vocabulary's size): [1, ids, hidden]. `hidden[i]` keeps token i out of sight.
    pub fn forward(&self, pass: &Pass, ids: &[u32], hidden: Option<&[bool]>) -> Result<Tensor, Interrupt> {
        let index = Tensor::from_slice(ids, ids.len(), self.words.device())?;
        let x = self.words.index_select(&index, 0)?;
        let x = (x + self.positions.narrow(0, 0, ids.len())?)?.broadcast_add(&self.kind)?;
        let x = if x.device().is_cpu() { x.to_dtype(candle_core::DType::F32)? } else { x };
        let mut x = self.norm.forward(pass, &x.unsqueeze(0)?)?;
        let sight = Sight { hidden, causal: false };
        for layer in &self.layers {
            let (q, k, v) = (layer.q.forward(pass, &x)?, layer.k.forward(pass, &x)?, layer.v.forward(pass, &x)?);
            let attended = layer.out.forward(pass, &ops::attention(pass, &q, &k, &v, self.heads, sight)?)?;
            x = layer.norm1.forward(pass, &ops::add(pass, &x, &attended)?)?;
            let wide = ops::activate(pass, &layer.widen.forward(pass, &x)?, Activation::Gelu)?;
            x = layer.norm2.forward(pass, &ops::add(pass, &x, &layer.narrow.forward(pass, &wide)?)?)?;
        }
        Ok(x)
    }
}
