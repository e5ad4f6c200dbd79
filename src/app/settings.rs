//! What comes back at the next start, as a JSON file.

use super::filing::ExportPlan;
use super::layout::Layout;
use super::state::{Scale, Seed, Shade, State};
use super::wall::TILE;
use crate::base::files::write_atomically;
use crate::base::{Extent, Problem};
use crate::recipe::{DeviceChoice, Sampling};
use crate::words::Language;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// See the module. A file with unknown or missing entries is read as far as it goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `None`: the system's.
    pub language: Option<Language>,
    pub shade: Shade,
    /// The artist's own keys: see [`super::commands::Keymap`].
    pub keys: BTreeMap<String, Vec<String>>,
    pub scale: Scale,
    /// Names of the styles on the prompt.
    pub worn: Vec<String>,
    /// All styles are shown.
    pub all_styles: bool,
    pub prompt: String,
    pub negative: String,
    /// Name of the model.
    pub model: Option<String>,
    /// Where it is painted.
    pub device: DeviceChoice,
    pub sampling: Option<Sampling>,
    pub size: Option<Extent>,
    pub seed: Seed,
    pub batch: u32,
    /// The advanced parameters are unfolded.
    pub advanced: bool,
    /// Files that were opened and saved, the newest first.
    pub recent: Vec<String>,
    pub export: ExportPlan,
    pub layout: Layout,
    /// Side of a cell of the gallery, in points.
    pub tile: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            language: None,
            shade: Shade::default(),
            keys: BTreeMap::new(),
            scale: Scale::default(),
            worn: Vec::new(),
            all_styles: false,
            prompt: String::new(),
            negative: String::new(),
            model: None,
            device: DeviceChoice::default(),
            sampling: None,
            size: None,
            seed: Seed::default(),
            batch: 1,
            advanced: false,
            recent: Vec::new(),
            export: ExportPlan::default(),
            layout: Layout::default(),
            tile: TILE,
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
            keys: state.keymap.own().clone(),
            scale: state.scale,
            worn: state.worn.clone(),
            all_styles: state.all_styles,
            prompt: draft.prompt.clone(),
            negative: draft.negative.clone(),
            model: state.model().map(|model| model.name.clone()),
            device: state.devices.chosen,
            sampling: Some(draft.sampling),
            size: Some(draft.size),
            seed: draft.seed,
            batch: draft.batch,
            advanced: state.advanced,
            recent: state.filing.recent_texts(),
            export: state.filing.plan.clone(),
            layout: state.layout,
            tile: state.wall.tile.round(),
        }
    }

    /// Reads a file; the defaults if there is none, or it makes no sense: settings are never a reason not to start. One
    /// that is no JSON is put aside, with `.bad` after its name, before anything is written over it.
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
        serde_json::from_slice(&bytes).map(Self::as_far_as_it_goes).unwrap_or_else(|error| {
            tracing::warn!(%error, path = %path.display(), "the settings make no sense");
            let mut aside = path.as_os_str().to_os_string();
            aside.push(".bad");
            if let Err(error) = std::fs::rename(path, &aside) {
                tracing::warn!(%error, "and cannot be put aside");
            }
            Self::default()
        })
    }

    /// The entries that make sense, and the defaults for those that do not, as one from a newer version may not.
    fn as_far_as_it_goes(entries: Map<String, Value>) -> Self {
        let mut settings = Self::default();
        let Ok(Value::Object(mut whole)) = serde_json::to_value(&settings) else { return settings };
        for (name, value) in entries {
            let before = whole.insert(name.clone(), value);
            match serde_json::from_value(Value::Object(whole.clone())) {
                Ok(read) => settings = read,
                Err(error) => {
                    tracing::warn!(%error, name, "a setting makes no sense");
                    match before {
                        Some(before) => whole.insert(name, before),
                        None => whole.remove(&name),
                    };
                }
            }
        }
        settings
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
            device: DeviceChoice::Cuda(1),
            scale: Scale::new(150),
            worn: vec!["水墨".into()],
            keys: BTreeMap::from([("undo".into(), vec!["F9".into()])]),
            ..Settings::default()
        };
        settings.write(&path).unwrap();
        assert_eq!(Settings::read(&path), settings);
        std::fs::write(&path, r#"{"prompt": "山", "from-the-future": 1}"#).unwrap();
        assert_eq!(Settings::read(&path).prompt, "山");
        let newer = r#"{"sampling": {"sampler": "of-tomorrow"}, "batch": "many", "prompt": "水", "shade": "light"}"#;
        std::fs::write(&path, newer).unwrap();
        let expected = Settings { prompt: "水".into(), shade: Shade::Light, ..Settings::default() };
        assert_eq!(Settings::read(&path), expected);
        std::fs::write(&path, "not JSON").unwrap();
        assert_eq!(Settings::read(&path), Settings::default());
        assert_eq!(std::fs::read_to_string(path.with_file_name("settings.json.bad")).unwrap(), "not JSON");
    }
}
