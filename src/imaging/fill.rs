//! What a masked part holds before it is painted anew.

use super::mask::Mask;
use super::pixmap::Pixmap;

/// How the masked part is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fill {
    /// It stays as it is.
    Original,
    /// The colours around flow in, the smoother the farther they come.
    Diffuse,
    /// Middle grey: suggests nothing.
    Grey,
}

/// The grey of [`Fill::Grey`].
const GREY: u8 = 128;
/// Levels of the pyramid; 2^32 pixels a side are more than any picture has.
const MOST_LEVELS: usize = 32;

/// The picture with its masked part filled: 0 keeps a pixel's bytes, 255 takes the filling, between them the two are
/// mixed. A mask of another size is taken as empty. Of transparent pixels no colour is spread; where nothing is known
/// at all, the filling is grey. What is filled is opaque.
pub fn fill(picture: &Pixmap, mask: &Mask, kind: Fill) -> Pixmap {
    let mut result = picture.clone();
    if kind == Fill::Original || mask.extent() != picture.extent() || mask.is_empty() {
        return result;
    }
    let filling = (kind == Fill::Diffuse).then(|| diffused(picture, mask));
    for (i, (rgba, &share)) in result.rgba_mut().chunks_exact_mut(4).zip(mask.bytes()).enumerate() {
        if share == 0 {
            continue;
        }
        let new = filling.as_ref().and_then(|f| f.get(i)).map_or([GREY; 3], colour);
        mix(rgba, new, share);
    }
    result
}

/// A pixel of the pyramid: premultiplied red, green, blue (0 to 255) and weight (0 to 1).
type Weighted = [f32; 4];

fn colour(&[r, g, b, weight]: &Weighted) -> [u8; 3] {
    if weight <= 0.0 {
        return [GREY; 3];
    }
    [r, g, b].map(|c| (c / weight).round().clamp(0.0, 255.0) as u8)
}

/// `rgba` becomes the opaque `new` to the share of `share` / 255.
fn mix(rgba: &mut [u8], new: [u8; 3], share: u8) {
    let [r, g, b, alpha] = rgba else { return };
    let over = u32::from(share) * 255;
    let under = (255 - u32::from(share)) * u32::from(*alpha);
    let whole = (over + under).max(1);
    for (old, new) in [r, g, b].into_iter().zip(new) {
        *old = ((u32::from(*old) * under + u32::from(new) * over + whole / 2) / whole) as u8;
    }
    *alpha = ((over + under + 127) / 255) as u8;
}

/// One level of the pyramid.
struct Level {
    width: usize,
    height: usize,
    pixels: Vec<Weighted>,
}

impl Level {
    fn at(&self, x: usize, y: usize) -> Weighted {
        self.pixels.get(y.min(self.height - 1) * self.width + x.min(self.width - 1)).copied().unwrap_or_default()
    }

    /// Half the size, rounded up; each pixel is the mean of its four, weighted by what is known of them.
    fn halved(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let mut sum = Weighted::default();
                for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                    if 2 * x + dx < self.width && 2 * y + dy < self.height {
                        let pixel = self.at(2 * x + dx, 2 * y + dy);
                        sum.iter_mut().zip(pixel).for_each(|(s, p)| *s += p);
                    }
                }
                // A known pixel among unknown ones stands for all four, lest thin rims fade away with each level.
                let scale = if sum[3] > 1.0 { 1.0 / sum[3] } else { 1.0 };
                pixels.push(sum.map(|v| v * scale));
            }
        }
        Self { width, height, pixels }
    }

    /// What is missing here is taken from the coarser level, bilinearly.
    fn completed(&mut self, coarse: &Level) {
        let place = |fine: usize| {
            let (near, far) =
                (fine / 2, if fine.is_multiple_of(2) { (fine / 2).saturating_sub(1) } else { fine / 2 + 1 });
            [(near, 0.75), (far, 0.25)]
        };
        for y in 0..self.height {
            for x in 0..self.width {
                let Some(pixel) = self.pixels.get_mut(y * self.width + x) else { return };
                let missing = 1.0 - pixel[3];
                if missing <= 0.0 {
                    continue;
                }
                let mut sum = Weighted::default();
                for (cx, across) in place(x) {
                    for (cy, down) in place(y) {
                        let from = coarse.at(cx, cy);
                        sum.iter_mut().zip(from).for_each(|(s, f)| *s += f * across * down);
                    }
                }
                pixel.iter_mut().zip(sum).for_each(|(p, s)| *p += s * missing);
            }
        }
    }
}

/// Push and pull: what is known is averaged down a pyramid, and each level fills its holes from the next coarser one.
fn diffused(picture: &Pixmap, mask: &Mask) -> Vec<Weighted> {
    let known = |(rgba, &masked): (&[u8], &u8)| match *rgba {
        [r, g, b, alpha] => {
            let weight = f32::from(alpha) * f32::from(255 - masked) / (255.0 * 255.0);
            [f32::from(r) * weight, f32::from(g) * weight, f32::from(b) * weight, weight]
        }
        _ => Weighted::default(),
    };
    let pixels = picture.rgba().chunks_exact(4).zip(mask.bytes()).map(known).collect();
    let mut finest = Level { width: picture.width() as usize, height: picture.height() as usize, pixels };
    let mut levels: Vec<Level> = Vec::new();
    while levels.len() < MOST_LEVELS {
        let last = levels.last().unwrap_or(&finest);
        if last.width.max(last.height) <= 1 {
            break;
        }
        let next = last.halved();
        levels.push(next);
    }
    let mut coarse = levels.pop();
    while let (Some(from), Some(mut to)) = (coarse.as_ref(), levels.pop()) {
        to.completed(from);
        coarse = Some(to);
    }
    if let Some(coarse) = &coarse {
        finest.completed(coarse);
    }
    finest.pixels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Extent;
    use proptest::prelude::*;

    fn halves(extent: Extent, left: [u8; 4], right: [u8; 4]) -> Pixmap {
        let rgba = (0..extent.area() as u32)
            .flat_map(|i| if i % extent.width < extent.width / 2 { left } else { right })
            .collect();
        Pixmap::from_rgba(extent, rgba).unwrap()
    }

    fn middle(extent: Extent, rim: u32) -> Mask {
        let inside = |i: u32| {
            let (x, y) = (i % extent.width, i / extent.width);
            x >= rim && y >= rim && x + rim < extent.width && y + rim < extent.height
        };
        let bytes = (0..extent.area() as u32).map(|i| if inside(i) { 255 } else { 0 }).collect();
        Mask::from_bytes(extent, bytes).unwrap()
    }

    #[test]
    fn colours_flow_in_from_their_own_side() {
        let extent = Extent::new(61, 40);
        let picture = halves(extent, [250, 10, 0, 255], [10, 10, 240, 255]);
        let filled = fill(&picture, &middle(extent, 4), Fill::Diffuse);
        let (left, right) = (filled.pixel(6, 20).unwrap(), filled.pixel(54, 20).unwrap());
        assert!(left[0] > 180 && left[2] < 70, "{left:?}");
        assert!(right[2] > 180 && right[0] < 70, "{right:?}");
        let centre = filled.pixel(30, 20).unwrap();
        assert!((60..200).contains(&centre[0]) && (60..200).contains(&centre[2]), "{centre:?}");
        for x in 5..56 {
            let step = filled.pixel(x, 20).unwrap()[0].abs_diff(filled.pixel(x + 1, 20).unwrap()[0]);
            assert!(step < 40, "a jump of {step} at {x}");
        }
    }

    #[test]
    fn a_flat_colour_stays_itself_and_the_unseen_is_not_spread() {
        let extent = Extent::new(33, 20);
        let flat = halves(extent, [90, 120, 30, 255], [90, 120, 30, 255]);
        assert_eq!(fill(&flat, &middle(extent, 2), Fill::Diffuse), flat);
        let unseen = halves(extent, [90, 120, 30, 255], [255, 0, 255, 0]);
        let filled = fill(&unseen, &middle(extent, 2), Fill::Diffuse);
        assert_eq!(filled.pixel(28, 10), Some([90, 120, 30, 255]));
        assert_eq!(filled.pixel(32, 10), Some([255, 0, 255, 0]), "what is not masked is not touched");
    }

    #[test]
    fn nothing_known_is_grey() {
        let extent = Extent::new(5, 7);
        let whole = Mask::from_bytes(extent, vec![255; 35]).unwrap();
        let picture = halves(extent, [200, 0, 0, 255], [0, 0, 200, 255]);
        for kind in [Fill::Diffuse, Fill::Grey] {
            assert_eq!(fill(&picture, &whole, kind).rgba(), [GREY, GREY, GREY, 255].repeat(35));
        }
        assert_eq!(fill(&picture, &whole, Fill::Original), picture);
        assert_eq!(fill(&picture, &Mask::new(Extent::new(4, 7)), Fill::Grey), picture);
        let nothing = Pixmap::new(Extent::new(0, 3));
        assert_eq!(fill(&nothing, &Mask::new(Extent::new(0, 3)), Fill::Diffuse), nothing);
    }

    proptest! {
        #[test]
        fn what_is_not_masked_keeps_its_bytes(
            (w, h) in (1u32..20, 1u32..20), seed: u8, every in 1usize..9, diffuse: bool
        ) {
            let extent = Extent::new(w, h);
            let area = extent.area() as usize;
            let rgba = (0..area * 4).map(|i| (i as u8).wrapping_mul(53).wrapping_add(seed)).collect();
            let picture = Pixmap::from_rgba(extent, rgba).unwrap();
            let bytes: Vec<u8> = (0..area).map(|i| if i % every == 0 { 255 } else { 0 }).collect();
            let mask = Mask::from_bytes(extent, bytes).unwrap();
            let filled = fill(&picture, &mask, if diffuse { Fill::Diffuse } else { Fill::Grey });
            let pixels = filled.rgba().chunks_exact(4).zip(picture.rgba().chunks_exact(4)).zip(mask.bytes());
            for ((new, old), &masked) in pixels {
                if masked == 0 { prop_assert_eq!(new, old) } else { prop_assert_eq!(new[3], 255) }
            }
        }
    }
}
