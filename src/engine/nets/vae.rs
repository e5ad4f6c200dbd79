//! The autoencoder of Stable Diffusion (diffusers' AutoencoderKL): pictures to latents and back.

use super::layers::{Conv2d, GroupNorm, Linear, Tail};
use super::ops::{self, Feature, Padding, Pass, Place};
use super::params::Params;
use super::resnet::{Downsample, Resnet, ResnetShape, Upsample};
use crate::base::{Problem, ProblemKind};
use crate::engine::interrupt::Interrupt;
use candle_core::Tensor;
use serde::Deserialize;

/// `vae/config.json`, the part that we understand.
#[derive(Clone, Debug, Deserialize)]
pub struct VaeConfig {
    #[serde(default = "three")]
    in_channels: usize,
    #[serde(default = "three")]
    out_channels: usize,
    pub latent_channels: usize,
    block_out_channels: Vec<usize>,
    layers_per_block: usize,
    #[serde(default = "thirty_two")]
    norm_num_groups: usize,
    #[serde(default = "usual_scale")]
    pub scaling_factor: f64,
}

fn three() -> usize {
    3
}

fn thirty_two() -> usize {
    32
}

fn usual_scale() -> f64 {
    0.18215
}

impl VaeConfig {
    /// Picture pixels for one latent pixel, along a side.
    pub fn factor(&self) -> u32 {
        1 << self.block_out_channels.len().saturating_sub(1).min(16)
    }

    fn check(&self) -> Result<(), String> {
        let blocks = self.block_out_channels.len();
        let odd = |v: usize| v == 0 || v > 1 << 14;
        if blocks == 0 || blocks > 8 || self.block_out_channels.iter().any(|&c| odd(c)) {
            return Err(format!("block_out_channels {:?}", self.block_out_channels));
        }
        if self.in_channels != 3 || self.out_channels != 3 || odd(self.latent_channels) || self.layers_per_block > 16 {
            return Err("sizes out of all proportion, or not three colours".into());
        }
        if !self.scaling_factor.is_finite() || self.scaling_factor <= 0.0 {
            return Err(format!("scaling_factor {}", self.scaling_factor));
        }
        Ok(())
    }
}

const EPS: f64 = 1e-6;

/// Self-attention over all pixels with one head. Older files name its parameters query, key, value, proj_attn.
struct PixelAttention {
    norm: GroupNorm,
    qkv: Linear,
    out: Linear,
    place: Place,
}

impl PixelAttention {
    fn load(p: &Params<'_>, channels: usize, groups: usize) -> Result<Self, Problem> {
        let names = if p.has("query.weight") {
            ["query", "key", "value", "proj_attn"]
        } else {
            ["to_q", "to_k", "to_v", "to_out.0"]
        };
        let [q, k, v, out] = names.map(|name| p.at(name));
        Ok(Self {
            norm: GroupNorm::load(&p.at("group_norm"), channels, groups, EPS)?,
            qkv: Linear::load_joined(&[q, k, v], channels, channels, true)?,
            out: Linear::load(&out, channels, channels)?,
            place: p.place(),
        })
    }

    fn forward(&self, pass: &Pass, x: &Feature) -> Result<Feature, Interrupt> {
        let sides = x.sides()?;
        let tokens = self.norm.forward(pass, x, self.qkv.wants())?.into_tokens()?;
        let qkv = self.qkv.forward(pass, &tokens, Tail::default())?;
        let attended = ops::attend_to_each_other(pass, &qkv, 1, None, self.place)?;
        self.out.forward(pass, &attended, Tail::plus(&x.clone().into_tokens()?))?.into_pixels(sides)
    }
}

struct Mid(Resnet, PixelAttention, Resnet);

impl Mid {
    fn load(p: &Params<'_>, channels: usize, groups: usize) -> Result<Self, Problem> {
        let shape = ResnetShape { input: channels, output: channels, time: None, groups, eps: EPS };
        Ok(Self(
            Resnet::load(&p.at("resnets.0"), shape)?,
            PixelAttention::load(&p.at("attentions.0"), channels, groups)?,
            Resnet::load(&p.at("resnets.1"), shape)?,
        ))
    }

    fn forward(&self, pass: &Pass, x: Feature) -> Result<Feature, Interrupt> {
        let x = self.0.forward(pass, x, None)?;
        let x = self.1.forward(pass, &x)?;
        self.2.forward(pass, x, None)
    }
}

/// Residual blocks and a sampler: one size of the encoder or the decoder.
struct Stage<S> {
    resnets: Vec<Resnet>,
    sampler: Option<S>,
}

struct Encoder {
    conv_in: Conv2d,
    stages: Vec<Stage<Downsample>>,
    mid: Mid,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

struct Decoder {
    conv_in: Conv2d,
    mid: Mid,
    stages: Vec<Stage<Upsample>>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

/// Pictures in [-1, 1] to the mean and log variance of a latent, and latents back to pictures. The scaling factor is
/// the caller's.
pub struct Vae {
    encoder: Encoder,
    quant: Conv2d,
    post_quant: Conv2d,
    decoder: Decoder,
    place: Place,
}

impl Vae {
    /// # Errors
    /// [`ProblemKind::ConfigInvalid`], or [`ProblemKind::WeightsMismatch`] for absent or misshapen parameters.
    pub fn load(p: &Params<'_>, config: &VaeConfig) -> Result<Self, Problem> {
        let invalid =
            |detail: String| Problem::new(ProblemKind::ConfigInvalid).with("file", "vae/config.json").detail(detail);
        config.check().map_err(invalid)?;
        let channels = &config.block_out_channels;
        let (Some(&first), Some(&last)) = (channels.first(), channels.last()) else {
            return Err(invalid("no blocks".into()));
        };
        let (groups, z) = (config.norm_num_groups, config.latent_channels);
        let stage = |p: &Params<'_>, input: usize, output: usize, layers: usize| {
            (0..layers)
                .map(|j| {
                    let input = if j == 0 { input } else { output };
                    Resnet::load(
                        &p.at(format!("resnets.{j}")),
                        ResnetShape { input, output, time: None, groups, eps: EPS },
                    )
                })
                .collect::<Result<Vec<_>, _>>()
        };

        let e = p.at("encoder");
        let mut down = Vec::new();
        let mut input = first;
        for (i, &output) in channels.iter().enumerate() {
            let p = e.at(format!("down_blocks.{i}"));
            let sampler = (i + 1 < channels.len())
                .then(|| Downsample::load(&p.at("downsamplers.0"), output, Padding { before: 0, after: 1 }))
                .transpose()?;
            down.push(Stage { resnets: stage(&p, input, output, config.layers_per_block)?, sampler });
            input = output;
        }
        let encoder = Encoder {
            conv_in: Conv2d::load_3x3(&e.at("conv_in"), 3, first)?,
            stages: down,
            mid: Mid::load(&e.at("mid_block"), last, groups)?,
            norm_out: GroupNorm::load(&e.at("conv_norm_out"), last, groups, EPS)?,
            conv_out: Conv2d::load_3x3(&e.at("conv_out"), last, 2 * z)?,
        };

        let d = p.at("decoder");
        let mut up = Vec::new();
        let mut input = last;
        for (i, &output) in channels.iter().rev().enumerate() {
            let p = d.at(format!("up_blocks.{i}"));
            let sampler =
                (i + 1 < channels.len()).then(|| Upsample::load(&p.at("upsamplers.0"), output)).transpose()?;
            up.push(Stage { resnets: stage(&p, input, output, config.layers_per_block + 1)?, sampler });
            input = output;
        }
        let decoder = Decoder {
            conv_in: Conv2d::load_3x3(&d.at("conv_in"), z, last)?,
            mid: Mid::load(&d.at("mid_block"), last, groups)?,
            stages: up,
            norm_out: GroupNorm::load(&d.at("conv_norm_out"), first, groups, EPS)?,
            conv_out: Conv2d::load_3x3(&d.at("conv_out"), first, 3)?,
        };
        Ok(Self {
            encoder,
            quant: Conv2d::load_1x1(&p.at("quant_conv"), 2 * z, 2 * z)?,
            post_quant: Conv2d::load_1x1(&p.at("post_quant_conv"), z, z)?,
            decoder,
            place: p.place(),
        })
    }

    /// x [batch, 3, h, w] in [-1, 1]: mean and log variance (within -30 to 20), each [batch, z, h/f, w/f], in f32.
    pub fn encode(&self, pass: &Pass, x: &Tensor) -> Result<(Tensor, Tensor), Interrupt> {
        let mut x = Feature::from_map(pass, x, self.place)?;
        x = self.encoder.conv_in.forward(pass, &x, Tail::default())?;
        for stage in &self.encoder.stages {
            for resnet in &stage.resnets {
                x = resnet.forward(pass, x, None)?;
            }
            if let Some(downsample) = &stage.sampler {
                // What served the larger maps is of no use for the smaller ones.
                pass.pool.trim();
                x = downsample.forward(pass, &x)?;
            }
        }
        x = self.encoder.mid.forward(pass, x)?;
        x = self.encoder.conv_out.forward_normed(pass, &self.encoder.norm_out, &x, None, None)?;
        let moments = self.quant.forward(pass, &x, Tail::default())?.to_map(pass, self.place)?;
        let z = moments.dim(1)? / 2;
        Ok((moments.narrow(1, 0, z)?.contiguous()?, moments.narrow(1, z, z)?.clamp(-30.0, 20.0)?))
    }

    /// z [batch, z, h, w] (unscaled): a picture [batch, 3, f·h, f·w], in [-1, 1] but for overshoot, in f32.
    pub fn decode(&self, pass: &Pass, z: &Tensor) -> Result<Tensor, Interrupt> {
        let z = Feature::from_map(pass, z, self.place)?;
        let z = self.post_quant.forward(pass, &z, Tail::default())?;
        let mut x = self.decoder.conv_in.forward(pass, &z, Tail::default())?;
        x = self.decoder.mid.forward(pass, x)?;
        for stage in &self.decoder.stages {
            for resnet in &stage.resnets {
                x = resnet.forward(pass, x, None)?;
            }
            if let Some(upsample) = &stage.sampler {
                x = upsample.forward(pass, &x, None)?;
                // What served the smaller maps is of no use for the larger ones.
                pass.pool.trim();
            }
        }
        x = self.decoder.conv_out.forward_normed(pass, &self.decoder.norm_out, &x, None, None)?;
        x.to_map(pass, self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels::Isa;
    use crate::engine::nets::native::Scheme;
    use crate::engine::weights::{Weights, scheme};
    use crate::recipe::{Cancel, Precision};
    use candle_core::Device;

    fn vae(scheme: Scheme) -> Vae {
        let config = r#"{ "latent_channels": 4, "block_out_channels": [32, 64, 64], "layers_per_block": 1 }"#;
        let weights = Weights::drawn(Device::Cpu, Place::Native(scheme), Cancel::new());
        Vae::load(&Params::root(&weights), &serde_json::from_str(config).unwrap()).unwrap()
    }

    fn tensor(shape: (usize, usize, usize, usize)) -> Tensor {
        let (batch, channels, height, width) = shape;
        let wave = (0..batch * channels * height * width).map(|i| (i as f32 * 0.71).sin() * 1.4);
        Tensor::from_vec(wave.collect::<Vec<_>>(), shape, &Device::Cpu).unwrap()
    }

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// With little memory the same pictures and latents come out as with much.
    #[test]
    fn bands_change_no_picture_and_no_latent() {
        for isa in Isa::available() {
            let mut schemes = vec![Scheme::full(isa), scheme(Precision::Bf16, isa)];
            schemes.dedup();
            for scheme in schemes {
                let vae = vae(scheme);
                for (batch, height, width) in [(1, 5, 3), (2, 4, 7), (1, 1, 1), (1, 9, 2)] {
                    let whole = Pass { at_once: usize::MAX, ..Pass::default() };
                    let z = tensor((batch, 4, height, width));
                    let picture = vae.decode(&whole, &z).unwrap();
                    assert_eq!(picture.dims(), [batch, 3, 4 * height, 4 * width]);
                    let (mean, spread) = vae.encode(&whole, &picture).unwrap();
                    assert!(
                        values(&picture).iter().any(|v| v.abs() > 0.1) && values(&mean).iter().all(|v| v.is_finite())
                    );
                    for at_once in [1, 4000] {
                        let bands = Pass { at_once, ..Pass::default() };
                        assert_eq!(values(&vae.decode(&bands, &z).unwrap()), values(&picture), "{scheme:?} {height}");
                        let (m, s) = vae.encode(&bands, &picture).unwrap();
                        assert_eq!((values(&m), values(&s)), (values(&mean), values(&spread)), "{scheme:?} {height}");
                    }
                }
            }
        }
    }

    /// At most the input and the result of the widest convolution are there at once, for which the job is asked whether
    /// it fits.
    #[test]
    fn memory_is_that_of_two_maps() {
        let vae = vae(Scheme::full(Isa::best()));
        let pass = Pass { at_once: 1 << 16, ..Pass::default() };
        let side = 48;
        let picture = vae.decode(&pass, &tensor((1, 4, side, side))).unwrap();
        let values = |pass: &Pass| pass.pool.had.lock().unwrap().1 as f64 / 4.0 / (4.0 * side as f64).powi(2);
        // 64 channels in, 32 out.
        assert!((96.0..96.0 * 1.2).contains(&values(&pass)), "{}", values(&pass));
        let pass = Pass { at_once: 1 << 16, ..Pass::default() };
        vae.encode(&pass, &picture).unwrap();
        // 32 in, 32 out, and what came in.
        assert!((64.0..64.0 * 1.2).contains(&values(&pass)), "{}", values(&pass));
    }

    /// A picture whose sides are no multiples of the factor, too.
    #[test]
    fn odd_pictures_are_encoded_alike() {
        let vae = vae(Scheme::full(Isa::best()));
        for (height, width) in [(13, 22), (7, 5)] {
            let picture = tensor((1, 3, height, width));
            let [whole, bands] =
                [usize::MAX, 1].map(|at_once| vae.encode(&Pass { at_once, ..Pass::default() }, &picture).unwrap().0);
            assert_eq!(values(&whole), values(&bands));
        }
    }
}
