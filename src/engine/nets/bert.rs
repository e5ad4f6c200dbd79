//! BERT's encoder (Devlin et al. 2018; transformers' BertModel without pooler): Taiyi's text encoder.
//!
//! Ours and not candle-transformers' because that one can neither be stopped between layers nor take a mask in half
//! precision without NaN; a test holds the two together.

use super::layers::{LayerNorm, Linear, Tail};
use super::ops::{self, Activation, Feature, Pass, Place};
use super::params::Params;
use crate::base::{Problem, ProblemKind};
use crate::engine::interrupt::Interrupt;
use candle_core::{Device, Tensor};
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
    place: Place,
}

impl Layer {
    fn load(p: &Params<'_>, config: &BertConfig) -> Result<Self, Problem> {
        let &BertConfig { hidden_size: hidden, intermediate_size: wide, layer_norm_eps: eps, .. } = config;
        let own = p.at("attention.self");
        Ok(Self {
            qkv: Linear::load_joined(&["query", "key", "value"].map(|name| own.at(name)), hidden, hidden, true)?,
            out: Linear::load(&p.at("attention.output.dense"), hidden, hidden)?,
            norm1: LayerNorm::load(&p.at("attention.output.LayerNorm"), hidden, eps)?,
            widen: Linear::load(&p.at("intermediate.dense"), hidden, wide)?,
            narrow: Linear::load(&p.at("output.dense"), wide, hidden)?,
            norm2: LayerNorm::load(&p.at("output.LayerNorm"), hidden, eps)?,
            place: p.place(),
        })
    }

    fn forward(&self, pass: &Pass, x: &Feature, hidden: Option<&[bool]>, heads: usize) -> Result<Feature, Interrupt> {
        let qkv = self.qkv.forward(pass, x, Tail::default())?;
        let attended = ops::attend_to_each_other(pass, &qkv, heads, hidden, self.place)?;
        let x = self.norm1.forward(pass, &self.out.forward(pass, &attended, Tail::plus(x))?, None)?;
        let wide = self.widen.forward(pass, &x, Tail::default())?.activated(pass, Activation::Gelu, self.place)?;
        self.norm2.forward(pass, &self.narrow.forward(pass, &wide, Tail::plus(&x))?, None)
    }
}

/// Ids of one text, each below the vocabulary's size.
#[derive(Clone, Copy)]
pub struct Ids<'a> {
    pub ids: &'a [u32],
    /// `hidden[i]` keeps token i out of sight.
    pub hidden: Option<&'a [bool]>,
}

impl BertConfig {
    fn check(&self) -> Result<(), Problem> {
        let odd = |v: usize| v == 0 || v > 1 << 20;
        let invalid = |detail: String| {
            Problem::new(ProblemKind::ConfigInvalid).with("file", "text_encoder/config.json").detail(detail)
        };
        let sizes = [self.vocab_size, self.hidden_size, self.intermediate_size, self.max_position_embeddings];
        if sizes.into_iter().any(odd)
            || self.num_hidden_layers > 96
            || self.num_attention_heads == 0
            || !self.hidden_size.is_multiple_of(self.num_attention_heads)
        {
            return Err(invalid(format!("{self:?}")));
        }
        match self.hidden_act.as_deref().filter(|a| *a != "gelu") {
            Some(other) => Err(invalid(format!("hidden_act {other}"))),
            None => Ok(()),
        }
    }
}

/// Looks whether all parameters are there, without reading them.
///
/// # Errors
/// [`ProblemKind::ConfigInvalid`], or [`ProblemKind::WeightsMismatch`] for absent or misshapen parameters.
pub fn check(p: &Params<'_>, config: &BertConfig) -> Result<(), Problem> {
    config.check()?;
    let (hidden, wide) = (config.hidden_size, config.intermediate_size);
    let own = |p: &Params<'_>, name: &str, shape: &[usize]| p.source(name, shape).map(drop);
    let norm = |p: Params<'_>| own(&p, "weight", &[hidden]).and_then(|()| own(&p, "bias", &[hidden]));
    let linear =
        |p: Params<'_>, input, output| own(&p, "weight", &[output, input]).and_then(|()| own(&p, "bias", &[output]));
    let e = p.at("embeddings");
    own(&e, "word_embeddings.weight", &[config.vocab_size, hidden])?;
    own(&e, "position_embeddings.weight", &[config.max_position_embeddings, hidden])?;
    own(&e, "token_type_embeddings.weight", &[config.type_vocab_size, hidden])?;
    norm(e.at("LayerNorm"))?;
    for i in 0..config.num_hidden_layers {
        let p = p.at(format!("encoder.layer.{i}"));
        for name in ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"] {
            linear(p.at(name), hidden, hidden)?;
        }
        linear(p.at("intermediate.dense"), hidden, wide)?;
        linear(p.at("output.dense"), wide, hidden)?;
        norm(p.at("attention.output.LayerNorm"))?;
        norm(p.at("output.LayerNorm"))?;
    }
    Ok(())
}

/// Texts through the encoder, each to [1, ids, hidden], while it is read: one layer is in memory at a time.
///
/// # Errors
/// As [`check`], or that the job ends.
pub fn read(p: &Params<'_>, config: &BertConfig, pass: &Pass, texts: &[Ids<'_>]) -> Result<Vec<Tensor>, Interrupt> {
    config.check()?;
    // A text is read once a job: exactness costs little.
    let (p, width) = (&p.full(), config.hidden_size);
    let e = p.at("embeddings");
    let words = e.source("word_embeddings.weight", &[config.vocab_size, width])?;
    let positions = e.source("position_embeddings.weight", &[config.max_position_embeddings, width])?;
    let kinds = e.source("token_type_embeddings.weight", &[config.type_vocab_size, width])?;
    let norm = LayerNorm::load(&e.at("LayerNorm"), width, config.layer_norm_eps)?;
    let embedded = |text: &Ids<'_>| {
        let mut rows = Vec::with_capacity(text.ids.len() * width);
        let [mut word, mut position, mut kind] = [(); 3].map(|()| vec![0.0; width]);
        kinds.row(0, &mut kind);
        for (i, id) in text.ids.iter().enumerate() {
            words.row(*id as usize, &mut word);
            positions.row(i, &mut position);
            rows.extend(word.iter().zip(&position).zip(&kind).map(|((w, p), k)| (w + p) + k));
        }
        let x = Tensor::from_vec(rows, (1, text.ids.len(), width), &Device::Cpu)?;
        norm.forward(pass, &Feature::from_rows(pass, &x, p.place())?, None)
    };
    let mut states = texts.iter().map(embedded).collect::<Result<Vec<_>, Interrupt>>()?;
    for i in 0..config.num_hidden_layers {
        let layer = Layer::load(&p.at(format!("encoder.layer.{i}")), config)?;
        for (x, text) in states.iter_mut().zip(texts) {
            *x = layer.forward(pass, x, text.hidden, config.num_attention_heads)?;
        }
    }
    states.iter().map(|x| x.to_rows(pass, p.place())).collect()
}

/// The encoder with all its layers in memory.
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
        config.check()?;
        let hidden = config.hidden_size;
        // As in [`read`].
        let p = &p.full();
        let e = p.at("embeddings");
        let kinds = e.get("token_type_embeddings.weight", &[config.type_vocab_size, hidden])?;
        let kind = kinds.narrow(0, 0, 1).map_err(|e| Problem::from(Interrupt::from(e)))?;
        let layer = |i: usize| Layer::load(&p.at(format!("encoder.layer.{i}")), config);
        Ok(Self {
            words: e.get("word_embeddings.weight", &[config.vocab_size, hidden])?,
            positions: e.get("position_embeddings.weight", &[config.max_position_embeddings, hidden])?,
            kind,
            norm: LayerNorm::load(&e.at("LayerNorm"), hidden, config.layer_norm_eps)?,
            layers: (0..config.num_hidden_layers).map(layer).collect::<Result<_, _>>()?,
            heads: config.num_attention_heads,
            place: p.place(),
        })
    }

    /// One text to [1, ids, hidden].
    pub fn forward(&self, pass: &Pass, text: Ids<'_>) -> Result<Tensor, Interrupt> {
        let index = Tensor::from_slice(text.ids, text.ids.len(), self.words.device())?;
        let x = self.words.index_select(&index, 0)?;
        let x = (x + self.positions.narrow(0, 0, text.ids.len())?)?.broadcast_add(&self.kind)?;
        let x = Feature::from_rows(pass, &x.unsqueeze(0)?, self.place)?;
        let mut x = self.norm.forward(pass, &x, None)?;
        for layer in &self.layers {
            x = layer.forward(pass, &x, text.hidden, self.heads)?;
        }
        x.to_rows(pass, self.place)
    }
}
