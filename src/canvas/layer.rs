//! [`Layer`]: one sheet of pixels.

use super::tiles::ColourTiles;
use crate::base::LayerId;
use crate::imaging::BlendMode;
use crate::imaging::blend_mode::opacity_byte;

/// A raster layer. Inside a document it changes only in a transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    pub id: LayerId,
    pub name: String,
    /// 0..=1; drawn in steps of 1/255.
    pub opacity: f32,
    pub blend: BlendMode,
    pub visible: bool,
    /// Nothing of its pixels may change.
    pub locked: bool,
    /// Strokes keep the alpha as it is. Held by the tools.
    pub alpha_locked: bool,
    /// May reach beyond the canvas.
    pub pixels: ColourTiles,
}

impl Layer {
    /// A visible, transparent layer with an id of its own.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            id: LayerId::fresh(),
            name: name.into(),
            opacity: 1.0,
            blend: BlendMode::Normal,
            visible: true,
            locked: false,
            alpha_locked: false,
            pixels: ColourTiles::new(),
        }
    }

    /// The opacity as it is drawn, in 255ths.
    pub fn opacity_byte(&self) -> u8 {
        opacity_byte(self.opacity)
    }

    /// True if it can be seen at all.
    pub fn shows(&self) -> bool {
        self.visible && self.opacity_byte() > 0 && !self.pixels.is_empty()
    }
}
