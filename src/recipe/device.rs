//! Where networks compute: what somebody chose, and what the machine has. Plain data; opening one is the engine's work.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A choice of where to compute. As text: `auto`, `cpu`, `cuda:0`, `metal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// The first graphics card that works with this program, else the processor.
    #[default]
    Auto,
    Cpu,
    /// NVIDIA's cards, in CUDA's order.
    Cuda(usize),
    /// Apple's graphics.
    Metal,
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Auto => f.write_str("auto"),
            DeviceChoice::Cpu => f.write_str("cpu"),
            DeviceChoice::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
            DeviceChoice::Metal => f.write_str("metal"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ordinal = |text: &str| text.strip_prefix("cuda:").and_then(|ordinal| ordinal.parse().ok());
        match text {
            "auto" => Ok(DeviceChoice::Auto),
            "cpu" => Ok(DeviceChoice::Cpu),
            "cuda" => Ok(DeviceChoice::Cuda(0)),
            "metal" => Ok(DeviceChoice::Metal),
            _ => ordinal(text).map(DeviceChoice::Cuda).ok_or_else(|| "auto, cpu, cuda:0, metal".to_owned()),
        }
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<DeviceChoice> for String {
    fn from(choice: DeviceChoice) -> Self {
        choice.to_string()
    }
}

/// Bytes of a device's memory, as they were when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceMemory {
    pub free: u64,
    pub total: u64,
}

/// A device that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// What to choose for it; never [`DeviceChoice::Auto`].
    pub id: DeviceChoice,
    /// Name for people.
    pub name: String,
    pub memory: Option<DeviceMemory>,
}

/// Looks which devices there are, the processor first. It may take a second, so that it is called beside the window.
#[derive(Clone)]
pub struct DeviceLister(Arc<dyn Fn() -> Vec<DeviceInfo> + Send + Sync>);

impl DeviceLister {
    pub fn new(list: impl Fn() -> Vec<DeviceInfo> + Send + Sync + 'static) -> Self {
        Self(Arc::new(list))
    }

    pub fn list(&self) -> Vec<DeviceInfo> {
        (self.0)()
    }
}

impl fmt::Debug for DeviceLister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceLister")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_words() {
        let all =
            [DeviceChoice::Auto, DeviceChoice::Cpu, DeviceChoice::Cuda(0), DeviceChoice::Cuda(11), DeviceChoice::Metal];
        for choice in all {
            assert_eq!(choice.to_string().parse(), Ok(choice));
            let json = serde_json::to_string(&choice).unwrap();
            assert_eq!(serde_json::from_str::<DeviceChoice>(&json).unwrap(), choice);
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:one", "CPU"] {
            assert!(text.parse::<DeviceChoice>().is_err(), "{text}");
            assert!(serde_json::from_str::<DeviceChoice>(&format!("{text:?}")).is_err());
        }
    }
}
