//! [`Mask`]: one byte a pixel; 255 is inside, 0 outside.

use super::pixmap::Pixmap;
use crate::base::Extent;

/// Coverage of each pixel, rows from the top without padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Mask {
    extent: Extent,
    data: Vec<u8>,
}

impl Mask {
    /// An empty mask.
    pub fn new(extent: Extent) -> Self {
        Self { extent, data: vec![0; extent.area() as usize] }
    }

    /// Takes coverage bytes; `None` if their number is not the area.
    pub fn from_bytes(extent: Extent, data: Vec<u8>) -> Option<Self> {
        (data.len() as u64 == extent.area()).then_some(Self { extent, data })
    }

    /// The brightness of a picture (ITU-R 601 luma, as PIL's "L" has it): white is inside.
    pub fn from_luma(picture: &Pixmap) -> Self {
        let luma = |p: &[u8]| match p {
            [r, g, b, ..] => {
                ((u32::from(*r) * 19595 + u32::from(*g) * 38470 + u32::from(*b) * 7471 + 0x8000) >> 16) as u8
            }
            _ => 0,
        };
        Self { extent: picture.extent(), data: picture.rgba().chunks_exact(4).map(luma).collect() }
    }

    pub const fn extent(&self) -> Extent {
        self.extent
    }

    pub fn bytes(&self) -> &[u8] {
        &self.data
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    pub fn is_empty(&self) -> bool {
        self.data.iter().all(|&v| v == 0)
    }
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({})", self.extent)
    }
}
