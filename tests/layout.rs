//! What the window looked like comes back at the next start.

mod common;

use common::Window;
use danqing::app::layout::Layout;
use danqing::app::settings::Settings;
use egui::{Event, Key, Modifiers, PointerButton, Pos2, Role, pos2};
use egui_kittest::kittest::Queryable;
use std::time::Duration;

fn drag(window: &mut Window, from: Pos2, to: Pos2) {
    let (button, modifiers) = (PointerButton::Primary, Modifiers::NONE);
    let press = |pos, pressed| Event::PointerButton { pos, button, pressed, modifiers };
    window.events(vec![Event::PointerMoved(from)]);
    window.events(vec![press(from, true)]);
    window.events(vec![Event::PointerMoved(from + (to - from) / 2.0)]);
    window.events(vec![Event::PointerMoved(to)]);
    window.events(vec![press(to, false)]);
}

fn canvas(window: &Window) -> egui::Rect {
    let label = window.t("label-canvas");
    window.harness.get_by_role_and_label(Role::Canvas, &label).rect()
}

#[test]
fn panels_are_as_wide_and_as_shown_as_they_were_left() {
    let mut window = Window::open();
    window.paint("山");
    window.harness.run_steps(30);
    let usual = window.state().layout;
    assert_eq!((usual.prompt_width, usual.layers_width), (360.0, 256.0), "nothing grows by itself");
    drag(&mut window, pos2(362.0, 300.0), pos2(420.0, 300.0));
    let right = 1600.0 - 256.0;
    drag(&mut window, pos2(right - 2.0, 300.0), pos2(right - 64.0, 300.0));
    let left = window.state().layout;
    assert!(left.prompt_width > 400.0 && left.layers_width > 300.0, "{left:?}");
    let place = canvas(&window);

    let mut window = window.again();
    window.paint("水");
    assert_eq!((window.state().layout, canvas(&window)), (left, place));
    window.plain(Key::F7);
    window.plain(Key::F8);
    let wide = canvas(&window);
    assert!(wide.width() > place.width() + 700.0, "{wide:?} {place:?}");
    assert!(!window.sees(&window.t("edit-beginning")));

    let window = window.again();
    assert!(!window.state().layout.prompt && !window.state().layout.layers);
}

#[test]
fn who_is_told_to_write_gets_the_place_for_it() {
    let layout = Layout { prompt: false, ..Layout::default() };
    let mut window = Window::with(Settings { layout, ..Settings::default() }, true, Duration::ZERO);
    let prompt = window.t("label-prompt");
    assert!(window.harness.query_by_role_and_label(Role::MultilineTextInput, &prompt).is_none());
    window.command(Key::Enter);
    window.harness.run_steps(4);
    assert!(window.harness.get_by_role_and_label(Role::MultilineTextInput, &prompt).is_focused());
}

#[test]
fn the_gallerys_cells_are_as_large_as_they_were_left() {
    let mut window = Window::open();
    window.plain(Key::F3);
    window.until("the gallery", |s| s.wall.is_answered() && s.wall.scan.is_none());
    let label = window.t("label-wall-tile");
    window.harness.get_by_role_and_label(Role::Slider, &label).set_value_accesskit(240.0);
    window.harness.run_steps(4);
    assert_eq!(window.state().wall.tile, 240.0);
    let window = window.again();
    assert_eq!(window.state().wall.tile, 240.0);
    let settings = Settings { tile: 9e9, ..Settings::default() };
    let window = Window::with(settings, true, Duration::ZERO);
    assert_eq!(window.state().wall.tile, 320.0);
}
