//! What can be done in the gallery, and the keys for it.

use super::super::command::Command;
use super::super::commands::{Key as K, Shortcut};
use super::super::state::State;
use super::selection::Pick;
use crate::gallery::EntryId;
use std::path::PathBuf;

/// Where the keyboard goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Left,
    Right,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
}

/// Something that the artist wants done in the gallery. It is done to the picture that is looked at large, else to
/// those that are chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    Pick(EntryId, Pick),
    /// Moves the cursor; `true` chooses what lies between.
    Go(Step, bool),
    SelectAll,
    SelectNone,
    /// Looks at one large.
    Look(EntryId),
    LookAtChosen,
    Next,
    Previous,
    /// From the large picture to the wall, from a selection to none, from the wall to the studio.
    Back,
    /// Two pictures side by side: the chosen ones, or the one at the cursor and its neighbour.
    Compare,
    /// The two change places.
    Swap,
    /// Side by side, or one over the other with a slider.
    Slider,
    Favourite,
    /// Of this one, whatever is chosen.
    Star(EntryId),
    Delete,
    Undo,
    Reuse,
    ToCanvas,
    Reveal,
    Copy,
    Export,
    /// From, to: the answer to [`Act::Export`].
    ExportTo(PathBuf, PathBuf),
    Import(Vec<PathBuf>),
    ClearFilter,
    Refresh,
}

impl Act {
    /// Every stem, for the command's list.
    pub const fn stem(&self) -> &'static str {
        match self {
            Act::Pick(..) | Act::Go(..) => "wall-pick",
            Act::SelectAll => "wall-select-all",
            Act::SelectNone => "wall-select-none",
            Act::Look(_) | Act::LookAtChosen => "wall-look",
            Act::Next => "wall-next",
            Act::Previous => "wall-previous",
            Act::Back => "wall-back",
            Act::Compare => "wall-compare",
            Act::Swap => "wall-swap",
            Act::Slider => "wall-slider",
            Act::Favourite | Act::Star(_) => "wall-favourite",
            Act::Delete => "wall-delete",
            Act::Undo => "wall-undo",
            Act::Reuse => "wall-reuse",
            Act::ToCanvas => "wall-to-canvas",
            Act::Reveal => "wall-reveal",
            Act::Copy => "wall-copy",
            Act::Export | Act::ExportTo(..) => "wall-export",
            Act::Import(_) => "wall-import",
            Act::ClearFilter => "wall-clear-filter",
            Act::Refresh => "wall-refresh",
        }
    }

    /// Whether a key that is held down does it again and again.
    pub const fn repeats(&self) -> bool {
        matches!(self, Act::Go(..) | Act::Next | Act::Previous)
    }

    /// The keys, for a tooltip.
    pub fn keys(&self) -> Option<String> {
        if *self == Act::Copy {
            // The system's own keys for it come as an event of their own.
            return Some(Shortcut::command(K::C).label());
        }
        KEYS.iter().chain(LARGE_KEYS).find(|(_, act)| act == self).map(|(keys, _)| keys.label())
    }
}

/// What is typed on the wall.
const KEYS: &[(Shortcut, Act)] = &[
    (Shortcut::plain(K::Enter), Act::LookAtChosen),
    (Shortcut::plain(K::Space), Act::Compare),
    (Shortcut::plain(K::F), Act::Favourite),
    (Shortcut::plain(K::Delete), Act::Delete),
    (Shortcut::plain(K::R), Act::Reuse),
    (Shortcut::command(K::A), Act::SelectAll),
    (Shortcut::command(K::D), Act::SelectNone),
    (Shortcut::command(K::Z), Act::Undo),
    (Shortcut::command(K::E), Act::Export),
    (Shortcut::plain(K::F5), Act::Refresh),
    (Shortcut::plain(K::Escape), Act::Back),
];

/// What is typed at a large picture, before the keys of the wall.
const LARGE_KEYS: &[(Shortcut, Act)] = &[
    (Shortcut::plain(K::Left), Act::Previous),
    (Shortcut::plain(K::Right), Act::Next),
    (Shortcut::plain(K::Enter), Act::Back),
];

/// What is typed while two are compared.
const COMPARING_KEYS: &[(Shortcut, Act)] = &[
    (Shortcut::plain(K::Escape), Act::Back),
    (Shortcut::plain(K::Space), Act::Back),
    (Shortcut::plain(K::X), Act::Swap),
    (Shortcut::plain(K::S), Act::Slider),
];

/// The command that a shortcut gives in the gallery; `None` for those of the rest of the window.
pub fn pressed(state: &State, shortcut: Shortcut) -> Option<Command> {
    let find = |keys: &[(Shortcut, Act)]| keys.iter().find(|(own, _)| *own == shortcut).map(|(_, act)| act.clone());
    let act = if state.wall.comparing.is_some() {
        find(COMPARING_KEYS)
    } else if state.wall.looking.is_some() {
        find(LARGE_KEYS).or_else(|| find(KEYS))
    } else {
        step(shortcut).or_else(|| find(KEYS))
    };
    act.map(Command::Wall)
}

fn step(shortcut: Shortcut) -> Option<Act> {
    let step = match shortcut.key {
        K::Left => Step::Left,
        K::Right => Step::Right,
        K::Up => Step::Up,
        K::Down => Step::Down,
        K::PageUp => Step::PageUp,
        K::PageDown => Step::PageDown,
        K::Home => Step::First,
        K::End => Step::Last,
        _ => return None,
    };
    (!shortcut.command && !shortcut.alt).then_some(Act::Go(step, shortcut.shift))
}
