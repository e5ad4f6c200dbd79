//! Pixel snapshots of the window, drawn by wgpu: `cargo test --features snapshots --test snapshots`. Needs a graphics
//! adapter; a software one (lavapipe) will do. `UPDATE_SNAPSHOTS=1` writes the pictures of `tests/snapshots/` anew.
#![cfg(feature = "snapshots")]

mod common;

use danqing::base::{Extent, Problem, ProblemKind};
use danqing::jobs::FakeGenerator;
use danqing::jobs::fake::fake_family;
use danqing::recipe::FamilyInfo;
use danqing::ui::icons::{self, Icon};
use danqing::ui::{Shell, prepare};
use eframe::egui_wgpu::RendererOptions;
use egui::{Event, Key, Modifiers, pos2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use egui_kittest::wgpu::{WgpuTestRenderer, create_render_state, default_wgpu_setup};
use image::RgbaImage;
use std::path::Path;
use std::time::{Duration, Instant};

/// Share of pixels that may differ visibly: adapters do not round alike.
const TOLERANCE: f64 = 0.002;

type Window = Harness<'static, Option<Shell>>;

fn open(settings: &str, make: impl Fn() -> FakeGenerator + Send + 'static) -> (Window, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("settings.json"), settings).unwrap();
    let family = FamilyInfo { native: Extent::new(256, 256), title: "Xiaotu", ..fake_family() };
    let setup = common::setup(folder.path(), vec![("小图", family)], make);
    let builder = Harness::builder().with_size([1280.0, 800.0]).with_context_setup(prepare);
    let card = create_render_state(default_wgpu_setup(), RendererOptions::PREDICTABLE);
    let frames = common::frames_on(Some(card.clone()), setup);
    let builder = builder.with_render_cursor(false).renderer(WgpuTestRenderer::from_render_state(card));
    let window = builder.build_ui_state(frames, None);
    (window, folder)
}

fn settle(window: &mut Window) {
    let start = Instant::now();
    let busy = |window: &Window| {
        let state = window.state().as_ref().unwrap().state();
        state.is_working() || state.paintings.iter().any(|p| p.thumbnail.is_none())
    };
    while busy(window) {
        assert!(start.elapsed() < Duration::from_secs(60));
        window.step();
        std::thread::sleep(Duration::from_millis(1));
    }
    window.run_steps(4);
}

fn compare(window: &mut Window, name: &str) {
    compare_with(&window.render().unwrap(), name);
}

fn compare_with(drawn: &RgbaImage, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("snapshots");
    let path = folder.join(format!("{name}.png"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        drawn.save(&path).unwrap();
        return;
    }
    let expected: RgbaImage = image::open(&path).unwrap().to_rgba8();
    assert_eq!(drawn.dimensions(), expected.dimensions(), "{name}");
    let far = |(a, b): (&image::Rgba<u8>, &image::Rgba<u8>)| a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > 24);
    let differing = drawn.pixels().zip(expected.pixels()).filter(|&pair| far(pair)).count();
    let share = differing as f64 / f64::from(drawn.width() * drawn.height());
    if share > TOLERANCE {
        let found = std::env::temp_dir().join(format!("danqing-{name}.png"));
        drawn.save(&found).unwrap();
        panic!("{name}: {:.2} % of the pixels differ; see {}", share * 100.0, found.display());
    }
}

#[test]
fn the_empty_desk_in_both_shades() {
    for (shade, language) in [("dark", "zh-CN"), ("light", "en")] {
        let settings = format!(r#"{{"shade": "{shade}", "language": "{language}", "advanced": true}}"#);
        let (mut window, _folder) = open(&settings, FakeGenerator::new);
        window.run_steps(4);
        compare(&mut window, &format!("empty-{shade}"));
    }
}

/// A window in which a batch of three is done.
fn painted(settings: &str, button: &str) -> (Window, tempfile::TempDir) {
    // Slow enough that no step's preview is passed over.
    let slow = || FakeGenerator::new().with_delay(Duration::from_millis(20));
    let (mut window, folder) = open(settings, slow);
    window.get_by_role_and_label(egui::Role::Button, button).click();
    window.run_steps(4);
    settle(&mut window);
    (window, folder)
}

#[test]
fn a_finished_batch() {
    let settings = r#"{"prompt": "飞流直下三千尺，油画", "batch": 3, "seed": {"value": 7, "kept": true}}"#;
    let (mut window, _folder) = painted(settings, "作画");
    compare(&mut window, "batch");
}

#[test]
fn a_mask_over_a_picture() {
    let settings = r#"{"shade": "light", "language": "en", "prompt": "飞流直下三千尺，油画", "batch": 3,
        "seed": {"value": 7, "kept": true}}"#;
    let (mut window, _folder) = painted(settings, "Paint");
    let place = |x: f32| pos2(690.0 + x, 330.0 + 40.0 * (x / 60.0).sin());
    let button = |pressed, pos| Event::PointerButton {
        pos,
        button: egui::PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    window.event(Event::PointerMoved(place(0.0)));
    window.run_steps(2);
    window.event(button(true, place(0.0)));
    for at in 1..=40 {
        window.event(Event::PointerMoved(place(at as f32 * 4.0)));
        window.step();
    }
    window.event(button(false, place(160.0)));
    window.event(Event::PointerMoved(pos2(1140.0, 300.0)));
    window.run_steps(20);
    compare(&mut window, "mask");
}

#[test]
fn a_problem() {
    let problem = Problem::new(ProblemKind::OutOfMemory).detail("allocation of 4 GiB failed");
    let settings = r#"{"prompt": "飞流直下三千尺，油画", "shade": "light", "seed": {"value": 7, "kept": true}}"#;
    let (mut window, _folder) = open(settings, move || FakeGenerator::new().failing_at(2, problem.clone()));
    window.get_by_role_and_label(egui::Role::Button, "作画").click();
    window.run_steps(4);
    settle(&mut window);
    window.get_by_label("详情").click();
    window.run_steps(4);
    compare(&mut window, "problem");
}

fn press(window: &mut Window, key: Key, modifiers: Modifiers) {
    window.key_press_modifiers(modifiers, key);
    window.run_steps(4);
}

/// Opens the palette and writes into it.
fn look_for(window: &mut Window, words: &str) {
    press(window, Key::K, Modifiers::COMMAND);
    window.event(Event::Text(words.into()));
    window.run_steps(4);
}

#[test]
fn the_palette_in_both_shades() {
    for (shade, language, words) in [("dark", "zh-CN", "mb"), ("light", "en", "layer")] {
        let settings = format!(r#"{{"shade": "{shade}", "language": "{language}"}}"#);
        let (mut window, _folder) = open(&settings, FakeGenerator::new);
        window.run_steps(4);
        look_for(&mut window, words);
        compare(&mut window, &format!("palette-{shade}"));
    }
}

#[test]
fn cards_that_the_palette_opens() {
    for (shade, words, name) in [("light", "快捷键", "shortcuts"), ("dark", "关于", "about")] {
        let settings = format!(r#"{{"shade": "{shade}", "language": "zh-CN"}}"#);
        let (mut window, _folder) = open(&settings, FakeGenerator::new);
        window.run_steps(4);
        look_for(&mut window, words);
        press(&mut window, Key::Enter, Modifiers::NONE);
        window.run_steps(20);
        compare(&mut window, name);
    }
}

/// Every sign at 16 and 18 points, in both shades, on an ordinary and on a fine screen.
#[test]
fn the_signs() {
    for (name, pixels_per_point) in [("signs", 1.0), ("signs-fine", 2.0)] {
        let builder = Harness::builder().with_size([560.0, 400.0]).with_pixels_per_point(pixels_per_point);
        let mut sheet = builder.with_context_setup(prepare).with_render_cursor(false).wgpu().build_ui(|ui| {
            let painter = ui.ctx().layer_painter(egui::LayerId::background());
            let grounds = [(egui::Color32::from_rgb(28, 26, 24), 0xE8), (egui::Color32::from_rgb(244, 239, 228), 0x27)];
            for (half, (ground, ink)) in grounds.into_iter().enumerate() {
                let room = egui::Rect::from_min_size(egui::pos2(280.0 * half as f32, 0.0), egui::vec2(280.0, 400.0));
                painter.rect_filled(room, 0, ground);
                let turned = (0..4).map(Icon::Chevron).chain([Icon::Shape(3, 2)]);
                for (k, icon) in Icon::ALL.iter().copied().chain(turned).enumerate() {
                    let (column, row) = (k % 10, k / 10);
                    let cell = egui::Rect::from_min_size(
                        room.min + egui::vec2(28.0 * column as f32, 56.0 * row as f32),
                        egui::Vec2::splat(28.0),
                    );
                    let color = egui::Color32::from_gray(ink);
                    icons::paint(&painter, cell, icon, color);
                    icons::paint_sized(&painter, cell.translate(egui::vec2(0.0, 26.0)), icon, color, 18.0);
                }
            }
        });
        sheet.run_steps(2);
        let drawn = sheet.render().unwrap();
        compare_with(&drawn, name);
    }
}
