//! BERT's encoder (Devlin et al. 2018; transformers' BertModel without pooler): Taiyi's text encoder.
//!
//! Ours and not candle-transformers' because that one can neither be stopped between layers nor take a mask in half
//! precision without NaN; a test holds the two together.

use super::layers::{LayerNorm, Linear, Tail};
use super::ops::{self, Activation, Feature, Pass, Place};
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
    qkv: Linear,
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
    place: Place,
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
        // A text is read once a job: exactness costs little.
        let p = &p.full();
        let e = p.at("embeddings");
        let kinds = e.get("token_type_embeddings.weight", &[config.type_vocab_size, hidden])?;
        let kind = kinds.narrow(0, 0, 1).map_err(|e| Problem::from(Interrupt::from(e)))?;
        let layer = |i: usize| -> Result<Layer, Problem> {
            let p = p.at(format!("encoder.layer.{i}"));
            let own = p.at("attention.self");
            Ok(Layer {
                qkv: Linear::load_joined(&["query", "key", "value"].map(|name| own.at(name)), hidden, hidden, true)?,
                out: Linear::load(&p.at("attention.output.dense"), hidden, hidden)?,
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
            place: p.place(),
        })
    }

    /// Ids of one text (each below the vocabulary's size): [1, ids, hidden]. `hidden[i]` keeps token i out of sight.
    pub fn forward(&self, pass: &Pass, ids: &[u32], hidden: Option<&[bool]>) -> Result<Tensor, Interrupt> {
        let index = Tensor::from_slice(ids, ids.len(), self.words.device())?;
        let x = self.words.index_select(&index, 0)?;
        let x = (x + self.positions.narrow(0, 0, ids.len())?)?.broadcast_add(&self.kind)?;
        let x = Feature::from_rows(pass, &x.unsqueeze(0)?, self.place)?;
        let mut x = self.norm.forward(pass, &x, None)?;
        for layer in &self.layers {
            let qkv = layer.qkv.forward(pass, &x, Tail::default())?;
            let attended = ops::attend_to_each_other(pass, &qkv, self.heads, hidden, self.place)?;
            x = layer.norm1.forward(pass, &layer.out.forward(pass, &attended, Tail::plus(&x))?, None)?;
            let wide = layer.widen.forward(pass, &x, Tail::default())?.activated(pass, Activation::Gelu, self.place)?;
            x = layer.norm2.forward(pass, &layer.narrow.forward(pass, &wide, Tail::plus(&x))?, None)?;
        }
        x.to_rows(pass, self.place)
    }
}
