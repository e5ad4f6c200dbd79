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
use crate::engine::nets::bert::{Bert, BertConfig};
use crate::engine::nets::ops::Pass;
use crate::engine::nets::unet::{Heard, Reuse, UnetConfig};
use crate::engine::nets::vae::VaeConfig;
use crate::engine::schedules::NoiseTable;
use crate::engine::tokenizer::{BertTokenizer, Tokens};
use crate::engine::weights::Loader;
use crate::recipe::{Abilities, FamilyInfo, TextOptions, prompt};
use candle_core::Tensor;
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
    let weights = loader.open(folder, "text_encoder")?;
    let root = Params::root(&weights);
    // Some files were saved from a larger model and keep its prefix.
    let root = if root.has("bert.embeddings.word_embeddings.weight") { root.at("bert") } else { root };
    let bert = Bert::load(&root, &text_config)?;
    let most_tokens = text_config.max_position_embeddings;
    drop(weights);
    Ok(Box::new(Taiyi { info, tokenizer, bert, most_tokens, core: Core::load(folder, loader)? }))
}

struct Taiyi {
    info: FamilyInfo,
    tokenizer: BertTokenizer,
    bert: Bert,
    most_tokens: usize,
    core: Core,
}

impl Taiyi {
    /// What BERT says to the tokens, whatever their weights.
    fn states(&self, pass: &Pass, tokens: &Tokens, options: TextOptions) -> Result<Tensor, Interrupt> {
        let hidden: Option<Vec<bool>> =
            options.attention_mask.then(|| (0..tokens.ids.len()).map(|i| i >= tokens.used).collect());
        self.bert.forward(pass, &tokens.ids, hidden.as_deref())
    }
}

impl Model for Taiyi {
    fn info(&self) -> &FamilyInfo {
        &self.info
    }

    fn noise(&self) -> &Arc<NoiseTable> {
        &self.core.noise
    }

    fn encode_text(&self, pass: &Pass, text: &str, options: TextOptions) -> Result<Tensor, Interrupt> {
        let length = options.length.unwrap_or(self.info.tokens).clamp(3, self.most_tokens.max(3));
        let tokens = self.tokenizer.encode(&prompt::spans(text), length)?;
        if tokens.truncated {
            tracing::warn!(length, "the prompt is longer than the model reads; its end is not heard");
        }
        let states = self.states(pass, &tokens, options)?;
        if tokens.weights.iter().all(|weight| *weight == 1.0) {
            return Ok(states);
        }
        let empty = self.states(pass, &self.tokenizer.encode(&[], length)?, options)?;
        emphasised(&states, &empty, &tokens.weights)
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
