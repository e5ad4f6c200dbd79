//! Pure pixels: no window, no network.

pub mod blend;
pub mod blend_mode;
pub mod colour_match;
pub mod exif;
pub mod fill;
pub mod flood;
pub mod mask;
pub mod morphology;
pub mod pixmap;
pub mod png_text;
pub mod read;
pub mod resample;
pub mod shapes;
pub mod warp;
pub mod write;

pub use blend_mode::BlendMode;
pub use mask::Mask;
pub use pixmap::Pixmap;
