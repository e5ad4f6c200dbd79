//! A recipe to pictures, whatever the family: text-to-image, image-to-image and repainting are one path.

use super::denoiser::{Conditioning, Denoiser, Repaint, is_guided};
use super::families::Model;
use super::interrupt::Interrupt;
use super::nets::ops::{Pass, with_values};
use super::noise::{NoiseStream, stream};
use super::preview::LinearPreview;
use super::rhythm::Rhythm;
use super::samplers::{self, Run};
use super::schedules;
use super::texts::Texts;
use crate::base::{Extent, Problem, ProblemKind};
use crate::imaging::{Mask, Pixmap, blend};
use crate::recipe::{Inpaint, Latent, Output, Phase, Progress, Recipe, Source, Step};
use candle_core::{Device, Tensor};
use std::ops::ControlFlow;
use std::time::Instant;

/// Paints with a loaded model. The recipe has been checked. `texts`: what this model encoded before.
///
/// # Errors
/// [`ProblemKind::Cancelled`], [`ProblemKind::NotANumber`], [`ProblemKind::OutOfMemory`], or what a library said.
pub fn paint(
    model: &dyn Model,
    preview: &LinearPreview,
    texts: &mut Texts,
    device: &Device,
    recipe: &Recipe,
    progress: &mut dyn Progress,
) -> Result<Output, Problem> {
    let pass = Pass::new(progress.cancel());
    let mut output = Output::default();
    let latents = latents(model, preview, texts, (&pass, device), recipe, progress, &mut output)?;
    let began = Instant::now();
    pass.pool.trim();
    proceed(progress.phase(Phase::Decoding))?;
    for i in 0..latents.dim(0).map_err(Interrupt::from)? {
        let one = latents.narrow(0, i, 1).map_err(Interrupt::from)?;
        let picture = to_pixmap(&model.decode(&pass, &one)?, recipe.size)?;
        output.pictures.push(paste_back(recipe, picture)?);
    }
    output.timings.decode_s = began.elapsed().as_secs_f64();
    Ok(output)
}

/// The first part of [`paint`]: the latents [batch, channels, h, w] that are to be decoded. The trace and the times up to
/// there go to `output`.
///
/// # Errors
/// As [`paint`].
pub fn latents(
    model: &dyn Model,
    preview: &LinearPreview,
    texts: &mut Texts,
    (pass, device): (&Pass, &Device),
    recipe: &Recipe,
    progress: &mut dyn Progress,
    output: &mut Output,
) -> Result<Tensor, Problem> {
    let began = Instant::now();
    proceed(progress.phase(Phase::Encoding))?;
    let mut start = Start::new(model, pass, device, recipe)?;
    let sigmas = start.schedule.sigmas().split_last().map_or(&[][..], |(_, points)| points);
    let guided = sigmas.iter().any(|sigma| is_guided(&recipe.sampling, *sigma));
    let prompts = [&*recipe.prompt, &*recipe.negative];
    let prompts = if guided { &prompts[..] } else { &prompts[..1] };
    let encoded = texts.get(prompts, recipe.text, |unknown| model.encode_texts(pass, unknown, recipe.text))?;
    let text = encoded.first().ok_or_else(|| Problem::new(ProblemKind::Internal))?;
    let conditioning = Conditioning::new(model, pass, (text, encoded.get(1)), &recipe.sampling, sigmas)?;
    output.timings.encode_s = began.elapsed().as_secs_f64();

    proceed(progress.phase(Phase::Sampling))?;
    Ok(sample(model, preview, pass, recipe, &conditioning, &mut start, progress, output)?)
}

fn proceed(flow: ControlFlow<crate::recipe::Stop>) -> Result<(), Interrupt> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(_) => Err(Interrupt::Cancelled),
    }
}

/// Where the sampling begins.
struct Start {
    schedule: schedules::Schedule,
    /// [batch, channels, h, w] at the schedule's first sigma.
    x: Tensor,
    repaint: Option<Repaint>,
    /// One stream a picture; fresh noise of a sampler comes from the same streams.
    streams: Vec<Box<dyn NoiseStream + Send>>,
}

impl Start {
    fn new(model: &dyn Model, pass: &Pass, device: &Device, recipe: &Recipe) -> Result<Self, Interrupt> {
        let info = model.info();
        let (height, width) = ((recipe.size.height / info.factor) as usize, (recipe.size.width / info.factor) as usize);
        let shape = [recipe.batch as usize, info.latent_channels, height, width];
        let steps = recipe.sampling.steps as usize;
        let schedule = schedules::sigmas(model.noise(), recipe.sampling.schedule, recipe.sampling.sampler, steps);
        let mut streams: Vec<_> =
            (0..recipe.batch).map(|k| stream(recipe.noise, recipe.seed.wrapping_add(u64::from(k)))).collect();

        let Source::Picture { picture, strength } = &recipe.source else {
            let x = (draw(&mut streams, shape, device)? * schedule.noise_scale())?;
            return Ok(Self { schedule, x, repaint: None, streams });
        };
        let schedule = schedule.start_at(*strength);
        let (mean, deviation) = model.encode_picture(pass, &from_pixmap(picture, device)?)?;
        // diffusers draws the latent from the encoder's distribution before it draws the start noise.
        let sampled = draw(&mut streams, shape, device)?;
        let original = (sampled.broadcast_mul(&deviation)?.broadcast_add(&mean))?;
        let noise = draw(&mut streams, shape, device)?;
        let x = (&original + (&noise * schedule.first_sigma())?)?;
        let Some(inpaint) = &recipe.inpaint else {
            return Ok(Self { schedule, x, repaint: None, streams });
        };
        // diffusers encodes the masked picture, too, though a network of four channels never sees it; samplers that draw
        // noise go on behind that draw.
        draw(&mut streams, shape, device)?;
        let mask = latent_mask(inpaint, info.factor, (height, width), device)?;
        let from_noise = *strength >= 1.0;
        let repaint = Repaint { original, noise, mask, first_look: from_noise };
        let x = if from_noise { repaint.join(&(&repaint.noise * schedule.noise_scale())?, &x)? } else { x };
        Ok(Self { schedule, x, repaint: Some(repaint), streams })
    }
}

/// Unit noise of `shape`, each picture of the batch from its own stream.
fn draw(streams: &mut [Box<dyn NoiseStream + Send>], shape: [usize; 4], device: &Device) -> Result<Tensor, Interrupt> {
    let [_, channels, height, width] = shape;
    let values: Vec<f32> = streams.iter_mut().flat_map(|s| s.randn(channels * height * width)).collect();
    Ok(Tensor::from_vec(values, &shape, device)?)
}

#[allow(clippy::too_many_arguments)]
fn sample(
    model: &dyn Model,
    preview: &LinearPreview,
    pass: &Pass,
    recipe: &Recipe,
    conditioning: &Conditioning,
    start: &mut Start,
    progress: &mut dyn Progress,
    output: &mut Output,
) -> Result<Tensor, Interrupt> {
    let shape = <[usize; 4]>::from(start.x.dims4()?);
    let device = start.x.device().clone();
    let (schedule, streams, repaint) = (&start.schedule, &mut start.streams, &mut start.repaint);
    let mut step_began = Instant::now();
    let sampler = samplers::entry(recipe.sampling.sampler).sampler;
    let rhythm = Rhythm::new(recipe.sampling.reuse, sampler, schedule);
    let mut denoiser = Denoiser::new(model, pass, conditioning, rhythm);
    let mut denoise = |x: &Tensor, sigma: f64| match repaint.as_mut() {
        None => denoiser.denoise(x, sigma, schedule.timestep(sigma)),
        Some(repaint) => {
            let input = repaint.input(x, sigma)?;
            let inside = denoiser.denoise(&input, sigma, schedule.timestep(sigma))?;
            repaint.join(&inside, &repaint.original)
        }
    };
    let mut after_pass = |done: samplers::Pass<'_>| {
        output.timings.step_s.push(step_began.elapsed().as_secs_f64());
        let denoised = to_vec(done.denoised)?;
        let x = to_vec(done.x)?;
        let began = Instant::now();
        let [_, channels, height, width] = shape;
        let draw_preview = || {
            let pictures = denoised.chunks_exact((channels * height * width).max(1));
            pictures.map(|latent| preview.draw(latent, width as u32, height as u32)).collect()
        };
        let step = Step { index: done.index, total: done.total, sigma: done.sigma, preview: &draw_preview };
        let flow = progress.step(step);
        output.timings.preview_s += began.elapsed().as_secs_f64();
        output.trace.push(Latent { sigma: done.sigma, shape, x: x.into(), denoised: denoised.into() });
        proceed(flow)?;
        step_began = Instant::now();
        Ok(None)
    };
    let mut run = Run {
        schedule,
        denoise: &mut denoise,
        noise: &mut || draw(streams, shape, &device),
        eta: recipe.sampling.eta,
        after_pass: &mut after_pass,
    };
    let x = sampler.sample(&mut run, start.x.clone())?;
    output.timings.runs = denoiser.runs;
    let latent = (x * schedule.final_scale())?;
    match &start.repaint {
        Some(repaint) => repaint.join(&latent, &repaint.original),
        None => Ok(latent),
    }
}

fn to_vec(tensor: &Tensor) -> Result<Vec<f32>, Interrupt> {
    Ok(with_values(tensor, <[f32]>::to_vec)?)
}

/// RGBA bytes to [1, 3, h, w] in [-1, 1]; what is transparent counts as its colour on white.
fn from_pixmap(picture: &Pixmap, device: &Device) -> Result<Tensor, Interrupt> {
    let pixels = picture.width() as usize * picture.height() as usize;
    let mut planes = vec![0.0f32; 3 * pixels];
    for (channel, plane) in planes.chunks_exact_mut(pixels.max(1)).enumerate() {
        for (value, rgba) in plane.iter_mut().zip(picture.rgba().chunks_exact(4)) {
            let alpha = f32::from(rgba[3]) / 255.0;
            let colour = f32::from(rgba[channel]) * alpha + 255.0 * (1.0 - alpha);
            *value = colour / 127.5 - 1.0;
        }
    }
    Ok(Tensor::from_vec(planes, (1, 3, picture.height() as usize, picture.width() as usize), device)?)
}

/// [1, 3, h, w] in [-1, 1] to opaque RGBA, rounded half to even as numpy does.
fn to_pixmap(tensor: &Tensor, size: Extent) -> Result<Pixmap, Interrupt> {
    let values = to_vec(tensor)?;
    let pixels = size.area() as usize;
    let mut picture = Pixmap::new(size);
    for (i, rgba) in picture.rgba_mut().chunks_exact_mut(4).enumerate() {
        for (channel, byte) in rgba.iter_mut().enumerate() {
            *byte = match values.get(channel * pixels + i) {
                Some(v) if channel < 3 && v.is_finite() => {
                    ((v / 2.0 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8
                }
                Some(_) if channel < 3 => return Err(Interrupt::NotANumber("VAE")),
                _ => 255,
            };
        }
    }
    Ok(picture)
}

/// The mask at latent size: 1 is repainted. diffusers looks at the corner pixel of each square; for the studio a square
/// is repainted as soon as any of its pixels is, lest thin strokes are lost.
fn latent_mask(
    inpaint: &Inpaint,
    factor: u32,
    (height, width): (usize, usize),
    device: &Device,
) -> Result<Tensor, Interrupt> {
    let soft = if inpaint.paste { blend::feathered(&inpaint.mask, inpaint.feather) } else { (*inpaint.mask).clone() };
    let factor = factor as usize;
    let row = soft.extent().width as usize;
    let inside = |x: usize, y: usize| {
        let value = soft.bytes().get(y * row + x).copied().unwrap_or(0);
        if inpaint.paste { value > 0 } else { value >= 128 }
    };
    let reach = if inpaint.paste { factor } else { 1 };
    let covered =
        |i: usize, j: usize| (0..reach).any(|dy| (0..reach).any(|dx| inside(j * factor + dx, i * factor + dy)));
    let values: Vec<f32> = (0..height)
        .flat_map(|i| (0..width).map(move |j| (i, j)))
        .map(|(i, j)| if covered(i, j) { 1.0 } else { 0.0 })
        .collect();
    Ok(Tensor::from_vec(values, (1, 1, height, width), device)?)
}

/// The painted picture through the feathered mask onto the source; pixels outside stay as they were, bit for bit.
fn paste_back(recipe: &Recipe, painted: Pixmap) -> Result<Pixmap, Problem> {
    match (&recipe.source, &recipe.inpaint) {
        (Source::Picture { picture, .. }, Some(inpaint)) if inpaint.paste => {
            let mask: Mask = blend::feathered(&inpaint.mask, inpaint.feather);
            blend::paste(picture, &painted, &mask)
        }
        (Source::Text, Some(_)) => Err(Problem::new(ProblemKind::MaskWithoutPicture)),
        _ => Ok(painted),
    }
}
