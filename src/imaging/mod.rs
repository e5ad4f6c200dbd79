//! Pure pixels: no window, no network.

pub mod blend;
pub mod flood;
pub mod mask;
pub mod morphology;
pub mod pixmap;
pub mod png_text;
pub mod read;
pub mod resample;
pub mod shapes;
pub mod warp;

pub use mask::Mask;
pub use pixmap::Pixmap;
