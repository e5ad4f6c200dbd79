//! What the artist has set: one brush a tool, the colour, how alike colours are.

use crate::canvas::Brush;
use crate::imaging::flood::Likeness;
use serde::{Deserialize, Serialize};

/// What eraser and bucket work on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    #[default]
    Layer,
    Mask,
}

/// The side of the square over which the eyedropper takes the mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    #[default]
    Point,
    Three,
    Five,
}

impl Sampling {
    /// Pixels on each side of the middle one.
    pub const fn reach(self) -> i32 {
        match self {
            Self::Point => 0,
            Self::Three => 1,
            Self::Five => 2,
        }
    }
}

/// Kept between sessions; what an older file lacks is as it is at first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolSettings {
    pub colour_brush: Brush,
    pub mask_brush: Brush,
    pub eraser: Brush,
    pub eraser_target: Target,
    /// Straight RGBA, sRGB.
    pub colour: [u8; 4],
    /// Of wand and bucket: 0 to 255.
    pub tolerance: u8,
    pub contiguous: bool,
    pub antialias: bool,
    /// Pixels by which wand and bucket reach beyond what they find, 0 to 32.
    pub grow: f32,
    /// Wand and bucket look at all layers, not at the active one alone.
    pub sample_all_layers: bool,
    pub bucket_target: Target,
    pub eyedropper_sampling: Sampling,
    pub eyedropper_all_layers: bool,
}

impl ToolSettings {
    pub fn likeness(&self) -> Likeness {
        Likeness {
            tolerance: self.tolerance,
            contiguous: self.contiguous,
            antialias: self.antialias,
            grow: self.grow.clamp(0.0, 32.0),
        }
    }
}

impl Default for ToolSettings {
    fn default() -> Self {
        let hard = Brush { hardness: 0.9, pressure_size: false, ..Brush::default() };
        Self {
            colour_brush: Brush { diameter: 20.0, ..Brush::default() },
            mask_brush: hard,
            eraser: hard,
            eraser_target: Target::Layer,
            colour: [0, 0, 0, 255],
            tolerance: 32,
            contiguous: true,
            antialias: true,
            grow: 0.0,
            sample_all_layers: true,
            bucket_target: Target::Layer,
            eyedropper_sampling: Sampling::Point,
            eyedropper_all_layers: true,
        }
    }
}
