//! Keys that are pressed together, as data and as text: `Ctrl+Shift+Z`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

macro_rules! keys {
    ($($name:ident => $text:literal,)*) => {
        /// A key that a shortcut may have. A key with two signs goes by the one without Shift, but for the plus.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Key { $($name,)* }

        impl Key {
            pub const ALL: &'static [Key] = &[$(Key::$name,)*];

            /// As it is written in a shortcut.
            pub const fn name(self) -> &'static str {
                match self { $(Key::$name => $text,)* }
            }
        }
    };
}

keys! {
    A => "A", B => "B", C => "C", D => "D", E => "E", F => "F", G => "G", H => "H", I => "I", J => "J", K => "K",
    L => "L", M => "M", N => "N", O => "O", P => "P", Q => "Q", R => "R", S => "S", T => "T", U => "U", V => "V",
    W => "W", X => "X", Y => "Y", Z => "Z",
    Num0 => "0", Num1 => "1", Num2 => "2", Num3 => "3", Num4 => "4", Num5 => "5", Num6 => "6", Num7 => "7",
    Num8 => "8", Num9 => "9",
    F1 => "F1", F2 => "F2", F3 => "F3", F4 => "F4", F5 => "F5", F6 => "F6", F7 => "F7", F8 => "F8", F9 => "F9",
    F10 => "F10", F11 => "F11", F12 => "F12",
    OpenBracket => "[", CloseBracket => "]", Comma => ",", Period => ".", Slash => "/", Semicolon => ";",
    Quote => "'", Backtick => "`", Backslash => "\\", Minus => "-", Equals => "=", Plus => "+",
    Tab => "Tab", Space => "Space", Enter => "Enter", Escape => "Esc", Backspace => "Backspace", Delete => "Delete",
    Insert => "Insert", Home => "Home", End => "End", PageUp => "PageUp", PageDown => "PageDown",
    Left => "Left", Right => "Right", Up => "Up", Down => "Down",
}

impl Key {
    const fn is_function(self) -> bool {
        (self as u8) >= (Key::F1 as u8) && (self as u8) <= (Key::F12 as u8)
    }

    /// What people see: arrows as arrows.
    const fn sign(self) -> &'static str {
        match self {
            Key::Left => "←",
            Key::Right => "→",
            Key::Up => "↑",
            Key::Down => "↓",
            other => other.name(),
        }
    }
}

/// Keys that are pressed together. `command` is Ctrl, and ⌘ on a Mac.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shortcut {
    pub command: bool,
    pub shift: bool,
    pub alt: bool,
    pub key: Key,
}

impl Shortcut {
    pub const fn plain(key: Key) -> Self {
        Self { command: false, shift: false, alt: false, key }
    }

    pub const fn command(key: Key) -> Self {
        Self { command: true, ..Self::plain(key) }
    }

    pub const fn shift(self) -> Self {
        Self { shift: true, ..self }
    }

    pub const fn alt(self) -> Self {
        Self { alt: true, ..self }
    }

    /// A key alone, or with Shift, that writes a sign or moves the cursor where there is a text field.
    pub const fn is_single_key(self) -> bool {
        !self.command && !self.alt && !matches!(self.key, Key::Escape | Key::Enter) && !self.key.is_function()
    }

    /// What a text field that has the focus keeps for itself: single keys, and its own editing (undo, the clipboard,
    /// whole words). Up and down with Ctrl mean nothing there.
    pub const fn belongs_to_text(self) -> bool {
        let edits = matches!(
            self.key,
            Key::A
                | Key::C
                | Key::V
                | Key::X
                | Key::Y
                | Key::Z
                | Key::Left
                | Key::Right
                | Key::Home
                | Key::End
                | Key::Backspace
                | Key::Delete
        );
        self.is_single_key() || (self.command && !self.alt && edits)
    }

    /// As people see it: `Ctrl+Enter`, `⌘←` on a Mac.
    pub fn label(self) -> String {
        let (command, shift, alt) =
            if cfg!(target_os = "macos") { ("⌘", "⇧", "⌥") } else { ("Ctrl+", "Shift+", "Alt+") };
        self.written(command, shift, alt, self.key.sign())
    }

    fn written(self, command: &str, shift: &str, alt: &str, key: &str) -> String {
        let part = |there: bool, text| if there { text } else { "" };
        format!("{}{}{}{key}", part(self.command, command), part(self.alt, alt), part(self.shift, shift))
    }
}

/// The form for files: `Ctrl+Alt+Shift+Z`, the same on every system.
impl fmt::Display for Shortcut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written("Ctrl+", "Shift+", "Alt+", self.key.name()))
    }
}

/// A text that is no shortcut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no shortcut")]
pub struct NoShortcut(String);

impl FromStr for Shortcut {
    type Err = NoShortcut;

    /// In any order and case; Cmd and Control stand for Ctrl, and arrows may be signs.
    fn from_str(text: &str) -> Result<Self, NoShortcut> {
        let no = || NoShortcut(text.to_owned());
        let trimmed = text.trim();
        // The plus is both the joint and a key.
        let (modifiers, key) = match trimmed.strip_suffix('+') {
            Some(rest) => (rest.strip_suffix('+').or(rest.is_empty().then_some("")).ok_or_else(no)?, "+"),
            None => trimmed.rsplit_once('+').unwrap_or(("", trimmed)),
        };
        let named = |k: &&Key| k.name().eq_ignore_ascii_case(key.trim()) || k.sign() == key.trim();
        let mut shortcut = Self::plain(*Key::ALL.iter().find(named).ok_or_else(no)?);
        for modifier in modifiers.split('+').map(str::trim).filter(|_| !modifiers.is_empty()) {
            let flag = match modifier.to_ascii_lowercase().as_str() {
                "ctrl" | "control" | "cmd" | "command" => &mut shortcut.command,
                "shift" => &mut shortcut.shift,
                "alt" | "option" => &mut shortcut.alt,
                _ => return Err(no()),
            };
            if std::mem::replace(flag, true) {
                return Err(no());
            }
        }
        Ok(shortcut)
    }
}

impl Serialize for Shortcut {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Shortcut {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shortcut_comes_back_from_its_text() {
        let mut seen = std::collections::HashSet::new();
        for &key in Key::ALL {
            for bits in 0..8u8 {
                let shortcut = Shortcut { command: bits & 1 > 0, shift: bits & 2 > 0, alt: bits & 4 > 0, key };
                let text = shortcut.to_string();
                assert_eq!(text.parse(), Ok(shortcut), "{text}");
                assert_eq!(
                    serde_json::from_str::<Shortcut>(&serde_json::to_string(&shortcut).unwrap()).unwrap(),
                    shortcut
                );
                assert!(seen.insert(text));
            }
        }
    }

    #[test]
    fn texts_are_read_leniently_and_nonsense_is_refused() {
        let undo = Shortcut::command(Key::Z).shift();
        for text in ["Ctrl+Shift+Z", "shift+ctrl+z", " Cmd + Shift + z "] {
            assert_eq!(text.parse(), Ok(undo), "{text}");
        }
        assert_eq!("Ctrl++".parse(), Ok(Shortcut::command(Key::Plus)));
        assert_eq!("+".parse(), Ok(Shortcut::plain(Key::Plus)));
        assert_eq!("Ctrl+↑".parse(), Ok(Shortcut::command(Key::Up)));
        for text in ["", "Ctrl", "Ctrl+", "Z+Ctrl", "Hyper+Z", "Ctrl+Ctrl+Z", "Ctrl+山", "a+"] {
            assert!(text.parse::<Shortcut>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_text_field_keeps_what_it_needs() {
        let needs = |text: &str| text.parse::<Shortcut>().unwrap().belongs_to_text();
        for text in ["B", "Shift+[", "Tab", "Space", "Delete", "Left", "Ctrl+Z", "Ctrl+Shift+Z", "Ctrl+A", "Ctrl+Left"]
        {
            assert!(needs(text), "{text}");
        }
        for text in ["Ctrl+Enter", "Esc", "Shift+Esc", "F5", "Ctrl+Up", "Ctrl+K", "Ctrl+S", "Alt+B", "Ctrl+0"] {
            assert!(!needs(text), "{text}");
        }
        assert!(!"Ctrl+Z".parse::<Shortcut>().unwrap().is_single_key());
    }
}
