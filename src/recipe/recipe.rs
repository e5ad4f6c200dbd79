//! [`Recipe`]: the same recipe on the same kind of device gives the same bits.

use super::inpaint::Inpaint;
use super::sampling::{NoiseSource, Sampling};
use crate::base::Extent;
use crate::imaging::Pixmap;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// Everything that determines a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// A name of the catalog (`xiaotu`) or the path of a diffusers folder.
    pub model: PathBuf,
    pub prompt: String,
    pub negative: String,
    pub sampling: Sampling,
    /// Size of the picture; both sides are multiples of the family's factor (8).
    pub size: Extent,
    /// Picture k of a batch has the seed `seed + k` (wrapping).
    pub seed: u64,
    /// 1 to 16 pictures.
    pub batch: u32,
    pub noise: NoiseSource,
    pub source: Source,
    pub inpaint: Option<Inpaint>,
    pub text: TextOptions,
    pub precision: Precision,
}

impl Recipe {
    /// Bytes of the pictures and masks in it.
    pub fn bytes(&self) -> usize {
        let source = match &self.source {
            Source::Text => 0,
            Source::Picture { picture, .. } => picture.rgba().len(),
        };
        source + self.inpaint.as_ref().map_or(0, |inpaint| inpaint.mask.bytes().len())
    }
}

/// What the sampling starts from.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Source {
    /// Pure noise.
    #[default]
    Text,
    /// A picture of the recipe's size, noised. `strength` in (0, 1]: the share of the steps that is run.
    Picture { picture: Arc<Pixmap>, strength: f64 },
}

/// Switches of the text encoder, for those who compare with other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct TextOptions {
    /// Tokens that the prompt is padded to; `None` is what the checkpoint's tokenizer says (Taiyi: 512).
    /// Some scripts for Taiyi used 77.
    pub length: Option<usize>,
    /// Whether the padding is hidden from the encoder's attention. Taiyi was trained without.
    pub attention_mask: bool,
}

/// Number format of the networks' weights and activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// The fastest on the device that keeps the picture: bytes on processors that multiply them (VNNI), else bf16 or
    /// f32; f16 on graphics cards.
    #[default]
    Auto,
    F32,
    Bf16,
    F16,
    /// Weights in i8 with a scale a channel, activations in u8 with a scale a pixel (W8A8), in the UNet. On the
    /// processor.
    Int8,
}

impl Precision {
    pub const ALL: [Precision; 5] = [Precision::Auto, Precision::F32, Precision::Bf16, Precision::F16, Precision::Int8];

    pub const fn name(self) -> &'static str {
        match self {
            Precision::Auto => "auto",
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
            Precision::F16 => "f16",
            Precision::Int8 => "int8",
        }
    }
}
