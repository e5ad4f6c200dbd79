//! The conditional UNet of Stable Diffusion 1.x (diffusers' UNet2DConditionModel): Rombach et al. 2022.

use super::layers::{Conv2d, GroupNorm, Linear, Tail};
use super::native::Scheme;
use super::ops::{Activation, Feature, KeysValues, Padding, Pass, Place};
use super::params::Params;
use super::resnet::{Downsample, Resnet, ResnetShape, Upsample};
use super::transformer::{SpatialTransformer, TransformerShape};
use crate::base::Problem;
use crate::engine::interrupt::Interrupt;
use candle_core::{DType, Tensor};
use serde::Deserialize;

/// One number for all blocks, or one for each.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum PerBlock {
    One(usize),
    Each(Vec<usize>),
}

impl PerBlock {
    fn get(&self, block: usize) -> Option<usize> {
        match self {
            PerBlock::One(n) => Some(*n),
            PerBlock::Each(list) => list.get(block).copied(),
        }
    }
}

/// `unet/config.json`, the part that we understand.
#[derive(Clone, Debug, Deserialize)]
pub struct UnetConfig {
    pub in_channels: usize,
    pub out_channels: usize,
    block_out_channels: Vec<usize>,
    down_block_types: Vec<String>,
    up_block_types: Vec<String>,
    #[serde(default = "two")]
    layers_per_block: usize,
    pub cross_attention_dim: usize,
    /// In spite of its name, the number of heads.
    attention_head_dim: PerBlock,
    #[serde(default = "thirty_two")]
    norm_num_groups: usize,
    #[serde(default = "resnet_eps")]
    norm_eps: f64,
    #[serde(default = "yes")]
    flip_sin_to_cos: bool,
    #[serde(default)]
    freq_shift: f64,
    #[serde(default)]
    use_linear_projection: bool,
    #[serde(default)]
    pub sample_size: Option<usize>,
}

fn two() -> usize {
    2
}

fn thirty_two() -> usize {
    32
}

fn resnet_eps() -> f64 {
    1e-5
}

fn yes() -> bool {
    true
}

impl UnetConfig {
    /// Whether block types are ones that we have, and lists are of one length.
    ///
    /// # Errors
    /// What does not fit, in words for the detail of a problem.
    pub fn check(&self) -> Result<(), String> {
        let n = self.block_out_channels.len();
        if n == 0 || n > 8 || self.down_block_types.len() != n || self.up_block_types.len() != n {
            return Err(format!(
                "{n} channels, {} and {} block types",
                self.down_block_types.len(),
                self.up_block_types.len()
            ));
        }
        let known = |t: &String| {
            matches!(t.as_str(), "CrossAttnDownBlock2D" | "DownBlock2D" | "CrossAttnUpBlock2D" | "UpBlock2D")
        };
        if let Some(other) = self.down_block_types.iter().chain(&self.up_block_types).find(|t| !known(t)) {
            return Err(format!("unknown block type {other}"));
        }
        let sizes = [self.in_channels, self.out_channels, self.cross_attention_dim, self.norm_num_groups];
        let channels = self.block_out_channels.iter();
        if sizes.iter().chain(channels.clone()).any(|&v| v == 0 || v > 1 << 16) || self.layers_per_block > 16 {
            return Err("a size is zero or out of all proportion".into());
        }
        for (block, &channels) in channels.enumerate() {
            match self.attention_head_dim.get(block) {
                Some(heads) if heads > 0 && channels % heads == 0 => {}
                _ => return Err(format!("{channels} channels of block {block} do not split into its heads")),
            }
        }
        Ok(())
    }
}

struct DownBlock {
    resnets: Vec<Resnet>,
    attentions: Vec<SpatialTransformer>,
    downsample: Option<Downsample>,
}

struct UpBlock {
    resnets: Vec<Resnet>,
    attentions: Vec<SpatialTransformer>,
    upsample: Option<Upsample>,
}

/// The network that predicts noise (or v) from a noisy latent, a timestep and a text.
pub struct Unet {
    conv_in: Conv2d,
    time1: Linear,
    time2: Linear,
    down: Vec<DownBlock>,
    mid: (Resnet, SpatialTransformer, Resnet),
    up: Vec<UpBlock>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
    frequencies: usize,
    flip_sin_to_cos: bool,
    freq_shift: f64,
    place: Place,
}

/// What a UNet hears of a text, worked out once a job.
#[derive(Default)]
pub struct Heard {
    /// For each transformer in the order in which they run, for each of its blocks.
    transformers: Vec<Vec<KeysValues>>,
}

/// Features of a run, to be used again by runs at neighbouring noise levels (DeepCache, Ma et al. 2024): what the
/// outermost level gets from below on the way up.
#[derive(Clone, Default)]
pub struct Deep(Option<Feature>);

/// Whether a run is to do with [`Deep`] features.
pub enum Reuse<'a> {
    /// A whole run.
    Off,
    /// A whole run that leaves its features.
    Keep(&'a mut Deep),
    /// Only the outermost level runs, on the features of the last run that left some.
    Take(&'a Deep),
}

impl Unet {
    /// # Errors
    /// [`crate::base::ProblemKind::WeightsMismatch`] for absent or misshapen parameters.
    pub fn load(p: &Params<'_>, config: &UnetConfig) -> Result<Self, Problem> {
        let invalid = |detail: String| {
            Problem::new(crate::base::ProblemKind::ConfigInvalid).with("file", "unet/config.json").detail(detail)
        };
        config.check().map_err(invalid)?;
        let channels = &config.block_out_channels;
        let (Some(&first), Some(&last)) = (channels.first(), channels.last()) else {
            return Err(invalid("no blocks".into()));
        };
        let time = 4 * first;
        let (groups, eps, layers) = (config.norm_num_groups, config.norm_eps, config.layers_per_block);
        let resnet = |p: Params<'_>, input, output| {
            Resnet::load(&p, ResnetShape { input, output, time: Some(time), groups, eps })
        };
        let transformer = |p: Params<'_>, channels: usize, block: usize| {
            let heads = config.attention_head_dim.get(block).unwrap_or(1);
            let linear = config.use_linear_projection;
            let shape =
                TransformerShape { channels, context: config.cross_attention_dim, heads, groups, layers: 1, linear };
            SpatialTransformer::load(&p, shape)
        };

        let mut down = Vec::new();
        let mut input = first;
        for (i, (&output, kind)) in channels.iter().zip(&config.down_block_types).enumerate() {
            let p = p.at(format!("down_blocks.{i}"));
            let mut block = DownBlock { resnets: Vec::new(), attentions: Vec::new(), downsample: None };
            for j in 0..layers {
                block.resnets.push(resnet(p.at(format!("resnets.{j}")), if j == 0 { input } else { output }, output)?);
                if kind.starts_with("CrossAttn") {
                    block.attentions.push(transformer(p.at(format!("attentions.{j}")), output, i)?);
                }
            }
            if i + 1 < channels.len() {
                block.downsample = Some(Downsample::load(&p.at("downsamplers.0"), output, Padding::same(1))?);
            }
            input = output;
            down.push(block);
        }

        let mid = (
            resnet(p.at("mid_block.resnets.0"), last, last)?,
            transformer(p.at("mid_block.attentions.0"), last, channels.len() - 1)?,
            resnet(p.at("mid_block.resnets.1"), last, last)?,
        );

        let mut up = Vec::new();
        let reversed: Vec<usize> = channels.iter().rev().copied().collect();
        let mut previous = last;
        for (i, (&output, kind)) in reversed.iter().zip(&config.up_block_types).enumerate() {
            let p = p.at(format!("up_blocks.{i}"));
            let lower = reversed.get(i + 1).copied().unwrap_or(first);
            let mut block = UpBlock { resnets: Vec::new(), attentions: Vec::new(), upsample: None };
            for j in 0..=layers {
                let skip = if j == layers { lower } else { output };
                let below = if j == 0 { previous } else { output };
                block.resnets.push(resnet(p.at(format!("resnets.{j}")), below + skip, output)?);
                if kind.starts_with("CrossAttn") {
                    block.attentions.push(transformer(
                        p.at(format!("attentions.{j}")),
                        output,
                        channels.len() - 1 - i,
                    )?);
                }
            }
            if i + 1 < channels.len() {
                block.upsample = Some(Upsample::load(&p.at("upsamplers.0"), output)?);
            }
            previous = output;
            up.push(block);
        }

        // What reads the latent and what writes the prediction are small, and their errors are seen whole.
        let exact = p.unquantised();
        Ok(Self {
            conv_in: Conv2d::load_3x3(&exact.at("conv_in"), config.in_channels, first)?,
            time1: Linear::load(&p.full().at("time_embedding.linear_1"), first, time)?,
            time2: Linear::load(&p.full().at("time_embedding.linear_2"), time, time)?,
            down,
            mid,
            up,
            norm_out: GroupNorm::load(&p.at("conv_norm_out"), first, groups, eps)?,
            conv_out: Conv2d::load_3x3(&exact.at("conv_out"), first, config.out_channels)?,
            frequencies: first / 2,
            flip_sin_to_cos: config.flip_sin_to_cos,
            freq_shift: config.freq_shift,
            place: p.place(),
        })
    }

    /// How many times sides must halve evenly.
    pub fn depth(&self) -> usize {
        self.down.len() - 1
    }

    /// Sinusoids of the timestep, one token of 2·frequencies values in f32 (Vaswani et al. 2017, with diffusers' layout).
    fn sinusoids(&self, timestep: f64, x: &Tensor) -> Result<Tensor, Interrupt> {
        let half = self.frequencies;
        let angle = |i: usize| {
            let exponent = -(10_000f32).ln() * i as f32 / (half as f32 - self.freq_shift as f32);
            timestep as f32 * exponent.exp()
        };
        let sin = (0..half).map(|i| angle(i).sin());
        let cos = (0..half).map(|i| angle(i).cos());
        let values: Vec<f32> = if self.flip_sin_to_cos { cos.chain(sin).collect() } else { sin.chain(cos).collect() };
        Ok(Tensor::from_vec(values, (1, 1, 2 * half), x.device())?)
    }

    /// Layers of the way up that still run on kept features: those of the outermost level.
    fn shell(&self) -> usize {
        self.up.last().map_or(0, |block| block.resnets.len())
    }

    fn transformers(&self) -> impl Iterator<Item = &SpatialTransformer> {
        let down = self.down.iter().flat_map(|block| &block.attentions);
        let up = self.up.iter().flat_map(|block| &block.attentions);
        down.chain(std::iter::once(&self.mid.1)).chain(up)
    }

    /// Keys and values of a text [batch, tokens, width] for every place that listens to it.
    pub fn listen(&self, pass: &Pass, text: &Tensor) -> Result<Heard, Interrupt> {
        let text = Feature::from_rows(pass, text, self.place)?;
        let transformers = self.transformers().map(|transformer| transformer.listen(pass, &text));
        Ok(Heard { transformers: transformers.collect::<Result<_, _>>()? })
    }

    /// x [batch, in, h, w] (scaled to unit variance): gives [batch, out, h, w]. `text` is of the same batch.
    /// Sides that do not halve evenly are met by upsampling to the size of the next skip.
    pub fn forward(
        &self,
        pass: &Pass,
        x: &Tensor,
        timestep: f64,
        text: &Heard,
        mut reuse: Reuse<'_>,
    ) -> Result<Tensor, Interrupt> {
        let place = self.place;
        let in_f32 = match place {
            Place::Native(scheme) => Place::Native(Scheme::full(scheme.isa)),
            Place::Plain(_) => Place::Plain(DType::F32),
        };
        let time = Feature::from_rows(pass, &self.sinusoids(timestep, x)?, in_f32)?;
        let time = self.time1.forward(pass, &time, Tail::default())?.activated(pass, Activation::Silu, in_f32)?;
        let time = self.time2.forward(pass, &time, Tail::default())?.activated(pass, Activation::Silu, in_f32)?;
        let mut heard = text.transformers.iter();
        // In the order in which they are listed, whether they run or not.
        let mut hear = |attention: Option<&'_ SpatialTransformer>| match attention {
            Some(_) => heard.next().map(Some).ok_or_else(|| candle_core::Error::Msg("a text for another UNet".into())),
            None => Ok(None),
        };
        let shell = self.shell();
        let most_skips = if matches!(reuse, Reuse::Take(_)) { shell } else { usize::MAX };

        let x = Feature::from_map(pass, x, place)?;
        let mut x = self.conv_in.forward(pass, &x, Tail::default())?;
        let mut skips = vec![x.clone()];
        for block in &self.down {
            for (j, resnet) in block.resnets.iter().enumerate() {
                let attention = block.attentions.get(j);
                let text = hear(attention)?;
                if skips.len() >= most_skips {
                    continue;
                }
                x = resnet.forward(pass, x, Some(&time))?;
                if let (Some(attention), Some(text)) = (attention, text) {
                    x = attention.forward(pass, &x, text)?;
                }
                skips.push(x.clone());
            }
            if let Some(downsample) = block.downsample.as_ref().filter(|_| skips.len() < most_skips) {
                x = downsample.forward(pass, &x)?;
                skips.push(x.clone());
            }
        }

        let text = hear(Some(&self.mid.1))?;
        if let (Some(text), false) = (text, matches!(reuse, Reuse::Take(_))) {
            x = self.mid.0.forward(pass, x, Some(&time))?;
            x = self.mid.1.forward(pass, &x, text)?;
            x = self.mid.2.forward(pass, x, Some(&time))?;
        }

        let mut left = self.up.iter().map(|block| block.resnets.len()).sum::<usize>();
        for block in &self.up {
            for (j, resnet) in block.resnets.iter().enumerate() {
                let attention = block.attentions.get(j);
                let text = hear(attention)?;
                if left == shell {
                    match &mut reuse {
                        Reuse::Off => {}
                        Reuse::Keep(deep) => deep.0 = Some(x.clone()),
                        Reuse::Take(deep) => {
                            let kept = deep.0.clone();
                            x = kept.ok_or_else(|| candle_core::Error::Msg("no features were kept".into()))?;
                        }
                    }
                }
                left -= 1;
                if left >= most_skips {
                    continue;
                }
                let skip =
                    skips.pop().ok_or_else(|| candle_core::Error::Msg("the UNet has more ups than downs".into()))?;
                x = resnet.forward(pass, x.beside(pass, &skip, place)?, Some(&time))?;
                if let (Some(attention), Some(text)) = (attention, text) {
                    x = attention.forward(pass, &x, text)?;
                }
            }
            if let Some(upsample) = block.upsample.as_ref().filter(|_| left < most_skips) {
                x = upsample.forward(pass, &x, skips.last().map(Feature::sides).transpose()?)?;
            }
        }
        let normed = self.norm_out.forward_silu(pass, &x, self.conv_out.wants())?;
        self.conv_out.forward(pass, &normed, Tail::default())?.to_map(pass, place)
    }
}
