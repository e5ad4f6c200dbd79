//! The picture and the mask that a job starts from: read, and brought to a size that the model can paint.

use super::report::Notice;
use crate::base::{Extent, IntRect, Problem, ProblemKind};
use crate::imaging::read::read_picture;
use crate::imaging::resample::{Filter, resize};
use crate::imaging::{Mask, Pixmap};
use crate::recipe::FamilyInfo;
use crate::recipe::check::{SIDE_LIMITS, check_size};
use std::path::Path;
use std::sync::Arc;

/// Larger picture files are refused, in pixels: more than a camera gives, less than what fills the memory.
const MOST_PIXELS: u64 = 200_000_000;

/// What a job starts from.
#[derive(Debug)]
pub struct Start {
    pub picture: Arc<Pixmap>,
    /// Of the picture's size.
    pub mask: Option<Arc<Mask>>,
    /// What was done to the picture to fit it.
    pub notice: Option<Notice>,
}

/// Reads the picture, and the mask, which must be of the same size; both are then cropped and scaled alike. The size is
/// `width` × `height` where they are given, in which case the picture is scaled to cover it; a side that is absent
/// follows from the picture's proportions. If both are absent the size is the picture's own. What is not given is
/// rounded down to a multiple of `factor`.
///
/// # Errors
/// Those of [`read_picture`]; [`ProblemKind::SizeInvalid`] for a side of 0, and those of [`check_size`]; [`ProblemKind::MaskSizeDiffers`].
pub fn read(
    picture: &Path,
    mask: Option<&Path>,
    (width, height): (Option<u32>, Option<u32>),
    family: &FamilyInfo,
) -> Result<Start, Problem> {
    let factor = family.factor;
    let picture = read_picture(picture, MOST_PIXELS)?;
    let from = picture.extent();
    let mask = mask.map(|path| read_picture(path, MOST_PIXELS)).transpose()?.as_ref().map(Mask::from_luma);
    if let Some(mask) = mask.as_ref().filter(|mask| mask.extent() != from) {
        return Err(Problem::new(ProblemKind::MaskSizeDiffers).with("mask", mask.extent()).with("picture", from));
    }
    let to = target(from, width, height, factor.max(1));
    let given = width.is_some() || height.is_some();
    if to.is_empty() {
        return Err(Problem::new(ProblemKind::SizeInvalid).with("size", to).with("least", factor).with("most", from));
    }
    // Before anything is made that large.
    if to.width.max(to.height) > SIDE_LIMITS.1 {
        check_size(to, family)?;
    }
    let crops_only = !given && to.width <= from.width && to.height <= from.height;
    let notice = match (from == to, crops_only) {
        (true, _) => None,
        (_, true) => Some(Notice::Cropped { from, to }),
        _ => Some(Notice::Fitted { from, to }),
    };
    let fit = |picture: Pixmap, filter: Filter| match notice {
        None => picture,
        Some(Notice::Cropped { .. }) => crop(&picture, centred(from, to)),
        Some(_) => cover(&picture, to, filter),
    };
    let mask = mask.map(|mask| match notice {
        None => mask,
        // Bilinear, because Lanczos leaves ripples beside hard edges.
        Some(_) => Mask::from_luma(&fit(grey(&mask), Filter::Bilinear)),
    });
    Ok(Start { picture: Arc::new(fit(picture, Filter::Lanczos3)), mask: mask.map(Arc::new), notice })
}

/// The mask as an opaque picture, whose luma it is.
fn grey(mask: &Mask) -> Pixmap {
    let mut picture = Pixmap::new(mask.extent());
    for (pixel, &value) in picture.rgba_mut().chunks_exact_mut(4).zip(mask.bytes()) {
        pixel.copy_from_slice(&[value, value, value, 255]);
    }
    picture
}

/// The size to paint; see [`read`].
fn target(from: Extent, width: Option<u32>, height: Option<u32>, factor: u32) -> Extent {
    let even = |side: u64| (u32::try_from(side).unwrap_or(u32::MAX) / factor).max(1) * factor;
    let scaled = |side: u32, given: u32, of: u32| even(u64::from(side) * u64::from(given) / u64::from(of.max(1)));
    match (width, height) {
        (Some(width), Some(height)) => Extent::new(width, height),
        (Some(width), None) => Extent::new(width, scaled(from.height, width, from.width)),
        (None, Some(height)) => Extent::new(scaled(from.width, height, from.height), height),
        (None, None) => Extent::new(even(from.width.into()), even(from.height.into())),
    }
}

/// The rectangle of size `inner` in the middle of `outer`, which is at least as large.
fn centred(outer: Extent, inner: Extent) -> IntRect {
    let start = |outer: u32, inner: u32| (outer.saturating_sub(inner) / 2) as i32;
    IntRect::new(start(outer.width, inner.width), start(outer.height, inner.height), inner.width, inner.height)
}

/// Scales the picture until it covers `to`, and cuts off what stands out on two sides alike. The cutting comes first, so
/// that a very long picture does not become a huge one in between.
fn cover(picture: &Pixmap, to: Extent, filter: Filter) -> Pixmap {
    let from = picture.extent();
    let part = |side: u32, along: u32, across: u32| {
        let exact = f64::from(side) * f64::from(along) / f64::from(across);
        (exact.round() as u32).max(1)
    };
    let inner = Extent::new(
        from.width.min(part(from.height, to.width, to.height)),
        from.height.min(part(from.width, to.height, to.width)),
    );
    let cut = crop(picture, centred(from, inner));
    resize(&cut, to, filter)
}

/// The part of the picture inside `rect`, which lies within it.
fn crop(picture: &Pixmap, rect: IntRect) -> Pixmap {
    let mut part = Pixmap::new(rect.extent());
    let (x, y, width) = (rect.x as usize * 4, rect.y as usize, rect.width as usize * 4);
    let rows = picture.rgba().chunks_exact((picture.width() as usize * 4).max(1)).skip(y);
    for (new, old) in part.rgba_mut().chunks_exact_mut(width.max(1)).zip(rows) {
        if let Some(old) = old.get(x..x + width) {
            new.copy_from_slice(old);
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::png_text::write_png;
    use crate::jobs::fake::fake_family;

    /// Red is the column, green the row.
    fn chart(width: u32, height: u32) -> Pixmap {
        let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| [x as u8, y as u8, 0, 255]));
        Pixmap::from_rgba(Extent::new(width, height), pixels.collect()).unwrap()
    }

    #[test]
    fn sizes() {
        let from = Extent::new(1023, 770);
        assert_eq!(target(from, None, None, 8), Extent::new(1016, 768));
        assert_eq!(target(from, Some(512), None, 8), Extent::new(512, 384));
        assert_eq!(target(from, None, Some(100), 8), Extent::new(128, 100), "what is given stays as it is");
        assert_eq!(target(from, Some(64), Some(640), 8), Extent::new(64, 640));
        assert_eq!(target(Extent::new(3, 900), None, None, 8), Extent::new(8, 896));
        assert_eq!(target(Extent::new(1, u32::MAX), Some(u32::MAX), None, 8).height, u32::MAX / 8 * 8);
    }

    #[test]
    fn the_middle_is_kept() {
        let part = crop(&chart(20, 11), centred(Extent::new(20, 11), Extent::new(16, 8)));
        assert_eq!(part.extent(), Extent::new(16, 8));
        assert_eq!(part.pixel(0, 0), Some([2, 1, 0, 255]));
        assert_eq!(part.pixel(15, 7), Some([17, 8, 0, 255]));
    }

    #[test]
    fn covering_keeps_the_proportions() {
        // A wide picture loses left and right: the middle half of its columns stays.
        let covered = cover(&chart(200, 50), Extent::new(100, 50), Filter::Lanczos3);
        assert_eq!(covered, crop(&chart(200, 50), IntRect::new(50, 0, 100, 50)));
        // Twice as large, and a tall part of a square one.
        let covered = cover(&chart(64, 64), Extent::new(64, 128), Filter::Lanczos3);
        assert_eq!(covered.extent(), Extent::new(64, 128));
        let [red, green, ..] = covered.pixel(32, 64).unwrap();
        assert!(red.abs_diff(32) <= 1 && green.abs_diff(32) <= 1, "{red} {green}");
        let line = cover(&chart(1, 250), Extent::new(64, 64), Filter::Bilinear);
        assert_eq!(line.extent(), Extent::new(64, 64));
    }

    #[test]
    fn picture_and_mask_are_cut_alike() {
        let folder = tempfile::tempdir().unwrap();
        let [picture, mask] = ["原图.png", "遮罩.png"].map(|name| folder.path().join(name));
        write_png(&picture, &chart(100, 60), &[]).unwrap();
        let mut half = Mask::new(Extent::new(100, 60));
        half.bytes_mut().chunks_exact_mut(100).for_each(|row| row[50..].fill(255));
        write_png(&mask, &grey(&half), &[]).unwrap();

        let start = read(&picture, Some(&mask), (None, None), &fake_family()).unwrap();
        let (from, to) = (Extent::new(100, 60), Extent::new(96, 56));
        assert_eq!(start.notice, Some(Notice::Cropped { from, to }));
        let cut = start.mask.unwrap();
        assert_eq!((start.picture.extent(), cut.extent()), (to, to));
        assert_eq!(start.picture.pixel(48, 0), Some([50, 2, 0, 255]));
        assert_eq!((cut.bytes()[47], cut.bytes()[48]), (0, 255));

        let start = read(&picture, Some(&mask), (Some(32), Some(32)), &fake_family()).unwrap();
        let to = Extent::new(32, 32);
        assert_eq!(start.notice, Some(Notice::Fitted { from, to }));
        let small = start.mask.unwrap();
        assert_eq!((start.picture.extent(), small.extent()), (to, to));
        assert_eq!((small.bytes()[10], small.bytes()[20]), (0, 255));

        let start = read(&picture, None, (Some(100), Some(60)), &fake_family()).unwrap();
        assert_eq!((start.notice, start.mask.is_none()), (None, true));
        let problem = read(&picture, None, (Some(0), Some(64)), &fake_family()).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::SizeInvalid);
        for enormous in [(Some(60_000), None), (Some(u32::MAX), Some(u32::MAX))] {
            let problem = read(&picture, None, enormous, &fake_family()).unwrap_err();
            assert_eq!(problem.kind, ProblemKind::SizeInvalid, "refused before it is made");
        }
        write_png(&mask, &chart(60, 100), &[]).unwrap();
        let problem = read(&picture, Some(&mask), (None, None), &fake_family()).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::MaskSizeDiffers);
        assert_eq!((problem.arg("mask"), problem.arg("picture")), (Some("60×100"), Some("100×60")));
    }
}
