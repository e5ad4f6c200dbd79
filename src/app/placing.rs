//! What of the canvas the engine is shown before it paints, and where on the canvas the picture goes after.
//!
//! Both work on pixels and so run on the clerk's thread.

use super::desk::Sheet;
use crate::base::{Extent, IntRect, JobId, Problem};
use crate::canvas::surface::flatten;
use crate::canvas::{ColourTiles, Document};
use crate::imaging::resample::{Filter, resize, resize_mask_mean};
use crate::imaging::{Mask, Pixmap};
use crate::recipe::check::check;
use crate::recipe::inpaint::{InpaintPlan, plan};
use crate::recipe::metadata::Spot;
use crate::recipe::{FamilyInfo, Recipe, Source};
use std::sync::Arc;

/// Paper: what shows through where the canvas is transparent.
const PAPER: u32 = 255;

/// Where a job's pictures go.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// They fill this part of the canvas.
    Frame(IntRect),
    /// They repaint what was under a mask; `veil` is how opaque they lie on the canvas, in the size of their latents.
    Patch { plan: Arc<InpaintPlan>, veil: Arc<Mask> },
}

impl Place {
    /// The part of the canvas that a preview covers.
    pub fn rect(&self) -> IntRect {
        match self {
            Place::Frame(frame) => *frame,
            Place::Patch { plan, .. } => plan.context,
        }
    }

    /// Bytes of the masks that it keeps.
    pub fn bytes(&self) -> usize {
        match self {
            Place::Frame(_) => 0,
            Place::Patch { plan, veil } => {
                let denoise = plan.denoise.as_ref().map_or(0, |mask| mask.bytes().len());
                plan.composite.bytes().len() + denoise + veil.bytes().len()
            }
        }
    }

    /// How opaque a preview is in there, as a small picture of it; `None` if all of it is.
    pub fn veil(&self) -> Option<&Mask> {
        match self {
            Place::Frame(_) => None,
            Place::Patch { veil, .. } => Some(veil),
        }
    }

    /// The picture as it is laid on the canvas.
    pub fn joined(&self, picture: &Pixmap, recipe: &Recipe) -> ColourTiles {
        let (patch, (x, y)) = match self {
            Place::Frame(frame) if frame.extent() == picture.extent() => {
                return ColourTiles::from_pixmap(frame.x, frame.y, picture);
            }
            Place::Frame(frame) => (resize(picture, frame.extent(), Filter::Lanczos3), (frame.x, frame.y)),
            Place::Patch { plan, .. } => match (&recipe.source, &recipe.inpaint) {
                (Source::Picture { picture: shown, .. }, Some(inpaint)) => {
                    plan.join(&plan.recoloured(picture, shown, &inpaint.mask))
                }
                _ => plan.join(picture),
            },
        };
        ColourTiles::from_pixmap(x, y, &patch)
    }
}

/// Where a job's pictures go, and of which document.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    pub place: Place,
    pub sheet: Sheet,
    /// Size of that document.
    pub canvas: Extent,
}

impl Placed {
    /// The same as plain data.
    pub fn spot(&self) -> Spot {
        Spot { canvas: self.canvas, frame: self.place.rect() }
    }
}

/// A recipe that still lacks what the canvas shows.
#[derive(Clone, Debug)]
pub struct Preparation {
    /// Under this it is known until it is a job.
    pub ticket: JobId,
    /// Of the document.
    pub sheet: Sheet,
    /// From text alone, in the size of the frame.
    pub recipe: Recipe,
    pub family: FamilyInfo,
    /// A snapshot.
    pub document: Document,
    /// Share of the steps that is run, in (0, 1].
    pub strength: f64,
    /// What the mask covers is repainted, and nothing else.
    pub masked: bool,
}

impl Preparation {
    /// The whole recipe, and where its pictures go.
    ///
    /// # Errors
    /// Those of [`check`].
    pub fn finish(self) -> Result<(Recipe, Placed), Problem> {
        let Self { mut recipe, family, document, strength, masked, sheet, ticket: _ } = self;
        let place = if masked {
            let bounds = document.mask().bounds().unwrap_or(document.canvas());
            let mask = document.mask().to_mask(bounds);
            let at = (bounds.x, bounds.y);
            match plan(Some((&mask, at)), document.extent(), document.frame(), &family, strength) {
                Some(plan) => {
                    (recipe.source, recipe.inpaint) = plan.parts(&on_paper(flatten(&document, plan.context)));
                    recipe.size = plan.working;
                    let small = |side: u32| side.div_ceil(family.factor.max(1));
                    let latent = Extent::new(small(plan.working.width), small(plan.working.height));
                    let veil = Arc::new(resize_mask_mean(&plan.composite, latent));
                    Place::Patch { plan: Arc::new(plan), veil }
                }
                None => Place::Frame(document.frame()),
            }
        } else {
            let frame = document.frame();
            let shown = resize(&on_paper(flatten(&document, frame)), recipe.size, Filter::Lanczos3);
            recipe.source = Source::Picture { picture: Arc::new(shown), strength };
            Place::Frame(frame)
        };
        check(&recipe, &family)?;
        Ok((recipe, Placed { place, sheet, canvas: document.extent() }))
    }
}

/// The picture on white paper.
fn on_paper(mut picture: Pixmap) -> Pixmap {
    for pixel in picture.rgba_mut().chunks_exact_mut(4) {
        let [r, g, b, a] = pixel else { continue };
        let alpha = u32::from(*a);
        for channel in [r, g, b] {
            *channel = ((u32::from(*channel) * alpha + PAPER * (255 - alpha) + 127) / 255) as u8;
        }
        *a = 255;
    }
    picture
}
