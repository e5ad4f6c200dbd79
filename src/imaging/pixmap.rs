//! [`Pixmap`]: a picture in memory.

use crate::base::Extent;

/// RGBA, 8 bits a channel, straight alpha, sRGB, rows from the top without padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Pixmap {
    extent: Extent,
    data: Vec<u8>,
}

impl Pixmap {
    /// A transparent picture.
    pub fn new(extent: Extent) -> Self {
        Self { extent, data: vec![0; extent.area() as usize * 4] }
    }

    /// Takes RGBA bytes; `None` if their number is not four times the area.
    pub fn from_rgba(extent: Extent, data: Vec<u8>) -> Option<Self> {
        (data.len() as u64 == extent.area() * 4).then_some(Self { extent, data })
    }

    pub const fn extent(&self) -> Extent {
        self.extent
    }

    pub const fn width(&self) -> u32 {
        self.extent.width
    }

    pub const fn height(&self) -> u32 {
        self.extent.height
    }

    /// RGBA bytes, row by row.
    pub fn rgba(&self) -> &[u8] {
        &self.data
    }

    pub fn rgba_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// The pixel at column `x`, row `y`; `None` outside.
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; 4]> {
        if x >= self.extent.width || y >= self.extent.height {
            return None;
        }
        let at = (y as usize * self.extent.width as usize + x as usize) * 4;
        self.data.get(at..at + 4)?.try_into().ok()
    }
}

impl std::fmt::Debug for Pixmap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pixmap({})", self.extent)
    }
}
