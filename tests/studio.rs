//! The studio without a screen: the canvas and the panels round it, used as an artist and a screen reader use them.

mod common;

use common::{SIDE, Window, family};
use danqing::app::Said;
use danqing::app::View;
use danqing::app::settings::Settings;
use danqing::base::ProblemKind;
use danqing::imaging::BlendMode;
use danqing::recipe::Source;
use danqing::recipe::inpaint::plan;
use danqing::tools::{TOOLS, ToolId};
use danqing::words::{Language, text, text_with};
use egui::{Event, Key, Modifiers, MouseWheelUnit, PointerButton, Role, TouchPhase, pos2, vec2};
use egui_kittest::kittest::Queryable;
use std::time::Duration;

#[test]
fn a_picture_lies_on_the_canvas_and_the_next_takes_its_place_unless_one_has_painted() {
    let mut window = Window::open();
    window.paint("一");
    assert_eq!((window.layers(), window.steps()), (1, vec!["edit-paint"]));
    assert_eq!(window.picture(), *window.painting(0).picture);
    window.paint("二");
    assert_eq!((window.layers(), window.steps().len()), (1, 2));
    assert_eq!(window.picture(), *window.painting(0).picture);
    assert_ne!(window.painting(0).picture, window.painting(1).picture);

    window.click(&window.t("tool-colour-brush"));
    window.stroke(&[(60.0, 60.0), (90.0, 70.0), (120.0, 60.0)]);
    assert_eq!(window.steps().len(), 3);
    let painted_over = window.picture();
    assert_ne!(painted_over, *window.painting(0).picture);
    window.paint("三");
    assert_eq!((window.layers(), window.steps().len()), (2, 4));
    assert_eq!(window.picture(), *window.painting(0).picture);

    // The keys are the prompt's until the canvas is clicked; the pan tool changes nothing.
    window.click(&window.t("tool-pan"));
    window.stroke(&[(10.0, 10.0)]);
    let end = window.picture();
    window.command(Key::Z);
    assert_eq!((window.layers(), window.picture()), (1, painted_over));
    (0..3).for_each(|_| window.command(Key::Z));
    assert_eq!(window.position(), 0);
    assert!(window.picture().rgba().iter().all(|v| *v == 0));
    (0..3).for_each(|_| window.key(Key::Z, Modifiers::COMMAND | Modifiers::SHIFT));
    window.command(Key::Y);
    assert_eq!((window.position(), window.picture()), (4, end.clone()));

    window.click(&window.t("edit-beginning"));
    assert_eq!(window.position(), 0);
    let paint = window.t("edit-paint");
    window.harness.get_all_by_role_and_label(Role::Button, &paint).last().unwrap().click();
    window.harness.run_steps(4);
    assert_eq!((window.position(), window.picture()), (4, end));
}

#[test]
fn what_the_mask_covers_is_repainted_and_nothing_else() {
    let mut window = Window::open();
    window.paint("山");
    assert_eq!(window.desk().tool(), ToolId::MaskBrush);
    window.stroke(&[(40.0, 40.0), (44.0, 46.0), (50.0, 48.0)]);
    let document = window.desk().document().clone();
    let bounds = document.mask().bounds().unwrap();
    assert!(bounds.x > 10 && bounds.right() < 90, "{bounds:?}");
    let before = window.picture();
    assert_eq!(before, *window.painting(0).picture, "the mask is no paint");
    window.command(Key::Enter);
    window.settle();
    assert_eq!(window.steps(), ["edit-paint", "edit-paint-mask", "edit-repaint"]);
    assert_eq!(window.layers(), 2);

    let recipe = window.last_recipe();
    assert!(recipe.inpaint.is_some_and(|inpaint| !inpaint.paste));
    let mask = document.mask().to_mask(bounds);
    let at = Some((&mask, (bounds.x, bounds.y)));
    let plan = plan(at, document.extent(), document.frame(), &family(), 1.0).unwrap();
    let after = window.picture();
    let (mut inside, mut changed) = (0, 0);
    for (x, y) in (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (x, y))) {
        let share = plan.composite.bytes()
            [((y as i32 - plan.context.y) as u32 * plan.context.width) as usize + (x as i32 - plan.context.x) as usize];
        let differs = before.pixel(x, y) != after.pixel(x, y);
        assert!(share > 0 || !differs, "{x} {y}");
        inside += usize::from(share == 255);
        changed += usize::from(share == 255 && differs);
    }
    assert!(inside > 300 && changed > inside / 2, "{changed} of {inside}");

    window.command(Key::Z);
    assert_eq!((window.picture(), window.layers(), window.position()), (before, 1, 2));
    assert_eq!(*window.desk().document(), document);
    window.command(Key::Y);
    assert_eq!(window.picture(), after);
}

#[test]
fn with_less_strength_the_generator_is_shown_the_canvas() {
    let mut window = Window::open();
    window.paint("山");
    assert_eq!(window.last_recipe().source, Source::Text);
    let label = window.t("label-strength");
    window.harness.get_by_role_and_label(Role::SpinButton, &label).set_value_accesskit(60.0);
    window.harness.run_steps(4);
    assert!((window.state().draft.strength - 0.6).abs() < 1e-9);
    let under = window.picture();
    window.click(&window.t("command-generate"));
    window.settle();
    let recipe = window.last_recipe();
    let Source::Picture { picture, strength } = &recipe.source else { panic!("{:?}", recipe.source) };
    assert_eq!((&**picture, *strength, &recipe.inpaint), (&under, 0.6, &None));
    assert_eq!(window.layers(), 1);
}

#[test]
fn tools_come_by_key_and_by_button_but_not_while_one_writes() {
    let mut window = Window::open();
    window.paint("山");
    window.plain(Key::B);
    assert_eq!(window.desk().tool(), ToolId::MaskBrush, "the key is the prompt's");
    window.plain(Key::Escape);
    for (key, tool) in [
        (Key::B, ToolId::ColourBrush),
        (Key::E, ToolId::Eraser),
        (Key::L, ToolId::Lasso),
        (Key::W, ToolId::Wand),
        (Key::V, ToolId::Move),
        (Key::H, ToolId::Pan),
    ] {
        window.plain(key);
        assert_eq!(window.desk().tool(), tool);
        // A gesture does not take the keys away.
        window.stroke(&[(30.0, 30.0), (34.0, 30.0)]);
    }
    for line in &TOOLS {
        let words = window.t(&format!("tool-{}", line.stem));
        window.click(&words);
        assert_eq!(window.desk().tool(), line.id);
    }
    window.plain(Key::B);
    let before = window.desk().settings.colour_brush.diameter;
    window.plain(Key::CloseBracket);
    assert!(window.desk().settings.colour_brush.diameter > before);
    let colours = (window.desk().settings.colour, window.desk().other_colour);
    window.plain(Key::X);
    assert_eq!((window.desk().other_colour, window.desk().settings.colour), colours);
}

#[test]
fn escape_gives_the_stroke_up_before_the_job() {
    let mut window = Window::slow(Duration::from_secs(60));
    window.command(Key::N);
    window.write("山");
    window.command(Key::Enter);
    window.until("the job", |s| s.ledger.running().is_some_and(|(_, r)| r.phase.is_some()));
    let before = window.desk().document().clone();
    window.press((100.0, 100.0));
    window.drag(&[(120.0, 100.0), (150.0, 120.0)]);
    assert!(window.desk().is_drawing() && !window.desk().document().mask().is_empty());
    window.plain(Key::Escape);
    assert!(!window.desk().is_drawing());
    assert_eq!((window.desk().document(), window.steps().len()), (&before, 0));
    assert!(!window.state().ledger.running().unwrap().1.stopping);
    // What the pointer still does draws nothing.
    window.drag(&[(160.0, 130.0)]);
    window.release((170.0, 130.0));
    assert_eq!(window.desk().document(), &before);
    window.plain(Key::Escape);
    window.settle();
    assert!(window.state().paintings.is_empty());
}

#[test]
fn a_stroke_whose_end_nobody_told_ends() {
    let mut window = Window::open();
    window.command(Key::N);
    window.press((100.0, 100.0));
    window.drag(&[(120.0, 100.0)]);
    window.plain(Key::F3);
    assert_eq!(window.state().view, View::Gallery);
    let (button, modifiers) = (PointerButton::Primary, Modifiers::NONE);
    window.events(vec![Event::PointerButton { pos: pos2(800.0, 600.0), button, pressed: false, modifiers }]);
    window.plain(Key::F2);
    assert!(!window.desk().is_drawing());
    assert_eq!(window.steps(), ["edit-paint-mask"]);
}

#[test]
fn a_picture_that_comes_in_the_midst_of_a_stroke_waits_for_its_end() {
    let mut window = Window::slow(Duration::from_millis(2));
    window.command(Key::N);
    window.write("山");
    window.command(Key::Enter);
    window.press((100.0, 100.0));
    window.drag(&[(120.0, 100.0)]);
    window.until("the picture", |s| s.forming.is_none() && s.joining == 0 && s.paintings.len() == 1);
    assert!(window.desk().is_drawing() && window.steps().is_empty());
    window.drag(&[(140.0, 110.0)]);
    window.release((140.0, 110.0));
    window.settle();
    assert_eq!(window.steps(), ["edit-paint-mask", "edit-paint"]);
    assert!(!window.desk().document().mask().is_empty());
    assert_eq!(window.picture(), *window.painting(0).picture);
}

#[test]
fn a_picture_for_a_canvas_that_is_gone_hangs_in_the_strip_alone() {
    let mut window = Window::slow(Duration::from_millis(5));
    window.paint("山");
    window.write("水");
    window.command(Key::Enter);
    window.until("the job", |s| s.forming.is_some());
    window.command(Key::N);
    window.until("the picture", |s| s.paintings.len() == 2 && !s.is_working());
    assert!(window.steps().is_empty() && window.picture().rgba().iter().all(|v| *v == 0));
}

#[test]
fn a_repaint_can_be_stopped_at_any_time() {
    let mut window = Window::open();
    window.paint("山");
    for wait in 0..6 {
        window.stroke(&[(40.0, 40.0), (60.0, 50.0)]);
        let before = window.picture();
        window.command(Key::Enter);
        (0..wait).for_each(|_| window.harness.step());
        window.plain(Key::Escape);
        let count = window.state().paintings.len();
        window.settle();
        let came = window.state().paintings.len() > count || window.steps().last() == Some(&"edit-repaint");
        assert!(came || window.picture() == before);
        assert!(!window.state().ledger.is_preparing());
    }
}

#[test]
fn layers_are_arranged_by_their_panel() {
    let mut window = Window::open();
    window.paint("山");
    window.click(&window.t("command-layer-add"));
    assert_eq!(window.layers(), 2);
    let name = |window: &Window, place: usize| window.desk().document().layers()[place].name.clone();
    let row = |window: &Window, number: usize, name: &str| {
        text_with(window.state().language, "label-layer", &[("number", number.to_string()), ("name", name.into())])
    };
    let top = row(&window, 1, &name(&window, 1));
    let rect = window.harness.get_by_role_and_label(Role::Button, &top).rect();
    let pos = pos2(rect.center().x, rect.center().y);
    let button =
        |pressed| Event::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers: Modifiers::NONE };
    window.events(vec![Event::PointerMoved(pos), button(true), button(false), button(true), button(false)]);
    window.command(Key::A);
    window.events(vec![Event::Text("远山".into())]);
    window.plain(Key::Enter);
    assert_eq!(name(&window, 1), "远山");

    let hide = text_with(window.state().language, "label-layer-visible", &[("name", name(&window, 0))]);
    window.click(&hide);
    assert!(!window.desk().document().layers()[0].visible);
    assert!(window.picture().rgba().iter().all(|v| *v == 0));
    window.click(&hide);

    let opacity = window.t("label-opacity");
    let steps = window.steps().len();
    window.harness.get_by_role_and_label(Role::Slider, &opacity).set_value_accesskit(40.0);
    window.harness.run_steps(4);
    let active = |window: &Window| window.desk().document().active_layer().unwrap().clone();
    assert!((active(&window).opacity - 0.4).abs() < 1e-3);
    assert_eq!(window.steps().len(), steps + 1);
    let blend = window.t("label-blend");
    window.harness.get_by_role_and_label(Role::ComboBox, &blend).click();
    window.harness.run_steps(4);
    window.harness.get_by_label(&window.t("blend-multiply")).click();
    window.harness.run_steps(4);
    assert_eq!(active(&window).blend, BlendMode::Multiply);

    // The uppermost row is dragged below the other.
    let from = window.harness.get_by_role_and_label(Role::Button, &row(&window, 1, "远山")).rect().center();
    let to = window.harness.get_by_role_and_label(Role::Button, &row(&window, 2, &name(&window, 0))).rect().center();
    window.harness.drag_at(from);
    window.harness.run_steps(2);
    window.harness.hover_at(from + (to - from) * 0.5);
    window.harness.run_steps(2);
    window.harness.hover_at(to);
    window.harness.run_steps(2);
    window.harness.drop_at(to);
    window.harness.run_steps(2);
    assert_eq!((name(&window, 0), window.steps().last()), ("远山".into(), Some(&"edit-layer-move")));

    window.click(&row(&window, 1, &name(&window, 1)));
    assert_ne!(active(&window).name, "远山");
    window.click(&window.t("command-layer-duplicate"));
    assert_eq!(window.layers(), 3);
    window.click(&window.t("command-layer-merge-down"));
    assert_eq!(window.layers(), 2);
    window.click(&window.t("command-layer-delete"));
    assert_eq!(window.layers(), 1);
    let steps = window.steps().len();
    (0..steps).for_each(|_| window.command(Key::Z));
    assert_eq!((window.layers(), window.position()), (1, 0));
    (0..steps).for_each(|_| window.command(Key::Y));
    assert_eq!((window.layers(), name(&window, 0).as_str()), (1, "远山"));
}

#[test]
fn of_a_batch_any_picture_can_be_put_on_the_canvas() {
    let mut window = Window::with(Settings { batch: 3, ..Settings::default() }, true, Duration::ZERO);
    window.paint("山");
    assert_eq!(window.state().paintings.len(), 3);
    assert_eq!(window.picture(), *window.painting(0).picture);
    window.harness.get_by_label_contains("第 2 幅").click();
    window.harness.run_steps(4);
    assert_eq!(window.state().view, View::Painting(window.painting(1).id));
    window.click(&window.t("command-put-on-canvas"));
    window.settle();
    assert_eq!(window.state().view, View::Easel);
    assert_eq!((window.picture(), window.layers()), ((*window.painting(1).picture).clone(), 1));
}

#[test]
fn the_view_follows_keys_wheel_and_drags() {
    let mut window = Window::open();
    window.paint("山");
    window.plain(Key::Escape);
    let view = |window: &Window| window.desk().view_in(window.desk().room.unwrap());
    let fitted = view(&window);
    assert_eq!(window.desk().view, None);
    window.command(Key::Equals);
    assert!(view(&window).scale > fitted.scale);
    window.command(Key::Minus);
    window.command(Key::Minus);
    assert!(view(&window).scale < fitted.scale);
    window.command(Key::Num1);
    assert_eq!(view(&window).scale, 1.0);
    window.plain(Key::Num6);
    assert!(view(&window).angle > 0.2);
    window.plain(Key::Num4);
    window.plain(Key::Num4);
    assert!(view(&window).angle < -0.2);
    window.plain(Key::Num5);
    assert_eq!(view(&window).angle, 0.0);
    window.command(Key::Num0);
    assert_eq!((window.desk().view, view(&window)), (None, fitted));

    let (here, there) = ((100.0, 100.0), (120.0, 110.0));
    window.button(here, PointerButton::Middle, true);
    let end = window.place(there);
    window.events(vec![Event::PointerMoved(end)]);
    let [x, y] = view(&window).centre;
    assert!((x - (fitted.centre[0] - 20.0)).abs() < 1.0 && (y - (fitted.centre[1] - 10.0)).abs() < 1.0, "{x} {y}");
    window.button(here, PointerButton::Middle, false);
    let at = window.place((40.0, 40.0));
    let wheel = |y| Event::MouseWheel {
        unit: MouseWheelUnit::Point,
        source: egui::MouseWheelSource::Wheel,
        delta: vec2(0.0, y),
        phase: TouchPhase::Move,
        modifiers: Modifiers::NONE,
    };
    let scale = view(&window).scale;
    window.events(vec![Event::PointerMoved(at), wheel(60.0)]);
    window.harness.run_steps(20);
    assert!(view(&window).scale > scale);
    assert!((window.place((40.0, 40.0)) - at).length() < 1.0, "what is under the pointer stays there");
    assert!(window.steps().len() == 1 && !window.desk().is_drawing(), "looking is no change");
}

#[test]
fn tab_leaves_the_canvas_alone_and_brings_the_rest_back() {
    let mut window = Window::open();
    window.paint("山");
    window.plain(Key::Escape);
    for _ in 0..2 {
        window.plain(Key::Tab);
        assert!(window.desk().canvas_only && !window.sees(&window.t("label-layers")));
        window.stroke(&[(30.0, 30.0), (40.0, 40.0)]);
        window.plain(Key::Tab);
        assert!(!window.desk().canvas_only && window.sees(&window.t("label-layers")));
    }
    assert_eq!(window.steps().len(), 3);
}

#[test]
fn the_language_changes_in_the_midst_of_everything() {
    let mut window = Window::slow(Duration::from_millis(5));
    window.command(Key::N);
    window.write("山");
    window.command(Key::Enter);
    window.until("the job", |s| s.forming.is_some());
    window.press((100.0, 100.0));
    window.drag(&[(110.0, 110.0)]);
    window.key(Key::L, Modifiers::COMMAND | Modifiers::SHIFT);
    assert_eq!(window.state().language, Language::En);
    assert!(window.sees("Layers") && window.desk().is_drawing());
    window.drag(&[(130.0, 110.0)]);
    window.release((130.0, 110.0));
    window.settle();
    assert_eq!(window.steps(), ["edit-paint-mask", "edit-paint"]);
    assert!(window.sees(&text(Language::En, "edit-paint-mask")));
}

#[test]
fn without_a_model_one_can_still_paint_by_hand() {
    let mut window = Window::with(Settings::default(), false, Duration::ZERO);
    window.command(Key::N);
    window.plain(Key::B);
    window.stroke(&[(30.0, 30.0), (60.0, 60.0)]);
    assert_eq!(window.steps().len(), 1);
    assert!(window.picture().rgba().iter().any(|v| *v > 0));
    window.command(Key::Enter);
    assert!(window.state().forming.is_none() && !window.state().messages.is_empty());
}

#[test]
fn the_view_may_change_in_the_middle_of_a_stroke() {
    let mut window = Window::open();
    window.paint("山");
    window.click(&window.t("tool-colour-brush"));
    window.plain(Key::OpenBracket);
    let view = |window: &Window| window.desk().view_in(window.desk().room.unwrap());
    let changed =
        |window: &Window, (x, y): (u32, u32)| window.picture().pixel(x, y) != window.painting(0).picture.pixel(x, y);
    window.press((60.0, 60.0));
    window.drag(&[(100.0, 60.0)]);
    // By keys: about the pen.
    let before = view(&window);
    let pen = window.place((100.0, 60.0));
    window.command(Key::Equals);
    window.plain(Key::Num6);
    assert!(view(&window).scale > before.scale && view(&window).angle != before.angle);
    assert!((window.place((100.0, 60.0)) - pen).length() < 0.1, "what is under the pen stays there");
    window.plain(Key::Num5);
    // By the wheel: about the pointer, which is the pen.
    let wheel = |x, y| Event::MouseWheel {
        unit: MouseWheelUnit::Point,
        source: egui::MouseWheelSource::Wheel,
        delta: vec2(x, y),
        phase: TouchPhase::Move,
        modifiers: Modifiers::NONE,
    };
    window.events(vec![wheel(0.0, -60.0)]);
    window.harness.run_steps(30);
    assert!((window.place((100.0, 60.0)) - pen).length() < 0.5);
    assert!(window.desk().is_drawing() && window.steps().len() == 1);
    // The canvas goes to the left under the pen, which draws to the right.
    window.events(vec![wheel(-80.0, 0.0)]);
    window.harness.run_steps(30);
    let right = 100.0 + f64::from(pen.x - window.place((100.0, 60.0)).x) / view(&window).scale;
    assert!(right > 115.0, "{right}");
    window.drag(&[(right, 90.0)]);
    window.release((right, 120.0));
    assert_eq!(window.steps(), ["edit-paint", "edit-brush"]);
    for at in [(60, 60), (100, 60), (112, 60), (right as u32, 100)] {
        assert!(changed(&window, at), "{at:?}");
    }
    let outside = |(x, y): (u32, u32)| f64::from(x) > right + 45.0 || x < 15 || !(15..=165).contains(&y);
    let touched = (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (x, y))).filter(|at| outside(*at));
    assert_eq!(touched.filter(|at| changed(&window, *at)).count(), 0, "the line did not jump");
}

#[test]
fn a_stroke_that_nobody_ends_is_kept() {
    let mut window = Window::open();
    window.paint("山");
    window.plain(Key::Escape);
    window.click(&window.t("tool-colour-brush"));
    window.press((60.0, 60.0));
    window.drag(&[(100.0, 60.0)]);
    // Generating waits for the end of the stroke; the gallery is one.
    window.command(Key::Enter);
    assert!(window.desk().is_drawing() && window.state().ledger.running().is_none());
    assert_eq!(window.state().ledger.settled().len(), 1);
    window.plain(Key::F3);
    assert!(!window.desk().is_drawing() && window.state().view == View::Gallery);
    window.until("both pictures", |s| s.ledger.settled().len() == 2 && !s.is_working());
    assert_eq!(window.steps()[..2], ["edit-paint", "edit-brush"]);
    let messages = &window.state().messages;
    let refused = |said: &Said| matches!(said, Said::Problem(problem) if problem.kind == ProblemKind::StrokeOpen);
    assert!(!messages.iter().any(|message| refused(&message.said)), "{messages:?}");
}
