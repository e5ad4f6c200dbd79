//! The eight handles of a box, and which of them the pointer is on.

/// How near to a handle the pointer has to be, in screen pixels.
pub const REACH: f64 = 8.0;

/// A handle by the sides that it moves: -1 the left or upper one, 1 the right or lower one, 0 neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle {
    pub across: i8,
    pub down: i8,
}

/// Corners first: where handles of a small box lie on each other, a corner is of more use.
pub const HANDLES: [Handle; 8] = [
    Handle { across: -1, down: -1 },
    Handle { across: 1, down: -1 },
    Handle { across: 1, down: 1 },
    Handle { across: -1, down: 1 },
    Handle { across: 0, down: -1 },
    Handle { across: 1, down: 0 },
    Handle { across: 0, down: 1 },
    Handle { across: -1, down: 0 },
];

impl Handle {
    pub const fn is_corner(self) -> bool {
        self.across != 0 && self.down != 0
    }

    /// Its place on a box given by half its width and height, seen from the centre.
    pub fn place(self, half: (f64, f64)) -> (f64, f64) {
        (f64::from(self.across) * half.0, f64::from(self.down) * half.1)
    }
}

/// The nearest handle within `reach` of `point`, for a box round the origin.
pub fn hit(point: (f64, f64), half: (f64, f64), reach: f64) -> Option<Handle> {
    let distance = |handle: &Handle| {
        let place = handle.place(half);
        (place.0 - point.0).hypot(place.1 - point.1)
    };
    let near = HANDLES.into_iter().filter(|handle| distance(handle) <= reach);
    near.min_by(|a, b| distance(a).total_cmp(&distance(b)))
}
