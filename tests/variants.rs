//! What comes of a generation on the canvas: choosing among its pictures, and the look at what was there before.

mod common;

use common::Window;
use danqing::app::settings::Settings;
use danqing::canvas::surface::flatten;
use danqing::imaging::Pixmap;
use egui::{Event, Key, Modifiers, PointerButton};
use std::time::Duration;

/// A window in which every job gives so many pictures.
fn batches(of: u32) -> Window {
    Window::with(Settings { batch: of, ..Settings::default() }, true, Duration::ZERO)
}

/// Puts the keys into the hands of the canvas, and changes nothing.
fn to_canvas(window: &mut Window) {
    window.click(&window.t("tool-pan"));
    window.stroke(&[(10.0, 10.0)]);
}

/// What the display shows.
fn seen(window: &Window) -> Pixmap {
    let document = window.desk().seen();
    flatten(&document, document.canvas())
}

fn key(key: Key, pressed: bool) -> Event {
    Event::Key { key, physical_key: None, pressed, repeat: false, modifiers: Modifiers::NONE }
}

#[test]
fn one_leafs_through_a_batch_on_the_canvas_without_a_step_of_the_history() {
    let mut window = batches(3);
    window.paint("山");
    let pictures: Vec<_> = (0..3).map(|k| (*window.painting(k).picture).clone()).collect();
    assert!(window.sees("第 1 幅，共 3 幅") && window.picture() == pictures[0]);
    let (next, previous) = (window.t("command-variant-next"), window.t("command-variant-previous"));
    for (words, shown) in [(&next, 1), (&next, 2), (&next, 0), (&previous, 2), (&previous, 1)] {
        window.click(words);
        window.settle();
        assert_eq!(window.picture(), pictures[shown]);
        // The timeline is that of the picture on the canvas.
        assert_eq!(window.state().told_of().unwrap().id, window.painting(shown).id);
        assert!(window.sees(&format!("第 {} 幅，共 3 幅", shown + 1)));
        assert_eq!((window.layers(), window.steps()), (1, vec!["edit-paint"]));
    }
    to_canvas(&mut window);
    window.plain(Key::Period);
    window.settle();
    assert_eq!(window.picture(), pictures[2]);
    window.plain(Key::Comma);
    window.settle();
    assert_eq!(window.picture(), pictures[1]);

    // One step, there and back; the choice is open again.
    window.command(Key::Z);
    assert!(window.picture().rgba().iter().all(|v| *v == 0) && !window.sees(&next));
    window.command(Key::Y);
    assert_eq!((window.picture(), window.sees(&next)), (pictures[1].clone(), true));

    window.click(&window.t("command-variant-keep"));
    assert!(!window.sees(&next));
    assert_eq!((window.picture(), window.steps()), (pictures[1].clone(), vec!["edit-paint"]));
    // The next picture takes the place of what was kept, as it would of a single one.
    window.paint("水");
    assert_eq!((window.layers(), window.steps()), (1, vec!["edit-paint", "edit-paint"]));
    assert!(window.sees("第 1 幅，共 3 幅") && window.picture() == *window.painting(0).picture);
    window.command(Key::Z);
    window.plain(Key::Escape);
}

#[test]
fn to_paint_on_is_to_keep() {
    let mut window = batches(2);
    window.paint("山");
    let next = window.t("command-variant-next");
    window.click(&next);
    window.settle();
    window.click(&window.t("tool-colour-brush"));
    window.stroke(&[(60.0, 60.0), (90.0, 70.0)]);
    assert!(!window.sees(&next));
    let painted = window.picture();
    window.plain(Key::Period);
    window.settle();
    assert_eq!(window.picture(), painted);
    window.command(Key::Z);
    assert!(window.sees(&next) && window.picture() == *window.painting(1).picture);
}

#[test]
fn what_is_kept_as_a_layer_stays_below_while_one_goes_on_choosing() {
    let mut window = batches(2);
    window.paint("山");
    let pictures: Vec<_> = (0..2).map(|k| (*window.painting(k).picture).clone()).collect();
    window.click(&window.t("command-variant-keep-layer"));
    assert_eq!((window.layers(), window.steps()), (2, vec!["edit-paint", "edit-variant-keep"]));
    window.click(&window.t("command-variant-next"));
    window.settle();
    let document = window.desk().document();
    let held: Vec<_> = document.layers().iter().map(|layer| layer.pixels.pixmap(document.canvas())).collect();
    assert_eq!(held, pictures);
    assert_eq!((window.steps().len(), window.picture()), (2, pictures[1].clone()));

    to_canvas(&mut window);
    window.plain(Key::Backslash);
    window.key(Key::Delete, Modifiers::ALT);
    assert_eq!((window.layers(), window.picture()), (1, pictures[0].clone()));
    assert!(!window.sees(&window.t("command-variant-keep")));
    let note = window.t("note-variant-discarded");
    assert!(window.sees(&note));
}

#[test]
fn a_repaint_is_kept_or_put_away() {
    let mut window = Window::open();
    window.paint("山");
    let (keep, discard) = (window.t("command-variant-keep"), window.t("command-variant-discard"));
    assert!(!window.sees(&keep), "a single picture is simply the picture");
    window.stroke(&[(40.0, 40.0), (60.0, 50.0)]);
    let before = window.picture();
    window.command(Key::Enter);
    window.settle();
    assert!(window.sees(&keep) && !window.sees(&window.t("command-variant-next")));
    assert_eq!((window.layers(), window.picture() == before), (2, false));
    window.click(&discard);
    assert_eq!((window.layers(), window.picture(), window.position()), (1, before, 2));
    assert!(!window.sees(&keep) && window.state().paintings.len() == 2);
}

#[test]
fn while_its_key_is_held_the_canvas_is_seen_as_it_was_before() {
    let mut window = Window::open();
    window.paint("山");
    let under = window.picture();
    window.stroke(&[(40.0, 40.0), (60.0, 50.0)]);
    window.command(Key::Enter);
    window.settle();
    let with = window.picture();
    to_canvas(&mut window);
    let (steps, document) = (window.steps(), window.desk().document().clone());
    let sign = window.t("command-before-after");
    assert!(!sign.is_empty() && seen(&window) == with);

    window.events(vec![key(Key::Backslash, true)]);
    assert!(window.desk().shows_before());
    assert_eq!((seen(&window), window.picture()), (under.clone(), with.clone()));
    window.harness.run_steps(3);
    assert_eq!(seen(&window), under);
    window.events(vec![key(Key::Backslash, false)]);
    assert_eq!((seen(&window), window.steps()), (with.clone(), steps));
    assert_eq!(*window.desk().document(), document);

    // A window that is left lets go of the key; and who paints sees what is painted on.
    window.events(vec![key(Key::Backslash, true)]);
    window.events(vec![Event::WindowFocused(false)]);
    assert_eq!(seen(&window), with);
    window.events(vec![Event::WindowFocused(true), key(Key::Backslash, false), key(Key::Backslash, true)]);
    assert_eq!(seen(&window), under);
    window.button((100.0, 100.0), PointerButton::Primary, true);
    assert_eq!(seen(&window), with);
    window.button((100.0, 100.0), PointerButton::Primary, false);
    window.events(vec![key(Key::Backslash, false)]);
    assert_eq!(seen(&window), with);
}

#[test]
fn before_a_picture_that_took_the_place_of_another_is_that_other() {
    let mut window = Window::open();
    window.paint("一");
    window.paint("二");
    assert_eq!(window.layers(), 1);
    to_canvas(&mut window);
    window.events(vec![key(Key::Backslash, true)]);
    assert_eq!(seen(&window), *window.painting(1).picture);
    window.events(vec![key(Key::Backslash, false)]);
    assert_eq!(seen(&window), *window.painting(0).picture);
}
