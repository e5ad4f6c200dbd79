//! Tools at work on a sheet.

use super::sheet::{Content, Sheet};
use super::*;
use crate::base::IntRect;
use crate::canvas::Brush;
use proptest::prelude::*;
use std::collections::BTreeSet;

const PLAIN: Modifiers = Modifiers { shift: false, ctrl: false, alt: false };
const SHIFT: Modifiers = Modifiers { shift: true, ..PLAIN };
const ALT: Modifiers = Modifiers { alt: true, ..PLAIN };

fn at(x: f64, y: f64) -> PointerEvent {
    PointerEvent { x, y, pressure: 1.0, time: 0.0, modifiers: PLAIN }
}

fn with(modifiers: Modifiers, x: f64, y: f64) -> PointerEvent {
    PointerEvent { modifiers, ..at(x, y) }
}

/// A tool, a sheet and an artist.
struct Desk {
    sheet: Sheet,
    settings: ToolSettings,
    tool: Box<dyn Tool>,
    effects: Vec<Effect>,
}

impl Desk {
    fn new(tool: ToolId) -> Self {
        let brush = Brush { diameter: 9.0, hardness: 0.5, pressure_size: false, ..Brush::default() };
        let settings = ToolSettings {
            colour_brush: brush,
            mask_brush: brush,
            eraser: brush,
            colour: [200, 30, 60, 255],
            ..ToolSettings::default()
        };
        let mut desk =
            Self { sheet: Sheet::new(120, 90), settings, tool: (tool.line().unwrap().make)(), effects: Vec::new() };
        // Something to work on, with soft and transparent pixels.
        desk.sheet.fill(IntRect::new(20, 20, 40, 30), [10, 120, 250, 255]);
        desk.sheet.fill(IntRect::new(70, 40, 20, 20), [250, 120, 10, 90]);
        desk.sheet.content.mask.bytes_mut()[..3000].fill(160);
        desk
    }

    fn take(&mut self, tool: ToolId) {
        self.tool = (tool.line().unwrap().make)();
    }

    fn each(&mut self, act: impl FnOnce(&mut dyn Tool, &mut Context<'_>)) {
        let Self { sheet, settings, tool, effects } = self;
        act(tool.as_mut(), &mut Context { easel: sheet, settings, scale: 1.0, effects });
    }

    fn press(&mut self, event: PointerEvent) {
        self.each(|tool, context| tool.press(context, event));
    }

    fn drag(&mut self, event: PointerEvent) {
        self.each(|tool, context| tool.drag(context, event));
    }

    fn release(&mut self, event: PointerEvent) {
        self.each(|tool, context| tool.release(context, event));
    }

    fn cancel(&mut self) {
        self.each(|tool, context| tool.cancel(context));
    }

    /// From the first event to the last.
    fn gesture(&mut self, events: &[PointerEvent]) {
        self.press(events[0]);
        events[1..].iter().for_each(|event| self.drag(*event));
        self.release(*events.last().unwrap());
    }

    fn content(&self) -> Content {
        self.sheet.content.clone()
    }

    fn names(&self) -> Vec<&'static str> {
        self.sheet.steps.iter().map(|(name, _)| *name).collect()
    }

    fn pixel(&self, x: i32, y: i32) -> [u8; 4] {
        self.sheet.content.layer.get(&(x, y)).copied().unwrap_or_default()
    }

    fn mask(&self, x: usize, y: usize) -> u8 {
        self.sheet.content.mask.bytes()[y * 120 + x]
    }

    /// Coverage of the selection; all of it without one.
    fn selected(&self, x: usize, y: usize) -> u8 {
        self.sheet.content.selection.as_ref().map_or(255, |mask| mask.bytes()[y * 120 + x])
    }
}

fn events() -> impl Strategy<Value = Vec<PointerEvent>> {
    let modifiers = (any::<bool>(), any::<bool>()).prop_map(|(shift, alt)| Modifiers { shift, alt, ctrl: false });
    let one = (-30f64..150.0, -30f64..120.0, 0f32..=1.0, modifiers);
    proptest::collection::vec(one, 2..6).prop_map(|list| {
        let timed = list.into_iter().enumerate();
        timed
            .map(|(i, (x, y, pressure, modifiers))| PointerEvent { x, y, pressure, time: i as f64 * 0.01, modifiers })
            .collect()
    })
}

fn tools() -> impl Strategy<Value = ToolId> {
    (0..TOOLS.len()).prop_map(|i| TOOLS[i].id)
}

#[test]
fn every_tool_has_one_line_its_own_key_and_its_own_name() {
    assert_eq!(TOOLS.iter().map(|line| line.key).collect::<BTreeSet<_>>().len(), TOOLS.len());
    assert_eq!(TOOLS.iter().map(|line| line.stem).collect::<BTreeSet<_>>().len(), TOOLS.len());
    for line in &TOOLS {
        assert_eq!(line.id.line().unwrap().stem, line.stem);
    }
}

#[test]
fn settings_come_back_and_old_files_are_read() {
    let settings = ToolSettings { tolerance: 7, eraser_target: Target::Mask, ..ToolSettings::default() };
    let text = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<ToolSettings>(&text).unwrap(), settings);
    let old: ToolSettings = serde_json::from_str(r#"{"tolerance": 9, "eraser": {"diameter": 77}}"#).unwrap();
    assert_eq!((old.tolerance, old.eraser.diameter, old.contiguous), (9, 77.0, true));
}

#[test]
fn the_mask_brush_paints_and_with_alt_takes_away() {
    let mut desk = Desk::new(ToolId::MaskBrush);
    desk.gesture(&[at(20.0, 70.0), at(60.0, 70.0), at(100.0, 70.0)]);
    assert_eq!((desk.mask(60, 70), desk.mask(60, 80)), (255, 0));
    desk.gesture(&[with(ALT, 20.0, 70.0), with(ALT, 100.0, 70.0)]);
    assert_eq!(desk.mask(60, 70), 0);
    assert_eq!(desk.names(), ["edit-paint-mask", "edit-erase-mask"]);
}

#[test]
fn strokes_begin_and_end_off_the_canvas() {
    let mut desk = Desk::new(ToolId::MaskBrush);
    desk.gesture(&[at(-500.0, 80.0), at(60.0, 80.0), at(900.0, 80.0)]);
    assert!((0..120).all(|x| desk.mask(x, 80) == 255));
    let before = desk.content();
    desk.gesture(&[at(-500.0, -80.0), at(900.0, -80.0)]);
    assert_eq!((desk.content(), desk.names().len()), (before, 1));
}

#[test]
fn shift_draws_a_straight_line_from_the_last_stroke() {
    let mut desk = Desk::new(ToolId::MaskBrush);
    desk.gesture(&[at(10.0, 40.0)]);
    desk.gesture(&[with(SHIFT, 110.0, 80.0)]);
    assert_eq!((desk.mask(60, 60), desk.mask(109, 80)), (255, 255));
}

#[test]
fn the_brush_keeps_within_the_selection_and_the_alpha_lock() {
    let mut desk = Desk::new(ToolId::Rectangle);
    desk.gesture(&[at(30.0, 0.0), at(50.0, 90.0)]);
    desk.take(ToolId::ColourBrush);
    let before = desk.content();
    desk.gesture(&[at(0.0, 30.0), at(119.0, 30.0)]);
    assert_eq!((desk.pixel(29, 30), desk.pixel(40, 30)), ([10, 120, 250, 255], [200, 30, 60, 255]));
    assert_eq!(desk.pixel(50, 30), [10, 120, 250, 255]);
    desk.sheet.undo();
    assert_eq!(desk.content(), before);
    desk.sheet.content.selection = None;
    desk.sheet.state = Some(LayerState { visible: true, locked: false, alpha_locked: true });
    desk.gesture(&[at(0.0, 45.0), at(119.0, 45.0)]);
    assert_eq!(
        (desk.pixel(10, 45), desk.pixel(40, 45), desk.pixel(80, 45)),
        ([0; 4], [200, 30, 60, 255], [200, 30, 60, 90])
    );
    desk.take(ToolId::Eraser);
    desk.press(at(40.0, 45.0));
    assert_eq!(desk.effects, [Effect::Hint("tool-hint-alpha-locked")]);
}

#[test]
fn what_cannot_be_painted_on_says_why() {
    for (state, hint) in [
        (None, "tool-hint-no-layer"),
        (Some(LayerState { visible: true, locked: true, alpha_locked: false }), "tool-hint-locked"),
        (Some(LayerState { visible: false, locked: false, alpha_locked: false }), "tool-hint-hidden"),
    ] {
        for tool in [ToolId::ColourBrush, ToolId::Eraser, ToolId::Bucket, ToolId::Move, ToolId::Transform] {
            let mut desk = Desk::new(tool);
            desk.sheet.state = state;
            desk.gesture(&[at(40.0, 30.0), at(50.0, 35.0)]);
            assert_eq!((&desk.effects[..], desk.names().len()), (&[Effect::Hint(hint)][..], 0), "{tool:?}");
        }
    }
}

#[test]
fn the_eraser_takes_from_layer_or_mask() {
    let mut desk = Desk::new(ToolId::Eraser);
    desk.gesture(&[at(0.0, 30.0), at(119.0, 30.0)]);
    assert_eq!((desk.pixel(40, 30), desk.pixel(40, 40)), ([0; 4], [10, 120, 250, 255]));
    desk.settings.eraser_target = Target::Mask;
    desk.gesture(&[at(0.0, 10.0), at(119.0, 10.0)]);
    assert_eq!((desk.mask(60, 10), desk.mask(60, 1)), (0, 160));
    assert_eq!(desk.names(), ["edit-erase", "edit-erase-mask"]);
}

#[test]
fn selections_join_by_the_keys_held_at_the_beginning() {
    let mut desk = Desk::new(ToolId::Rectangle);
    desk.gesture(&[at(10.0, 10.0), at(30.0, 30.0)]);
    desk.gesture(&[with(SHIFT, 40.0, 10.0), with(SHIFT, 60.0, 20.0)]);
    assert_eq!(
        [desk.selected(20, 20), desk.selected(50, 15), desk.selected(35, 15), desk.selected(50, 25)],
        [255, 255, 0, 0]
    );
    desk.gesture(&[with(ALT, 15.0, 15.0), with(ALT, 25.0, 25.0)]);
    assert_eq!([desk.selected(20, 20), desk.selected(12, 20)], [0, 255]);
    let both = Modifiers { shift: true, alt: true, ctrl: false };
    desk.gesture(&[with(both, 45.0, 0.0), with(both, 119.0, 80.0)]);
    assert_eq!([desk.selected(50, 15), desk.selected(42, 15), desk.selected(12, 20)], [255, 0, 0]);
    desk.gesture(&[at(100.0, 80.0)]);
    assert_eq!(desk.sheet.content.selection, None);
    assert_eq!(desk.names(), ["edit-select", "edit-select", "edit-select", "edit-select", "edit-deselect"]);
}

#[test]
fn shift_pressed_while_dragging_makes_a_square() {
    let mut desk = Desk::new(ToolId::Rectangle);
    desk.gesture(&[at(10.0, 10.0), at(20.0, 12.0), with(SHIFT, 50.0, 20.0)]);
    assert_eq!([desk.selected(49, 49), desk.selected(50, 49), desk.selected(49, 50)], [255, 0, 0]);
    // Held from the beginning it adds, and makes a square once it was up in between.
    desk.gesture(&[with(SHIFT, 60.0, 10.0), with(PLAIN, 70.0, 15.0), with(SHIFT, 80.0, 15.0)]);
    assert_eq!([desk.selected(79, 29), desk.selected(49, 49)], [255, 255]);
}

#[test]
fn lasso_and_ellipse_select_what_they_go_round() {
    let mut desk = Desk::new(ToolId::Lasso);
    desk.gesture(&[at(10.0, 10.0), at(50.0, 10.0), at(10.0, 50.0)]);
    assert_eq!([desk.selected(12, 12), desk.selected(40, 40)], [255, 0]);
    assert!(desk.tool.overlay().lines.is_empty());
    desk.take(ToolId::Ellipse);
    desk.gesture(&[at(20.0, 20.0), at(60.0, 40.0)]);
    assert_eq!([desk.selected(40, 30), desk.selected(21, 21), desk.selected(12, 12)], [255, 0, 0]);
}

#[test]
fn the_wand_selects_and_the_bucket_fills_what_is_alike() {
    let mut desk = Desk::new(ToolId::Wand);
    desk.settings.antialias = false;
    desk.gesture(&[at(30.0, 30.0)]);
    assert_eq!(
        [desk.selected(20, 20), desk.selected(59, 49), desk.selected(60, 49), desk.selected(80, 50)],
        [255, 255, 0, 0]
    );
    desk.gesture(&[with(SHIFT, 80.0, 50.0)]);
    assert_eq!([desk.selected(20, 20), desk.selected(80, 50)], [255, 255]);
    desk.gesture(&[at(-5.0, 30.0)]);
    assert_eq!(desk.names().len(), 2);
    desk.take(ToolId::Bucket);
    desk.gesture(&[at(30.0, 30.0)]);
    assert_eq!(
        (desk.pixel(30, 30), desk.pixel(80, 50), desk.pixel(0, 0)),
        ([200, 30, 60, 255], [250, 120, 10, 90], [0; 4])
    );
    desk.settings.bucket_target = Target::Mask;
    desk.gesture(&[at(80.0, 50.0)]);
    assert_eq!((desk.mask(80, 50), desk.mask(95, 50)), (255, 0));
    assert_eq!(desk.names()[2..], ["edit-fill", "edit-fill-mask"]);
}

#[test]
fn the_eyedropper_takes_the_mean_and_never_the_colour_of_nothing() {
    let mut desk = Desk::new(ToolId::Eyedropper);
    desk.gesture(&[at(30.0, 30.0), at(80.0, 50.0), at(110.0, 10.0), at(-4.0, 10.0)]);
    let picked: BTreeSet<_> =
        desk.effects.iter().filter_map(|e| if let Effect::Pick(c) = e { Some(*c) } else { None }).collect();
    assert_eq!(picked, BTreeSet::from([[10, 120, 250, 255], [250, 120, 10, 90]]));
    desk.sheet.fill(IntRect::new(0, 0, 1, 1), [90, 0, 0, 255]);
    desk.sheet.fill(IntRect::new(1, 0, 1, 1), [0, 90, 0, 255]);
    desk.settings.eyedropper_sampling = Sampling::Three;
    desk.effects.clear();
    desk.press(at(0.5, 0.5));
    assert_eq!(desk.effects, [Effect::Pick([45, 45, 0, 128])]);
}

#[test]
fn the_layer_moves_by_whole_pixels_and_loses_nothing_beyond_the_edge() {
    let mut desk = Desk::new(ToolId::Move);
    let before = desk.content();
    desk.gesture(&[at(30.0, 30.0), at(-70.4, 33.0)]);
    assert_eq!(desk.sheet.layer_bounds(), Some(IntRect::new(-80, 23, 70, 40)));
    desk.gesture(&[at(0.0, 30.0), with(SHIFT, 100.0, 33.0)]);
    desk.gesture(&[at(0.0, 30.0), at(0.0, 27.0)]);
    assert_eq!(desk.content(), before);
    assert_eq!(desk.names(), ["edit-move"; 3]);
}

#[test]
fn the_layer_is_scaled_by_its_handles_and_keeps_its_sharpness() {
    let mut desk = Desk::new(ToolId::Transform);
    // The box is from (20, 20) to (90, 60); the lower right corner is dragged to half of it, and back.
    let before = desk.content();
    desk.gesture(&[at(90.0, 60.0), at(55.0, 40.0)]);
    assert_eq!(desk.sheet.layer_bounds(), Some(IntRect::new(20, 20, 35, 20)));
    desk.gesture(&[at(55.0, 40.0), at(90.0, 60.0)]);
    assert_eq!(desk.content(), before);
    // Dragged through the other side, it is mirrored.
    desk.gesture(&[at(90.0, 40.0), at(-50.0, 40.0)]);
    assert_eq!(desk.pixel(19, 20), [10, 120, 250, 255]);
    assert_eq!(desk.pixel(-50 + 10, 50), [250, 120, 10, 90]);
    for _ in 0..3 {
        desk.sheet.undo();
    }
    // After undoing, the box is that of the layer as it is now.
    desk.each(|tool, context| tool.hover(context, at(0.0, 0.0)));
    assert_eq!(desk.tool.overlay().handles[2], (90.0, 60.0));
    assert_eq!(desk.content(), before);
}

#[test]
fn a_quarter_turn_and_flips() {
    let mut desk = Desk::new(ToolId::Transform);
    // From beside the upper right corner a quarter round the centre (55, 40).
    desk.gesture(&[at(99.0, 16.0), with(SHIFT, 79.0, 84.0)]);
    assert_eq!(desk.sheet.layer_bounds(), Some(IntRect::new(35, 5, 40, 70)));
    desk.sheet.undo();
    let before = desk.content();
    let Desk { sheet, settings, effects, .. } = &mut desk;
    let mut context = Context { easel: sheet, settings, scale: 1.0, effects };
    flip_layer(&mut context, false);
    assert_eq!(context.easel.layer_bounds(), Some(IntRect::new(20, 20, 70, 40)));
    flip_layer(&mut context, true);
    flip_layer(&mut context, false);
    flip_layer(&mut context, true);
    assert_eq!(desk.content(), before);
}

#[test]
fn the_frame_is_moved_sized_and_drawn() {
    let mut desk = Desk::new(ToolId::Frame);
    desk.gesture(&[at(30.0, 30.0), at(47.4, 20.0)]);
    assert_eq!(desk.sheet.content.frame, IntRect::new(17, -10, 64, 64));
    desk.gesture(&[at(81.0, 54.0), at(150.0, 100.0)]);
    assert_eq!(desk.sheet.content.frame, IntRect::new(17, -10, 136, 112));
    desk.gesture(&[at(17.0, 46.0), at(100.0, 46.0)]);
    assert_eq!(desk.sheet.content.frame, IntRect::new(17 + 136 - 64, -10, 64, 112));
    desk.gesture(&[at(-200.0, -200.0), at(-50.0, 5000.0)]);
    assert_eq!(desk.sheet.content.frame, IntRect::new(-200, -200, 152, 2048));
    desk.gesture(&[at(500.0, 500.0)]);
    assert_eq!(desk.names(), ["edit-frame"; 4]);
    desk.press(at(500.0, 500.0));
    desk.drag(at(600.0, 600.0));
    desk.cancel();
    assert_eq!(desk.sheet.content.frame, IntRect::new(-200, -200, 152, 2048));
}

#[test]
fn panning_holds_the_point_and_zooming_answers_clicks_and_drags() {
    let mut desk = Desk::new(ToolId::Pan);
    desk.gesture(&[at(10.0, 10.0), at(14.0, 9.0), at(10.0, 10.0)]);
    assert_eq!(desk.effects, [Effect::Pan { by: (4.0, -1.0) }]);
    desk.effects.clear();
    desk.take(ToolId::Zoom);
    desk.gesture(&[at(10.0, 10.0)]);
    desk.gesture(&[with(ALT, 10.0, 10.0)]);
    let clicks = [1.5, 1.0 / 1.5].map(|factor| Effect::Zoom { at: (10.0, 10.0), factor });
    assert_eq!(desk.effects, clicks);
    desk.effects.clear();
    desk.gesture(&[at(10.0, 10.0), at(70.0, 10.0)]);
    assert_eq!(desk.effects, clicks[..1]);
}

#[test]
fn a_brush_shows_its_outline() {
    let mut desk = Desk::new(ToolId::ColourBrush);
    desk.each(|tool, context| tool.hover(context, at(12.0, 13.0)));
    assert_eq!(desk.tool.overlay().circle, Some(Circle { x: 12.0, y: 13.0, radius: 4.5 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn undoing_a_gesture_leaves_no_trace(tool in tools(), events in events(), on_mask: bool) {
        let mut desk = Desk::new(tool);
        if on_mask {
            (desk.settings.eraser_target, desk.settings.bucket_target) = (Target::Mask, Target::Mask);
        }
        let before = desk.content();
        desk.gesture(&events);
        prop_assert!(!desk.sheet.is_open());
        prop_assert!(desk.names().len() <= 1);
        if desk.names().is_empty() {
            prop_assert_eq!(desk.content(), before);
        } else {
            desk.sheet.undo();
            prop_assert_eq!(desk.content(), before);
        }
    }

    #[test]
    fn cancelling_a_gesture_leaves_no_trace(tool in tools(), events in events()) {
        // A click is done when the button goes down: there is nothing to cancel.
        prop_assume!(!matches!(tool, ToolId::Wand | ToolId::Bucket));
        let mut desk = Desk::new(tool);
        let before = desk.content();
        desk.press(events[0]);
        events[1..].iter().for_each(|event| desk.drag(*event));
        desk.cancel();
        prop_assert!(!desk.sheet.is_open() && desk.names().is_empty());
        prop_assert_eq!(desk.content(), before.clone());
        // What follows belongs to no gesture.
        desk.drag(events[0]);
        desk.release(events[0]);
        prop_assert!(!desk.sheet.is_open());
        prop_assert_eq!(desk.content(), before);
    }

    #[test]
    fn a_stroke_never_exceeds_its_opacity(events in events(), opacity in 0f32..=1.0, flow in 0.05f32..=1.0) {
        let mut desk = Desk::new(ToolId::MaskBrush);
        desk.sheet.content.mask.bytes_mut().fill(0);
        desk.settings.mask_brush = Brush { opacity, flow, spacing: 0.05, ..desk.settings.mask_brush };
        let events: Vec<_> = events.iter().map(|e| PointerEvent { modifiers: PLAIN, ..*e }).collect();
        // There and back again.
        let path: Vec<_> = events.iter().chain(events.iter().rev()).chain(&events).copied().collect();
        desk.gesture(&path);
        let most = (opacity * 255.0).round() as u8;
        prop_assert!(desk.sheet.content.mask.bytes().iter().all(|v| *v <= most));
    }
}
