//! egui's keys as ours.

use crate::app::{Key, Shortcut};
use egui::Modifiers;

/// The shortcut that a pressed key and the modifiers held with it make; `None` for keys that no shortcut has.
pub fn shortcut(key: egui::Key, modifiers: Modifiers) -> Option<Shortcut> {
    let (key, shift) = match key {
        // A sign that is typed with Shift is that of the key below it.
        egui::Key::OpenCurlyBracket => (Key::OpenBracket, true),
        egui::Key::CloseCurlyBracket => (Key::CloseBracket, true),
        egui::Key::Pipe => (Key::Backslash, true),
        egui::Key::Colon => (Key::Semicolon, true),
        egui::Key::Questionmark => (Key::Slash, true),
        egui::Key::Exclamationmark => (Key::Num1, true),
        // Some keyboards have a key for it, others type it with Shift.
        egui::Key::Plus => (Key::Plus, false),
        other => (plain(other)?, modifiers.shift),
    };
    Some(Shortcut { command: modifiers.command, shift, alt: modifiers.alt, key })
}

fn plain(key: egui::Key) -> Option<Key> {
    let key = match key {
        egui::Key::ArrowLeft => Key::Left,
        egui::Key::ArrowRight => Key::Right,
        egui::Key::ArrowUp => Key::Up,
        egui::Key::ArrowDown => Key::Down,
        egui::Key::OpenBracket => Key::OpenBracket,
        egui::Key::CloseBracket => Key::CloseBracket,
        egui::Key::Comma => Key::Comma,
        egui::Key::Period => Key::Period,
        egui::Key::Slash => Key::Slash,
        egui::Key::Semicolon => Key::Semicolon,
        egui::Key::Quote => Key::Quote,
        egui::Key::Backtick => Key::Backtick,
        egui::Key::Backslash => Key::Backslash,
        egui::Key::Minus => Key::Minus,
        egui::Key::Equals => Key::Equals,
        egui::Key::Escape => Key::Escape,
        // Letters, digits, F keys and the rest have the same names on both sides.
        other => *Key::ALL.iter().find(|key| key.name() == other.name())?,
    };
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_ours_can_be_pressed() {
        for &ours in Key::ALL {
            let hits = egui::Key::ALL.iter().filter_map(|&key| shortcut(key, Modifiers::NONE));
            assert_eq!(hits.filter(|s| *s == Shortcut::plain(ours)).count(), 1, "{ours:?}");
        }
    }

    #[test]
    fn modifiers_are_kept_and_shifted_signs_know_their_key() {
        let modifiers = Modifiers { alt: true, shift: true, ctrl: true, mac_cmd: false, command: true };
        assert_eq!(shortcut(egui::Key::Z, modifiers).unwrap().to_string(), "Ctrl+Alt+Shift+Z");
        assert_eq!(shortcut(egui::Key::CloseCurlyBracket, Modifiers::SHIFT).unwrap().to_string(), "Shift+]");
        assert_eq!(shortcut(egui::Key::Plus, Modifiers::SHIFT).unwrap().to_string(), "+");
        assert_eq!(shortcut(egui::Key::F20, Modifiers::NONE), None);
    }
}
