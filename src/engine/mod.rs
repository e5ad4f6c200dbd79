//! The only floor that knows candle: networks, samplers, and [`CandleGenerator`] behind the port of
//! [`crate::recipe::generator`].

pub mod bench;
pub mod denoiser;
pub mod device;
pub mod emphasis;
pub mod families;
pub mod interrupt;
pub mod kernels;
pub mod memory;
pub mod nets;
pub mod noise;
pub mod pipeline;
pub mod preview;
pub mod rhythm;
pub mod samplers;
pub mod schedules;
pub mod texts;
pub mod tokenizer;
pub mod weights;

use crate::base::files::write_atomically;
use crate::base::{Problem, ProblemKind};
use crate::recipe::{Cancel, DeviceChoice, FamilyInfo, Generator, Output, Phase, Precision, Progress, Recipe, check};
use candle_core::{Device, Tensor};
use device::{Devices, Opened};
use families::Model;
use families::advice::Advice;
use interrupt::Interrupt;
use nets::ops::{Pass, with_values};
use preview::LinearPreview;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::{Instant, UNIX_EPOCH};
use texts::Texts;
use weights::Loader;

/// Where the engine finds and keeps things.
#[derive(Clone, Debug)]
pub struct EngineFolders {
    /// Folders that hold named models, in the order in which they are searched.
    pub models: Vec<PathBuf>,
    /// Converted pickles and fitted previews; may be deleted at any time.
    pub cache: PathBuf,
}

impl EngineFolders {
    /// The folder of a model given by name or path.
    ///
    /// # Errors
    /// [`ProblemKind::ModelMissing`].
    pub fn resolve(&self, model: &Path) -> Result<PathBuf, Problem> {
        let named = self.models.iter().map(|folder| folder.join(model));
        let found =
            std::iter::once(model.to_path_buf()).chain(named).find(|path| path.join("model_index.json").is_file());
        found.ok_or_else(|| Problem::new(ProblemKind::ModelMissing).with("model", model.display()).at(model))
    }

    /// What a model is like, from its configs alone.
    ///
    /// # Errors
    /// That it is not there, or not understood.
    pub fn family(&self, model: &Path) -> Result<FamilyInfo, Problem> {
        let (folder, family) = families::detect(&self.resolve(model)?)?;
        (family.info)(&folder)
    }
}

/// The name of a model for people: what its makers say, else its folder's name.
pub fn title(model: &Path) -> String {
    let name =
        || model.file_name().map_or_else(|| model.display().to_string(), |name| name.to_string_lossy().into_owned());
    Advice::of(model).title.unwrap_or_else(name)
}

struct Loaded {
    path: PathBuf,
    precision: Precision,
    /// Where it lies.
    device: Device,
    model: Box<dyn Model>,
    preview: LinearPreview,
    texts: Texts,
}

/// Paints with candle. Keeps the last model loaded.
pub struct CandleGenerator {
    devices: Devices,
    easel: Easel,
}

/// Where it is painted, whatever the device.
struct Easel {
    folders: EngineFolders,
    loaded: Option<Loaded>,
}

impl CandleGenerator {
    /// On the first graphics card that works, else on the processor, unless [`Generator::use_device`] says otherwise.
    pub fn new(folders: EngineFolders) -> Self {
        Self { devices: Devices::default(), easel: Easel { folders, loaded: None } }
    }
}

impl Easel {
    fn load(&mut self, recipe: &Recipe, device: &Device, progress: &mut dyn Progress) -> Result<&mut Loaded, Problem> {
        let path = self.folders.resolve(&recipe.model)?;
        let fits = |l: &Loaded| l.path == path && l.precision == recipe.precision && l.device.same_device(device);
        if !self.loaded.as_ref().is_some_and(fits) {
            // Two models at once are twice the memory.
            self.loaded = None;
            let (folder, family) = families::detect(&path)?;
            check::check(recipe, &(family.info)(&folder)?)?;
            if device.is_cpu() {
                memory::check_model(&folder, recipe.precision)?;
            }
            let cancel = progress.cancel();
            let mut report = |phase| progress.phase(phase);
            let mut loader = Loader {
                device: device.clone(),
                precision: recipe.precision,
                by_candle: false,
                cache: &self.folders.cache,
                cancel: cancel.clone(),
                report: &mut report,
            };
            let model = (family.load)(&folder, &mut loader)?;
            let preview = fitted_preview(model.as_ref(), &path, &self.folders.cache, device, &cancel)?;
            let (precision, device, texts) = (recipe.precision, device.clone(), Texts::default());
            self.loaded = Some(Loaded { path, precision, device, model, preview, texts });
        }
        self.loaded.as_mut().ok_or_else(|| Problem::new(ProblemKind::Internal))
    }

    fn paint(&mut self, recipe: &Recipe, opened: &Opened, progress: &mut dyn Progress) -> Result<Output, Problem> {
        let device = &opened.device;
        let began = Instant::now();
        let _ = progress.phase(Phase::Loading { fraction: 0.0 });
        let loaded = self.load(recipe, device, progress)?;
        let load_s = began.elapsed().as_secs_f64();
        check::check(recipe, loaded.model.info())?;
        if device.is_cpu() {
            memory::check_picture(recipe)?;
        }
        let Loaded { model, preview, texts, .. } = loaded;
        let mut output = pipeline::paint(model.as_ref(), preview, texts, device, recipe, progress)?;
        output.timings.load_s = load_s;
        output.timings.threads = rayon::current_num_threads();
        output.timings.precision = weights::effective(recipe.precision, device).name();
        output.timings.device = opened.id;
        Ok(output)
    }
}

impl Generator for CandleGenerator {
    fn generate(&mut self, recipe: &Recipe, progress: &mut dyn Progress) -> Result<Output, Problem> {
        let easel = &mut self.easel;
        self.devices.run(progress, &mut |opened, progress| easel.paint(recipe, opened, progress))
    }

    fn use_device(&mut self, device: DeviceChoice) {
        self.devices.choose(device);
    }
}

/// The preview fitted to the model's VAE: from the cache, or by encoding test pictures (once in the model's life).
fn fitted_preview(
    model: &dyn Model,
    path: &Path,
    cache: &Path,
    device: &Device,
    cancel: &Cancel,
) -> Result<LinearPreview, Problem> {
    let file = cache.join(preview_key(path));
    let kept = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<LinearPreview>(&bytes).ok());
    if let Some(preview) = kept.filter(|p| p.matrix.len() == model.info().latent_channels) {
        return Ok(preview);
    }
    let preview = fit_preview(model, device, cancel)?;
    // Without a cache the fit is made again next time; that is no reason not to paint.
    if let Err(problem) = std::fs::create_dir_all(cache)
        .map_err(|e| Problem::new(ProblemKind::Unwritable).detail(e))
        .and_then(|()| write_atomically(&file, |w| serde_json::to_writer(w, &preview).map_err(std::io::Error::other)))
    {
        tracing::warn!(%problem, "the preview's factors are not kept");
    }
    Ok(preview)
}

/// A name for the model's VAE as it is on the disk now.
fn preview_key(path: &Path) -> String {
    let mut hash = Sha256::new();
    hash.update(b"preview 1");
    hash.update(path.to_string_lossy().as_bytes());
    let mut files: Vec<_> = std::fs::read_dir(path.join("vae")).into_iter().flatten().flatten().collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    for file in files {
        hash.update(file.file_name().to_string_lossy().as_bytes());
        if let Ok(meta) = file.metadata() {
            let age = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
            hash.update(meta.len().to_le_bytes());
            hash.update(age.as_nanos().to_le_bytes());
        }
    }
    let digest: String = hash.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect();
    format!("preview-{digest}.json")
}

fn fit_preview(model: &dyn Model, device: &Device, cancel: &Cancel) -> Result<LinearPreview, Problem> {
    let info = model.info();
    let (factor, channels) = (info.factor as usize, info.latent_channels);
    let cells = 16;
    let side = cells * factor;
    let pass = Pass::new(cancel.clone());
    let (mut latents, mut colours) = (Vec::new(), Vec::new());
    for planes in preview::test_pictures(side) {
        let picture = Tensor::from_vec(planes.clone(), (1, 3, side, side), device).map_err(Interrupt::from)?;
        let (mean, _) = model.encode_picture(&pass, &picture)?;
        let mean = with_values(&mean, <[f32]>::to_vec).map_err(Interrupt::from)?;
        for cell in 0..cells * cells {
            latents.extend((0..channels).map(|c| mean.get(c * cells * cells + cell).copied().unwrap_or(0.0)));
            colours.push(mean_colour(&planes, side, factor, cell / cells, cell % cells));
        }
    }
    Ok(LinearPreview::fit(channels, &latents, &colours))
}

/// The mean RGB of the square of `factor` pixels at row `i`, column `j`.
fn mean_colour(planes: &[f32], side: usize, factor: usize, i: usize, j: usize) -> [f32; 3] {
    let mut colour = [0.0; 3];
    for (sum, plane) in colour.iter_mut().zip(planes.chunks_exact(side * side)) {
        for row in plane.chunks_exact(side).skip(i * factor).take(factor) {
            *sum += row.iter().skip(j * factor).take(factor).sum::<f32>();
        }
        *sum /= (factor * factor) as f32;
    }
    colour
}
