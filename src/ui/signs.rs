//! Which sign a command has.

use super::icons::Icon;
use crate::app::commands::IconId;

/// The sign of a command; `None` if none is drawn for it.
pub const fn sign(id: IconId) -> Option<Icon> {
    Some(match id {
        IconId::About => Icon::Info,
        IconId::Add => Icon::Plus,
        IconId::Brush => Icon::Brush,
        IconId::Bucket | IconId::Fill => Icon::Bucket,
        IconId::Canvas => Icon::Shape(4, 3),
        IconId::Check => Icon::Check,
        IconId::Clear | IconId::Deselect => Icon::Close,
        IconId::Compare => Icon::Compare,
        IconId::Delete => Icon::Trash,
        IconId::Dice => Icon::Dice,
        IconId::Document => Icon::New,
        IconId::Down => Icon::ArrowDown,
        IconId::Duplicate => Icon::Duplicate,
        IconId::Ellipse => Icon::EllipseSelect,
        IconId::Eraser => Icon::Eraser,
        IconId::Export => Icon::Export,
        IconId::Eye => Icon::Eye,
        IconId::Feather => Icon::Feather,
        IconId::Fit => Icon::Fit,
        IconId::Flatten | IconId::Merge => Icon::MergeDown,
        IconId::Folder => Icon::Folder,
        IconId::Frame => Icon::Frame,
        IconId::Gallery => Icon::Gallery,
        IconId::Grow => Icon::Grow,
        IconId::Hand => Icon::Hand,
        IconId::Invert => Icon::Invert,
        IconId::Keyboard => Icon::Keyboard,
        IconId::Language => Icon::Language,
        IconId::Lasso => Icon::Lasso,
        IconId::Layers => Icon::Layers,
        IconId::Left => Icon::Chevron(2),
        IconId::Mask | IconId::MaskBrush | IconId::Repaint => Icon::MaskBrush,
        IconId::Move => Icon::Move,
        IconId::Palette => Icon::Command,
        IconId::Picker => Icon::Eyedropper,
        IconId::Pin => Icon::Pin,
        IconId::Rectangle | IconId::SelectAll => Icon::RectangleSelect,
        IconId::Redo => Icon::Redo,
        IconId::Reuse => Icon::Reuse,
        IconId::Right => Icon::Chevron(0),
        IconId::RotateLeft | IconId::RotateReset | IconId::RotateRight => Icon::Rotate,
        IconId::Save => Icon::Save,
        IconId::Shade => Icon::Moon,
        IconId::Shrink => Icon::Shrink,
        IconId::Transform => Icon::Transform,
        IconId::Undo => Icon::Undo,
        IconId::Up => Icon::ArrowUp,
        IconId::Wand => Icon::MagicWand,
        IconId::Zoom | IconId::ZoomActual | IconId::ZoomIn | IconId::ZoomOut => Icon::Zoom,
        IconId::Generate
        | IconId::Harder
        | IconId::Larger
        | IconId::Manner
        | IconId::Smaller
        | IconId::Softer
        | IconId::Stop
        | IconId::Swap
        | IconId::Weight => return None,
    })
}
