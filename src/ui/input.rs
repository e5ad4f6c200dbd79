//! From key presses to commands, with respect for text fields and input methods.

use crate::app::command::KEYS;
use crate::app::{Command, Key, Shortcut};
use egui::{Context, Event, ImeEvent, KeyboardShortcut, Modifiers, Popup};

/// Knows whether an input method has characters in hand.
#[derive(Debug, Default)]
pub struct Composition {
    open: bool,
}

impl Composition {
    /// Looks at the frame's events; true if a composition is open, or was at any time in this frame: the Enter or Esc
    /// that ends it belongs to the input method.
    fn look(&mut self, events: &[Event]) -> bool {
        let mut open = self.open;
        for event in events {
            if let Event::Ime(event) = event {
                match event {
                    ImeEvent::Preedit { text, .. } => {
                        self.open = !text.is_empty();
                        open |= self.open;
                    }
                    ImeEvent::Commit(_) => self.open = false,
                    _ => {}
                }
            }
        }
        open
    }
}

/// The commands whose keys were pressed in this frame; the keys are taken from the event queue, so that no text field
/// sees them. Call it before any widget.
pub fn commands(ctx: &Context, composition: &mut Composition) -> Vec<Command> {
    let composing = ctx.input(|input| composition.look(&input.raw.events));
    if composing {
        return Vec::new();
    }
    // A slider wants the arrows as a text field wants letters.
    let focused = ctx.memory(|memory| memory.focused().is_some());
    let menu = Popup::is_any_open(ctx);
    let mut pressed = Vec::new();
    for (shortcut, command) in KEYS {
        // An open menu is closed by Esc, and what has the focus owns letters and arrows.
        let taken = (focused && shortcut.is_single_key()) || (menu && shortcut.key == Key::Escape);
        if !taken && ctx.input_mut(|input| input.consume_shortcut(&keys(*shortcut))) {
            pressed.push(command.clone());
        }
    }
    pressed
}

fn keys(shortcut: Shortcut) -> KeyboardShortcut {
    let mut modifiers = Modifiers::NONE;
    if shortcut.command {
        modifiers |= Modifiers::COMMAND;
    }
    if shortcut.shift {
        modifiers |= Modifiers::SHIFT;
    }
    let key = match shortcut.key {
        Key::Enter => egui::Key::Enter,
        Key::Escape => egui::Key::Escape,
        Key::Left => egui::Key::ArrowLeft,
        Key::Right => egui::Key::ArrowRight,
        Key::S => egui::Key::S,
        Key::R => egui::Key::R,
        Key::L => egui::Key::L,
        Key::T => egui::Key::T,
    };
    KeyboardShortcut::new(modifiers, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preedit(text: &str) -> Event {
        Event::Ime(ImeEvent::Preedit { text: text.into(), active_range_chars: None })
    }

    #[test]
    fn a_composition_owns_the_frame_that_it_ends_in() {
        let mut composition = Composition::default();
        assert!(!composition.look(&[]));
        assert!(!composition.look(&[Event::Ime(ImeEvent::Commit("，".into()))]));
        assert!(composition.look(&[preedit("shan")]));
        assert!(composition.look(&[]));
        assert!(composition.look(&[preedit(""), Event::Ime(ImeEvent::Commit("山".into()))]));
        assert!(!composition.look(&[]));
        assert!(composition.look(&[preedit("shui"), Event::Ime(ImeEvent::Commit("水".into()))]));
        assert!(!composition.look(&[preedit("")]));
    }
}
