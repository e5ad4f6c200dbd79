//! Which sign a command has.

use super::icons::Icon;
use crate::app::commands::IconId;

/// The sign of a command; `None` if none is drawn for it.
pub const fn sign(id: IconId) -> Option<Icon> {
    match id {
        IconId::Dice => Some(Icon::Dice),
        IconId::Pin => Some(Icon::Pin),
        IconId::Save | IconId::Export => Some(Icon::Save),
        IconId::Reuse => Some(Icon::Reuse),
        IconId::Folder => Some(Icon::Folder),
        IconId::Shade => Some(Icon::Moon),
        IconId::Right => Some(Icon::Chevron(0)),
        IconId::Down => Some(Icon::Chevron(1)),
        IconId::Canvas => Some(Icon::Shape(4, 3)),
        IconId::Frame | IconId::Rectangle => Some(Icon::Shape(3, 2)),
        _ => None,
    }
}
