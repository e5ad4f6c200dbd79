//! [`Keymap`]: the default keys with the artist's own over them.

use super::{ENTRIES, Entry, Shortcut};
use std::collections::{BTreeMap, HashMap};

/// Which keys give which command. What the settings keep are the artist's own keys alone, by stem and as text, so that
/// new defaults reach everybody and what a newer program wrote is not lost.
#[derive(Clone, Debug, PartialEq)]
pub struct Keymap {
    own: BTreeMap<String, Vec<String>>,
    /// In the order of [`ENTRIES`].
    keys: Vec<Vec<Shortcut>>,
    /// Indices into [`ENTRIES`].
    pressed: HashMap<Shortcut, Vec<usize>>,
}

impl Default for Keymap {
    fn default() -> Self {
        Self::new(BTreeMap::new())
    }
}

impl Keymap {
    /// From the settings. A text that is no shortcut is passed over; a command whose list is empty has no keys.
    pub fn new(own: BTreeMap<String, Vec<String>>) -> Self {
        let mut keymap = Self { own, keys: Vec::new(), pressed: HashMap::new() };
        keymap.build();
        keymap
    }

    fn build(&mut self) {
        let keys = |entry: &Entry| match self.own.get(entry.stem()) {
            Some(texts) => texts.iter().filter_map(|text| text.parse().ok()).collect(),
            None => entry.shortcuts.to_vec(),
        };
        self.keys = ENTRIES.iter().map(keys).collect();
        self.pressed.clear();
        for (index, keys) in self.keys.iter().enumerate() {
            for key in keys {
                let entries = self.pressed.entry(*key).or_default();
                if !entries.contains(&index) {
                    entries.push(index);
                }
            }
        }
    }

    /// For the settings.
    pub fn own(&self) -> &BTreeMap<String, Vec<String>> {
        &self.own
    }

    /// The keys of a command; the first is shown.
    pub fn keys(&self, stem: &str) -> &[Shortcut] {
        let index = ENTRIES.iter().position(|entry| entry.stem() == stem);
        index.and_then(|index| self.keys.get(index)).map_or(&[], Vec::as_slice)
    }

    /// The first key as people see it.
    pub fn label(&self, stem: &str) -> Option<String> {
        self.keys(stem).first().map(|shortcut| shortcut.label())
    }

    /// Gives a command these keys and no others. The defaults are not remembered as the artist's own.
    pub fn set(&mut self, stem: &str, keys: &[Shortcut]) {
        if super::entry(stem).is_some_and(|entry| entry.shortcuts == keys) {
            self.own.remove(stem);
        } else {
            self.own.insert(stem.to_owned(), keys.iter().map(Shortcut::to_string).collect());
        }
        self.build();
    }

    /// Back to the defaults.
    pub fn reset(&mut self, stem: &str) {
        self.own.remove(stem);
        self.build();
    }

    pub fn reset_all(&mut self) {
        *self = Self::default();
    }

    /// The stems of the commands that have this shortcut, in the order of the menus; two or more are in conflict.
    pub fn conflicts(&self, shortcut: Shortcut) -> Vec<&'static str> {
        self.found(shortcut).map(Entry::stem).collect()
    }

    /// The command that the keys give: of several, the first that `enabled` lets pass.
    pub fn lookup(&self, shortcut: Shortcut, enabled: impl Fn(&Entry) -> bool) -> Option<&'static Entry> {
        self.found(shortcut).find(|entry| enabled(entry))
    }

    fn found(&self, shortcut: Shortcut) -> impl Iterator<Item = &'static Entry> {
        self.pressed.get(&shortcut).into_iter().flatten().filter_map(|&index| ENTRIES.get(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Shortcut {
        text.parse().unwrap()
    }

    #[test]
    fn the_defaults_are_found_and_the_artists_own_come_over_them() {
        let mut keymap = Keymap::default();
        for entry in ENTRIES {
            assert_eq!(keymap.keys(entry.stem()), entry.shortcuts);
            for shortcut in entry.shortcuts {
                assert_eq!(keymap.conflicts(*shortcut), [entry.stem()]);
            }
        }
        assert!(keymap.own().is_empty());
        keymap.set("tool-brush", &[keys("F6"), keys("Ctrl+Z")]);
        assert_eq!(keymap.label("tool-brush").as_deref(), Some("F6"));
        assert!(keymap.conflicts(keys("B")).is_empty());
        assert_eq!(keymap.conflicts(keys("Ctrl+Z")), ["undo", "tool-brush"]);
        assert_eq!(keymap.lookup(keys("Ctrl+Z"), |_| true).map(Entry::stem), Some("undo"));
        assert_eq!(keymap.lookup(keys("Ctrl+Z"), |e| e.stem() != "undo").map(Entry::stem), Some("tool-brush"));
        assert!(keymap.lookup(keys("Ctrl+Z"), |_| false).is_none());
        keymap.set("tool-eraser", &[]);
        assert!(keymap.keys("tool-eraser").is_empty() && keymap.label("tool-eraser").is_none());
        assert_eq!(Keymap::new(keymap.own().clone()), keymap);
        keymap.reset("tool-eraser");
        keymap.set("tool-brush", &[keys("B")]);
        assert_eq!(keymap, Keymap::default());
        keymap.set("undo", &[]);
        keymap.reset_all();
        assert_eq!(keymap, Keymap::default());
    }

    #[test]
    fn what_it_does_not_know_is_kept() {
        let own = BTreeMap::from([
            ("undo".to_owned(), vec!["Ctrl+Nonsense".to_owned(), "F9".into(), "F9".into()]),
            ("of-tomorrow".to_owned(), vec!["F9".into()]),
        ]);
        let keymap = Keymap::new(own.clone());
        assert_eq!(keymap.keys("undo"), [keys("F9"), keys("F9")]);
        assert_eq!(keymap.conflicts(keys("F9")), ["undo"]);
        assert!(keymap.keys("of-tomorrow").is_empty());
        assert_eq!(keymap.own(), &own);
    }
}
