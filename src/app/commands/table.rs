//! The table of commands, a line each: command, icon, default keys, when it can be done.

use super::shortcut::Key as K;
use super::{Entry, Group, IconId, Shortcut};
use crate::app::command::Command as C;
use crate::app::state::{Scale, State, View};
use crate::recipe::Preset;

const fn key(key: K) -> Shortcut {
    Shortcut::plain(key)
}

const fn shift(key: K) -> Shortcut {
    Shortcut::plain(key).shift()
}

const fn ctrl(key: K) -> Shortcut {
    Shortcut::command(key)
}

const fn ctrl_shift(key: K) -> Shortcut {
    Shortcut::command(key).shift()
}

const fn alt(key: K) -> Shortcut {
    Shortcut::plain(key).alt()
}

const fn ctrl_alt(key: K) -> Shortcut {
    Shortcut::command(key).alt()
}

fn always(_: &State) -> bool {
    true
}

fn writing(state: &State) -> bool {
    !state.draft.prompt.trim().is_empty() || !state.draft.negative.trim().is_empty()
}

fn settled(state: &State) -> bool {
    state.ledger.settled().len() > 0
}

fn can_grow(state: &State) -> bool {
    state.scale.larger() != state.scale
}

fn can_shrink(state: &State) -> bool {
    state.scale.smaller() != state.scale
}

fn scaled(state: &State) -> bool {
    state.scale != Scale::default()
}

/// The desk holds no document yet: nothing that works on one or on its view can be done.
fn studio(_: &State) -> bool {
    false
}

/// The canvas is what one looks at.
fn painting_room(state: &State) -> bool {
    state.view == View::Easel
}

fn has_before(state: &State) -> bool {
    painting_room(state) && state.desk.has_before()
}

fn choosing(state: &State) -> bool {
    state.choosing().is_some()
}

fn leafing(state: &State) -> bool {
    state.choosing().is_some_and(|staging| staging.count() > 1)
}

fn undoable(state: &State) -> bool {
    painting_room(state)
        && (state.desk.is_drawing()
            || state.masking.is_some()
            || !state.desk.pours.is_empty()
            || state.desk.editor().history().position() > 0)
}

fn redoable(state: &State) -> bool {
    painting_room(state) && state.desk.editor().history().redo_name().is_some()
}

fn selected(state: &State) -> bool {
    painting_room(state) && state.desk.document().selection().is_some()
}

fn masked(state: &State) -> bool {
    painting_room(state) && !state.desk.document().mask().is_empty()
}

fn layered(state: &State) -> bool {
    painting_room(state) && state.desk.document().layers().len() > 1
}

fn begun(state: &State) -> bool {
    !state.desk.is_fresh()
}

fn has_recipe(state: &State) -> bool {
    state.desk.paper.recipe().is_some()
}

fn has_lost(state: &State) -> bool {
    !state.filing.lost.is_empty()
}

fn working(state: &State) -> bool {
    state.ledger.running().is_some()
}

fn stoppable(state: &State) -> bool {
    state.desk.is_busy() || state.masking.is_some() || working(state) || state.ledger.is_preparing()
}

fn working_or_waiting(state: &State) -> bool {
    working(state) || state.ledger.waiting().len() > 0
}

fn looking(state: &State) -> bool {
    state.looked_at().is_some()
}

fn in_gallery(state: &State) -> bool {
    state.view == View::Gallery
}

fn outside_gallery(state: &State) -> bool {
    !in_gallery(state)
}

fn hanging(state: &State) -> bool {
    !state.paintings.is_empty()
}

macro_rules! table {
    ($($group:ident { $($command:expr, $icon:ident, [$($shortcut:expr),*], $enabled:ident;)* })*) => {
        /// Every command that an artist can choose, in the order of the menus.
        pub static ENTRIES: &[Entry] = &[$($(Entry {
            command: $command,
            group: Group::$group,
            icon: IconId::$icon,
            shortcuts: &[$($shortcut),*],
            enabled: $enabled,
        },)*)*];
    };
}

table! {
    File {
        C::NewDocument, Document, [ctrl(K::N)], always;
        C::OpenFile, Folder, [ctrl(K::O)], always;
        C::Save, Save, [ctrl(K::S)], begun;
        C::SaveAsProject, Save, [ctrl_shift(K::S)], begun;
        C::Export, Export, [ctrl(K::E)], begun;
        C::SaveAs, Export, [ctrl_alt(K::S)], looking;
        C::OpenFolder, Folder, [], always;
        C::OpenModels, Folder, [], always;
        C::ShowLost, Document, [], has_lost;
        C::Leave, Right, [ctrl(K::Q)], always;
    }
    Edit {
        C::Undo, Undo, [ctrl(K::Z)], undoable;
        C::Redo, Redo, [ctrl_shift(K::Z), ctrl(K::Y)], redoable;
        C::CopyPicture, Duplicate, [ctrl(K::C)], begun;
    }
    Select {
        C::SelectAll, SelectAll, [ctrl(K::A)], painting_room;
        C::Deselect, Deselect, [ctrl(K::D)], selected;
        C::InvertSelection, Invert, [ctrl_shift(K::I)], selected;
    }
    Mask {
        C::MaskClear, Clear, [ctrl(K::Backspace)], masked;
        C::MaskFill, Fill, [], painting_room;
        C::MaskInvert, Invert, [ctrl(K::I)], painting_room;
        C::MaskGrow, Grow, [], masked;
        C::MaskShrink, Shrink, [], masked;
        C::MaskFeather, Feather, [], masked;
        C::MaskFromSelection, Mask, [], selected;
        C::MaskFromAlpha, Mask, [], painting_room;
        C::ToggleMaskOverlay, Eye, [key(K::Q)], painting_room;
    }
    Layer {
        C::LayerAdd, Add, [ctrl_shift(K::N)], painting_room;
        C::LayerDuplicate, Duplicate, [ctrl(K::J)], painting_room;
        C::LayerDelete, Delete, [], layered;
        C::LayerUp, Up, [ctrl(K::CloseBracket)], layered;
        C::LayerDown, Down, [ctrl(K::OpenBracket)], layered;
        C::LayerMergeDown, Merge, [ctrl_shift(K::E)], layered;
        C::LayerFlatten, Flatten, [], layered;
        C::LayerToggleVisible, Eye, [], painting_room;
        C::LayerClear, Clear, [key(K::Delete)], painting_room;
    }
    View {
        C::ZoomIn, ZoomIn, [ctrl(K::Equals), ctrl(K::Plus)], painting_room;
        C::ZoomOut, ZoomOut, [ctrl(K::Minus)], painting_room;
        C::ZoomFit, Fit, [ctrl(K::Num0)], painting_room;
        C::ZoomActual, ZoomActual, [ctrl(K::Num1)], painting_room;
        C::RotateLeft, RotateLeft, [key(K::Num4)], painting_room;
        C::RotateReset, RotateReset, [key(K::Num5)], painting_room;
        C::RotateRight, RotateRight, [key(K::Num6)], painting_room;
        C::BeforeAfter, Compare, [key(K::Backslash)], has_before;
        C::CanvasOnly, Canvas, [key(K::Tab)], painting_room;
    }
    Generate {
        C::Generate, Generate, [ctrl(K::Enter)], always;
        C::Repaint, Repaint, [ctrl_shift(K::Enter)], studio;
        C::Cancel, Stop, [key(K::Escape)], stoppable;
        C::CancelAll, Stop, [shift(K::Escape)], working_or_waiting;
        C::ForgetSettled, Clear, [], settled;
        C::VariantPrevious, Left, [key(K::Comma)], leafing;
        C::VariantNext, Right, [key(K::Period)], leafing;
        C::VariantKeep, Check, [alt(K::Enter)], choosing;
        C::VariantKeepLayer, Layers, [ctrl_alt(K::Enter)], leafing;
        C::VariantDiscard, Delete, [alt(K::Delete)], choosing;
        C::Dice, Dice, [], always;
        C::KeepSeed, Pin, [], always;
        C::Choose(Preset::Faithful), Manner, [], always;
        C::Choose(Preset::Article), Manner, [], always;
        C::Choose(Preset::Quick), Manner, [], always;
        C::WeightUp, Weight, [ctrl(K::Up)], writing;
        C::WeightDown, Weight, [ctrl(K::Down)], writing;
    }
    Gallery {
        C::ShowStudio, Canvas, [key(K::F2)], in_gallery;
        C::ShowGallery, Gallery, [key(K::F3)], outside_gallery;
        C::LookNewer, Left, [key(K::Left)], hanging;
        C::LookOlder, Right, [key(K::Right)], hanging;
        C::LookAtEasel, Canvas, [], hanging;
        C::ReuseRecipe, Reuse, [key(K::R)], looking;
        C::TakeRecipe, Reuse, [], has_recipe;
        C::ReuseSeed, Pin, [], looking;
    }
    Tools {
        C::ToolBrush, Brush, [key(K::B)], painting_room;
        C::ToolEraser, Eraser, [key(K::E)], painting_room;
        C::ToolMaskBrush, MaskBrush, [key(K::P)], painting_room;
        C::ToolRectangle, Rectangle, [key(K::M)], painting_room;
        C::ToolEllipse, Ellipse, [shift(K::M)], painting_room;
        C::ToolLasso, Lasso, [key(K::L)], painting_room;
        C::ToolWand, Wand, [key(K::W)], painting_room;
        C::ToolBucket, Bucket, [key(K::K)], painting_room;
        C::ToolPicker, Picker, [key(K::I)], painting_room;
        C::ToolMove, Move, [key(K::V)], painting_room;
        C::ToolTransform, Transform, [ctrl(K::T)], painting_room;
        C::ToolFrame, Frame, [key(K::C)], painting_room;
        C::ToolPan, Hand, [key(K::H)], painting_room;
        C::ToolZoom, Zoom, [key(K::Z)], painting_room;
        C::BrushLarger, Larger, [key(K::CloseBracket)], painting_room;
        C::BrushSmaller, Smaller, [key(K::OpenBracket)], painting_room;
        C::BrushHarder, Harder, [shift(K::CloseBracket)], painting_room;
        C::BrushSofter, Softer, [shift(K::OpenBracket)], painting_room;
        C::SwapColours, Swap, [key(K::X)], painting_room;
    }
    Window {
        C::Palette, Palette, [ctrl(K::K), ctrl_shift(K::P)], always;
        C::EditShortcuts, Keyboard, [ctrl_alt(K::K)], always;
        C::PromptPanel, Left, [key(K::F7)], always;
        C::LayersPanel, Right, [key(K::F8)], always;
        C::SwitchShade, Shade, [ctrl_shift(K::T)], always;
        C::SwitchLanguage, Language, [ctrl_shift(K::L)], always;
        C::ScaleUp, ZoomIn, [ctrl_alt(K::Equals)], can_grow;
        C::ScaleDown, ZoomOut, [ctrl_alt(K::Minus)], can_shrink;
        C::ScaleReset, ZoomActual, [ctrl_alt(K::Num0)], scaled;
        C::About, About, [], always;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::commands::{entry, entry_of};
    use crate::app::settings::Settings;
    use crate::words::Language;

    #[test]
    fn every_plain_command_has_one_entry_and_no_key_has_two() {
        for command in C::PLAIN {
            assert_eq!(ENTRIES.iter().filter(|entry| entry.command == *command).count(), 1, "{command:?}");
        }
        let mut keys: Vec<_> = ENTRIES.iter().flat_map(|entry| entry.shortcuts).collect();
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
        for e in ENTRIES {
            assert!(std::ptr::eq(entry(e.stem()).unwrap(), e) && std::ptr::eq(entry_of(&e.command).unwrap(), e));
        }
        assert!(entry_of(&C::Dismiss(1)).is_none() && entry("save-to").is_none());
    }

    #[test]
    fn what_cannot_be_done_is_known() {
        let state = State::new(vec![], &Settings::default(), Language::ZhCn);
        let can = |command: C| (entry_of(&command).unwrap().enabled)(&state);
        assert!(can(C::Generate) && can(C::SwitchShade));
        assert!(!can(C::Cancel) && !can(C::CancelAll) && !can(C::SaveAs) && !can(C::LookOlder));
    }
}
