//! Repainting a part of a picture: what the engine is asked for, and the plan that makes it from a mask on a canvas.
//!
//! A plan crops the canvas round the mask with some context, works on the crop at the size that the model paints best,
//! and gives back a patch that is opaque inside the artist's mask, fades out around it, and is transparent elsewhere.
//! Planning, preparing and joining take up to a second each for a context of 4096×4096: not for the window's thread.

use super::check::{ASPECT_LIMIT, SIDE_LIMITS};
use super::family::FamilyInfo;
use super::recipe::Source;
use crate::base::{Extent, IntRect};
use crate::imaging::blend::spread;
use crate::imaging::colour_match::matched;
use crate::imaging::fill::{Fill, fill};
use crate::imaging::resample::{Filter, resize, resize_mask_max};
use crate::imaging::{Mask, Pixmap};
use std::sync::Arc;

/// What is repainted, and how the result joins the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Inpaint {
    /// Of the picture's size; 255 is repainted, 0 is kept.
    pub mask: Arc<Mask>,
    /// Width of the soft edge of the paste, in pixels, 0 to 256.
    pub feather: f32,
    /// Paste the result over the source, so that pixels outside the feathered mask stay as they were, bit for bit.
    /// False gives the network's own picture, as diffusers returns it.
    pub paste: bool,
}

/// From this coverage on, a pixel of a mask is inside, as everywhere.
const INSIDE: u8 = 128;
/// The soft edge of what is denoised: this share of the mask's diagonal at full strength,
const FEATHER_SHARE: f64 = 0.1;
/// within these bounds, in pixels of the canvas, also at full strength.
const FEATHER_BOUNDS: (f64, f64) = (16.0, 96.0);
/// What is denoised reaches at least so far beyond the mask: half a latent pixel.
const LEAST_GROW: f64 = 4.0;
/// The widest fade of the patch; a wider one shows both pictures through each other.
const MOST_BLEND: f64 = 25.0;
/// The context is at least this part of the canvas's longest side, on each side of the mask.
const CONTEXT_PART: u32 = 16;
/// One side of the context is at most so much of the other, where the canvas has room.
const SQUARISH: f64 = 1.5;
/// Beyond this multiple of its native sides a model repeats itself; larger contexts are shrunk.
const STRETCH: f64 = 1.5;
/// From this strength on, nothing of the old picture is left, and what is filled in only guides the surroundings.
const FULL_STRENGTH: f64 = 0.999;

/// See the module. Distances are in pixels of the canvas.
#[derive(Clone, Debug, PartialEq)]
pub struct InpaintPlan {
    /// The part of the canvas that the model sees.
    pub context: IntRect,
    /// The size at which it sees it: valid for the family.
    pub working: Extent,
    /// How far the denoised part reaches beyond the mask before its soft edge begins.
    pub grow: f32,
    /// Width of that soft edge.
    pub feather: f32,
    /// What is painted anew, soft; of the context's size. `None`: everything is, and there is no mask.
    pub denoise: Option<Mask>,
    /// The alpha of the patch, of the context's size: 255 in the artist's mask.
    pub composite: Mask,
    /// What the masked part holds before; the planner's advice may be overruled.
    pub fill: Fill,
    /// In (0, 1].
    pub strength: f64,
    /// Side of the squares that the latent has a pixel for.
    factor: u32,
}

/// Plans a repaint of what `mask` covers; its top left corner lies at the given point of the canvas. If there is none,
/// or nothing of it lies on the canvas, the plan is for the whole frame. A frame that misses the canvas means all of it.
/// `strength` is clamped to (0, 1]. `None` if the canvas has no pixels.
pub fn plan(
    mask: Option<(&Mask, (i32, i32))>,
    canvas: Extent,
    frame: IntRect,
    family: &FamilyInfo,
    strength: f64,
) -> Option<InpaintPlan> {
    let side = |length: u32| length.min(i32::MAX as u32);
    let canvas = IntRect::new(0, 0, side(canvas.width), side(canvas.height));
    if canvas.extent().is_empty() {
        return None;
    }
    let strength = if strength.is_nan() { 1.0 } else { strength.clamp(f64::MIN_POSITIVE, 1.0) };
    let masked = mask.and_then(|(mask, at)| Some((mask, at, covered_part(mask, at, canvas)?)));
    let factor = family.factor.max(1);
    let Some((mask, at, bounds)) = masked else {
        let context = frame.intersect(canvas).unwrap_or(canvas);
        let mut composite = Mask::new(context.extent());
        composite.bytes_mut().fill(255);
        let working = working_size(context.extent(), family);
        let fill = Fill::Original;
        return Some(InpaintPlan {
            context,
            working,
            grow: 0.0,
            feather: 0.0,
            denoise: None,
            composite,
            fill,
            strength,
            factor,
        });
    };
    let diagonal = f64::from(bounds.width).hypot(f64::from(bounds.height));
    let feather = (FEATHER_SHARE * diagonal).clamp(FEATHER_BOUNDS.0, FEATHER_BOUNDS.1) * strength;
    let grow = LEAST_GROW + feather / 2.0;
    let reach = grow + feather;
    let context = context(bounds, canvas, family, reach);
    let mask = solid(&cropped(mask, at, context));
    let blend = feather.min(MOST_BLEND);
    let denoise = spread(&mask, grow as f32, feather as f32);
    let composite = spread(&mask, (reach - blend) as f32, blend as f32);
    Some(InpaintPlan {
        context,
        working: working_size(context.extent(), family),
        grow: grow as f32,
        feather: feather as f32,
        denoise: Some(denoise),
        composite,
        fill: if strength >= FULL_STRENGTH { Fill::Diffuse } else { Fill::Original },
        strength,
        factor,
    })
}

/// The bounds, on the canvas, of what the mask covers there.
fn covered_part(mask: &Mask, (left, top): (i32, i32), canvas: IntRect) -> Option<IntRect> {
    let place = IntRect::new(left, top, mask.extent().width, mask.extent().height).intersect(canvas)?;
    let (mut low, mut high) = ((u32::MAX, u32::MAX), (0, 0));
    let skip = (i64::from(place.x) - i64::from(left)) as usize;
    let above = (i64::from(place.y) - i64::from(top)) as usize;
    let rows = mask.bytes().chunks_exact(mask.extent().width.max(1) as usize).skip(above);
    for (y, row) in (0..place.height).zip(rows) {
        let row = row.get(skip..skip + place.width as usize).unwrap_or_default();
        let Some(first) = row.iter().position(|&v| v > 0) else { continue };
        let last = row.iter().rposition(|&v| v > 0).unwrap_or(first);
        low = (low.0.min(first as u32), low.1.min(y));
        high = (high.0.max(last as u32 + 1), y + 1);
    }
    (high.1 > 0).then(|| IntRect::new(place.x + low.0 as i32, place.y + low.1 as i32, high.0 - low.0, high.1 - low.1))
}

/// The mask's part inside `rect`.
fn cropped(mask: &Mask, (left, top): (i32, i32), rect: IntRect) -> Mask {
    let mut result = Mask::new(rect.extent());
    let Some(common) = IntRect::new(left, top, mask.extent().width, mask.extent().height).intersect(rect) else {
        return result;
    };
    let offset = |from: i32, to: i32| (i64::from(to) - i64::from(from)) as usize;
    let (from_x, from_y) = (offset(left, common.x), offset(top, common.y));
    let (to_x, to_y) = (offset(rect.x, common.x), offset(rect.y, common.y));
    let width = common.width as usize;
    let targets = result.bytes_mut().chunks_exact_mut(rect.width.max(1) as usize).skip(to_y);
    let rows = mask.bytes().chunks_exact(mask.extent().width.max(1) as usize).skip(from_y);
    for (target, row) in targets.zip(rows).take(common.height as usize) {
        if let (Some(target), Some(row)) = (target.get_mut(to_x..to_x + width), row.get(from_x..from_x + width)) {
            target.copy_from_slice(row);
        }
    }
    result
}

/// A mask that is faint everywhere counts as inside wherever it covers anything: the artist did paint there.
fn solid(mask: &Mask) -> Mask {
    let mut mask = mask.clone();
    if mask.bytes().iter().all(|&v| v < INSIDE) {
        mask.bytes_mut().iter_mut().filter(|v| **v > 0).for_each(|v| *v = 255);
    }
    mask
}

/// What the model shall see: the bounds with room around, grown to the native size, squarish, in whole factors where
/// the canvas has room.
fn context(bounds: IntRect, canvas: IntRect, family: &FamilyInfo, reach: f64) -> IntRect {
    let longest = canvas.width.max(canvas.height) / CONTEXT_PART;
    let average = ((u64::from(bounds.width) + u64::from(bounds.height)) / 4) as u32;
    let pad = i64::from(longest.max(average).max(reach.ceil() as u32 + 1));
    let padded = |low: i64, high: i64, limit: u32| ((low - pad).max(0), (high + pad).min(i64::from(limit)));
    let across = padded(i64::from(bounds.x), bounds.right(), canvas.width);
    let down = padded(i64::from(bounds.y), bounds.bottom(), canvas.height);
    let wanted = |span: (i64, i64), other: (i64, i64), native: u32| {
        let squarish = ((other.1 - other.0) as f64 / SQUARISH) as i64;
        (span.1 - span.0).max(squarish).max(i64::from(native))
    };
    let width = wanted(across, down, family.native.width);
    let height = wanted(down, across, family.native.height);
    let factor = i64::from(family.factor.max(1));
    let (x, width) = widened(across, width, canvas.width, factor);
    let (y, height) = widened(down, height, canvas.height, factor);
    IntRect::new(x, y, width, height)
}

/// A span of `length`, rounded up to whole factors, round the given one and within 0 to `limit`.
fn widened((low, high): (i64, i64), length: i64, limit: u32, factor: i64) -> (i32, u32) {
    let limit = i64::from(limit);
    let rounded = (length + factor - 1) / factor * factor;
    let length = rounded.min(limit).max(high - low);
    let start = (low - (length - (high - low)) / 2).clamp(0, limit - length);
    (start as i32, length as u32)
}

/// The size at which the model works on a context: its own, if the model is at home there; less if it is too large for
/// it; more only if both sides are below the native ones. Sides are whole factors, and the size is a valid one.
fn working_size(context: Extent, family: &FamilyInfo) -> Extent {
    let (width, height) = (f64::from(context.width.max(1)), f64::from(context.height.max(1)));
    let native = f64::from(family.native.width.max(1)).max(f64::from(family.native.height.max(1)));
    let most_area = (family.native.area() as f64 * STRETCH * STRETCH).min(family.most_area as f64).max(1.0);
    let longest = width.max(height);
    let shrink = (most_area / (width * height)).sqrt().min(2.0 * STRETCH * native / longest);
    let scale = if longest < native { native / longest } else { shrink.min(1.0) };
    let factor = family.factor.max(1);
    let whole = |side: f64| ((side * scale / f64::from(factor)).round() as u32).max(1) * factor;
    let (mut width, mut height) = (whole(width), whole(height));
    let most = SIDE_LIMITS.1 - SIDE_LIMITS.1 % factor;
    (width, height) = (width.min(most), height.min(most));
    let least = |other: u32| SIDE_LIMITS.0.max(other.div_ceil(ASPECT_LIMIT)).next_multiple_of(factor);
    (width, height) = (width.max(least(height)), height.max(least(width)));
    while Extent::new(width, height).area() > family.most_area && width.max(height) > least(0) {
        let longer = if width >= height { &mut width } else { &mut height };
        *longer -= factor;
    }
    Extent::new(width, height)
}

impl InpaintPlan {
    /// Pixels of the working picture for one of the canvas, across and down; they differ by the rounding of the sides.
    pub fn scale(&self) -> (f64, f64) {
        let ratio = |working: u32, canvas: u32| f64::from(working) / f64::from(canvas.max(1));
        (ratio(self.working.width, self.context.width), ratio(self.working.height, self.context.height))
    }

    /// The working picture and the working mask from what the canvas shows in the context. The mask is soft; where any
    /// canvas pixel under one of its pixels is to be painted anew, it is. Without a mask, it is 255 everywhere.
    /// A crop of another size than the context's is scaled as if it were the whole of it.
    pub fn prepare(&self, crop: &Pixmap) -> (Pixmap, Mask) {
        let picture = resize(crop, self.working, Filter::Lanczos3);
        let Some(denoise) = &self.denoise else {
            let mut mask = Mask::new(self.working);
            mask.bytes_mut().fill(255);
            return (picture, mask);
        };
        let mask = resize_mask_max(denoise, self.working);
        // The filling ends where the patch does, so that what stays visible is what the model is shown.
        let filled = fill(&picture, &resize_mask_max(&self.composite, self.working), self.fill);
        (filled, mask)
    }

    /// The parts of a recipe of the working size. The engine gives its own picture, unpasted: [`InpaintPlan::join`]
    /// does that at the size of the canvas.
    pub fn parts(&self, crop: &Pixmap) -> (Source, Option<Inpaint>) {
        let (picture, mask) = self.prepare(crop);
        let inpaint = self.denoise.as_ref().map(|_| Inpaint {
            mask: Arc::new(in_squares(&mask, self.factor)),
            feather: 0.0,
            paste: false,
        });
        (Source::Picture { picture: Arc::new(picture), strength: self.strength }, inpaint)
    }

    /// The result in the colours of the working picture, as far as those outside the working mask tell: a network
    /// shifts them a little when it encodes and decodes. To be done before [`InpaintPlan::join`], with what
    /// [`InpaintPlan::prepare`] gave.
    pub fn recoloured(&self, result: &Pixmap, picture: &Pixmap, mask: &Mask) -> Pixmap {
        matched(result, picture, mask)
    }

    /// The patch for the canvas, and where its top left corner goes. Its alpha is the composite mask (less where the
    /// result itself is transparent), so that with normal blending no pixel outside changes, and the colour of what is
    /// transparent is zero.
    pub fn join(&self, result: &Pixmap) -> (Pixmap, (i32, i32)) {
        let mut patch = resize(result, self.context.extent(), Filter::Lanczos3);
        for (rgba, &share) in patch.rgba_mut().chunks_exact_mut(4).zip(self.composite.bytes()) {
            let alpha = rgba.last().map_or(0, |&a| (u32::from(a) * u32::from(share) + 127) / 255);
            match (alpha, rgba.last_mut()) {
                (1.., Some(last)) => *last = alpha as u8,
                _ => rgba.fill(0),
            }
        }
        (patch, (self.context.x, self.context.y))
    }
}

/// 255 in every square that has anything in it, 0 in the others: the mask as the latent will have it, wherever in its
/// squares the engine looks.
fn in_squares(mask: &Mask, factor: u32) -> Mask {
    let extent = mask.extent();
    let squares = Extent::new(extent.width.div_ceil(factor), extent.height.div_ceil(factor));
    let (row, squares_row) = (extent.width.max(1) as usize, squares.width.max(1) as usize);
    let factor = factor as usize;
    let mut any = vec![false; squares.area() as usize];
    let square = |i: usize| (i / row / factor) * squares_row + i % row / factor;
    for (i, _) in mask.bytes().iter().enumerate().filter(|(_, v)| **v > 0) {
        if let Some(any) = any.get_mut(square(i)) {
            *any = true;
        }
    }
    let mut result = Mask::new(extent);
    for (i, value) in result.bytes_mut().iter_mut().enumerate() {
        *value = if any.get(square(i)).copied().unwrap_or(false) { 255 } else { 0 };
    }
    result
}

#[cfg(test)]
#[path = "inpaint_tests.rs"]
mod tests;
