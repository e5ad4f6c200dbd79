//! What the families of Stable Diffusion 1.x share: UNet, autoencoder and noise, whatever the text encoder is.

use crate::base::{Problem, ProblemKind};
use crate::catalog::ModelFolder;
use crate::engine::interrupt::Interrupt;
use crate::engine::nets::Params;
use crate::engine::nets::ops::Pass;
use crate::engine::nets::unet::{Heard, Reuse, Unet, UnetConfig};
use crate::engine::nets::vae::{Vae, VaeConfig};
use crate::engine::schedules::NoiseTable;
use crate::engine::weights::Loader;
use candle_core::Tensor;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Reads a component's config into its struct.
///
/// # Errors
/// [`ProblemKind::ConfigInvalid`] naming the file.
pub fn config<T: DeserializeOwned>(folder: &ModelFolder, component: &str) -> Result<T, Problem> {
    let component = folder.component(component)?;
    let path = component.folder.join("config.json");
    serde_json::from_value(component.config.clone())
        .map_err(|e| Problem::new(ProblemKind::ConfigInvalid).at(path).detail(e))
}

/// UNet, autoencoder and noise table.
pub struct Core {
    unet: Unet,
    vae: Vae,
    scaling: f64,
    pub noise: Arc<NoiseTable>,
}

impl Core {
    pub fn load(folder: &ModelFolder, loader: &mut Loader<'_>) -> Result<Self, Problem> {
        let missing = || Problem::new(ProblemKind::ConfigInvalid).at(folder.path.join("scheduler"));
        let noise = NoiseTable::from_config(folder.scheduler.as_ref().ok_or_else(missing)?)?;
        let unet_config: UnetConfig = config(folder, "unet")?;
        let vae_config: VaeConfig = config(folder, "vae")?;
        let unet = Unet::load(&Params::root(&loader.open(folder, "unet")?), &unet_config)?;
        let vae = Vae::load(&Params::root(&loader.open(folder, "vae")?), &vae_config)?;
        Ok(Self { unet, vae, scaling: vae_config.scaling_factor, noise: Arc::new(noise) })
    }

    pub fn listen(&self, pass: &Pass, texts: &Tensor) -> Result<Heard, Interrupt> {
        self.unet.listen(pass, texts)
    }

    pub fn predict(
        &self,
        pass: &Pass,
        x: &Tensor,
        timestep: f64,
        texts: &Heard,
        reuse: Reuse<'_>,
    ) -> Result<Tensor, Interrupt> {
        self.unet.forward(pass, x, timestep, texts, reuse)
    }

    pub fn encode(&self, pass: &Pass, picture: &Tensor) -> Result<(Tensor, Tensor), Interrupt> {
        let (mean, log_variance) = self.vae.encode(pass, picture)?;
        let deviation = (log_variance * 0.5)?.exp()?;
        Ok(((mean * self.scaling)?, (deviation * self.scaling)?))
    }

    pub fn decode(&self, pass: &Pass, latent: &Tensor) -> Result<Tensor, Interrupt> {
        self.vae.decode(pass, &(latent * (1.0 / self.scaling))?)
    }
}
