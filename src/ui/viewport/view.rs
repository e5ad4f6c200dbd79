//! Where the canvas lies on the screen, and which of its tiles that shows. Pure arithmetic.

use super::TILE;
use crate::base::Extent;
use egui::{Pos2, Rect, pos2};
use std::ops::Range;

/// An affine map from the canvas (pixels) to the screen: `x' = xx·x + xy·y + x0`, `y' = yx·x + yy·y + y0`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    pub xx: f64,
    pub yx: f64,
    pub xy: f64,
    pub yy: f64,
    pub x0: f64,
    pub y0: f64,
}

impl Affine {
    /// Puts the canvas point `canvas` on the screen point `screen`, with `scale` screen units a canvas pixel, turned
    /// clockwise by `angle` radians. In points of the screen, 100 % is a scale of 1 / `pixels_per_point`.
    pub fn around(screen: Pos2, canvas: [f64; 2], scale: f64, angle: f64) -> Self {
        let (sin, cos) = quarter(angle).unwrap_or_else(|| angle.sin_cos());
        let (xx, yx, xy, yy) = (scale * cos, scale * sin, -scale * sin, scale * cos);
        let x0 = f64::from(screen.x) - xx * canvas[0] - xy * canvas[1];
        let y0 = f64::from(screen.y) - yx * canvas[0] - yy * canvas[1];
        Self { xx, yx, xy, yy, x0, y0 }
    }

    /// A canvas point on the screen.
    pub fn apply(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [self.xx * x + self.xy * y + self.x0, self.yx * x + self.yy * y + self.y0]
    }

    /// From the screen to the canvas; `None` if the map is flat or not finite.
    pub fn inverse(&self) -> Option<Self> {
        let det = self.determinant();
        let (xx, yx, xy, yy) = (self.yy / det, -self.yx / det, -self.xy / det, self.xx / det);
        let x0 = -(xx * self.x0 + xy * self.y0);
        let y0 = -(yx * self.x0 + yy * self.y0);
        let all = [xx, yx, xy, yy, x0, y0];
        (det.abs() > 1e-12 && all.iter().all(|v| v.is_finite())).then_some(Self { xx, yx, xy, yy, x0, y0 })
    }

    fn determinant(&self) -> f64 {
        self.xx * self.yy - self.xy * self.yx
    }

    /// Screen units per canvas pixel.
    pub fn scale(&self) -> f64 {
        self.determinant().abs().sqrt()
    }

    /// The map to a screen counted in other units, `factor` of them in one of these.
    pub fn times(&self, factor: f64) -> Self {
        let [xx, yx, xy, yy, x0, y0] =
            [self.xx, self.yx, self.xy, self.yy, self.x0, self.y0].map(|value| value * factor);
        Self { xx, yx, xy, yy, x0, y0 }
    }

    /// The same map moved by at most half a physical pixel, so that the edges of canvas pixels fall on those of physical
    /// pixels, where the scale is whole and the angle a multiple of 90°; elsewhere the map as it is.
    pub fn snapped(&self, pixels_per_point: f32) -> Self {
        let factor = f64::from(pixels_per_point);
        let px = self.times(factor);
        let whole = |value: f64| (value - value.round()).abs() < 1e-4;
        let straight = [px.xx, px.yx, px.xy, px.yy].into_iter().all(whole) && px.scale() > 0.5;
        if !straight {
            return *self;
        }
        let [xx, yx, xy, yy, x0, y0] = [px.xx, px.yx, px.xy, px.yy, px.x0, px.y0].map(f64::round);
        Self { xx, yx, xy, yy, x0, y0 }.times(1.0 / factor)
    }
}

/// Sine and cosine of a multiple of 90°, without the rounding of π.
fn quarter(angle: f64) -> Option<(f64, f64)> {
    let quarters = angle / std::f64::consts::FRAC_PI_2;
    if (quarters - quarters.round()).abs() > 1e-9 {
        return None;
    }
    Some(match quarters.round().rem_euclid(4.0) as u8 {
        0 => (0.0, 1.0),
        1 => (1.0, 0.0),
        2 => (0.0, -1.0),
        _ => (-1.0, 0.0),
    })
}

/// Tiles in a row and in a column of a canvas.
pub fn tiles_of(extent: Extent) -> (u32, u32) {
    (extent.width.div_ceil(TILE), extent.height.div_ceil(TILE))
}

/// The tiles of a canvas that a rectangle of the screen shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Visible {
    to_screen: Affine,
    rect: Rect,
    columns: Range<u32>,
    rows: Range<u32>,
    /// Tiles in a row of the canvas.
    stride: u32,
}

impl Visible {
    /// `rect` in the units of `to_screen`. No tile, if the map is flat.
    pub fn new(to_screen: &Affine, rect: Rect, extent: Extent) -> Self {
        let (across, down) = tiles_of(extent);
        let mut seen = Self { to_screen: *to_screen, rect, columns: 0..0, rows: 0..0, stride: across };
        let Some(back) = to_screen.inverse() else {
            return seen;
        };
        if !(rect.width() > 0.0 && rect.height() > 0.0) {
            return seen;
        }
        let corners = [rect.left_top(), rect.right_top(), rect.left_bottom(), rect.right_bottom()]
            .map(|corner| back.apply([f64::from(corner.x), f64::from(corner.y)]));
        let range = |axis: fn(&[f64; 2]) -> f64, most: u32| {
            let low = corners.iter().map(axis).fold(f64::INFINITY, f64::min) / f64::from(TILE);
            let high = corners.iter().map(axis).fold(f64::NEG_INFINITY, f64::max) / f64::from(TILE);
            // Casts saturate.
            let first = (low.floor() as u32).min(most);
            first..(high.ceil() as u32).clamp(first, most)
        };
        seen.columns = range(|p| p[0], across);
        seen.rows = range(|p| p[1], down);
        seen
    }

    /// True if any part of the tile is shown. Tiles are counted row by row.
    pub fn contains(&self, tile: u32) -> bool {
        self.stride > 0 && self.shows(tile % self.stride, tile / self.stride)
    }

    fn shows(&self, column: u32, row: u32) -> bool {
        // The columns and rows separate along the axes of the canvas; the box below along those of the screen.
        if !self.columns.contains(&column) || !self.rows.contains(&row) {
            return false;
        }
        let at = |x: u32, y: u32| self.to_screen.apply([f64::from(x * TILE), f64::from(y * TILE)]);
        let corners = [at(column, row), at(column + 1, row), at(column, row + 1), at(column + 1, row + 1)];
        let points = corners.map(|[x, y]| pos2(x as f32, y as f32));
        Rect::from_points(&points).intersects(self.rect)
    }

    /// The tiles shown, row by row.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.rows
            .clone()
            .flat_map(|row| self.columns.clone().map(move |column| (column, row)))
            .filter(|&(column, row)| self.shows(column, row))
            .map(|(column, row)| row * self.stride + column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::vec2;
    use proptest::prelude::*;
    use std::f64::consts::FRAC_PI_2;

    fn screen() -> Rect {
        Rect::from_min_size(pos2(100.0, 50.0), vec2(300.0, 200.0))
    }

    #[test]
    fn quarters_are_exact() {
        for k in -5..=5 {
            let map = Affine::around(pos2(10.0, 20.0), [3.0, 4.0], 2.0, f64::from(k) * FRAC_PI_2);
            assert!([map.xx, map.yx, map.xy, map.yy].into_iter().all(|v| v == 0.0 || v.abs() == 2.0), "{map:?}");
            assert_eq!(map.apply([3.0, 4.0]), [10.0, 20.0]);
        }
        // Clockwise: what pointed right points down.
        let map = Affine::around(Pos2::ZERO, [0.0; 2], 1.0, FRAC_PI_2);
        assert_eq!(map.apply([1.0, 0.0]), [0.0, 1.0]);
    }

    #[test]
    fn snapping_moves_whole_scales_only_and_by_half_a_pixel_at_most() {
        let map = Affine::around(pos2(100.3, 50.2), [7.5, 9.1], 1.5, 0.0);
        let snapped = map.snapped(2.0);
        let px = snapped.times(2.0);
        assert_eq!((px.xx, px.x0.fract(), px.y0.fract()), (3.0, 0.0, 0.0));
        assert!((snapped.x0 - map.x0).abs() <= 0.2501 && (snapped.y0 - map.y0).abs() <= 0.2501);
        assert_eq!(snapped.snapped(2.0), snapped);
        assert_eq!(map.snapped(1.0), map);
        let turned = Affine::around(pos2(100.3, 50.2), [7.5, 9.1], 1.0, 0.3);
        assert_eq!(turned.snapped(1.0), turned);
        let tiny = Affine::around(pos2(100.3, 50.2), [7.5, 9.1], 1e-5, 0.0);
        assert_eq!(tiny.snapped(1.0), tiny);
    }

    #[test]
    fn what_is_shown() {
        let extent = Extent::new(1000, 700);
        let one = Affine::around(pos2(100.0, 50.0), [64.0, 64.0], 1.0, 0.0);
        // Canvas pixels 64 to 364 and 64 to 264: columns 1 to 5, rows 1 to 4 of 16.
        let shown: Vec<u32> = Visible::new(&one, screen(), extent).iter().collect();
        let expected: Vec<u32> = (1..5).flat_map(|row| (1..6).map(move |column| row * 16 + column)).collect();
        assert_eq!(shown, expected);
        let far = Affine::around(pos2(100.0, 50.0), [5000.0, 0.0], 1.0, 0.0);
        assert_eq!(Visible::new(&far, screen(), extent).iter().count(), 0);
        let small = Affine::around(screen().center(), [500.0, 350.0], 0.02, 1.0);
        assert_eq!(Visible::new(&small, screen(), extent).iter().count(), 16 * 11);
        let flat = Affine::around(screen().center(), [500.0, 350.0], 0.0, 1.0);
        assert_eq!(Visible::new(&flat, screen(), extent).iter().count(), 0);
        assert_eq!(Visible::new(&one, Rect::NOTHING, extent).iter().count(), 0);
        assert!(!Visible::new(&one, screen(), Extent::new(0, 0)).contains(0));
    }

    proptest! {
        #[test]
        fn there_and_back(x in -9e3..9e3f64, y in -9e3..9e3f64, scale in 0.02..32.0f64, angle in -7.0..7.0f64) {
            let map = Affine::around(pos2(400.0, 300.0), [x / 2.0, y / 3.0], scale, angle);
            let [u, v] = map.inverse().unwrap().apply(map.apply([x, y]));
            prop_assert!((u - x).abs() < 1e-6 && (v - y).abs() < 1e-6);
            prop_assert!((map.scale() - scale).abs() < 1e-9);
        }

        /// Every point of the screen that lies on the canvas lies on a tile that counts as shown.
        #[test]
        fn nothing_shown_is_missed(
            x in 0.0..1000.0f64, y in 0.0..700.0f64, scale in 0.02..32.0f64, angle in -7.0..7.0f64,
            right in 0.001..0.999f32, down in 0.001..0.999f32,
        ) {
            let extent = Extent::new(1000, 700);
            let map = Affine::around(screen().center(), [x, y], scale, angle);
            let spot = screen().min + screen().size() * vec2(right, down);
            let [u, v] = map.inverse().unwrap().apply([f64::from(spot.x), f64::from(spot.y)]);
            prop_assume!((0.0..1000.0).contains(&u) && (0.0..700.0).contains(&v));
            let tile = (v as u32 / TILE) * 16 + u as u32 / TILE;
            let seen = Visible::new(&map, screen(), extent);
            prop_assert!(seen.contains(tile));
            prop_assert!(seen.iter().any(|shown| shown == tile));
        }
    }
}
