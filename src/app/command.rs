//! What can be done, as data: the words for it, and the keys.

use crate::base::ImageId;
use crate::recipe::Preset;
use crate::words::Language;
use std::path::PathBuf;

/// Something that the artist wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Paints the draft, after the jobs that wait already.
    Generate,
    /// Stops the running job.
    Cancel,
    /// Stops the running job and takes out the waiting ones.
    CancelAll,
    /// Asks where to save a copy of the picture that is looked at.
    SaveAs,
    /// Saves a copy; the answer to [`Command::SaveAs`].
    SaveTo(ImageId, PathBuf),
    /// Makes the recipe of the picture that is looked at the draft, seed included.
    ReuseRecipe,
    /// Keeps the seed of the picture that is looked at.
    ReuseSeed,
    /// Each job draws a new seed.
    Dice,
    /// The seed that was used last is used again.
    KeepSeed,
    Choose(Preset),
    ChooseModel(usize),
    /// Writes the example's words into the draft and paints it; 0 to [`EXAMPLES`] - 1.
    Example(usize),
    LookAt(ImageId),
    LookAtEasel,
    LookNewer,
    LookOlder,
    SetLanguage(Language),
    SwitchLanguage,
    SwitchShade,
    OpenFolder,
    /// Shows the folder that models are put into.
    OpenModels,
    Unfold(u64),
    Dismiss(u64),
}

/// Number of examples on the empty desk: the messages `example-1` and so on.
pub const EXAMPLES: usize = 3;

/// A key of a shortcut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    Enter,
    Escape,
    Left,
    Right,
    S,
    R,
    L,
    T,
}

/// Keys that are pressed together. `command` is Ctrl, and ⌘ on a Mac.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shortcut {
    pub command: bool,
    pub shift: bool,
    pub key: Key,
}

impl Shortcut {
    const fn plain(key: Key) -> Self {
        Self { command: false, shift: false, key }
    }

    const fn command(key: Key) -> Self {
        Self { command: true, shift: false, key }
    }

    const fn shift(self) -> Self {
        Self { shift: true, ..self }
    }

    /// A letter or an arrow that a text field wants for itself.
    pub const fn is_single_key(self) -> bool {
        !self.command && !matches!(self.key, Key::Escape | Key::Enter)
    }

    /// As people write it: `Ctrl+Enter`.
    pub fn label(self) -> String {
        let key = match self.key {
            Key::Enter => "Enter",
            Key::Escape => "Esc",
            Key::Left => "←",
            Key::Right => "→",
            Key::S => "S",
            Key::R => "R",
            Key::L => "L",
            Key::T => "T",
        };
        let control = if cfg!(target_os = "macos") { "⌘" } else { "Ctrl+" };
        format!("{}{}{key}", if self.command { control } else { "" }, if self.shift { "Shift+" } else { "" })
    }
}

/// The keys of the commands that need no value.
pub const KEYS: &[(Shortcut, Command)] = &[
    (Shortcut::command(Key::Enter), Command::Generate),
    (Shortcut::plain(Key::Escape).shift(), Command::CancelAll),
    (Shortcut::plain(Key::Escape), Command::Cancel),
    (Shortcut::command(Key::S), Command::SaveAs),
    (Shortcut::plain(Key::R), Command::ReuseRecipe),
    (Shortcut::plain(Key::Left), Command::LookNewer),
    (Shortcut::plain(Key::Right), Command::LookOlder),
    (Shortcut::command(Key::L).shift(), Command::SwitchLanguage),
    (Shortcut::command(Key::T).shift(), Command::SwitchShade),
];

impl Command {
    /// The stem of the message ids: `command-STEM` is the text, `command-STEM-tip` the tooltip.
    pub const fn stem(&self) -> &'static str {
        match self {
            Command::Generate => "generate",
            Command::Cancel => "cancel",
            Command::CancelAll => "cancel-all",
            Command::SaveAs | Command::SaveTo(..) => "save-as",
            Command::ReuseRecipe => "reuse-recipe",
            Command::ReuseSeed => "reuse-seed",
            Command::Dice => "dice",
            Command::KeepSeed => "keep-seed",
            Command::Choose(Preset::Faithful) => "preset-faithful",
            Command::Choose(Preset::Article) => "preset-article",
            Command::Choose(Preset::Quick) => "preset-quick",
            Command::ChooseModel(_) => "choose-model",
            Command::Example(_) => "example",
            Command::LookAt(_) => "look-at",
            Command::LookAtEasel => "look-at-easel",
            Command::LookNewer => "look-newer",
            Command::LookOlder => "look-older",
            Command::SetLanguage(_) | Command::SwitchLanguage => "language",
            Command::SwitchShade => "shade",
            Command::OpenFolder => "open-folder",
            Command::OpenModels => "open-models",
            Command::Unfold(_) => "unfold",
            Command::Dismiss(_) => "dismiss",
        }
    }

    /// Whether a key that is held down gives the command again and again.
    pub const fn repeats(&self) -> bool {
        matches!(self, Command::LookNewer | Command::LookOlder)
    }

    /// Every stem, for the test that all have words.
    pub const STEMS: &'static [&'static str] = &[
        "generate",
        "cancel",
        "cancel-all",
        "save-as",
        "reuse-recipe",
        "reuse-seed",
        "dice",
        "keep-seed",
        "preset-faithful",
        "preset-article",
        "preset-quick",
        "choose-model",
        "example",
        "look-at",
        "look-at-easel",
        "look-newer",
        "look-older",
        "language",
        "shade",
        "open-folder",
        "open-models",
        "unfold",
        "dismiss",
    ];

    pub fn text_id(&self) -> String {
        format!("command-{}", self.stem())
    }

    pub fn tooltip_id(&self) -> String {
        format!("command-{}-tip", self.stem())
    }

    pub fn shortcut(&self) -> Option<Shortcut> {
        KEYS.iter().find(|(_, command)| command == self).map(|(shortcut, _)| *shortcut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortcuts_are_unique_and_single_keys_are_known() {
        for (i, (shortcut, command)) in KEYS.iter().enumerate() {
            assert!(KEYS.iter().skip(i + 1).all(|(other, _)| other != shortcut), "{}", shortcut.label());
            assert_eq!(command.shortcut(), Some(*shortcut));
            assert!(Command::STEMS.contains(&command.stem()));
        }
        assert!(!Command::Generate.shortcut().unwrap().is_single_key());
        assert!(Command::ReuseRecipe.shortcut().unwrap().is_single_key());
    }
}
