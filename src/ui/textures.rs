//! Pictures on the graphics card. Each is uploaded once, when it is new.

use crate::app::state::{Forming, State};
use crate::base::{Extent, ImageId, JobId, LayerId};
use crate::canvas::{ColourTiles, Layer};
use crate::imaging::Pixmap;
use egui::{ColorImage, Context, TextureHandle, TextureOptions};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// The longer side of a layer's small picture, in pixels.
const LAYER: u32 = 64;

/// See the module.
#[derive(Default)]
pub struct Textures {
    thumbnails: HashMap<ImageId, TextureHandle>,
    painting: Option<(ImageId, TextureHandle)>,
    previews: Vec<TextureHandle>,
    /// Which previews those are.
    previewed: Option<(JobId, u64)>,
    /// The layers, each with its pixels as they were drawn.
    layers: HashMap<LayerId, (ColourTiles, Extent, TextureHandle)>,
    /// The steps of one picture, with what they show.
    trail: Vec<(Arc<Pixmap>, TextureHandle)>,
}

impl Textures {
    /// Forgets what the state no longer has.
    pub fn tidy(&mut self, state: &State) {
        if self.thumbnails.len() > state.paintings.len() {
            self.thumbnails.retain(|id, _| state.painting(*id).is_some());
        }
        if self.layers.len() > state.desk.document().layers().len() {
            self.layers.retain(|id, _| state.desk.document().layer(*id).is_some());
        }
        if state.forming.is_none() {
            self.previews.clear();
            self.previewed = None;
        }
    }

    /// The thumbnail of a painting; `None` until it is made.
    pub fn thumbnail(&mut self, ctx: &Context, id: ImageId, thumbnail: Option<&Pixmap>) -> Option<&TextureHandle> {
        match self.thumbnails.entry(id) {
            Entry::Occupied(place) => Some(place.into_mut()),
            Entry::Vacant(place) => {
                let image = image(ctx, thumbnail?)?;
                Some(place.insert(ctx.load_texture("thumbnail", image, TextureOptions::LINEAR)))
            }
        }
    }

    /// The whole picture; one is kept at a time.
    pub fn painting(&mut self, ctx: &Context, id: ImageId, picture: &Pixmap) -> Option<&TextureHandle> {
        if self.painting.as_ref().is_none_or(|(old, _)| *old != id) {
            let handle = ctx.load_texture("painting", image(ctx, picture)?, TextureOptions::LINEAR);
            self.painting = Some((id, handle));
        }
        self.painting.as_ref().map(|(_, handle)| handle)
    }

    /// The previews of the picture that forms.
    pub fn previews(&mut self, ctx: &Context, forming: &Forming) -> &[TextureHandle] {
        if self.previewed != Some((forming.job, forming.serial)) {
            self.previewed = Some((forming.job, forming.serial));
            self.previews.truncate(forming.previews.len());
            let images = forming.previews.iter().filter_map(|preview| image(ctx, preview));
            for (k, image) in images.enumerate() {
                match self.previews.get_mut(k) {
                    Some(handle) => handle.set(image, TextureOptions::LINEAR),
                    None => self.previews.push(ctx.load_texture("preview", image, TextureOptions::LINEAR)),
                }
            }
        }
        &self.previews
    }
}

impl Textures {
    /// What a layer shows of the canvas, small. It is drawn anew when the layer has other pixels.
    pub fn layer(&mut self, ctx: &Context, layer: &Layer, extent: Extent) -> Option<&TextureHandle> {
        let old = self.layers.get(&layer.id);
        let same = old.is_some_and(|(pixels, of, _)| *of == extent && pixels.differences(&layer.pixels).is_empty());
        if !same {
            let image = image(ctx, &small(layer, extent))?;
            let handle = ctx.load_texture("layer", image, TextureOptions::LINEAR);
            self.layers.insert(layer.id, (layer.pixels.clone(), extent, handle));
        }
        self.layers.get(&layer.id).map(|(_, _, handle)| handle)
    }

    /// The steps of a picture; those that were shown already are kept.
    pub fn trail(&mut self, ctx: &Context, trail: &[Arc<Pixmap>]) -> impl Iterator<Item = &TextureHandle> + use<'_> {
        let same = self.trail.iter().zip(trail).take_while(|((old, _), new)| Arc::ptr_eq(old, new)).count();
        self.trail.truncate(same);
        for step in trail.iter().skip(same) {
            let Some(image) = image(ctx, step) else { break };
            self.trail.push((step.clone(), ctx.load_texture("step", image, TextureOptions::LINEAR)));
        }
        self.trail.iter().map(|(_, handle)| handle)
    }
}

/// A few pixels of the layer, spread evenly over the canvas: cheap enough to be made while one paints.
fn small(layer: &Layer, extent: Extent) -> Pixmap {
    let longest = extent.width.max(extent.height).max(1);
    let side = |length: u32| (length * LAYER / longest).clamp(1, LAYER);
    let to = Extent::new(side(extent.width), side(extent.height));
    let place = |k: u32, of: u32, length: u32| ((2 * k + 1) * length / (2 * of)) as i32;
    let mut picture = Pixmap::new(to);
    for (k, pixel) in (0u32..).zip(picture.rgba_mut().chunks_exact_mut(4)) {
        let (x, y) = (place(k % to.width, to.width, extent.width), place(k / to.width, to.height, extent.height));
        pixel.copy_from_slice(&layer.pixels.pixel(x, y));
    }
    picture
}

/// For egui; `None` if the graphics card does not take pictures of this size.
fn image(ctx: &Context, picture: &Pixmap) -> Option<ColorImage> {
    let size = [picture.width() as usize, picture.height() as usize];
    let most = ctx.input(|input| input.max_texture_side);
    let fits = size.iter().all(|side| (1..=most).contains(side));
    fits.then(|| ColorImage::from_rgba_unmultiplied(size, picture.rgba()))
}
