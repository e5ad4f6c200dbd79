//! Pictures on the graphics card. Each is uploaded once, when it is new.

use crate::app::state::{Forming, State};
use crate::base::{ImageId, JobId};
use crate::imaging::Pixmap;
use egui::{ColorImage, Context, TextureHandle, TextureOptions};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// See the module.
#[derive(Default)]
pub struct Textures {
    thumbnails: HashMap<ImageId, TextureHandle>,
    painting: Option<(ImageId, TextureHandle)>,
    previews: Vec<TextureHandle>,
    /// Which previews those are.
    previewed: Option<(JobId, u64)>,
    /// The steps of one picture, with what they show.
    trail: Vec<(Arc<Pixmap>, TextureHandle)>,
}

impl Textures {
    /// Forgets what the state no longer has.
    pub fn tidy(&mut self, state: &State) {
        if self.thumbnails.len() > state.paintings.len() {
            self.thumbnails.retain(|id, _| state.painting(*id).is_some());
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
    /// The steps of a picture; those that were shown already are kept.
    pub fn trail(&mut self, ctx: &Context, trail: &[Arc<Pixmap>]) -> impl Iterator<Item = &TextureHandle> {
        let same = self.trail.iter().zip(trail).take_while(|((old, _), new)| Arc::ptr_eq(old, new)).count();
        self.trail.truncate(same);
        for step in trail.iter().skip(same) {
            let Some(image) = image(ctx, step) else { break };
            self.trail.push((step.clone(), ctx.load_texture("step", image, TextureOptions::LINEAR)));
        }
        self.trail.iter().map(|(_, handle)| handle)
    }
}

/// For egui; `None` if the graphics card does not take pictures of this size.
fn image(ctx: &Context, picture: &Pixmap) -> Option<ColorImage> {
    let size = [picture.width() as usize, picture.height() as usize];
    let most = ctx.input(|input| input.max_texture_side);
    let fits = size.iter().all(|side| (1..=most).contains(side));
    fits.then(|| ColorImage::from_rgba_unmultiplied(size, picture.rgba()))
}
