//! What the shader is told of a view: `View` of `viewport.wgsl`, field by field.

use super::slot::LEVELS;
use super::{Compare, TILE, ViewParams};
use crate::base::Extent;
use bytemuck::{Pod, Zeroable};
use egui::{Color32, Rect};

/// Farther than any pixel of a screen.
const FAR: f32 = 1e9;
/// From this scale on there is a grid.
const GRID_FROM: f64 = 8.0;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Uniform {
    matrix: [f32; 4],
    pivot: [f32; 2],
    pivot_canvas: [f32; 2],
    anchor: [i32; 2],
    extent: [i32; 2],
    slots: [i32; 2],
    level: i32,
    ants_level: i32,
    scale: f32,
    width: f32,
    check: f32,
    grid: f32,
    ants_shift: f32,
    ants_width: f32,
    mask: f32,
    preview: f32,
    preview_place: [f32; 4],
    origin: [f32; 2],
    split: f32,
    unused: f32,
    ground: [f32; 4],
    check_light: [f32; 4],
    check_dark: [f32; 4],
    mask_color: [f32; 4],
}

impl Uniform {
    /// `rect`: the view in points. Without `drawn`, or where nothing of the canvas can be seen, there is but ground.
    pub fn new(
        params: &ViewParams,
        rect: Rect,
        pixels_per_point: f32,
        extent: Extent,
        slots: (u32, u32),
        has_preview: bool,
    ) -> Self {
        let mut uniform = Self::zeroed();
        uniform.ground = color(params.ground);
        uniform.scale = 1.0;
        uniform.check = 1.0;
        uniform.width = 1.0;
        uniform.extent = [extent.width as i32, extent.height as i32];
        uniform.slots = [slots.0 as i32, slots.1 as i32];
        let to_screen = params.to_screen.snapped(pixels_per_point).times(f64::from(pixels_per_point));
        let Some(back) = to_screen.inverse().filter(|_| !extent.is_empty()) else {
            // Everything is left of the canvas.
            uniform.pivot_canvas = [-FAR; 2];
            return uniform;
        };

        let middle = rect.center() * pixels_per_point;
        let pivot = [f64::from(middle.x.floor()) + 0.5, f64::from(middle.y.floor()) + 0.5];
        let seen = back.apply(pivot);
        let anchor = [0, 1].map(|k| {
            let most = [extent.width, extent.height][k].next_multiple_of(TILE);
            let tile = (seen[k].clamp(0.0, f64::from(most)) / f64::from(TILE)).floor();
            tile * f64::from(TILE)
        });
        uniform.matrix = [back.xx, back.yx, back.xy, back.yy].map(|v| v as f32);
        uniform.pivot = pivot.map(|v| v as f32);
        uniform.pivot_canvas = [(seen[0] - anchor[0]) as f32, (seen[1] - anchor[1]) as f32];
        uniform.anchor = anchor.map(|v| v as i32);

        let scale = to_screen.scale();
        let (level, width) = footprint(scale);
        uniform.level = level as i32;
        uniform.width = width as f32;
        uniform.scale = scale as f32;
        uniform.ants_level = (-scale.log2()).ceil().clamp(0.0, f64::from(LEVELS)) as i32;

        uniform.check = (params.check_size * pixels_per_point).round().max(1.0);
        uniform.origin = [(rect.min.x * pixels_per_point).round(), (rect.min.y * pixels_per_point).round()];
        uniform.check_light = color(params.check_light);
        uniform.check_dark = color(params.check_dark);
        if let Some(mask) = &params.mask {
            uniform.mask = mask.opacity.clamp(0.0, 1.0);
            uniform.mask_color = color(mask.color.to_opaque());
        }
        if scale >= GRID_FROM - 1e-6 {
            uniform.grid = params.grid.clamp(0.0, 1.0);
        }
        if let Some(shift) = params.ants {
            uniform.ants_width = pixels_per_point.round().max(1.0);
            // Two stripes are a period; beyond it the number would only lose digits.
            let period = 8.0 * uniform.ants_width;
            uniform.ants_shift = (shift * pixels_per_point).rem_euclid(period);
        }
        if let Some(place) = params.preview.filter(|place| has_preview && !place.rect.extent().is_empty()) {
            let rect = place.rect;
            uniform.preview = place.opacity.clamp(0.0, 1.0);
            let [x, y] = [f64::from(rect.x) - anchor[0], f64::from(rect.y) - anchor[1]];
            uniform.preview_place = [x as f32, y as f32, rect.width as f32, rect.height as f32];
        }
        uniform.split = match params.compare {
            Compare::After => -FAR,
            Compare::Before => FAR,
            Compare::Split(x) => (x * pixels_per_point).round(),
        };
        uniform
    }
}

/// What a view has, and thus which pipeline paints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variant {
    /// Texels in each direction that a screen pixel may touch, 1 to 3.
    pub taps: u8,
    pub masked: bool,
    pub previewed: bool,
    pub outlined: bool,
}

impl Variant {
    /// How many there are.
    pub const COUNT: usize = 3 * 2 * 2 * 2;

    /// Those that a window needs first come first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(|k| {
            let (taps, flags) = (k % 3, k / 3);
            let flag = |bit: usize| flags >> bit & 1 == 1;
            Self { taps: 3 - taps as u8, masked: flag(0), previewed: flag(1), outlined: flag(2) }
        })
    }
}

impl Uniform {
    pub fn variant(&self) -> Variant {
        let scale = self.scale.round();
        let [a, b, c, d] = self.matrix.map(|v| (v * scale).abs());
        let unit = |v: f32| (v - 1.0).abs() < 1e-4;
        // As `Affine::snapped` has it: whole and straight means that pixels coincide.
        let straight = (unit(a) && unit(d) && b + c < 1e-4) || (unit(b) && unit(c) && a + d < 1e-4);
        let taps = if straight && scale >= 1.0 {
            1
        } else if self.scale >= 1.0 {
            2
        } else {
            3
        };
        let (masked, previewed) = (self.mask > 0.0, self.preview > 0.0);
        Variant { taps, masked, previewed, outlined: self.ants_width > 0.0 }
    }
}

/// The level whose texels a screen pixel spans, and how many of them: at most one at level 0, one to two at the others.
fn footprint(scale: f64) -> (u32, f64) {
    // A hair of tolerance, so that 50 % is level 1 whatever the rounding.
    let level = (-scale.log2() + 1e-6).floor().clamp(0.0, f64::from(LEVELS)) as u32;
    let width = 1.0 / (scale * f64::from(1u32 << level));
    (level, width.min(2.0))
}

fn color(color: Color32) -> [f32; 4] {
    color.to_array().map(|c| f32::from(c) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::viewport::Affine;
    use egui::{pos2, vec2};

    #[test]
    fn the_footprint_spans_one_to_two_texels_from_afar() {
        for (scale, level, width) in
            [(4.0, 0, 0.25), (1.0, 0, 1.0), (0.75, 0, 4.0 / 3.0), (0.5, 1, 1.0), (0.25, 2, 1.0)]
        {
            let (found, spanned) = footprint(scale);
            assert_eq!(found, level, "{scale}");
            assert!((spanned - width).abs() < 1e-9, "{scale}");
        }
        for k in 20..1000 {
            let (_, width) = footprint(f64::from(k) / 1000.0);
            assert!((1.0 - 1e-5..=2.0).contains(&width), "{k}: {width}");
        }
        assert_eq!(footprint(1e-9), (6, 2.0));
    }

    #[test]
    fn there_is_each_variant_once() {
        let all: std::collections::BTreeSet<Variant> = Variant::all().collect();
        assert_eq!(all.len(), Variant::COUNT);
        assert!(all.iter().all(|variant| (1..=3).contains(&variant.taps)));
        assert_eq!(Variant::all().next().map(|first| (first.taps, first.masked)), Some((3, false)));
    }

    #[test]
    fn numbers_stay_small_far_from_the_corner() {
        let extent = Extent::new(16384, 16384);
        let rect = Rect::from_min_size(pos2(0.0, 0.0), vec2(800.0, 600.0));
        let to_screen = Affine::around(rect.center(), [16000.25, 15000.75], 32.0, 0.0);
        let uniform = Uniform::new(&params(to_screen), rect, 1.0, extent, (16, 10), false);
        assert_eq!(uniform.anchor, [16000, 14976]);
        assert!(uniform.pivot_canvas.iter().all(|v| (0.0..64.0).contains(v)));
        assert_eq!(size_of::<Uniform>(), 192);
    }

    #[test]
    fn a_flat_map_shows_ground_only() {
        let rect = Rect::from_min_size(pos2(0.0, 0.0), vec2(800.0, 600.0));
        for to_screen in
            [Affine::around(rect.center(), [0.0; 2], 0.0, 0.0), Affine::around(rect.center(), [f64::NAN; 2], 1.0, 0.0)]
        {
            let uniform = Uniform::new(&params(to_screen), rect, 1.0, Extent::new(64, 64), (16, 10), true);
            assert_eq!((uniform.matrix, uniform.pivot_canvas), ([0.0; 4], [-FAR; 2]));
        }
    }

    fn params(to_screen: Affine) -> ViewParams {
        ViewParams::new(to_screen, Color32::BLACK)
    }
}
