//! Taiyi (太乙): Stable Diffusion 1.x that listens to a Chinese BERT. 小徒 is of the same make.
//!
//! As diffusers runs it: the prompt is padded to the tokenizer's length (512 for Taiyi) and BERT looks at the padding,
//! too. Both can be switched off in [`TextOptions`]. Weights in the prompt are this program's addition: diffusers reads
//! their brackets like words.

use super::advice::Advice;
use super::sd::{Core, config};
use super::{Family, Model};
use crate::base::{Extent, Problem, ProblemKind};
use crate::catalog::ModelFolder;
use crate::engine::emphasis::emphasised;
use crate::engine::interrupt::Interrupt;
use crate::engine::nets::Params;
use crate::engine::nets::bert::{self, Bert, BertConfig, Ids};
use crate::engine::nets::ops::{Pass, Place};
use crate::engine::nets::unet::{Heard, Reuse, UnetConfig};
use crate::engine::nets::vae::VaeConfig;
use crate::engine::schedules::NoiseTable;
use crate::engine::tokenizer::{BertTokenizer, Tokens};
use crate::engine::weights::{Loader, Stored, Weights};
use crate::recipe::{Abilities, FamilyInfo, TextOptions, prompt};
use candle_core::Tensor;
use std::ops::ControlFlow;
use std::sync::Arc;

pub const FAMILY: Family = Family { key: "taiyi", detect, info, load };

/// A BERT beside a UNet that listens to vectors of its width.
fn detect(folder: &ModelFolder) -> bool {
    let is_bert = folder.component("text_encoder").is_ok_and(|text| text.class == "BertModel");
    is_bert && folder.component("unet").is_ok() && folder.component("vae").is_ok()
}

/// Tokens of a prompt where the tokenizer's config does not say: Taiyi's own length.
const USUAL_TOKENS: usize = 512;

fn tokens(folder: &ModelFolder, config: &BertConfig) -> usize {
    let own = folder.tokenizer.as_ref().and_then(|t| t.longest());
    own.unwrap_or(USUAL_TOKENS).clamp(3, config.max_position_embeddings.max(3))
}

fn info(folder: &ModelFolder) -> Result<FamilyInfo, Problem> {
    let unet: UnetConfig = config(folder, "unet")?;
    let vae: VaeConfig = config(folder, "vae")?;
    let text: BertConfig = config(folder, "text_encoder")?;
    let factor = vae.factor();
    let side = unet.sample_size.and_then(|s| u32::try_from(s).ok()).unwrap_or(64).clamp(8, 512) * factor;
    Ok(FamilyInfo {
        key: FAMILY.key,
        title: "太乙 Taiyi",
        native: Extent::new(side, side),
        factor,
        latent_channels: vae.latent_channels,
        most_area: 2048 * 2048,
        guidance: Advice::of(&folder.path).guidance.unwrap_or(7.5),
        tokens: tokens(folder, &text),
        abilities: Abilities {
            negative_prompt: true,
            image_to_image: true,
            inpaint: unet.in_channels == vae.latent_channels,
        },
    })
}

fn load(folder: &ModelFolder, loader: &mut Loader<'_>) -> Result<Box<dyn Model>, Problem> {
    let info = info(folder)?;
    let text_config: BertConfig = config(folder, "text_encoder")?;
    let unet_config: UnetConfig = config(folder, "unet")?;
    if unet_config.cross_attention_dim != text_config.hidden_size || unet_config.in_channels != info.latent_channels {
        let detail = format!(
            "the UNet listens to {} values and takes {} channels; the text encoder gives {}, the VAE {}",
            unet_config.cross_attention_dim, unet_config.in_channels, text_config.hidden_size, info.latent_channels
        );
        return Err(Problem::new(ProblemKind::ConfigInvalid).at(&folder.path).detail(detail));
    }
    let missing = || Problem::new(ProblemKind::WeightsMissing).at(folder.path.join("tokenizer").join("vocab.txt"));
    let vocabulary = folder.tokenizer.as_ref().ok_or_else(missing)?.vocabulary()?;
    let tokenizer = BertTokenizer::from_file(&vocabulary)?;
    if tokenizer.size() > text_config.vocab_size {
        let detail = format!("{} entries, but embeddings for {}", tokenizer.size(), text_config.vocab_size);
        return Err(Problem::new(ProblemKind::VocabularyInvalid).at(vocabulary).detail(detail));
    }
    let most_tokens = text_config.max_position_embeddings;
    let encoder = TextEncoder::load(folder, loader, text_config)?;
    Ok(Box::new(Taiyi { info, tokenizer, encoder, most_tokens, core: Core::load(folder, loader)? }))
}

/// BERT where it is at hand.
enum TextEncoder {
    /// In the memory of a graphics card.
    Loaded(Bert),
    /// On the disk. It is a quarter of the model's size in memory and needed for a moment only, and to read it takes no
    /// longer than a step or less.
    Stored { file: Stored, config: BertConfig },
}

impl TextEncoder {
    fn load(folder: &ModelFolder, loader: &mut Loader<'_>, config: BertConfig) -> Result<Self, Problem> {
        let weights = loader.open(folder, "text_encoder")?;
        let root = Self::root(&weights);
        if let Place::Plain(_) = root.place() {
            return Ok(Self::Loaded(Bert::load(&root, &config)?));
        }
        bert::check(&root, &config)?;
        Ok(Self::Stored { file: loader.stored(folder, "text_encoder")?, config })
    }

    /// Some files were saved from a larger model and keep its prefix.
    fn root(weights: &Weights) -> Params<'_> {
        let root = Params::root(weights);
        if root.has("bert.embeddings.word_embeddings.weight") { root.at("bert") } else { root }
    }

    fn encode(&self, pass: &Pass, texts: &[Ids<'_>]) -> Result<Vec<Tensor>, Interrupt> {
        match self {
            Self::Loaded(bert) => texts.iter().map(|text| bert.forward(pass, *text)).collect(),
            Self::Stored { file, config } => {
                let weights = file.open(&pass.cancel, &mut |_| ControlFlow::Continue(()))?;
                bert::read(&Self::root(&weights), config, pass, texts)
            }
        }
    }
}

struct Taiyi {
    info: FamilyInfo,
    tokenizer: BertTokenizer,
    encoder: TextEncoder,
    most_tokens: usize,
    core: Core,
}

impl Model for Taiyi {
    fn info(&self) -> &FamilyInfo {
        &self.info
    }

    fn noise(&self) -> &Arc<NoiseTable> {
        &self.core.noise
    }

    fn encode_texts(&self, pass: &Pass, texts: &[&str], options: TextOptions) -> Result<Vec<Tensor>, Interrupt> {
        let length = options.length.unwrap_or(self.info.tokens).clamp(3, self.most_tokens.max(3));
        let mut tokens = Vec::new();
        for text in texts {
            tokens.push(self.tokenizer.encode(&prompt::spans(text), length)?);
        }
        if tokens.iter().any(|tokens| tokens.truncated) {
            tracing::warn!(length, "the prompt is longer than the model reads; its end is not heard");
        }
        let even = |tokens: &Tokens| tokens.weights.iter().all(|weight| *weight == 1.0);
        if !tokens.iter().all(even) {
            tokens.push(self.tokenizer.encode(&[], length)?);
        }
        let hide = |tokens: &Tokens| (0..tokens.ids.len()).map(|i| i >= tokens.used).collect::<Vec<_>>();
        let hidden: Vec<_> = tokens.iter().map(|tokens| options.attention_mask.then(|| hide(tokens))).collect();
        let ids = tokens.iter().zip(&hidden);
        let ids: Vec<_> = ids.map(|(tokens, hidden)| Ids { ids: &tokens.ids, hidden: hidden.as_deref() }).collect();
        // What BERT says to the tokens, whatever their weights.
        let states = self.encoder.encode(pass, &ids)?;
        let Some(last) = states.last() else { return Ok(Vec::new()) };
        let texts = tokens.iter().zip(&states).take(texts.len());
        let weighted = |(tokens, states): (&Tokens, &Tensor)| match even(tokens) {
            true => Ok(states.clone()),
            // The empty text went last.
            false => emphasised(states, last, &tokens.weights),
        };
        texts.map(weighted).collect()
    }

    fn listen(&self, pass: &Pass, texts: &Tensor) -> Result<Heard, Interrupt> {
        self.core.listen(pass, texts)
    }

    fn predict(
        &self,
        pass: &Pass,
        x: &Tensor,
        timestep: f64,
        texts: &Heard,
        reuse: Reuse<'_>,
    ) -> Result<Tensor, Interrupt> {
        self.core.predict(pass, x, timestep, texts, reuse)
    }

    fn encode_picture(&self, pass: &Pass, picture: &Tensor) -> Result<(Tensor, Tensor), Interrupt> {
        self.core.encode(pass, picture)
    }

    fn decode(&self, pass: &Pass, latent: &Tensor) -> Result<Tensor, Interrupt> {
        self.core.decode(pass, latent)
    }
}
