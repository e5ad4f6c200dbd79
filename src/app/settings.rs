//! What comes back at the next start, as a JSON file.

use super::state::{Seed, Shade, State};
use crate::base::files::write_atomically;
use crate::base::{Extent, Problem};
use crate::recipe::Sampling;
use crate::words::Language;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// See the module. A file with unknown or missing entries is read as far as it goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `None`: the system's.
    pub language: Option<Language>,
    pub shade: Shade,
    pub prompt: String,
    pub negative: String,
    /// Name of the model.
    pub model: Option<String>,
    pub sampling: Option<Sampling>,
    pub size: Option<Extent>,
    pub seed: Seed,
    pub batch: u32,
    /// The advanced parameters are unfolded.
    pub advanced: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            language: None,
            shade: Shade::default(),
            prompt: String::new(),
            negative: String::new(),
            model: None,
            sampling: None,
            size: None,
            seed: Seed::default(),
            batch: 1,
            advanced: false,
        }
    }
}

impl Settings {
    /// Those of a session.
    pub fn of(state: &State) -> Self {
        let draft = &state.draft;
        Self {
            language: Some(state.language),
            shade: state.shade,
            prompt: draft.prompt.clone(),
            negative: draft.negative.clone(),
            model: state.model().map(|model| model.name.clone()),
            sampling: Some(draft.sampling),
            size: Some(draft.size),
            seed: draft.seed,
            batch: draft.batch,
            advanced: state.advanced,
        }
    }

    /// Reads a file; the defaults if there is none, or it makes no sense: settings are never a reason not to start.
    pub fn read(path: &Path) -> Self {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                if error.kind() != std::io::ErrorKind::NotFound {
                    tracing::warn!(%error, path = %path.display(), "the settings cannot be read");
                }
                return Self::default();
            }
        };
        serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!(%error, path = %path.display(), "the settings make no sense");
            Self::default()
        })
    }

    /// Writes a file, and its folder if it is not there.
    ///
    /// # Errors
    /// [`crate::base::ProblemKind::Unwritable`].
    pub fn write(&self, path: &Path) -> Result<(), Problem> {
        if let Some(folder) = path.parent() {
            // If this fails, so does the next line, which says why.
            let _ = std::fs::create_dir_all(folder);
        }
        write_atomically(path, |writer| {
            serde_json::to_writer_pretty(&mut *writer, self)?;
            writer.write_all(b"\n")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Preset;

    #[test]
    fn settings_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("设置").join("settings.json");
        assert_eq!(Settings::read(&path), Settings::default());
        let settings = Settings {
            language: Some(Language::En),
            shade: Shade::Light,
            prompt: "独钓寒江雪，\n水彩".into(),
            sampling: Some(Preset::Quick.sampling(7.0)),
            size: Some(Extent::new(640, 448)),
            seed: Seed { value: 42, kept: true },
            batch: 4,
            ..Settings::default()
        };
        settings.write(&path).unwrap();
        assert_eq!(Settings::read(&path), settings);
        std::fs::write(&path, r#"{"prompt": "山", "from-the-future": 1}"#).unwrap();
        assert_eq!(Settings::read(&path).prompt, "山");
        std::fs::write(&path, "not JSON").unwrap();
        assert_eq!(Settings::read(&path), Settings::default());
    }
}
