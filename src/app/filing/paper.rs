//! [`Paper`]: what belongs to a document beside what is painted.

use crate::recipe::metadata::{ReadRecipe, from_texts};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The entry of a project file that holds [`Paper::texts`], as JSON.
const TEXTS: &str = "danqing/texts.json";

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Paper {
    /// The project file; `None` until it is saved.
    pub path: Option<PathBuf>,
    /// What the document is called; empty until somebody has named it.
    pub name: String,
    /// How the last picture on it was painted, as it stands in picture files; empty if nobody knows.
    pub texts: Vec<(String, String)>,
    /// Entries of the project file that a later version has written, to be given back to it.
    pub extras: Vec<(String, Arc<Vec<u8>>)>,
}

impl Paper {
    /// That of a picture file, which is not the document's own.
    pub fn of_picture(path: &Path, texts: Vec<(String, String)>) -> Self {
        Self { name: stem(path), texts, ..Self::default() }
    }

    /// That of a project file with its entries.
    pub fn of_project(path: &Path, extras: Vec<(String, Vec<u8>)>) -> Self {
        let (own, extras): (Vec<_>, Vec<_>) = extras.into_iter().partition(|(name, _)| name == TEXTS);
        let texts = own.first().and_then(|(_, json)| serde_json::from_slice(json).ok()).unwrap_or_default();
        let extras = extras.into_iter().map(|(name, bytes)| (name, Arc::new(bytes))).collect();
        Self { path: Some(path.to_owned()), name: stem(path), texts, extras }
    }

    /// What goes into a project file.
    pub fn entries(&self) -> Vec<(String, Vec<u8>)> {
        let mut entries: Vec<_> = self.extras.iter().map(|(name, bytes)| (name.clone(), bytes.to_vec())).collect();
        // Texts are always JSON.
        if let Some(json) = serde_json::to_vec(&self.texts).ok().filter(|_| !self.texts.is_empty()) {
            entries.push((TEXTS.to_owned(), json));
        }
        entries
    }

    /// How the last picture was painted, as far as it is understood.
    pub fn recipe(&self) -> Option<ReadRecipe> {
        from_texts(&self.texts)
    }
}

/// The name of a file without its ending.
pub fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_entries_of_others_go_through_a_project() {
        let path = Path::new("/画/山.水.ora");
        let other = ("danqing/tomorrow".to_owned(), Arc::new(vec![1, 2]));
        let texts = vec![("parameters".to_owned(), "山\nSteps: 4, Seed: 7".to_owned())];
        let paper = Paper { texts: texts.clone(), extras: vec![other.clone()], ..Paper::default() };
        let back = Paper::of_project(path, paper.entries());
        let expected = Paper { path: Some(path.into()), name: "山.水".into(), texts, extras: vec![other] };
        assert_eq!(back, expected);
        assert_eq!(back.recipe().unwrap().seed, Some(7));
        let damaged = Paper::of_project(path, vec![(TEXTS.to_owned(), b"[1]".to_vec())]);
        assert_eq!((damaged.texts, damaged.extras), (vec![], vec![]));
    }
}
