//! From key presses to commands, with respect for text fields and input methods.

use super::canvas_panel::canvas_id;
use super::keys::shortcut;
use super::prompt_panel;
use crate::app::commands::Entry;
use crate::app::{Command, Key, State, View, wall};
use egui::text_edit::TextEditState;
use egui::{Context, Event, FocusDirection, Id, ImeEvent, Popup};

/// Knows whether an input method has characters in hand, and in which field.
#[derive(Debug, Default)]
pub struct Composition {
    /// The characters in hand; empty if there are none.
    preedit: String,
    field: Option<Id>,
    /// What had the focus in the frame before.
    before: Option<Id>,
    /// A composition was abandoned in this frame; if by a key, the key was for it.
    left: bool,
    /// A composition was open in this frame, or ended in it.
    open: bool,
}

impl Composition {
    /// Looks at the frame's events; true if a composition is open, or was at any time in this frame: the Enter or Esc
    /// that ends it belongs to the input method.
    fn look(&mut self, events: &[Event]) -> bool {
        let mut open = self.left || !self.preedit.is_empty();
        for event in events {
            match event {
                Event::Ime(ImeEvent::Preedit { text, .. }) => {
                    self.preedit.clone_from(text);
                    open |= !text.is_empty();
                }
                Event::Ime(ImeEvent::Commit(_)) => self.preedit.clear(),
                _ => {}
            }
        }
        self.open = open;
        open
    }

    /// Whether the keys of this frame belong to an input method.
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// Call it before [`commands`]. A click elsewhere may end a composition without any event. Then its field, and the
    /// characters that still stand there though nobody chose them, are given back, to be taken out.
    pub fn abandoned(&mut self, ctx: &Context) -> Option<(Id, String)> {
        let focused = ctx.memory(|memory| memory.focused());
        self.before = std::mem::replace(&mut self.field, focused);
        self.left = self.before != focused && !self.preedit.is_empty();
        if !self.left {
            return None;
        }
        let preedit = std::mem::take(&mut self.preedit);
        self.before.map(|field| (field, preedit))
    }
}

/// The key of a command that lasts as long as it is held.
#[derive(Debug, Default)]
pub struct Held {
    key: Option<egui::Key>,
    /// What [`Self::change`] has told last.
    told: bool,
}

impl Held {
    /// Whether the key was pressed (true) or let go (false) since the last call. A window that loses the focus lets go
    /// of all keys.
    pub fn change(&mut self, ctx: &Context) -> Option<bool> {
        self.key = self.key.filter(|key| ctx.input(|input| input.key_down(*key)));
        let down = self.key.is_some();
        (std::mem::replace(&mut self.told, down) != down).then_some(down)
    }
}

/// Takes the characters of an abandoned composition out of the words of its field: those that touch the cursor.
pub fn take_out(ctx: &Context, field: Id, preedit: &str, words: &mut String) {
    let Some(cursor) = TextEditState::load(ctx, field).and_then(|state| state.cursor.char_range()) else { return };
    if let Some(without) = without(words, preedit, cursor.primary.index.0) {
        *words = without;
    }
}

/// The words without the preedit that stands there in characters `at` or beside them; `None` if it does not.
fn without(words: &str, preedit: &str, at: usize) -> Option<String> {
    let (words, preedit): (Vec<char>, Vec<char>) = (words.chars().collect(), preedit.chars().collect());
    let start = (at.saturating_sub(preedit.len())..=at)
        .rev()
        .find(|&start| words.get(start..start + preedit.len()).is_some_and(|stands| stands == preedit))?;
    let (before, after) = (words.get(..start)?, words.get(start + preedit.len()..)?);
    Some(before.iter().chain(after).collect())
}

/// The commands whose keys were pressed in this frame; the keys are taken from the event queue, so that no text field
/// sees them. Those that `gate` does not let pass are left. A key that is held down counts once, except where one leafs
/// through pictures; commands that last as long as their key are told by `held`. Call it before any widget.
pub fn commands(
    ctx: &Context,
    composition: &mut Composition,
    held: &mut Held,
    state: &State,
    gate: fn(&Entry) -> bool,
) -> Vec<Command> {
    let composing = ctx.input(|input| composition.look(&input.raw.events));
    if composing {
        return Vec::new();
    }
    // A slider wants the arrows as a text field wants letters.
    let focused = ctx.memory(|memory| memory.focused().is_some_and(|id| id != canvas_id()));
    let menu = Popup::is_any_open(ctx);
    // Esc has taken the focus away before this frame began.
    let editing_number = composition.before.is_some_and(|id| !prompt_panel::is_prompt(id) && id != canvas_id());
    let (mut pressed, mut tabbed) = (Vec::new(), false);
    ctx.input_mut(|input| {
        input.events.retain(|event| {
            if matches!(event, Event::Copy) && state.view == View::Gallery && !focused {
                pressed.push(Command::Wall(wall::Act::Copy));
                return false;
            }
            let Event::Key { key, modifiers, pressed: true, repeat, .. } = event else { return true };
            let Some(shortcut) = shortcut(*key, *modifiers) else { return true };
            // An open menu is closed by Esc, and so is a number that is being edited; what has the focus owns letters
            // and arrows.
            let escapes = shortcut.key == Key::Escape;
            if ((focused || menu) && shortcut.belongs_to_text()) || (escapes && (menu || editing_number)) {
                return true;
            }
            // The gallery has keys of its own for what the studio does to a document.
            if state.view == View::Gallery
                && let Some(command) = wall::pressed(state, shortcut)
            {
                if (!repeat || command.repeats()) && !pressed.contains(&command) {
                    pressed.push(command);
                }
                return false;
            }
            let Some(entry) = state.keymap.lookup(shortcut, |entry| gate(entry) && (entry.enabled)(state)) else {
                return true;
            };
            if entry.command.is_held() {
                held.key = Some(*key);
            } else if (!repeat || entry.repeats()) && !pressed.contains(&entry.command) {
                pressed.push(entry.command.clone());
            }
            tabbed |= shortcut.key == Key::Tab;
            false
        });
    });
    if tabbed {
        // It does not lead to the next control as well.
        ctx.memory_mut(|memory| memory.move_focus(FocusDirection::None));
    }
    pressed
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

    #[test]
    fn what_nobody_chose_is_taken_out_where_the_cursor_is() {
        assert_eq!(without("山shan水shan", "shan", 5).as_deref(), Some("山水shan"));
        assert_eq!(without("山shan水shan", "shan", 1).as_deref(), Some("山水shan"));
        assert_eq!(without("山shan水shan", "shan", 10).as_deref(), Some("山shan水"));
        assert_eq!(without("shan", "shan", 4).as_deref(), Some(""));
        for (words, at) in [("山水", 1), ("", 0), ("sha", 3), ("shan水水水", 6)] {
            assert_eq!(without(words, "shan", at), None, "{words}");
        }
    }
}
