//! The canvas on the graphics card, drawn off the screen and held against arithmetic on the processor:
//! `cargo test --features snapshots --test viewport`. Needs a graphics adapter; a software one (lavapipe) will do.
#![cfg(feature = "snapshots")]

use danqing::base::{Extent, IntRect};
use danqing::ui::viewport::{
    Affine, COLOR_BYTES, COVERAGE_BYTES, Compare, MaskOverlay, PreviewPlace, TILE, ViewParams, Viewport, tiles_of,
};
use eframe::egui_wgpu::{RenderState, Renderer, RendererOptions};
use eframe::wgpu;
use egui::{Color32, ColorImage, LayerId, Rect, TextureOptions, pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::wgpu::{WgpuTestRenderer, create_render_state, default_wgpu_setup};
use image::RgbaImage;
use std::f64::consts::FRAC_PI_2;
use std::time::Duration;

const SIDE: u32 = 256;
const GROUND: Color32 = Color32::from_rgb(40, 44, 52);

/// A picture as the viewport takes it.
struct Picture {
    extent: Extent,
    pixels: Vec<[u8; 4]>,
}

impl Picture {
    fn new(width: u32, height: u32, at: impl Fn(u32, u32) -> [u8; 4]) -> Self {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| at(x, y)).collect();
        Self { extent: Extent::new(width, height), pixels }
    }

    /// Opaque noise: any wrong pixel shows.
    fn noise(width: u32, height: u32) -> Self {
        Self::new(width, height, |x, y| {
            let [r, g, b, _] = hash(x, y).to_le_bytes();
            [r, g, b, 255]
        })
    }

    fn at(&self, x: u32, y: u32) -> [u8; 4] {
        self.pixels[(y * self.extent.width + x) as usize]
    }

    fn tile(&self, tile: u32) -> Vec<u8> {
        let across = tiles_of(self.extent).0;
        let mut bytes = vec![0; COLOR_BYTES];
        for (k, pixel) in bytes.chunks_exact_mut(4).enumerate() {
            let (x, y) = (tile % across * TILE + k as u32 % TILE, tile / across * TILE + k as u32 / TILE);
            if x < self.extent.width && y < self.extent.height {
                pixel.copy_from_slice(&self.at(x, y));
            }
        }
        bytes
    }

    fn put(&self, viewport: &mut Viewport) {
        viewport.resize(self.extent);
        for tile in 0..self.tiles() {
            viewport.upload_tile(tile, Some(&self.tile(tile)));
        }
    }

    fn tiles(&self) -> u32 {
        let (across, down) = tiles_of(self.extent);
        across * down
    }
}

fn hash(x: u32, y: u32) -> u32 {
    let mixed = (x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77)).wrapping_mul(0xc2b2_ae3d);
    mixed ^ (mixed >> 15)
}

/// A tile of coverage.
fn coverage(at: impl Fn(u32, u32) -> u8) -> Vec<u8> {
    (0..COVERAGE_BYTES as u32).map(|k| at(k % TILE, k / TILE)).collect()
}

struct Scene {
    viewport: Viewport,
    params: ViewParams,
    /// Drawn by egui instead of the viewport.
    image: Option<ColorImage>,
}

struct Desk(Harness<'static, Scene>);

impl Desk {
    fn new(pixels_per_point: f32, srgb_target: bool) -> Self {
        let mut state = create_render_state(default_wgpu_setup(), RendererOptions::PREDICTABLE);
        if srgb_target {
            state.target_format = wgpu::TextureFormat::Rgba8UnormSrgb;
            let renderer = Renderer::new(&state.device, state.target_format, RendererOptions::PREDICTABLE);
            state = RenderState { renderer: std::sync::Arc::new(egui::mutex::RwLock::new(renderer)), ..state };
        }
        let viewport = Viewport::new(Some(&state));
        assert!(viewport.is_live());
        let params = ViewParams::new(Affine::around(pos2(0.0, 0.0), [0.0; 2], 1.0, 0.0), GROUND);
        let scene = Scene { viewport, params, image: None };
        let renderer = WgpuTestRenderer::from_render_state(state);
        let builder = Harness::builder().with_size(egui::Vec2::splat(SIDE as f32 / pixels_per_point));
        let builder = builder.with_pixels_per_point(pixels_per_point).with_render_cursor(false).renderer(renderer);
        Self(builder.build_ui_state(show, scene))
    }

    fn frame(&mut self) -> RgbaImage {
        self.0.step();
        self.0.render().unwrap()
    }

    /// All that waits is sent before the last frame.
    fn drawn(&mut self) -> RgbaImage {
        let mut drawn = self.frame();
        while self.scene().viewport.pending() {
            drawn = self.frame();
        }
        let warms_up = self.scene().viewport.is_warming_up();
        while self.scene().viewport.is_warming_up() {
            std::thread::sleep(Duration::from_millis(1));
        }
        if warms_up {
            let cold = std::mem::replace(&mut drawn, self.frame());
            let pairs = cold.pixels().zip(drawn.pixels());
            let most = pairs.map(|(cold, warm)| differ(cold.0, warm.0)).max();
            assert!(most.is_some_and(|most| most <= 1), "the general pipeline differs from the view's own by {most:?}");
        }
        drawn
    }

    fn scene(&mut self) -> &mut Scene {
        self.0.state_mut()
    }

    fn look(&mut self, to_screen: Affine) -> RgbaImage {
        self.scene().params.to_screen = to_screen;
        self.drawn()
    }

    fn with(picture: &Picture) -> Self {
        let mut desk = Self::new(1.0, false);
        picture.put(&mut desk.scene().viewport);
        desk
    }
}

fn show(ui: &mut egui::Ui, scene: &mut Scene) {
    let painter = ui.ctx().layer_painter(LayerId::background());
    let room = ui.ctx().content_rect();
    match &scene.image {
        None => scene.viewport.paint(&painter, room, &scene.params),
        Some(image) => {
            let texture = ui.ctx().load_texture("picture", image.clone(), TextureOptions::NEAREST);
            painter.rect_filled(room, 0, GROUND);
            let [x, y] = scene.params.to_screen.apply([0.0; 2]);
            let size = vec2(image.width() as f32, image.height() as f32);
            let place = Rect::from_min_size(pos2(x as f32, y as f32), size);
            painter.rect_filled(place, 0, scene.params.check_light);
            let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            painter.image(texture.id(), place, whole, Color32::WHITE);
            // Keeps it until the frame is drawn.
            ui.ctx().data_mut(|data| data.insert_temp(egui::Id::unique("texture"), texture));
        }
    }
}

/// Canvas point (0, 0) at screen point (x, y).
fn corner(x: f32, y: f32, scale: f64, angle: f64) -> Affine {
    Affine::around(pos2(x, y), [0.0; 2], scale, angle)
}

fn differ(a: [u8; 4], b: [u8; 4]) -> u8 {
    a.into_iter().zip(b).map(|(a, b)| a.abs_diff(b)).max().unwrap()
}

fn pixel(drawn: &RgbaImage, x: u32, y: u32) -> [u8; 4] {
    drawn.get_pixel(x, y).0
}

#[test]
fn one_to_one_is_exact() {
    let picture = Picture::noise(200, 150);
    let mut desk = Desk::with(&picture);
    let drawn = desk.look(corner(20.0, 10.0, 1.0, 0.0));
    for y in 0..SIDE {
        for x in 0..SIDE {
            let inside = (20..220).contains(&x) && (10..160).contains(&y);
            let expected = if inside { picture.at(x - 20, y - 10) } else { GROUND.to_array() };
            assert_eq!(pixel(&drawn, x, y), expected, "{x}, {y}");
        }
    }
    // Between pixels the view is moved to them.
    assert!(desk.look(corner(20.4, 9.7, 1.0, 0.0)) == drawn);
}

#[test]
fn one_to_one_is_exact_on_a_fine_screen_and_far_from_the_corner() {
    let extent = Extent::new(16384, 16384);
    let part = Picture::noise(TILE, TILE);
    let mut desk = Desk::new(2.0, false);
    desk.scene().viewport.resize(extent);
    let across = tiles_of(extent).0;
    for (column, row) in [(254, 254), (255, 254), (254, 255), (255, 255)] {
        desk.scene().viewport.upload_tile(row * across + column, Some(&part.tile(0)));
    }
    let drawn = desk.look(Affine::around(pos2(5.0, 5.0), [254.0 * 64.0; 2], 0.5, 0.0));
    for y in 10..10 + 128 {
        for x in 10..10 + 128 {
            assert_eq!(pixel(&drawn, x, y), part.at((x - 10) % TILE, (y - 10) % TILE), "{x}, {y}");
        }
    }
    assert_eq!(pixel(&drawn, 138, 100), GROUND.to_array());
    let near = desk.look(Affine::around(pos2(0.0, 0.0), [254.0 * 64.0 + 60.0; 2], 16.0, 0.0));
    for y in 0..SIDE {
        for x in 0..SIDE {
            assert_eq!(pixel(&near, x, y), part.at((60 + x / 32) % TILE, (60 + y / 32) % TILE), "{x}, {y}");
        }
    }
}

#[test]
fn colours_are_those_of_egui_itself() {
    for srgb_target in [false, true] {
        // Every value, and every transparency over a flat colour.
        let picture = Picture::new(128, 128, |x, y| {
            let alpha = if y < 64 { 255 } else { (hash(x, y) >> 8) as u8 };
            let channel = |value: u32| ((value & 255) * u32::from(alpha) / 255) as u8;
            [channel(x * 2 + y), channel(x + 3 * y), channel(hash(x, y)), alpha]
        });
        let mut desk = Desk::new(1.0, srgb_target);
        picture.put(&mut desk.scene().viewport);
        desk.scene().params.check_light = Color32::from_rgb(200, 120, 60);
        desk.scene().params.check_dark = Color32::from_rgb(200, 120, 60);
        let ours = desk.look(corner(64.0, 64.0, 1.0, 0.0));
        let bytes: Vec<u8> = picture.pixels.as_flattened().to_vec();
        desk.scene().image = Some(ColorImage::from_rgba_premultiplied([128, 128], &bytes));
        let egui = desk.frame();
        for y in 64..192 {
            for x in 64..192 {
                let (found, expected) = (pixel(&ours, x, y), pixel(&egui, x, y));
                if y < 128 {
                    assert_eq!(found, expected, "{x}, {y}, {srgb_target}");
                } else if !srgb_target {
                    // A target that encodes sRGB makes egui blend linearly, which is not what a picture means.
                    assert!(differ(found, expected) <= 1, "{x}, {y}: {found:?}, {expected:?}");
                }
            }
        }
        assert_eq!(pixel(&ours, 1, 1), pixel(&egui, 1, 1));
    }
}

#[test]
fn four_times_is_crisp_and_a_quarter_is_the_mean() {
    let picture = Picture::noise(200, 150);
    let mut desk = Desk::with(&picture);
    let near = desk.look(Affine::around(pos2(0.0, 0.0), [40.0, 50.0], 4.0, 0.0));
    for y in 0..SIDE {
        for x in 0..SIDE {
            assert_eq!(pixel(&near, x, y), picture.at(40 + x / 4, 50 + y / 4), "{x}, {y}");
        }
    }
    let far = desk.look(corner(8.0, 8.0, 0.25, 0.0));
    for y in 0..37 {
        for x in 0..50 {
            let mut sum = [0u32; 4];
            for k in 0..16 {
                let of = picture.at(x * 4 + k % 4, y * 4 + k / 4);
                sum.iter_mut().zip(of).for_each(|(sum, of)| *sum += u32::from(of));
            }
            let mean = sum.map(|sum| ((sum + 8) / 16) as u8);
            assert!(differ(pixel(&far, x + 8, y + 8), mean) <= 1, "{x}, {y}");
        }
    }
}

#[test]
fn quarters_of_a_turn_are_exact() {
    let picture = Picture::noise(100, 70);
    let mut desk = Desk::with(&picture);
    let right = desk.look(corner(150.0, 20.0, 1.0, FRAC_PI_2));
    let back = desk.look(corner(220.0, 200.0, 2.0, 2.0 * FRAC_PI_2));
    for y in 0..70 {
        for x in 0..100 {
            assert_eq!(pixel(&right, 149 - y, 20 + x), picture.at(x, y), "{x}, {y}");
            assert_eq!(pixel(&back, 219 - 2 * x, 199 - 2 * y), picture.at(x, y), "{x}, {y}");
        }
    }
}

/// The mean of 16×16 points of a screen pixel, ground round the canvas.
fn sampled(picture: &Picture, back: &Affine, x: u32, y: u32) -> [f64; 4] {
    let mut sum = [0.0; 4];
    for k in 0..256 {
        let spot = [f64::from(x) + (f64::from(k % 16) + 0.5) / 16.0, f64::from(y) + (f64::from(k / 16) + 0.5) / 16.0];
        let [u, v] = back.apply(spot).map(f64::floor);
        let inside =
            u >= 0.0 && v >= 0.0 && u < f64::from(picture.extent.width) && v < f64::from(picture.extent.height);
        let of = if inside { picture.at(u as u32, v as u32) } else { GROUND.to_array() };
        sum.iter_mut().zip(of).for_each(|(sum, of)| *sum += f64::from(of) / 256.0);
    }
    sum
}

#[test]
fn any_angle_and_scale_is_near_the_mean_of_the_area() {
    // Squares of eight pixels with a slope in them.
    let picture = Picture::new(300, 300, |x, y| {
        let base = if (x / 8 + y / 8) % 2 == 0 { 60 } else { 180 };
        [base + (x / 8) as u8, base, base + (y / 8) as u8, 255]
    });
    let mut desk = Desk::with(&picture);
    for (scale, degrees) in [(2.0, 30.0), (1.0, 30.0), (1.37, 0.0), (3.3, -71.0), (0.6, 0.0), (0.75, 30.0), (0.3, 12.0)]
    {
        let angle = f64::to_radians(degrees);
        let to_screen = Affine::around(pos2(128.0, 128.0), [151.3, 148.6], scale, angle);
        let drawn = desk.look(to_screen);
        let back = to_screen.inverse().unwrap();
        let (mut sum, mut most) = (0.0, 0.0f64);
        for y in 0..SIDE {
            for x in 0..SIDE {
                let expected = sampled(&picture, &back, x, y);
                let found = pixel(&drawn, x, y);
                let off = found.into_iter().zip(expected).map(|(a, b)| (f64::from(a) - b).abs()).fold(0.0, f64::max);
                sum += off;
                most = most.max(off);
            }
        }
        let mean = sum / f64::from(SIDE * SIDE);
        // A box along the canvas stands for a turned one; where nothing is turned it is the area itself.
        let (mean_limit, most_limit) = match (degrees == 0.0, scale >= 1.0) {
            (true, true) => (0.4, 6.0),
            (true, false) => (1.0, 30.0),
            (false, true) => (1.5, 36.0),
            (false, false) => (4.0, 60.0),
        };
        assert!(mean <= mean_limit && most <= most_limit, "{scale} at {degrees}°: mean {mean:.2}, most {most:.1}");
    }
}

#[test]
fn no_seams_between_tiles_and_pages() {
    // Nearly flat, so that tiles do need their slots, on more than one page; handed in by and by, so that pages are added.
    let picture = Picture::new(1300, 1300, |x, y| [120 + (hash(x, y) & 1) as u8, 80, 200, 255]);
    let mut desk = Desk::new(1.0, false);
    desk.scene().viewport.resize(picture.extent);
    desk.scene().viewport.set_budget(200 << 10);
    for tile in 0..picture.tiles() {
        desk.scene().viewport.upload_tile(tile, Some(&picture.tile(tile)));
    }
    desk.drawn();
    assert!(desk.scene().viewport.bytes_on_card() > 441 * 64 * 96 * 4);
    for (scale, degrees) in [(1.0, 0.0), (0.21, 30.0), (0.37, 0.0), (0.999, 45.0), (1.7, 30.0), (5.3, 10.0), (0.5, 0.0)]
    {
        for centre in [[640.0, 640.0], [639.5, 704.25]] {
            let to_screen = Affine::around(pos2(128.0, 128.0), centre, scale, f64::to_radians(degrees));
            let drawn = desk.look(to_screen);
            let back = to_screen.inverse().unwrap();
            let border = 2.0 / scale;
            for (x, y, found) in drawn.enumerate_pixels() {
                let [u, v] = back.apply([f64::from(x) + 0.5, f64::from(y) + 0.5]);
                let inside = [u, v].into_iter().all(|at| at > border && at < 1300.0 - border);
                let near = (119..=122).contains(&found.0[0]) && found.0[1..] == [80, 200, 255];
                assert!(near || !inside, "{scale} at {degrees}°: {x}, {y}: {found:?}");
            }
        }
    }
}

#[test]
fn from_afar_the_border_does_not_fade() {
    let picture = Picture::new(130, 130, |x, y| [(100 + (x + y) % 2) as u8, 150, 50, 255]);
    let mut desk = Desk::with(&picture);
    for scale in [0.5, 0.25, 0.125] {
        let drawn = desk.look(corner(0.0, 0.0, scale, 0.0));
        let last = (130.0 * scale) as u32 - 1;
        for k in 0..=last {
            for found in [pixel(&drawn, k, last), pixel(&drawn, last, k)] {
                assert!(differ(found, [100, 150, 50, 255]) <= 1, "{scale}: {found:?}");
            }
        }
    }
}

#[test]
fn squares_under_transparency_stay_on_the_screen() {
    let picture = Picture::new(256, 256, |_, _| [0; 4]);
    let mut desk = Desk::with(&picture);
    for (scale, angle) in [(1.0, 0.0), (7.3, 0.4), (2.0, 1.0)] {
        let drawn = desk.look(Affine::around(pos2(128.0, 128.0), [128.0, 128.0], scale, angle));
        for (x, y) in [(128, 128), (100, 131), (131, 100), (136, 128), (143, 143)] {
            let dark = (x / 8 + y / 8) % 2 == 1;
            let expected = if dark { [0xd8, 0xd8, 0xd8, 255] } else { [255; 4] };
            assert_eq!(pixel(&drawn, x, y), expected, "{x}, {y}");
        }
    }
    assert_eq!(desk.scene().viewport.bytes_on_card(), 0);
}

#[test]
fn the_mask_lies_over_the_picture() {
    let picture = Picture::noise(128, 128);
    let mut desk = Desk::with(&picture);
    desk.scene().viewport.upload_mask_tile(0, Some(&coverage(|x, y| (x * 2 + y) as u8)));
    desk.scene().viewport.upload_mask_tile(3, Some(&coverage(|_, _| 255)));
    let color = Color32::from_rgb(220, 40, 30);
    desk.scene().params.mask = Some(MaskOverlay { color, opacity: 0.5 });
    let drawn = desk.look(corner(0.0, 0.0, 1.0, 0.0));
    for y in 0..128 {
        for x in 0..128 {
            let mask = match (x / 64, y / 64) {
                (0, 0) => (x * 2 + y) as u8,
                (1, 1) => 255,
                _ => 0,
            };
            let share = f64::from(mask) / 255.0 * 0.5;
            let mut expected = picture.at(x, y);
            expected.iter_mut().zip(color.to_array()).for_each(|(below, over)| {
                *below = (f64::from(*below) * (1.0 - share) + f64::from(over) * share).round() as u8;
            });
            assert!(differ(pixel(&drawn, x, y), expected) <= 1, "{x}, {y}");
        }
    }
    desk.scene().params.mask = None;
    assert_eq!(pixel(&desk.drawn(), 100, 100), picture.at(100, 100));
}

#[test]
fn the_grid_is_one_pixel_wide() {
    let picture = Picture::new(64, 64, |x, y| if (x + y) % 2 == 0 { [250, 250, 250, 255] } else { [10, 10, 10, 255] });
    let mut desk = Desk::with(&picture);
    desk.scene().params.grid = 0.5;
    let drawn = desk.look(corner(0.0, 0.0, 8.0, 0.0));
    for y in 0..SIDE {
        for x in 0..SIDE {
            let [value, ..] = picture.at(x / 8, y / 8);
            let line = if value > 128 { 0.0 } else { 255.0 };
            let on = x % 8 == 0 || y % 8 == 0;
            let expected = if on { (f64::from(value) + line) / 2.0 } else { f64::from(value) };
            assert!((f64::from(pixel(&drawn, x, y)[0]) - expected).abs() <= 1.0, "{x}, {y}");
        }
    }
    let below = desk.look(corner(0.0, 0.0, 7.0, 0.0));
    assert_eq!(pixel(&below, 7, 7), picture.at(1, 1));
}

#[test]
fn ants_walk_inside_the_selection() {
    let picture = Picture::new(128, 128, |_, _| [90, 90, 90, 255]);
    let mut desk = Desk::with(&picture);
    // A rectangle that two tiles share.
    let inside = |x: u32, y: u32| (40..90).contains(&x) && (10..30).contains(&y);
    for tile in 0..2 {
        let part = coverage(|x, y| if inside(x + tile * 64, y) { 255 } else { 0 });
        desk.scene().viewport.upload_selection_tile(tile, Some(&part));
    }
    let plain = desk.look(corner(0.0, 0.0, 2.0, 0.0));
    assert_eq!(pixel(&plain, 80, 20), [90, 90, 90, 255]);
    desk.scene().params.ants = Some(0.0);
    let drawn = desk.drawn();
    desk.scene().params.ants = Some(4.0);
    let shifted = desk.drawn();
    desk.scene().params.ants = Some(8.0);
    assert!(desk.drawn() == drawn);
    let (mut black, mut white) = (0, 0);
    for y in 0..128 {
        for x in 0..SIDE {
            let edge = inside(x / 2, y / 2)
                && [(x.wrapping_sub(1), y), (x + 1, y), (x, y.wrapping_sub(1)), (x, y + 1)]
                    .into_iter()
                    .any(|(x, y)| !inside(x / 2, y / 2));
            match pixel(&drawn, x, y) {
                [0, 0, 0, 255] if edge => black += 1,
                [255, 255, 255, 255] if edge => white += 1,
                found => assert!(!edge && found == [90, 90, 90, 255], "{x}, {y}: {found:?}"),
            }
            if edge {
                assert_eq!(pixel(&shifted, x, y)[0], 255 - pixel(&drawn, x, y)[0]);
            }
        }
    }
    assert!(black > 100 && white > 100 && black + white == 2 * (100 + 40) - 4);
    // From afar and turned the edge is still there, and nothing is painted off the canvas.
    desk.scene().viewport.upload_selection_tile(2, Some(&coverage(|_, _| 255)));
    let far = desk.look(corner(128.0, 20.0, 0.4, 0.7));
    let marked = far.pixels().filter(|p| p.0 == [0, 0, 0, 255] || p.0 == [255, 255, 255, 255]).count();
    assert!(marked > 60, "{marked}");
}

#[test]
fn the_preview_is_smooth_and_keeps_to_its_place() {
    let picture = Picture::noise(128, 128);
    let mut desk = Desk::with(&picture);
    let small: Vec<u8> = (0..64).flat_map(|k| [(k % 8 * 30) as u8, 100, 0, 255]).collect();
    desk.scene().viewport.set_preview(Some((Extent::new(8, 8), &small)));
    assert_eq!(pixel(&desk.look(corner(0.0, 0.0, 1.0, 0.0)), 50, 50), picture.at(50, 50));
    desk.scene().params.preview = Some(PreviewPlace { rect: IntRect::new(32, 16, 64, 64), opacity: 1.0 });
    let drawn = desk.drawn();
    for y in 0..128 {
        for x in 0..128 {
            let inside = (32..96).contains(&x) && (16..80).contains(&y);
            let found = pixel(&drawn, x, y);
            if !inside {
                assert_eq!(found, picture.at(x, y), "{x}, {y}");
                continue;
            }
            assert_eq!(found[1..], [100, 0, 255]);
            let slope = (f64::from(x - 32) + 0.5) / 8.0 * 30.0 - 15.0;
            let off = (f64::from(found[0]) - slope.clamp(0.0, 210.0)).abs();
            assert!(off <= if (40..88).contains(&x) { 1.0 } else { 8.0 }, "{x}, {y}: {found:?}, {slope}");
        }
    }
    desk.scene().viewport.set_preview(None);
    assert_eq!(pixel(&desk.drawn(), 50, 50), picture.at(50, 50));
}

#[test]
fn before_and_after() {
    let picture = Picture::noise(128, 64);
    let before = Picture::new(128, 64, |x, y| [x as u8, y as u8, 7, 255]);
    let mut desk = Desk::with(&picture);
    // Only the second tile was another.
    desk.scene().viewport.upload_before_tile(1, Some(&before.tile(1)));
    desk.scene().viewport.upload_mask_tile(1, Some(&[255; COVERAGE_BYTES]));
    desk.scene().params.mask = Some(MaskOverlay { color: Color32::RED, opacity: 1.0 });
    desk.scene().params.compare = Compare::Before;
    let drawn = desk.look(corner(0.0, 0.0, 1.0, 0.0));
    assert_eq!((pixel(&drawn, 20, 20), pixel(&drawn, 100, 20)), (picture.at(20, 20), before.at(100, 20)));
    desk.scene().params.compare = Compare::Split(100.0);
    let drawn = desk.drawn();
    assert_eq!((pixel(&drawn, 99, 20), pixel(&drawn, 100, 20)), (before.at(99, 20), [255, 0, 0, 255]));
    desk.scene().viewport.upload_before_tile(1, None);
    assert_eq!(pixel(&desk.drawn(), 99, 20), picture.at(99, 20));
}

#[test]
fn a_frame_sends_what_is_seen_first_and_no_more_than_its_share() {
    let picture = Picture::noise(1024, 1024);
    let mut desk = Desk::new(1.0, false);
    desk.scene().viewport.set_budget(25 * 64 * 96 * 4);
    picture.put(&mut desk.scene().viewport);
    let waiting = desk.scene().viewport.pending_bytes();
    // The view shows 4 × 4 tiles, 5 × 5 at most.
    desk.scene().params.to_screen = Affine::around(pos2(0.0, 0.0), [700.0, 700.0], 1.0, 0.0);
    let drawn = desk.frame();
    assert_eq!(desk.scene().viewport.pending_bytes(), waiting - 25 * 64 * 96 * 4);
    for (x, y) in [(0, 0), (255, 0), (0, 255), (255, 255), (100, 130)] {
        assert_eq!(pixel(&drawn, x, y), picture.at(700 + x, 700 + y));
    }
    let mut frames = 1;
    while desk.scene().viewport.pending() {
        desk.frame();
        frames += 1;
    }
    assert_eq!(frames, 256u32.div_ceil(25));
}

#[test]
fn tiles_change_and_go() {
    let (first, second) = (Picture::noise(128, 64), Picture::new(128, 64, |x, y| [(x ^ y) as u8, 9, 9, 255]));
    let mut desk = Desk::with(&first);
    let at = corner(0.0, 0.0, 1.0, 0.0);
    assert_eq!(pixel(&desk.look(at), 3, 4), first.at(3, 4));
    let used = desk.scene().viewport.bytes_on_card();
    // The last of two changes counts; a flat tile gives its slot back; the other takes it.
    desk.scene().viewport.upload_tile(0, None);
    desk.scene().viewport.upload_tile(0, Some(&second.tile(0)));
    desk.scene().viewport.upload_tile(1, Some(&[200; COLOR_BYTES]));
    let drawn = desk.drawn();
    assert_eq!((pixel(&drawn, 3, 4), pixel(&drawn, 72, 4)), (second.at(3, 4), [247, 247, 247, 255]));
    desk.scene().viewport.upload_tile(0, None);
    desk.scene().viewport.upload_tile(1, Some(&second.tile(1)));
    let drawn = desk.drawn();
    assert_eq!((pixel(&drawn, 3, 4), pixel(&drawn, 72, 4)), ([255; 4], second.at(72, 4)));
    assert_eq!(desk.scene().viewport.bytes_on_card(), used);
    // Another canvas begins empty.
    desk.scene().viewport.resize(Extent::new(100, 100));
    assert_eq!(pixel(&desk.drawn(), 3, 4), [255; 4]);
}

#[test]
fn nonsense_changes_nothing() {
    let picture = Picture::noise(100, 100);
    let mut desk = Desk::with(&picture);
    let drawn = desk.look(corner(0.0, 0.0, 1.0, 0.0));
    let viewport = &mut desk.scene().viewport;
    viewport.upload_tile(4, Some(&[1; COLOR_BYTES]));
    viewport.upload_tile(u32::MAX, None);
    viewport.upload_tile(0, Some(&[1; 7]));
    viewport.upload_mask_tile(0, Some(&[1; COLOR_BYTES]));
    viewport.set_preview(Some((Extent::new(2, 2), &[0; 15])));
    viewport.set_preview(Some((Extent::new(u32::MAX, 1), &[])));
    assert!(!viewport.pending());
    desk.scene().params.preview = Some(PreviewPlace { rect: IntRect::new(0, 0, 50, 50), opacity: 1.0 });
    assert!(desk.drawn() == drawn);
    for scale in [0.0, f64::NAN, f64::INFINITY, 1e-30] {
        let ground = desk.look(corner(0.0, 0.0, scale, 0.0));
        assert!(ground.pixels().skip(1).all(|p| p.0 == GROUND.to_array()), "{scale}");
    }
    // A canvas without pixels, and one that is too large.
    desk.scene().viewport.resize(Extent::new(0, 5));
    assert_eq!(pixel(&desk.look(corner(0.0, 0.0, 1.0, 0.0)), 3, 3), GROUND.to_array());
    desk.scene().viewport.resize(Extent::new(u32::MAX, 10));
    assert_eq!(desk.scene().viewport.extent(), Extent::new(16384, 10));
    assert_eq!(pixel(&desk.drawn(), 3, 3), [255; 4]);
}

#[test]
fn two_views_of_a_canvas_in_one_frame() {
    let picture = Picture::noise(64, 64);
    let state = create_render_state(default_wgpu_setup(), RendererOptions::PREDICTABLE);
    let mut viewport = Viewport::new(Some(&state));
    picture.put(&mut viewport);
    let builder = Harness::builder().with_size(vec2(128.0, 64.0)).with_render_cursor(false);
    let mut harness = builder.renderer(WgpuTestRenderer::from_render_state(state)).build_ui(move |ui| {
        let painter = ui.ctx().layer_painter(LayerId::background());
        for (x, scale) in [(0.0, 1.0), (64.0, 2.0)] {
            let rect = Rect::from_min_size(pos2(x, 0.0), vec2(64.0, 64.0));
            viewport.paint(&painter, rect, &ViewParams::new(corner(x, 0.0, scale, 0.0), GROUND));
        }
    });
    harness.step();
    let drawn = harness.render().unwrap();
    assert_eq!((pixel(&drawn, 63, 40), pixel(&drawn, 64, 40)), (picture.at(63, 40), picture.at(0, 20)));
}

#[test]
fn without_a_card_there_is_paper() {
    let mut viewport = Viewport::new(None);
    viewport.resize(Extent::new(100, 100));
    viewport.upload_tile(0, Some(&[1; COLOR_BYTES]));
    viewport.set_preview(None);
    assert!(!viewport.is_live() && !viewport.pending() && viewport.bytes_on_card() == 0);
    let builder = Harness::builder().with_size(vec2(128.0, 128.0)).with_render_cursor(false).wgpu();
    let mut harness = builder.build_ui(move |ui| {
        let painter = ui.ctx().layer_painter(LayerId::background());
        viewport.paint(&painter, ui.ctx().content_rect(), &ViewParams::new(corner(10.0, 10.0, 0.5, 0.0), GROUND));
    });
    harness.step();
    let drawn = harness.render().unwrap();
    assert_eq!((pixel(&drawn, 30, 30), pixel(&drawn, 90, 90)), ([255; 4], GROUND.to_array()));
}
