//! One declaration a command: group, icon, default keys, and when it can be done. Menus, the palette, the editor of
//! shortcuts and the listener for keys all derive from [`ENTRIES`].

mod keymap;
mod search;
mod shortcut;
mod table;

pub use keymap::Keymap;
pub use search::{Hit, Index, Rank};
pub use shortcut::{Key, NoShortcut, Shortcut};
pub use table::ENTRIES;

use super::command::Command;
use super::state::State;

/// Which menu a command is in. Its name is the message `group-KEY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    File,
    Edit,
    Select,
    Mask,
    Layer,
    View,
    Generate,
    Gallery,
    Tools,
    Window,
}

impl Group {
    /// In the order of the menus.
    pub const ALL: [Group; 10] = [
        Group::File,
        Group::Edit,
        Group::Select,
        Group::Mask,
        Group::Layer,
        Group::View,
        Group::Generate,
        Group::Gallery,
        Group::Tools,
        Group::Window,
    ];

    /// The message id of its name.
    pub const fn text_id(self) -> &'static str {
        match self {
            Group::File => "group-file",
            Group::Edit => "group-edit",
            Group::Select => "group-select",
            Group::Mask => "group-mask",
            Group::Layer => "group-layer",
            Group::View => "group-view",
            Group::Generate => "group-generate",
            Group::Gallery => "group-gallery",
            Group::Tools => "group-tools",
            Group::Window => "group-window",
        }
    }
}

/// The sign of a command; the window draws it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IconId {
    About,
    Add,
    Brush,
    Bucket,
    Canvas,
    Check,
    Clear,
    Compare,
    Delete,
    Deselect,
    Dice,
    Document,
    Down,
    Duplicate,
    Ellipse,
    Eraser,
    Export,
    Eye,
    Feather,
    Fill,
    Fit,
    Flatten,
    Folder,
    Frame,
    Gallery,
    Generate,
    Grow,
    Hand,
    Harder,
    Invert,
    Keyboard,
    Language,
    Larger,
    Lasso,
    Layers,
    Left,
    Manner,
    Mask,
    MaskBrush,
    Merge,
    Move,
    Palette,
    Picker,
    Pin,
    Rectangle,
    Redo,
    Repaint,
    Reuse,
    Right,
    RotateLeft,
    RotateReset,
    RotateRight,
    Save,
    SelectAll,
    Shade,
    Shrink,
    Smaller,
    Softer,
    Stop,
    Swap,
    Transform,
    Undo,
    Up,
    Wand,
    Weight,
    Zoom,
    ZoomActual,
    ZoomIn,
    ZoomOut,
}

/// See the module.
#[derive(Debug)]
pub struct Entry {
    pub command: Command,
    pub group: Group,
    pub icon: IconId,
    /// The keys as the program comes; the first is shown.
    pub shortcuts: &'static [Shortcut],
    /// Whether it can be done now.
    pub enabled: fn(&State) -> bool,
}

impl Entry {
    pub const fn stem(&self) -> &'static str {
        self.command.stem()
    }

    /// Whether a key that is held down gives the command again and again.
    pub const fn repeats(&self) -> bool {
        self.command.repeats()
    }
}

/// The entry of a command; those that answer something (a path, a message) have none.
pub fn entry_of(command: &Command) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.command == *command)
}

/// The entry whose stem it is.
pub fn entry(stem: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.stem() == stem)
}
