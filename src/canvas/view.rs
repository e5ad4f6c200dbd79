//! [`View`]: how the canvas lies on the screen. Points are egui's units; a device pixel is 1 / `pixels_per_point` of one.

use crate::base::{Affine, Extent, IntRect};
use std::f64::consts::{FRAC_PI_2, PI, TAU};

pub const SCALE_LEAST: f64 = 0.02;
pub const SCALE_MOST: f64 = 32.0;
/// The scales that zooming by steps stops at.
const STEPS: [f64; 22] = [
    0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.17, 0.25, 0.33, 0.5, 0.67, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0,
    24.0, 32.0,
];
/// Room that [`View::fit`] leaves on each side, as a share of the viewport.
const MARGIN: f64 = 0.04;
/// How near to a multiple of 15° an angle is drawn to it, in radians (3°).
const SNAP: f64 = PI / 60.0;

/// The part of the window that shows the canvas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Viewport {
    /// Width and height in points; positions on the screen are measured from its top left corner.
    pub size: [f64; 2],
    pub pixels_per_point: f64,
}

impl Viewport {
    /// `pixels_per_point` that is not a positive number counts as 1.
    pub fn new(size: [f64; 2], pixels_per_point: f64) -> Self {
        let sensible = pixels_per_point.is_finite() && pixels_per_point > 0.0;
        Self { size, pixels_per_point: if sensible { pixels_per_point } else { 1.0 } }
    }

    fn centre(self) -> [f64; 2] {
        self.size.map(|side| side / 2.0)
    }
}

/// Which place of the canvas is in the middle, how large, and how turned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// In canvas pixels.
    pub centre: [f64; 2],
    /// Device pixels to a canvas pixel, [`SCALE_LEAST`]..=[`SCALE_MOST`].
    pub scale: f64,
    /// Clockwise, in radians, −π..=π.
    pub angle: f64,
}

impl View {
    /// The whole rectangle, upright, with a margin, but not above 100 %.
    pub fn fit(rect: IntRect, viewport: Viewport) -> Self {
        let room = viewport.size.map(|side| (side * viewport.pixels_per_point * (1.0 - 2.0 * MARGIN)).max(1.0));
        let [width, height] = room;
        let scale = (width / f64::from(rect.width.max(1))).min(height / f64::from(rect.height.max(1)));
        let centre =
            [f64::from(rect.x) + f64::from(rect.width) / 2.0, f64::from(rect.y) + f64::from(rect.height) / 2.0];
        Self { centre, scale: scale.clamp(SCALE_LEAST, 1.0), angle: 0.0 }.snapped(viewport)
    }

    /// As [`Self::fit`], for a canvas.
    pub fn fit_canvas(extent: Extent, viewport: Viewport) -> Self {
        Self::fit(IntRect::new(0, 0, extent.width, extent.height), viewport)
    }

    /// From canvas pixels to points.
    pub fn to_screen_map(self, viewport: Viewport) -> Affine {
        let [x, y] = self.centre;
        let [across, down] = viewport.centre();
        let scale = self.scale / viewport.pixels_per_point;
        Affine::translation(-x, -y)
            .then(Affine::scaling(scale, scale))
            .then(Affine::rotation(self.angle))
            .then(Affine::translation(across, down))
    }

    /// Where a place of the canvas is on the screen, in points.
    pub fn to_screen(self, canvas: [f64; 2], viewport: Viewport) -> [f64; 2] {
        self.to_screen_map(viewport).apply(canvas)
    }

    /// The place of the canvas, in its pixels, under a point of the screen.
    pub fn to_canvas(self, screen: [f64; 2], viewport: Viewport) -> [f64; 2] {
        let [x, y] = screen;
        let [across, down] = viewport.centre();
        let [centre_x, centre_y] = self.centre;
        let [dx, dy] = self.to_canvas_vector([x - across, y - down], viewport);
        [centre_x + dx, centre_y + dy]
    }

    /// A distance on the screen, in points, as one on the canvas.
    pub fn to_canvas_vector(self, points: [f64; 2], viewport: Viewport) -> [f64; 2] {
        let scale = viewport.pixels_per_point / self.scale;
        Affine::rotation(-self.angle).apply(points).map(|v| v * scale)
    }

    /// The smallest rectangle of the canvas's plane that holds all that the viewport shows.
    pub fn visible(self, viewport: Viewport) -> IntRect {
        let [width, height] = viewport.size;
        let corners = [[0.0, 0.0], [width, 0.0], [0.0, height], [width, height]].map(|p| self.to_canvas(p, viewport));
        let least = |axis: fn(&[f64; 2]) -> f64| corners.iter().map(axis).fold(f64::INFINITY, f64::min).floor();
        let most = |axis: fn(&[f64; 2]) -> f64| corners.iter().map(axis).fold(f64::NEG_INFINITY, f64::max).ceil();
        let (left, top) = (least(|p| p[0]), least(|p| p[1]));
        let (right, bottom) = (most(|p| p[0]), most(|p| p[1]));
        IntRect::new(left as i32, top as i32, (right - left) as u32, (bottom - top) as u32)
    }

    /// Larger by `factor` (smaller below 1), with the place under `cursor` (points) staying there.
    #[must_use]
    pub fn zoomed(self, factor: f64, cursor: [f64; 2], viewport: Viewport) -> Self {
        if factor.is_finite() && factor > 0.0 { self.scaled_to(self.scale * factor, cursor, viewport) } else { self }
    }

    /// The next of the usual scales above; as [`Self::zoomed`].
    #[must_use]
    pub fn zoomed_in(self, cursor: [f64; 2], viewport: Viewport) -> Self {
        let next = STEPS.iter().find(|step| **step > self.scale * 1.001);
        self.scaled_to(next.copied().unwrap_or(SCALE_MOST), cursor, viewport)
    }

    /// The next of the usual scales below; as [`Self::zoomed`].
    #[must_use]
    pub fn zoomed_out(self, cursor: [f64; 2], viewport: Viewport) -> Self {
        let next = STEPS.iter().rev().find(|step| **step < self.scale * 0.999);
        self.scaled_to(next.copied().unwrap_or(SCALE_LEAST), cursor, viewport)
    }

    /// One canvas pixel to a device pixel, about the middle, crisp.
    #[must_use]
    pub fn actual_size(self, viewport: Viewport) -> Self {
        self.scaled_to(1.0, viewport.centre(), viewport).snapped(viewport)
    }

    /// At a scale, with the place under `cursor` staying there.
    #[must_use]
    pub fn scaled_to(self, scale: f64, cursor: [f64; 2], viewport: Viewport) -> Self {
        if !scale.is_finite() {
            return self;
        }
        let [x, y] = self.to_canvas(cursor, viewport);
        let scaled = Self { scale: scale.clamp(SCALE_LEAST, SCALE_MOST), ..self };
        let [new_x, new_y] = scaled.to_canvas(cursor, viewport);
        let [centre_x, centre_y] = self.centre;
        Self { centre: [centre_x + x - new_x, centre_y + y - new_y], ..scaled }
    }

    /// The canvas follows the pointer, which has moved by `points`.
    #[must_use]
    pub fn panned(self, points: [f64; 2], viewport: Viewport) -> Self {
        let [dx, dy] = self.to_canvas_vector(points, viewport);
        let [x, y] = self.centre;
        Self { centre: [x - dx, y - dy], ..self }
    }

    /// Turned to an angle about the middle of the viewport; drawn to multiples of 15° if `snap` (near ones only) says
    /// so, and always to upright within a hair.
    #[must_use]
    pub fn turned_to(self, angle: f64, snap: bool) -> Self {
        if !angle.is_finite() {
            return self;
        }
        let step = PI / 12.0;
        let near = (angle / step).round() * step;
        let reach = if snap { SNAP } else { 1e-9 };
        let angle = if (angle - near).abs() <= reach { near } else { angle };
        let wrapped = angle - (angle / TAU).round() * TAU;
        Self { angle: if wrapped.abs() < 1e-9 { 0.0 } else { wrapped }, ..self }
    }

    /// Where edges of canvas pixels can fall on edges of device pixels (upright or on a side, at a whole scale or a
    /// whole part), moved by less than a device pixel so that they do. Otherwise as it is.
    #[must_use]
    pub fn snapped(self, viewport: Viewport) -> Self {
        let whole = |v: f64| (v - v.round()).abs() < 1e-9;
        if !whole(self.angle / FRAC_PI_2) || !(whole(self.scale) || whole(1.0 / self.scale)) {
            return self;
        }
        let origin = self.to_screen([0.0, 0.0], viewport);
        let pixels = origin.map(|v| v * viewport.pixels_per_point);
        let shift = pixels.map(|v| (v.round() - v) / viewport.pixels_per_point);
        self.panned(shift, viewport)
    }

    /// Per cent, for people.
    pub fn percent(self) -> f64 {
        self.scale * 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(a: [f64; 2], b: [f64; 2]) -> bool {
        (a[0] - b[0]).abs() < 1e-6 && (a[1] - b[1]).abs() < 1e-6
    }

    prop_compose! {
        fn views()(x in -9e3..9e3f64, y in -9e3..9e3f64, scale in SCALE_LEAST..=SCALE_MOST, angle in -PI..PI) -> View {
            View { centre: [x, y], scale, angle }
        }
    }

    prop_compose! {
        fn viewports()(w in 50.0..3000.0f64, h in 50.0..2000.0f64, ppp in 0.75..3.0f64) -> Viewport {
            Viewport::new([w, h], ppp)
        }
    }

    #[test]
    fn the_whole_canvas_fits_and_small_ones_are_not_blown_up() {
        let viewport = Viewport::new([1000.0, 800.0], 2.0);
        let view = View::fit_canvas(Extent::new(8192, 4096), viewport);
        let [left, top] = view.to_screen([0.0, 0.0], viewport);
        let [right, bottom] = view.to_screen([8192.0, 4096.0], viewport);
        assert!(left >= 39.0 && top >= 0.0 && right <= 961.0 && bottom <= 800.0 && right - left > 919.0);
        assert_eq!(View::fit_canvas(Extent::new(64, 64), viewport).scale, 1.0);
    }

    #[test]
    fn steps_lead_up_and_down_through_one() {
        let viewport = Viewport::new([100.0, 100.0], 1.0);
        let mut view = View { centre: [0.0; 2], scale: SCALE_LEAST, angle: 0.0 };
        let mut seen = vec![view.scale];
        while view.scale < SCALE_MOST {
            view = view.zoomed_in([3.0, 9.0], viewport);
            seen.push(view.scale);
        }
        assert_eq!(seen, STEPS);
        while view.scale > SCALE_LEAST {
            view = view.zoomed_out([50.0, 9.0], viewport);
            assert_eq!(Some(view.scale), {
                seen.pop();
                seen.last().copied()
            });
        }
        assert_eq!(view.zoomed_out([0.0; 2], viewport).scale, SCALE_LEAST);
        assert_eq!(view.zoomed(f64::NAN, [0.0; 2], viewport), view);
    }

    #[test]
    fn angles_snap_near_fifteen_degrees_only_and_wrap() {
        let view = View { centre: [0.0; 2], scale: 1.0, angle: 0.0 };
        let degrees = |angle: f64, snap: bool| view.turned_to(angle.to_radians(), snap).angle.to_degrees();
        assert!((degrees(44.0, true) - 45.0).abs() < 1e-9);
        assert!((degrees(40.0, true) - 40.0).abs() < 1e-9);
        assert!((degrees(44.0, false) - 44.0).abs() < 1e-9);
        assert_eq!(degrees(359.0, true), 0.0);
        assert!((degrees(270.0, false) + 90.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn screen_and_canvas_are_inverse(view in views(), viewport in viewports(), x in -50.0..50.0f64, y in -50.0..50.0f64) {
            let screen = view.to_screen([x, y], viewport);
            prop_assert!(near(view.to_canvas(screen, viewport), [x, y]));
        }

        #[test]
        fn zooming_keeps_the_place_under_the_cursor(
            view in views(), viewport in viewports(), x in 0.0..2000.0f64, y in 0.0..2000.0f64, factor in 0.01..90.0f64,
        ) {
            let place = view.to_canvas([x, y], viewport);
            let zoomed = view.zoomed(factor, [x, y], viewport);
            prop_assert!((SCALE_LEAST..=SCALE_MOST).contains(&zoomed.scale));
            prop_assert!(near(zoomed.to_canvas([x, y], viewport), place));
        }

        #[test]
        fn the_canvas_follows_the_pointer(view in views(), viewport in viewports(), dx in -99.0..99.0f64, dy in -99.0..99.0f64) {
            let [x, y] = view.to_screen([7.0, 8.0], viewport);
            let panned = view.panned([dx, dy], viewport);
            prop_assert!(near(panned.to_screen([7.0, 8.0], viewport), [x + dx, y + dy]));
        }

        #[test]
        fn pixel_edges_meet_when_snapped(view in views(), viewport in viewports(), quarter in -1..=2i32, scale in 1u8..8) {
            let view = View { scale: scale.into(), angle: f64::from(quarter) * FRAC_PI_2, ..view }.snapped(viewport);
            for corner in [[0.0, 0.0], [13.0, 8.0]] {
                for v in view.to_screen(corner, viewport) {
                    let pixel = v * viewport.pixels_per_point;
                    prop_assert!((pixel - pixel.round()).abs() < 1e-5, "{pixel}");
                }
            }
        }

        #[test]
        fn all_that_is_seen_is_visible(view in views(), viewport in viewports(), u in 0.0..1.0f64, v in 0.0..1.0f64) {
            let [x, y] = view.to_canvas([u * viewport.size[0], v * viewport.size[1]], viewport);
            let rect = view.visible(viewport);
            prop_assert!(x >= f64::from(rect.x) && x <= rect.right() as f64);
            prop_assert!(y >= f64::from(rect.y) && y <= rect.bottom() as f64);
        }
    }
}
