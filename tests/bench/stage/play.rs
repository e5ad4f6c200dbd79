//! What an artist does in the window: looks about, paints a mask, has the engine repaint it, leafs through the gallery.

use super::scene::{SCREEN, SIDE};
use super::{Cost, Stage, report};
use danqing::base::Extent;
use danqing::ui::Shell;
use egui::{Event, Id, Key, Modifiers, MouseWheelUnit, PointerButton, Pos2, TouchPhase, Vec2, pos2, vec2};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(600);
/// A hand's places on the canvas before the stroke is over; with a brush of 40 px they are about 2,000 dabs.
const PLACES: u32 = 500;

/// Frames without events until something is so.
pub fn until(stage: &mut impl Stage, is_so: impl Fn(&Shell) -> bool + Clone + Send + 'static) -> Vec<Cost> {
    let began = Instant::now();
    let mut costs = Vec::new();
    while !stage.look({
        let is_so = is_so.clone();
        move |_, shell| is_so(shell)
    }) {
        costs.push(stage.frame(vec![]));
        if began.elapsed() > PATIENCE {
            panic!("{}", stage.look(|_, shell| format!("{:?}", shell.state().messages)));
        }
    }
    costs
}

/// Until the canvas lies there and all is calm; the pointer is over it, and nothing has the focus.
pub fn settle(stage: &mut impl Stage) {
    until(stage, |shell| shell.state().desk.document().extent() == Extent::new(SIDE, SIDE));
    stage.frame(vec![Event::PointerMoved(pos2(SCREEN[0] / 2.0, SCREEN[1] / 2.0))]);
    for _ in 0..20 {
        stage.frame(vec![]);
    }
}

pub fn key(stage: &mut impl Stage, key: Key, modifiers: Modifiers) {
    let event = |pressed| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
    stage.frame(vec![event(true), event(false)]);
    stage.frame(vec![]);
}

/// Where a pixel of the canvas is on the screen.
fn place(stage: &mut impl Stage, [x, y]: [f64; 2]) -> Pos2 {
    stage.look(move |ctx, shell| {
        let corner = ctx.read_response(Id::unique("canvas")).map_or(Pos2::ZERO, |canvas| canvas.rect.min);
        let desk = &shell.state().desk;
        let Some(room) = desk.room else { return corner };
        let [x, y] = desk.view_in(room).to_screen([x, y], room);
        corner + vec2(x as f32, y as f32)
    })
}

fn button(stage: &mut impl Stage, pos: Pos2, button: PointerButton, pressed: bool) -> Cost {
    let event = Event::PointerButton { pos, button, pressed, modifiers: Modifiers::NONE };
    stage.frame(vec![Event::PointerMoved(pos), event])
}

/// Four events a frame, as mice of 240 Hz send them.
pub fn stroke(stage: &mut impl Stage) -> Vec<Cost> {
    let at = |k: u32| {
        let angle = f64::from(k) / 112.0;
        [2048.0 + 1800.0 * angle.sin(), 2048.0 + 1500.0 * (1.7 * angle).sin()]
    };
    let first = place(stage, at(0));
    let mut costs = vec![button(stage, first, PointerButton::Primary, true)];
    for frame in 0..PLACES / 4 {
        let mut events = Vec::new();
        for k in 1..=4 {
            events.push(Event::PointerMoved(place(stage, at(frame * 4 + k))));
        }
        costs.push(stage.frame(events));
    }
    let last = place(stage, at(PLACES));
    costs.push(button(stage, last, PointerButton::Primary, false));
    costs
}

fn pan(stage: &mut impl Stage) -> Vec<Cost> {
    let middle = place(stage, [2048.0, 2048.0]);
    button(stage, middle, PointerButton::Middle, true);
    let way = |k: u16| {
        let angle = f32::from(k) / 12.0;
        middle + 150.0 * vec2(angle.sin(), angle.cos())
    };
    let costs = (0..240).map(|k| stage.frame(vec![Event::PointerMoved(way(k))])).collect();
    button(stage, middle, PointerButton::Middle, false);
    costs
}

fn zoom(stage: &mut impl Stage) -> Vec<Cost> {
    let middle = place(stage, [2048.0, 2048.0]);
    stage.frame(vec![Event::PointerMoved(middle)]);
    (0..240u16).map(|k| stage.frame(vec![Event::Zoom(if k / 60 % 2 == 0 { 1.05 } else { 1.0 / 1.05 })])).collect()
}

/// Rest, panning, zooming, and a mask stroke of about 2,000 dabs; `engine` is what to call it and what it does.
pub fn canvas(stage: &mut impl Stage, engine: &str) {
    let rest: Vec<Cost> = (0..60).map(|_| stage.frame(vec![])).collect();
    report(&format!("{engine}, at rest"), &rest);
    report(&format!("{engine}, panning"), &pan(stage));
    report(&format!("{engine}, zooming"), &zoom(stage));
    assert!(stage.look(|_, shell| shell.state().desk.view.is_some()), "the canvas was moved");
    key(stage, Key::Num0, Modifiers::COMMAND);
    let steps = stage.look(|_, shell| shell.state().desk.editor().history().len());
    report(&format!("{engine}, mask stroke"), &stroke(stage));
    let (after, drawing, tiles) = stage.look(|_, shell| {
        let desk = &shell.state().desk;
        (desk.editor().history().len(), desk.is_drawing(), desk.document().mask().iter().count())
    });
    assert!(after > steps && !drawing, "the stroke was drawn");
    println!("{tiles} tiles of mask");
}

/// Has the masked part repainted so many times, one after the other, and waits for the first step.
pub fn repaint(stage: &mut impl Stage, times: u32) {
    for _ in 0..times {
        key(stage, Key::Enter, Modifiers::COMMAND);
    }
    let stepping = |shell: &Shell| shell.state().forming.as_ref().is_some_and(|forming| !forming.previews.is_empty());
    until(stage, stepping);
}

/// Says what the engine has done and fails if it has nothing more to do.
pub fn assert_working(stage: &mut impl Stage) {
    let (forming, waiting) = stage.look(|_, shell| {
        let state = shell.state();
        (state.forming.as_ref().map(|forming| forming.serial), state.ledger.waiting().len())
    });
    let Some(steps) = forming else { panic!("the engine has nothing to do any more") };
    println!("still at work: step {steps} of the repaint in hand, {waiting} more are waiting");
}

fn wheel(down: f32) -> Event {
    Event::MouseWheel {
        unit: MouseWheelUnit::Point,
        delta: vec2(0.0, -down),
        phase: TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
        modifiers: Modifiers::NONE,
    }
}

/// Opens the gallery and waits until all its pictures are known; there are at least `fewest`.
pub fn open_gallery(stage: &mut impl Stage, fewest: usize) -> Vec<Cost> {
    key(stage, Key::F3, Modifiers::NONE);
    stage.frame(vec![Event::PointerMoved(Pos2::ZERO + Vec2::from(SCREEN) * 0.5)]);
    until(stage, move |shell| shell.state().wall.scan.is_none() && shell.state().wall.ids().len() >= fewest)
}

/// The gallery is scrolled through: slowly, faster, at a rush, and back.
pub fn leaf_through(stage: &mut impl Stage) -> Vec<Cost> {
    let speed = |frame: usize| [40.0, 300.0, 4000.0, -900.0][frame / 100 % 4];
    (0..400).map(|frame| stage.frame(vec![wheel(speed(frame))])).collect()
}
