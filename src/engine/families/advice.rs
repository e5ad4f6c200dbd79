//! `danqing.json` beside `model_index.json`: what a model's makers say to this program. Other people's models have none.

use crate::catalog::folder::read_object;
use serde::Deserialize;
use std::path::Path;

/// All of it is optional.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Advice {
    /// The name that people see, in place of the folder's.
    pub title: Option<String>,
    /// Recommended guidance scale, 1 to 50.
    pub guidance: Option<f64>,
}

impl Advice {
    /// What lies in the folder; nothing if there is no such file or it makes no sense.
    pub fn of(folder: &Path) -> Self {
        let value = read_object(&folder.join("danqing.json")).ok();
        let advice: Self = value.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
        Self {
            title: advice.title.filter(|title| !title.trim().is_empty() && title.chars().count() <= 64),
            guidance: advice.guidance.filter(|guidance| (1.0..=50.0).contains(guidance)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_no_advice() {
        let folder = tempfile::tempdir().unwrap();
        let told = |text: &str| {
            std::fs::write(folder.path().join("danqing.json"), text).unwrap();
            Advice::of(folder.path())
        };
        assert_eq!(Advice::of(Path::new("没有")), Advice::default());
        assert_eq!(told("{\"guidance\": 1e9, \"title\": \" \"}"), Advice::default());
        assert_eq!(told("[1]"), Advice::default());
        let advice = told("{\"guidance\": 3.5, \"title\": \"小徒\"}");
        assert_eq!((advice.title.as_deref(), advice.guidance), (Some("小徒"), Some(3.5)));
    }
}
