//! The commands, the strokes and the jobs together, without threads: what belongs to the canvas stays in order whatever
//! comes in whatever order.

use super::clerk::Report;
use super::command::Command;
use super::desk::Gesture;
use super::desk_commands::LayerChange;
use super::events::{apply, land, note};
use super::masking::MaskErrand;
use super::placing::{Place, Placed};
use super::settings::Settings;
use super::staging::Purpose;
use super::state::{Model, Said, State};
use super::update::{Effect, run_waiting, update};
use crate::base::{Extent, IntRect, JobId, Problem, ProblemKind};
use crate::canvas::surface::flatten;
use crate::canvas::{Document, Viewport};
use crate::imaging::{BlendMode, Pixmap};
use crate::jobs::Event;
use crate::jobs::fake::fake_family;
use crate::recipe::{FamilyInfo, Output, Recipe, Source};
use crate::tools::{Modifiers, PointerEvent, TOOLS, ToolId};
use crate::words::Language;
use proptest::prelude::*;
use std::collections::HashSet;

fn state() -> State {
    let family = FamilyInfo { native: Extent::new(64, 64), ..fake_family() };
    let models = vec![Model { name: "小图".into(), path: "xiaotu".into(), family }];
    let mut state = State::new(models, &Settings::default(), Language::ZhCn);
    state.draft.prompt = "山".into();
    state.desk.room = Some(Viewport::new([300.0, 200.0], 1.0));
    state
}

/// The threads' work, put off until it is asked for.
#[derive(Default)]
struct Threads {
    preparations: Vec<super::placing::Preparation>,
    painting: Option<(JobId, Box<Recipe>)>,
    joins: Vec<(super::Painting, super::desk::Sheet, Purpose)>,
    masks: Vec<super::masking::MaskErrand>,
}

impl Threads {
    fn take(&mut self, state: &State, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Prepare(preparation) => self.preparations.push(*preparation),
                Effect::Paint(id, recipe) => self.painting = Some((id, recipe)),
                Effect::Mask(errand) => self.masks.push(*errand),
                Effect::Lay(painting, purpose) => self.joins.push((painting, state.desk.sheet(), purpose)),
                _ => {}
            }
        }
    }

    fn run(&mut self, state: &mut State, command: Command) {
        let effects = update(state, command);
        self.take(state, effects);
    }

    fn mask(&mut self, state: &mut State) {
        for MaskErrand { ticket, work, document } in std::mem::take(&mut self.masks) {
            let effects = note(state, Report::Masked { ticket, result: work.on(&document) });
            self.take(state, effects);
        }
    }

    /// As the session does at the beginning of a frame.
    fn go_on(&mut self, state: &mut State) {
        land(state);
        let effects = run_waiting(state);
        self.take(state, effects);
    }

    fn prepare(&mut self, state: &mut State) {
        for preparation in std::mem::take(&mut self.preparations) {
            let ticket = preparation.ticket;
            let effects = note(state, Report::Prepared { ticket, result: Box::new(preparation.finish()) });
            self.take(state, effects);
        }
    }

    fn paint(&mut self, state: &mut State, succeeds: bool) {
        let Some((id, recipe)) = self.painting.take() else { return };
        let effects = if succeeds {
            let [r, g, b, ..] = (recipe.seed + 1).to_le_bytes();
            let mut picture = Pixmap::new(recipe.size);
            picture.rgba_mut().as_chunks_mut().0.fill([r, g, b, 255]);
            let output = Box::new(Output { pictures: vec![picture], ..Output::default() });
            apply(state, Event::Finished { id, recipe, output })
        } else {
            apply(state, Event::Failed { id, problem: Problem::new(ProblemKind::OutOfMemory) })
        };
        self.take(state, effects);
    }

    fn join(&mut self, state: &mut State) {
        for (painting, sheet, purpose) in std::mem::take(&mut self.joins) {
            let (id, place) = (painting.id, painting.place.unwrap());
            let pixels = place.joined(&painting.picture, &painting.recipe);
            let fills = matches!(place, Place::Frame(_));
            let (name, texts) = ("山".into(), vec![]);
            note(state, Report::Joined { id, purpose, name, pixels, fills, sheet, texts });
        }
    }

    fn all(&mut self, state: &mut State) {
        self.prepare(state);
        while self.painting.is_some() {
            self.paint(state, true);
            self.join(state);
        }
        self.join(state);
    }
}

fn event(x: f64, y: f64) -> PointerEvent {
    PointerEvent { x, y, pressure: 0.7, time: 0.0, modifiers: Modifiers::default() }
}

fn stroke(state: &mut State, points: &[(f64, f64)]) {
    let [first, .., last] = points else { return };
    state.desk.pointer(Gesture::Press, event(first.0, first.1), 1.0);
    for (x, y) in points {
        state.desk.pointer(Gesture::Drag, event(*x, *y), 1.0);
    }
    state.desk.pointer(Gesture::Release, event(last.0, last.1), 1.0);
}

/// A canvas with a picture and a mask on it.
fn masked(threads: &mut Threads) -> State {
    let mut state = state();
    threads.run(&mut state, Command::Generate);
    threads.all(&mut state);
    stroke(&mut state, &[(20.0, 20.0), (24.0, 24.0)]);
    state
}

#[test]
fn a_preparation_that_was_cancelled_becomes_no_job() {
    let mut threads = Threads::default();
    let mut state = masked(&mut threads);
    threads.run(&mut state, Command::Generate);
    assert!(threads.preparations.len() == 1 && state.ledger.is_preparing());
    threads.run(&mut state, Command::Cancel);
    assert!(!state.is_working() && !state.messages.is_empty());
    threads.prepare(&mut state);
    assert!(threads.painting.is_none() && state.ledger.running().is_none());
    for stop in [Command::CancelAll, Command::Cancel] {
        threads.run(&mut state, Command::Generate);
        threads.run(&mut state, Command::Generate);
        threads.run(&mut state, stop);
        threads.prepare(&mut state);
        assert!(threads.painting.is_none());
    }
}

#[test]
fn jobs_run_in_the_order_in_which_they_were_asked_for() {
    let mut threads = Threads::default();
    let mut state = masked(&mut threads);
    threads.run(&mut state, Command::Generate);
    let first = state.draft.seed.value;
    threads.run(&mut state, Command::MaskClear);
    threads.run(&mut state, Command::Generate);
    let second = state.draft.seed.value;
    assert!(threads.painting.is_none(), "the one of words alone does not overtake");
    assert_eq!(state.ledger.waiting().map(|entry| entry.recipe.seed).collect::<Vec<_>>(), [first, second]);
    threads.prepare(&mut state);
    assert_eq!(threads.painting.as_ref().unwrap().1.seed, first);
    threads.paint(&mut state, true);
    assert_eq!(threads.painting.as_ref().unwrap().1.seed, second);
    // One that is given up lets the others go on.
    threads.paint(&mut state, true);
    threads.all(&mut state);
    threads.run(&mut state, Command::MaskFill);
    threads.run(&mut state, Command::Generate);
    threads.run(&mut state, Command::MaskClear);
    threads.run(&mut state, Command::Generate);
    let held = state.ledger.waiting().next().unwrap().id;
    threads.run(&mut state, Command::CancelJob(held));
    assert_eq!(threads.painting.as_ref().unwrap().1.seed, state.draft.seed.value);
}

#[test]
fn a_job_that_is_tried_again_goes_to_the_same_place() {
    let mut threads = Threads::default();
    let mut state = masked(&mut threads);
    threads.run(&mut state, Command::Generate);
    threads.prepare(&mut state);
    let (id, _) = threads.painting.clone().unwrap();
    let placed = state.places[&id].clone();
    assert!(matches!(placed.place, Place::Patch { .. }));
    threads.paint(&mut state, false);
    threads.run(&mut state, Command::RetryJob(id));
    let (again, _) = threads.painting.clone().unwrap();
    assert_eq!(state.places[&again], placed);
    threads.all(&mut state);
    assert_eq!(state.desk.editor().history().steps().last(), Some("edit-repaint"));
    threads.run(&mut state, Command::ForgetSettled);
    assert!(state.places.is_empty());
}

#[test]
fn what_is_shown_to_the_model_is_the_canvas_at_the_time_of_the_command() {
    let mut threads = Threads::default();
    let mut state = masked(&mut threads);
    let before = flatten(state.desk.document(), state.desk.document().canvas());
    threads.run(&mut state, Command::Generate);
    threads.run(&mut state, Command::LayerClear);
    threads.run(&mut state, Command::MaskClear);
    threads.prepare(&mut state);
    let (_, recipe) = threads.painting.clone().unwrap();
    let Source::Picture { picture, .. } = &recipe.source else { panic!("{:?}", recipe.source) };
    assert_eq!(picture.pixel(60, 60), before.pixel(60, 60));
    threads.all(&mut state);
    let steps: Vec<_> = state.desk.editor().history().steps().collect();
    assert_eq!(steps[2..], ["edit-layer-clear", "edit-mask-clear", "edit-repaint"]);
}

#[test]
fn a_draft_that_is_refused_leaves_the_canvas_as_it_is() {
    let mut threads = Threads::default();
    let mut state = masked(&mut threads);
    let before = state.desk.document().clone();
    state.draft.size = Extent::new(100, 100);
    threads.run(&mut state, Command::Generate);
    assert_eq!(state.desk.document(), &before);
    assert!(threads.painting.is_none() && threads.preparations.is_empty());
}

#[test]
fn a_repaint_knows_its_place_and_goes_back_there_on_a_canvas_of_the_same_size_alone() {
    let mut threads = Threads::default();
    let mut state = masked(&mut threads);
    threads.run(&mut state, Command::Generate);
    threads.all(&mut state);
    let painting = state.paintings.front().unwrap().clone();
    let Some(Place::Patch { plan, .. }) = &painting.place else { panic!("{:?}", painting.place) };
    let spot = painting.spot.unwrap();
    assert_eq!((spot.canvas, spot.frame), (state.desk.document().extent(), plan.context));
    assert_eq!(painting.picture.extent(), plan.working, "the picture is what the recipe makes");

    let put = |state: &mut State| {
        let effects = update(state, Command::PutOnCanvas(painting.id));
        let [Effect::Lay(painting, _)] = &effects[..] else { panic!("{effects:?}") };
        painting.place.clone()
    };
    assert_eq!(put(&mut state), painting.place);
    state.desk.replace(Document::blank(Extent::new(100, 90), "纸").unwrap());
    let middle = IntRect::new((100 - 64) / 2, (90 - 64) / 2, 64, 64);
    assert_eq!(put(&mut state), Some(Place::Frame(middle)));
}

#[test]
fn another_size_still_takes_the_place_of_the_last_picture() {
    let mut threads = Threads::default();
    let mut state = state();
    threads.run(&mut state, Command::Generate);
    threads.all(&mut state);
    state.draft.size = Extent::new(128, 64);
    threads.run(&mut state, Command::Generate);
    threads.all(&mut state);
    assert_eq!(state.desk.document().layers().len(), 1);
    assert_eq!(state.desk.document().layers()[0].pixels.bounds(), Some(IntRect::new(0, 0, 128, 64)));
}

#[test]
fn a_frame_sized_by_hand_is_the_size_of_the_next_picture() {
    let mut threads = Threads::default();
    let mut state = masked(&mut threads);
    threads.run(&mut state, Command::MaskClear);
    state.heed_frame();
    threads.run(&mut state, Command::ToolFrame);
    stroke(&mut state, &[(200.0, 200.0), (250.0, 250.0), (328.0, 264.0)]);
    assert_eq!(state.desk.document().frame(), IntRect::new(200, 200, 128, 64));
    state.heed_frame();
    assert_eq!(state.draft.size, Extent::new(128, 64));
    threads.run(&mut state, Command::Generate);
    assert_eq!(state.desk.document().frame(), IntRect::new(200, 200, 128, 64));
    threads.run(&mut state, Command::Undo);
    state.heed_frame();
    assert_eq!(state.draft.size, Extent::new(64, 64));
    // A size that the model cannot paint is not taken over.
    state.desk.replace(Document::blank(Extent::new(101, 33), "底").unwrap());
    state.heed_frame();
    assert_eq!(state.draft.size, Extent::new(64, 64));
}

#[test]
fn a_landing_waits_for_the_hand() {
    let mut threads = Threads::default();
    let mut state = masked(&mut threads);
    threads.run(&mut state, Command::MaskClear);
    threads.run(&mut state, Command::Generate);
    threads.paint(&mut state, true);
    state.desk.pointer(Gesture::Press, event(30.0, 30.0), 1.0);
    threads.join(&mut state);
    assert!(state.landing.len() == 1 && !land(&mut state));
    assert!(update(&mut state, Command::Cancel).is_empty());
    assert!(land(&mut state) && state.landing.is_empty());
    assert_eq!(state.desk.editor().history().steps().last(), Some("edit-paint"));
}

/// A canvas on which work on the mask takes long.
fn large() -> State {
    let mut state = state();
    state.desk.replace(Document::blank(Extent::new(2048, 2048), "底").unwrap());
    state.desk.choose(ToolId::MaskBrush);
    update(&mut state, Command::MaskFill);
    state
}

fn names(state: &State) -> Vec<&'static str> {
    state.desk.editor().history().steps().collect()
}

#[test]
fn work_on_a_large_mask_is_one_step_when_it_comes_back() {
    let (mut state, mut threads) = (large(), Threads::default());
    threads.run(&mut state, Command::MaskInvert);
    assert!(names(&state) == ["edit-mask-fill"] && state.is_working());
    // What is painted on layers meanwhile does not matter.
    threads.run(&mut state, Command::BrushLarger);
    state.desk.choose(ToolId::ColourBrush);
    stroke(&mut state, &[(20.0, 20.0), (60.0, 24.0)]);
    threads.mask(&mut state);
    assert_eq!(names(&state), ["edit-mask-fill", "edit-brush", "edit-mask-invert"]);
    assert!(state.desk.document().mask().is_empty() && !state.is_working());
    threads.run(&mut state, Command::Undo);
    assert_eq!(state.desk.document().mask().pixel(9, 9), [255]);
}

#[test]
fn what_is_painted_on_the_mask_meanwhile_counts() {
    let (mut state, mut threads) = (large(), Threads::default());
    threads.run(&mut state, Command::MaskInvert);
    let mut rubber = event(100.0, 100.0);
    rubber.modifiers.alt = true;
    state.desk.pointer(Gesture::Press, rubber, 1.0);
    // It comes back in the middle of the stroke, and waits.
    threads.mask(&mut state);
    assert_eq!(names(&state), ["edit-mask-fill"]);
    state.desk.pointer(Gesture::Release, rubber, 1.0);
    threads.go_on(&mut state);
    assert_eq!(threads.masks.len(), 1, "it is made again from the new mask");
    threads.mask(&mut state);
    assert_eq!(names(&state).last(), Some(&"edit-mask-invert"));
    assert_eq!(state.desk.document().mask().pixel(100, 100), [255]);
    assert_eq!(state.desk.document().mask().pixel(900, 900), [0]);
}

#[test]
fn commands_wait_for_the_mask_and_undo_does_not() {
    let (mut state, mut threads) = (large(), Threads::default());
    threads.run(&mut state, Command::MaskInvert);
    threads.run(&mut state, Command::MaskFeather);
    threads.run(&mut state, Command::Generate);
    assert!(threads.painting.is_none() && threads.preparations.is_empty());
    threads.run(&mut state, Command::Undo);
    threads.mask(&mut state);
    threads.go_on(&mut state);
    assert_eq!(names(&state)[..2], ["edit-mask-fill", "edit-mask-invert"]);
    assert!(threads.painting.is_some(), "the mask is empty: nothing of the canvas is needed");
    threads.run(&mut state, Command::Undo);
    threads.run(&mut state, Command::Undo);
    threads.run(&mut state, Command::MaskInvert);
    threads.run(&mut state, Command::Cancel);
    threads.mask(&mut state);
    assert!(state.masking.is_none() && state.ledger.running().is_some(), "the nearest is given up first");
    // Another document: what comes back is not for it.
    threads.run(&mut state, Command::MaskInvert);
    let before = state.desk.document().clone();
    state.desk.replace(before.clone());
    threads.mask(&mut state);
    assert!(state.desk.document() == &before && !state.is_held_up());
}

#[test]
fn a_large_canvas_is_searched_elsewhere() {
    let (mut state, mut threads) = (large(), Threads::default());
    update(&mut state, Command::MaskClear);
    state.desk.choose(ToolId::Wand);
    (state.desk.settings.tolerance, state.desk.settings.antialias) = (0, false);
    let click = |state: &mut State, x, y| {
        state.desk.pointer(Gesture::Press, event(x, y), 1.0);
        state.desk.pointer(Gesture::Release, event(x, y), 1.0);
    };
    click(&mut state, 5.0, 5.0);
    assert!(names(&state).len() == 2 && state.is_held_up());
    threads.go_on(&mut state);
    // Painted meanwhile: the search is made again, and finds it.
    state.desk.choose(ToolId::ColourBrush);
    stroke(&mut state, &[(1000.0, 1000.0), (1040.0, 1000.0)]);
    state.desk.choose(ToolId::Bucket);
    click(&mut state, 1020.0, 1000.0);
    threads.run(&mut state, Command::LayerAdd);
    threads.mask(&mut state);
    assert_eq!(names(&state).last(), Some(&"edit-brush"));
    for _ in 0..3 {
        threads.mask(&mut state);
        threads.go_on(&mut state);
    }
    // The stroke is not selected, so nothing of it is filled: that is no step.
    assert_eq!(names(&state)[2..], ["edit-brush", "edit-select", "edit-layer-add"]);
    let selection = state.desk.document().selection().unwrap();
    assert_eq!((selection.pixel(5, 5), selection.pixel(1020, 1000)), ([255], [0]));
    assert!(!state.is_held_up());
    // What cannot be painted on says why, and undo gives up the newest click.
    let id = state.desk.document().active();
    threads.run(&mut state, Command::ChangeLayer(id, LayerChange::Locked(true)));
    click(&mut state, 5.0, 5.0);
    threads.go_on(&mut state);
    threads.mask(&mut state);
    assert!(state.messages.iter().any(|m| m.said == Said::Note("tool-hint-locked", vec![])));
    threads.run(&mut state, Command::ChangeLayer(id, LayerChange::Locked(false)));
    click(&mut state, 5.0, 5.0);
    threads.run(&mut state, Command::Undo);
    assert!(!state.is_held_up());
    click(&mut state, 5.0, 5.0);
    threads.go_on(&mut state);
    threads.mask(&mut state);
    assert_eq!(names(&state).last(), Some(&"edit-fill"));
    assert_eq!(state.desk.document().layers()[1].pixels.pixel(5, 5), state.desk.settings.colour);
}

#[test]
fn a_command_in_the_middle_of_a_stroke_gets_all_of_it() {
    let (mut state, mut threads) = (state(), Threads::default());
    state.desk.choose(ToolId::ColourBrush);
    let begin = |state: &mut State| {
        state.desk.pointer(Gesture::Press, event(10.0, 10.0), 1.0);
        state.desk.pointer(Gesture::Drag, event(30.0, 10.0), 1.0);
    };
    begin(&mut state);
    let path = std::path::PathBuf::from("/画/山.ora");
    assert!(update(&mut state, Command::SaveProjectTo(path.clone())).is_empty());
    threads.run(&mut state, Command::LayerAdd);
    assert!(state.desk.is_drawing() && state.desk.document().layers().len() == 1);
    state.desk.pointer(Gesture::Release, event(50.0, 10.0), 1.0);
    let effects = run_waiting(&mut state);
    let [Effect::File(errand)] = &effects[..] else { panic!("{effects:?}") };
    let super::filing::FileErrand::Save { document, .. } = &**errand else { panic!("{errand:?}") };
    assert!(document.layers()[0].pixels.pixel(50, 10)[3] > 0 && document.layers().len() == 1);
    assert_eq!(names(&state), ["edit-brush", "edit-layer-add"]);
    // Undo takes the stroke in hand back, which can be done again.
    begin(&mut state);
    threads.run(&mut state, Command::Undo);
    assert!(!state.desk.is_drawing() && state.desk.editor().history().position() == 2);
    threads.run(&mut state, Command::Redo);
    assert_eq!(names(&state), ["edit-brush", "edit-layer-add", "edit-brush"]);
    assert_eq!(state.desk.editor().history().position(), 3);
    assert!(state.messages.iter().all(|m| !matches!(m.said, Said::Problem(_))));
    // A tool that has done nothing takes nothing else with it.
    state.desk.choose(ToolId::Zoom);
    begin(&mut state);
    threads.run(&mut state, Command::Undo);
    assert_eq!(state.desk.editor().history().position(), 3);
}

#[derive(Clone, Debug)]
enum Step {
    Command(usize),
    Layer(u8, u8, f32),
    Tool(usize),
    Stroke(Vec<(f64, f64)>),
    /// A stroke that is begun and not ended.
    Press(f64, f64),
    Generate(f64, u8),
    Prepare,
    Paint(bool),
    Join,
    Retry(u8),
    Jump(usize),
}

const COMMANDS: [Command; 30] = [
    Command::Undo,
    Command::Redo,
    Command::SelectAll,
    Command::Deselect,
    Command::InvertSelection,
    Command::MaskClear,
    Command::MaskFill,
    Command::MaskInvert,
    Command::MaskGrow,
    Command::MaskShrink,
    Command::MaskFeather,
    Command::MaskFromSelection,
    Command::MaskFromAlpha,
    Command::LayerAdd,
    Command::LayerDuplicate,
    Command::LayerDelete,
    Command::LayerUp,
    Command::LayerDown,
    Command::LayerMergeDown,
    Command::LayerFlatten,
    Command::LayerToggleVisible,
    Command::LayerClear,
    Command::ZoomIn,
    Command::RotateLeft,
    Command::ZoomFit,
    Command::BrushLarger,
    Command::BrushSofter,
    Command::Cancel,
    Command::CancelAll,
    Command::NewDocument,
];

fn steps() -> impl Strategy<Value = Step> {
    let place = || (-40f64..110.0, -40f64..110.0);
    prop_oneof![
        8 => (0..COMMANDS.len()).prop_map(Step::Command),
        2 => (any::<u8>(), any::<u8>(), -0.5f32..1.5).prop_map(|(on, which, share)| Step::Layer(on, which, share)),
        3 => (0..TOOLS.len()).prop_map(Step::Tool),
        6 => proptest::collection::vec(place(), 2..5).prop_map(Step::Stroke),
        1 => place().prop_map(|(x, y)| Step::Press(x, y)),
        3 => (0.01f64..1.2, any::<u8>()).prop_map(|(strength, size)| Step::Generate(strength.min(1.0), size)),
        2 => Just(Step::Prepare),
        3 => any::<bool>().prop_map(Step::Paint),
        3 => Just(Step::Join),
        1 => any::<u8>().prop_map(Step::Retry),
        1 => (0usize..9).prop_map(Step::Jump),
    ]
}

fn change(which: u8, share: f32) -> LayerChange {
    match which % 7 {
        0 => LayerChange::Rename(format!("层{which}")),
        1 => LayerChange::Opacity(if which > 250 { f32::NAN } else { share }),
        2 => LayerChange::Blend(BlendMode::ALL[usize::from(which) % BlendMode::ALL.len()]),
        3 => LayerChange::Visible(which.is_multiple_of(2)),
        4 => LayerChange::Locked(which.is_multiple_of(4)),
        5 => LayerChange::AlphaLocked(which.is_multiple_of(2)),
        _ => LayerChange::Place(usize::from(which) % 5),
    }
}

fn swept(state: &State) {
    let document = state.desk.document();
    let frame = document.frame();
    assert!(!frame.extent().is_empty() && frame.width <= 16384 && frame.height <= 16384);
    assert!(document.active_layer().is_some());
    let ids: HashSet<_> = document.layers().iter().map(|layer| layer.id).collect();
    assert_eq!(ids.len(), document.layers().len());
    assert!(document.layers().iter().all(|layer| (0.0..=1.0).contains(&layer.opacity)));
    assert!(state.places.keys().all(|job| state.ledger.get(*job).is_some()));
    assert_eq!(state.forming.as_ref().map(|f| f.job), state.ledger.running().map(|(entry, _)| entry.id));
    assert!(state.desk.is_busy() || state.landing.is_empty());
    let view = state.desk.view_in(state.desk.room.unwrap());
    assert!(view.scale > 0.0 && view.centre.iter().chain([&view.angle]).all(|v| v.is_finite()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_comes_in_whatever_order(steps in proptest::collection::vec(steps(), 1..30)) {
        let (mut state, mut threads) = (state(), Threads::default());
        for step in steps {
            match step {
                Step::Command(number) => threads.run(&mut state, COMMANDS[number].clone()),
                Step::Layer(on, which, share) => {
                    let layers = state.desk.document().layers();
                    let id = layers[usize::from(on) % layers.len()].id;
                    threads.run(&mut state, Command::ActivateLayer(id));
                    threads.run(&mut state, Command::ChangeLayer(id, change(which, share)));
                }
                Step::Tool(number) => state.desk.choose(TOOLS[number].id),
                Step::Stroke(points) => stroke(&mut state, &points),
                Step::Press(x, y) => {
                    state.desk.pointer(Gesture::Press, event(x, y), 1.0);
                    state.desk.pointer(Gesture::Drag, event(x + 9.0, y + 9.0), 1.0);
                }
                Step::Generate(strength, size) => {
                    state.draft.strength = strength;
                    state.draft.size = Extent::new(64 + 8 * u32::from(size % 3), 64);
                    threads.run(&mut state, Command::Generate);
                }
                Step::Prepare => threads.prepare(&mut state),
                Step::Paint(succeeds) => threads.paint(&mut state, succeeds),
                Step::Join => threads.join(&mut state),
                Step::Retry(number) => {
                    let settled: Vec<_> = state.ledger.settled().map(|entry| entry.id).collect();
                    if let Some(id) = settled.get(usize::from(number) % settled.len().max(1)) {
                        threads.run(&mut state, Command::RetryJob(*id));
                    }
                }
                Step::Jump(to) => threads.run(&mut state, Command::JumpTo(to)),
            }
            threads.go_on(&mut state);
            state.heed_frame();
            state.desk.take_change();
            swept(&state);
        }
        state.desk.finish();
        threads.go_on(&mut state);
        threads.all(&mut state);
        threads.go_on(&mut state);
        swept(&state);
        prop_assert!(!state.is_working());

        let count = state.desk.editor().history().len();
        update(&mut state, Command::JumpTo(count));
        let mut states = vec![state.desk.document().clone()];
        for _ in 0..count {
            update(&mut state, Command::Undo);
            states.push(state.desk.document().clone());
        }
        prop_assert_eq!(state.desk.editor().history().position(), 0);
        for document in states.iter().rev().skip(1) {
            update(&mut state, Command::Redo);
            prop_assert_eq!(state.desk.document(), document);
        }
        prop_assert_eq!(state.desk.editor().history().position(), count);
        swept(&state);
    }

    #[test]
    fn places_are_found_on_their_own_document_alone(other: bool) {
        let mut state = state();
        let job = JobId::fresh();
        let (sheet, canvas) = (state.desk.sheet(), state.desk.document().extent());
        let placed = Placed { place: Place::Frame(IntRect::new(0, 0, 64, 64)), sheet, canvas };
        state.places.insert(job, placed);
        if other {
            update(&mut state, Command::NewDocument);
        }
        prop_assert_eq!(state.place_of(job).is_none(), other);
    }
}
