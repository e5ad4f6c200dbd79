//! Pure pixels: no window, no network.

pub mod blend;
pub mod colour_match;
pub mod exif;
pub mod fill;
pub mod mask;
pub mod pixmap;
pub mod png_text;
pub mod read;
pub mod resample;
pub mod write;

pub use mask::Mask;
pub use pixmap::Pixmap;
