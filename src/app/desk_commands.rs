//! The commands that change the document, the way it is looked at, and the tool in the hand.

use super::command::Command;
use super::state::{Said, State};
use crate::base::{LayerId, Problem};
use crate::canvas::{Layer, Transaction};
use crate::imaging::BlendMode;
use crate::tools::ToolId;
use crate::words::{Language, text_with};

/// A brush grows or shrinks by this factor.
const SIZE_STEP: f32 = 1.15;
const HARDNESS_STEP: f32 = 0.1;

/// A change of one property of a layer.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerChange {
    Rename(String),
    Opacity(f32),
    Blend(BlendMode),
    Visible(bool),
    Locked(bool),
    AlphaLocked(bool),
    /// To a place from the bottom.
    Place(usize),
}

/// The tool that a command chooses.
pub const fn tool_of(command: &Command) -> Option<ToolId> {
    Some(match command {
        Command::ToolBrush => ToolId::ColourBrush,
        Command::ToolEraser => ToolId::Eraser,
        Command::ToolMaskBrush => ToolId::MaskBrush,
        Command::ToolRectangle => ToolId::Rectangle,
        Command::ToolEllipse => ToolId::Ellipse,
        Command::ToolLasso => ToolId::Lasso,
        Command::ToolWand => ToolId::Wand,
        Command::ToolBucket => ToolId::Bucket,
        Command::ToolPicker => ToolId::Eyedropper,
        Command::ToolMove => ToolId::Move,
        Command::ToolTransform => ToolId::Transform,
        Command::ToolFrame => ToolId::Frame,
        Command::ToolPan => ToolId::Pan,
        Command::ToolZoom => ToolId::Zoom,
        _ => return None,
    })
}

/// The command that chooses a tool.
pub const fn command_of(tool: ToolId) -> Command {
    match tool {
        ToolId::ColourBrush => Command::ToolBrush,
        ToolId::Eraser => Command::ToolEraser,
        ToolId::MaskBrush => Command::ToolMaskBrush,
        ToolId::Rectangle => Command::ToolRectangle,
        ToolId::Ellipse => Command::ToolEllipse,
        ToolId::Lasso => Command::ToolLasso,
        ToolId::Wand => Command::ToolWand,
        ToolId::Bucket => Command::ToolBucket,
        ToolId::Eyedropper => Command::ToolPicker,
        ToolId::Move => Command::ToolMove,
        ToolId::Transform => Command::ToolTransform,
        ToolId::Frame => Command::ToolFrame,
        ToolId::Pan => Command::ToolPan,
        ToolId::Zoom => Command::ToolZoom,
    }
}

/// Carries out a command; false if it is none of these.
pub fn carry_out(state: &mut State, command: &Command) -> bool {
    if let Some(tool) = tool_of(command) {
        state.desk.choose(tool);
        return true;
    }
    match command {
        Command::Undo => undo(state),
        Command::Redo => {
            let name = state.desk.editor().history().redo_name();
            if state.desk.editor_mut().redo() {
                told(state, "note-redone", name);
            }
        }
        Command::JumpTo(position) => {
            state.desk.editor_mut().jump(*position);
        }
        Command::ActivateLayer(id) => state.desk.editor_mut().activate(*id),
        Command::ChangeLayer(id, change) => change_layer(state, *id, change),
        Command::ToggleMaskOverlay => state.desk.mask_shown = !state.desk.mask_shown,
        Command::BeforeAfter => state.desk.show_before(!state.desk.shows_before()),
        Command::PromptPanel => state.layout.prompt = !state.layout.prompt,
        Command::LayersPanel => state.layout.layers = !state.layout.layers,
        Command::CanvasOnly => state.desk.canvas_only = !state.desk.canvas_only,
        Command::SwapColours => {
            let desk = &mut state.desk;
            std::mem::swap(&mut desk.settings.colour, &mut desk.other_colour);
        }
        Command::BrushLarger | Command::BrushSmaller | Command::BrushHarder | Command::BrushSofter => {
            change_brush(state, command);
        }
        _ => return edits(state, command) || views(state, command),
    }
    true
}

/// Takes back the last step: a gesture in hand becomes one first, so that it can be done again. One that has done nothing
/// is ended, and nothing else happens.
fn undo(state: &mut State) {
    let before = state.desk.editor().revision();
    if state.desk.finish() && state.desk.editor().revision() == before {
        return;
    }
    let name = state.desk.editor().history().undo_name();
    if state.desk.editor_mut().undo() {
        told(state, "note-undone", name);
    }
}

/// Tells which step was taken back or done again; the words come from the step's own message.
fn told(state: &mut State, id: &'static str, step: Option<&'static str>) {
    let Some(step) = step else { return };
    let name = crate::words::text(state.language, step);
    state.say(Said::Note(id, vec![("step", name)]));
}

/// Runs one step; a fault is told.
fn edit(
    state: &mut State,
    name: &'static str,
    work: impl FnOnce(&mut Transaction<'_>, LayerId) -> Result<(), Problem>,
) {
    let active = state.desk.document().active();
    if let Err(problem) = state.desk.editor_mut().edit(name, |t| work(t, active)) {
        state.complain(problem);
    }
}

/// As [`edit`], for work that cannot fail.
fn simply(state: &mut State, name: &'static str, work: impl FnOnce(&mut Transaction<'_>)) {
    edit(state, name, |t, _| {
        work(t);
        Ok(())
    });
}

fn edits(state: &mut State, command: &Command) -> bool {
    let language = state.language;
    match command {
        Command::SelectAll => simply(state, "edit-select-all", |t| t.select_all()),
        Command::Deselect => simply(state, "edit-deselect", |t| t.deselect()),
        Command::InvertSelection => simply(state, "edit-invert-selection", |t| t.invert_selection()),
        Command::MaskClear => simply(state, "edit-mask-clear", |t| t.clear_mask()),
        Command::MaskFromSelection => simply(state, "edit-mask-selection", |t| t.mask_from_selection()),
        Command::LayerAdd => {
            let number = (state.desk.document().layers().len() + 1).to_string();
            let name = text_with(language, "layer-name", &[("number", number)]);
            simply(state, "edit-layer-add", |t| {
                t.add_layer(Layer::new(name));
            });
        }
        Command::LayerDuplicate => {
            let old = state.desk.document().active_layer().map(|layer| layer.name.clone()).unwrap_or_default();
            let name = copy_name(language, &old);
            edit(state, "edit-layer-duplicate", |t, id| t.duplicate_layer(id, name).map(|_| ()));
        }
        Command::LayerDelete => edit(state, "edit-layer-delete", |t, id| t.delete_layer(id)),
        Command::LayerUp => edit(state, "edit-layer-move", |t, id| {
            let place = t.document().position(id).unwrap_or_default();
            t.reorder_layer(id, place + 1)
        }),
        Command::LayerDown => edit(state, "edit-layer-move", |t, id| {
            let place = t.document().position(id).unwrap_or_default();
            t.reorder_layer(id, place.saturating_sub(1))
        }),
        Command::LayerMergeDown => edit(state, "edit-layer-merge", |t, id| t.merge_down(id)),
        Command::LayerFlatten => edit(state, "edit-layer-flatten", |t, _| t.flatten()),
        Command::LayerToggleVisible => {
            let visible = state.desk.document().active_layer().is_some_and(|layer| layer.visible);
            edit(state, "edit-layer-visible", |t, id| t.set_visible(id, !visible));
        }
        Command::LayerClear => edit(state, "edit-layer-clear", |t, id| t.clear_layer(id)),
        _ => return false,
    }
    true
}

fn copy_name(language: Language, name: &str) -> String {
    text_with(language, "layer-copy", &[("name", name.to_owned())])
}

fn change_layer(state: &mut State, id: LayerId, change: &LayerChange) {
    let (name, change) = (step_of(change), change.clone());
    edit(state, name, |t, _| match change {
        LayerChange::Rename(name) => t.rename_layer(id, name),
        LayerChange::Opacity(opacity) => t.set_opacity(id, opacity),
        LayerChange::Blend(blend) => t.set_blend(id, blend),
        LayerChange::Visible(visible) => t.set_visible(id, visible),
        LayerChange::Locked(locked) => t.set_locked(id, locked),
        LayerChange::AlphaLocked(locked) => t.set_alpha_locked(id, locked),
        LayerChange::Place(place) => t.reorder_layer(id, place),
    });
}

const fn step_of(change: &LayerChange) -> &'static str {
    match change {
        LayerChange::Rename(_) => "edit-layer-rename",
        LayerChange::Opacity(_) => "edit-layer-opacity",
        LayerChange::Blend(_) => "edit-layer-blend",
        LayerChange::Visible(_) => "edit-layer-visible",
        LayerChange::Locked(_) | LayerChange::AlphaLocked(_) => "edit-layer-lock",
        LayerChange::Place(_) => "edit-layer-move",
    }
}

fn change_brush(state: &mut State, command: &Command) {
    let tool = state.desk.tool();
    let settings = &mut state.desk.settings;
    let brush = match tool {
        ToolId::MaskBrush => &mut settings.mask_brush,
        ToolId::Eraser => &mut settings.eraser,
        _ => &mut settings.colour_brush,
    };
    match command {
        Command::BrushLarger => brush.diameter = (brush.diameter * SIZE_STEP).max(brush.diameter + 1.0).round(),
        Command::BrushSmaller => brush.diameter = (brush.diameter / SIZE_STEP).min(brush.diameter - 1.0).round(),
        Command::BrushHarder => brush.hardness += HARDNESS_STEP,
        _ => brush.hardness -= HARDNESS_STEP,
    }
    *brush = brush.clamped();
}

fn views(state: &mut State, command: &Command) -> bool {
    let Some(room) = state.desk.room else { return false };
    let middle = room.size.map(|side| side / 2.0);
    let view = state.desk.view_in(room);
    let quarter = std::f64::consts::PI / 12.0;
    state.desk.view = Some(match command {
        Command::ZoomIn => view.zoomed_in(middle, room),
        Command::ZoomOut => view.zoomed_out(middle, room),
        Command::ZoomActual => view.actual_size(room),
        Command::ZoomFit => {
            state.desk.view = None;
            return true;
        }
        Command::RotateLeft => view.turned_to(view.angle - quarter, false),
        Command::RotateRight => view.turned_to(view.angle + quarter, false),
        Command::RotateReset => view.turned_to(0.0, false),
        _ => return false,
    });
    true
}
