//! Integer extents and rectangles, in pixels; the origin is the top left corner.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Extent {
    pub width: u32,
    pub height: u32,
}

impl Extent {
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Number of pixels; cannot overflow.
    pub const fn area(self) -> u64 {
        self.width as u64 * self.height as u64
    }

    pub const fn is_empty(self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// True if both sides are multiples of `step` (which is at least 1).
    pub const fn is_multiple_of(self, step: u32) -> bool {
        self.width.is_multiple_of(step) && self.height.is_multiple_of(step)
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.width, self.height)
    }
}

/// A rectangle of whole pixels; `x`, `y` may be negative (off the canvas).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IntRect {
    pub x: i32,
    pub y: i32,
    pub width: u32,
    pub height: u32,
}

impl IntRect {
    pub const fn new(x: i32, y: i32, width: u32, height: u32) -> Self {
        Self { x, y, width, height }
    }

    pub const fn extent(self) -> Extent {
        Extent::new(self.width, self.height)
    }

    pub const fn right(self) -> i64 {
        self.x as i64 + self.width as i64
    }

    pub const fn bottom(self) -> i64 {
        self.y as i64 + self.height as i64
    }

    /// The common part, or `None` if there is none.
    pub fn intersect(self, other: Self) -> Option<Self> {
        let x = self.x.max(other.x);
        let y = self.y.max(other.y);
        let right = self.right().min(other.right());
        let bottom = self.bottom().min(other.bottom());
        let width = u32::try_from(right - i64::from(x)).ok()?;
        let height = u32::try_from(bottom - i64::from(y)).ok()?;
        (width > 0 && height > 0).then_some(Self { x, y, width, height })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intersection_is_commutative_and_empty_is_none() {
        let a = IntRect::new(-4, -4, 8, 8);
        let b = IntRect::new(2, 0, 10, 10);
        assert_eq!(a.intersect(b), Some(IntRect::new(2, 0, 2, 4)));
        assert_eq!(a.intersect(b), b.intersect(a));
        assert_eq!(a.intersect(IntRect::new(4, 4, 1, 1)), None);
    }
}
